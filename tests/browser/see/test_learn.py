"""The Watch it learn view, driven as a visitor would, with what real weights say: random, damaged, and the embedded."""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Locator

from malaygpt.checkpoint import load_checkpoint
from malaygpt.model import Transformer, build_model
from malaygpt.timeline import TIMELINE, load_timeline
from malaygpt.tokenizer import SEP_ID
from train.timeline import translate

from ..running import ROOT
from . import viewing
from .viewing import NARROW, WIDE

PROBES = [
    "I do not drink coffee at night.",
    "The black cat sleeps under an old wooden table.",
    "Where can we buy rice?",
]
FIGURES = {
    **{
        "step": [0, 10, 200, 900, 9000],
        "epoch": [0.0, 0.01, 0.22, 1, 10],
        "tokens": [0, None, 412_000, 1_900_000, 19_300_000],
    },
    **{"seconds": [0.0, 4.2, 75.0, None, 3725.0], "loss": [None, 8.91, 7.0, 4.22, 2.28]},
    **{"validation_loss": [None, None, None, 3.5, 1.18], "bleu": [None, None, None, 9.8, 47.6]},
    "chrf": [None, None, None, 34.2, 70.0],
}
"""Of the moments, made up"""
DAMAGE = 0.9, 0.6
"""Standard deviations of the noise on the weights at moments in between, in those of the weights"""


@pytest.fixture(scope="module")
def timeline(tmp_path_factory) -> dict:
    """Random weights, the embedded ones under less and less noise, and twice the embedded ones themselves"""
    embedded, tokenizer = load_checkpoint(ROOT / "assets" / "checkpoint")
    torch.manual_seed(0)
    stages = [build_model(embedded.config).eval(), *(damaged(embedded, noise) for noise in DAMAGE), embedded, embedded]
    sources = tokenizer.encode_batch(PROBES)
    moments = [
        {name: values[i] for name, values in FIGURES.items()}
        | {"translations": list(translate(model, tokenizer, sources))}
        for i, model in enumerate(stages)
    ]
    curve = {"step": [50, 200, 900, 4000, 9000], "seconds": [None] * 5, "loss": [8.9, 7.0, 4.2, 2.9, 2.3]}
    scores = {"step": [900, 9000], "seconds": [None] * 2, "loss": [3.5, 1.18], "bleu": [9.8, 47.6], "chrf": [34.2, 70]}
    probes = [
        {"text": text, "pieces": tokenizer.pieces([*ids, SEP_ID])} for text, ids in zip(PROBES, sources, strict=True)
    ]
    shape = {"num_layers": embedded.config.num_decoder_blocks, "num_heads": embedded.config.num_heads}
    made = {"version": 1, **shape, "probes": probes, "moments": moments, "training": curve, "validation": scores}
    directory = tmp_path_factory.mktemp("timeline")
    (directory / TIMELINE).write_text(json.dumps(made))
    return load_timeline(directory)


@torch.no_grad()
def damaged(model: Transformer, noise: float) -> Transformer:
    model = deepcopy(model)
    for weights in model.parameters():
        weights += noise * weights.std(correction=0) * torch.randn_like(weights)
    return model


@dataclass(frozen=True)
class Reader(viewing.Reader):
    """One reader before the view."""

    def show(self, timeline: dict | None) -> "Reader":
        self.page.evaluate("(timeline) => view.show(timeline)", timeline)
        return self

    @property
    def slider(self) -> Locator:
        return self.page.locator("input[type=range]")

    def go(self, moment: int) -> "Reader":
        self.slider.fill(str(moment))
        return self

    def tokens(self, line: str) -> Locator:
        return self.page.locator(f".{line} [role=listbox] .token")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def figures(self) -> dict[str, str]:
        rows = self.page.locator(".figures > div").all()
        return {row.get_attribute("data-name"): row.locator("dd").inner_text() for row in rows}

    def group(self, legend: str, label: str) -> Locator:
        return self.page.get_by_role("group", name=legend, exact=True).get_by_role("radio", name=label, exact=True)

    def drawn(self) -> tuple[list[dict], list[dict]]:
        """The labels of the map's rows and columns, as drawn from top and from left"""
        labels = self.canvas.evaluate("(canvas) => canvas.labels")
        rows = sorted((each for each in labels if not each["turned"]), key=lambda each: each["y"])
        return rows, sorted((each for each in labels if each["turned"]), key=lambda each: each["x"])

    def cells(self) -> np.ndarray:
        """Colours of the map's cells, (T, S, RGB), read off the canvas; only where every row and column has a label"""
        rows, columns = self.drawn()
        places = [[[each["x"], row["y"]] for each in columns] for row in rows]
        script = """(canvas, places) => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          const at = ([x, y]) => 4 * (Math.round(y) * width + Math.round(x));
          return places.map((row) => row.map((place) => [...data.slice(at(place), at(place) + 3)]));
        }"""
        return np.array(self.canvas.evaluate(script, places))


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Reader]]:
    """Opens the view."""
    with viewing.visits(browser, address, "learn", Reader) as open_page:
        yield open_page


