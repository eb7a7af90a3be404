"""The Translate view, driven as a visitor would, with what the embedded checkpoint says of its translations."""

import functools
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Locator, Page

from malaygpt.explain import Explanation, attention_json
from malaygpt.translator import Translator

from ..running import ROOT

ONE = "The old fisherman mended his net while the children played on the beach."
TWO = f"{ONE} Dr. Aminah paid RM 45.90 at the café 😀 yesterday.\n\nIt rained."
WIDE, NARROW = (1280, 860), (360, 740)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The repository, served"""
    handler = functools.partial(Quiet, directory=ROOT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def embedded() -> Translator:
    return Translator.load(device="cpu")


@pytest.fixture(scope="module")
def explained(embedded: Translator) -> Callable[[str], Explanation]:
    return functools.cache(embedded.explain)


@dataclass
class Reader:
    """One reader before the view, and the server behind it."""

    page: Page
    translator: Translator
    explained: Callable[[str], Explanation]
    asked: list[tuple[str, dict]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    explanation: Explanation | None = None

    def answer(self, kind: str, payload: dict) -> dict:
        self.asked.append((kind, payload))
        try:
            return {"value": self._answer(kind, payload)}
        except ValueError as error:
            return {"error": str(error)}

    def _answer(self, kind: str, payload: dict) -> object:
        if kind == "attention":
            return attention_json(self.translator.attend(self.explanation.sentences[payload["sentence"]]))
        if kind == "choose":
            place = payload["sentence"], payload["token"], payload["id"]
            self.explanation = self.translator.choose(self.explanation, *place)
            return self.explanation.to_json()
        return None

    def show(self, english: str, **given: object) -> dict:
        """Shows the translation of a text as done; gives its Explanation as JSON."""
        self.explanation = self.explained(english)
        explanation = self.explanation.to_json()
        state = {"text": explanation["malay"], "done": True, "explanation": explanation, **given}
        self.page.evaluate("(state) => view.show(state)", state)
        return explanation

    def stream(self, text: str) -> None:
        self.page.evaluate("(text) => view.show({ text, done: false })", text)

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

    def word(self, text: str) -> Locator:
        return self.text.locator(".word").get_by_text(text, exact=True).first

    def english(self, text: str) -> Locator:
        return self.mirror.locator(".word").get_by_text(text, exact=True).first

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def wait_for(self, condition: str) -> None:
        self.page.wait_for_function(condition, timeout=10_000)

    @property
    def focused(self) -> str:
        return self.page.evaluate("document.activeElement.textContent")


@pytest.fixture
def open_reader(
    browser: Browser, address: str, embedded: Translator, explained: Callable[[str], Explanation]
) -> Iterator[Callable[..., Reader]]:
    """Opens the view in a fresh profile; nothing may go wrong in it unseen."""
    contexts, readers = [], []

    def open_(
        size: tuple[int, int] = WIDE, dark: bool = False, touch: bool = False, query: str = "", **options: object
    ) -> Reader:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            has_touch=touch,
            is_mobile=touch,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        reader = Reader(context.new_page(), embedded, explained)
        readers.append(reader)
        page = reader.page
        page.on("pageerror", lambda error: reader.troubles.append(str(error)))
        page.on("console", lambda said: said.type == "error" and reader.troubles.append(said.text))
        page.expose_function("answer", reader.answer)
        visit(page, f"{address}/tests/browser/see/harness_reading.html{query}", dark, options)
        return reader

    yield open_
    for context in contexts:
        context.close()
    assert [reader.troubles for reader in readers if reader.troubles] == []


def visit(page: Page, url: str, dark: bool = False, options: dict | None = None) -> None:
    page.goto(url)
    page.wait_for_function("window.isReady", timeout=10_000)
    page.evaluate("(dark) => document.documentElement.classList.toggle('dark', dark)", dark)
    page.evaluate("(options) => mount(options)", options or {})


@pytest.fixture
def reader(open_reader: Callable[..., Reader]) -> Reader:
    return open_reader()


# Streaming


def test_a_text_grows_in_place(reader: Reader) -> None:
    malay = reader.explained(TWO).malay
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
        const at = (node) => [...Object.values(node.getBoundingClientRect().toJSON())].map(Math.round);
        return [at(range), at(text), at(document.querySelector(".tools"))];
    }"""
    reader.stream(reader.explained(TWO).malay)
    streaming = reader.page.evaluate(where)
    reader.show(TWO)
    assert reader.page.evaluate(where) == streaming
    reader.word("jaringnya").click()
    reader.wait_for("document.querySelector('.mirror .tinted')")
    assert reader.page.evaluate(where) == streaming


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
    malay = reader.explained(ONE).malay
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
    assert reader.page.locator("#view img").count() == 0


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


