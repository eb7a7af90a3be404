"""The guided tour, taken as a visitor would, through the real views with what the embedded checkpoint says.

What is expected is taken from the Explanation that is shown: another checkpoint says other Malay.
"""

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from malaygpt.decode import SearchOptions
from malaygpt.explain import Explanation
from malaygpt.seeing import Seeing
from malaygpt.translator import EXPLAINED, Translator

from .viewing import NARROW, WIDE

SENTENCE = "The zookeeper fed three orangutans before sunrise."
NUM_STOPS = 12
MODULE = "/assets/page/see/tour.js"
STOPS = "/assets/page/see/tour/stops.js"
# What is in sight of what has the ring, in pixels of its height, and whether the whole card is
RINGED = """() => {
  const [ringed, ...others] = document.querySelectorAll(".see-tour-ring");
  const at = ringed.getBoundingClientRect();
  const card = document.querySelector(".see-tour").getBoundingClientRect();
  const isBeside = card.left >= at.right || card.right <= at.left;
  const bottom = Math.min(at.bottom, innerHeight, isBeside ? Infinity : card.top);
  return {
    others: others.length,
    seen: Math.round(bottom - Math.max(at.top, 0)),
    card: card.top >= 0 && card.bottom <= innerHeight + 1 && card.left >= 0 && card.right <= innerWidth + 1,
    wide: document.documentElement.scrollWidth > innerWidth,
  };
}"""


class Server:
    """What the page's server answers, with the embedded checkpoint; it knows the explanation that is shown."""

    def __init__(self) -> None:
        self.translator = Translator.load(device="cpu")
        self.seeing = Seeing(self.translator)
        self.explanation: Explanation | None = None

    @functools.cache  # noqa: B019
    def explain(self, text: str, options: SearchOptions = EXPLAINED) -> Explanation:
        return self.translator.explain(text, options)

    def __call__(self, kind: str, payload: dict) -> object:
        if kind == "translate":
            self.explanation = self.explain(payload["text"])
            return self.explanation.to_json()
        if kind in ("attention", "attribution"):
            sentence = self.explanation.sentences[payload["sentence"]]
            payload = {"source": sentence.source_ids, "tokens": sentence.ids}
        return self.answer(kind, json.dumps(payload))

    @functools.cache  # noqa: B019
    def answer(self, kind: str, payload: str) -> object:
        return self.seeing.answer(kind, json.loads(payload))


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


@dataclass(frozen=True)
class Reader:
    """One reader before the page."""

    page: Page
    server: Server

    def show(self, english: str, options: SearchOptions = EXPLAINED) -> dict:
        self.server.explanation = self.server.explain(english, options)
        explanation = self.server.explanation.to_json()
        self.page.evaluate("(explanation) => show(explanation)", explanation)
        return explanation

    def start(self) -> "Reader":
        self.page.locator("#begin").focus()
        self.page.keyboard.press("Enter")
        return self.arrive(1)

    def arrive(self, number: int) -> "Reader":
        expect(self.card.locator(".count")).to_contain_text(str(number) + " ")
        expect(self.card.locator(".count")).to_have_text(self.count(number))
        self.page.wait_for_function("document.querySelector('.see-tour-ring') !== null")
        return self

    def count(self, number: int) -> str:
        template = "{number} daripada {of}" if self.card.get_attribute("lang") == "ms" else "{number} of {of}"
        return template.format(number=number, of=NUM_STOPS)

    def press(self, key: str, number: int) -> "Reader":
        self.page.keyboard.press(key)
        return self.arrive(number)

    @property
    def card(self) -> Locator:
        return self.page.locator(".see-tour")

    @property
    def text(self) -> str:
        return self.card.locator(".text").inner_text()

    @property
    def ringed(self) -> dict:
        self.page.wait_for_function(
            "() => new Promise((resolve) => { const at = scrollY; setTimeout(() => resolve(scrollY === at), 120); })"
        )
        return self.page.evaluate(RINGED)


@pytest.fixture
def visit(browser: Browser, address: str, server: Server) -> Iterator[Callable[..., Reader]]:
    """Opens the page for a reader; nothing may go wrong in it unseen."""
    contexts, troubles = [], []

    def open_page(
        size: tuple[int, int] = WIDE,
        language: str = "en",
        dark: bool = False,
        motion: str = "reduce",
        with_attention: bool = True,
    ) -> Reader:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, reduced_motion=motion)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
        page.expose_function("serve", server)
        page.goto(f"{address}/tests/browser/see/harness_tour.html")
        page.wait_for_function("window.mount !== undefined")
        page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", dark)
        page.evaluate("([language, how]) => mount(language, how)", [language, {"withAttention": with_attention}])
        return Reader(page, server)

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def stops(page: Page) -> list[dict]:
    return page.evaluate(f"async () => (await import('{STOPS}')).STOPS")


