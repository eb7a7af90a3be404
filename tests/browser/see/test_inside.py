"""The Inside view, driven as a visitor would, with what the embedded checkpoint says of its translations."""

import functools
import json
import re
import xml.etree.ElementTree as ElementTree
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Download, Locator, Page

from malaygpt.attribution import occlude
from malaygpt.checkpoint import load_checkpoint
from malaygpt.explain import attention_json
from malaygpt.hub import EMBEDDED
from malaygpt.tokenizer import CLS_ID
from malaygpt.translator import Translator

from ..running import EXAMPLES
from . import viewing
from .viewing import NARROW, WIDE

SENTENCE = "The children are playing in the park with their grandmother."
TEXT = "Good morning. Where is the nearest train station? I lost my umbrella at https://example.com/a."
KINDS = ("encoder", "decoder", "cross")
MODEL = {
    **{"num_parameters": 14_978_304, "d_model": 384, "num_heads": 6, "d_head": 64, "d_ff": 1536},
    **{"num_encoder_blocks": 4, "num_decoder_blocks": 2, "vocab_size": 8192},
    "links": {"d_model": "https://example.org/model.py#L30", "cross": "https://example.org/model.py#L200"},
}

# Answers that are given by hand, by the sentence that was asked about
ANSWERS = """(() => {
  window.answers = {};
  return (kind, { sentence }) => new Promise((resolve, reject) => { answers[sentence] = { resolve, reject }; });
})()"""

# Middle of the pixels that are of the scale's last colour, left of and above the frame left out
BRIGHT = """(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const found = [];
  for (let i = 0; i < width * height; i++) {
    if (data[4 * i] === 0x6b && data[4 * i + 1] === 0x1d && data[4 * i + 2] === 0x45) found.push(i);
  }
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { x: mean(found.map((i) => i % width)), y: mean(found.map((i) => Math.floor(i / width))), area: found.length };
}"""


@dataclass(frozen=True)
class Case:
    """A translation as the server sends it."""

    explanation: dict
    attentions: list[dict]
    """Of each sentence"""

    def labels(self, side: str, sentence: int = 0) -> list[str]:
        """Of "source" or "tokens", as the view writes them"""
        tokens = self.explanation["sentences"][sentence][side]
        return [self.explanation["pieces"][str(token["id"])].replace(" ", "·") for token in tokens]

    @property
    def num_steps(self) -> int:
        """Of the first sentence"""
        return len(self.labels("tokens"))

    def weights(self, kind: str, sentence: int = 0) -> np.ndarray:
        """(L, H, N, M), 0 to 1"""
        packed = self.attentions[sentence][kind]
        data = np.frombuffer(b64decode(packed["data"]), np.uint8)
        return data.reshape(packed["shape"]).astype(np.float64) / 255


@pytest.fixture(scope="module")
def embedded() -> Translator:
    return Translator.load(device="cpu")


@pytest.fixture(scope="module")
def case(embedded: Translator) -> Callable[[str], Case]:
    @functools.cache
    def make(text: str) -> Case:
        explanation = embedded.explain(text)
        attentions = [attention_json(embedded.attend(sentence)) for sentence in explanation.sentences]
        return Case(explanation.to_json(), attentions)

    return make


@dataclass(frozen=True)
class Reader(viewing.Reader):
    """One reader before the view."""

    def show(self, case: Case, **given: object) -> "Reader":
        """Shows the first sentence, or another, with its attention."""
        given = {"sentence": 0, **given}
        given.setdefault("attention", case.attentions[given["sentence"]])
        self.page.evaluate("(given) => view.show(given)", {"explanation": case.explanation, **given})
        return self

    @property
    def readout(self) -> str:
        return self.page.locator(".readout").inner_text()

    @property
    def heading(self) -> str:
        return self.page.locator(".choices h3").inner_text()

    def tokens(self, line: str) -> Locator:
        return self.page.locator(f".tokens.{line} .token")

    def pointed(self, line: str) -> list[int]:
        return self.tokens(line).evaluate_all("(all) => all.flatMap((n, i) => n.matches('.pointed') ? [i] : [])")

    def choose(self, legend: str, label: str) -> None:
        self.page.get_by_role("group", name=legend).get_by_role("radio", name=label, exact=True).check()

    def drawn(self) -> tuple[list[str], list[str]]:
        """The labels of the map's rows and columns, as drawn from top and from left"""
        labels = self.canvas.evaluate("(canvas) => canvas.labels")
        rows = sorted((each for each in labels if not each["turned"]), key=lambda each: each["y"])
        columns = sorted((each for each in labels if each["turned"]), key=lambda each: each["x"])
        return [each["text"] for each in rows], [each["text"] for each in columns]

    def point_at(self, row: int, column: int) -> None:
        """Moves the pointer to a cell, found by its labels."""
        labels = self.canvas.evaluate("(canvas) => canvas.labels")
        rows = sorted(each["y"] for each in labels if not each["turned"])
        columns = sorted(each["x"] for each in labels if each["turned"])
        self.canvas.hover(position={"x": columns[column], "y": rows[row]})

    def save(self, way: str) -> Download:
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name=way, exact=True).click()
        return download.value


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Reader]]:
    """Opens the view."""
    with viewing.visits(browser, address, "inside", Reader) as open_page:
        yield open_page


@pytest.fixture
def reader(visit: Callable[..., Reader], case: Callable[[str], Case]) -> Reader:
    return visit().show(case(SENTENCE))


def packed(weights: np.ndarray) -> dict:
    data = np.round(weights * 255).astype(np.uint8)
    return {"shape": list(data.shape), "data": b64encode(data.tobytes()).decode()}


def made_up(case: Case, kind: str, row: int, column: int, layer: int = 0, head: int = 0) -> dict:
    """Attention of which one cell of one head is 1 and all else is 0"""
    attention = {name: np.zeros(case.attentions[0][name]["shape"]) for name in KINDS}
    attention[kind][layer, head, row, column] = 1
    return {name: packed(weights) for name, weights in attention.items()}


def axes(case: Case, kind: str) -> tuple[list[str], list[str]]:
    source, tokens = case.labels("source"), case.labels("tokens")
    said = ["[CLS]", *tokens[:-1]]
    return {"encoder": (source, source), "decoder": (tokens, said), "cross": (tokens, source)}[kind]


