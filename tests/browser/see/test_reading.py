"""The Translate view, driven as a visitor would, with what the embedded checkpoint says of its translations.

What is expected is taken from the Explanation that is shown: another checkpoint says other Malay.
"""

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator

from malaygpt.decode import SearchOptions
from malaygpt.explain import Explanation, attention_json
from malaygpt.translator import BEAMS, Translator

from . import viewing
from .viewing import NARROW, WIDE

ONE = "The old fisherman mended his net while the children played on the beach."
TWO = f"{ONE} Dr. Aminah paid RM 45.90 at the café 😀 yesterday.\n\nIt rained."
# The pane as the page has it, on its own half, with something after it
PANE = """
  #root { height: clamp(320px, 46vh, 460px); max-width: 560px; margin-left: auto; background: var(--card); }
  #after { margin-top: 8px; }
  @media (max-width: 700px) { #root { height: 360px; } }
"""
PREPARE = """() => {
  const after = Object.assign(document.createElement("button"), { id: "after", textContent: "after" });
  document.querySelector("main").append(after);
}"""
ANSWER = """(kind, payload) => window.answer(kind, payload).then(({ value, error }) => {
  if (error) throw new Error(error);
  return value;
})"""


@pytest.fixture(scope="module")
def embedded() -> Translator:
    return Translator.load(device="cpu")


@pytest.fixture(scope="module")
def explained(embedded: Translator) -> Callable[[str], Explanation]:
    return functools.cache(embedded.explain)


@dataclass
class Server:
    """What answers the view: a translator that knows the explanation shown."""

    translator: Translator
    explained: Callable[[str], Explanation]
    explanation: Explanation | None = None
    asked: list[tuple[str, dict]] = field(default_factory=list)

    def answer(self, kind: str, payload: dict) -> dict:
        self.asked.append((kind, payload))
        try:
            return {"value": self._answer(kind, payload)}
        except ValueError as error:
            return {"error": str(error)}

    def _answer(self, kind: str, payload: dict) -> dict:
        if kind == "attention":
            return attention_json(self.translator.attend(self.explanation.sentences[payload["sentence"]]))
        assert kind == "choose"
        place = payload["sentence"], payload["token"], payload["id"]
        self.explanation = self.translator.choose(self.explanation, *place)
        return self.explanation.to_json()


def words_of(sentence: dict) -> list[str]:
    """The Malay words of a sentence of an Explanation's JSON"""
    return [sliced(sentence["malay"], word["span"]) for word in sentence["words"]]


def sliced(text: str, span: list[int]) -> str:
    """As JavaScript slices: by UTF-16 code units"""
    return text.encode("utf-16-le")[2 * span[0] : 2 * span[1]].decode("utf-16-le")


@dataclass(frozen=True)
class Reader(viewing.Reader):
    """One reader before the view."""

    server: Server

    def show(self, english: str, **given: object) -> dict:
        """Shows the translation of a text as done; gives its Explanation as JSON."""
        self.server.explanation = self.server.explained(english)
        return self.show_json(self.server.explanation.to_json(), **given)

    def show_json(self, explanation: dict, **given: object) -> dict:
        state = {"text": explanation["malay"], "done": True, "explanation": explanation, **given}
        self.page.evaluate("(state) => view.show(state)", state)
        return explanation

    def stream(self, text: str, tokens: list | None = None) -> None:
        self.page.evaluate("(state) => view.show(state)", {"text": text, "done": False, "tokens": tokens or []})

    def prepare(self) -> "Reader":
        self.page.add_style_tag(content=PANE)
        self.page.evaluate(PREPARE)
        return self

    def come_back(self) -> "Reader":
        """Opens the page anew, in the same browser."""
        self.page.reload()
        self.page.wait_for_function("window.mount !== undefined")
        self.page.evaluate(f"mount('en', {ANSWER})")
        return self.prepare()

    @property
    def text(self) -> Locator:
        return self.page.get_by_role("group", name="Malay translation")

    @property
    def mirror(self) -> Locator:
        return self.page.get_by_role("group", name="Your English, as it was read")

    @property
    def card(self) -> Locator:
        return self.page.get_by_role("dialog")

    @property
    def note(self) -> Locator:
        return self.page.locator(".note")

    def word(self, word: int, sentence: int = 0) -> Locator:
        return self.text.locator(f".word[data-sentence='{sentence}'][data-word='{word}']")

    def english(self, text: str) -> Locator:
        return self.mirror.locator(".word").get_by_text(text, exact=True).first

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def wait_for(self, condition: str) -> None:
        self.page.wait_for_function(condition, timeout=10_000)

    def wait_for_tint(self, pane: str = ".mirror") -> None:
        self.wait_for(f"document.querySelector('{pane} .tinted')")

    def leave(self) -> None:
        """Moves the pointer away from the view."""
        self.page.mouse.move(20, 840)
        self.wait_for("!document.querySelector('.tinted, .pointed, .linked, :popover-open')")

    def download(self, label: str) -> tuple[str, str]:
        """The name and the text of the file that a button saves"""
        with self.page.expect_download() as download:
            self.button(label).click()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes().decode("utf-8")

    @property
    def focused(self) -> str:
        return self.page.evaluate("document.activeElement.textContent")


@pytest.fixture
def open_reader(
    browser: Browser, address: str, embedded: Translator, explained: Callable[[str], Explanation]
) -> Iterator[Callable[..., Reader]]:
    """Opens the view in a fresh profile."""
    server = Server(embedded, explained)
    with viewing.visits(browser, address, "reading", functools.partial(Reader, server=server)) as open_page:

        def open_(**how: object) -> Reader:
            reader = open_page(answer=ANSWER, noted=False, **how)
            reader.page.expose_function("answer", server.answer)
            reader.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            return reader.prepare()

        yield open_


@pytest.fixture
def reader(open_reader: Callable[..., Reader]) -> Reader:
    return open_reader()


# Streaming


def test_a_text_grows_in_place(reader: Reader) -> None:
    malay = reader.server.explained(TWO).malay
    reader.page.evaluate(
        """() => {
            const text = document.querySelector(".text");
            const observed = (changes) => window.seen.push(...changes.map(({ type }) => type));
            view.show({ text: "F", done: false });
            [window.seen, window.node] = [[], text.firstChild];
            new MutationObserver(observed).observe(text, { childList: true, characterData: true, subtree: true });
        }"""
    )
    for end in range(2, len(malay), 3):
        reader.stream(malay[:end])
        assert reader.text.evaluate("(text) => text.textContent") == malay[:end]
    assert reader.page.evaluate("document.querySelector('.text').firstChild === node")
    assert set(reader.page.evaluate("seen")) == {"characterData"}


def test_a_beam_that_gives_way_changes_only_what_is_different(reader: Reader) -> None:
    reader.stream("Kucing itu tidur")
    reader.page.evaluate("getSelection().setBaseAndExtent(...[0, 6].flatMap((at) => [view.malay.node.firstChild, at]))")
    reader.stream("Kucing ini")
    assert reader.text.evaluate("(text) => text.textContent") == "Kucing ini"
    assert reader.page.evaluate("getSelection().toString()") == "Kucing", "what the reader has marked stays marked"