@pytest.mark.parametrize(("size", "language"), list(product([WIDE, NARROW], ["en", "ms"])))
def test_every_stop_shows_its_part_of_the_view_and_says_something_whole(
    visit: Callable[..., Reader], size: tuple[int, int], language: str
):
    reader = visit(size, language)
    reader.show(SENTENCE)
    reader.start()
    texts = []
    for i, stop in enumerate(stops(reader.page)):
        if i:
            reader.press("ArrowRight", i + 1)
        ringed = reader.page.locator(".see-tour-ring")
        assert ringed.evaluate("(node, selector) => node.matches(selector)", stop["selector"]), stop
        assert ringed.is_visible()
        seen = reader.ringed
        assert (seen["others"], seen["card"], seen["wide"]) == (0, True, False), stop
        assert seen["seen"] >= 40, (stop, seen)
        assert reader.card.evaluate("(node) => node === document.activeElement"), stop
        texts.append(reader.card.inner_text())
        kind = stop.get("attention")
        assert kind is None or reader.page.locator(f".attention input[value={kind}]").is_checked()
    assert not any(mark in text for text in texts for mark in ("{", "}", "null", "undefined", "NaN"))
    assert len(set(texts)) == len(texts) == NUM_STOPS
    assert reader.page.evaluate("opened")[-1] == "inside"
    reader.page.keyboard.press("ArrowRight")
    expect(reader.card).to_be_hidden()


def test_what_it_says_is_so_of_the_sentence(visit: Callable[..., Reader], server: Server):
    reader = visit()
    [sentence] = (shown := reader.show(SENTENCE))["sentences"]
    attention = server.translator.attend(server.explanation.sentences[0])
    pieces = lambda id: shown["pieces"][str(id)].strip()  # noqa: E731
    reader.start()
    assert f"7 words, and the model reads {len(sentence['source'])} tokens" in reader.text
    split = [pieces(piece["id"]) for piece in sentence["source"]]
    part = next(part for part in reader.text.split("“")[1:] if "became" in part)
    word, told = part.split("”")[0], part.split(": ")[1].rstrip(".").split(" + ")
    assert "".join(told) == word and word in SENTENCE.split()
    at = split.index(told[0])
    assert split[at : at + len(told)] == told
    for number in range(2, 4):
        reader.press("ArrowRight", number)
    layers, heads = attention.encoder.shape[:2]
    assert f"{layers} encoder layers" in reader.text
    looked = int(attention.encoder[-1, :, 0].mean(0).argmax())
    assert f"“{split[0]}” looks most at “{split[looked]}”" in reader.text
    reader.press("ArrowRight", 4)
    assert f"a layer has {heads} heads" in reader.text
    kinds = attention.encoder, attention.decoder, attention.cross
    num_maps = sum(each.shape[0] * each.shape[1] for each in kinds)
    assert f"{num_maps} maps of your sentence" in reader.text
    reader.press("ArrowRight", 5)
    said = [pieces(token["id"]) for token in sentence["tokens"]]
    assert f"in {len(said)} steps" in reader.text and f"“{said[1]}” was chosen" in reader.text
    reader.press("ArrowRight", 6)
    weights = attention.cross[-1, :, 0].mean(0)
    share = reader.text.split("looked most at ")[1].split("%")[0].split(": ")
    assert share[0] == f"“{split[int(weights.argmax())]}”"
    assert float(share[1]) == pytest.approx(100 * float(weights.max()), abs=1)
    assert ("[SEP] often" in reader.text) == (int(weights.argmax()) == len(split) - 1)
    reader.press("ArrowRight", 7)
    bars = reader.page.locator(".choices .bars li:not(.empty)").all_inner_texts()
    chosen = next(bar for bar in bars if "chosen" in bar)
    assert reader.text.split("got ")[1].split("%")[0].strip() in chosen and said[0] in chosen
    reader.press("ArrowRight", 8)
    over = sum(token["alternatives"][0][0] != token["id"] for token in sentence["tokens"])
    assert f"kept {sentence['search']['num_beams']} beginnings" in reader.text
    assert (f"In it, {over} step" in reader.text) == (over > 0)
    assert ("every token was also the likeliest" in reader.text) == (over == 0)


@pytest.mark.parametrize(
    ("options", "said", "unsaid"),
    [
        (SearchOptions(num_alternatives=8), "made like that", "beginnings"),
        (SearchOptions(num_alternatives=8, temperature=0.8, seed=1), "was drawn", "beginnings"),
        (EXPLAINED, "beginnings at once", "made like that"),
    ],
)
def test_it_tells_how_the_translation_was_searched(visit, options: SearchOptions, said: str, unsaid: str):
    reader = visit()
    reader.show(SENTENCE, options)
    reader.start()
    for number in range(2, 9):
        reader.press("ArrowRight", number)
    assert said in reader.text and unsaid not in reader.text


