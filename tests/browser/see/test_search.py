"""The Search view, driven as a visitor would, with what the embedded checkpoint says, and with trees made by hand."""

import functools
import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Locator, Page

from malaygpt.decode import SearchOptions, _sample
from malaygpt.explain import MOST_HYPOTHESES, NUM_ALTERNATIVES
from malaygpt.translator import BEAMS, Translator

from . import viewing
from .viewing import NARROW, WIDE

SENTENCE = "She said that the old library near the river would be closed until the end of next month."
TEXT = f"Good morning. {SENTENCE} Where is the nearest train station?"
OPTIONS = {"num_beams", "length_penalty", "temperature", "top_k", "top_p", "seed"}
SEP = 3


@pytest.fixture(scope="module")
def embedded() -> Translator:
    return Translator.load(device="cpu")


@pytest.fixture(scope="module")
def explain(embedded: Translator) -> Callable[..., dict]:
    """What the server answers to ask("search", {text, options})"""

    @functools.cache
    def make(text: str, **options: float) -> dict:
        whole = {"num_beams": BEAMS.num_beams, "num_alternatives": NUM_ALTERNATIVES, **options}
        num_hypotheses = min(MOST_HYPOTHESES, whole["num_beams"])
        return embedded.explain(text, SearchOptions(num_hypotheses=num_hypotheses, **whole)).to_json()

    return make


@dataclass(frozen=True)
class Reader(viewing.Reader):
    """One reader before the view."""

    def show(self, explanation: dict | None, **given: object) -> "Reader":
        self.page.evaluate("(given) => view.show(given)", {"explanation": explanation, **given})
        return self

    def side(self, name: str) -> Locator:
        return self.page.get_by_role("region", name={"left": "First search", "right": "Second search"}[name])

    def figure(self, name: str, figure: str) -> str:
        return self.side(name).locator(f".figures [data-name={figure}] dd").inner_text()

    def set(self, name: str, setting: str, value: float) -> None:
        self.side(name).locator(f"[data-name={setting}]").fill(str(value))

    def way(self, name: str, way: str) -> None:
        self.side(name).get_by_role("radio", name=way).check()

    def look_at(self, tree: str) -> None:
        self.page.get_by_role("group", name="Of", exact=True).get_by_role("radio", name=tree, exact=True).check()

    def go(self, step: int) -> None:
        self.page.locator(".player input").fill(str(step))

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def asked(self) -> list:
        return self.page.evaluate("asked")

    def settled(self) -> "Reader":
        """Waits until both searches are there."""
        self.page.wait_for_function("!document.querySelector('.search .waiting')")
        return self

    def nodes(self) -> dict[int, list[dict]]:
        """The tokens that are drawn, from top, by their step; nothing is scrolled"""
        self.page.wait_for_timeout(60)  # what is drawn, is drawn in the next frame
        columns: dict[int, list[dict]] = {}
        for label in sorted(self.canvas.evaluate("(canvas) => canvas.labels"), key=lambda each: each["y"]):
            if not re.match(r"[\d<−]", label["text"]):
                columns.setdefault(round((label["x"] - 59) / 158), []).append(label)
        return columns

    def columns(self) -> list[list[str]]:
        return [[node["text"] for node in nodes] for _, nodes in sorted(self.nodes().items())]

    def point_at(self, step: int, place: int) -> str:
        """Moves the pointer to a node; returns what is said of it."""
        node = self.nodes()[step][place]
        self.page.locator(".focus").hover(position={"x": node["x"] + 4, "y": node["y"]})
        return self.text(".readout")

    def stop_clock(self) -> None:
        """From here on no timer runs out but by `page.clock.run_for`."""
        self.page.clock.install(time=0)
        self.page.clock.pause_at(1000)

    def press(self, *keys: str) -> str:
        for key in keys:
            self.page.keyboard.press(key)
        return self.text(".readout")


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Reader]]:
    """Opens the view."""
    with viewing.visits(browser, address, "search", Reader) as open_page:
        yield open_page


def answering(answers: list[tuple[dict, dict]]) -> str:
    """JavaScript that answers each of these options at once, and refuses others"""
    known = [[json.dumps(options, sort_keys=True, separators=(",", ":")), answer] for options, answer in answers]
    return f"""(() => {{
      const found = new Map({json.dumps(known)});
      const key = (options) => JSON.stringify(Object.fromEntries(Object.entries(options).sort()));
      return async (kind, {{ options }}) => {{
        if (kind !== "search" || !found.has(key(options))) throw new Error(`not known: ${{key(options)}}`);
        return found.get(key(options));
      }};
    }})()"""


WAITING = """(() => {
  window.answers = [];
  return (kind, payload) => new Promise((resolve, reject) => answers.push({ payload, resolve, reject }));
})()"""


# Made by hand: a beam of two. Greedy takes "·c" at its second step; the beam gives up "B" there, keeps "·d" as well,
# and finds that "A d c" has the better score.

PIECES = {"10": "A", "11": "B", "12": " c", "13": " d", "3": "[SEP]"}