def test_nothing_moves_when_the_words_are_marked(reader: Reader) -> None:
    where = """() => {
        const [range, text] = [document.createRange(), document.querySelector(".text")];
        range.selectNodeContents(text);
        const at = (node) => [...Object.values(node.getBoundingClientRect().toJSON())];
        return [range, text, ...document.querySelectorAll(".mirror, .tools")].map(at);
    }"""

    def places() -> np.ndarray:
        return np.array(reader.page.evaluate(where))

    malay = reader.server.explained(TWO).malay
    reader.stream(malay)
    # Letters stand an eighth of a pixel closer in one stretch of text than at the border of two.
    streaming = pytest.approx(places(), abs=0.25)
    reader.stream(malay, [[malay, 0.1]])
    assert places() == streaming
    reader.show(TWO)
    assert places() == streaming
    reader.word(2).hover()
    reader.wait_for_tint()
    assert places() == streaming
    reader.word(2).click()
    reader.card.wait_for()
    assert places() == streaming


def test_a_long_text_that_grows_is_followed_unless_the_reader_has_scrolled_up(reader: Reader) -> None:
    line = "Saya makan ikan dan nasi di rumah.\n"
    for count in range(1, 40):
        reader.stream(line * count)
    end = "(text) => text.scrollHeight - text.clientHeight - text.scrollTop"
    assert reader.text.evaluate(end) < 2
    reader.text.evaluate("(text) => { text.scrollTop = 0; }")
    reader.stream(line * 41)
    assert reader.text.evaluate("(text) => text.scrollTop") == 0


def test_a_screen_reader_hears_the_translation_once_when_it_is_done(reader: Reader) -> None:
    reader.page.evaluate(
        """() => {
            const live = document.querySelector(".heard");
            window.heard = [];
            new MutationObserver(() => heard.push(live.textContent)).observe(live, { childList: true, subtree: true });
        }"""
    )
    malay = reader.server.explained(ONE).malay
    for end in range(1, len(malay), 5):
        reader.stream(malay[:end])
    assert reader.text.get_attribute("aria-busy") == "true"
    reader.show(ONE)
    reader.wait_for("heard.at(-1) === ''")
    assert reader.page.evaluate("heard") == [malay, ""]
    assert reader.text.get_attribute("aria-busy") == "false"
    assert reader.page.locator(".heard").get_attribute("role") == "status"
    assert reader.page.locator(".text[aria-live], .text [aria-live]").count() == 0


def test_what_was_stopped_stands_as_it_is_and_can_be_copied(reader: Reader) -> None:
    reader.page.evaluate("view.show({ text: 'Kucing itu', done: true })")
    assert reader.text.inner_text() == "Kucing itu"
    assert reader.button("Alternatives").is_disabled() and reader.button("Share").is_disabled()
    reader.button("Copy").click()
    assert reader.page.evaluate("navigator.clipboard.readText()") == "Kucing itu"


def test_an_empty_text_clears_everything(reader: Reader) -> None:
    reader.show(TWO)
    reader.page.evaluate("view.show({ text: '', done: true })")
    assert reader.page.locator(".word").count() == 0
    assert reader.mirror.text_content() == ""
    assert reader.button("Copy").is_disabled()


def test_text_is_never_markup(reader: Reader) -> None:
    english = "<img src=x onerror=document.title='bad'> The cat & the dog sleep."
    given = reader.show(english)
    assert reader.text.text_content() == given["malay"]
    assert reader.mirror.text_content() == given["english"]
    assert reader.page.locator("#root img").count() == 0


@pytest.mark.parametrize("english", [ONE, TWO, "😀 Hello 👋🏽, Dr. Lim!\r\n\n  Two  spaces. ", "中文 and cafés"])
def test_both_texts_stand_there_to_the_letter(reader: Reader, english: str) -> None:
    given = reader.show(english)
    assert reader.text.evaluate("(text) => text.textContent") == given["malay"]
    assert reader.mirror.evaluate("(text) => text.textContent") == given["english"]
    for number, sentence in enumerate(given["sentences"]):
        words = reader.text.locator(f".word[data-sentence='{number}']").all_text_contents()
        units = sentence["malay"].encode("utf-16-le")
        spans = [word["span"] for word in sentence["words"]]
        assert words == [units[2 * start : 2 * stop].decode("utf-16-le") for start, stop in spans]


def unsure(reader: Reader) -> list[str]:
    return reader.page.evaluate(
        "[...CSS.highlights.get('reading-unsure') ?? []].map(String).sort((a, b) => a.length - b.length)"
    )


def test_what_the_model_is_unsure_of_is_paler_while_it_streams(reader: Reader) -> None:
    ink = """() => {
        const text = document.querySelector(".text");
        return [null, "::highlight(reading-unsure)"].map((pseudo) => getComputedStyle(text, pseudo).color);
    }"""
    tokens = [["Kuc", 0.9], ["ing", 0.2], [" itu", 0.4], [" tidur", 0.5]]
    reader.stream("Hujan. Kucing itu tidur", tokens)
    assert unsure(reader) == ["ing itu"]
    plain, pale = reader.page.evaluate(ink)
    assert pale != plain
    painted = reader.text.screenshot()
    reader.stream("Hujan. Kucing itu tidur", [["Hujan. Kucing itu tidur", 0.9]])
    assert unsure(reader) == [] and reader.text.screenshot() != painted
    reader.stream("Hujan. Kucing ini", [*tokens[:2], [" ini", 0.8]])
    assert unsure(reader) == ["ing"], "a beam gave way"
    reader.stream("Hujan. Kucing ini", [["Something else", 0.1]])
    assert unsure(reader) == [], "tokens that the text does not end with say nothing of it"
    reader.stream("Hujan. Kucing ini", [*tokens[:2], [" ini", 0.8]])
    reader.page.evaluate("view.show({ text: 'Hujan. Kucing ini', done: true })")
    assert unsure(reader) == []


def test_a_token_more_repaints_only_what_is_new(reader: Reader) -> None:
    tokens = [[f" kata{i}", 0.2 if i % 3 == 0 else 0.9] for i in range(400)]
    reader.stream("".join(text for text, _ in tokens[:1]), tokens[:1])
    reader.page.evaluate(
        """() => {
            [window.seen, window.marks] = [[], new Set(CSS.highlights.get("reading-unsure"))];
            const note = (changes) => changes.forEach(({ type, target }) => seen.push([type, target.length]));
            const observed = { childList: true, characterData: true, attributes: true, subtree: true };
            new MutationObserver(note).observe(document.getElementById("root"), observed);
        }"""
    )
    for count in (2, 100, 400):
        reader.stream("".join(text for text, _ in tokens[:count]), tokens[:count])
    lengths = [len("".join(text for text, _ in tokens[:count])) for count in (2, 100, 400)]
    assert reader.page.evaluate("seen") == [["characterData", length] for length in lengths]
    assert len(unsure(reader)) == 134
    assert reader.page.evaluate("[...marks].every((mark) => CSS.highlights.get('reading-unsure').has(mark))")


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_token_is_shown_in_under_4_ms_with_2000_characters_before_it(
    open_reader: Callable[..., Reader], size: tuple[int, int]
) -> None:
    reader = open_reader(size=size)
    took = reader.page.evaluate(
        """() => {
            const said = Array.from({ length: 400 }, (_, i) => [" kata" + (i % 10), i % 3 ? 0.9 : 0.2]);
            const times = [];
            for (let count = 300; count <= 400; count++) {
                const tokens = said.slice(0, count);
                const text = "a".repeat(200) + tokens.map(([token]) => token).join("");
                const start = performance.now();
                view.show({ text, done: false, tokens });
                document.querySelector(".text").scrollHeight; // laid out
                times.push(performance.now() - start);
            }
            return times.sort((a, b) => a - b)[50];
        }"""
    )
    assert took < 4