def test_without_attention_it_says_less_and_nothing_unfilled(visit: Callable[..., Reader]):
    reader = visit(with_attention=False)
    reader.show(SENTENCE)
    reader.start()
    for number in range(2, 7):
        assert "{" not in reader.text and "null" not in reader.text
        reader.press("ArrowRight", number)
    assert "Cross-attention joins the two" in reader.text and "looked most at" not in reader.text


def test_buttons_and_arrows_go_both_ways_and_escape_gives_the_focus_back(visit: Callable[..., Reader]):
    reader = visit()
    reader.show(SENTENCE)
    reader.start()
    dialog = reader.page.get_by_role("dialog", name="Words become tokens")
    expect(dialog).to_be_visible()
    assert dialog.get_attribute("aria-modal") == "false"
    reader.page.keyboard.press("ArrowLeft")
    assert reader.card.locator(".count").inner_text() == reader.count(1)
    reader.card.get_by_role("button", name="Next").click()
    reader.arrive(2).press("ArrowRight", 3).press("ArrowLeft", 2)
    reader.card.get_by_role("button", name="Back").click()
    reader.arrive(1)
    reader.page.keyboard.press("Escape")
    expect(reader.card).to_be_hidden()
    assert reader.page.locator(".see-tour-ring").count() == 0
    assert reader.page.locator("#begin").evaluate("(node) => node === document.activeElement")


def test_the_page_goes_on_working_and_keeps_the_focus_of_a_reader_elsewhere(visit: Callable[..., Reader]):
    reader = visit()
    reader.show(SENTENCE)
    reader.start()
    token = reader.page.locator(".stage .malay .token").nth(2)
    token.click()
    assert "chosen" in token.get_attribute("class")
    other = reader.show("It rained.")
    reader.page.wait_for_function("document.querySelector('.see-tour .text').textContent.includes('2 words')")
    assert f"{len(other['sentences'][0]['source'])} tokens" in reader.text
    assert not reader.card.evaluate("(node) => node.contains(document.activeElement)")
    reader.page.keyboard.press("Escape")
    expect(reader.card).to_be_visible()
    reader.card.get_by_role("button", name="End the tour").click()
    expect(reader.card).to_be_hidden()


def test_without_a_text_an_example_is_translated(visit: Callable[..., Reader]):
    reader = visit()
    reader.start()
    [text] = reader.page.evaluate("translated")
    assert text == reader.page.evaluate(f"async () => (await import('{MODULE}')).ENGLISH.example")
    assert f"{len(text.split())} words" in reader.text


def test_what_fails_is_said_and_tried_again(visit: Callable[..., Reader]):
    reader = visit()
    reader.page.evaluate(
        "() => { const all = serve; window.serve = async () => { window.serve = all; throw new Error(); } }"
    )
    reader.page.locator("#begin").click()
    expect(reader.card.get_by_role("heading")).to_have_text("That did not work")
    reader.page.keyboard.press("ArrowRight")
    reader.arrive(1)


def test_it_waits_for_what_is_not_drawn_yet_and_then_takes_the_view(visit: Callable[..., Reader]):
    reader = visit()
    found = reader.page.evaluate(
        f"""async () => {{
          const {{ findStop }} = await import('{STOPS}');
          const root = document.body.appendChild(document.createElement("div"));
          setTimeout(() => {{ root.innerHTML = "<p hidden class=late>late</p>"; }}, 20);
          setTimeout(() => {{ root.firstChild.hidden = false; }}, 80);
          const late = await findStop(root, {{ selector: ".late" }}, 2000);
          const never = await findStop(root, {{ selector: ".never" }}, 50);
          return [late.className, late.hidden, never === root];
        }}"""
    )
    assert found == ["late", False, True]


def test_every_text_has_its_translation_and_names_the_same_facts(visit: Callable[..., Reader]):
    page = visit().page
    english, malay, names = page.evaluate(
        f"""async () => {{
          const {{ ENGLISH, MALAY }} = await import('{MODULE}');
          const flat = (node, path = "") => typeof node === "string"
            ? [[path, (node.match(/{{\\w+}}/g) ?? []).sort().join()]]
            : Object.entries(node).flatMap(([key, each]) => flat(each, `${{path}}/${{key}}`));
          return [flat(ENGLISH), flat(MALAY), Object.keys(ENGLISH.stops)];
        }}"""
    )
    singular = [path for path, _ in english if "/counts/" in path]
    assert [each for each in english if each[0] not in singular] == [each for each in malay if each[0] not in singular]
    assert [path for path, _ in english] == [path for path, _ in malay]
    assert names == [stop["name"] for stop in stops(page)]
    assert 8 <= len(names) <= 12


def test_nothing_is_left_of_it_when_it_is_destroyed(visit: Callable[..., Reader]):
    reader = visit()
    reader.show(SENTENCE)
    reader.start()
    reader.page.evaluate("tour.destroy()")
    assert reader.page.locator(".see-tour, .see-tour-ring").count() == 0