def made(malay: str, ids: list[tuple[int, float]], growth: list[dict], **search: object) -> dict:
    options = {"num_beams": 2, "length_penalty": 1.0, "num_hypotheses": 2, "temperature": None}
    options |= {"top_k": 0, "top_p": 1.0, "seed": None, "no_repeat_ngram": 0} | search
    tokens = [
        {"id": i, "log_prob": log_prob, "entropy": 1.0, "alternatives": [[12, -1.0], [13, -1.2]], "span": None}
        for i, log_prob in ids
    ]
    words = [
        {"span": [each.start(), each.end()], "tokens": [], "probability": 1.0, "marks": []}
        for each in re.finditer(r"\w+", malay)
    ]
    sentence = {"english": "x", "malay": malay, "read": "x", "tokens": tokens, "words": words, "hypotheses": []}
    sentence |= {"source": [{"id": i, "span": None} for i in (20, 21, 22, 23, 24, SEP)]}
    sentence |= {"attempts": 1, "forced": 0, "search": options, "growth": growth}
    return {"version": 1, "english": "x", "malay": malay, "pieces": PIECES, "parts": [], "sentences": [sentence]}


def step(rows: list, ended: list = (), cut: list = ()) -> dict:
    return {"rows": rows, "ended": list(ended), "cut": list(cut)}


GROWTH = [
    step([[0, 10, -0.51, -0.51], [0, 11, -1.2, -1.2]], cut=[[0, 12, -2.3, -2.3]]),
    step([[0, 13, -1.2, -1.71], [0, 12, -1.0, -1.51]], cut=[[0, 11, -2.0, -2.51]]),
    step([[0, 12, -0.3, -2.01], [1, 13, -0.9, -2.41]], [[1, SEP, -0.2, -1.71, -0.57]], [[0, SEP, -0.6, -2.31]]),
    step(
        [[0, 10, -5.0, -7.01], [1, 12, -5.0, -7.41]],
        [[0, SEP, -0.11, -2.12, -0.53], [1, SEP, -0.41, -2.82, -0.705]],
    ),
]
BEAM = made("A d c", [(10, -0.51), (13, -1.2), (12, -0.3), (SEP, -0.11)], GROWTH)
GREEDY = made(
    "A c",
    [(10, -0.51), (12, -1.0), (SEP, -0.2)],
    [
        step([[0, 10, -0.51, -0.51]], cut=[[0, 11, -1.2, -1.2]]),
        step([[0, 12, -1.0, -1.51]], cut=[[0, 13, -1.2, -1.71]]),
        step([], [[0, SEP, -0.2, -1.71, -0.57]], [[0, 13, -0.9, -2.41]]),
    ],
    num_beams=1,
    num_hypotheses=1,
)


@pytest.fixture
def small(visit: Callable[..., Reader]) -> Reader:
    reader = visit(answer=answering([({"num_beams": 1}, GREEDY), ({"num_beams": 2}, BEAM)]))
    return reader.show(BEAM, options={"num_beams": 2}).settled()


# Two searches


def test_greedy_and_the_beams_of_the_page_stand_beside_each_other(visit: Callable[..., Reader], explain: Callable):
    beam, greedy = explain(TEXT), explain(SENTENCE, num_beams=1)
    place = next(i for i, each in enumerate(beam["sentences"]) if each["english"] == SENTENCE)
    reader = visit(answer=answering([({"num_beams": 1}, greedy)])).show(beam, sentence=place).settled()
    assert reader.asked() == [["search", {"text": SENTENCE, "options": {"num_beams": 1}}]]
    for name, sentence in (("left", greedy["sentences"][0]), ("right", beam["sentences"][place])):
        assert reader.side(name).locator(".malay").inner_text() == sentence["malay"]
        best = sentence["hypotheses"][0]
        assert best["malay"] == sentence["malay"]
        for figure, value in (("total", best["log_prob"]), ("score", best["score"])):
            assert reader.figure(name, figure) == f"−{-value:.3f}"
        assert reader.figure(name, "steps") == f"{len(sentence['growth'])} for {len(sentence['tokens'])} tokens"


def test_words_that_the_other_translation_has_not_are_marked(small: Reader):
    assert small.side("right").locator("mark").all_inner_texts() == ["d"]
    assert small.side("left").locator("mark").count() == 0
    small.set("left", "num_beams", 2)
    small.settled()
    assert small.side("right").locator("mark").count() == 0


def test_the_remark_says_where_they_parted_and_which_is_better(small: Reader):
    assert small.text(".happened .remark") == (
        "They part at step 2: Greedy took ·c because it was likeliest there (37 %); Beam of 2 ended with ·d (30 %). "
        "Beam of 2 kept the sentence of Greedy too, to its end. "
        "In the end the sentence of Beam of 2 is the better by score: −0.530 against −0.570."
    )