@pytest.fixture
def reader(visit: Callable[..., Reader], timeline: dict) -> Reader:
    return visit().show(timeline)


def cross(timeline: dict, moment: int, probe: int, part: str) -> np.ndarray:
    """Weights of "layers" or "heads", (N, T, S)"""
    said = timeline["moments"][moment]["translations"][probe]
    data = np.frombuffer(b64decode(said[part]), np.uint8) / 255
    return data.reshape(-1, len(said["pieces"]), len(timeline["probes"][probe]["pieces"]))


def percent(share: float) -> str:
    share *= 100
    return "< 0.1 %" if 0 < share < 0.1 else f"{share:.1f} %" if 0 < share < 10 else f"{int(share + 0.5)} %"


def visible(piece: str) -> str:
    return piece.replace(" ", "·")


# What is there


@pytest.mark.parametrize("probe", range(len(PROBES)))
def test_every_moment_shows_what_was_said_then(reader: Reader, timeline: dict, probe: int):
    reader.page.locator("select").select_option(PROBES[probe])
    texts = set()
    for place, moment in enumerate(timeline["moments"]):
        reader.go(place)
        said = moment["translations"][probe]
        assert reader.tokens("malay").all_text_contents() == said["pieces"]
        labels = reader.tokens("malay").evaluate_all("(all) => all.map((each) => each.getAttribute('aria-label'))")
        for label, piece, share in zip(labels, said["pieces"], said["probabilities"], strict=True):
            assert label.startswith(f"{visible(piece)}: {percent(share)} sure")
        assert percent(np.mean(said["probabilities"])) in reader.text(".sure")
        texts.add(said["text"])
    assert reader.tokens("english").all_text_contents() == timeline["probes"][probe]["pieces"]
    assert len(texts) > 2, "the moments differ, or nothing was tested"


def test_the_fill_of_a_token_is_its_probability_on_the_one_scale(visit: Callable[..., Reader], timeline: dict):
    reader = visit(motion="reduce").show(timeline).go(2)
    expected = reader.module(
        "scale",
        "it.map((each) => m.readScale(document.querySelector('.learn')).fill(each))",
        timeline["moments"][2]["translations"][0]["probabilities"],
    )
    script = "(all) => all.map((each) => getComputedStyle(each).backgroundColor.replaceAll(',', ''))"
    assert reader.tokens("malay").evaluate_all(script) == expected
    assert len(set(expected)) > 1


def test_new_tokens_are_marked_and_the_moment_before_is_told(reader: Reader, timeline: dict):
    for moment in (1, 4):
        reader.go(moment)
        before, now = (timeline["moments"][i]["translations"][0] for i in (moment - 1, moment))
        marked = reader.tokens("malay").evaluate_all("(all) => all.map((each) => each.matches('.new'))")
        kept = [piece for piece, is_new in zip(now["pieces"], marked, strict=True) if not is_new]
        rest = iter(before["pieces"])
        assert all(piece in rest for piece in kept), "what is not new was there before, in this order"
        assert any(marked) == (now["text"] != before["text"])
        assert reader.text(".before") == f"The moment before: {before['text'].strip()}"
        if any(marked):
            assert f"New since the moment before: {sum(marked)} of its {len(marked)} tokens." in reader.text(".remark")
    reader.go(0)
    assert reader.page.locator(".token.new").count() == 0
    assert reader.text(".before") == "This is the first moment."


