"""The Break it view, driven as a visitor would, with what the embedded checkpoint says whole and broken."""

import functools
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from malaygpt.broken import PARTS, Breakage
from malaygpt.checkpoint import load_checkpoint
from malaygpt.comparing import compare, parts_json
from malaygpt.hub import EMBEDDED

from . import viewing
from .viewing import NARROW, WIDE

SENTENCE = "The dog bit the man who had fed the cat."
OTHER = "Where is the nearest train station?"
SIDES = ("whole", "broken")
MASKS = ["no_causal_mask", "inverted_causal_mask"]
# What is asked goes to the server, unless a test answers itself.
ANSWER = "(kind, payload) => (window.reply ?? window.serve)(kind, payload)"
# A test answers when it likes: answers[text] is {resolve, reject} of each request
HELD = """() => {
  window.answers = {};
  window.reply = (kind, payload) => kind === "parts" ? serve(kind, payload) : new Promise((resolve, reject) => {
    answers[payload.text] = { resolve: () => serve(kind, payload).then(resolve), reject };
  });
}"""
# Colours of the cells whose middles are at these places of a canvas
COLOURS = """(canvas, places) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return places.map((row) => row.map(([x, y]) => {
    const at = 4 * (Math.round(y) * canvas.width + Math.round(x));
    return [...data.slice(at, at + 3)];
  }));
}"""


class Server:
    """What the page's server answers, with the embedded checkpoint"""

    def __init__(self) -> None:
        self.model, self.tokenizer = load_checkpoint(EMBEDDED)

    def __call__(self, kind: str, payload: dict) -> dict:
        if kind == "parts":
            return parts_json(self.model.config)
        return self.compared(payload["text"], *payload["breakages"])

    @functools.cache  # noqa: B019
    def compared(self, text: str, *breakages: str) -> dict:
        return compare(self.model, self.tokenizer, text, [Breakage.parse(each) for each in breakages]).to_json()


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


@dataclass(frozen=True)
class Reader(viewing.Reader):
    """One reader before the view."""

    def show(self, *texts: str, wait: bool = True) -> "Reader":
        """Shows an explanation of these sentences, of which the first is to be compared."""
        explanation = {"sentences": [{"english": text} for text in texts]}
        self.page.evaluate("(explanation) => view.show({ explanation, sentence: 0 })", explanation)
        return self.settle() if wait else self

    def settle(self) -> "Reader":
        """Waits for the answer."""
        self.page.wait_for_function("document.querySelector('.breakit .status').textContent === ''")
        return self

    def switch(self, key: str) -> Locator:
        return self.page.locator(f".switch input[name={key}]")

    def turn(self, key: str) -> "Reader":
        self.switch(key).click()
        return self.settle()

    def only(self, key: str) -> "Reader":
        """With this broken and nothing else"""
        self.page.get_by_role("button", name="Mend everything").click()
        return self.settle().turn(key)

    @property
    def on(self) -> list[str]:
        return self.page.locator(".switch input:checked").evaluate_all("(all) => all.map(({ name }) => name)")

    @property
    def asked(self) -> list[list[str]]:
        """The breakages of each comparison that was asked for"""
        return self.page.evaluate("asked.flatMap(([kind, { breakages }]) => (kind === 'break' ? [breakages] : []))")

    def tokens(self, side: str) -> Locator:
        return self.page.locator(f".side.{side} .malay [role=listbox] .token")

    def marked(self, side: str) -> list[bool]:
        return self.tokens(side).evaluate_all("(all) => all.map((each) => each.matches('.new'))")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def choose(self, legend: str, label: str) -> None:
        group = self.page.locator(".pair").get_by_role("group", name=legend)
        group.get_by_role("radio", name=label, exact=True).check()

    def map(self, side: str) -> Locator:
        return self.page.locator(f".map-of.{side} canvas.map")

    def labels(self, side: str) -> tuple[list[dict], list[dict]]:
        """Of the map's rows and columns, as drawn from top and from left"""
        labels = self.map(side).evaluate("(canvas) => canvas.labels")
        rows = sorted((each for each in labels if not each["turned"]), key=lambda each: each["y"])
        return rows, sorted((each for each in labels if each["turned"]), key=lambda each: each["x"])

    def colours(self, side: str) -> np.ndarray:
        """Of the map's cells, (N, M, RGB)"""
        rows, columns = self.labels(side)
        return np.array(self.map(side).evaluate(COLOURS, [[[c["x"], r["y"]] for c in columns] for r in rows]))

    def point_at(self, side: str, row: int, column: int) -> None:
        rows, columns = self.labels(side)
        self.map(side).hover(position={"x": columns[column]["x"], "y": rows[row]["y"]})