def percent(share: float) -> str:
    share *= 100
    return "< 0.1 %" if 0 < share < 0.1 else f"{share:.1f} %" if 0 < share < 10 else f"{int(share + 0.5)} %"


# What the numbers are


def test_a_head_is_unpacked_in_the_order_layer_head_row_column(reader: Reader):
    weights = np.zeros((2, 3, 4, 5))
    weights[1, 2, 3, 1] = 1
    found = reader.module("maps", "Array.from(m.headMap(m.unpack(it), 1, 2).weights)", packed(weights))
    assert np.array_equal(np.reshape(found, (4, 5)), weights[1, 2])
    others = reader.module("maps", "Array.from(m.headMap(m.unpack(it), 0, 2).weights)", packed(weights))
    assert not any(others)


def test_data_that_does_not_fit_its_shape_is_refused(reader: Reader):
    script = (
        "(() => { try { m.unpack({ shape: [1, 1, 2, 2], data: 'AAAA' }); } catch (error) { return error.message; } })()"
    )
    assert (
        reader.module("maps", script) == "Attention of shape 1 x 1 x 2 x 2 has 3 bytes; send the two from one sentence."
    )


def test_mean_and_rollout_are_what_numpy_makes_of_the_same_weights(reader: Reader, case: Callable[[str], Case]):
    here = case(SENTENCE)
    weights = {kind: here.weights(kind) for kind in KINDS}
    script = (
        "(({ rows, columns, weights }) => [rows, columns, Array.from(weights)])(m.attentionMaps(it[0]).map(...it[1]))"
    )

    def found(kind: str, **chosen: object) -> np.ndarray:
        rows, columns, values = reader.module("maps", script, [here.attentions[0], [kind, chosen]])
        return np.reshape(values, (rows, columns))

    def rolled(kind: str) -> np.ndarray:
        reached = np.eye(weights[kind].shape[-1])
        for heads in weights[kind]:
            reached = (np.eye(len(reached)) / 2 + heads.mean(0) / 2) @ reached
        return reached

    english = np.zeros(weights["cross"].shape[-2:])
    for own, cross in zip(weights["decoder"], weights["cross"], strict=True):
        english = (english + own.mean(0) @ english) / 2
        english = (english + cross.mean(0) @ rolled("encoder")) / 2
    np.testing.assert_allclose(found("cross", layer=1, head="mean"), weights["cross"][1].mean(0), atol=1e-6)
    np.testing.assert_allclose(found("encoder", layer=2, head=4), weights["encoder"][2, 4], atol=1e-6)
    for kind in ("encoder", "decoder"):
        np.testing.assert_allclose(found(kind, layer="rollout"), rolled(kind), atol=1e-5)
    np.testing.assert_allclose(found("cross", layer="rollout"), english / english.sum(1, keepdims=True), atol=1e-5)


def test_what_is_kept_of_a_row_adds_up_to_one_and_a_row_without_rest_stays_empty(reader: Reader):
    given = {"rows": 3, "columns": 3, "weights": [0.5, 0.3, 0.2, 1, 0, 0, 0.2, 0.2, 0.6]}
    found = reader.module("maps", "Array.from(m.keep(it, [0, 1], [1, 2]).weights)", given)
    assert found == pytest.approx([0.6, 0.4, 0, 0])


def test_the_replay_steps_within_its_bounds_and_stops_at_its_end(reader: Reader):
    script = "it.reduce((all, event) => [...all, m.replay(all.at(-1), ...event)], [m.atStart(3)])"
    script = f"{script}.map(({{ step, playing }}) => [step, playing])"

    def run(*events: str | tuple) -> list[list]:
        return reader.module("replay", script, [[each] if isinstance(each, str) else each for each in events])[1:]

    assert run("previous", "next", "next", "next") == [[0, False], [1, False], [2, False], [2, False]]
    assert run("play", "tick", "tick", "tick") == [[0, True], [1, True], [2, False], [2, False]]
    assert run("last", "play", "pause") == [[2, False], [0, True], [0, False]]
    assert run("play", "next") == [[0, True], [1, False]], "moving by hand stops the playing"
    assert run(("go", 9), ("go", -4), "toggle", "toggle") == [[2, False], [0, False], [0, True], [0, False]]


def test_the_scale_darkens_evenly_and_its_text_can_be_read_by_day_and_by_night(visit: Callable[..., Reader]):
    script = """(({ fill, text }) => [...Array(256).keys()].map((i) => {
      const rgb = (css) => css.startsWith("#") ? m.rgb(css) : css.match(/\\d+/g).map(Number);
      const [background, ink] = [rgb(fill(i / 255)), rgb(text(i / 255))];
      return [m.oklab(background)[0], m.contrast(background, ink)];
    }))(m.readScale(document.body))"""
    for dark in (False, True):
        light, contrast = np.transpose(visit(dark=dark).module("scale", script))
        steps = np.diff(light) * (1 if dark else -1)
        assert steps.min() > -1e-9
        assert np.abs(light - np.linspace(light[0], light[-1], 256)).max() < 4e-3, "even steps of lightness"
        assert abs(light[-1] - light[0]) > 0.5
        assert contrast.min() >= 4.5


# Which way round it is drawn


