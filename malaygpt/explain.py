"""How a translation came about: what the model read and said, what else it held likely, and what that became in Malay.

Everything here is of one decoding, the one that made the translation. `Translator.explain` and the last update of
`Translator.stream` give an Explanation; `Translator.attend` adds what was attended to.

In Python, spans count characters of `str`. In JSON they count UTF-16 code units, as strings of JavaScript do. Both are
[start, stop], and null where nothing is.

Explanation.to_json() is what browser code reads. VERSION rises when a reader of the one before would go wrong.

    version      1
    english      the text as it was read: NFC, without invisible characters
    malay        its translation
    pieces       {token id: its text}; bytes that are no character are written \\xNN
    parts        [part]: all their English joined is `english`, and all their Malay joined is `malay`
      english    span in `english`
      malay      span in `malay`
      sentence   number in `sentences`, or null for what stands between sentences
    sentences    [sentence]: what the model read at one time; spans within are of the sentence's own English and Malay
      english, malay
      read       the English as the model saw it, with stand-ins such as {1} for what is hidden from it
      source     [{id, span}]: what it read, [SEP] last; the span is of the English that the token stands for, without
                 spaces around it
      tokens     [token]: what it said, [SEP] last, unless it was stopped
        id
        log_prob      natural logarithm of its probability
        entropy       of the distribution it was chosen from, in nats
        alternatives  [[id, log_prob]]: the likeliest of that distribution, likeliest first
        span          of the Malay that it made; null where nothing is left of it
      words      [{span, tokens, probability, marks}]: words and runs of punctuation; `tokens` are places in `tokens`;
                 `marks` says why it is doubtful: unlikely, uncertain, copied, cut, again (see Mark)
      hypotheses [{malay, score, log_prob}]: complete translations that the search found, best first, at most four.
                 The one that is shown is among them if it is complete
      attempts   how often it was decoded
      forced     how many of the tokens were given to the model and not chosen by it
      search     the options it was decoded with, as in SearchOptions
      growth     null, or for each step {rows, ended, cut}: see Growth. Each is a list of [parent, id, log_prob, total],
                 those that ended with their score besides

`growth` is left out of sentences after the first MOST_STEPS steps of a text, so that a long text stays small;
Sentence.to_json() has it. A step takes at most 3 * num_beams entries in it.

attention_json() gives encoder (L, H, S, S), decoder (L, H, T, T) and cross (L, H, T, S), each {shape, data}: `data` is
the base64 of one byte for each weight, 255 for 1, the last axis fastest. S is `source`. Row t of decoder and cross
belongs to the choice of tokens[t]; column 0 of decoder is [CLS], and column t is tokens[t - 1].
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from malaygpt.decode import SearchOptions, Token
from malaygpt.growth import Branch, Growth
from malaygpt.guard import Protected
from malaygpt.model import Attention, Transformer
from malaygpt.tokenizer import CLS_ID
from malaygpt.traced import Span

VERSION = 1
NUM_ALTERNATIVES = 8
"""Likeliest tokens told of at each place"""
MOST_HYPOTHESES = 4
MOST_STEPS = 400
"""Steps of a text whose growth is in its JSON"""
LEAST_PROBABILITY = 0.5
"""A word with less is unlikely: the model holds that it would rather be another, as in Firefox's translations"""
MOST_ENTROPY = 2.0
"""A token with more, in nats, is uncertain: as if chosen among more than seven that are equally likely"""
DIGITS = 4
"""Decimals of numbers in JSON"""

Mark = Literal["unlikely", "uncertain", "copied", "cut", "again"]
"""Why a word is doubtful: its probability is less than LEAST_PROBABILITY; the entropy of one of its tokens is more than
MOST_ENTROPY; it stands in the English as well, hidden from the model or not; a loop after it was cut; its sentence was
decoded more than once."""


class Shown(NamedTuple):
    """Some characters of a translation that is still being decoded."""

    text: str
    probability: float
    """Of the tokens that made them"""


class Piece(NamedTuple):
    """A token that the model read."""

    id: int
    span: Span | None
    """What it stands for in the English, without spaces around it; None for [SEP]. Tokens that split a character share
    its span."""


class Said(NamedTuple):
    """A token that the model said."""

    token: Token
    span: Span | None
    """What it made in the Malay"""


class Word(NamedTuple):
    """A word of the Malay, a run of punctuation, or all that stood hidden in one place."""

    span: Span
    tokens: tuple[int, ...]
    """Their places among the sentence's tokens"""
    probability: float
    """Product of its tokens'"""
    marks: tuple[Mark, ...]


class Alternative(NamedTuple):
    """A whole translation of the sentence."""

    malay: str
    score: float
    log_prob: float