def test_the_remark_is_true_where_both_agree_and_where_greedy_is_better(visit: Callable[..., Reader]):
    better = deepcopy(GREEDY)
    better["sentences"][0]["growth"][2]["ended"] = [[0, SEP, -0.02, -1.53, -0.51]]
    left = deepcopy(GROWTH)
    # The beam gives up "A c" at its third step.
    left[2] = step([[0, 12, -0.3, -2.01], [0, 10, -0.5, -2.21]])
    left[3] = step([], [[0, SEP, -0.11, -2.12, -0.53]])
    beam = made("A d c", [(10, -0.51), (13, -1.2), (12, -0.3), (SEP, -0.11)], left)
    reader = visit(answer=answering([({"num_beams": 1}, better)])).show(beam, options={"num_beams": 2}).settled()
    assert reader.text(".happened .remark").endswith(
        "Beam of 2 had no path like that of Greedy any more from step 3 on. "
        "In the end the sentence of Greedy is the better by score: −0.510 against −0.530."
    )

    likeliest = deepcopy(GREEDY)
    for token in likeliest["sentences"][0]["tokens"]:
        token["alternatives"] = [[token["id"], token["log_prob"]]]
    same = deepcopy(GREEDY)
    same["sentences"][0]["search"] = BEAM["sentences"][0]["search"]
    for greedy, more in ((GREEDY, ""), (likeliest, " The likeliest token each time leads to it as well, so that ")):
        reader = visit(answer=answering([({"num_beams": 1}, greedy)])).show(same, options={"num_beams": 2}).settled()
        said = reader.text(".happened .remark").removesuffix("looking further changed nothing.")
        assert said == "Both arrive at the same sentence, token for token." + more


def test_draws_are_said_to_be_chance_and_are_not_ranked_by_score(visit: Callable[..., Reader]):
    drawn = deepcopy(GREEDY)
    drawn["sentences"][0]["search"] |= {"temperature": 1.0, "seed": 1}
    given = {"num_beams": 1, "temperature": 1, "seed": 1}
    reader = visit(answer=answering([({"num_beams": 1}, GREEDY), (given, drawn)]))
    reader.show(BEAM, options={"num_beams": 2}).settled()
    reader.way("left", "Sampling")
    reader.settled()
    remark = reader.text(".happened .remark")
    assert "Sampling at 1.0 is the likelier: log-probability −1.710 against −2.120." in remark
    assert remark.endswith("Sampling at 1.0 is decided by chance: another draw may say something else.")


# The tree


def test_every_node_tells_what_became_of_it_and_when(small: Reader):
    assert small.columns() == [
        ["A", "B", "·c"],
        ["·c", "·d", "B"],
        ["[SEP]", "·c", "·d", "[SEP]"],
        ["[SEP]", "[SEP]", "A", "·c"],
    ]
    expected = {
        (0, 0): ["A", "A: 60 %, path so far −0.510", "On the path of the translation."],
        (0, 1): "Cut at step 2: it stood at −1.200, and nothing that it could go on with came up to the last that "
        "stayed (−1.710).",
        (0, 2): "Cut at step 1: place 3 at best, −2.300 against −1.200 of the last that stayed.",
        (1, 0): ["A c", "·c: 37 %, path so far −1.510", "A path through here was kept until it ended"],
        (2, 0): ["A c", "Ended here with a score of −0.570: place 2 of 3."],
        (2, 3): ["A d", "Not taken at step 3: a path may end only among the best 2."],
        (3, 0): ["A d c", "Ended here with a score of −0.530: place 1 of 3."],
        (3, 2): ["A d c", "Still open when the search stopped: it could have come to −1.168 at most, and place 2 had "],
    }
    for (at, place), texts in expected.items():
        said = small.point_at(at, place)
        for text in [texts] if isinstance(texts, str) else texts:
            assert text in said, (at, place)


def test_tokens_given_barred_or_not_drawn_were_not_outdone(visit: Callable[..., Reader]):
    reader = visit()

    def fates(**change: object) -> list:
        sentence = deepcopy(BEAM["sentences"][0])
        sentence["search"] |= change.pop("search", {})
        sentence |= change
        code = """(() => {
          const t = m.readTree(it);
          return t.steps.flatMap(({ cut }) => cut.map((n) => m.fate(n, t, it)[0]));
        })()"""
        return reader.module("search/tree", code, sentence)

    assert fates() == ["cut", "cut", "lateEnd"]
    assert fates(forced=2) == ["given", "given", "lateEnd"]
    assert fates(search={"temperature": 1.0}) == ["undrawn"] * 3
    barred = deepcopy(GROWTH)
    barred[1]["cut"] = [[0, 11, -0.1, -0.61]]
    assert fates(growth=barred) == ["cut", "barred", "lateEnd"]