@pytest.mark.parametrize(
    ("kind", "legend", "row", "column", "said"),
    [
        ("encoder", "English → English", 2, 9, "{row} looked at {column}: 100 %"),
        ("decoder", "Malay → Malay", 5, 1, "Choosing {row}, it looked back at {column}: 100 %"),
        ("cross", "Malay → English", 5, 3, "Choosing {row}, it looked at {column}: 100 %"),
    ],
)
def test_the_one_bright_cell_stands_at_its_own_tokens_and_is_named_by_them(
    visit: Callable[..., Reader], case: Callable[[str], Case], kind: str, legend: str, row: int, column: int, said: str
):
    here = case(SENTENCE)
    reader = visit().show(here, attention=made_up(here, kind, row, column))
    reader.choose("Between", legend)
    reader.choose("Layer", "1")
    reader.choose("Head", "1")
    assert reader.drawn() == axes(here, kind)
    bright = reader.canvas.evaluate(BRIGHT)
    assert bright["area"] > 300
    labels = reader.canvas.evaluate("(canvas) => canvas.labels")
    beside = min((each for each in labels if not each["turned"]), key=lambda each: abs(each["y"] - bright["y"]))
    above = min((each for each in labels if each["turned"]), key=lambda each: abs(each["x"] - bright["x"]))
    rows, columns = axes(here, kind)
    assert (beside["text"], above["text"]) == (rows[row], columns[column])
    assert abs(beside["y"] - bright["y"]) < 2 and abs(above["x"] - bright["x"]) < 2
    reader.canvas.hover(position={"x": bright["x"], "y": bright["y"]})
    assert reader.readout == said.format(row=rows[row], column=columns[column])
    english, malay = {"encoder": ([2, 9], []), "decoder": ([], [1, 6]), "cross": ([3], [6])}[kind]
    assert (reader.pointed("english"), reader.pointed("malay")) == (english, malay)


def test_the_stage_shows_the_row_of_the_token_being_chosen(visit: Callable[..., Reader], case: Callable[[str], Case]):
    here = case(SENTENCE)
    attention = made_up(here, "cross", 5, 3, layer=1) | {"decoder": made_up(here, "decoder", 5, 2, layer=1)["decoder"]}
    reader = visit().show(here, attention=attention, step=5)
    reader.choose("Head", "1")
    reader.choose("Between", "Malay → Malay")
    reader.choose("Head", "1")
    assert shares(reader, "english") == {3: "100 %"}
    assert shares(reader, "malay") == {2: "100 %"}
    assert reader.page.locator(".arcs path:visible").evaluate_all("(all) => all.map((n) => n.dataset.source)") == ["3"]
    assert reader.tokens("malay").nth(6).get_attribute("aria-current") == "step"
    reader.page.get_by_role("button", name="Next step").click()
    assert shares(reader, "english") == {} and shares(reader, "malay") == {}


def shares(reader: Reader, line: str) -> dict[int, str]:
    texts = reader.tokens(line).evaluate_all("(all) => all.map((each) => each.querySelector('.share').textContent)")
    return {i: text for i, text in enumerate(texts) if text}


def test_the_real_weights_stand_behind_the_tokens(reader: Reader, case: Callable[[str], Case]):
    here = case(SENTENCE)
    for step in (0, 5, 9):
        reader.show(here, step=step)
        reader.page.locator(".player input").fill(str(step))
        cross, own = here.weights("cross")[-1].mean(0)[step], here.weights("decoder")[-1].mean(0)[step]
        assert shares(reader, "english") == {i: percent(share) for i, share in enumerate(cross) if share >= 0.05}
        assert shares(reader, "malay") == {i: percent(share) for i, share in enumerate(own) if share >= 0.05}


# What comes next


def test_the_bars_are_the_alternatives_and_the_chosen_one_is_marked(reader: Reader, case: Callable[[str], Case]):
    here = case(SENTENCE)
    token = here.explanation["sentences"][0]["tokens"][5]
    reader.page.locator(".player input").fill("5")
    rows = reader.page.locator(".bars li:visible")
    names = [here.explanation["pieces"][str(i)].replace(" ", "·") for i, _ in token["alternatives"]]
    assert rows.locator(".label").all_inner_texts() == names
    probabilities = [np.exp(log_prob) for _, log_prob in token["alternatives"]]
    assert rows.locator(".share").all_inner_texts() == [percent(each) for each in probabilities]
    assert rows.locator(".mark").all_inner_texts()[:2] == ["chosen", ""]
    widths = rows.locator(".track").evaluate_all(
        "(all) => all.map((n) => n.firstChild.getAnimations().forEach((each) => each.finish()) ?? "
        "n.firstChild.getBoundingClientRect().width / n.getBoundingClientRect().width)"
    )
    assert widths == pytest.approx(probabilities, abs=0.01)
    before = "".join(here.labels("tokens")[:5]).replace("·", " ").strip()
    assert reader.page.locator(".so-far").inner_text() == f"After “{before}”"


def test_a_choice_that_was_not_the_likeliest_is_marked_and_explained(
    visit: Callable[..., Reader], case: Callable[[str], Case]
):
    def passed_over(token: dict) -> bool:
        return token["alternatives"][0][0] != token["id"]

    here, number, step = next(
        (each, number, step)
        for each in map(case, EXAMPLES)
        for number, sentence in enumerate(each.explanation["sentences"])
        for step, token in enumerate(sentence["tokens"])
        if passed_over(token)
    )
    reader = visit().show(here, sentence=number, step=step)
    token = here.explanation["sentences"][number]["tokens"][step]
    chosen, likelier = (
        here.labels("tokens", number)[step],
        here.explanation["pieces"][str(token["alternatives"][0][0])],
    )
    assert reader.page.locator(".bars li.chosen .label").inner_text() == chosen
    assert reader.page.locator(".bars li.chosen .mark").inner_text() == "chosen"
    assert not reader.page.locator(".bars li").first.evaluate("(node) => node.classList.contains('chosen')")
    remark = reader.page.locator(".remark").inner_text()
    assert remark.startswith(f"{likelier.replace(' ', '·')} was likelier here. {chosen} was chosen")


def test_a_choice_beyond_the_alternatives_has_a_bar_of_its_own_and_the_rest_is_what_is_left(reader: Reader):
    token = {"id": 7, "log_prob": np.log(0.1), "alternatives": [[1, np.log(0.5)], [2, np.log(0.2)]]}
    found = reader.module("inside/choices", "m.ranked(it)", token)
    assert [(row["id"], row["isChosen"]) for row in found["rows"]] == [(1, False), (2, False), (7, True)]
    assert found["rest"] == pytest.approx(0.2)
    assert found["likelier"] == 1


def test_a_token_that_was_given_is_not_called_chosen(
    visit: Callable[..., Reader], case: Callable[[str], Case], embedded: Translator
):
    explanation = embedded.explain(SENTENCE)
    place = 5
    other = explanation.sentences[0].tokens[place].token.alternatives[1][0]
    forced = embedded.choose(explanation, 0, place, other)
    here = Case(forced.to_json(), [attention_json(embedded.attend(forced.sentences[0]))])
    reader = visit().show(here, step=place)
    assert reader.page.locator(".bars li.chosen .mark").inner_text() == "given"
    assert "did not choose it" in reader.page.locator(".remark").inner_text()
    reader.page.locator(".player input").fill(str(place + 1))
    assert reader.page.locator(".bars li.chosen .mark").inner_text() == "chosen"


