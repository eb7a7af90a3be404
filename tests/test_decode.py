"""The search against slow and obvious ones; when it ends, what it never says, what it tells, and what it costs.

Most of it searches `DrawnEngine`, which draws a distribution for every prefix: the hardest cases come up by themselves.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from itertools import chain

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from malaygpt.decode import (
    MAX_BEAMS,
    ROWS_PER_BATCH,
    Hypothesis,
    Row,
    SearchOptions,
    Step,
    search,
    search_batch,
)
from malaygpt.engine import NEVER, FlatEngine, ScriptedStep, Shortlist, State, with_room
from malaygpt.model import Transformer
from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

LogProbs = Callable[[Sequence[int], Sequence[int]], list[float]]
"""Source ids and target ids so far -> the log-probability of every token as the next"""


class DrawnEngine:
    """Says of every prefix of every source something else, drawn at random; slow and fast search can ask it alike."""

    device = torch.device("cpu")
    scripted = None

    def __init__(self, vocab_size: int = 24, sharpness: float = 2.0, seed: int = 0, max_length: int = 24) -> None:
        self.max_length = max_length
        self.vocab_size = vocab_size
        self.logits = sharpness * torch.randn(997, vocab_size, generator=torch.Generator().manual_seed(seed))
        self.logits[:, :SEP_ID] = NEVER
        self.num_rows: list[int] = []
        """Of every step that was taken"""
        self.num_reorders = 0

    def log_probs(self, source: Sequence[int], ids: Sequence[int]) -> list[float]:
        said = 0
        for id in (CLS_ID, *ids):
            said = (31 * said + id) % 997
        return self.logits[(said + self._key(source)) % 997].log_softmax(0).tolist()

    def encode(self, src: Tensor, src_mask: Tensor | None = None, prefixes: Tensor | None = None):
        assert all(row[row != PAD_ID][-1] == SEP_ID for row in src)
        keys = torch.tensor([self._key(row[row != PAD_ID][:-1].tolist()) for row in src])
        return keys, torch.zeros(len(src), dtype=torch.long)

    def vocabulary(self, state) -> Tensor:
        return torch.arange(self.logits.size(1))

    def step(self, ids: Tensor, state):
        self.num_rows.append(len(ids))
        keys, said = state
        said = (31 * said + ids) % 997
        return self.logits[(said + keys.repeat_interleave(len(said) // len(keys))) % 997], (keys, said)

    def reorder(self, state, rows: Tensor, sources: Tensor | None = None):
        self.num_reorders += 1
        keys, said = state
        return keys if sources is None else keys[sources], said[rows]

    def _key(self, source: Sequence[int]) -> int:
        return sum(place * id for place, id in enumerate(source, 1)) % 997


class DrawnStep(nn.Module):
    """The same as a step of TorchScript. In the place of keys and values stands what was said, as one number."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.register_buffer("logits", logits)

    def forward(
        self,
        ids: Tensor,
        past: Tensor,
        length: int,
        memory: Tensor,
        mask: Tensor | None,
        head: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        before = past.select(4, length - 1).flatten() if length else torch.zeros_like(ids)
        said = (31 * before + ids) % 997
        past.select(4, length).copy_(said.view(1, 1, -1, 1, 1))
        keys = memory.flatten()
        return self.logits.index_select(0, (said + keys.repeat_interleave(len(ids) // len(keys))) % 997)


class ScriptedEngine(DrawnEngine):
    """A DrawnEngine of which many steps can be taken in one call"""

    reorder = FlatEngine.reorder

    @cached_property
    def scripted(self) -> ScriptedStep:
        return torch.jit.script(DrawnStep(self.logits))

    def encode(self, src: Tensor, src_mask: Tensor | None = None, prefixes: Tensor | None = None) -> State:
        keys, said = super().encode(src, src_mask, prefixes)
        past = said.new_empty(1, 1, len(said), 1, 2, 1)
        return State(keys.view(1, 1, -1, 1, 1, 1), None, past, 0, self.vocabulary(None), None, None)

    def step(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        past = with_room(state.past, state.length)
        logits = self.scripted(ids, past, state.length, state.memory, None, None)
        return logits, state._replace(past=past, length=state.length + 1)


def slow_bound(source: Sequence[int], options: SearchOptions, prefix: Sequence[int], max_length: int) -> int:
    """Most tokens of a translation: a prefix is always followed by one"""
    return min(max(options.max_length or 2 * len(source) + 16, len(prefix) + 1), max_length)


def may_follow(token: int, ids: Sequence[int], options: SearchOptions, prefix: Sequence[int]) -> bool:
    if len(ids) < len(prefix):
        return token == prefix[len(ids)]
    if token == SEP_ID:
        return len(ids) >= options.min_length
    n, said = options.no_repeat_ngram, [*ids, token]
    runs = [said[i : i + n] for i in range(len(said) - n + 1)]
    return token > SEP_ID and not (n and runs and runs[-1] in runs[:-1])


def slow_greedy(
    log_probs: LogProbs, source: Sequence[int], options: SearchOptions, max_length: int, prefix: Sequence[int] = ()
) -> tuple[list[int], float]:
    """The tokens, with [SEP] if it is said, and the sum of their log-probabilities"""
    ids, total = [], 0.0
    while len(ids) < slow_bound(source, options, prefix, max_length) and SEP_ID not in ids:
        known = log_probs(source, ids)
        token = max((t for t in range(len(known)) if may_follow(t, ids, options, prefix)), key=known.__getitem__)
        ids.append(token)
        total += known[token]
    return ids, total


def slow_beams(
    log_probs: LogProbs, source: Sequence[int], options: SearchOptions, max_length: int, prefix: Sequence[int] = ()
) -> list[tuple[list[int], float]]:
    """The n best as in `slow_greedy`: a beam search that goes on to the bound, whatever has ended before."""
    bound = slow_bound(source, options, prefix, max_length)
    beams, ended = [([], 0.0)], []
    for length in range(1, bound + 1):
        candidates = [
            ([*ids, token], total + log_prob)
            for ids, total in beams
            for token, log_prob in enumerate(log_probs(source, ids))
            if may_follow(token, ids, options, prefix)
        ]
        candidates.sort(key=lambda candidate: candidate[1], reverse=True)
        ends = [ids[-1] == SEP_ID or length == bound for ids, _ in candidates]
        ended += [c for c, end in zip(candidates[: options.num_beams], ends, strict=False) if end]
        beams = [c for c, end in zip(candidates[: 2 * options.num_beams], ends, strict=False) if not end]
        beams = beams[: options.num_beams]

    def rank(hypothesis: tuple[list[int], float]) -> tuple[bool, float]:
        ids, total = hypothesis
        return ids[-1] != SEP_ID, -total / min(len(ids), len(source) + 1) ** options.length_penalty

    return sorted(ended, key=rank)[: options.num_hypotheses]


def said(hypothesis: Hypothesis) -> list[int]:
    """All its tokens, with [SEP] at the end if it is complete"""
    ids = [token.id for token in hypothesis.tokens]
    assert hypothesis.complete == (ids[-1] == SEP_ID) and SEP_ID not in ids[:-1]
    assert list(hypothesis.ids) == (ids[:-1] if hypothesis.complete else ids)
    assert hypothesis.log_prob == pytest.approx(sum(token.log_prob for token in hypothesis.tokens))
    return ids


def assert_same(found: Sequence[Hypothesis], expected: Sequence[tuple[list[int], float]], tolerance: float = 1e-3):
    assert [said(hypothesis) for hypothesis in found] == [ids for ids, _ in expected]
    for hypothesis, (_, log_prob) in zip(found, expected, strict=True):
        assert hypothesis.log_prob == pytest.approx(log_prob, abs=tolerance)


def in_words(found: Sequence[Hypothesis]) -> list[tuple[list[int], float]]:
    return [(said(hypothesis), hypothesis.log_prob) for hypothesis in found]


def run(steps) -> tuple[list[Step], list[list[Hypothesis]]]:
    """All the steps of a search, and what it returns"""
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return seen, end.value


@pytest.fixture(scope="module")
def engine(model: Transformer) -> FlatEngine:
    return FlatEngine(model, "float32")


@pytest.fixture(scope="module")
def shortlist(model: Transformer) -> Shortlist:
    """A few tokens for all and three for each, drawn at random"""
    numbers, size = torch.Generator().manual_seed(0), model.config.vocab_size
    common = torch.cat([torch.tensor([SEP_ID]), torch.randint(SEP_ID + 1, size, (60,), generator=numbers).unique()])
    candidates = torch.randint(SEP_ID + 1, size, (size, 3), generator=numbers)
    candidates[PAD_ID] = SEP_ID
    return Shortlist(common, candidates)


def told_whole(model: Transformer, shortlist: Shortlist | None = None) -> LogProbs:
    """What the model says when it runs as a whole, once for every token"""

    @cache
    @torch.no_grad()
    def known(source: tuple[int, ...], ids: tuple[int, ...]) -> list[float]:
        src = torch.tensor([[*source, SEP_ID]])
        logits = model(src, torch.tensor([[CLS_ID, *ids]]))[0, -1]
        logits[:SEP_ID] = -math.inf
        if shortlist is not None:
            logits[~shortlist.allowed(src, None)[0]] = -math.inf
        return logits.log_softmax(0).tolist()

    return lambda source, ids: known(tuple(source), tuple(ids))


@pytest.fixture(scope="module")
def log_probs(model: Transformer) -> LogProbs:
    return told_whole(model)


@pytest.fixture(scope="module")
def sources(model: Transformer) -> list[list[int]]:
    """Of many lengths; the model has never seen them, and ends some and not others."""
    numbers = random.Random(0)
    return [
        [numbers.randrange(SEP_ID + 1, model.config.vocab_size) for _ in range(length)]
        for length in (7, 1, 12, 3, 3, 25, 2, 16, 1, 9)
    ]


# The same as a slow search


def test_greedy_equals_a_loop_that_runs_the_whole_model_for_every_token(engine, log_probs, sources):
    found = search_batch(engine, sources)
    for source, hypotheses in zip(sources, found, strict=True):
        assert_same(hypotheses, [slow_greedy(log_probs, source, SearchOptions(), engine.max_length)])
    assert {best.complete for (best,) in found} == {True, False}
    assert len({best.ids for (best,) in found}) > len(sources) / 2


def test_beams_equal_a_search_that_runs_the_whole_model_for_every_token(engine, log_probs, sources):
    options = SearchOptions(num_beams=3, num_hypotheses=3, max_length=14)
    short = [source for source in sources if len(source) < 8]
    for source, hypotheses in zip(short, search_batch(engine, short, options), strict=True):
        assert_same(hypotheses, slow_beams(log_probs, source, options, engine.max_length))


@pytest.mark.parametrize("num_beams", [1, 3])
def test_with_a_shortlist_the_same_holds_among_the_tokens_that_it_allows(model, shortlist, sources, num_beams: int):
    engine, words = FlatEngine(model, "float32", shortlist, script=False), told_whole(model, shortlist)
    options = SearchOptions(num_beams, num_hypotheses=num_beams, no_repeat_ngram=1, min_length=4, max_length=9)
    short = [source for source in sources if len(source) < 8]
    prefixes = [source[-1:] for source in short]
    slow = slow_beams if num_beams > 1 else lambda *what: [slow_greedy(*what)]
    for source, prefix, found in zip(short, prefixes, search_batch(engine, short, options, prefixes), strict=True):
        assert_same(found, slow(words, source, options, engine.max_length, prefix))


@st.composite
def searches(draw, fewest_beams: int, most_beams: int):
    """An engine, a source, options and a prefix"""
    beams = draw(st.integers(fewest_beams, most_beams))
    vocab_size = draw(st.integers(SEP_ID + 2 + 2 * beams, 24))
    max_length = draw(st.sampled_from([None, None, 1, 2, 5, 12]))
    options = SearchOptions(
        num_beams=beams,
        num_hypotheses=draw(st.integers(1, beams)),
        length_penalty=draw(st.sampled_from([0.0, 0.5, 1.0, 2.0])),
        no_repeat_ngram=draw(st.sampled_from([0, 0, 2, 3])),
        min_length=draw(st.sampled_from([0, 0, 1, 4] if max_length is None else [0, 0, 1])),
        max_length=max_length,
    )
    make = draw(st.sampled_from([DrawnEngine, ScriptedEngine]))
    engine = make(vocab_size, draw(st.sampled_from([0.3, 1.0, 3.0])), draw(st.integers(0, 9999)))
    tokens = st.integers(SEP_ID + 1, vocab_size - 1)
    source = draw(st.lists(tokens, min_size=1, max_size=8))
    return engine, source, options, draw(st.lists(tokens, max_size=4) | st.just([]))


@settings(max_examples=200)
@given(searches(2, 6))
def test_beams_stop_early_only_when_going_on_to_the_bound_would_find_the_same(case):
    engine, source, options, prefix = case
    (found,) = search_batch(engine, [source], options, [prefix])
    expected = slow_beams(engine.log_probs, source, options, engine.max_length, prefix)
    assert_same(found, expected)
    for hypothesis in found:
        length = min(len(hypothesis.tokens), len(source) + 1)
        assert hypothesis.score == pytest.approx(hypothesis.log_prob / length**options.length_penalty)


@settings(max_examples=200)
@given(searches(1, 1))
def test_greedy_takes_the_likeliest_token_that_it_may(case):
    engine, source, options, prefix = case
    (found,) = search_batch(engine, [source], options, [prefix])
    assert_same(found, [slow_greedy(engine.log_probs, source, options, engine.max_length, prefix)])


@pytest.mark.parametrize("options", [SearchOptions(), SearchOptions(4, num_hypotheses=3)], ids=["greedy", "beams"])
@pytest.mark.parametrize("short", [False, True], ids=["all tokens", "shortlist"])
def test_many_steps_in_one_call_are_the_steps_one_by_one(model, engine, shortlist, sources, options, short: bool):
    engine = FlatEngine(model, "float32", shortlist) if short else engine
    told, found = run(search(engine, sources, options))
    for stride in (2, 5, 99):
        steps, same = run(search(engine, sources, options, stride=stride))
        assert [written(step) for step in steps] == [written(step) for step in told]
        assert list(map(in_words, same)) == list(map(in_words, found))


def written(step: Step) -> dict[int, list[tuple]]:
    """Its rows in full, and what ended"""
    rows = {place: [(row.parent, said_by(row), row.log_prob) for row in rows] for place, rows in step.rows.items()}
    return rows | {-1: [(place, said(hypothesis), hypothesis.score) for place, hypothesis in step.ended]}


def said_by(row: Row) -> list[tuple[int, float]]:
    return [(token.id, token.log_prob) for token in row.tokens()]


def test_many_steps_are_taken_in_few_calls(engine, tokenizer, monkeypatch):
    """Or the rest of these tests would say nothing about them."""
    calls = []
    step = engine.step
    monkeypatch.setattr(engine, "step", lambda *given: calls.append(1) or step(*given))
    ((best,),) = search_batch(engine, [tokenizer.encode("My house has 24 doors.")], SearchOptions(num_beams=4))
    assert len(calls) < 3 < len(best.tokens)


@settings(max_examples=60)
@given(st.lists(searches(2, 6), min_size=2, max_size=5), st.data())
def test_a_batch_gives_what_its_sentences_give_alone(cases, data):
    """Whatever the engine: sources, prefixes and bounds of all lengths"""
    engine, _, options, _ = cases[0]
    limit = engine.logits.size(1)
    sources = [[min(id, limit - 1) for id in source] for _, source, _, _ in cases]
    prefixes = [[min(id, limit - 1) for id in prefix] for _, _, _, prefix in cases]
    if data.draw(st.booleans()):
        options = SearchOptions(temperature=0.9, seed=data.draw(st.integers(0, 99)), num_hypotheses=2, top_p=0.9)
    together = search_batch(engine, sources, options, prefixes)
    for source, prefix, found in zip(sources, prefixes, together, strict=True):
        (alone,) = search_batch(engine, [source], options, [prefix])
        assert_same(found, in_words(alone))


@pytest.mark.parametrize(
    "options",
    [
        SearchOptions(),
        SearchOptions(num_beams=4, num_hypotheses=4, max_length=20),
        SearchOptions(temperature=1.0, seed=1, num_hypotheses=3, max_length=20),
    ],
    ids=["greedy", "beams", "samples"],
)
@pytest.mark.parametrize("short", [False, True], ids=["all tokens", "shortlist"])
def test_padding_and_neighbours_change_nothing(model, engine, shortlist, sources, options, short: bool):
    engine = FlatEngine(model, "float32", shortlist, script=False) if short else engine
    for source, together in zip(sources, search_batch(engine, sources, options), strict=True):
        (alone,) = search_batch(engine, [source], options)
        assert_same(together, in_words(alone))


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_beams_wide_enough_find_the_best_of_all_sentences(length_penalty: float):
    engine = DrawnEngine(vocab_size=MAX_BEAMS * 2)
    engine.logits[:, SEP_ID + 3 :] = NEVER  # two words and [SEP]: no beam is ever too narrow
    options = SearchOptions(
        num_beams=MAX_BEAMS, num_hypotheses=15, length_penalty=length_penalty, max_length=4, min_length=1
    )
    source = [4, 5, 4]

    def sentences(ids: list[int], total: float):
        for token in (SEP_ID, SEP_ID + 1, SEP_ID + 2):
            longer, value = [*ids, token], total + engine.log_probs(source, ids)[token]
            if token == SEP_ID:
                yield longer, value
            elif len(longer) < 4:
                yield from sentences(longer, value)

    every = sorted(sentences([], 0.0), key=lambda s: -s[1] / len(s[0]) ** length_penalty)
    every = [(ids, total) for ids, total in every if len(ids) > 1]
    assert len(every) == 2 + 4 + 8
    (found,) = search_batch(engine, [source], options)
    assert_same(found[: len(every)], every)
    assert len(found) == 15 and not found[-1].complete, "what was cut off comes after all that ended, however likely"


def test_more_beams_find_likelier_translations():
    engine, sources = DrawnEngine(), [[4 + i, 5] for i in range(18)]
    totals = []
    for num_beams in (1, 2, 8):
        found = search_batch(engine, sources, SearchOptions(num_beams=num_beams, length_penalty=0.0, max_length=24))
        totals.append(sum(hypotheses[0].log_prob for hypotheses in found))
    assert totals == sorted(totals) and len(set(totals)) == 3


def test_the_best_are_of_different_words_and_best_first(engine, sources):
    options = SearchOptions(num_beams=5, num_hypotheses=5, max_length=20)
    for found in search_batch(engine, sources, options):
        assert len({hypothesis.ids for hypothesis in found}) == len(found) == 5
        ranks = [(not hypothesis.complete, -hypothesis.score) for hypothesis in found]
        assert ranks == sorted(ranks)


def test_a_longer_penalty_never_makes_the_best_shorter():
    engine, sources = DrawnEngine(sharpness=1.0), [[4 + i, 5, 6, 7, 8, 9] for i in range(18)]
    lengths = [
        sum(len(found[0].tokens) for found in search_batch(engine, sources, SearchOptions(6, length_penalty=penalty)))
        for penalty in (0.0, 1.0, 3.0)
    ]
    assert lengths == sorted(lengths) and len(set(lengths)) == 3


@pytest.mark.parametrize(
    "options",
    [
        SearchOptions(),
        SearchOptions(num_beams=4, num_hypotheses=4, max_length=16),
        SearchOptions(temperature=1.5, seed=3, num_hypotheses=4, top_k=9, max_length=16),
    ],
    ids=["greedy", "beams", "samples"],
)
def test_log_probabilities_are_those_of_the_model_that_is_told_the_translation(engine, log_probs, sources, options):
    for source, found in zip(sources[:5], search_batch(engine, sources[:5], options), strict=True):
        for hypothesis in found:
            ids = said(hypothesis)
            expected = [log_probs(source, ids[:t])[id] for t, id in enumerate(ids)]
            assert [token.log_prob for token in hypothesis.tokens] == pytest.approx(expected, abs=1e-4)


# Where it ends


def test_a_sentence_ends_with_sep_and_sep_is_not_part_of_it(engine, tokenizer, pairs: dict[str, str]):
    for options in (SearchOptions(), SearchOptions(num_beams=4)):
        found = search_batch(engine, [tokenizer.encode(english) for english in pairs], options)
        for malay, (best,) in zip(pairs.values(), found, strict=True):
            assert best.complete and tokenizer.decode(best.ids) == malay
            assert SEP_ID not in best.ids and best.tokens[-1].id == SEP_ID


@pytest.mark.parametrize("length", [1, 5, 40, 100])
@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_model_that_never_ends_is_stopped_at_a_bound_that_grows_with_the_source(length: int, num_beams: int):
    engine = DrawnEngine(max_length=128)
    engine.logits[:, SEP_ID] = NEVER
    (found,) = search_batch(engine, [[5] * length], SearchOptions(num_beams=num_beams, num_hypotheses=num_beams))
    assert [hypothesis.complete for hypothesis in found] == [False] * num_beams
    assert {len(hypothesis.ids) for hypothesis in found} == {min(2 * length + 16, 128)}


@pytest.mark.parametrize("num_beams", [1, 4])
def test_lengths_stay_between_the_least_and_the_most(num_beams: int):
    engine, sources = DrawnEngine(), [[4 + i] for i in range(20)]
    for least, most in ((0, 1), (3, 3), (5, 9), (0, None)):
        options = SearchOptions(num_beams, num_hypotheses=num_beams, min_length=least, max_length=most)
        for hypothesis in chain.from_iterable(search_batch(engine, sources, options)):
            assert least <= len(hypothesis.ids) <= len(hypothesis.tokens) <= (most or 18)


def test_a_most_beyond_the_models_is_the_models():
    engine = DrawnEngine(max_length=9)
    engine.logits[:, SEP_ID] = NEVER
    ((best,),) = search_batch(engine, [[5]], SearchOptions(max_length=100))
    assert len(best.ids) == 9


@pytest.mark.parametrize(
    "options",
    [SearchOptions(), SearchOptions(num_beams=4, num_hypotheses=4), SearchOptions(temperature=5.0, seed=0)],
    ids=["greedy", "beams", "samples"],
)
def test_padding_unknown_and_start_are_never_said_even_by_a_model_that_wants_to(untrained_model, options):
    with torch.no_grad():
        untrained_model.embedding.weight[:SEP_ID] *= 20
    engine = FlatEngine(untrained_model, "float32", script=False)
    sources = [[5, 6, 7], [8] * 9, [30, 20]]
    wanted = untrained_model(torch.tensor([[5, 6, 7, SEP_ID]]), torch.tensor([[CLS_ID]])).argmax()
    assert wanted < SEP_ID
    for hypothesis in chain.from_iterable(search_batch(engine, sources, options)):
        assert hypothesis.ids and min(hypothesis.ids) > SEP_ID


# What it costs


def test_finished_sentences_leave_the_batch():
    engine, sources = DrawnEngine(), [[4 + i] * (i % 5 + 1) for i in range(20)]
    _, found = run(search(engine, sources))
    lengths = [len(best.tokens) for (best,) in found]
    assert engine.num_rows == [sum(length > t for length in lengths) for t in range(max(lengths))]
    assert len(set(lengths)) > 5


def test_beams_are_one_row_at_first_and_leave_together():
    engine, sources = DrawnEngine(), [[4 + i] * (i % 5 + 1) for i in range(20)]
    run(search(engine, sources, SearchOptions(num_beams=4)))
    assert engine.num_rows[0] == 20 and engine.num_rows[1] == 80
    assert all(rows % 4 == 0 for rows in engine.num_rows[1:])
    assert engine.num_rows[1:] == sorted(engine.num_rows[1:], reverse=True)
    assert len(set(engine.num_rows[1:])) > 5


def test_beams_stop_as_soon_as_no_better_translation_can_come(engine, tokenizer, pairs, monkeypatch):
    """The slow search says what may be left out; this, that it is left out."""
    source = tokenizer.encode("My house has 24 doors.")
    steps, ((best,),) = run(search(engine, [source], SearchOptions(num_beams=4)))
    assert best.complete and tokenizer.decode(best.ids) == pairs["My house has 24 doors."]
    assert len(steps) <= len(best.tokens) + 1 < 2 * len(source) + 16
    sure = DrawnEngine()
    sure.logits[:, SEP_ID] = 20.0
    search_batch(sure, [[5, 6]], SearchOptions(num_beams=4))
    assert len(sure.num_rows) == 1


def test_more_sentences_than_one_batch_holds_come_back_in_their_order():
    sources = [[4 + i % 20] * (1 + i * 7 % 5) for i in range(2 * ROWS_PER_BATCH + 3)]
    prefixes = [[4 + i % 13] for i in range(len(sources))]
    for options, copies in ((SearchOptions(), 1), (SearchOptions(3), 3), (SearchOptions(temperature=1.0, seed=1), 1)):
        engine = DrawnEngine()
        found = search_batch(engine, sources, options, prefixes)
        assert max(engine.num_rows) == ROWS_PER_BATCH // copies * copies
        for source, prefix, hypotheses in zip(sources[::9], prefixes[::9], found[::9], strict=True):
            (alone,) = search_batch(engine, [source], options, [prefix])
            assert_same(hypotheses, in_words(alone))


def test_as_many_sentences_are_decoded_together_as_is_asked():
    engine, sources = DrawnEngine(), [[4 + i % 20] * (1 + i * 7 % 5) for i in range(7)]
    for at_once in (1, 3):
        engine.num_rows.clear()
        found = search_batch(engine, sources, SearchOptions(num_beams=2), at_once=at_once)
        assert max(engine.num_rows) == 2 * at_once
        for hypotheses, expected in zip(found, search_batch(engine, sources, SearchOptions(num_beams=2)), strict=True):
            assert_same(hypotheses, in_words(expected))


def test_samples_count_as_rows_of_a_batch():
    engine = DrawnEngine()
    search_batch(engine, [[5]] * 20, SearchOptions(temperature=1.0, num_hypotheses=10))
    assert engine.num_rows[0] == max(engine.num_rows) == 60


def test_sentences_of_like_length_are_decoded_together():
    engine = DrawnEngine(max_length=128)
    engine.logits[:, SEP_ID] = NEVER
    search_batch(engine, [[5], [5] * 10] * ROWS_PER_BATCH)
    assert engine.num_rows == [ROWS_PER_BATCH] * (18 + 36)


def test_what_stays_where_it_is_is_not_moved():
    engine = DrawnEngine()
    _, ((best,),) = run(search(engine, [[4, 5]]))
    assert len(best.tokens) > 3 and engine.num_reorders == 0
    steps, _ = run(search(engine, [[4, 5], [6]], SearchOptions(num_beams=6)))
    for step in steps:
        for rows in step.rows.values():
            assert {row.parent for row in rows} == {place for place, row in enumerate(rows) if row.parent == place}


def test_no_sentences_are_no_hypotheses():
    assert search_batch(DrawnEngine(), []) == []


def test_nothing_is_computed_before_it_is_asked_for_and_closing_stops_the_work():
    engine = DrawnEngine()
    engine.logits[:, SEP_ID] = NEVER
    steps = search(engine, [[5] * 5])
    assert engine.num_rows == []
    for asked in range(3):
        next(steps)
        assert len(engine.num_rows) == asked + 1
    steps.close()
    assert list(steps) == [] and len(engine.num_rows) == 3


def test_decoding_leaves_nothing_that_remembers_gradients(model, engine, sources):
    assert all(parameter.requires_grad for parameter in model.parameters())
    steps = search(engine, sources)
    next(steps)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


# What each step tells


@pytest.mark.parametrize("num_beams", [1, 4])
def test_rows_tell_how_every_hypothesis_grew(num_beams: int):
    engine, sources = DrawnEngine(), [[4 + i] * (i % 5 + 1) for i in range(12)]
    steps, found = run(search(engine, sources, SearchOptions(num_beams, num_hypotheses=num_beams)))
    earlier: dict[int, tuple[Row, ...]] = {}
    ended: list[list[Hypothesis]] = [[] for _ in sources]
    for t, step in enumerate(steps, 1):
        for sentence, hypothesis in step.ended:
            ended[sentence].append(hypothesis)
            known = [row.tokens() for row in earlier[sentence]] if t > 1 else [()]
            assert hypothesis.tokens[:-1] in known and len(hypothesis.tokens) == t
        for sentence, rows in step.rows.items():
            assert len(rows) == len({tuple(token.id for token in row.tokens()) for row in rows}) == num_beams
            for row in rows:
                tokens = row.tokens()
                assert tokens[-1] == row.token and len(tokens) == t
                assert t == 1 or row.before is earlier[sentence][row.parent]
                assert row.log_prob == pytest.approx(sum(token.log_prob for token in tokens))
                expected = engine.log_probs(sources[sentence], [token.id for token in tokens[:-1]])[row.token.id]
                assert row.token.log_prob == pytest.approx(expected, abs=1e-4)
        earlier = step.rows
    for all_ended, best in zip(ended, found, strict=True):
        ranked = sorted(all_ended, key=lambda each: (not each.complete, -each.score))
        assert ranked[: len(best)] == best and len(best) == num_beams


def test_alternatives_are_the_likeliest_tokens_and_the_entropy_is_of_them_all():
    engine, source = DrawnEngine(sharpness=1.0), [4, 5, 6]
    for options in (SearchOptions(num_alternatives=5), SearchOptions(3, num_hypotheses=3, num_alternatives=5)):
        (found,) = search_batch(engine, [source], options)
        for hypothesis in found:
            ids = said(hypothesis)
            for t, token in enumerate(hypothesis.tokens):
                known = engine.log_probs(source, ids[:t])
                likeliest = sorted(range(len(known)), key=known.__getitem__, reverse=True)[:5]
                assert [id for id, _ in token.alternatives] == likeliest
                assert [value for _, value in token.alternatives] == pytest.approx([known[id] for id in likeliest])
                assert sum(math.exp(value) for _, value in token.alternatives) <= 1
                assert token.entropy == pytest.approx(-sum(math.exp(v) * v for v in known), abs=1e-5)
                if options.num_beams == 1:
                    assert token.alternatives[0] == pytest.approx((token.id, token.log_prob))


def test_alternatives_are_what_the_model_holds_likely_even_if_it_may_not_say_it():
    engine = DrawnEngine()
    ((best,),) = search_batch(engine, [[4]], SearchOptions(num_alternatives=1, min_length=17, max_length=17))
    assert SEP_ID in [token.alternatives[0][0] for token in best.tokens]
    ((forced,),) = search_batch(engine, [[4]], SearchOptions(num_alternatives=3), [[7, 8]])
    for t, token in enumerate(forced.tokens[:2]):
        known = engine.log_probs([4], [7, 8][:t])
        assert token.id == [7, 8][t] and token.log_prob == pytest.approx(known[token.id], abs=1e-5)
        assert token.alternatives[0][1] == pytest.approx(max(known))


def test_alternatives_are_tokens_and_not_columns_of_a_shortlist(model, shortlist, sources):
    engine = FlatEngine(model, "float32", shortlist, script=False)
    for ((best,),) in (search_batch(engine, [source], SearchOptions(num_alternatives=2)) for source in sources[:3]):
        for token in best.tokens:
            assert token.alternatives[0] == pytest.approx((token.id, token.log_prob))


def test_more_alternatives_than_there_are_tokens_are_all_of_them():
    ((best,),) = search_batch(DrawnEngine(vocab_size=9), [[4]], SearchOptions(num_alternatives=100, max_length=1))
    assert sorted(id for id, _ in best.tokens[0].alternatives) == list(range(9))


def test_without_alternatives_there_are_none_and_the_entropy_is_not_a_number():
    ((best,),) = search_batch(DrawnEngine(), [[4]])
    assert all(token.alternatives == () and math.isnan(token.entropy) for token in best.tokens)


# Samples


@pytest.mark.parametrize(
    ("top_k", "top_p"), [(0, 1.0), (4, 1.0), (0, 0.6), (6, 0.8)], ids=["all", "top_k", "top_p", "both"]
)
@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.6])
def test_samples_are_drawn_as_often_as_they_are_likely_and_from_no_other_tokens(
    top_k: int, top_p: float, temperature: float
):
    engine, source, num_draws = DrawnEngine(vocab_size=14, sharpness=1.0), [4, 5], 3200
    probabilities = {
        id: math.exp(value / temperature) for id, value in enumerate(engine.log_probs(source, [])) if value > NEVER / 2
    }
    ranked = sorted(probabilities, key=probabilities.__getitem__, reverse=True)[: top_k or None]
    kept, mass = [], 0.0
    while mass < top_p * sum(probabilities[id] for id in ranked) - 1e-9:
        kept.append(ranked[len(kept)])
        mass += probabilities[kept[-1]]
    assert len(kept) > 1

    counts: Counter[int] = Counter()
    for seed in range(0, num_draws, MAX_BEAMS):
        options = SearchOptions(
            temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, num_hypotheses=MAX_BEAMS, max_length=1
        )
        (found,) = search_batch(engine, [source], options)
        counts.update(hypothesis.tokens[0].id for hypothesis in found)
    assert counts.keys() == set(kept) and counts.total() == num_draws
    expected = {id: num_draws * probabilities[id] / mass for id in kept}
    chi_square = sum((counts[id] - expected[id]) ** 2 / expected[id] for id in kept)
    assert chi_square < len(kept) - 1 + 4 * math.sqrt(2 * (len(kept) - 1))


def test_the_tokens_of_a_sample_are_drawn_apart():
    """As one number drawn for all of them would not be: then the second token would follow from the first."""
    engine = DrawnEngine(vocab_size=8, sharpness=0.0)
    engine.logits[:, SEP_ID] = NEVER
    counts: Counter[tuple[int, ...]] = Counter()
    for seed in range(0, 1600, MAX_BEAMS):
        options = SearchOptions(temperature=1.0, seed=seed, num_hypotheses=MAX_BEAMS, max_length=2)
        counts.update(hypothesis.ids for hypothesis in search_batch(engine, [[4]], options)[0])
    assert len(counts) == 16 and sum((n - 100) ** 2 / 100 for n in counts.values()) < 15 + 4 * math.sqrt(30)


def test_the_fewest_tokens_that_have_the_probability_asked_for_are_no_more_than_that():
    engine = DrawnEngine(vocab_size=8, sharpness=0.0)
    engine.logits[:, SEP_ID] = NEVER  # four words, each a quarter
    for top_p, num_words in ((0.25, 1), (0.5, 2), (0.51, 3), (1.0, 4)):
        options = SearchOptions(temperature=1.0, top_p=top_p, seed=0, num_hypotheses=MAX_BEAMS, max_length=1)
        assert len({hypothesis.ids for hypothesis in search_batch(engine, [[4]], options)[0]}) == num_words


def test_a_seed_repeats_its_samples_and_another_does_not():
    engine, sources = DrawnEngine(), [[4, 5, 6], [7, 8]]

    def drawn(seed: int | None) -> list[list[list[int]]]:
        options = SearchOptions(temperature=1.0, seed=seed, num_hypotheses=4)
        return [[said(hypothesis) for hypothesis in found] for found in search_batch(engine, sources, options)]

    assert drawn(1) == drawn(1) != drawn(5) and drawn(0) == drawn(0)
    assert drawn(None) != drawn(None)
    assert all(len(set(map(tuple, found))) > 1 for found in drawn(1)), "the samples of one source are drawn apart"


def test_the_number_of_samples_does_not_change_them():
    engine = DrawnEngine()
    (one,) = search_batch(engine, [[4, 5]], SearchOptions(temperature=1.0, seed=6))
    (more,) = search_batch(engine, [[4, 5]], SearchOptions(temperature=1.0, seed=6, num_hypotheses=5))
    assert said(one[0]) in [said(hypothesis) for hypothesis in more]


def test_drawing_leaves_torchs_own_numbers_alone():
    before = torch.get_rng_state()
    search_batch(DrawnEngine(), [[4]], SearchOptions(temperature=1.0))
    search_batch(DrawnEngine(), [[4]], SearchOptions(temperature=1.0, seed=3))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "options",
    [
        SearchOptions(temperature=1e-4),
        SearchOptions(temperature=1e-30),
        SearchOptions(temperature=2.0, top_k=1),
        SearchOptions(temperature=2.0, top_p=1e-6),
    ],
    ids=["cold", "colder", "top_k", "top_p"],
)
def test_samples_that_can_only_be_the_likeliest_are_greedy(engine, sources, options):
    for found, greedy in zip(search_batch(engine, sources, options), search_batch(engine, sources), strict=True):
        assert_same(found, in_words(greedy))


def test_samples_of_a_source_follow_each_other_in_the_steps():
    steps, found = run(search(DrawnEngine(), [[4], [5, 6]], SearchOptions(temperature=1.0, seed=1, num_hypotheses=3)))
    ended = {sentence: hypothesis for step in steps for sentence, hypothesis in step.ended}
    assert sorted(ended) == list(range(6)) and set(steps[0].rows) <= set(range(6))
    for i, best in enumerate(found):
        assert sorted(best, key=said) == sorted((ended[3 * i + copy] for copy in range(3)), key=said)


# Prefixes


def test_a_prefix_is_said_first_and_the_rest_is_what_follows_from_it(engine, log_probs, sources):
    """Prefixes of many lengths in one batch, some of which the model would never say"""
    prefixes = [[7, 8, 9], [], [20], [300, 300], [44] * 9, [5], [], [60, 61], [4], [10] * 20]
    found = search_batch(engine, sources, SearchOptions(), prefixes)
    for source, prefix, hypotheses in zip(sources, prefixes, found, strict=True):
        expected = slow_greedy(log_probs, source, SearchOptions(), engine.max_length, prefix)
        assert expected[0][: len(prefix)] == prefix and len(expected[0]) > len(prefix)
        assert_same(hypotheses, [expected])


def test_the_start_of_a_translation_as_its_prefix_gives_it_again(engine, tokenizer, pairs):
    source = tokenizer.encode("He eats rice and fish, not meat.")
    ((best,),) = search_batch(engine, [source])
    for length in range(len(best.ids) + 1):
        for options in (SearchOptions(), SearchOptions(num_beams=3)):
            ((again,),) = search_batch(engine, [source], options, [best.ids[:length]])
            assert again.ids == best.ids and again.complete
            assert again.log_prob == pytest.approx(best.log_prob, abs=1e-3)


@pytest.mark.parametrize(
    "options",
    [SearchOptions(), SearchOptions(num_beams=3), SearchOptions(temperature=1.0, seed=0, num_hypotheses=2)],
    ids=["greedy", "beams", "samples"],
)
def test_a_prefix_may_hold_what_the_shortlist_does_not(model, shortlist, sources, options):
    engine = FlatEngine(model, "float32", shortlist, script=False)
    other, source = sources[3], sources[0]
    allowed = shortlist.allowed(torch.tensor([source]), None)[0]
    outside = ((~allowed[SEP_ID:]).nonzero().squeeze(1)[:3] + SEP_ID).tolist()
    found = search_batch(engine, [other, source], options, [[], outside])
    for hypothesis in found[1]:
        assert list(hypothesis.ids[:3]) == outside and hypothesis.log_prob > NEVER / 2
        assert set(hypothesis.ids[3:]) <= {*allowed.nonzero().squeeze(1).tolist(), *outside}
    (neighbour,) = search_batch(engine, [other], options)
    assert_same(found[0], in_words(neighbour))


def test_a_prefix_as_long_as_the_bound_is_followed_by_one_token():
    ((best,),) = search_batch(DrawnEngine(), [[4]], SearchOptions(max_length=3), [[7] * 5])
    assert best.ids[:5] == (7,) * 5 and len(best.tokens) == 6


@settings(max_examples=100)
@given(searches(1, 4), st.integers(1, 3))
@example((DrawnEngine(), [4], SearchOptions(), [7, 7, 8]), 1)
@example((DrawnEngine(), [4], SearchOptions(3), [7, 7, 7, 8]), 2)
def test_nothing_is_said_twice_unless_the_prefix_says_it(case, length: int):
    engine, source, options, prefix = case
    options = SearchOptions(options.num_beams, no_repeat_ngram=length, max_length=8)
    ((best,),) = search_batch(engine, [source], options, [prefix])
    ids = said(best)
    assert ids[: len(prefix)] == prefix
    runs = [tuple(ids[i : i + length]) for i in range(len(ids) - length + 1)]
    for i in range(max(0, len(prefix) - length + 1), len(runs)):
        assert runs[i] not in runs[:i]


def test_runs_are_said_twice_when_that_is_allowed():
    found = search_batch(DrawnEngine(vocab_size=8), [[4 + i % 4, i] for i in range(4, 8)], SearchOptions(min_length=17))
    assert any(len(set(best.ids)) < len(best.ids) for (best,) in found)


# What is refused


def test_a_source_without_tokens_is_refused():
    for sources in ([[]], [[5], [], [6]]):
        with pytest.raises(ValueError, match="without tokens"):
            search_batch(DrawnEngine(), sources)


def test_a_source_that_does_not_fit_the_model_is_refused():
    engine = DrawnEngine(max_length=64)  # of which [SEP] takes one
    assert len(search_batch(engine, [[5] * 63])) == 1
    with pytest.raises(ValueError, match="64 tokens is too long; the most is 63"):
        search_batch(engine, [[5] * 64])


@pytest.mark.parametrize("prefix", [[SEP_ID], [5, CLS_ID], [PAD_ID, 5], [5] * 24])
def test_a_prefix_that_is_not_text_or_leaves_no_room_is_refused(prefix: list[int]):
    with pytest.raises(ValueError, match="fewer than 24 tokens of text"):
        search_batch(DrawnEngine(), [[5]], SearchOptions(), [prefix])


def test_the_longest_prefix_leaves_room_for_one_token():
    ((best,),) = search_batch(DrawnEngine(), [[5]], SearchOptions(), [[5] * 23])
    assert len(best.tokens) == 24


def test_prefixes_must_be_as_many_as_sources():
    with pytest.raises(ValueError, match="2 sources and 1 prefixes"):
        list(search(DrawnEngine(), [[5], [6]], SearchOptions(), [[7]]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_beams": 0}, "num_beams is 0; it must be a whole number, 1 or more and at most 32."),
        ({"num_beams": MAX_BEAMS + 1}, "num_beams is 33; .* at most 32."),
        ({"num_beams": 2.0}, r"num_beams is 2\.0; it must be a whole number"),
        ({"num_beams": True}, "num_beams is True; it must be a whole number"),
        ({"num_hypotheses": 0}, "num_hypotheses is 0; it must be a whole number, 1 or more"),
        ({"num_hypotheses": 33, "temperature": 1.0}, "num_hypotheses is 33; .* at most 32"),
        ({"num_hypotheses": 2}, r"num_hypotheses \(2\) is more than num_beams \(1\); raise num_beams."),
        ({"num_hypotheses": 5, "num_beams": 4}, r"num_hypotheses \(5\) is more than num_beams \(4\)"),
        ({"top_k": -1, "temperature": 1.0}, "top_k is -1; it must be a whole number, 0 or more."),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram is -1; it must be a whole number, 0 or more."),
        ({"min_length": -1}, "min_length is -1; it must be"),
        ({"num_alternatives": None}, "num_alternatives is None; it must be a whole number"),
        ({"max_length": 0}, "max_length is 0; it must be a positive whole number, or None."),
        ({"max_length": 2.5}, r"max_length is 2\.5; it must be"),
        ({"min_length": 5, "max_length": 4}, r"min_length \(5\) is more than max_length \(4\)"),
        ({"length_penalty": -0.1}, r"length_penalty is -0\.1; it must be zero or more"),
        ({"length_penalty": math.nan}, "length_penalty is nan; it must be"),
        ({"length_penalty": math.inf}, "length_penalty is inf; it must be"),
        ({"temperature": 1.0, "top_p": 0.0}, r"top_p is 0\.0; it must be more than 0 and at most 1"),
        ({"temperature": 1.0, "top_p": 1.01}, r"top_p is 1\.01; it must be"),
        ({"temperature": 1.0, "top_p": math.nan}, "top_p is nan; it must be"),
        ({"temperature": 0.0}, r"temperature is 0\.0; it must be more than zero, or None"),
        ({"temperature": -1.0}, r"temperature is -1\.0; it must be"),
        ({"temperature": math.inf}, "temperature is inf; it must be"),
        ({"temperature": 1.0, "num_beams": 2}, "Give num_beams or temperature, not both"),
        ({"top_k": 3}, "top_k and top_p belong to sampling; give a temperature too."),
        ({"top_p": 0.9}, "top_k and top_p belong to sampling; give a temperature too."),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused_with_their_value_and_what_to_do(fields: dict, message: str):
    with pytest.raises(ValueError, match=message):
        SearchOptions(**fields)


def test_options_at_their_limits_are_taken():
    SearchOptions(num_beams=MAX_BEAMS, num_hypotheses=MAX_BEAMS, length_penalty=0, min_length=4, max_length=4)
    SearchOptions(num_hypotheses=MAX_BEAMS, temperature=1e-3, top_k=1, top_p=1)


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", "a"), ("seed", 1.5), ("seed", -1), ("seed", 2**70), ("length_penalty", "1"), ("top_p", None)],
)
def test_an_option_of_a_wrong_kind_is_refused_by_name(field: str, value: object):
    with pytest.raises(ValueError, match=rf"^{field} is {value!r}; it must be"):
        SearchOptions(temperature=1.0, **{field: value})


def test_a_temperature_near_zero_takes_the_likeliest():
    engine = DrawnEngine()
    (sampled,) = search_batch(engine, [[5, 6]], SearchOptions(temperature=1e-45, seed=3))
    (greedy,) = search_batch(engine, [[5, 6]])
    assert sampled[0].ids == greedy[0].ids


def test_ids_that_the_model_does_not_know_are_refused():
    engine = DrawnEngine(vocab_size=24)
    with pytest.raises(ValueError, match="tokens below 24"):
        search_batch(engine, [[5, 24]])
    with pytest.raises(ValueError, match="A prefix is"):
        search_batch(engine, [[5]], prefixes=[[24]])


def test_a_search_of_nothing_finds_nothing():
    steps = search(DrawnEngine(), [])
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == []


@pytest.mark.parametrize("seeds", [(1, 2), (1 << 32, 2 << 32), (5, 5 + (1 << 40))])
def test_samples_of_other_seeds_are_not_each_others(seeds: tuple[int, int]):
    engine, options = DrawnEngine(sharpness=0.5), {"temperature": 1.0, "num_hypotheses": 4}
    (first,), (second,) = (search_batch(engine, [[5, 6]], SearchOptions(seed=seed, **options)) for seed in seeds)
    assert not {hypothesis.ids for hypothesis in first} & {hypothesis.ids for hypothesis in second}