@pytest.fixture
def visit(browser: Browser, address: str, server: Server) -> Iterator[Callable[..., Reader]]:
    """Opens the view, with the server behind it."""
    with viewing.visits(browser, address, "breakit", Reader) as open_page:

        def open_served(**how: Any) -> Reader:
            reader = open_page(answer=ANSWER, **how)
            reader.page.expose_function("serve", server)
            return reader

        yield open_served


@pytest.fixture
def reader(visit: Callable[..., Reader]) -> Reader:
    return visit().show(SENTENCE)


def pieces(side: dict, which: str = "tokens") -> list[str]:
    return [side["pieces"][str(token["id"])] for token in side["sentence"][which]]


def visible(texts: list[str]) -> list[str]:
    return [text.replace(" ", "·") for text in texts]


def words(side: dict) -> list[str]:
    return [side["malay"][slice(*word["span"])] for word in side["sentence"]["words"]]


def weights(side: dict, kind: str) -> np.ndarray:
    """(L, H, N, M)"""
    packed = side["attention"][kind]
    shares = np.frombuffer(b64decode(packed["data"]), np.uint8).reshape(packed["shape"]) / 255
    lowest, highest = np.moveaxis(np.array(packed.get("scale", [[[0, 1]]])), -1, 0)[..., None, None]
    return lowest + shares * (highest - lowest)


def percent(share: float) -> str:
    share *= 100
    return "< 0.1 %" if 0 < share < 0.1 else f"{share:.1f} %" if 0 < share < 10 else f"{int(share + 0.5)} %"


# What is broken


def test_at_first_there_are_no_positions_and_both_translations_stand_there(reader: Reader, server: Server):
    found = server.compared(SENTENCE, "no_positions")
    assert reader.on == ["no_positions"]
    assert reader.page.evaluate("asked") == [
        ["parts", {}],
        ["break", {"text": SENTENCE, "breakages": ["no_positions"]}],
    ]
    for side in SIDES:
        assert reader.tokens(side).all_text_contents() == pieces(found[side])
    assert "trained weights do without the part" in reader.text(".caveat")
    assert reader.page.locator(".sides").bounding_box()["y"] + 200 < WIDE[1], "in sight before scrolling"


def test_every_switch_breaks_its_part_and_says_what_to_look_for_and_nothing_else_moves(reader: Reader, server: Server):
    tops = set()
    for key, part in PARTS.items():
        reader.only(key)
        assert reader.on == [key]
        (breakage,) = reader.asked[-1]
        assert breakage.partition(":")[0] == key
        about = reader.text(".about .shown")
        assert part.removed in about
        assert part.look_for in about
        assert reader.tokens("broken").all_text_contents() == pieces(server.compared(SENTENCE, breakage)["broken"])
        tops.add(reader.page.evaluate("document.querySelector('.looks').getBoundingClientRect().top + scrollY"))
    assert len(tops) == 1
    assert reader.page.evaluate("asked.filter(([kind]) => kind === 'parts').length") == 1


def test_the_faults_of_the_tutorial_are_marked(reader: Reader):
    faults = reader.page.locator(".switch", has_text="a fault of the tutorial’s code").locator("input")
    assert set(faults.evaluate_all("(all) => all.map(({ name }) => name)")) == {
        key for key, part in PARTS.items() if part.from_tutorial
    }


