"""From source ids to target ids: greedy, beam and sampling, in one loop that speaks to any engine.

Speaks ids only; text is the translator's. The encoder runs once, each step decodes one position of every row against
the cache, and sentences leave the batch as they end. What is known after a step is yielded at once, so that a page can
show it; whoever stops asking stops the work.

Letters in shapes: b sentences still being decoded, k rows of each (the beams; one otherwise), C columns of logits,
which the engine's `vocabulary` says the tokens of, m candidates.
"""

import math
import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from malaygpt.engine import NEVER, Engine, ScriptedStep, State, forbid, move_rows, with_room
from malaygpt.model import KVCache
from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID

ROWS_PER_BATCH = 64
STRIDE = 32
"""Steps taken in one call where nobody watches"""
MAX_BEAMS = 32
LARGEST_SEED = 2**58


@dataclass(frozen=True)
class SearchOptions:
    """How to choose among what the model holds likely. Raises ValueError for what cannot be done."""

    num_beams: int = 1
    """Hypotheses kept at every step. One is greedy decoding: the likeliest token each time."""
    length_penalty: float = 1.0
    """Beams are ranked by log-probability / min(length, source length) ** length_penalty. Zero ranks by probability,
    which favours the short."""
    num_hypotheses: int = 1
    """How many translations of each sentence to return: the best of the beams, or so many samples"""
    temperature: float | None = None
    """Sample from the distribution with its logits divided by this; None takes the likeliest instead"""
    top_k: int = 0
    """Sample from so many of the likeliest tokens only; zero from all"""
    top_p: float = 1.0
    """Sample from the fewest likeliest tokens that together have this probability (Holtzman et al., 2020)"""
    seed: int | None = None
    """Makes samples repeatable; each sentence's are then the same in every batch"""
    no_repeat_ngram: int = 0
    """No run of so many tokens is said twice; zero allows all. Digits are tokens of their own, so 1,000,000 repeats."""
    min_length: int = 0
    """Fewest target tokens before [SEP]"""
    max_length: int | None = None
    """Most target tokens; None for twice as many as the source has and 16: a model that loops must stop, one that needs
    room must have it"""
    num_alternatives: int = 0
    """Likeliest tokens that each step tells of, with their probabilities and the entropy; zero for neither"""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("num_beams", 1, MAX_BEAMS),
            ("num_hypotheses", 1, MAX_BEAMS),
            ("top_k", 0, None),
            ("no_repeat_ngram", 0, None),
            ("min_length", 0, None),
            ("num_alternatives", 0, None),
        ):
            value = getattr(self, name)
            if type(value) is not int or value < least or (most is not None and value > most):
                raise ValueError(
                    f"{name} is {value!r}; it must be a whole number, {least} or more"
                    + ("." if most is None else f" and at most {most}.")
                )
        for name in ("length_penalty", "top_p", "temperature"):
            value = getattr(self, name)
            if not isinstance(value, float | int) and not (name == "temperature" and value is None):
                raise ValueError(f"{name} is {value!r}; it must be a number.")
        if self.seed is not None and (type(self.seed) is not int or not 0 <= self.seed < LARGEST_SEED):
            raise ValueError(f"seed is {self.seed!r}; it must be a whole number from 0 to {LARGEST_SEED - 1}, or None.")
        if self.max_length is not None and (type(self.max_length) is not int or self.max_length < 1):
            raise ValueError(f"max_length is {self.max_length!r}; it must be a positive whole number, or None.")
        if self.max_length is not None and self.min_length > self.max_length:
            raise ValueError(f"min_length ({self.min_length}) is more than max_length ({self.max_length}).")
        if not (math.isfinite(self.length_penalty) and self.length_penalty >= 0):
            raise ValueError(f"length_penalty is {self.length_penalty!r}; it must be zero or more.")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p!r}; it must be more than 0 and at most 1.")
        if self.temperature is not None and not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature is {self.temperature!r}; it must be more than zero, or None not to sample.")
        if self.temperature is not None and self.num_beams > 1:
            raise ValueError("Give num_beams or temperature, not both: beams are searched, samples are drawn.")
        if self.temperature is None and self.num_hypotheses > self.num_beams:
            raise ValueError(
                f"num_hypotheses ({self.num_hypotheses}) is more than num_beams ({self.num_beams}); raise num_beams."
            )
        if self.temperature is None and (self.top_k or self.top_p < 1):
            raise ValueError("top_k and top_p belong to sampling; give a temperature too.")