@pytest.mark.parametrize(
    "options", [{}, {"num_beams": 8}, {"num_beams": 1}, {"length_penalty": 0.0}, {"min_length": 40}]
)
def test_the_tree_agrees_with_the_search(visit: Callable[..., Reader], explain: Callable, options: dict):
    sentence = explain(SENTENCE, **options)["sentences"][0]
    code = """(() => {
      const t = m.readTree(it);
      const of = (n) => {
        const ours = m.scoreOf(n.total, n.step + 1, it.source.length, it.search.length_penalty);
        return { ids: m.idsOf(n), total: n.total, score: n.score, ours, fate: m.fate(n, t, it) };
      };
      const leaves = t.steps.flatMap(({ rows }) => rows.filter((n) => !n.children.some(({ kind }) => kind !== "cut")));
      return { ended: t.ended.map(of), leaves: leaves.map(of), winner: t.winner && of(t.winner) };
    })()"""
    tree = visit().module("search/tree", code, sentence)
    growth, found = sentence["growth"], sentence["hypotheses"]
    assert tree["winner"]["ids"] == [token["id"] for token in sentence["tokens"]]
    best = [(each["total"], each["score"]) for each in tree["ended"]][: len(found)]
    assert best == [(each["log_prob"], each["score"]) for each in found]
    for each in tree["ended"]:
        assert each["ours"] == pytest.approx(each["score"], abs=1e-4)
    expected = []
    for number, (now, then) in enumerate(pairwise(growth)):
        parents = {branch[0] for branch in then["rows"] + then["ended"]}
        last = min(branch[3] for branch in then["rows"] or then["ended"])
        expected += [
            ["givenUp", {"step": number + 2, "total": row[3], "last": last}]
            for place, row in enumerate(now["rows"])
            if place not in parents
        ]
    given_up = [leaf["fate"] for leaf in tree["leaves"] if leaf["fate"][0] == "givenUp"]
    assert given_up == expected
    open_at_the_end = [leaf["fate"] for leaf in tree["leaves"] if leaf["fate"][0] != "givenUp"]
    assert len(open_at_the_end) == len(growth[-1]["rows"])
    for name, values in open_at_the_end:
        assert name == "unfinished" and values["most"] <= values["last"]


def test_a_translation_that_was_stopped_ranks_after_those_that_ended(visit: Callable[..., Reader]):
    stopped = deepcopy(GROWTH)
    stopped[3]["ended"].append([0, 11, -0.01, -2.02, -0.505])
    sentence = made("A d c", [(10, -0.51), (13, -1.2), (12, -0.3), (SEP, -0.11)], stopped)["sentences"][0]
    code = "(() => { const t = m.readTree(it); return t.ended.map((n) => [n.score, m.fate(n, t, it)[0]]); })()"
    assert visit().module("search/tree", code, sentence) == [
        *[[-0.53, "ended"], [-0.57, "ended"], [-0.705, "ended"]],
        [-0.505, "stopped"],
    ]


def test_the_replay_shows_what_was_known_at_a_step(small: Reader):
    small.go(1)
    assert small.columns() == [["A", "B", "·c"], ["·c", "·d", "B"]]
    assert small.text(".next h3") == "What could have come at step 2"
    small.page.get_by_role("button", name="Next step").click()
    assert len(small.columns()) == 3
    small.go(3)
    small.page.get_by_role("button", name="Play", exact=True).click()
    assert small.text(".player .count") in ("1 / 4", "2 / 4"), "from the last step it begins anew"
    assert len(small.columns()) < 4


def test_when_a_path_was_cut_stands_at_its_end_once_it_is(small: Reader):
    def marks() -> list[tuple[int, int]]:
        small.page.wait_for_timeout(60)
        labels = small.canvas.evaluate("(canvas) => canvas.labels")
        return [(each["text"], each["x"] > 59 + 100) for each in labels if each["text"] == "2" and each["y"] > 20]

    small.go(0)
    assert marks() == []
    small.go(1)
    assert marks() == [("2", True)]


def test_arrow_keys_move_among_the_nodes(small: Reader):
    small.page.locator(".focus").focus()
    small.page.keyboard.press("Home")
    assert small.press("Home").startswith("A\n")
    assert small.press("ArrowRight").startswith("A c\n·c: 37 %")
    assert small.press("ArrowDown").startswith("A d\n")
    assert small.press("ArrowRight").startswith("A d c\n")
    assert small.press("ArrowLeft", "ArrowLeft", "ArrowDown").startswith("B\n")
    assert small.press("ArrowUp", "ArrowUp", "ArrowUp").startswith("A\n"), "there is none above"
    tree = small.page.get_by_role("tree")
    active = small.page.locator(f"[id='{tree.get_attribute('aria-activedescendant')}']")
    assert active.get_attribute("role") == "treeitem" and active.get_attribute("aria-level") == "1"
    assert active.get_attribute("aria-label").startswith("Step 1, A: 60 %, path so far −0.510. On the path")
    assert small.page.locator(".player input").input_value() == "3", "they do not steer the replay there"
    assert small.press("Escape").startswith("Point at a token")


def test_the_tree_is_told_in_words(small: Reader):
    small.page.get_by_text("The tree in words").click()
    small.page.locator(".in-words li").first.wait_for()
    lines = small.page.locator(".in-words li").all_inner_texts()
    assert lines[0] == "Kept: A (60 %; −0.51), B (30 %; −1.20). Cut: ·c (10 %; −2.30)."
    assert (
        lines[2] == "Kept: ·c (74 %; −2.01), ·d (41 %; −2.41). Ended: [SEP] (Score −0.570). Cut: [SEP] (55 %; −2.31)."
    )
    small.look_at("Greedy")
    small.page.locator(".in-words li").first.wait_for()
    assert small.page.locator(".in-words li").count() == 3