# Replay


def test_the_arrow_keys_walk_through_the_steps(reader: Reader, case: Callable[[str], Case]):
    last = case(SENTENCE).num_steps
    reader.page.get_by_role("button", name="Next step").click()
    assert reader.heading.startswith(f"Step 2 of {last}")
    for key, step in (("ArrowRight", 3), ("End", last), ("ArrowLeft", last - 1), ("Home", 1)):
        reader.page.keyboard.press(key)
        assert reader.heading.startswith(f"Step {step} of {last}"), key
    reader.tokens("malay").nth(4).click()
    assert reader.heading.startswith(f"Step 4 of {last}")
    reader.page.keyboard.press("ArrowRight")
    assert reader.heading.startswith(f"Step 5 of {last}")
    assert reader.tokens("malay").nth(5).evaluate("(node) => node === document.activeElement")


def test_keys_outside_of_the_view_do_nothing_to_it(reader: Reader, case: Callable[[str], Case]):
    reader.page.locator("body").press("ArrowRight")
    assert reader.heading.startswith(f"Step 1 of {case(SENTENCE).num_steps}")


def test_playing_goes_step_by_step_to_the_end_without_the_server(
    visit: Callable[..., Reader], case: Callable[[str], Case]
):
    reader = visit()
    reader.page.clock.install()
    reader.show(case(SENTENCE))
    last = case(SENTENCE).num_steps
    requests: list[str] = []
    reader.page.on("request", lambda request: requests.append(request.url))
    reader.page.get_by_role("button", name="Play", exact=True).click()
    reader.page.clock.run_for(2 * 900)
    assert reader.heading.startswith(f"Step 3 of {last}")
    assert reader.tokens("malay").nth(3).get_attribute("class") == "token chosen"
    assert reader.page.locator(".token.later").count() == last - 3
    reader.page.get_by_role("button", name="Pause").press(" ")
    reader.page.clock.run_for(5 * 900)
    assert reader.heading.startswith(f"Step 3 of {last}")
    reader.page.get_by_role("button", name="Play", exact=True).click()
    reader.page.clock.run_for(30 * 900)
    assert reader.heading.startswith(f"Step {last} of {last}")
    assert reader.page.get_by_role("button", name="Play", exact=True).is_visible()
    assert requests == []
    assert reader.page.evaluate("asked") == []


def test_stepping_moves_nothing_on_the_page(reader: Reader):
    def places() -> list:
        return reader.page.evaluate(
            "[...document.querySelectorAll('.token, section, h3, canvas')].map((n) => {"
            "const { x, y, width, height } = n.getBoundingClientRect(); return [x, y, width, height]; })"
        )

    before = places()
    for _ in range(15):
        reader.page.evaluate("document.querySelector('.player .next').click()")
        assert places() == before


# Pointing


def test_pointing_at_a_cell_a_token_or_a_piece_lights_up_what_belongs_together(
    reader: Reader, case: Callable[[str], Case]
):
    here = case(SENTENCE)
    cross = here.weights("cross")[-1].mean(0)
    rows, columns = axes(here, "cross")
    reader.point_at(5, 3)
    assert (reader.pointed("english"), reader.pointed("malay")) == ([3], [6])
    arcs = reader.page.locator(".arcs path.pointed:visible")
    assert arcs.evaluate_all("(all) => all.map((each) => each.dataset.source)") == ["3"]
    assert reader.readout == f"Choosing {rows[5]}, it looked at {columns[3]}: {percent(cross[5, 3])}"
    reader.page.mouse.move(0, 0)
    assert (reader.pointed("english"), reader.pointed("malay")) == ([], [])
    reader.tokens("english").nth(1).hover()
    assert reader.readout == f"Choosing {rows[0]}, it looked at {columns[1]}: {percent(cross[0, 1])}"
    reader.tokens("malay").nth(3).hover()
    assert reader.readout == f"Row: {rows[2]}"
    assert reader.pointed("malay") == [3]
    reader.page.locator(".pieces [data-line=english] .piece").nth(7).hover()
    assert reader.pointed("english") == [7]
    pointed = reader.page.locator(".piece.pointed").all_inner_texts()
    assert pointed == [columns[7], rows[0]], "what it is, and what looked at it"


def test_the_map_can_be_walked_with_the_keyboard(reader: Reader, case: Callable[[str], Case]):
    here = case(SENTENCE)
    cross = here.weights("cross")[-1].mean(0)
    rows, columns = axes(here, "cross")
    reader.canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight"):
        reader.page.keyboard.press(key)
    assert reader.readout == f"Choosing {rows[2]}, it looked at {columns[1]}: {percent(cross[2, 1])}"
    assert (reader.pointed("english"), reader.pointed("malay")) == ([1], [3])
    assert reader.heading.startswith("Step 1 "), "looking is not stepping"
    reader.page.keyboard.press("Enter")
    assert reader.heading.startswith("Step 3 ")
    reader.page.keyboard.press("Escape")
    assert (reader.pointed("english"), reader.pointed("malay")) == ([], [])


def test_the_future_is_called_masked(reader: Reader, case: Callable[[str], Case]):
    rows, columns = axes(case(SENTENCE), "decoder")
    reader.choose("Between", "Malay → Malay")
    reader.point_at(1, 5)
    assert reader.readout == f"{columns[5]} was not yet said when {rows[1]} was chosen: masked"


# Which map