def test_figures_are_written_out_and_those_unknown_are_said_to_be(reader: Reader):
    reader.go(0)
    assert reader.text(".when") == "Before the first step"
    assert reader.figures()["loss"] == reader.figures()["chrf"] == "not measured"
    reader.go(2)
    assert reader.text(".when") == "After 200 steps, 0.22 of an epoch"
    assert reader.figures() == {
        **{"step": "200", "epoch": "0.22", "tokens": "412K", "seconds": "1 min 15 s", "loss": "7.00"},
        **{"validation_loss": "not measured", "chrf": "not measured"},
    }
    reader.go(4)
    assert reader.figures() == {
        **{"step": "9,000", "epoch": "10", "tokens": "19.3M", "seconds": "1 h 2 min", "loss": "2.28"},
        **{"validation_loss": "1.18", "chrf": "70.0"},
    }


def test_what_no_moment_knows_is_left_out(reader: Reader, timeline: dict):
    bare = deepcopy(timeline)
    for moment in bare["moments"]:
        moment.update(dict.fromkeys(("epoch", "tokens", "seconds", "validation_loss", "bleu", "chrf")))
    bare["moments"][0].update(tokens=0, seconds=0.0, epoch=0.0)
    bare["validation"] = {name: [] for name in bare["validation"]}
    reader.show(bare).go(3)
    assert list(reader.figures()) == ["step", "loss"]
    assert reader.text(".when") == "After 900 steps"
    assert reader.page.locator(".curves .name").all_text_contents() == ["Loss: lower is better"]
    bare["training"] = {name: [] for name in bare["training"]}
    reader.show(bare)
    assert not reader.page.locator(".curves").is_visible()
    reader.show(timeline)
    assert reader.page.locator(".curves .name").count() == 2


# Remarks


def made_up(*texts: str, other: str = "Lain.") -> dict:
    """As much of a timeline as remarks need: one sentence's translations at its moments, and another's that stays"""

    def said(text: str) -> dict:
        return {"text": text, "pieces": [*re.findall(r" ?\w+|\W", text), "[SEP]"]}

    moments = [{"step": 10 * i, "translations": [said(text), said(other)]} for i, text in enumerate(texts)]
    return {"probes": [{}, {}], "moments": moments}


def remarks(reader: Reader, timeline: dict, moment: int) -> list:
    return reader.module("learn/remarks", "m.remarks(it[0], it[1], 0)", [timeline, moment])


def test_what_is_said_of_a_moment_follows_from_the_translations(reader: Reader):
    course = made_up("", "yang yang yang", "Satu dua", "Satu tiga.", "Satu tiga.", "Satu empat.", "Satu empat.")
    course["moments"][2]["translations"][0]["pieces"].pop()
    found = [remarks(reader, course, moment) for moment in range(7)]
    assert found == [
        [["nothing", {}]],
        [["repeats", {"text": "yang", "count": 3}], ["changed", {"count": 3, "of": 4}]],
        [["cut", {"count": 2}], ["changed", {"count": 2, "of": 2}]],
        [["changed", {"count": 3, "of": 4}]],
        [["unchanged", {}]],
        [["settles", {}]],
        [["since", {"step": 50}]],
    ]
    assert remarks(reader, made_up("Satu.", "Dua.", "Dua.", "Dua."), 2) == [["settled", {}]]
    assert remarks(reader, made_up("Satu dua.", "Satu.", "Tiga."), 1) == [["shorter", {}]]
    assert remarks(reader, made_up("Satu.", "Lain."), 1) == [["alike", {"count": 2, "of": 2}]]


@pytest.mark.parametrize(
    ("text", "pieces", "expected"),
    [
        ("Ia datang, datang lagi", ["Ia", " datang", ",", " datang", " lagi"], None),
        ("elfelfelfelf", ["elf"] * 4, {"text": "elf", "count": 4}),
        ("1000 orang", ["1", "0", "0", "0", " orang"], None),
        ("Saya saya, minum minum minum.", ["Saya", " saya", ","], {"text": "minum", "count": 3}),
        ("kereta api api?", ["kereta", " api", " api", "?"], {"text": "api", "count": 2}),
        ("Kanak-kanak itu.", ["Kanak", "-", "kanak", " itu", "."], None),
        ("", [], None),
    ],
)
def test_repetition_is_that_of_words_or_of_many_pieces(reader: Reader, text: str, pieces: list[str], expected):
    assert reader.module("learn/remarks", "m.longestRun(...it)", [text, pieces]) == expected