GREEDY = SearchOptions()


class Token(NamedTuple):
    """One chosen token, and what else there was."""

    id: int
    log_prob: float
    """Natural logarithm of the probability that the model gave it"""
    alternatives: tuple[tuple[int, float], ...]
    """The likeliest ids with their log-probabilities, likeliest first"""
    entropy: float
    """Of the distribution it was chosen from, in nats; not a number when no alternatives were asked for"""


class Row(NamedTuple):
    """One hypothesis of a sentence after a step."""

    token: Token
    """The newest"""
    log_prob: float
    """Sum over all its tokens; minus infinity for a row that only fills the shape"""
    parent: int
    """Which of the sentence's rows after the step before it continues"""
    before: "Row | None"
    """That row; None for the start, where nothing is said yet"""

    def tokens(self) -> tuple[Token, ...]:
        """All its tokens"""
        tokens, row = [], self
        while row.before is not None:
            tokens.append(row.token)
            row = row.before
        return tuple(reversed(tokens))


@dataclass(frozen=True)
class Hypothesis:
    """One finished translation."""

    tokens: tuple[Token, ...]
    """All that was decoded, with [SEP] at the end if it is complete"""
    log_prob: float
    """Sum over the tokens"""
    score: float
    """What the hypotheses of a sentence are ranked by: log_prob, weighed by length"""
    complete: bool
    """Whether it ended with [SEP], and not at the length bound"""

    @property
    def ids(self) -> tuple[int, ...]:
        """Target tokens, [SEP] left out"""
        return tuple(token.id for token in self.tokens[: len(self.tokens) - self.complete])


@dataclass(frozen=True)
class Step:
    """One step of a batch from which finished sentences have left."""

    rows: dict[int, tuple[Row, ...]]
    """For each sentence that can go on, by its place in the batch: its rows, one for each beam, in no order"""
    ended: tuple[tuple[int, Hypothesis], ...]
    """Hypotheses that ended in this step, each with its sentence"""