# Pointing


def test_the_english_is_seen_once_the_translation_is_done_and_a_reader_points(reader: Reader) -> None:
    opacity = "(mirror) => getComputedStyle(mirror).opacity"
    reader.stream("Kucing itu")
    reader.page.mouse.move(*centre(reader.mirror))
    assert reader.mirror.evaluate(opacity) == "0"
    reader.leave()
    reader.show(TWO)
    assert reader.mirror.evaluate(opacity) == "0"
    assert not reader.card.is_visible()
    assert reader.server.asked == []
    reader.word(0).hover()
    reader.wait_for("getComputedStyle(document.querySelector('.mirror')).opacity === '1'")
    reader.leave()
    reader.wait_for("getComputedStyle(document.querySelector('.mirror')).opacity === '0'")


def centre(place: Locator) -> tuple[float, float]:
    box = place.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def attended(reader: Reader, sentence: int = 0) -> list[dict[str, float]]:
    """For each Malay word, the attention that went to each English word of letters: from the model itself"""
    told = reader.server.explanation.sentences[sentence]
    cross = reader.server.translator.attend(told).cross[-1].mean(0)
    shares = []
    for word in told.words:
        row: dict[str, float] = {}
        for piece, weight in zip(told.source, cross[list(word.tokens)].mean(0).tolist(), strict=True):
            if piece.span is None:
                continue
            start, stop = piece.span
            while start and told.english[start - 1].isalnum():
                start -= 1
            while stop < len(told.english) and told.english[stop].isalnum():
                stop += 1
            name = told.english[start:stop]
            row[name] = row.get(name, 0) + weight
        shares.append(row)
    return shares


def clearest(shares: list[dict[str, float]]) -> tuple[int, str, float]:
    """The Malay word that attended most to one English word: its place, the English word and the share"""
    tops = [(share, place, word) for place, row in enumerate(shares) for word, share in row.items() if len(word) > 3]
    share, place, word = max(tops)
    return place, word, share


def test_a_word_is_linked_to_the_english_that_it_attended_to(reader: Reader) -> None:
    (sentence,) = reader.show(ONE)["sentences"]
    place, english, share = clearest(attended(reader))
    assert share > 0.3
    reader.word(place).hover()
    reader.wait_for_tint()
    assert reader.note.inner_text().startswith(f"{words_of(sentence)[place]}: ")
    assert not reader.card.is_visible(), "nothing covers the text unless it is asked for"
    assert english in reader.mirror.locator(".tinted").all_text_contents()
    accent = reader.text.locator(".pointed").evaluate("(word) => getComputedStyle(word).backgroundColor")
    assert reader.english(english).evaluate("(word) => getComputedStyle(word).backgroundColor") == accent
    reader.word(place).click()
    reader.card.get_by_text(f"{english} {round(100 * share)} %").wait_for()


def test_an_english_word_is_linked_to_the_malay_that_attended_to_it(reader: Reader) -> None:
    (sentence,) = reader.show(ONE)["sentences"]
    place, english, _ = clearest(attended(reader))
    malay = words_of(sentence)[place]
    reader.english(english).hover()
    reader.wait_for_tint(".text")
    assert malay in reader.text.locator(".tinted").all_text_contents()
    assert reader.note.inner_text().startswith(f"{english} → {malay} ")
    assert not reader.card.is_visible()
    reader.leave()


def test_attention_is_asked_for_once_a_sentence_and_not_at_all_when_given(reader: Reader) -> None:
    reader.show(TWO)
    for word, sentence in ((0, 0), (2, 0), (0, 1)):
        reader.word(word, sentence).hover()
        reader.wait_for_tint()
        reader.leave()
    assert reader.server.asked == [("attention", {"sentence": 0}), ("attention", {"sentence": 1})]
    reader.server.asked.clear()
    maps = [attention_json(reader.server.translator.attend(each)) for each in reader.server.explanation.sentences]
    reader.show(TWO, attention=maps)
    reader.word(0, 1).hover()
    reader.wait_for_tint()
    assert reader.server.asked == []