# Pointing


def test_a_visitor_who_points_at_nothing_sees_only_the_malay(reader: Reader) -> None:
    reader.show(TWO)
    assert reader.mirror.evaluate("(mirror) => getComputedStyle(mirror).opacity") == "0"
    assert not reader.card.is_visible()
    assert reader.asked == []


def spans(sentence: dict) -> list[list[int] | None]:
    return [piece["span"] for piece in sentence["source"]]


def shares(reader: Reader, sentence: int) -> list[list[float]]:
    """For each Malay word, the attention that went to each English token: from the model itself"""
    told = reader.explanation.sentences[sentence]
    cross = reader.translator.attend(told).cross[-1].mean(0)
    return [cross[list(word.tokens)].mean(0).tolist() for word in told.words]


def test_a_word_is_linked_to_the_english_that_it_attended_to(reader: Reader) -> None:
    given = reader.show(TWO)
    sentence = given["sentences"][0]
    number = [sentence["malay"][slice(*word["span"])] for word in sentence["words"]].index("jaringnya")
    start = sentence["english"].index("net")
    is_net = [span is not None and span[0] < start + 3 and span[1] > start for span in spans(sentence)]
    net = sum(weight for weight, counts in zip(shares(reader, 0)[number], is_net, strict=True) if counts)
    assert net > 0.3
    reader.word("jaringnya").hover()
    reader.card.wait_for()
    assert f"net {round(100 * net)} %" in reader.card.inner_text()
    strongest = "[...document.querySelectorAll('.mirror .tinted')].map((word) => word.textContent)"
    assert "net" in reader.page.evaluate(strongest)
    accent = reader.text.locator(".pointed").evaluate("(word) => getComputedStyle(word).backgroundColor")
    assert reader.english("net").evaluate("(word) => getComputedStyle(word).backgroundColor") == accent
    reader.page.wait_for_function("getComputedStyle(document.querySelector('.mirror')).opacity === '1'")


def test_an_english_word_is_linked_to_the_malay_that_attended_to_it(reader: Reader) -> None:
    reader.show(TWO)
    reader.english("net").hover()
    reader.wait_for("document.querySelector('.text .tinted')")
    assert "jaringnya" in reader.text.locator(".tinted").all_text_contents()
    assert reader.note.inner_text().startswith("net → jaringnya ")
    assert not reader.card.is_visible()
    reader.page.mouse.move(1270, 850)
    reader.wait_for("!document.querySelector('.tinted')")


def test_attention_is_asked_for_once_a_sentence_and_not_at_all_when_given(reader: Reader) -> None:
    reader.show(TWO)
    for word in ("jaringnya", "pantai", "membayar"):
        reader.word(word).hover()
        reader.wait_for("document.querySelector('.mirror .tinted')")
        reader.page.mouse.move(20, 800)
        reader.wait_for("!document.querySelector('.tinted, :popover-open')")
    assert reader.asked == [("attention", {"sentence": 0}), ("attention", {"sentence": 1})]
    reader.asked.clear()
    maps = [attention_json(reader.translator.attend(sentence)) for sentence in reader.explanation.sentences]
    reader.show(TWO, attention=maps)
    reader.word("kafé").hover()
    reader.wait_for("document.querySelector('.mirror .tinted')")
    assert reader.asked == []