def test_attention_is_remarked_on_only_where_it_is_plain(reader: Reader):
    def remark(weights: list[list[float]]) -> list | None:
        script = "m.attentionRemark({ rows: it.length, columns: it[0].length, weights: it.flat() })"
        return reader.module("learn/remarks", script, weights)

    assert remark([[0.3, 0.2, 0.25, 0.25]] * 2) == ["even", {"share": 0.3}]
    assert remark([[0.1, 0.9, 0], [0, 0.6, 0.4]]) == ["oneColumn", {"share": 0.75, "column": 1}]
    assert remark([[0.9, 0.1, 0], [0.05, 0.05, 0.9]]) is None


# Attention


@pytest.mark.parametrize("chosen", [("layers", 1, "Mean"), ("layers", 0, "Mean"), ("heads", 3, "4")])
def test_the_map_is_that_of_the_moment_sentence_layer_and_head(
    visit: Callable[..., Reader], timeline: dict, chosen: tuple[str, int, str]
):
    reader = visit().show(timeline).go(4)
    part, place, head = chosen
    reader.page.locator("select").select_option(PROBES[1])
    reader.group("Layer", "1" if chosen == ("layers", 0, "Mean") else "2").check()
    if part == "heads":
        reader.group("Head", head).check()
    rows, columns = reader.drawn()
    said = timeline["moments"][4]["translations"][1]
    assert [each["text"] for each in rows] == [visible(piece) for piece in said["pieces"]]
    assert [each["text"] for each in columns] == [visible(piece) for piece in timeline["probes"][1]["pieces"]]
    weights = cross(timeline, 4, 1, part)[place]
    script = """it.map((row) => row.map((weight) => {
      return m.readScale(document.querySelector(".learn")).fill(weight).match(/\\d+/g).map(Number);
    }))"""
    assert np.array_equal(reader.cells(), reader.module("scale", script, weights.tolist()))


def test_only_the_last_layer_has_heads(reader: Reader):
    reader.group("Head", "3").check()
    reader.group("Layer", "1").check()
    assert reader.group("Head", "3").is_disabled()
    assert "layer 1, mean of its heads" in reader.canvas.get_attribute("aria-label")
    reader.group("Layer", "2").check()
    assert reader.group("Head", "Mean").is_checked()
    assert reader.group("Head", "3").is_enabled()


def test_pointing_at_a_token_tells_what_it_looked_at_and_how_sure_it_was(reader: Reader, timeline: dict):
    reader.go(4)
    said, english = timeline["moments"][4]["translations"][0], timeline["probes"][0]["pieces"]
    row = cross(timeline, 4, 0, "layers")[-1][2]
    most = int(row.argmax())
    reader.tokens("malay").nth(2).hover()
    piece, share = visible(said["pieces"][2]), percent(said["probabilities"][2])
    first = f"{visible(english[most])} {percent(row[most])}"
    assert reader.text(".readout").startswith(f"{piece}: {share} sure. Choosing {piece}, it looked most at {first}, ")
    fills = reader.tokens("english").evaluate_all("(all) => all.map((each) => each.style.backgroundColor)")
    assert all(fills)
    assert fills[most] != fills[int(row.argmin())]
    reader.page.mouse.move(1, 1)
    reader.page.locator(".english .token[style*=background]").first.wait_for(state="detached")


def test_the_keyboard_reaches_every_token_and_every_cell(reader: Reader, timeline: dict):
    reader.go(4)
    reader.tokens("malay").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        reader.page.keyboard.press(key)
    assert reader.tokens("malay").nth(1).evaluate("(token) => token === document.activeElement")
    assert reader.slider.input_value() == "4", "the arrow keys belong to the tokens while they have the focus"
    reader.canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        reader.page.keyboard.press(key)
    said, english = timeline["moments"][4]["translations"][0]["pieces"], timeline["probes"][0]["pieces"]
    weight = percent(cross(timeline, 4, 0, "layers")[-1][1, 1])
    expected = f"Choosing {visible(said[1])}, it looked at {visible(english[1])}: {weight}"
    assert reader.text(".readout") == expected
    reader.page.keyboard.press("Escape")
    assert reader.text(".readout") != expected