def test_without_attention_nothing_is_highlighted_and_the_card_still_tells(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("Too busy.")

    monkeypatch.setattr(reader.server.translator, "attend", fail, raising=True)
    reader.show(ONE)
    reader.word(2).click()
    reader.card.get_by_text("Say instead").wait_for()
    reader.wait_for("document.querySelector('.sources').hidden")
    assert reader.page.locator(".tinted").count() == 0


def test_sentences_are_linked_where_there_are_many(reader: Reader) -> None:
    sentences = reader.show(TWO)["sentences"]
    last = len(sentences) - 1
    reader.word(0, last).hover()
    linked = [pane.locator(".linked").text_content() for pane in (reader.text, reader.mirror)]
    assert linked == [sentences[last]["malay"], sentences[last]["english"]]
    reader.leave()
    reader.english("paid").hover()
    (number,) = [i for i, sentence in enumerate(sentences) if "paid" in sentence["english"]]
    linked = [pane.locator(".linked").text_content() for pane in (reader.text, reader.mirror)]
    assert linked == [sentences[number]["malay"], sentences[number]["english"]]


def test_the_english_of_a_word_is_scrolled_into_view(reader: Reader) -> None:
    last = len(reader.show(" ".join([ONE] * 4) + " It rained.")["sentences"]) - 1
    reader.word(0, last).hover()
    reader.wait_for("document.querySelector('.mirror').scrollTop > 0")
    mirror, word = reader.mirror.bounding_box(), reader.english("rained").bounding_box()
    assert mirror["y"] <= word["y"] and word["y"] + word["height"] <= mirror["y"] + mirror["height"]


def test_the_english_word_is_scrolled_into_view_within_a_long_sentence(open_reader: Callable[..., Reader]) -> None:
    reader = open_reader(size=NARROW)
    reader.show(f"{ONE[:-1]} and the women of the village cooked rice, fish and vegetables for the evening.")
    late = [max(row, key=row.get) for row in attended(reader)]
    place = max(i for i, english in enumerate(late) if english in ("vegetables", "evening"))
    reader.word(place).hover()
    reader.wait_for("document.querySelector('.mirror').scrollTop > 0")
    mirror, word = reader.mirror.bounding_box(), reader.english(late[place]).bounding_box()
    assert word["y"] + word["height"] <= mirror["y"] + mirror["height"] + 1


def test_a_card_stays_while_the_mouse_points_elsewhere_until_a_press_beside_it(reader: Reader) -> None:
    reader.show(ONE)
    reader.word(2).click()
    reader.card.wait_for()
    reader.word(0).hover()
    reader.wait_for("document.querySelector('.text .pointed').dataset.word === '0'")
    reader.page.mouse.move(20, 840)
    reader.wait_for("document.querySelector('.text .pointed').dataset.word === '2'")
    assert reader.card.is_visible()
    box = reader.text.bounding_box()
    reader.page.mouse.click(box["x"] + 4, box["y"] + box["height"] - 2)
    reader.card.wait_for(state="hidden")
    reader.leave()


def test_a_card_closes_with_escape_wherever_the_focus_is(reader: Reader) -> None:
    reader.show(ONE)
    reader.word(2).click()
    reader.card.wait_for()
    reader.page.evaluate("document.activeElement.blur()")
    reader.page.keyboard.press("Escape")
    reader.card.wait_for(state="hidden")


def test_a_finger_opens_a_card_and_closes_it_beside(open_reader: Callable[..., Reader]) -> None:
    reader = open_reader(size=NARROW, touch=True)
    reader.show(ONE)
    reader.word(2).tap()
    reader.card.wait_for()
    box = reader.card.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["y"] + box["height"] <= 740
    sizes = [button.bounding_box()["height"] for button in reader.page.locator(".tools button, .closer").all()]
    assert min(sizes) >= 44
    reader.text.tap(position={"x": 300, "y": 3})
    reader.card.wait_for(state="hidden")
    reader.word(2).tap()
    reader.card.wait_for()
    reader.page.touchscreen.tap(300, 4)  # outside of the view
    reader.card.wait_for(state="hidden")


def test_marking_text_opens_nothing(reader: Reader) -> None:
    reader.show(ONE)
    first, third = reader.word(0).bounding_box(), reader.word(2).bounding_box()
    reader.page.mouse.move(first["x"] + 2, first["y"] + 12)
    reader.page.mouse.down()
    reader.page.mouse.move(third["x"] + 6, first["y"] + 12, steps=5)
    reader.page.mouse.up()
    assert len(reader.page.evaluate("getSelection().toString()")) > 3
    reader.page.mouse.move(20, 800)
    reader.page.wait_for_timeout(600)
    assert not reader.card.is_visible()


def test_a_card_goes_with_its_word_when_the_text_is_scrolled(reader: Reader) -> None:
    reader.show(" ".join([TWO] * 4))
    reader.word(2).click()
    before = reader.card.bounding_box()["y"]
    reader.text.evaluate("(text) => { text.scrollTop = 12; }")
    reader.page.wait_for_timeout(100)
    assert reader.card.bounding_box()["y"] == before - 12
    reader.text.evaluate("(text) => { text.scrollTop = 300; }")
    reader.card.wait_for(state="hidden")


# Keyboard


def test_arrow_keys_go_from_word_to_word_with_one_stop_of_tab(reader: Reader) -> None:
    words = words_of(reader.show(ONE)["sentences"][0])
    reader.word(0).focus()
    reader.page.keyboard.press("ArrowRight")
    reader.page.keyboard.press("ArrowRight")
    assert reader.focused == words[2]
    assert reader.text.locator("[tabindex='0'], [role='button']").all_text_contents() == [words[2]]
    reader.page.keyboard.press("ArrowDown")
    assert reader.page.evaluate("document.activeElement.dataset.word") not in ("0", "1", "2")
    reader.page.keyboard.press("ArrowUp")
    assert reader.page.evaluate("Number(document.activeElement.dataset.word)") <= 4
    reader.page.keyboard.press("End")
    assert reader.focused == words[-1]
    reader.page.keyboard.press("Home")
    assert reader.focused == words[0]
    reader.page.keyboard.press("Shift+Tab")
    assert reader.page.evaluate("document.activeElement === document.body")


def test_the_card_is_reached_and_left_by_keyboard(reader: Reader) -> None:
    (sentence,) = reader.show(ONE)["sentences"]
    words = words_of(sentence)
    said = f"{words[3]}: {percent(sentence['words'][3]['probability'])}, "
    reader.word(0).focus()
    for _ in range(3):
        reader.page.keyboard.press("ArrowRight")
    assert not reader.card.is_visible() and reader.focused == words[3]
    assert reader.word(3).get_attribute("aria-description").startswith(said)
    assert reader.note.inner_text().startswith(said)
    reader.wait_for_tint()
    reader.page.keyboard.press("Enter")
    reader.card.wait_for()
    assert reader.card.get_attribute("aria-label").startswith(said)
    assert reader.page.evaluate("document.activeElement.closest('[role=dialog]') !== null")
    reader.page.keyboard.press("Escape")
    reader.card.wait_for(state="hidden")
    assert reader.focused == words[3]
    reader.page.wait_for_timeout(400)
    assert not reader.card.is_visible()
    reader.word(3).click()
    reader.page.keyboard.press("ArrowRight")
    reader.wait_for(f"document.querySelector('.head strong').textContent === {json.dumps(words[4])}")
    for _ in range(6):  # the English, four buttons, and what is next in the page
        reader.page.keyboard.press("Tab")
    assert reader.focused == "after"
    reader.card.wait_for(state="hidden")


def percent(share: float) -> str:
    share *= 100
    return "< 0.1 %" if 0 < share < 0.1 else f"{share:.1f} %" if 0 < share < 10 else f"{int(share + 0.5)} %"


def test_an_english_word_leads_to_its_malay_by_keyboard(reader: Reader) -> None:
    reader.show(ONE)
    reader.english("The").focus()
    for _ in range(5):
        reader.page.keyboard.press("ArrowRight")
    assert reader.focused == "net"
    shares = [row.get("net", 0) for row in attended(reader)]
    reader.page.keyboard.press("Enter")
    reader.wait_for(f"document.activeElement.dataset.word === '{shares.index(max(shares))}'")
    assert reader.text.locator(".word:focus").count() == 1


# Doubt


def underlined(reader: Reader) -> list[str]:
    return reader.page.evaluate(
        """[...document.querySelectorAll(".text .word")]
            .filter((word) => getComputedStyle(word).textDecorationLine === "underline"
                && getComputedStyle(word).textDecorationStyle === "dotted")
            .map((word) => word.textContent)"""
    )


def marked(reader: Reader, marks: dict[int, list[str]], english: str = ONE) -> dict:
    """Shows a translation whose words of the first sentence have these marks, and no other word any."""
    given = reader.server.explained(english).to_json()
    for sentence in given["sentences"]:
        for word in sentence["words"]:
            word["marks"] = []
    for place, reasons in marks.items():
        given["sentences"][0]["words"][place]["marks"] = reasons
    reader.server.explanation = reader.server.explained(english)
    return reader.show_json(given)


def test_doubtful_words_are_underlined_with_dots_and_the_card_says_why(reader: Reader) -> None:
    given = marked(reader, {1: ["unlikely", "uncertain"], 3: ["cut"], 4: ["again"]})
    words = words_of(given["sentences"][0])
    assert underlined(reader) == [words[1], words[3]]
    reader.word(1).click()
    assert reader.card.locator(".reasons li").all_inner_texts() == [
        "The model held it less likely than not.",
        "Many other words seemed about as good.",
    ]
    for place, reason in ((3, "began to repeat itself"), (4, "was translated again")):
        reader.page.keyboard.press("Escape")
        reader.word(place).click()
        assert reason in reader.card.locator(".reasons").inner_text()
    reader.page.keyboard.press("Escape")
    reader.word(2).click()
    assert reader.card.locator(".reasons li").count() == 0


def test_a_copied_name_is_told_of_and_not_underlined_but_a_copied_word_is(reader: Reader) -> None:
    words = words_of(reader.server.explained(ONE).to_json()["sentences"][0])
    name = next(i for i, word in enumerate(words) if word[0].isupper())
    word = next(i for i, word in enumerate(words) if word[0].islower())
    marked(reader, {name: ["copied"], word: ["copied"]})
    assert underlined(reader) == [words[word]]
    reader.word(name).click()
    assert "It stands as it does in the English." in reader.card.inner_text()


def test_a_setting_is_remembered(reader: Reader) -> None:
    marked(reader, {1: ["unlikely"]})
    assert len(underlined(reader)) == 1
    reader.button("More").click()
    reader.page.get_by_label("Underline doubtful words").uncheck()
    reader.page.get_by_label("Keep the English in view").check()
    assert underlined(reader) == []
    reader.come_back()
    marked(reader, {1: ["unlikely"]})
    assert underlined(reader) == []
    reader.wait_for("getComputedStyle(document.querySelector('.mirror')).opacity === '1'")
    reader.button("More").click()
    assert not reader.page.get_by_label("Underline doubtful words").is_checked()


# Choosing


def choices(reader: Reader) -> list[str]:
    return reader.card.locator(".choice").all_inner_texts()


def test_alternatives_are_ranked_with_their_probabilities(reader: Reader) -> None:
    given = reader.show(ONE)
    sentence = given["sentences"][0]
    reader.word(1).click()
    (token, *_) = sentence["words"][1]["tokens"]
    ranked = sentence["tokens"][token]["alternatives"]
    assert len(choices(reader)) == len(ranked) == 8
    for (piece, _), choice in zip(ranked, choices(reader), strict=True):
        text = given["pieces"][str(piece)].strip()
        assert choice.lstrip("…").startswith(text) or choice in ("(end of the sentence)", "(space)"), (text, choice)
    shown = reader.card.locator(".choices .percent").all_inner_texts()
    assert shown == [percent(2.718281828**log_prob) for _, log_prob in ranked]
    assert reader.card.locator("[aria-current='true'] .choice").inner_text() == words_of(sentence)[1]


MADE_UP = """[m.choicesAt({
    pieces: { 1: "Ku", 2: "cing", 3: "Ka", 4: " tidur", 5: "[SEP]", 6: ".", 7: "da" },
    sentences: [{
      malay: "Kucing tidur", hypotheses: [{ malay: "Kambing tidur" }, { malay: "Kuda tidur" }],
      words: [{ span: [0, 6], tokens: [0, 1] }, { span: [7, 12], tokens: [2] }],
      tokens: [
        { id: 1, log_prob: -0.1, span: [0, 2], alternatives: [[1, -0.1], [3, -2], [5, -3]] },
        { id: 2, log_prob: -0.5, span: [2, 6], alternatives: [[2, -0.5], [7, -0.9]] },
        { id: 4, log_prob: -4, span: [6, 12], alternatives: [[6, -1], [5, -2]] },
      ],
    }],
  }, 0, ...it)][0].map(({ before, text, goesOn, ends, isSaid }) => [before + text.trim(), goesOn, ends, isSaid])"""


@pytest.mark.parametrize(
    ("word", "token", "choices"),
    [
        (0, 0, [["Kucing", False, False, True], ["Kambing", False, False, False]]),
        (0, 1, [["Kucing", False, False, True], ["Kuda", False, False, False]]),
        (1, 2, [[".", False, False, False], ["", False, True, False], ["tidur", False, False, True]]),
    ],
)
def test_a_piece_is_shown_as_the_word_that_it_is_known_to_begin(
    reader: Reader, word: int, token: int, choices: list
) -> None:
    assert reader.module("reading/choices", MADE_UP, [word, token]) == choices


def test_each_piece_of_a_word_has_its_own_alternatives(reader: Reader) -> None:
    given = reader.show("The fisherman's grandmother photographed seventeen hummingbirds.")
    sentence = given["sentences"][0]
    words = words_of(sentence)
    place = next(i for i, word in enumerate(sentence["words"]) if len(word["tokens"]) > 1 and words[i].isalpha())
    reader.word(place).click()
    pieces = reader.card.get_by_role("group", name="Pieces of the word").get_by_role("button")
    assert "".join(pieces.all_inner_texts()) == words[place]
    pieces.nth(1).click()
    assert pieces.nth(1).get_attribute("aria-pressed") == "true"
    before = pieces.first.inner_text()
    token = sentence["tokens"][sentence["words"][place]["tokens"][1]]
    assert len(choices(reader)) >= len(token["alternatives"]) > 1
    for (piece, _), choice in zip(token["alternatives"], choices(reader), strict=False):
        text = given["pieces"][str(piece)]
        assert choice.replace("…", "").startswith(before + text.rstrip()) or choice.endswith("(end of the sentence)")


def test_what_stood_hidden_offers_nothing_to_say_instead(reader: Reader) -> None:
    sentence = reader.show("Write to ali@example.com today.")["sentences"][0]
    assert "ali@example.com" not in sentence["read"] and "ali@example.com" in sentence["malay"]
    reader.text.locator(".word").get_by_text("ali@example.com").click()
    assert "It stands as it does in the English." in reader.card.inner_text()
    assert choices(reader) == []


def other_choice(given: dict, word: int) -> tuple[int, int, int]:
    """(token, id, its place among the choices) of the likeliest beginning of another word at this word's place"""
    sentence = given["sentences"][0]
    (token, *_) = sentence["words"][word]["tokens"]
    said, pieces = sentence["tokens"][token], given["pieces"]
    return next(
        (token, i, rank)
        for rank, (i, _) in enumerate(said["alternatives"])
        if i != said["id"] and pieces[str(i)].startswith(" ") and pieces[str(i)].strip().isalpha()
    )


def test_choosing_a_piece_changes_only_the_rest(reader: Reader) -> None:
    before = reader.show(TWO)
    reader.page.evaluate(
        """() => {
            window.kept = [...document.querySelectorAll(".text .word")].filter(
                ({ dataset }) => dataset.sentence !== "0" || dataset.word === "0");
            window.explained = [];
            document.addEventListener("explained", ({ detail }) => explained.push(detail.malay));
        }"""
    )
    token, wanted, rank = other_choice(before, 1)
    first = words_of(before["sentences"][0])[0]
    reader.word(1).click()
    reader.card.locator(".choices button").nth(rank).click()
    reader.wait_for("explained.length")
    assert ("choose", {"sentence": 0, "token": token, "id": wanted}) in reader.server.asked
    after = reader.server.explanation.malay
    assert after.startswith(first + before["pieces"][str(wanted)]) and after != before["malay"]
    assert reader.page.evaluate("explained") == [after]
    assert reader.text.text_content() == after
    assert reader.page.evaluate("kept.every((word) => word.isConnected)")
    fresh = reader.text.locator(".fresh")
    assert reader.word(1).text_content() in fresh.all_text_contents()
    assert fresh.evaluate_all("(all) => all.every(({ dataset }) => dataset.sentence === '0' && dataset.word !== '0')")
    assert not reader.card.is_visible() and reader.focused == reader.word(1).text_content()
    assert reader.page.locator(".heard").text_content() == f"Now: {reader.server.explanation.sentences[0].malay}"
    reader.button("Copy").click()
    assert reader.page.evaluate("navigator.clipboard.readText()") == after
    reader.wait_for("!document.querySelector('.fresh')")


def test_a_choice_that_cannot_be_made_is_told_in_the_card(reader: Reader) -> None:
    given = reader.show(ONE)
    late = len(given["sentences"][0]["words"]) - 2
    *_, rank = other_choice(given, late)
    reader.word(late).click()
    reader.server.explanation = reader.server.explained("Yes.")  # as if the server had forgotten
    reader.card.locator(".choices button").nth(rank).click()
    trouble = reader.card.get_by_role("alert")
    trouble.get_by_text("There is no token").wait_for()
    assert reader.card.is_visible()
    assert reader.text.text_content() == given["malay"]


HOLD_CHOICES = """() => {
    const answer = window.answer;
    window.answer = (kind, payload) => kind !== "choose" ? answer(kind, payload)
        : new Promise((resolve) => { window.finish = () => answer(kind, payload).then(resolve); });
}"""


@pytest.mark.parametrize("is_destroyed", [False, True])
def test_an_answer_to_a_text_that_is_gone_changes_nothing(reader: Reader, is_destroyed: bool) -> None:
    reader.page.evaluate(HOLD_CHOICES)
    reader.page.evaluate("document.addEventListener('explained', () => { throw new Error('of what is gone'); })")
    *_, rank = other_choice(reader.show(ONE), 1)
    reader.word(1).click()
    reader.card.locator(".choices button").nth(rank).click()
    gone = reader.server.explanation
    if is_destroyed:
        reader.page.evaluate(f"() => {{ view.destroy(); mount('en', {ANSWER}); }}")
    malay = reader.show("It rained.")["malay"]
    reader.server.explanation = gone
    reader.page.evaluate("finish()")
    reader.page.wait_for_timeout(200)
    assert reader.text.text_content() == malay


# Alternative translations


def with_another(given: dict, place: int, word: str) -> str:
    """The first sentence with another word there"""
    sentence = given["sentences"][0]
    start, stop = sentence["words"][place]["span"]
    return sentence["malay"][:start] + word + sentence["malay"][stop:]


def test_other_translations_are_shown_with_what_is_different_in_them(reader: Reader) -> None:
    given = reader.server.explained(ONE).to_json()
    sentence = given["sentences"][0]
    words = words_of(sentence)
    others = [with_another(given, 1, "kapal terbang"), with_another(given, 3, "bulan")]
    sentence["hypotheses"] = [{"malay": each, "score": -1, "log_prob": -9} for each in (sentence["malay"], *others)]
    reader.show_json(given)
    reader.button("Alternatives").click()
    shown, *rest = reader.card.locator("ol button").all()
    assert shown.inner_text().startswith(sentence["malay"])
    assert [item.locator("[lang='ms']").text_content() for item in rest] == others
    assert [item.locator("ins").all_text_contents() for item in rest] == [["kapal terbang"], ["bulan"]]
    titles = reader.card.locator("ins").evaluate_all("(all) => all.map(({ title }) => title)")
    assert titles == [f"instead of “{words[1]}”", f"instead of “{words[3]}”"]


def test_another_translation_can_be_chosen(reader: Reader) -> None:
    given = reader.server.explained(ONE).to_json()
    wanted = with_another(given, 2, "melihat")
    given["sentences"][0]["hypotheses"] = [{"malay": wanted, "score": -1, "log_prob": -9}]
    reader.server.explanation = reader.server.explained(ONE)
    reader.show_json(given)
    reader.button("Alternatives").click()
    reader.card.locator("ol button").filter(has_text=wanted).focus()
    reader.page.keyboard.press("Enter")
    reader.wait_for("document.querySelector('.fresh')")
    assert reader.focused == "melihat"
    (chosen,) = [payload for kind, payload in reader.server.asked if kind == "choose"]
    assert chosen["id"] == wanted[wanted.index("melihat") :], "only what follows the first difference is given"
    assert not reader.card.is_visible(), "nothing covers what has changed"
    assert reader.text.text_content() == wanted
    assert reader.text.locator(".fresh").all_text_contents() == ["melihat"]


def test_each_sentence_has_its_alternatives(reader: Reader) -> None:
    given = reader.show(TWO)
    reader.button("Alternatives").click()
    last = len(given["sentences"]) - 1
    for number, sentence in enumerate(given["sentences"]):
        assert f"Sentence {number + 1} of {last + 1}" in reader.card.inner_text()
        assert reader.card.locator("ol button").first.inner_text().startswith(sentence["malay"])
        assert reader.text.locator(".linked").text_content() == sentence["malay"]
        if number < last:
            reader.button("Next sentence").click()
    assert reader.button("Next sentence").is_disabled()
    reader.page.keyboard.press("Escape")
    assert reader.focused == "Alternatives"
    reader.button("Alternatives").click()
    reader.button("Alternatives").click()
    reader.card.wait_for(state="hidden")


# Copy, link, history


@pytest.mark.parametrize("english", [TWO, "😀 Hello 👋🏽, Dr. Lim!\n\n  Two  spaces. "])
def test_copy_gives_the_malay_to_the_letter(reader: Reader, english: str) -> None:
    malay = reader.show(english)["malay"]
    reader.button("Copy").click()
    reader.page.locator(".note").get_by_text("Copied").wait_for()
    assert reader.page.evaluate("navigator.clipboard.readText()") == malay


@pytest.mark.parametrize("language", ["en", "ms"])
def test_the_link_says_the_text_the_options_and_the_language(open_reader: Callable[..., Reader], language: str) -> None:
    reader = open_reader(language=language)
    options = {"num_beams": 1, "temperature": 0.8, "top_k": None}
    reader.show(TWO, options=options)
    reader.page.locator(".share").click()
    reader.wait_for("document.querySelector('.heard').textContent")
    link = reader.page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(reader.page.url.split("?")[0] + "?q=The+old+fisherman")
    read = {"text": TWO, "options": {"num_beams": 1, "temperature": 0.8}, "lang": "ms" if language == "ms" else None}
    assert reader.module("reading/link", "m.readLink(it)", link) == read


def test_where_copying_is_not_allowed_the_link_can_be_taken_by_hand(reader: Reader) -> None:
    reader.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    reader.show(ONE)
    reader.button("Share").click()
    field = reader.card.get_by_role("textbox")
    field.wait_for()
    assert "?q=The+old" in field.input_value()
    assert reader.page.evaluate("document.activeElement.selectionEnd") == len(field.input_value())
    reader.page.keyboard.press("Escape")
    reader.button("Copy").click()
    reader.page.locator(".note").get_by_text("select the text and press Ctrl + C").wait_for()


def test_past_translations_are_offered_again_until_they_are_forgotten(reader: Reader) -> None:
    reader.show(ONE)
    reader.show(TWO)
    reader.come_back()
    reader.button("More").click()
    entries = reader.card.locator(".past button")
    assert entries.locator("[lang='en']").all_text_contents() == [TWO, ONE]
    reader.page.evaluate("document.addEventListener('translate', ({ detail }) => { window.wanted = detail; })")
    entries.nth(1).click()
    assert reader.page.evaluate("wanted") == {"text": ONE} and not reader.card.is_visible()
    reader.button("More").click()
    reader.button("Forget them all").click()
    assert "None yet" in reader.card.inner_text()
    assert reader.page.evaluate("localStorage.getItem('malaygpt.history')") == "[]"


def test_the_history_has_bounds_and_survives_whatever_stands_in_storage(reader: Reader) -> None:
    fill = """(() => {
        for (let i = 0; i < it[0]; i++) m.remember(String(i), "x".repeat(it[1]));
        return m.pastTranslations().map(({ english }) => english);
    })()"""
    assert reader.module("reading/history", fill, [60, 10]) == [str(i) for i in range(59, 9, -1)]
    assert reader.module("reading/history", fill, [10, 60_000]) == ["9", "8", "7"]
    again = "(m.remember('8', 'new'), m.pastTranslations().map(({ malay }) => malay.length))"
    assert reader.module("reading/history", again) == [3, 60_000, 60_000]
    for broken in ("{", "7", '[{"english": 1}, null]', "null"):
        reader.page.evaluate("(text) => localStorage.setItem('malaygpt.history', text)", broken)
        assert reader.module("reading/history", "m.pastTranslations()") == []


def test_nothing_fails_where_nothing_can_be_stored(reader: Reader) -> None:
    reader.page.evaluate(
        "() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; }"
    )
    assert reader.show(ONE)["malay"] == reader.text.text_content()
    reader.button("More").click()
    reader.page.get_by_label("Underline doubtful words").uncheck()
    assert underlined(reader) == []


@pytest.mark.parametrize(
    ("query", "text", "options", "lang"),
    [
        ("", "", {}, None),
        ("?q=%20%0A&lang=ms", "", {}, "ms"),
        ("?q=Hi+%26+bye%0A%F0%9F%98%80&lang=fr#top", "Hi & bye\n😀", {}, None),
        ("?q=a&num_beams=8&length_penalty=0.6&lang=en", "a", {"num_beams": 8, "length_penalty": 0.6}, "en"),
        ("?q=a&temperature=1e-1&top_p=0.5&seed=7", "a",
         {"num_beams": 1, "temperature": 0.1, "top_p": 0.5, "seed": 7}, None),
        ("?q=a&temperature=0.8&num_beams=4&top_k=5", "a", {"num_beams": 4}, None),
        ("?q=a&top_p=0.5&top_k=3", "a", {}, None),
        ("?q=a&num_beams=99&temperature=0&seed=1.5&length_penalty=-1", "a", {}, None),
        ("?q=a&__proto__=1&constructor=2&view=api", "a", {}, None),
        ("?q=a&num_beams=0x2&temperature=Infinity&length_penalty=&seed=+7&no_repeat_ngram=two", "a", {}, None),
        ("?q=a&max_length=1&num_alternatives=8000", "a", {}, None),
        ("?q=" + "a" * 6000, "a" * 6000, {}, None),
    ],
)  # fmt: skip
def test_a_link_is_read_with_care(reader: Reader, query: str, text: str, options: dict, lang: str | None) -> None:
    read = reader.module("reading/link", "m.readLink(it)", f"https://example.org/page{query}")
    assert read == {"text": text, "options": options, "lang": lang}


def test_whatever_a_link_says_can_be_searched_with(reader: Reader) -> None:
    """Every mixture of fair and unfair values, through a link and back, makes SearchOptions."""
    values = {
        "num_beams": ("", "1", "4", "33"),
        "temperature": ("", "0.5", "0"),
        "top_k": ("", "5", "-1"),
        "top_p": ("", "0.9", "1.1"),
        "length_penalty": ("", "1e400", "0"),
        "seed": ("", "9007199254740991", "9007199254740993"),
    }
    links = [
        "https://example.org/?q=a" + "".join(f"&{name}={value}" for name, value in zip(values, each, strict=True))
        for each in product(*values.values())
    ]
    read = reader.module("reading/link", "it.map((link) => m.readLink(link))", links)
    for each in read:
        replace(BEAMS, **each["options"])
    again = "it.map(([page, given]) => m.readLink(m.makeLink(page, given)))"
    assert reader.module("reading/link", again, [["https://example.org/?old=1#top", each] for each in read]) == read
    assert {name for each in read for name in each["options"]} == set(values) <= set(SearchOptions.__annotations__)


# Files


def test_the_malay_is_saved_as_a_text_file(reader: Reader) -> None:
    malay = reader.show(TWO)["malay"]
    reader.button("More").click()
    name, text = reader.download("Save as text file")
    assert text == malay and "😀" in text and "\n" in text
    assert name == "-".join(words_of(reader.server.explained(TWO).to_json()["sentences"][0])[:6]) + ".txt"


def test_sentence_pairs_are_saved_a_line_each(reader: Reader) -> None:
    given = reader.show("It rained.\n\nThe children\tare playing\nin the park. https://example.com/a")
    reader.button("More").click()
    name, text = reader.download("Save with the English (TSV)")
    assert name.endswith(".tsv") and text.endswith("\n")
    pairs = [line.split("\t") for line in text.removesuffix("\n").split("\n")]
    assert all(len(pair) == 2 for pair in pairs)
    clean = str.maketrans("\t\n", "  ")
    for sentence in given["sentences"]:
        assert [sentence[side].translate(clean).strip() for side in ("english", "malay")] in pairs
    for side, name in enumerate(("english", "malay")):
        assert "".join("".join(pair[side] for pair in pairs).split()) == "".join(given[name].split()), "nothing is lost"


def test_there_is_nothing_to_save_before_there_is_a_translation(reader: Reader) -> None:
    reader.button("More").click()
    both = [reader.button(name) for name in ("Save as text file", "Save with the English (TSV)")]
    assert [button.is_disabled() for button in both] == [True, True]
    reader.page.keyboard.press("Escape")
    reader.page.evaluate("view.show({ text: '…!', done: true })")  # stopped: no explanation
    reader.button("More").click()
    assert [button.is_disabled() for button in both] == [False, True]
    assert reader.download("Save as text file") == ("translation.txt", "…!")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Satu/dua: tiga? empat lima enam tujuh", "Satu-dua-tiga-empat-lima-enam.txt"),
        ("../..\\con*", "con.txt"),
        ("😀 !?", "usual.txt"),
        ("a" * 300, "a" * 60 + ".txt"),
    ],
)
def test_a_file_has_a_name_that_any_disk_can_take(reader: Reader, text: str, name: str) -> None:
    assert reader.module("reading/saving", "m.fileName(it, 'usual', 'txt')", text) == name