@torch.inference_mode()
def search(
    engine: Engine,
    sources: Sequence[Sequence[int]],
    options: SearchOptions = GREEDY,
    prefixes: Sequence[Sequence[int]] | None = None,
    stride: int = 1,
) -> Generator[Step, None, list[list[Hypothesis]]]:
    """Decodes sources (token ids, neither [CLS] nor [SEP]) together, yielding each step as soon as it is known.

    With a larger stride so many steps may be taken before they are yielded: faster by what Python costs between them,
    and Python's lock is free for so long.

    A translation begins with its prefix, where one is given. What the generator returns at its end is, for each
    source, its best hypotheses, best first. Samples count as sentences of their own in the steps: those of source i are
    i * num_hypotheses and the following. Raises ValueError for a source or a prefix that cannot be decoded.
    """
    sentences = going = _sentences(engine, sources, options, prefixes)
    if not sentences:
        return []
    state = _encode(engine, sources, [sentence.prefix for sentence in sentences], options)
    vocabulary = engine.vocabulary(state).tolist()  # which token each column of logits stands for
    column_of = {token: column for column, token in enumerate(vocabulary)} if _forbids(options, sentences) else {}
    end = vocabulary.index(SEP_ID)
    ids = torch.full((len(sentences),), CLS_ID, device=engine.device)
    if column_of or options.temperature or options.num_alternatives:
        stride = 1  # Python has a part in every step
    while going:
        most = min(stride, *(sentence.bound - sentence.length for sentence in going)) - 1
        if most > 0 and engine.scripted and len(ids) == len(going) * options.num_beams:
            chosen, logits, state = _take_steps(engine.scripted, ids, state, going, most, end, options)
            for rows in chosen:
                yield _follow(going, *rows)
        else:
            logits, state = engine.step(ids, state)
        too_early = going[0].length < options.min_length  # all sentences are as long
        log_probs, values, columns = _rank(logits, _num_candidates(options), end if too_early and not column_of else -1)
        told = _alternatives(log_probs, vocabulary, options.num_alternatives, len(going))
        if column_of:
            _forbid(log_probs, going, column_of, options)
            values, columns = _best_columns(log_probs, _num_candidates(options))
        if options.temperature:
            candidates = _sample(log_probs, going, options)
        else:
            candidates = _beams(values.tolist(), columns.tolist(), going, options)
        ended = []
        for sentence, each, others in zip(going, candidates, told, strict=True):
            ended += sentence.extend(each, vocabulary, others, options)
        yield Step({sentence.place: tuple(sentence.rows) for sentence in going if sentence.rows}, tuple(ended))
        going, ids, state = _advance(engine, state, going, len(logits) // len(going))
    copies = _copies(options)
    return [_best(sentences[i : i + copies], options) for i in range(0, len(sentences), copies)]


def search_batch(
    engine: Engine,
    sources: Sequence[Sequence[int]],
    options: SearchOptions = GREEDY,
    prefixes: Sequence[Sequence[int]] | None = None,
    at_once: int | None = None,
) -> list[list[Hypothesis]]:
    """The best hypotheses of every source, in their order. Sources of like length are decoded together, `at_once` of
    them, or as many as are fast."""
    prefixes = [()] * len(sources) if prefixes is None else prefixes
    found: dict[int, list[Hypothesis]] = {}
    by_length = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    size = at_once or max(1, ROWS_PER_BATCH // (options.num_beams * _copies(options)))
    for start in range(0, len(by_length), size):
        chosen = by_length[start : start + size]
        steps = search(engine, [sources[i] for i in chosen], options, [prefixes[i] for i in chosen], STRIDE)
        found |= zip(chosen, _result(steps), strict=True)
    return [found[i] for i in range(len(sources))]


def _result(steps: Generator[Step, None, list[list[Hypothesis]]]) -> list[list[Hypothesis]]:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


_Candidate = tuple[int, int, float]
"""Parent, column and log-probability of what a sentence could say next"""
_Told = tuple[tuple[tuple[int, float], ...], float]
"""The alternatives and the entropy of a Token"""
_NOTHING_TOLD: _Told = ((), math.nan)


class _Sentence:
    """What the search knows of one sentence while it is decoded."""

    def __init__(
        self, place: int, source: Sequence[int], prefix: Sequence[int], bound: int, draws: list[float]
    ) -> None:
        self.place = place
        self.prefix = prefix
        self.bound = bound
        """Most tokens"""
        self.rewarded = len(source) + 1
        """Length beyond which being longer gains a hypothesis nothing"""
        self.draws = draws
        """A number between 0 and 1 for every step, when sampling"""
        self.length = 0
        self.rows = [Row(Token(CLS_ID, 0.0, (), math.nan), 0.0, 0, None)]
        self.ended: list[Hypothesis] = []
        self.done = False

    def extend(
        self, candidates: list[_Candidate], vocabulary: list[int], told: list[_Told], options: SearchOptions
    ) -> list[tuple[int, Hypothesis]]:
        """Goes on with the best of the candidates, which are likeliest first; returns the hypotheses that end.

        Of twice as many candidates as there are beams only those among the first half may end: one that the beam has
        no room for is not a hypothesis.
        """
        self.length += 1
        must_end = self.length == self.bound
        rows, ended = [], []
        for rank, (parent, column, log_prob) in enumerate(candidates):
            before = self.rows[parent]
            token = Token(vocabulary[column], log_prob, *told[parent])
            row = Row(token, before.log_prob + log_prob, parent, before)
            if must_end or token.id == SEP_ID:
                if rank < options.num_beams and row.log_prob > NEVER / 2:
                    ended.append(self._hypothesis(row, options))
            elif len(rows) < options.num_beams:
                rows.append(row)
        self.rows = [rows[i] for i in _in_place([row.parent for row in rows])] if len(rows) > 1 else rows
        self.ended += ended
        self.done = not rows or self._is_decided(options)
        return [(self.place, hypothesis) for hypothesis in ended]

    def follow(self, chosen: list[tuple[int, int, float]]) -> None:
        """Goes on with these tokens, parents and log-probabilities, of which none ends."""
        self.length += 1
        before = self.rows
        self.rows = [
            Row(Token(token, log_prob, *_NOTHING_TOLD), before[parent].log_prob + log_prob, parent, before[parent])
            for token, parent, log_prob in chosen
        ]

    def to_beat(self, options: SearchOptions) -> float:
        """The score that a hypothesis has to exceed to come to be among the best."""
        scores = sorted((hypothesis.score for hypothesis in self.ended), reverse=True)
        return scores[options.num_hypotheses - 1] if len(scores) >= options.num_hypotheses else -math.inf

    def _hypothesis(self, row: Row, options: SearchOptions) -> Hypothesis:
        tokens = row.tokens()
        score = row.log_prob / min(len(tokens), self.rewarded) ** options.length_penalty
        return Hypothesis(tokens, row.log_prob, score, row.token.id == SEP_ID)

    def _is_decided(self, options: SearchOptions) -> bool:
        """Whether nothing that still goes on can come to be among the best.

        A total only falls, and is divided by `rewarded ** length_penalty` at most: no score will be more than if its
        total stayed as it is and were divided by that. As length beyond `rewarded` gains nothing, this is soon decided
        (Huang et al., 2017, "When to Finish? Optimal Beam Search").
        """
        return max(row.log_prob for row in self.rows) / self.rewarded**options.length_penalty <= self.to_beat(options)


def _best(sentences: list[_Sentence], options: SearchOptions) -> list[Hypothesis]:
    """The best hypotheses of one source: complete ones first, then by score."""
    ended = [hypothesis for sentence in sentences for hypothesis in sentence.ended]
    return sorted(ended, key=lambda each: (not each.complete, -each.score))[: options.num_hypotheses]


def _copies(options: SearchOptions) -> int:
    """How many sentences of the search one source becomes."""
    return options.num_hypotheses if options.temperature else 1


def _sentences(
    engine: Engine, sources: Sequence[Sequence[int]], options: SearchOptions, prefixes: Sequence[Sequence[int]] | None
) -> list[_Sentence]:
    prefixes = [()] * len(sources) if prefixes is None else prefixes
    if len(prefixes) != len(sources):
        raise ValueError(f"There are {len(sources)} sources and {len(prefixes)} prefixes; give one for each, or none.")
    sentences = []
    for source, prefix in zip(sources, prefixes, strict=True):
        if not source:
            raise ValueError("A source without tokens cannot be translated.")
        if len(source) >= engine.max_length:
            raise ValueError(f"A source of {len(source)} tokens is too long; the most is {engine.max_length - 1}.")
        if len(prefix) >= engine.max_length or not all(SEP_ID < token < engine.vocab_size for token in prefix):
            raise ValueError(f"A prefix is fewer than {engine.max_length} tokens of text; this one is {list(prefix)}.")
        if not all(0 <= token < engine.vocab_size for token in source):
            raise ValueError(f"A source is of tokens below {engine.vocab_size}; this one is {list(source)}.")
        bound = options.max_length or 2 * len(source) + 16
        bound = min(max(bound, len(prefix) + 1), engine.max_length)
        for copy in range(_copies(options)):
            draws = _draws(bound, options, copy) if options.temperature else []
            sentences.append(_Sentence(len(sentences), source, prefix, bound, draws))
    return sentences


def _draws(count: int, options: SearchOptions, copy: int) -> list[float]:
    # Not torch's generator, which takes 32 bits of a seed. No sample has another's of another seed.
    rng = Random(None if options.seed is None else options.seed * MAX_BEAMS + copy)
    return [rng.random() for _ in range(count)]


def _encode(
    engine: Engine, sources: Sequence[Sequence[int]], prefixes: Sequence[Sequence[int]], options: SearchOptions
) -> State | KVCache:
    src = _padded([[*source, SEP_ID] for source in sources], PAD_ID).to(engine.device)
    is_token = (src != PAD_ID)[:, None, None, :]
    copies = _copies(options)
    needed = _padded(prefixes[::copies], SEP_ID).to(engine.device) if any(prefixes) else None
    state = engine.encode(src, None if len(sources) == 1 else is_token, needed)
    if copies > 1:
        rows = torch.arange(len(sources), device=engine.device).repeat_interleave(copies)
        state = engine.reorder(state, rows, rows)
    return state


def _padded(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], batch_first=True, padding_value=filler)


def _best_columns(log_probs: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """(R, C) -> values and columns, each (R, number), likeliest first"""
    if number == 1:
        return log_probs.max(-1, keepdim=True)  # several times as fast as topk and as argmax
    return log_probs.topk(min(number, log_probs.size(1)))


def _rank(logits: Tensor, number: int, forbidden: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (R, C) -> log-probabilities (R, C), and the best of them and their columns, each (R, number).

    The column `forbidden` has none, unless it is negative.
    """
    log_probs = logits.log_softmax(-1)
    if forbidden >= 0:
        log_probs.select(1, forbidden).fill_(-math.inf)
    values, columns = _best_columns(log_probs, number)
    return log_probs, values, columns


def _in_place(parents: list[int]) -> list[int]:
    """An order of rows with these parents in which as many as can stand where their parent stood: those need not be
    moved in the cache."""
    order = [-1] * len(parents)
    others: list[int] = []
    for row, parent in enumerate(parents):
        if parent < len(order) and order[parent] < 0:
            order[parent] = row
        else:
            others.append(row)
    for place in range(len(order)):
        if order[place] < 0:
            order[place] = others.pop()
    return order


_Chosen = tuple[Tensor, Tensor, Tensor]
"""What every row says next, which row of its sentence it continues, and the log-probability, each (R,)"""


def _likeliest(values: Tensor, columns: Tensor, vocabulary: Tensor, end: int) -> _Chosen | None:
    """The best columns and their log-probabilities, each (R, 1), as what is chosen; None when a sentence ends."""
    tokens = vocabulary.index_select(0, columns.view(-1))
    if bool((tokens == end).any()):
        return None
    return tokens, torch.zeros_like(tokens), values.view(-1)


def _best_beams(
    values: Tensor, columns: Tensor, vocabulary: Tensor, end: int, totals: Tensor, divisors: Tensor, to_beat: Tensor
) -> _Chosen | None:
    """The same from the m best columns of each row, (R, m), of sentences whose rows have these totals (R,).

    Chooses what `_beams` and `_Sentence.extend` choose, and None where these may find that a sentence is done: when a
    hypothesis ends, or the best total (b,), divided, no longer beats what it has to.
    """
    b, m = divisors.size(0), values.size(1)
    k = values.size(0) // b
    sums, places = (totals.unsqueeze(1) + values).view(b, -1).sort(dim=1, descending=True, stable=True)
    tokens = vocabulary.index_select(0, columns.view(b, -1).gather(1, places).view(-1)).view(b, -1)
    ends = tokens.narrow(1, 0, 2 * k) == end
    if bool(ends.any()):
        if bool(ends.narrow(1, 0, k).any()):
            return None
        # Those that end further back are passed over. A row ends in one way only, so k that do not are left.
        going_on = ends.int().argsort(dim=1, stable=True)
        sums, places, tokens = sums.gather(1, going_on), places.gather(1, going_on), tokens.gather(1, going_on)
    if bool((sums.select(1, 0) / divisors <= to_beat).any()):
        return None
    places = places.narrow(1, 0, k)
    parents = places // m
    listed: list[list[int]] = parents.tolist()
    order = torch.tensor([_in_place(each) for each in listed], device=values.device)
    log_probs = values.view(b, -1).gather(1, places)
    return tokens.gather(1, order).view(-1), parents.gather(1, order).view(-1), log_probs.gather(1, order).view(-1)


def _stride(
    step: ScriptedStep,
    ids: Tensor,
    state: State,
    totals: Tensor,
    divisors: Tensor,
    to_beat: Tensor,
    most: int,
    end: int,
    end_column: int,
    min_length: int,
) -> tuple[Tensor, Tensor, int, list[_Chosen]]:
    """Steps from ids (R,) for as long as no sentence ends, at most `most` of them, and one whose choice is left open.

    totals (R,), float64, are the log-probabilities of the rows; divisors and to_beat (b,) are `_best_beams`'s; `end` is
    [SEP] and has a column of its own, which is not chosen before min_length. Returns the logits (R, C) of the last
    step, the keys and values, their length, and what the steps before it chose.
    """
    b, past, length = divisors.size(0), state.past, state.length
    k = ids.size(0) // b
    first_rows = torch.arange(b, device=ids.device).mul_(k).repeat_interleave(k)
    chosen: list[_Chosen] = []
    logits = totals  # TorchScript does not see that the loop runs
    while True:
        past = with_room(past, length)
        logits = step.forward(ids, past, length, state.memory, state.mask, state.head)
        logits = forbid(logits, state.forbidden)
        length += 1
        if len(chosen) == most:
            break
        _, values, columns = _rank(logits, 2 * k if k > 1 else 1, end_column if length <= min_length else -1)
        values = values.double()
        if k > 1:
            found = _best_beams(values, columns, state.vocabulary, end, totals, divisors, to_beat)
        else:
            found = _likeliest(values, columns, state.vocabulary, end)
        if found is None:
            break
        assert found is not None  # nor this
        ids, parents, log_probs = found
        if k > 1:
            rows = parents + first_rows
            move_rows(past, length, rows)
            totals = totals.index_select(0, rows) + log_probs
        chosen.append(found)
    return logits, past, length, chosen


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    # In one piece: every single operation asks for Python's lock again, which another thread may have taken meanwhile.
    _rank = torch.jit.script(_rank)
    _stride = torch.jit.script(_stride)


def _num_candidates(options: SearchOptions) -> int:
    """How many columns of a row may be gone on with: twice as many as beams, so that these are full if half end."""
    return 2 * options.num_beams if options.num_beams > 1 else 1


def _forbids(options: SearchOptions, sentences: list[_Sentence]) -> bool:
    """Whether more than the end may be forbidden, or the end be an alternative nevertheless"""
    ends_early = options.min_length and options.num_alternatives
    return bool(options.no_repeat_ngram or ends_early) or any(sentence.prefix for sentence in sentences)


def _alternatives(log_probs: Tensor, vocabulary: list[int], number: int, num_sentences: int) -> list[list[_Told]]:
    """(R, C) -> for each row of each sentence its likeliest tokens, with their log-probabilities, and its entropy"""
    k = len(log_probs) // num_sentences
    if not number:
        return [[_NOTHING_TOLD] * k] * num_sentences
    top = log_probs.topk(min(number, log_probs.size(1)))
    entropies = torch.special.entr(log_probs.exp()).sum(-1)
    told = [
        (tuple(zip([vocabulary[column] for column in columns], values, strict=True)), entropy)
        for columns, values, entropy in zip(top.indices.tolist(), top.values.tolist(), entropies.tolist(), strict=True)
    ]
    return [told[i : i + k] for i in range(0, len(told), k)]


def _forbid(log_probs: Tensor, going: list[_Sentence], column_of: dict[int, int], options: SearchOptions) -> None:
    """Sets what must not be said to minus infinity in log_probs (R, C). A prefix is said, whatever it repeats."""
    k = len(log_probs) // len(going)
    if going[0].length < options.min_length:
        log_probs[:, column_of[SEP_ID]] = -math.inf
    for i, sentence in enumerate(going):
        rows = log_probs[i * k : (i + 1) * k]
        if sentence.length < len(sentence.prefix):
            column = column_of[sentence.prefix[sentence.length]]
            forced = rows[:, column].clone()
            rows.fill_(-math.inf)
            rows[:, column] = forced
        elif options.no_repeat_ngram:
            for values, row in zip(rows, sentence.rows, strict=True):
                said = _would_repeat(row, options.no_repeat_ngram)
                values[[column_of[token] for token in said]] = -math.inf


def _would_repeat(row: Row, length: int) -> list[int]:
    """The tokens that, said next, would end a run of `length` tokens that was said before."""
    ids = [token.id for token in row.tokens()]
    last = ids[len(ids) - length + 1 :]
    return [ids[i + length - 1] for i in range(len(ids) - length + 1) if ids[i : i + length - 1] == last]


def _sample(log_probs: Tensor, going: list[_Sentence], options: SearchOptions) -> list[list[_Candidate]]:
    """(b, C) -> one candidate for each sentence: where a number drawn from 0 to 1 falls among the probabilities"""
    below = log_probs - log_probs.amax(-1, keepdim=True)  # so that the likeliest stays finite at any temperature
    probabilities, columns = (below / options.temperature).softmax(-1).double().sort(descending=True, stable=True)
    if options.top_k:
        probabilities[:, options.top_k :] = 0
    before = probabilities.cumsum(-1) - probabilities
    probabilities[before >= options.top_p * probabilities.sum(-1, keepdim=True)] = 0
    mass = probabilities.cumsum(-1)
    draws = mass.new_tensor([[sentence.draws[sentence.length]] for sentence in going])
    chosen = columns.gather(1, torch.searchsorted(mass, draws * mass[:, -1:], right=True))
    values = log_probs.gather(1, chosen)
    return [[(0, column, value)] for (column,), (value,) in zip(chosen.tolist(), values.tolist(), strict=True)]


def _beams(
    values: list[list[float]], columns: list[list[int]], going: list[_Sentence], options: SearchOptions
) -> list[list[_Candidate]]:
    """The best columns of each row (R, m) and their log-probabilities -> the best candidates of each sentence.

    Greedy decoding is the same with one of each.
    """
    k = len(values) // len(going)
    candidates = []
    for i, sentence in enumerate(going):
        found = [
            (row.log_prob + value, parent, column, value)
            for parent, row in enumerate(sentence.rows)
            for value, column in zip(values[i * k + parent], columns[i * k + parent], strict=True)
        ]
        found.sort(key=itemgetter(0), reverse=True)
        candidates.append([each[1:] for each in found[: _num_candidates(options)]])
    return candidates


def _take_steps(
    step: ScriptedStep,
    ids: Tensor,
    state: State,
    going: list[_Sentence],
    most: int,
    end_column: int,
    options: SearchOptions,
) -> tuple[list[_Chosen], Tensor, State]:
    """What at most so many steps choose, the logits of one more, and the state after it"""
    totals = [row.log_prob for sentence in going for row in sentence.rows]
    divisors = [sentence.rewarded**options.length_penalty for sentence in going]
    to_beat = [sentence.to_beat(options) for sentence in going]
    totals, divisors, to_beat = (
        torch.tensor(numbers, dtype=torch.float64, device=ids.device) for numbers in (totals, divisors, to_beat)
    )
    logits, past, length, chosen = _stride(
        step, ids, state, totals, divisors, to_beat, most, SEP_ID, end_column, options.min_length
    )
    return chosen, logits, state._replace(past=past, length=length)


def _follow(going: list[_Sentence], tokens: Tensor, parents: Tensor, log_probs: Tensor) -> Step:
    """A step that was taken, told of as if it had been the only one."""
    chosen = zip(tokens.tolist(), parents.tolist(), log_probs.tolist(), strict=True)
    for sentence in going:
        sentence.follow(list(islice(chosen, len(sentence.rows))))
    return Step({sentence.place: tuple(sentence.rows) for sentence in going}, ())


def _advance(
    engine: Engine, state: State | KVCache, going: list[_Sentence], k: int
) -> tuple[list[_Sentence], Tensor, State | KVCache]:
    """The sentences that go on, their newest ids (R,), and the state of their rows; k rows a sentence were decoded."""
    places = [i for i, sentence in enumerate(going) if not sentence.done]
    rows = [i * k + row.parent for i in places for row in going[i].rows]
    if places and rows != list(range(len(going) * k)):
        sources = None if len(places) == len(going) else torch.tensor(places, device=engine.device)
        state = engine.reorder(state, torch.tensor(rows, device=engine.device), sources)
    ids = torch.tensor([row.token.id for i in places for row in going[i].rows], device=engine.device)
    return [going[i] for i in places], ids, state