# Settings


def test_only_the_newest_setting_is_asked_for_and_only_its_answer_shown(visit: Callable[..., Reader]):
    reader = visit(answer=WAITING).show(BEAM, options={"num_beams": 2})
    reader.page.evaluate("(answer) => answers[0].resolve(answer)", GREEDY)
    reader.settled().stop_clock()
    for penalty in (0.2, 0.4, 0.6):
        reader.set("right", "length_penalty", penalty)
        reader.page.clock.run_for(100)
    assert len(reader.asked()) == 1
    reader.page.clock.run_for(150)
    assert reader.asked()[1:] == [["search", {"text": "x", "options": {"num_beams": 2, "length_penalty": 0.6}}]]
    reader.set("right", "length_penalty", 0.9)
    reader.page.clock.run_for(250)
    newest, late = deepcopy(BEAM), deepcopy(BEAM)
    newest["sentences"][0]["malay"], late["sentences"][0]["malay"] = "A d d", "A c c"
    assert reader.side("right").locator(".status").inner_text() == "Searching…"
    reader.page.evaluate("(all) => { answers[2].resolve(all[0]); answers[1].resolve(all[1]); }", [newest, late])
    reader.page.wait_for_function("!document.querySelector('.search .waiting')")
    assert reader.side("right").locator(".malay").inner_text() == "A d d"
    assert reader.side("right").get_by_role("heading").inner_text() == "Beam of 2, penalty 0.9"


def test_sampling_asks_for_draws_and_another_draw_for_another_seed(visit: Callable[..., Reader], explain: Callable):
    reader = visit(answer=WAITING).show(explain(SENTENCE))
    reader.way("right", "Sampling")
    reader.page.wait_for_function("answers.length === 2")
    for setting, value in (("temperature", 0.7), ("top_k", 5), ("top_p", 0.9)):
        reader.set("right", setting, value)
    reader.page.wait_for_function("answers.length === 3")
    options = reader.asked()[-1][1]["options"]
    assert options == {"num_beams": 1, "temperature": 0.7, "top_k": 5, "top_p": 0.9, "seed": 1}
    assert set(options) <= OPTIONS and explain(SENTENCE, **options)["sentences"], "the search takes them"
    reader.side("right").get_by_role("button", name="Another draw").click()
    reader.page.wait_for_function("answers.length === 4")
    again = reader.asked()[-1][1]["options"]
    assert again["seed"] != 1 and again | {"seed": 1} == options
    reader.way("right", "Beams")
    reader.page.wait_for_function("answers.length === 5")
    assert reader.asked()[-1][1]["options"] == {}, "the beams are as many as before"


def test_translate_with_these_hands_the_page_what_is_not_the_default(visit: Callable[..., Reader], explain: Callable):
    reader = visit(answer=WAITING).show(explain(SENTENCE))
    reader.page.evaluate("window.got = []; addEventListener('options', ({ detail }) => got.push(detail))")
    reader.side("right").get_by_role("button", name="Translate with these").click()
    reader.side("left").get_by_role("button", name="Translate with these").click()
    reader.set("right", "num_beams", 6)
    reader.set("right", "length_penalty", 1.4)
    reader.side("right").get_by_role("button", name="Translate with these").click()
    assert reader.page.evaluate("got") == [{}, {"num_beams": 1}, {"num_beams": 6, "length_penalty": 1.4}]


def test_options_that_the_page_comes_to_are_those_of_the_second_search(small: Reader):
    assert small.side("right").get_by_role("heading").inner_text() == "Beam of 2"
    three = deepcopy(BEAM)
    three["sentences"][0]["search"]["num_beams"] = 3
    small.show(three, options={"num_beams": 3}).settled()
    assert small.side("right").get_by_role("heading").inner_text() == "Beam of 3"
    assert small.side("left").get_by_role("heading").inner_text() == "Greedy"
    assert len(small.asked()) == 1
    small.show(GREEDY, options={"num_beams": 1})
    assert small.side("right").get_by_role("heading").inner_text() == "Beam of 3", "the first search has these"


# Sampling


def frequencies(log_probs: list[float], num_draws: int = 2000, **options: float) -> np.ndarray:
    """How often the search's own sampling takes each token"""
    whole = SearchOptions(**options)
    below = torch.tensor([log_probs], dtype=torch.float64)
    going = [SimpleNamespace(draws=[(i + 0.5) / num_draws], length=0) for i in range(num_draws)]
    candidates = _sample(below.expand(num_draws, -1), going, whole)
    return np.bincount([each[0][1] for each in candidates], minlength=len(log_probs)) / num_draws