# The pieces


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("a b c", "a b c", [["same", "a b c", ""]]),
        ("a b c", "a x y c", [["same", "a", ""], ["new", " x y", "b"], ["same", " c", ""]]),
        ("a b c", "a c", [["same", "a", ""], ["gone", " b", ""], ["same", " c", ""]]),
        ("a.", "a b.", [["same", "a", ""], ["new", " b", ""], ["same", ".", ""]]),
        ("a", "b ", [["new", "b", "a"], ["same", " ", ""]]),
        ("", "a", [["new", "a", ""]]),
        ("a", "", [["gone", "a", ""]]),
        ("kanak-kanak itu", "kanak itu", [["new", "kanak", "kanak-kanak"], ["same", " itu", ""]]),
    ],
)
def test_differences_are_told_word_by_word(reader: Reader, one: str, other: str, told: list) -> None:
    difference = "m.differences(...it).map(({ kind, text, instead }) => [kind, text, instead])"
    found = reader.module("differences", difference, [one, other])
    assert found == told
    assert "".join(text for kind, text, _ in found if kind != "gone") == other


# Looks

CONTRAST = """() => {
    const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const paint = (colors) => {
        brush.clearRect(0, 0, 1, 1);
        for (const color of colors) { brush.fillStyle = color; brush.fillRect(0, 0, 1, 1); }
        return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (rgb) => rgb.map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const cloths = (node) => node ? [...cloths(node.parentElement), getComputedStyle(node).backgroundColor] : ["#fff"];
    const leaves = [...document.querySelectorAll("#root *")].filter((node) => node.checkVisibility()
        && !node.disabled && !node.matches(".heard")
        && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
    return leaves.map((node) => {
        const cloth = cloths(node);
        const [dark, light] = [paint([...cloth, getComputedStyle(node).color]), paint(cloth)]
            .map(luminance).sort((a, b) => a - b);
        return [(light + 0.05) / (dark + 0.05), node.className || node.tagName, node.textContent];
    }).filter(([contrast]) => contrast < 4.5);
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_all_that_is_said_can_be_read(open_reader: Callable[..., Reader], dark: bool) -> None:
    reader = open_reader(dark=dark, motion="reduce")
    reader.show(TWO)
    assert reader.page.evaluate(CONTRAST) == []
    for word in (1, 3, 5):
        reader.word(word).click()
        reader.wait_for_tint()
        assert reader.page.evaluate(CONTRAST) == []
        reader.page.keyboard.press("Escape")
    reader.english("children").hover()
    reader.wait_for("document.querySelector('.text .tinted')")
    assert reader.page.evaluate(CONTRAST) == []
    for name in ("Alternatives", "More"):
        reader.button(name).click()
        assert reader.page.evaluate(CONTRAST) == []
    reader.page.keyboard.press("Escape")
    reader.button("Alternatives").click()
    reader.card.locator("ol button").nth(1).click()
    reader.wait_for("document.querySelector('.fresh')")
    assert reader.page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("size", [NARROW, (1600, 900)])
def test_nothing_overflows(open_reader: Callable[..., Reader], size: tuple[int, int]) -> None:
    reader = open_reader(size=size)
    reader.show(TWO + " " + "a" * 300)
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not reader.page.evaluate(wide)
    for open_ in (reader.word(2), reader.button("Alternatives"), reader.button("More")):
        open_.click()
        box = reader.card.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1]
        assert not reader.page.evaluate(wide)
        reader.page.keyboard.press("Escape")


def test_a_long_text_does_not_hang(reader: Reader) -> None:
    reader.show(" ".join([TWO] * 16))
    assert reader.text.locator(".word").count() > 350
    took = reader.page.evaluate(
        """() => {
            const words = [...document.querySelectorAll(".text .word")];
            const start = performance.now();
            for (const word of words.slice(0, 50)) {
                word.dispatchEvent(new PointerEvent("pointerover", { bubbles: true, pointerType: "mouse" }));
                document.body.offsetHeight;
            }
            return (performance.now() - start) / 50;
        }"""
    )
    assert took < 16


def test_it_speaks_malay(open_reader: Callable[..., Reader]) -> None:
    reader = open_reader(language="ms")
    reader.show(ONE)
    reader.page.get_by_role("group", name="Terjemahan Melayu").locator(".word").nth(3).click()
    assert "Ganti dengan" in reader.card.inner_text()
    assert reader.page.locator("#root").get_attribute("lang") == "ms"
    words = reader.page.evaluate(
        """async () => {
            const { ENGLISH, MALAY } = await import("/assets/page/see/reading.words.js");
            const shape = (words) => Object.entries(words).map(([name, value]) => [name,
                typeof value === "string" ? (value.match(/\\{\\w+\\}/g) ?? []).sort() : shape(value)]);
            return [shape(ENGLISH), shape(MALAY)];
        }"""
    )
    assert json.dumps(words[0]) == json.dumps(words[1]), "the same words, with the same {names} in them"


def test_reduced_motion_keeps_everything_still(open_reader: Callable[..., Reader]) -> None:
    reader = open_reader(motion="reduce")
    reader.show(ONE)
    reader.button("Alternatives").click()
    reader.card.locator("ol button").nth(1).click()
    reader.text.locator(".fresh").first.wait_for()
    assert reader.text.locator(".fresh").first.evaluate("(word) => getComputedStyle(word).animationName") == "none"
    assert reader.mirror.evaluate("(mirror) => getComputedStyle(mirror).transitionDuration") == "0s"


def listeners(reader: Reader) -> list[str]:
    """What root, the document and the window listen to, as the browser's own tools tell it"""
    session = reader.page.context.new_cdp_session(reader.page)
    found = []
    for name in ("document.getElementById('root')", "document", "window"):
        node = session.send("Runtime.evaluate", {"expression": name})["result"]["objectId"]
        told = session.send("DOMDebugger.getEventListeners", {"objectId": node})["listeners"]
        found += sorted(each["type"] for each in told)
    session.detach()
    return found