def test_switches_combine_but_for_those_that_replace_the_same(reader: Reader):
    reader.turn("no_scaling").turn("no_causal_mask")
    assert reader.asked[-1] == ["no_positions", "no_causal_mask", "no_scaling"]
    assert reader.text(".shown .remark") == ""
    reader.turn("wrong_positions")
    assert set(reader.on) == {"wrong_positions", "no_causal_mask", "no_scaling"}
    assert set(reader.asked[-1]) == set(reader.on)
    assert "“No positions” is off now" in reader.text(".shown .remark")
    reader.turn("no_scaling")
    assert set(reader.asked[-1]) == {"wrong_positions", "no_causal_mask"}


def test_mending_everything_leaves_two_of_the_same(reader: Reader):
    reader.page.get_by_role("button", name="Mend everything").click()
    reader.settle()
    assert (reader.on, reader.asked[-1]) == ([], [])
    assert reader.text(".side.broken .verdict") == "It says the same."
    assert reader.text(".about .shown").startswith("Nothing is broken")
    assert not any(reader.marked("whole") + reader.marked("broken"))


def test_the_map_of_the_model_is_two_groups_of_radio_buttons_for_the_keyboard(reader: Reader, server: Server):
    shape = parts_json(server.model.config)["shape"]
    radios = reader.page.locator(".model-map").get_by_role("radio")
    assert radios.count() == shape["encoder"] * (1 + shape["heads"]) + shape["decoder"] * (1 + 2 * shape["heads"])
    assert not any(each.is_checked() for each in radios.all())
    reader.page.get_by_role("radio", name="Silence head 2 of block 1, cross-attention").focus()
    reader.page.keyboard.press("Space")
    reader.settle()
    assert reader.asked[-1] == ["no_positions", "no_head:cross.0.1"]
    assert reader.switch("no_head").is_checked()
    reader.page.keyboard.press("ArrowRight")
    reader.settle()
    assert reader.asked[-1] == ["no_positions", "no_head:cross.0.2"]
    assert "cross-attention, block 1, head 3" in reader.text(".about .shown")
    assert "Cross-attention, block 1, head 3." in reader.map("broken").get_attribute("aria-label")
    assert reader.text(".map-of.broken .readout") == "Nothing is attended to here: every weight is zero."
    assert reader.text(".map-of.whole .readout") != reader.text(".map-of.broken .readout")
    reader.page.get_by_role("radio", name="Skip block 2 of the encoder").check(force=True)
    reader.settle()
    assert reader.asked[-1] == ["no_positions", "no_head:cross.0.2", "no_layer:encoder.1"]
    reader.turn("no_head")
    assert [each.get_attribute("aria-label") for each in radios.all() if each.is_checked()] == [
        "Skip block 2 of the encoder"
    ]


# What they say


@pytest.mark.parametrize("key", ["no_positions", "scalar_gain", "no_norm"])
def test_words_that_the_other_model_does_not_say_are_marked_and_counted(reader: Reader, server: Server, key: str):
    reader.only(key)
    found = server.compared(SENTENCE, key)
    kept, lost = {}, {}
    for side in SIDES:
        marks = reader.marked(side)
        is_marked = [any(marks[i] for i in word["tokens"]) for word in found[side]["sentence"]["words"]]
        kept[side] = [word for word, mark in zip(words(found[side]), is_marked, strict=True) if not mark]
        lost[side] = sum(is_marked)
    assert kept["whole"] == kept["broken"], "what is not marked is the same on both sides"
    assert lost["whole"] or lost["broken"]
    gone = f"Gone: {lost['whole']} of the whole model’s {len(words(found['whole']))} words and signs."
    assert f"{gone} New: {lost['broken']}." in reader.text(".side.broken .verdict")