def test_hiding_cls_and_sep_takes_their_rows_and_columns_and_scales_what_is_left(
    reader: Reader, case: Callable[[str], Case]
):
    here = case(SENTENCE)
    reader.page.get_by_label("Hide [CLS] and [SEP]").check()
    rows, columns = axes(here, "cross")
    assert reader.drawn() == (rows[:-1], columns[:-1])
    cross = here.weights("cross")[-1].mean(0)
    reader.point_at(3, 1)
    scaled, whole = percent(cross[3, 1] / cross[3, :-1].sum()), percent(cross[3, 1])
    assert scaled != whole
    assert reader.readout == f"Choosing {rows[3]}, it looked at {columns[1]}: {scaled} ({whole} before hiding)"
    reader.choose("Between", "Malay → Malay")
    rows, columns = axes(here, "decoder")
    assert reader.drawn() == (rows[:-1], columns[1:])
    own = here.weights("decoder")[-1].mean(0)[5]
    reader.page.locator(".player input").fill("5")
    expected = {i: percent(share / own[1:].sum()) for i, share in enumerate(own) if i and share / own[1:].sum() >= 0.05}
    assert shares(reader, "malay") == expected


def test_all_heads_are_a_grid_from_which_one_is_chosen(visit: Callable[..., Reader], case: Callable[[str], Case]):
    here = case(SENTENCE)
    reader = visit().show(here, attention=made_up(here, "cross", 5, 3, layer=1, head=4))
    reader.page.get_by_label("All heads", exact=True).check()
    buttons = reader.page.locator(".head-grid button")
    num_layers, num_heads, *_ = here.attentions[0]["cross"]["shape"]
    assert buttons.count() == num_layers * num_heads
    lit = buttons.locator("canvas").evaluate_all(f"(all) => all.map({BRIGHT})")
    assert [each["area"] for each in lit] == [0] * 10 + [1, 0]
    assert (lit[10]["x"], lit[10]["y"]) == (3, 5)
    buttons.nth(10).click()
    assert reader.page.locator(".map-title").inner_text() == "Cross-attention: layer 2, head 5"
    assert reader.canvas.is_visible() and not reader.page.locator(".head-grid").is_visible()
    reader.point_at(5, 3)
    assert reader.readout.endswith("100 %")


def test_rollout_is_of_all_layers_and_heads(reader: Reader):
    reader.choose("Layer", "Rollout")
    assert reader.page.locator(".map-title").inner_text() == "Cross-attention: all layers, rollout"
    assert reader.page.get_by_role("group", name="Head").get_by_role("radio", name="Mean").is_disabled()
    reader.choose("Layer", "1")
    assert reader.page.locator(".map-title").inner_text() == "Cross-attention: layer 1, mean of its heads"


# Saving


def test_the_saved_json_is_what_is_shown(reader: Reader, case: Callable[[str], Case]):
    here = case(SENTENCE)
    reader.choose("Layer", "1")
    reader.choose("Head", "3")
    download = reader.save("JSON")
    assert download.suggested_filename == "attention-cross.json"
    content = json.loads(Path(download.path()).read_text(encoding="utf-8"))
    assert (content["english"], content["kind"], content["layer"], content["head"]) == (SENTENCE, "cross", 1, 3)
    assert (content["rows"], content["columns"]) == axes(here, "cross")
    np.testing.assert_allclose(content["weights"], here.weights("cross")[0, 2], atol=1e-4)


def test_the_saved_svg_and_png_show_the_bright_cell_at_its_tokens(
    visit: Callable[..., Reader], case: Callable[[str], Case]
):
    here = case(SENTENCE)
    rows, columns = axes(here, "cross")
    reader = visit().show(here, attention=made_up(here, "cross", 5, 3, layer=1))
    reader.choose("Head", "1")
    drawing = ElementTree.parse(reader.save("SVG").path()).getroot()
    svg = "{http://www.w3.org/2000/svg}"
    (cell,) = [each for each in drawing.iter(f"{svg}rect") if each.find(f"{svg}title") is not None]
    assert cell.find(f"{svg}title").text == f"{rows[5]} → {columns[3]}: 100 %"
    x, y, size = (float(cell.get(name)) for name in ("x", "y", "width"))
    texts = {each.text: each for each in drawing.iter(f"{svg}text")}
    assert float(texts[rows[5]].get("y")) == y + size / 2
    assert float(texts[columns[3]].get("x")) == x + size / 2

    picture = b64encode(Path(reader.save("PNG").path()).read_bytes()).decode()
    found = reader.page.evaluate(
        f"""async (data) => {{
          const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${{data}}`)).blob());
          const {{ width, height }} = image;
          const canvas = Object.assign(document.createElement("canvas"), {{ width, height }});
          canvas.getContext("2d").drawImage(image, 0, 0);
          return ({BRIGHT})(canvas);
        }}""",
        picture,
    )
    assert found["area"] > 0.9 * (2 * size) ** 2
    assert found["x"] / 2 == pytest.approx(x + size / 2, abs=1)
    assert found["y"] / 2 == pytest.approx(y + size / 2, abs=1)


# Pieces and numbers


def test_the_pieces_of_each_word_stand_together_and_join_to_what_was_read(
    visit: Callable[..., Reader], case: Callable[[str], Case]
):
    here = case(TEXT)
    reader = visit().show(here, sentence=2)
    words = reader.page.locator(".pieces [data-line=english] .word")
    texts = words.evaluate_all("(all) => all.map((each) => each.textContent)")
    assert texts == ["I", "·lost", "·my", "·umbrella", "·at", "·{1", "}.", "[SEP]"]
    sentence = here.explanation["sentences"][2]
    assert "".join(texts[:-1]).replace("·", " ") == sentence["read"]
    assert f"which read: {sentence['read']}" in reader.page.locator(".pieces").inner_text()
    assert "https://example.com/a" in words.nth(5).locator(".piece").first.get_attribute("title")
    here = case(SENTENCE)
    reader.show(here)
    labels, first = here.labels("tokens"), here.explanation["sentences"][0]["words"][0]
    assert reader.page.locator(".pieces [data-line=malay] .word").first.inner_text().split() == [
        labels[i] for i in first["tokens"]
    ]
    assert reader.page.locator(".pieces [data-line=english] .count").inner_text() == "10 words, 16 tokens"