# Going through the moments


def test_the_slider_answers_the_keys_and_says_the_moment(reader: Reader, timeline: dict):
    assert reader.slider.input_value() == "0"
    reader.slider.focus()
    for key, place in (("ArrowRight", "1"), ("End", "4"), ("ArrowLeft", "3"), ("Home", "0")):
        reader.page.keyboard.press(key)
        assert reader.slider.input_value() == place
    reader.page.get_by_role("button", name="Play").focus()
    reader.page.keyboard.press("End")
    said = timeline["moments"][4]["translations"][0]["text"]
    assert reader.slider.get_attribute("aria-valuetext") == f"Moment 5 of 5, After 9,000 steps, 10 epochs: “{said}”"
    reader.page.locator("select").select_option(PROBES[1])
    assert reader.slider.input_value() == "4", "another sentence is shown at the same moment"
    assert timeline["moments"][4]["translations"][1]["text"] in reader.slider.get_attribute("aria-valuetext")


def test_playing_walks_to_the_last_moment_and_can_be_paused(reader: Reader):
    reader.page.get_by_role("button", name="Play").click()
    reader.page.wait_for_function("document.querySelector('input[type=range]').value === '1'")
    reader.page.get_by_role("button", name="Pause").click()
    reader.page.wait_for_timeout(1500)
    assert reader.slider.input_value() == "1"
    reader.page.get_by_role("button", name="Play").click()
    reader.page.wait_for_function("document.querySelector('input[type=range]').value === '4'")
    assert reader.page.get_by_role("button", name="Play").is_visible()


def test_the_moment_is_marked_on_the_curves_where_it_was_measured(reader: Reader, timeline: dict):
    steps = FIGURES["step"]
    lines = []
    for place in range(len(steps)):
        reader.go(place)
        lines.append(float(reader.page.locator(".curves .cursor").get_attribute("x1")))
        measured = [FIGURES[name][place] is not None for name in ("loss", "validation_loss", "chrf")]
        dots = [reader.page.locator(f".curves .dot.{name}") for name in ("training", "validation", "chrf")]
        assert [dot.is_visible() for dot in dots] == measured
    logs = np.log1p(steps)
    share = (np.array(lines) - lines[0]) / (lines[-1] - lines[0])
    np.testing.assert_allclose(share, logs / logs[-1], atol=1e-3)
    points = reader.page.locator(".curve.chrf").get_attribute("points").split()
    last = reader.page.locator(".dot.chrf")
    assert points[-1] == f"{float(last.get_attribute('cx')):.1f},{float(last.get_attribute('cy')):.1f}"


def test_pressing_on_the_curves_goes_to_the_moment_there(reader: Reader):
    reader.page.locator(".curves").scroll_into_view_if_needed()
    box = reader.page.locator(".curves").bounding_box()
    reader.go(3)
    place = float(reader.page.locator(".curves .cursor").get_attribute("x1"))
    reader.go(0)
    reader.page.mouse.click(box["x"] + place + 4, box["y"] + 90)
    assert reader.slider.input_value() == "3"


@pytest.mark.parametrize(
    ("most", "expected"),
    [(8.9, [0, 5, 10]), (70, [0, 20, 40, 60, 80]), (1.2, [0, 0.5, 1, 1.5]), (0, [0]), (100, [0, 50, 100])],
)
def test_ticks_upwards_are_round(reader: Reader, most: float, expected: list[float]):
    assert reader.module("learn/curve", "m.valueTicks(it)", most) == expected


@pytest.mark.parametrize(
    ("last", "expected"), [(8978, [0, 10, 100, 1000, 8978]), (1200, [0, 10, 100, 1000]), (30, [0, 1, 10, 30])]
)
def test_ticks_of_steps_are_powers_of_ten_and_the_last(reader: Reader, last: int, expected: list[int]):
    assert reader.module("learn/curve", "m.stepTicks(it)", last) == expected


# The view by itself