def test_the_fill_of_a_token_is_its_probability_and_pointing_tells_it(visit: Callable[..., Reader], server: Server):
    reader = visit(motion="reduce").show(SENTENCE)
    script = "it.map((each) => m.readScale(document.querySelector('.breakit')).fill(each))"
    for side in SIDES:
        found = server.compared(SENTENCE, "no_positions")[side]
        shares = [np.exp(token["log_prob"]) for token in found["sentence"]["tokens"]]
        fills = reader.tokens(side).evaluate_all(
            "(all) => all.map((each) => getComputedStyle(each).backgroundColor.replaceAll(',', ''))"
        )
        assert fills == reader.module("scale", script, shares)
        reader.tokens(side).nth(2).hover()
        token = found["sentence"]["tokens"][2]
        other, log_prob = next(each for each in token["alternatives"] if each[0] != token["id"])
        expected = f"{pieces(found)[2]}: {percent(shares[2])} sure; next {found['pieces'][str(other)]}, "
        expected = " ".join((expected + percent(np.exp(log_prob))).split())
        assert reader.text(f".side.{side} > .readout") == expected


def test_a_model_that_was_stopped_is_said_to_be(reader: Reader, server: Server):
    found = server.compared(SENTENCE, "no_norm")["broken"]
    assert found["stopped"], "or nothing is tested"
    reader.only("no_norm")
    assert f"was stopped after {found['most_tokens']} tokens." in reader.text(".side.broken .verdict")


def test_what_is_said_of_a_translation_follows_from_both(reader: Reader):
    def side(malay: str, ids: list[int], stopped: bool = False) -> dict:
        spans = [match.span() for match in re.finditer(r"\w+|\.", malay)]
        sentence = {"malay": malay, "tokens": [{"id": i} for i in ids], "words": [{"span": span} for span in spans]}
        return {"malay": malay, "sentence": sentence, "stopped": stopped, "most_tokens": 9}

    def verdicts(*sides: dict) -> list:
        return reader.module("breakit/verdict", "m.verdicts(...it)", sides)

    whole = side("Satu dua.", [5, 6, 7, 2])
    assert verdicts(whole, whole) == [["same", {}]]
    assert verdicts(whole, side("", [2])) == [["silent", {}]]
    assert verdicts(whole, side("Satu.", [5, 7, 2])) == [["differs", {"gone": 1, "of": 3, "added": 0}]]
    looped = side("tiga tiga tiga", [8, 8, 8], stopped=True)
    assert verdicts(whole, looped) == [["differs", {"gone": 3, "of": 3, "added": 3}], ["loops", {"count": 9}]]
    cut = side("Satu dua. empat", [5, 6, 7, 9], stopped=True)
    assert verdicts(whole, cut) == [["differs", {"gone": 0, "of": 3, "added": 1}], ["stopped", {"count": 9}]]


# What they look at


@pytest.mark.parametrize(
    ("kind", "layer", "head"), [("encoder", 2, 4), ("decoder", 1, None), ("cross", 0, 3), ("cross", 1, None)]
)
def test_both_maps_are_of_the_chosen_head_and_of_one_size(
    reader: Reader, server: Server, kind: str, layer: int, head: int | None
):
    reader.only("no_cross_attention" if kind == "encoder" else "scalar_gain")
    found = server.compared(SENTENCE, *reader.asked[-1])
    legends = {"encoder": "English → English", "decoder": "Malay → Malay", "cross": "Malay → English"}
    reader.choose("Between", legends[kind])
    reader.choose("Block", str(layer + 1))
    reader.choose("Head", "Mean" if head is None else str(head + 1))
    script = """it.map((row) => row.map((weight) => {
      return m.readScale(document.querySelector(".breakit")).fill(weight).match(/\\d+/g).map(Number);
    }))"""
    starts, boxes = [], []
    for side in SIDES:
        rows, columns = reader.labels(side)
        source, said = visible(pieces(found[side], "source")), visible(pieces(found[side]))
        axes = {"encoder": (source, source), "decoder": (said, ["[CLS]", *said[:-1]]), "cross": (said, source)}[kind]
        assert ([each["text"] for each in rows], [each["text"] for each in columns]) == axes
        true = weights(found[side], kind)[layer]
        true = true.mean(0) if head is None else true[head]
        expected, colours = np.array(reader.module("scale", script, true.tolist())), reader.colours(side)
        shown = np.ones(true.shape, bool)
        if kind == "decoder":
            shown = np.tri(*true.shape, dtype=bool)  # hatched elsewhere
        assert np.abs(expected - colours)[shown].max() <= 1
        starts.append((columns[0]["x"], rows[0]["y"], columns[1]["x"] - columns[0]["x"]))
        boxes.append({name: reader.map(side).bounding_box()[name] for name in ("y", "width", "height")})
    assert starts[0] == starts[1]
    assert boxes[0] == boxes[1]