def test_the_numbers_are_the_models_and_link_to_its_code(reader: Reader, case: Callable[[str], Case]):
    figures = reader.page.locator(".figures")
    figures.locator("summary").click()
    assert figures.locator("[data-name]").count() == 3, "without a model, the shapes of the attention"
    here = case(SENTENCE)
    shape = " × ".join(map(str, here.attentions[0]["cross"]["shape"]))
    reader.show(here, model=MODEL, attention=here.attentions[0])
    assert figures.locator("[data-name=num_parameters] dd").inner_text() == "14,978,304"
    assert figures.locator("[data-name=cross] dd").inner_text() == shape
    links = figures.locator("a").evaluate_all("(all) => all.map((each) => [each.textContent, each.href])")
    assert links == [["384", MODEL["links"]["d_model"]], [shape, MODEL["links"]["cross"]]]


# Attribution


@pytest.fixture(scope="module")
def occlusion() -> Callable[..., dict]:
    """What the embedded model's tokens owe to each place of a sentence, as the server says it"""
    model, _ = load_checkpoint(EMBEDDED)

    def of(case: Case, sentence: int = 0) -> dict:
        said = case.explanation["sentences"][sentence]
        source, tokens = ([token["id"] for token in said[side]] for side in ("source", "tokens"))
        return occlude(model, torch.tensor([source]), torch.tensor([[CLS_ID, *tokens]])).to_json()

    return of


def hand_made(case: Case, sentence: int = 0, source: dict | None = None, target: dict | None = None) -> dict:
    """Scores that are zero but at {(row, column): score}"""
    num_source, num_tokens = (len(case.labels(side, sentence)) for side in ("source", "tokens"))
    scores = {"source": np.zeros((num_tokens, num_source)), "target": np.zeros((num_tokens, num_tokens))}
    for name, given in (("source", source), ("target", target)):
        for place, score in (given or {}).items():
            scores[name][place] = score
    return {name: rows.tolist() for name, rows in scores.items()}


def always(answer: dict) -> str:
    return f"() => Promise.resolve({json.dumps(answer)})"


def switch_on(reader: Reader) -> None:
    reader.page.get_by_label("Attribution", exact=True).check()


def bars(reader: Reader, line: str) -> dict[int, float]:
    """The heights of the bars of a line that has them, in CSS pixels; negative where it is against the choice"""
    script = """(all) => all.map((token) => {
      const bar = token.querySelector(".attribution");
      return bar.getBoundingClientRect().height * (bar.classList.contains("against") ? -1 : 1);
    })"""
    return {i: height for i, height in enumerate(reader.tokens(line).evaluate_all(script)) if height}


def expected_heights(scores: list[float], most: float) -> dict[int, float]:
    return {
        i: pytest.approx((5 + 25 * abs(score) / most) * (1 if score > 0 else -1), abs=0.2)
        for i, score in enumerate(scores)
        if abs(score) >= 0.05
    }


def test_attribution_is_off_and_not_asked_for_until_it_is_switched_on_and_then_once(
    visit: Callable[..., Reader], case: Callable[[str], Case], occlusion: Callable[..., dict]
):
    here = case(SENTENCE)
    reader = visit(answer=always(occlusion(here))).show(here)
    assert bars(reader, "english") == bars(reader, "malay") == {}
    assert reader.page.evaluate("asked") == []
    for _ in range(3):
        switch_on(reader)
        reader.page.locator(".contribution").wait_for()
        assert bars(reader, "english") != {}
        reader.page.get_by_label("Attribution", exact=True).uncheck()
        assert not reader.page.locator(".contribution").is_visible()
        assert bars(reader, "english") == bars(reader, "malay") == {}
    assert reader.page.evaluate("asked") == [["attribution", {"sentence": 0}]]


def test_the_bars_of_every_step_are_the_models_own_scores_on_one_scale(
    visit: Callable[..., Reader], case: Callable[[str], Case], occlusion: Callable[..., dict]
):
    here = case(SENTENCE)
    found = occlusion(here)
    most = max(abs(score) for rows in found.values() for row in rows for score in row)
    reader = visit(answer=always(found)).show(here)
    switch_on(reader)
    for step in range(len(here.labels("tokens"))):
        reader.page.locator(".player input").fill(str(step))
        assert bars(reader, "english") == expected_heights(found["source"][step], most)
        assert bars(reader, "malay") == expected_heights([0.0, *found["target"][step][:step]], most)


def test_what_made_a_choice_less_likely_is_told_apart_by_shape_and_by_words(
    visit: Callable[..., Reader], case: Callable[[str], Case]
):
    here = case(SENTENCE)
    source, tokens = here.labels("source"), here.labels("tokens")
    reader = visit(answer=always(hand_made(here, source={(3, 1): 2.1, (3, 2): -0.7}, target={(3, 0): 4.2})))
    reader.show(here, step=3)
    switch_on(reader)
    assert bars(reader, "english") == {1: pytest.approx(17.5, abs=0.2), 2: pytest.approx(-9.17, abs=0.2)}
    assert bars(reader, "malay") == {1: pytest.approx(30, abs=0.2)}, "under the first token, after [CLS]"
    style = "(bar) => getComputedStyle(bar).backgroundColor"
    filled, hollow = (reader.tokens("english").nth(i).locator(".attribution").evaluate(style) for i in (1, 2))
    assert (filled, hollow) == ("rgb(217, 172, 79)", "rgb(255, 255, 255)"), "which is the card's"
    text = reader.page.locator(".contribution")
    choosing = f"Choosing {tokens[3]}, with and without"
    reader.tokens("english").nth(1).hover()
    assert text.inner_text() == f"{choosing} {source[1]}: +2.1 nats, 8.2 times likelier with it."
    reader.page.mouse.move(0, 0)
    reader.tokens("english").nth(2).focus()
    assert text.inner_text() == f"{choosing} {source[2]}: −0.7 nats, 2 times likelier without it."
    labels = reader.tokens("english").evaluate_all("(all) => all.map((each) => each.ariaLabel)")
    assert [label.endswith("−0.7 nats, 2 times likelier without it") for label in labels[1:4]] == [False, True, False]
    reader.choose("Between", "Malay → Malay")
    reader.tokens("malay").nth(1).hover()
    assert text.inner_text() == f"{choosing} {tokens[0]}: +4.2 nats, 67 times likelier with it."