def told(log_probs: np.ndarray) -> dict:
    entropy = -(np.exp(log_probs) * log_probs).sum()
    alternatives = [[i, log_prob] for i, log_prob in enumerate(log_probs[:8].tolist())]
    return {"id": 0, "entropy": float(entropy), "alternatives": alternatives}


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 1.0},
        {"temperature": 0.5},
        {"temperature": 2.0, "top_k": 3},
        {"temperature": 1.5, "top_k": 6, "top_p": 0.8},
        {"temperature": 0.7, "top_p": 0.9},
        {"temperature": 1.0, "top_p": 0.05},
        {"temperature": 2.0, "top_p": 0.6},
    ],
)
def test_a_distribution_is_reshaped_as_the_search_does_it(visit: Callable[..., Reader], options: dict):
    log_probs = np.log([0.36, 0.24, 0.15, 0.1, 0.06, 0.05, 0.03, 0.01])
    whole = {"top_k": 0, "top_p": 1} | options
    shaped = visit().module("search/sampling", "m.reshape(...it)", [told(log_probs), whole])
    expected = frequencies(log_probs.tolist(), **options)
    assert [each["drawn"] for each in shaped["rows"]] == pytest.approx(expected.tolist(), abs=1e-3)
    assert [each["isCut"] for each in shaped["rows"]] == (expected == 0).tolist()
    assert not shaped["isEstimate"]


def test_what_all_others_come_to_is_exact_at_temperature_1_and_else_no_more_than_they_have(
    visit: Callable[..., Reader],
):
    reader = visit()
    weights = np.array([0.3, 0.2, 0.1, 0.08, 0.05, 0.04, 0.03, 0.03, *np.geomspace(0.025, 0.0001, 40)])
    log_probs = np.log(weights / weights.sum())
    for temperature in (0.3, 0.7, 1.0, 1.4, 2.0):
        options = {"temperature": temperature, "top_k": 0, "top_p": 1}
        shaped = reader.module("search/sampling", "m.reshape(...it)", [told(log_probs), options])
        tempered = np.exp(log_probs / temperature)
        exact = tempered[8:].sum() / tempered.sum()
        assert shaped["isEstimate"] == (temperature != 1)
        assert shaped["rest"]["drawn"] <= exact + 1e-9
        assert shaped["rest"]["drawn"] == pytest.approx(exact, abs=1e-9 if temperature == 1 else 0.15)
        assert sum(each["drawn"] for each in shaped["rows"]) + shaped["rest"]["drawn"] == pytest.approx(1)
    for options, state in (({"top_k": 8}, "cut"), ({"top_k": 20}, "partly"), ({"top_p": 0.95}, "partly")):
        whole = {"temperature": 1, "top_k": 0, "top_p": 1} | options
        shaped = reader.module("search/sampling", "m.reshape(...it)", [told(log_probs), whole])
        assert (shaped["rest"]["state"], shaped["isEstimate"]) == (state, state == "partly")


def test_the_bars_follow_the_sliders_before_the_search_is_asked(visit: Callable[..., Reader], explain: Callable):
    options = {"num_beams": 1, "temperature": 1.0, "seed": 1}
    drawn = explain(SENTENCE, **options)
    reader = visit(answer=WAITING).show(drawn, options=options)
    bars = reader.page.locator(".bars li")

    def shares() -> list[str]:
        return bars.locator(".share").all_inner_texts()

    for step in (0, 3):
        reader.go(step)
        token = drawn["sentences"][0]["tokens"][step]
        labels = [drawn["pieces"][str(i)].replace(" ", "·") for i, _ in token["alternatives"]]
        assert bars.locator(".label").all_inner_texts() == [*labels, "All others"]
    before = shares()
    reader.stop_clock()
    reader.set("right", "top_k", 2)
    assert shares()[2:] == ["cut"] * 7
    probabilities = np.exp([log_prob for _, log_prob in token["alternatives"][:2]])
    share = 100 * probabilities[0] / probabilities.sum()
    assert float(shares()[0].split()[0]) == pytest.approx(share, abs=0.6)
    assert bars.nth(5).evaluate("(n) => n.matches('.cut')") and "repeating" in bars.nth(5).locator(".fill").evaluate(
        "(n) => getComputedStyle(n).backgroundImage"
    )
    reader.set("right", "top_k", 0)
    assert shares() == before
    assert reader.text(".player .count").startswith("4 /"), "the step stays"
    assert [payload["options"] for _, payload in reader.asked()] == [{"num_beams": 1}]


# Length penalty


def test_the_ranking_follows_the_length_penalty_as_it_moves(small: Reader):
    def rows() -> list[list[str]]:
        return [row.locator("td").all_inner_texts() for row in small.page.locator(".ranking tbody tr").all()]

    assert rows() == [
        ["1", "A d c", "−2.120", "4", "−0.530"],
        ["2", "A c", "−1.710", "3", "−0.570"],
        ["3", "A c d", "−2.820", "4", "−0.705"],
    ]
    small.stop_clock()
    small.set("right", "length_penalty", 0)
    assert rows() == [
        ["1", "A c", "−1.710", "3", "−1.710"],
        ["2", "A d c", "−2.120", "4", "−2.120"],
        ["3", "A c d", "−2.820", "4", "−2.820"],
    ]
    assert small.text(".ranking .remark").startswith("With this penalty “A c” comes first")
    assert len(small.asked()) == 1, "the search is made anew only when the slider rests"
    moved = small.page.locator(".ranking td.rank").evaluate_all("(all) => all.map((each) => each.className)")
    assert moved == ["rank up", "rank down", "rank "]