def test_raw_scores_are_drawn_and_told_as_what_they_are(reader: Reader, server: Server):
    reader.only("raw_scores")
    reader.choose("Between", "Malay → English")
    reader.choose("Block", "1")
    reader.choose("Head", "2")
    scores = weights(server.compared(SENTENCE, "raw_scores")["broken"], "cross")[0, 1]
    assert scores.min() < 0 < scores.max(), "or nothing is tested"
    most = reader.module("breakit/weights", "m.score(it, 'en')", float(np.abs(scores).max()))
    assert reader.text(".map-of.broken .legend").split() == ["Score", f"−{most}", most, "(blank:", "0)"]
    assert reader.text(".map-of.whole .legend").split() == ["Weight", "0", "%", "100", "%"]
    assert "do not add up to 100 %" in reader.text(".map-of.broken .readout")
    script = """(() => {
      const node = document.querySelector(".breakit");
      const scale = m.diverging(it.scale, getComputedStyle(node).getPropertyValue("--against").trim(), it.most);
      return it.scores.map((row) => row.map((each) => {
        const colour = scale.packed[scale.index(each)];
        return [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
      }));
    })()"""
    scale = {"card": "#ffffff", "accent": "#6b1d45"}
    it = {"scale": scale, "most": float(np.abs(scores).max()), "scores": scores.tolist()}
    colours = reader.colours("broken").astype(int)
    assert np.abs(np.array(reader.module("breakit/weights", script, it)) - colours).max() <= 2
    low, high = (np.unravel_index(index, scores.shape) for index in (scores.argmin(), scores.argmax()))
    assert colours[low][2] > colours[low][0] + 40, "negative is blue"
    assert colours[high][0] > colours[high][2] + 20, "positive is red"
    row, column = map(int, low)
    reader.point_at("broken", row, column)
    told = reader.module("breakit/weights", "m.score(it, 'en')", float(scores[low]))
    found = server.compared(SENTENCE, "raw_scores")["broken"]
    names = visible(pieces(found))[row], visible(pieces(found, "source"))[column]
    assert reader.text(".map-of.broken .readout") == f"{names[0]} counts {names[1]} {told} times"
    assert told.startswith("−")


def test_scores_are_written_short(reader: Reader):
    scores = [-3.2468, 0.0, -0.0, 12345.6, 1.5e9, -2e-9]
    written = reader.module("breakit/weights", "it.map((each) => m.score(each, 'en'))", scores)
    assert written == ["−3.25", "0", "0", "12,300", "1.5E9", "−0.000000002"]


def test_a_cell_is_told_of_both_where_both_have_it(reader: Reader, server: Server):
    reader.only("no_positions")
    reader.choose("Block", "2")
    reader.choose("Head", "3")
    reader.point_at("whole", 1, 4)
    found = server.compared(SENTENCE, "no_positions")
    row, column = (visible(pieces(found["whole"], "source"))[i] for i in (1, 4))
    for side in SIDES:
        share = percent(weights(found[side], "encoder")[1, 2, 1, 4])
        assert reader.text(f".map-of.{side} .readout") == f"{row} looked at {column}: {share}"
    reader.map("whole").focus()
    reader.page.keyboard.press("ArrowRight")
    reader.page.keyboard.press("Escape")
    assert reader.text(".map-of.broken .readout").startswith("Point at a cell")