def test_without_attention_nothing_is_highlighted_and_the_card_still_tells(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("Too busy.")

    monkeypatch.setattr(reader.translator, "attend", fail, raising=True)
    reader.show(ONE)
    reader.word("jaringnya").click()
    reader.card.get_by_text("Say instead").wait_for()
    reader.wait_for("document.querySelector('.sources').hidden")
    assert reader.page.locator(".tinted").count() == 0


def test_sentences_are_linked_where_there_are_many(reader: Reader) -> None:
    reader.show(TWO)
    reader.word("turun").hover()
    linked = [pane.locator(".linked").text_content() for pane in (reader.text, reader.mirror)]
    assert linked == ["Hujan turun.", "It rained."]
    reader.page.mouse.move(20, 800)
    reader.wait_for("!document.querySelector('.linked')")
    reader.english("paid").hover()
    linked = [pane.locator(".linked").text_content() for pane in (reader.text, reader.mirror)]
    assert linked == ["Dr. Aminah membayar RM45.90 di kafé 😀 semalam.", TWO.split("beach. ")[1].split("\n")[0]]


def test_the_english_of_a_word_is_scrolled_into_view(reader: Reader) -> None:
    reader.show(" ".join([ONE] * 4) + " It rained.")
    reader.word("turun").hover()
    reader.wait_for("document.querySelector('.mirror').scrollTop > 0")
    mirror, word = reader.mirror.bounding_box(), reader.english("rained").bounding_box()
    assert mirror["y"] <= word["y"] and word["y"] + word["height"] <= mirror["y"] + mirror["height"]


def test_the_english_word_is_scrolled_into_view_within_a_long_sentence(open_reader: Callable[..., Reader]) -> None:
    reader = open_reader(NARROW)
    reader.show(f"{ONE[:-1]} and the women of the village cooked rice, fish and vegetables for the evening.")
    reader.text.locator(".word").nth(-2).hover()
    reader.wait_for("document.querySelector('.mirror').scrollTop > 0")
    mirror, word = reader.mirror.bounding_box(), reader.english("evening").bounding_box()
    assert word["y"] + word["height"] <= mirror["y"] + mirror["height"]


def test_the_card_stays_while_the_mouse_goes_into_it_and_goes_when_it_leaves(reader: Reader) -> None:
    reader.show(ONE)
    reader.word("jaringnya").hover()
    reader.card.wait_for()
    reader.card.hover()
    reader.page.wait_for_timeout(600)
    assert reader.card.is_visible()
    reader.page.mouse.move(20, 800)
    reader.card.wait_for(state="hidden")


def test_a_card_that_a_mouse_opened_closes_with_escape_wherever_the_focus_is(reader: Reader) -> None:
    reader.show(ONE)
    reader.page.locator("#after").focus()
    reader.word("jaringnya").hover()
    reader.card.wait_for()
    reader.page.keyboard.press("Escape")
    reader.card.wait_for(state="hidden")
    assert reader.focused == "after"
    reader.word("jaringnya").click()
    reader.page.keyboard.press("Escape")
    reader.word("lama").hover()
    reader.card.get_by_text("lama").first.wait_for()


def test_a_finger_opens_a_card_and_closes_it_beside(open_reader: Callable[..., Reader]) -> None:
    reader = open_reader(NARROW, touch=True)
    reader.show(ONE)
    reader.word("jaringnya").tap()
    reader.card.wait_for()
    box = reader.card.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["y"] + box["height"] <= 740
    sizes = [button.bounding_box()["height"] for button in reader.page.locator(".tools button, .closer").all()]
    assert min(sizes) >= 44
    reader.text.tap(position={"x": 300, "y": 3})
    reader.card.wait_for(state="hidden")
    reader.word("jaringnya").tap()
    reader.card.wait_for()
    reader.page.touchscreen.tap(100, 60)  # outside of the view
    reader.card.wait_for(state="hidden")


def test_marking_text_opens_nothing(reader: Reader) -> None:
    reader.show(ONE)
    box = reader.word("mendorong").bounding_box()
    reader.page.mouse.move(box["x"] + 12, box["y"] + 12)
    reader.page.mouse.down()
    reader.page.mouse.move(box["x"] + box["width"] - 6, box["y"] + 12, steps=5)
    reader.page.mouse.up()
    assert len(reader.page.evaluate("getSelection().toString()")) > 3
    reader.page.mouse.move(20, 800)
    reader.page.wait_for_timeout(600)
    assert not reader.card.is_visible()


def test_a_card_goes_with_its_word_when_the_text_is_scrolled(reader: Reader) -> None:
    reader.show(" ".join([TWO] * 4))
    reader.word("jaringnya").click()
    before = reader.card.bounding_box()["y"]
    reader.text.evaluate("(text) => { text.scrollTop = 12; }")
    reader.page.wait_for_timeout(100)
    assert reader.card.bounding_box()["y"] == before - 12
    reader.text.evaluate("(text) => { text.scrollTop = 300; }")
    reader.card.wait_for(state="hidden")


# Keyboard


def test_arrow_keys_go_from_word_to_word_with_one_stop_of_tab(reader: Reader) -> None:
    reader.show(ONE)
    reader.word("Fisherman").focus()
    reader.page.keyboard.press("ArrowRight")
    reader.page.keyboard.press("ArrowRight")
    assert reader.focused == "mendorong"
    assert reader.text.locator("[tabindex='0'], [role='button']").all_text_contents() == ["mendorong"]
    reader.page.keyboard.press("ArrowDown")
    reader.page.keyboard.press("ArrowUp")
    assert reader.focused == "mendorong"
    reader.page.keyboard.press("End")
    assert reader.focused == "."
    reader.page.keyboard.press("Home")
    assert reader.focused == "Fisherman"
    reader.page.keyboard.press("Shift+Tab")
    assert reader.page.evaluate("document.activeElement === document.body")


def test_the_card_is_reached_and_left_by_keyboard(reader: Reader) -> None:
    reader.show(ONE)
    reader.word("Fisherman").focus()
    for _ in range(3):
        reader.page.keyboard.press("ArrowRight")
    reader.card.wait_for()
    assert reader.card.get_attribute("aria-label") == "jaringnya: 15 %, a guess"
    assert reader.focused == "jaringnya", "arrows only show the card"
    reader.page.keyboard.press("Enter")
    assert reader.page.evaluate("document.activeElement.closest('[role=dialog]') !== null")
    reader.page.keyboard.press("Escape")
    reader.card.wait_for(state="hidden")
    assert reader.focused == "jaringnya"
    reader.page.wait_for_timeout(400)
    assert not reader.card.is_visible()
    reader.page.keyboard.press("ArrowRight")
    reader.card.wait_for()
    for _ in range(6):  # the English, four buttons, and what is next in the page
        reader.page.keyboard.press("Tab")
    assert reader.focused == "after"
    reader.card.wait_for(state="hidden")


def test_an_english_word_leads_to_its_malay_by_keyboard(reader: Reader) -> None:
    reader.show(ONE)
    reader.english("The").focus()
    for _ in range(5):
        reader.page.keyboard.press("ArrowRight")
    assert reader.focused == "net"
    reader.page.keyboard.press("Enter")
    reader.wait_for("document.activeElement.textContent === 'jaringnya'")


# Doubt


def underlined(reader: Reader) -> list[str]:
    return reader.page.evaluate(
        """[...document.querySelectorAll(".text .word")]
            .filter((word) => getComputedStyle(word).textDecorationLine === "underline"
                && getComputedStyle(word).textDecorationStyle === "dotted")
            .map((word) => word.textContent)"""
    )


def test_doubtful_words_are_underlined_with_dots_and_the_card_says_why(reader: Reader) -> None:
    (sentence,) = reader.show(ONE)["sentences"]
    doubtful = [sentence["malay"][slice(*word["span"])] for word in sentence["words"] if word["marks"]]
    assert underlined(reader) == doubtful and 0 < len(doubtful) < len(sentence["words"])
    reader.word("jaringnya").click()
    assert reader.card.locator(".reasons").inner_text().split("\n") == [
        "The model held it less likely than not.",
        "Many other words seemed about as good.",
    ]
    reader.word("pantai").focus()
    reader.page.keyboard.press("Escape")
    reader.word("pantai").click()
    assert reader.card.locator(".reasons li").count() == 0


def test_a_copied_name_is_told_of_and_not_underlined_but_a_copied_word_is(reader: Reader) -> None:
    given = reader.show(TWO)
    assert given["sentences"][2]["words"][0]["marks"] == ["uncertain"] and "Hujan" in underlined(reader)
    assert "Aminah" not in underlined(reader)
    reader.word("Aminah").click()
    assert "It stands as it does in the English." in reader.card.inner_text()
    word = given["sentences"][2]["words"][1]
    assert word["marks"] == [] and "turun" not in underlined(reader)
    word["marks"] = ["copied"]
    reader.page.evaluate("(explanation) => view.show({ text: explanation.malay, done: true, explanation })", given)
    assert "turun" in underlined(reader)


@pytest.mark.parametrize(("mark", "reason"), [("cut", "began to repeat itself"), ("again", "was translated again")])
def test_every_reason_is_told_in_plain_words(reader: Reader, mark: str, reason: str) -> None:
    given = reader.show(ONE)
    given["sentences"][0]["words"][9]["marks"] = [mark]
    reader.page.evaluate("(explanation) => view.show({ text: explanation.malay, done: true, explanation })", given)
    reader.word("pantai").click()
    assert reason in reader.card.inner_text()


def test_a_setting_is_remembered(reader: Reader) -> None:
    reader.show(ONE)
    reader.button("More").click()
    reader.page.get_by_label("Underline doubtful words").uncheck()
    reader.page.get_by_label("Keep the English in view").check()
    assert underlined(reader) == []
    visit(reader.page, reader.page.url)
    reader.show(ONE)
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
    reader.word("jaringnya").click()
    (token, *_) = sentence["words"][3]["tokens"]
    ranked = sentence["tokens"][token]["alternatives"]
    assert len(choices(reader)) == len(ranked) == 8
    for (piece, _), choice in zip(ranked, choices(reader), strict=True):
        text = given["pieces"][str(piece)].strip()
        assert choice == f"{text}…" or any(f" {choice}" in each["malay"] for each in sentence["hypotheses"]), choice
    shown = [float(text.split()[-2]) for text in reader.card.locator(".choices .percent").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    assert reader.card.locator("[aria-current='true']").inner_text().startswith("jaringnya")


def test_a_beginning_is_shown_as_it_is_and_a_known_word_whole(reader: Reader) -> None:
    sentence = reader.show(ONE)["sentences"][0]
    assert any("manakala" in each["malay"] for each in sentence["hypotheses"])
    reader.word("ketika").click()
    assert "manakala" in choices(reader)
    assert any(choice.endswith("…") for choice in choices(reader))


def test_each_piece_of_a_word_has_its_own_alternatives(reader: Reader) -> None:
    given = reader.show(ONE)
    reader.word("mendorong").click()
    pieces = reader.card.get_by_role("group", name="Pieces of the word").get_by_role("button")
    assert "".join(pieces.all_inner_texts()) == "mendorong"
    pieces.nth(1).click()
    assert pieces.nth(1).get_attribute("aria-pressed") == "true"
    token = given["sentences"][0]["words"][2]["tokens"][1]
    first, second = [given["pieces"][str(i)] for i, _ in given["sentences"][0]["tokens"][token]["alternatives"][:2]]
    assert choices(reader)[0] == f"mend{first}" and choices(reader)[1].startswith(f"mend{second}")


def test_what_stood_hidden_offers_nothing_to_say_instead(reader: Reader) -> None:
    sentence = reader.show("Write to ali@example.com today.")["sentences"][0]
    assert "ali@example.com" not in sentence["read"] and "ali@example.com" in sentence["malay"]
    reader.word("ali@example.com").click()
    assert "It stands as it does in the English." in reader.card.inner_text()
    assert choices(reader) == []


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
    token = before["sentences"][0]["words"][1]["tokens"][0]
    wanted = next(
        i for i, _ in before["sentences"][0]["tokens"][token]["alternatives"] if before["pieces"][str(i)] == " yang"
    )
    reader.word("lama").click()
    reader.card.get_by_role("button").filter(has_text="yang").click()
    reader.wait_for("explained.length")
    assert ("choose", {"sentence": 0, "token": token, "id": wanted}) in reader.asked
    after = reader.explanation.malay
    assert after.startswith("Fisherman yang ") and after != before["malay"]
    assert reader.page.evaluate("explained") == [after]
    assert reader.text.text_content() == after
    assert reader.page.evaluate("kept.every((word) => word.isConnected)")
    fresh = reader.text.locator(".fresh").all_text_contents()
    assert "yang" in fresh and "Fisherman" not in fresh and "turun" not in fresh
    assert not reader.card.is_visible() and reader.focused == "yang"
    assert reader.page.locator(".heard").text_content() == f"Now: {reader.explanation.sentences[0].malay}"
    reader.button("Copy").click()
    assert reader.page.evaluate("navigator.clipboard.readText()") == after
    reader.wait_for("!document.querySelector('.fresh')")


def test_a_choice_that_cannot_be_made_is_told_in_the_card(reader: Reader) -> None:
    reader.show(ONE)
    reader.word("lama").click()
    reader.explanation = reader.explained("Yes.")  # as if the server had forgotten
    reader.card.locator(".choices button").nth(2).click()
    trouble = reader.card.get_by_role("alert")
    trouble.get_by_text("There is no token").wait_for()
    assert reader.card.is_visible()
    assert reader.text.text_content() == reader.explained(ONE).malay


def test_an_answer_to_a_text_that_is_gone_changes_nothing(reader: Reader) -> None:
    reader.page.evaluate(
        """() => {
            const answer = window.answer;
            window.answer = (kind, payload) => kind !== "choose" ? answer(kind, payload)
                : new Promise((resolve) => { window.finish = () => answer(kind, payload).then(resolve); });
        }"""
    )
    reader.show(ONE)
    reader.word("lama").click()
    reader.card.locator(".choices button").nth(2).click()
    gone = reader.explanation
    malay = reader.show("It rained.")["malay"]
    reader.explanation = gone
    reader.page.evaluate("finish()")
    reader.page.wait_for_timeout(200)
    assert reader.text.text_content() == malay


# Alternative translations


def test_other_translations_are_shown_with_what_is_different_in_them(reader: Reader) -> None:
    sentence = reader.show(ONE)["sentences"][0]
    reader.button("Alternatives").click()
    items = reader.card.locator("ol button")
    shown, *others = items.all()
    assert shown.inner_text().startswith(sentence["malay"])
    texts = [item.locator("[lang='ms']").text_content() for item in others]
    assert texts == [each["malay"] for each in sentence["hypotheses"] if each["malay"] != sentence["malay"]]
    assert len(texts) == 3
    titles = reader.card.locator("ins").evaluate_all("(all) => all.map(({ title }) => title)")
    for item, text in zip(others, texts, strict=True):
        new = " ".join(item.locator("ins").all_text_contents()).split()
        told = item.evaluate(
            "(item) => [...item.querySelectorAll('ins')].map((node) => node.remove()) && item.textContent"
        )
        words = iter(sentence["malay"].removesuffix(".").split())
        assert new and all(word in words for word in told.removesuffix(".").split()), "the rest stands in what is shown"
        assert sorted([*new, *told.removesuffix(".").split()]) == sorted(text.removesuffix(".").split())
    assert "instead of “ketika”" in titles


def test_another_translation_can_be_chosen(reader: Reader) -> None:
    sentence = reader.show(ONE)["sentences"][0]
    (wanted,) = [
        each["malay"] for each in sentence["hypotheses"] if "manakala" in each["malay"] and "lama" in each["malay"]
    ]
    reader.button("Alternatives").click()
    reader.card.locator("ol button").filter(has_text=wanted).focus()
    reader.page.keyboard.press("Enter")
    reader.wait_for("document.querySelector('.fresh')")
    assert reader.focused == "manakala"
    (chosen,) = [payload for kind, payload in reader.asked if kind == "choose"]
    assert chosen["id"] == wanted[wanted.index("manakala") :], "only what follows the first difference is given"
    assert not reader.card.is_visible(), "nothing covers what has changed"
    assert reader.text.text_content() == wanted
    assert reader.text.locator(".fresh").all_text_contents() == ["manakala"]


def test_each_sentence_has_its_alternatives(reader: Reader) -> None:
    given = reader.show(TWO)
    reader.button("Alternatives").click()
    for number, sentence in enumerate(given["sentences"]):
        assert f"Sentence {number + 1} of 3" in reader.card.inner_text()
        assert reader.card.locator("ol button").first.inner_text().startswith(sentence["malay"])
        assert reader.text.locator(".linked").text_content() == sentence["malay"]
        if number < 2:
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


def test_the_link_says_the_text_and_the_options(reader: Reader) -> None:
    options = {"num_beams": 1, "temperature": 0.8}
    reader.show(TWO, options=options)
    reader.button("Share").click()
    reader.page.locator(".note").get_by_text("Link copied").wait_for()
    link = reader.page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(reader.page.url + "?q=The+old+fisherman")
    assert in_module(reader, "link", "(m, link) => m.readLink(link)", link) == {"english": TWO, "options": options}


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
    visit(reader.page, reader.page.url)
    reader.button("More").click()
    entries = reader.card.locator(".past button")
    assert entries.locator("[lang='en']").all_text_contents() == [TWO, ONE]
    entries.nth(1).click()
    assert reader.asked == [("translate", {"text": ONE})]
    reader.button("More").click()
    reader.button("Forget them all").click()
    assert "None yet" in reader.card.inner_text()
    assert reader.page.evaluate("localStorage.getItem('malaygpt.history')") == "[]"


def in_module(reader: Reader, name: str, function: str, given: object = None) -> object:
    """What a function of (module, given) gives"""
    load = f"async (given) => ({function})(await import('/assets/page/see/reading/{name}.js'), given)"
    return reader.page.evaluate(load, given)


def test_the_history_has_bounds_and_survives_whatever_stands_in_storage(reader: Reader) -> None:
    fill = """(m, [count, length]) => {
        for (let i = 0; i < count; i++) m.remember(String(i), "x".repeat(length));
        return m.pastTranslations().map(({ english }) => english);
    }"""
    assert in_module(reader, "history", fill, [60, 10]) == [str(i) for i in range(59, 9, -1)]
    assert in_module(reader, "history", fill, [10, 60_000]) == ["9", "8", "7"]
    again = "(m) => { m.remember('8', 'new'); return m.pastTranslations().map(({ malay }) => malay.length); }"
    assert in_module(reader, "history", again) == [3, 60_000, 60_000]
    for broken in ("{", "7", '[{"english": 1}, null]', "null"):
        reader.page.evaluate("(text) => localStorage.setItem('malaygpt.history', text)", broken)
        assert in_module(reader, "history", "(m) => m.pastTranslations()") == []


def test_nothing_fails_where_nothing_can_be_stored(reader: Reader) -> None:
    reader.page.evaluate(
        "() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; }"
    )
    assert reader.show(ONE)["malay"] == reader.text.text_content()
    reader.button("More").click()
    reader.page.get_by_label("Underline doubtful words").uncheck()
    assert underlined(reader) == []


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("", None),
        ("?q=", None),
        ("?q=%20%0A", None),
        ("?q=Hi+%26+bye%0A%F0%9F%98%80#top", {"english": "Hi & bye\n😀", "options": {}}),
        ("?q=a&num_beams=4&top_p=0.5&seed=7", {"english": "a", "options": {"num_beams": 4, "top_p": 0.5, "seed": 7}}),
        ("?q=a&num_beams=99&temperature=0&top_k=1.5&top_p=x&length_penalty=&__proto__=1&constructor=2&view=api",
         {"english": "a", "options": {}}),
    ],
)  # fmt: skip
def test_a_link_is_read_with_care(reader: Reader, query: str, read: dict | None) -> None:
    assert in_module(reader, "link", "(m, link) => m.readLink(link)", f"https://example.org/page{query}") == read


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
    difference = (
        "(m, [one, other]) => m.differences(one, other).map(({ kind, text, instead }) => [kind, text, instead])"
    )
    found = in_module(reader, "differences", difference, [one, other])
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
    const leaves = [...document.querySelectorAll("#view *")].filter((node) => node.checkVisibility()
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
    reader = open_reader(dark=dark, reducedMotion=True)
    reader.show(TWO)
    assert reader.page.evaluate(CONTRAST) == []
    for word in ("jaringnya", "ketika", "bermain"):
        reader.word(word).focus()
        reader.page.keyboard.press("Escape")
        reader.word(word).click()
        reader.wait_for("document.querySelector('.mirror .tinted')")
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
    reader = open_reader(size)
    reader.show(TWO + " " + "a" * 300)
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not reader.page.evaluate(wide)
    for open_ in (reader.word("jaringnya"), reader.button("Alternatives"), reader.button("More")):
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
    reader = open_reader(language="malay")
    reader.show(ONE)
    reader.page.get_by_role("group", name="Terjemahan Melayu").locator(".word").nth(3).click()
    assert "sekadar tekaan" in reader.card.inner_text()
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
    reader = open_reader(reducedMotion=True)
    reader.show(ONE)
    reader.button("Alternatives").click()
    reader.card.locator("ol button").nth(1).click()
    reader.text.locator(".fresh").first.wait_for()
    assert reader.text.locator(".fresh").first.evaluate("(word) => getComputedStyle(word).animationName") == "none"
    assert reader.mirror.evaluate("(mirror) => getComputedStyle(mirror).transitionDuration") == "0s"


def test_destroyed_it_leaves_nothing(reader: Reader) -> None:
    reader.show(ONE)
    reader.word("lama").click()
    reader.page.evaluate("view.destroy()")
    assert reader.page.locator("#view").evaluate("(root) => [root.childNodes.length, root.className]") == [0, ""]
    reader.page.keyboard.press("Escape")
    reader.page.locator("#view").click()
    reader.page.wait_for_timeout(400)