def test_with_nothing_pointed_at_it_says_what_the_choice_owes_most_to(
    visit: Callable[..., Reader], case: Callable[[str], Case]
):
    here = case(SENTENCE)
    source, tokens = here.labels("source"), here.labels("tokens")
    scores = hand_made(here, source={(3, 1): 0.5, (3, 4): 2.1, (0, 2): 0.7}, target={(3, 2): 0.7})
    reader = visit(answer=always(scores)).show(here, step=3)
    switch_on(reader)
    reader.page.mouse.move(0, 0)
    assert reader.page.locator(".contribution").inner_text() == (
        f"Choosing {tokens[3]}, the English that counts most is {source[4]}: +2.1 nats, 8.2 times likelier with it. "
        f"Of the Malay before it, {tokens[2]}: +0.7 nats, 2 times likelier with it."
    )
    reader.page.locator(".player input").fill("0")
    assert reader.page.locator(".contribution").inner_text() == (
        f"Choosing {tokens[0]}, the English that counts most is {source[2]}: +0.7 nats, 2 times likelier with it."
    )


def test_a_choice_that_is_pointed_at_shows_its_own_bars(visit: Callable[..., Reader], case: Callable[[str], Case]):
    here = case(SENTENCE)
    reader = visit(answer=always(hand_made(here, source={(0, 1): 1.0, (5, 3): 2.0}))).show(here)
    switch_on(reader)
    assert bars(reader, "english").keys() == {1}
    reader.tokens("malay").nth(6).hover()
    assert bars(reader, "english").keys() == {3}


def test_nats_are_said_as_factors(reader: Reader):
    def said(score: float) -> str:
        return reader.module(
            "inside/attribution", "m.say(it, (await import('/assets/page/see/inside.js')).ENGLISH)", score
        )

    assert said(2.1) == "+2.1 nats, 8.2 times likelier with it"
    assert said(-0.7) == "−0.7 nats, 2 times likelier without it"
    assert said(9.21) == "+9.2 nats, 10,000 times likelier with it"
    assert said(40.0) == "+40.0 nats, more than 1,000,000 times likelier with it"
    assert said(-0.04) == said(0) == "0.0 nats, as likely without it"


def test_stepping_with_attribution_moves_nothing(
    visit: Callable[..., Reader], case: Callable[[str], Case], occlusion: Callable[..., dict]
):
    here = case(SENTENCE)
    for size, language in ((WIDE, "en"), (NARROW, "en"), (NARROW, "ms")):
        reader = visit(answer=always(occlusion(here)), size=size, language=language).show(here)
        reader.page.locator(".why input").check()
        reader.page.locator(".contribution").wait_for()
        places = (
            "[...document.querySelectorAll('.inside .token, .inside section, .inside h3, .inside .why *')].map((n) => {"
            "const { x, y, width, height } = n.getBoundingClientRect(); return [x, y, width, height]; })"
        )
        before = reader.page.evaluate(places)
        for _ in here.labels("tokens")[1:]:
            reader.page.evaluate("document.querySelector('.player .next').click()")
            assert reader.page.evaluate(places) == before


def test_attribution_that_cannot_be_had_is_said_and_can_be_asked_for_again(
    visit: Callable[..., Reader], case: Callable[[str], Case]
):
    here = case(SENTENCE)
    reader = visit(answer=ANSWERS).show(here)
    switch_on(reader)
    status = reader.page.locator(".why [role=status]")
    assert status.inner_text() == "Hiding each token in turn…"
    again = reader.page.get_by_role("button", name="Try again")
    assert again.count() == 0, "while it is on its way"
    reader.page.evaluate("answers[0].reject(new Error('gone'))")
    again.click()
    assert status.inner_text() == "Hiding each token in turn…"
    reader.page.evaluate("answers[0].resolve({ source: [[1]], target: [[0]] })")
    reader.page.wait_for_function("document.querySelector('.why [role=status]').textContent.includes('could not')")
    assert bars(reader, "english") == {}, "scores of another sentence"
    again.click()
    reader.page.evaluate("(found) => answers[0].resolve(found)", hand_made(here, source={(0, 1): 1.0}))
    reader.page.locator(".contribution").wait_for()
    assert bars(reader, "english").keys() == {1}
    assert not status.is_visible()


def test_attribution_that_comes_after_the_reader_has_gone_on_is_not_shown(
    visit: Callable[..., Reader], case: Callable[[str], Case]
):
    here = case(TEXT)
    answers = """(() => {
      window.answers = {};
      return (kind, { sentence }) => new Promise((resolve) => { answers[`${kind} ${sentence}`] = resolve; });
    })()"""
    reader = visit(answer=answers).show(here)
    switch_on(reader)
    reader.page.locator("label.sentence select").select_option("1")
    reader.page.evaluate("(attention) => answers['attention 1'](attention)", here.attentions[1])
    reader.page.wait_for_function("'attribution 1' in answers")
    reader.page.evaluate("(found) => answers['attribution 0'](found)", hand_made(here, 0, {(0, 0): 1.0}))
    reader.page.wait_for_timeout(50)
    assert bars(reader, "english") == {}
    reader.page.evaluate("(found) => answers['attribution 1'](found)", hand_made(here, 1, {(0, 2): 1.0}))
    reader.page.locator(".contribution").wait_for()
    assert bars(reader, "english").keys() == {2}


def test_it_says_that_attention_alone_is_no_explanation(reader: Reader):
    assert "By itself it is no explanation" in reader.page.locator(".caveat").inner_text()


# Several sentences


def test_another_sentence_is_fetched_and_a_late_answer_for_one_that_was_left_is_not_shown(
    visit: Callable[..., Reader], case: Callable[[str], Case]
):
    here = case(TEXT)
    reader = visit(answer=ANSWERS).show(here)
    picker = reader.page.locator("label.sentence select")
    picker.select_option("1")
    assert reader.page.locator(".status").inner_text() == "Fetching the attention…"
    picker.select_option("2")
    reader.page.evaluate("(attention) => answers[2].resolve(attention)", here.attentions[2])
    reader.page.wait_for_function("document.querySelector('.inside .status').textContent === ''")
    reader.page.evaluate("(attention) => answers[1].resolve(attention)", here.attentions[1])
    reader.page.wait_for_timeout(50)
    assert reader.tokens("english").locator(".label").all_inner_texts() == here.labels("source", 2)
    assert reader.page.evaluate("asked.map(([kind, { sentence }]) => [kind, sentence])") == [
        ["attention", 1],
        ["attention", 2],
    ]