def test_pointing_at_a_token_lights_what_it_looked_at(reader: Reader, server: Server):
    reader.only("no_positions")
    reader.choose("Between", "Malay → English")
    reader.choose("Head", "1")
    reader.tokens("broken").nth(3).hover()
    reader.page.wait_for_timeout(300)
    found = server.compared(SENTENCE, "no_positions")["broken"]
    layer = int(re.search(r"block (\d)", reader.map("broken").get_attribute("aria-label"))[1]) - 1
    expected = reader.module(
        "scale",
        "it.map((each) => m.readScale(document.querySelector('.breakit')).fill(each))",
        weights(found, "cross")[layer, 0, 3].tolist(),
    )
    script = "(all) => all.map((each) => getComputedStyle(each).backgroundColor.replaceAll(',', ''))"
    assert reader.page.locator(".side.broken .english .token").evaluate_all(script) == expected
    assert reader.text(".map-of.broken .readout") == f"Row: {visible(pieces(found))[3]}"


@pytest.mark.parametrize("key", MASKS)
def test_without_its_mask_the_broken_model_has_nothing_masked(reader: Reader, server: Server, key: str):
    reader.only(key)
    found = server.compared(SENTENCE, key)
    assert "Decoder self-attention" in reader.map("whole").get_attribute("aria-label")
    layer = int(re.search(r"block (\d)", reader.map("broken").get_attribute("aria-label"))[1]) - 1
    for side in SIDES:
        reader.point_at(side, 1, 3)
        told = reader.text(f".map-of.{side} .readout")
        if side == "whole":
            assert "is masked" in told
        else:
            assert told.endswith(percent(weights(found[side], "decoder")[layer, :, 1, 3].mean()))


# Sentences


def test_another_sentence_of_the_text_or_one_that_is_typed_can_be_tried(visit: Callable[..., Reader], server: Server):
    reader = visit().show(SENTENCE, OTHER)
    reader.page.get_by_label("From your text").select_option(OTHER)
    reader.settle()
    box = reader.page.get_by_role("textbox", name="Sentence")
    assert box.input_value() == OTHER
    assert reader.tokens("whole").all_text_contents() == pieces(server.compared(OTHER, "no_positions")["whole"])
    assert box.get_attribute("maxlength") == "200"
    box.fill("A cat <img src=x onerror=alert(1)> sleeps.")
    box.press("Enter")
    reader.settle()
    assert reader.page.locator(".breakit img").count() == 0
    typed = server.compared("A cat <img src=x onerror=alert(1)> sleeps.", "no_positions")["whole"]
    english = reader.page.locator(".side.whole .english .token")
    assert english.all_text_contents() == pieces(typed, "source")
    num_asked = len(reader.asked)
    box.fill("   ")
    box.press("Enter")
    assert len(reader.asked) == num_asked


def test_one_sentence_has_no_picker_and_none_gets_an_example(visit: Callable[..., Reader]):
    reader = visit().show()
    assert not reader.page.get_by_label("From your text").is_visible()
    example = reader.module("breakit.words", "m.ENGLISH.example")
    assert reader.page.get_by_role("textbox", name="Sentence").input_value() == example
    reader.show(SENTENCE)
    assert not reader.page.get_by_label("From your text").is_visible()
    assert reader.page.get_by_role("textbox", name="Sentence").input_value() == SENTENCE


def test_the_same_text_again_keeps_what_the_reader_did(reader: Reader):
    reader.only("no_norm")
    num_asked = len(reader.asked)
    reader.show(SENTENCE)
    assert (reader.on, len(reader.asked)) == (["no_norm"], num_asked)


def test_a_long_sentence_is_cut_to_whole_words(reader: Reader):
    reader.show("words " * 50, wait=False)
    assert reader.page.get_by_role("textbox", name="Sentence").input_value() == ("words " * 33).strip()
    reader.settle()