@dataclass(frozen=True)
class Sentence:
    """What the model read at one time, and what came of it."""

    english: str
    malay: str
    source: tuple[Piece, ...]
    tokens: tuple[Said, ...]
    words: tuple[Word, ...]
    hypotheses: tuple[Alternative, ...]
    growth: tuple[Growth, ...]
    pieces: dict[int, str]
    """The text of every token named here"""
    attempts: int
    forced: int
    options: SearchOptions
    protected: Protected

    @property
    def source_ids(self) -> list[int]:
        """With [SEP] at the end"""
        return [piece.id for piece in self.source]

    @property
    def ids(self) -> list[int]:
        return [said.token.id for said in self.tokens]

    def to_json(self, growth: bool = True) -> dict:
        """As a sentence in this module's head. Its tokens are named in `Sentence.pieces`."""
        english, malay = _utf16(self.english), _utf16(self.malay)
        return {
            "english": self.english,
            "malay": self.malay,
            "read": self.protected.text,
            "source": [{"id": piece.id, "span": _in(english, piece.span)} for piece in self.source],
            "tokens": [
                {
                    "id": token.id,
                    "log_prob": round(token.log_prob, DIGITS),
                    "entropy": round(token.entropy, DIGITS),
                    "alternatives": [[i, round(log_prob, DIGITS)] for i, log_prob in token.alternatives],
                    "span": _in(malay, span),
                }
                for token, span in self.tokens
            ],
            "words": [
                {
                    "span": _in(malay, word.span),
                    "tokens": list(word.tokens),
                    "probability": round(word.probability, DIGITS),
                    "marks": list(word.marks),
                }
                for word in self.words
            ],
            "hypotheses": [
                {"malay": each.malay, "score": round(each.score, DIGITS), "log_prob": round(each.log_prob, DIGITS)}
                for each in self.hypotheses
            ],
            "attempts": self.attempts,
            "forced": self.forced,
            "search": asdict(self.options),
            "growth": [_growth_json(step) for step in self.growth] if growth else None,
        }


@dataclass(frozen=True)
class Part:
    """A stretch of the text, and what became of it."""

    english: str
    malay: str
    sentence: Sentence | None = None
    """None for what stands between sentences, which is the same in both"""


@dataclass(frozen=True)
class Explanation:
    """A translation of a text, and how it came about."""

    parts: tuple[Part, ...]
    options: SearchOptions

    @property
    def english(self) -> str:
        return "".join(part.english for part in self.parts)

    @property
    def malay(self) -> str:
        return "".join(part.malay for part in self.parts)

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        return tuple(part.sentence for part in self.parts if part.sentence is not None)

    def to_json(self) -> dict:
        """Plain lists, strings and numbers, as in this module's head."""
        numbers = accumulate(part.sentence is not None for part in self.parts)
        num_steps = accumulate(len(sentence.growth) for sentence in self.sentences)
        pieces: dict[int, str] = {}
        for sentence in self.sentences:
            pieces |= sentence.pieces
        return {
            "version": VERSION,
            "english": self.english,
            "malay": self.malay,
            "pieces": {str(i): text for i, text in pieces.items()},
            "parts": [
                {"english": english, "malay": malay, "sentence": None if part.sentence is None else number - 1}
                for part, number, english, malay in zip(
                    self.parts,
                    numbers,
                    _side_by_side(part.english for part in self.parts),
                    _side_by_side(part.malay for part in self.parts),
                    strict=True,
                )
            ],
            "sentences": [
                sentence.to_json(growth=until <= MOST_STEPS)
                for sentence, until in zip(self.sentences, num_steps, strict=True)
            ],
        }


def attend(model: Transformer, sentence: Sentence) -> Attention:
    """What each head attended to, from one pass over the sentence; T is `sentence.tokens`, and row t is of the choice
    of tokens[t]."""
    device = model.embedding.weight.device
    src = torch.tensor([sentence.source_ids], device=device)
    return model.attend(src, torch.tensor([[CLS_ID, *sentence.ids[:-1]]], device=device))


def attention_json(attention: Attention) -> dict:
    """As in this module's head; a weight is off by 1 / 510 at most."""
    return {name: _packed(getattr(attention, name)) for name in ("encoder", "decoder", "cross")}


def _packed(weights: Tensor) -> dict:
    data = weights.float().mul(255).round().to("cpu", torch.uint8)
    return {"shape": list(data.shape), "data": b64encode(data.numpy().tobytes()).decode()}


def _growth_json(step: Growth) -> dict:
    return {name: [_rounded(branch) for branch in branches] for name, branches in step._asdict().items()}


def _rounded(branch: Branch) -> list[int | float]:
    numbers = (branch.log_prob, branch.total, *([] if branch.score is None else [branch.score]))
    return [branch.parent, branch.id, *(round(number, DIGITS) for number in numbers)]


def _utf16(text: str) -> list[int]:
    """How many UTF-16 code units stand before each character, and before the end"""
    return [0, *accumulate(1 + (character > "\uffff") for character in text)]


def _in(units: list[int], span: Span | None) -> list[int] | None:
    return None if span is None else [units[place] for place in span]


def _side_by_side(texts: Iterable[str]) -> Iterator[list[int]]:
    """Spans, in UTF-16 code units, of texts that are joined"""
    return map(list, pairwise(accumulate((_utf16(text)[-1] for text in texts), initial=0)))