def test_attention_that_cannot_be_had_is_said_and_can_be_asked_for_again(
    visit: Callable[..., Reader], case: Callable[[str], Case]
):
    here = case(TEXT)
    reader = visit(answer=ANSWERS).show(here)
    reader.page.locator("label.sentence select").select_option("1")
    reader.page.evaluate("answers[1].reject(new Error('gone'))")
    reader.page.wait_for_function("document.querySelector('.inside .status').textContent.includes('could not')")
    reader.page.get_by_role("button", name="Try again").click()
    reader.page.evaluate("(attention) => answers[1].resolve(attention)", here.attentions[1])
    reader.page.wait_for_function("document.querySelector('.inside .status').textContent === ''")
    assert reader.tokens("english").locator(".label").all_inner_texts() == here.labels("source", 1)


def test_one_sentence_has_no_picker(reader: Reader):
    assert not reader.page.locator("label.sentence select").is_visible()


# For everyone


def test_both_languages_say_everything(reader: Reader):
    english, malay = reader.module("inside.words", "[m.ENGLISH, m.MALAY]")

    def flat(words: dict, prefix: str = "") -> dict[str, str]:
        pairs = [flat(v, f"{k}.") if isinstance(v, dict) else {f"{prefix}{k}": v} for k, v in words.items()]
        return {key: text for pair in pairs for key, text in pair.items()}

    def names(text: str) -> set[str]:
        return set(re.findall(r"\{\w+\}", text))

    english, malay = flat(english), flat(malay)
    assert english.keys() == malay.keys()
    assert {key for key in english if names(english[key]) != names(malay[key])} == set()


def test_the_malay_view_speaks_malay(visit: Callable[..., Reader], case: Callable[[str], Case]):
    reader = visit(language="ms").show(case(SENTENCE))
    last = case(SENTENCE).num_steps
    assert reader.heading == f"Langkah 1 daripada {last}: apa seterusnya?"
    assert reader.page.get_by_role("button", name="Main", exact=True).is_visible()
    assert "undefined" not in reader.page.locator(".inside").inner_text()


@pytest.mark.parametrize("size", [NARROW, WIDE, (1600, 900)])
def test_nothing_is_wider_than_the_window(
    visit: Callable[..., Reader], case: Callable[[str], Case], size: tuple[int, int]
):
    reader = visit(size=size).show(case(SENTENCE), model=MODEL)
    for legend in ("English → English", "Malay → Malay", "Malay → English"):
        reader.choose("Between", legend)
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert reader.canvas.bounding_box()["width"] <= reader.page.locator(".map-holder").bounding_box()["width"]


def test_what_was_typed_is_text_and_never_markup(visit: Callable[..., Reader], case: Callable[[str], Case]):
    here = case("Type <img src=x onerror=alert(1)> and press Enter. Then wait.")
    reader = visit().show(here)
    assert reader.page.locator(".inside img").count() == 0
    assert "<img" in reader.page.locator("select option").first.text_content()


def test_day_and_night_change_the_map_at_once(reader: Reader):
    corner = "(canvas) => [...canvas.getContext('2d').getImageData(1, 1, 1, 1).data]"
    assert reader.canvas.evaluate(corner) == [255, 255, 255, 255]
    reader.page.evaluate("document.body.classList.add('dark')")
    reader.page.wait_for_timeout(50)
    assert reader.canvas.evaluate(corner) == [0x1F, 0x16, 0x1D, 255]


def test_destroying_it_leaves_nothing_behind(visit: Callable[..., Reader], case: Callable[[str], Case]):
    reader = visit()
    reader.page.clock.install()
    reader.show(case(SENTENCE))
    reader.page.get_by_role("button", name="Play", exact=True).click()
    reader.page.evaluate("view.destroy()")
    reader.page.evaluate("document.body.classList.add('dark')")
    reader.page.clock.run_for(5000)
    assert reader.page.locator("#root > *").count() == 0


# Speed


def long_case(length: int) -> Case:
    """A sentence of made-up tokens with random attention, four layers of eight heads"""
    random = np.random.default_rng(0)
    tokens = [{"id": i, "span": None} for i in range(length - 1)] + [{"id": length, "span": None}]
    said = [
        {**token, "log_prob": -0.1, "entropy": 0.3, "alternatives": [[token["id"], -0.1], [1, -3.0]]}
        for token in tokens
    ]
    sentence = {"english": "e", "malay": "m", "read": "e", "source": tokens, "tokens": said, "forced": 0}
    pieces = {str(i): f" word{i}" for i in range(length)} | {str(length): "[SEP]"}
    weights = random.dirichlet(np.full(length, 0.1), size=(4, 8, length)).astype(np.float32)
    attention = {"encoder": packed(weights), "decoder": packed(np.tril(weights)), "cross": packed(weights)}
    return Case({"pieces": pieces, "sentences": [sentence]}, [attention])


SWITCHES = """async () => {
  const inputs = [...document.querySelectorAll(".inside .radios input")].filter(({ value }) => /^[0-7]$/.test(value));
  for (const input of inputs) {
    input.click();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  }
  return inputs.length;
}"""


def milliseconds_a_switch(page: Page) -> float:
    """What one change of layer or head costs the page's thread, drawing and layout included. Processor time, so that
    it is the same while the machine is busy with other things."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    page.evaluate(SWITCHES)
    before = spent()
    num_switches = page.evaluate(SWITCHES)
    assert num_switches == 12
    return 1000 * (spent() - before) / num_switches


def test_switching_layer_or_head_takes_less_than_a_frame_for_60_by_60_tokens(visit: Callable[..., Reader]):
    assert 0.1 < milliseconds_a_switch(visit(noted=False).show(long_case(60)).page) < 16


def test_400_tokens_do_not_hang_the_page(visit: Callable[..., Reader]):
    reader = visit(noted=False)
    here = long_case(400)
    given = {"explanation": here.explanation, "attention": here.attentions[0]}
    script = "(given) => { const start = performance.now(); view.show(given); return performance.now() - start; }"
    assert reader.page.evaluate(script, given) < 3000
    assert milliseconds_a_switch(reader.page) < 150