# Loading, failure, nothing


def test_a_search_that_fails_says_why_and_can_be_tried_again(visit: Callable[..., Reader]):
    reader = visit(answer=WAITING).show(BEAM, options={"num_beams": 2})
    reader.page.evaluate("answers[0].reject(new Error('The server is busy.'))")
    reader.side("left").get_by_text("The server is busy.").wait_for()
    reader.side("left").get_by_role("button", name="Try again").click()
    reader.page.evaluate("(answer) => answers[1].resolve(answer)", GREEDY)
    reader.settled()
    assert reader.side("left").locator(".malay").inner_text() == "A c"
    assert not reader.side("left").get_by_role("button", name="Try again").is_visible()


def test_waiting_moves_nothing(visit: Callable[..., Reader], explain: Callable):
    reader = visit(answer=WAITING).show(explain(SENTENCE))
    script = "() => [...document.querySelectorAll('.search .card')].map((n) => n.getBoundingClientRect().top)"
    places = reader.page.evaluate(script)
    assert len(places) == 6
    reader.page.evaluate("(answer) => answers[0].resolve(answer)", explain(SENTENCE, num_beams=1))
    reader.settled()
    assert reader.page.evaluate(script) == places
    reader.way("left", "Sampling")
    reader.set("left", "temperature", 0.4)
    assert reader.page.evaluate(script) == places


def test_a_text_whose_steps_were_not_kept_is_searched_anew(visit: Callable[..., Reader], explain: Callable):
    bare = deepcopy(explain(SENTENCE))
    bare["sentences"][0]["growth"] = None
    reader = visit(answer=answering([({"num_beams": 1}, explain(SENTENCE, num_beams=1)), ({}, explain(SENTENCE))]))
    reader.show(bare).settled()
    assert [payload["options"] for _, payload in reader.asked()] == [{"num_beams": 1}, {}]
    assert len(reader.columns()) > 3


@pytest.mark.parametrize("explanation", [None, {"sentences": [], "pieces": {}}])
def test_without_a_sentence_there_is_nothing_to_search(visit: Callable[..., Reader], explanation: dict | None):
    reader = visit().show(explanation)
    assert "translate a sentence first" in reader.text(".search > .status")
    assert reader.asked() == [] and not reader.page.locator(".body").is_visible()


def test_another_sentence_is_searched_by_itself(visit: Callable[..., Reader], explain: Callable):
    whole = explain(TEXT)
    reader = visit(answer=WAITING).show(whole)
    reader.page.evaluate("(answer) => answers[0].resolve(answer)", explain("Good morning.", num_beams=1))
    reader.settled()
    reader.page.locator("label.sentence select").select_option("2")
    english = whole["sentences"][2]["english"]
    assert reader.asked()[-1] == ["search", {"text": english, "options": {"num_beams": 1}}]
    assert reader.side("left").locator(".malay").inner_text() == "", "what was found of another sentence is gone"
    assert reader.side("right").locator(".malay").inner_text() == whole["sentences"][2]["malay"]


def test_a_replay_that_runs_stops_when_its_search_is_gone(visit: Callable[..., Reader], explain: Callable):
    reader = visit(answer=WAITING).show(explain(TEXT))
    reader.page.evaluate("(answer) => answers[0].resolve(answer)", explain("Good morning.", num_beams=1))
    reader.settled()
    reader.look_at("Greedy")
    reader.stop_clock()
    reader.page.get_by_role("button", name="Play", exact=True).click()
    reader.page.locator("label.sentence select").select_option("1")
    reader.page.clock.run_for(3000)
    assert reader.page.get_by_role("button", name="Play", exact=True).count() == 1
    assert reader.text(".player .count").startswith("1 /")


# For everyone


def test_both_languages_say_everything(visit: Callable[..., Reader]):
    english, malay = visit().module("search.words", "[m.ENGLISH, m.MALAY]")

    def flat(words: dict, prefix: str = "") -> dict[str, str]:
        pairs = [flat(v, f"{k}.") if isinstance(v, dict) else {f"{prefix}{k}": v} for k, v in words.items()]
        return {key: text for pair in pairs for key, text in pair.items()}

    english, malay = flat(english), flat(malay)
    assert english.keys() == malay.keys()
    names = re.compile(r"\{\w+\}").findall
    assert {key for key in english if set(names(english[key])) != set(names(malay[key]))} == set()


def test_the_malay_view_speaks_malay(visit: Callable[..., Reader]):
    reader = visit(language="ms", answer=answering([({"num_beams": 1}, GREEDY)])).show(BEAM, options={"num_beams": 2})
    reader.settled()
    assert (
        reader.page.get_by_role("region", name="Carian pertama").get_by_role("heading").inner_text() == "Carian tamak"
    )
    assert "undefined" not in reader.text(".search") and "{" not in reader.text(".search")