# Waiting and failing


def test_only_the_newest_request_is_shown_and_those_between_are_not_sent(reader: Reader, server: Server):
    reader.page.evaluate(HELD)
    box = reader.page.get_by_role("textbox", name="Sentence")
    for text in ("One cat sleeps.", "Two cats sleep.", "Three cats sleep."):
        box.fill(text)
        box.press("Enter")
    assert reader.text(".status") == "Translating with both models…"
    assert reader.page.evaluate("Object.keys(answers)") == ["One cat sleeps."]
    before = reader.tokens("whole").all_text_contents()
    reader.page.evaluate("answers['One cat sleeps.'].resolve()")
    reader.page.wait_for_function("'Three cats sleep.' in answers")
    assert reader.tokens("whole").all_text_contents() == before
    reader.page.evaluate("answers['Three cats sleep.'].resolve()")
    reader.settle()
    assert reader.page.evaluate("Object.keys(answers).length") == 2
    newest = server.compared("Three cats sleep.", "no_positions")
    assert reader.tokens("broken").all_text_contents() == pieces(newest["broken"])


def test_what_went_wrong_is_said_and_can_be_tried_again(visit: Callable[..., Reader], server: Server):
    reader = visit()
    reader.page.evaluate("() => { window.reply = () => Promise.reject(new Error('The server is away.')); }")
    reader.show(SENTENCE, wait=False)
    expect(reader.page.locator(".status")).to_have_text("The server is away.")
    reader.page.evaluate("window.reply = undefined")
    reader.page.get_by_role("button", name="Try again").click()
    reader.settle()
    assert not reader.page.get_by_role("button", name="Try again").is_visible()
    assert reader.tokens("whole").all_text_contents() == pieces(server.compared(SENTENCE, "no_positions")["whole"])
    reader.page.evaluate("() => { window.reply = () => Promise.reject(new Error()); }")
    reader.switch("no_norm").click()
    expect(reader.page.locator(".status")).to_have_text("The two could not be compared.")
    assert reader.switch("no_norm").is_checked()


def test_a_model_broken_beyond_its_numbers_says_so(reader: Reader):
    reader.only("no_norm")
    reader.switch("raw_scores").click()
    expect(reader.page.locator(".status")).to_contain_text("break less at a time")
    reader.turn("raw_scores")
    assert reader.on == ["no_norm"]


def test_destroying_it_leaves_nothing_behind(reader: Reader):
    reader.page.evaluate(HELD)
    reader.switch("no_norm").click()
    reader.page.evaluate("view.destroy()")
    reader.page.evaluate(f"answers['{SENTENCE}'].resolve()")
    reader.page.evaluate("document.body.classList.add('dark')")
    reader.page.wait_for_timeout(300)
    assert reader.page.locator("#root > *").count() == 0


# For everyone


def test_both_languages_name_every_part_and_say_everything(reader: Reader):
    english, malay = reader.module("breakit.words", "[m.ENGLISH, m.MALAY]")
    groups = reader.module("breakit/choosing", "m.GROUPS")
    assert sorted(key for _, keys in groups for key in keys) == sorted(PARTS)
    assert [group for group, _ in groups] == list(english["groups"])
    assert list(english["parts"]) == list(malay["parts"]) == list(PARTS)
    assert all(part.keys() == {"name"} for part in english.pop("parts").values())
    assert all(part.keys() == {"name", "removed", "look_for"} for part in malay.pop("parts").values())

    def flat(words: dict, prefix: str = "") -> dict[str, str]:
        pairs = [flat(v, f"{k}.") if isinstance(v, dict) else {f"{prefix}{k}": v} for k, v in words.items()]
        return {key: text for pair in pairs for key, text in pair.items()}

    english, malay = flat(english), flat(malay)
    assert english.keys() == malay.keys()
    names = {key: set(re.findall(r"\{\w+\}", text)) for key, text in english.items()}
    assert names == {key: set(re.findall(r"\{\w+\}", text)) for key, text in malay.items()}