def test_destroyed_it_leaves_nothing(reader: Reader) -> None:
    mounted = listeners(reader)
    reader.stream("Kucing itu", [[" itu", 0.1]])
    reader.page.evaluate("view.destroy()")
    assert len(listeners(reader)) == len(mounted) - 6
    assert unsure(reader) == []
    reader.page.evaluate(f"mount('en', {ANSWER})")
    reader.show(ONE)
    reader.word(1).click()
    assert reader.card.is_visible()
    reader.page.evaluate("view.destroy()")
    assert len(listeners(reader)) == len(mounted) - 6
    root = "(root) => [root.childNodes.length, root.className, root.lang]"
    assert reader.page.locator("#root").evaluate(root) == [0, "", ""]
    reader.page.keyboard.press("Escape")
    reader.page.locator("#root").click()
    reader.page.wait_for_timeout(400)


def test_mounted_again_it_shows_the_same_in_the_other_language(reader: Reader) -> None:
    state = """() => [".text", ".mirror"].map((pane) =>
        [...document.querySelectorAll(`${pane} .word`)].map((word) => [word.textContent, word.className]))"""
    shown = reader.show(TWO) and reader.page.evaluate(state)
    mounted = listeners(reader)
    for language in ("ms", "en"):
        reader.page.evaluate(f"(language) => {{ view.destroy(); mount(language, {ANSWER}); }}", language)
        reader.show(TWO)
        assert reader.page.evaluate(state) == shown
        assert listeners(reader) == mounted
        names = {"ms": ["Pilihan lain", "Lagi", "Kongsi", "Salin"], "en": ["Alternatives", "More", "Share", "Copy"]}
        assert reader.page.locator(".tools button:enabled").all_text_contents() == names[language]
    reader.word(0).hover()
    reader.wait_for_tint()
    assert reader.server.asked == [("attention", {"sentence": 0})]