def test_a_timeline_is_asked_for_once_and_again_when_that_failed(visit: Callable[..., Reader], timeline: dict):
    answer = "() => window.asked.length > 1 ? Promise.resolve(window.timeline) : Promise.reject(new Error('away'))"
    reader = visit(answer=answer)
    reader.page.evaluate("(timeline) => { window.timeline = timeline; view.show(); }", timeline)
    reader.page.get_by_role("button", name="Try again").click()
    reader.tokens("malay").first.wait_for()
    assert reader.page.evaluate("asked") == [["timeline", {}]] * 2
    assert not reader.page.get_by_role("button", name="Try again").is_visible()


def test_a_checkpoint_without_a_timeline_says_so(reader: Reader):
    reader.show(None)
    assert "nothing to watch" in reader.text(".status")
    assert not reader.slider.is_visible()


@pytest.mark.parametrize(
    ("size", "dark", "language"),
    [(WIDE, False, "en"), (NARROW, False, "ms"), (NARROW, True, "en"), ((1600, 900), True, "ms")],
)
def test_nothing_moves_between_moments_and_nothing_is_wider_than_the_page(
    visit: Callable[..., Reader], timeline: dict, size: tuple[int, int], dark: bool, language: str
):
    reader = visit(size, dark, language).show(timeline)
    script = """() => [...document.querySelectorAll(".card, .head, .map, .readout, .before, .curves")].map((node) => {
      return [node.className.baseVal ?? node.className, node.getBoundingClientRect().top + scrollY];
    })"""
    for probe in PROBES:
        reader.page.locator("select").select_option(probe)
        reader.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        places = [reader.go(place).page.evaluate(script) for place in range(len(timeline["moments"]))]
        for each in places:
            assert each == places[0]
        assert reader.page.evaluate("document.documentElement.scrollWidth") == size[0]


def test_every_text_can_be_read_on_its_fill_by_day_and_by_night(visit: Callable[..., Reader], timeline: dict):
    for dark in (False, True):
        reader = visit(dark=dark, motion="reduce").show(timeline).go(2)
        colours = reader.tokens("malay").evaluate_all(
            "(all) => all.map((each) => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor])"
        )
        pairs = [[[int(n) for n in re.findall(r"\d+", colour)[:3]] for colour in pair] for pair in colours]
        assert min(reader.module("scale", "it.map(([one, other]) => m.contrast(one, other))", pairs)) >= 4.5


def test_the_theme_is_followed_while_the_view_is_open(visit: Callable[..., Reader], timeline: dict):
    reader = visit(motion="reduce").show(timeline).go(4)
    fill = "(token) => getComputedStyle(token).backgroundColor"
    day = reader.tokens("malay").first.evaluate(fill)
    reader.page.evaluate("() => document.body.classList.add('dark')")
    reader.page.wait_for_function(
        "(day) => getComputedStyle(document.querySelector('.malay [role=listbox] .token')).backgroundColor !== day",
        arg=day,
    )


def test_both_languages_say_the_same_things(reader: Reader):
    script = """(({ ENGLISH, MALAY }) => [ENGLISH, MALAY].map(function texts(words) {
      return Object.entries(words).flatMap(([name, text]) =>
        typeof text === "object" ? texts(text).map((each) => `${name}.${each}`)
          : [`${name} ${(text.match(/\\{\\w+\\}/g) ?? []).sort().join("")}`]);
    }))(m)"""
    english, malay = reader.module("learn.words", script)
    assert english == malay
    assert len(english) > 50


def test_it_speaks_malay(visit: Callable[..., Reader], timeline: dict):
    reader = visit(language="ms").show(timeline).go(4)
    assert reader.text(".when") == "Selepas 9,000 langkah, 10 epok"
    assert reader.text(".remark") == "Terjemahannya begini sejak langkah 900."
    assert not re.search(r"\{\w+\}", reader.text(".learn"))


def test_reduced_motion_leaves_no_transition(visit: Callable[..., Reader], timeline: dict):
    durations = [
        visit(motion=motion)
        .show(timeline)
        .tokens("malay")
        .first.evaluate("(t) => getComputedStyle(t).transitionDuration")
        for motion in ("no-preference", "reduce")
    ]
    assert durations[0] != durations[1] == "0s"


def test_a_view_that_is_taken_down_leaves_nothing_behind(reader: Reader):
    reader.page.get_by_role("button", name="Play").click()
    reader.page.evaluate("() => view.destroy()")
    reader.page.wait_for_timeout(1200)  # a moment of the playing
    assert reader.page.evaluate("document.getElementById('root').children.length") == 0