def test_the_malay_view_speaks_malay(visit: Callable[..., Reader]):
    reader = visit(language="ms").show(SENTENCE, OTHER)
    reader.turn("no_layer")
    parts = reader.module("breakit.words", "m.MALAY.parts")
    about = reader.text(".about .shown")
    assert parts["no_layer"]["look_for"] in about
    assert parts["no_positions"]["removed"] in about
    everything = reader.text(".breakit")
    assert PARTS["no_layer"].look_for not in everything
    assert not re.search(r"undefined|\{\w+\}|The broken model", everything)


@pytest.mark.parametrize("size", [NARROW, WIDE, (1600, 900)])
def test_nothing_is_wider_than_the_window(visit: Callable[..., Reader], size: tuple[int, int]):
    reader = visit(size=size).show(SENTENCE, OTHER)
    for key in ("raw_scores", "no_residual"):
        reader.only(key)
        for legend in ("English → English", "Malay → Malay", "Malay → English"):
            reader.choose("Between", legend)
            assert reader.page.evaluate("document.documentElement.scrollWidth") <= size[0]
            for side in SIDES:
                room = reader.page.locator(f".map-of.{side} .map-holder").bounding_box()["width"]
                assert reader.map(side).bounding_box()["width"] <= room


def test_day_and_night_change_the_maps_at_once(reader: Reader):
    corner = "(canvas) => [...canvas.getContext('2d').getImageData(1, 1, 1, 1).data]"
    assert reader.map("broken").evaluate(corner) == [255, 255, 255, 255]
    reader.page.evaluate("document.body.classList.add('dark')")
    reader.page.wait_for_timeout(50)
    assert reader.map("broken").evaluate(corner) == [0x1F, 0x16, 0x1D, 255]


# Speed


def long_comparison() -> dict:
    """60 tokens and 98, with random attention; raw scores on the broken side"""
    random = np.random.default_rng(0)

    def packed(*shape: int, is_raw: bool) -> dict:
        data = random.integers(0, 256, shape, np.uint8)
        scale = {"scale": [[[-127.0, 128.0]] * shape[1]] * shape[0]} if is_raw else {}
        return {"shape": shape, "data": b64encode(data.tobytes()).decode(), **scale}

    def side(is_raw: bool) -> dict:
        source = [{"id": i % 50, "span": None} for i in range(60)]
        said = [{"id": i % 50, "span": None, "log_prob": -0.3, "alternatives": [[1, -2.0]]} for i in range(98)]
        sentence = {"english": "e", "malay": "m", "source": source, "tokens": said, "words": []}
        shapes = {"encoder": (4, 6, 60, 60), "decoder": (2, 6, 98, 98), "cross": (2, 6, 98, 60)}
        attention = {kind: packed(*shape, is_raw=is_raw) for kind, shape in shapes.items()}
        names = {str(i): f" word{i}" for i in range(50)}
        return {**{"malay": "m", "sentence": sentence, "pieces": names}, "stopped": True, "most_tokens": 98} | {
            "attention": attention
        }

    return {"whole": side(False), "broken": side(True)}


def test_switching_head_takes_less_than_a_frame_for_the_longest_sentence(visit: Callable[..., Reader]):
    reader = visit(noted=False)
    reader.page.evaluate(
        "(found) => { window.reply = async (kind, payload) => kind === 'parts' ? serve(kind, payload) : found; }",
        long_comparison(),
    )
    reader.show(SENTENCE)
    session = reader.page.context.new_cdp_session(reader.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    heads = reader.page.locator(".pair").get_by_role("group", name="Head").get_by_role("radio")
    script = """async (inputs) => {
      for (const input of inputs) {
        input.click();
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      }
    }"""
    for legend in ("English → English", "Malay → Malay", "Malay → English"):
        reader.choose("Between", legend)
        heads.evaluate_all(script)
        before = spent()
        heads.evaluate_all(script)
        assert 0.1 < 1000 * (spent() - before) / heads.count() < 16, legend