@pytest.mark.parametrize("size", [NARROW, WIDE, (1600, 900)])
def test_nothing_is_wider_than_the_window(visit: Callable[..., Reader], explain: Callable, size: tuple[int, int]):
    reader = visit(size=size, answer=answering([({"num_beams": 1}, explain(SENTENCE, num_beams=1))]))
    reader.show(explain(SENTENCE)).settled()
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    scroller = reader.page.locator(".scroller")
    assert scroller.evaluate("(n) => n.scrollWidth > n.clientWidth")
    last = len(explain(SENTENCE)["sentences"][0]["growth"])
    reader.page.locator(".focus").focus()
    reader.press("End")
    assert scroller.evaluate("(n) => n.scrollLeft") > 0, f"step {last} comes in sight"


def test_what_was_typed_is_text_and_never_markup(visit: Callable[..., Reader]):
    evil = deepcopy(BEAM)
    evil["sentences"][0] |= {"english": "<img src=x onerror=alert(1)>", "malay": "<img src=x>", "words": []}
    evil["pieces"] = dict.fromkeys(PIECES, "<img src=x>")
    reader = visit(answer=answering([({"num_beams": 1}, evil)])).show(evil, options={"num_beams": 2}).settled()
    reader.page.get_by_text("The tree in words").click()
    assert reader.page.locator(".search img").count() == 0
    assert reader.side("right").locator(".malay").inner_text() == "<img src=x>"


def test_day_and_night_change_the_tree_at_once(small: Reader):
    corner = "(canvas) => [...canvas.getContext('2d').getImageData(1, 100, 1, 1).data]"
    assert small.canvas.evaluate(corner) == [255, 255, 255, 255]
    small.page.evaluate("document.body.classList.add('dark')")
    small.page.wait_for_timeout(50)
    assert small.canvas.evaluate(corner) == [0x1F, 0x16, 0x1D, 255]


def test_destroying_it_leaves_nothing_behind(visit: Callable[..., Reader]):
    reader = visit(answer=WAITING)
    reader.page.clock.install()
    reader.show(BEAM, options={"num_beams": 2})
    reader.set("right", "num_beams", 5)
    reader.page.get_by_role("button", name="Play", exact=True).click()
    reader.page.evaluate("view.destroy()")
    reader.page.evaluate("(answer) => answers[0].resolve(answer)", GREEDY)
    reader.page.clock.run_for(5000)
    assert len(reader.asked()) == 1, "nothing is asked for afterwards"
    assert reader.page.locator("#root > *").count() == 0


# Speed


def long_case(num_steps: int, num_beams: int) -> dict:
    """A search of made-up tokens in which half of the paths are given up at every step"""
    random = np.random.default_rng(0)
    growth, totals = [], np.zeros(1)
    for number in range(num_steps):
        parents = random.integers(0, max(1, len(totals) // 2), num_beams)
        log_probs = -random.exponential(1, num_beams)
        log_probs[0] = -0.05
        parents[0] = 0
        totals = totals[parents] + log_probs
        rows = [
            [int(parent), 100 + (17 * number + place) % 999, round(float(log_prob), 4), round(float(total), 4)]
            for place, (parent, log_prob, total) in enumerate(zip(parents, log_probs, totals, strict=True))
        ]
        cut = [[row[0], 2000 + place, -9.0, row[3] - 9] for place, row in enumerate(rows)]
        growth.append(step(rows, cut=cut))
    growth.append(step([], [[0, SEP, -0.1, float(totals[0]) - 0.1, (float(totals[0]) - 0.1) / 6]]))
    ids = [(each["rows"][0][1], -0.05) for each in growth[:-1]]
    case = made("word", [*ids, (SEP, -0.1)], growth, num_beams=num_beams)
    case["pieces"] = {str(i): f" word{i}" for i in range(4000)} | {"3": "[SEP]", "12": " c", "13": " d"}
    return case


def spent(page: Page, script: str) -> float:
    """Milliseconds that a script costs the page's thread, drawing and layout included. Processor time, so that it is
    the same while the machine is busy with other things."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def ticks() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    before = ticks()
    page.evaluate(script)
    return ticks() - before


FRAME = "await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));"


def test_a_long_search_is_built_and_pointed_at_in_time(visit: Callable[..., Reader]):
    reader = visit(noted=False, answer=answering([({"num_beams": 1}, GREEDY)]))
    reader.show(BEAM, options={"num_beams": 2}).settled()
    reader.page.evaluate("(long) => { window.long = long; }", long_case(100, 4))
    build = spent(reader.page, f"async () => {{ view.show({{ explanation: long, options: {{}} }}); {FRAME} }}")
    assert reader.text(".player .count") == "101 / 101"
    moves = 20
    hover = (
        spent(
            reader.page,
            f"""async () => {{
          const focus = document.querySelector(".focus");
          const {{ left, top }} = focus.getBoundingClientRect();
          for (let i = 0; i < {moves}; i++) {{
            const at = {{ clientX: left + 60 + 158 * (i % 6), clientY: top + 40 + 50 * (i % 3) }};
            focus.dispatchEvent(new PointerEvent("pointermove", at));
            {FRAME}
          }}
        }}""",
        )
        / moves
    )
    assert 1 < build < 50
    assert 0.1 < hover < 16
