"""From a decoding to its explanation: each token traced to what became of it on its way to the page.

What the model says is put in one line, what was hidden is put back, and loops are cut. Each of these is edits
(traced.py), so for every character of the translation it is known which tokens made it.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from malaygpt.decode import Hypothesis, SearchOptions, Step, Token
from malaygpt.explain import (
    LEAST_PROBABILITY,
    MOST_ENTROPY,
    MOST_HYPOTHESES,
    Alternative,
    Mark,
    Piece,
    Said,
    Sentence,
    Shown,
    Word,
)
from malaygpt.growth import Growth, grow
from malaygpt.guard import REPLACEMENT, Protected, cut_loops, cutting, restore, restore_start, restoring
from malaygpt.tokenizer import SEP_ID, Tokenizer
from malaygpt.traced import Edit, Span, Traced, moved

_WORD = re.compile(r"\w+(?:[-'’.,:/]\w+)*|[^\w\s]+")


@dataclass(frozen=True)
class Decoding:
    """One decoding of a sentence."""

    protected: Protected
    """The sentence as the model read it"""
    source: tuple[int, ...]
    """Its tokens"""
    forced: int
    """Tokens that the translation had to begin with"""
    options: SearchOptions
    steps: tuple[Step, ...]
    hypotheses: tuple[Hypothesis, ...]
    """Best first"""
    texts: tuple[str, ...]
    """What the hypotheses say, with stand-ins"""


def retrace(decoding: Decoding, english: str, malay: str, attempts: int, tokenizer: Tokenizer) -> Sentence:
    """Of a sentence that came out as `malay`: one of the decoding's hypotheses put right."""
    number = next(i for i, text in enumerate(decoding.texts) if malay in _outcomes(decoding.protected, text))
    hypothesis = decoding.hypotheses[number]
    traced = say(hypothesis.ids, tokenizer)
    restored = restoring(decoding.protected, traced.text)
    traced = traced.edited(restored)
    cuts = [] if traced.text == malay else cutting(traced.text)
    traced = traced.edited(cuts)
    tokens = tuple(map(Said, hypothesis.tokens, traced.spans(len(hypothesis.tokens))))
    source = _source(decoding, english, tokenizer)
    growth = tuple(grow(decoding.steps))
    return Sentence(
        english=english,
        malay=malay,
        source=source,
        tokens=tokens,
        words=tuple(_words(english, malay, tokens, restored, cuts, attempts)),
        hypotheses=_alternatives(decoding, malay),
        growth=growth,
        pieces=_pieces(source, tokens, growth, tokenizer),
        attempts=attempts,
        forced=decoding.forced,
        options=decoding.options,
        protected=decoding.protected,
    )


def say(ids: Iterable[int], tokenizer: Tokenizer) -> Traced:
    """What tokens say, in one line: the text of `Tokenizer.decode` with its spaces squeezed, traced to the tokens."""
    traced = Traced.from_pieces(tokenizer.bytes_of(ids))
    length = len(traced.text)
    return traced.edited(
        Edit(*run.span(), " " if run.start() > 0 and run.end() < length else "")
        for run in re.finditer(r"\s+", traced.text)
    )


def show(tokens: Sequence[Token], protected: Protected, tokenizer: Tokenizer) -> tuple[Shown, ...]:
    """What can be shown of a translation that begins with these tokens; joined it is what `restore_start` gives."""
    traced = say([token.id for token in tokens], tokenizer)
    # A token may end within a character, whose other bytes are still to come.
    length = len(restore_start(protected, traced.text.rstrip(REPLACEMENT)))
    traced = traced.edited(restoring(protected, traced.text))
    shown, end = [], 0
    for (first, stop), run in groupby(traced.origins[:length]):
        start, end = end, end + len(list(run))
        shown.append(Shown(traced.text[start:end], _probability(tokens[first:stop])))
    return tuple(shown)


def _probability(tokens: Iterable[Token]) -> float:
    return math.exp(sum(token.log_prob for token in tokens))


def _outcomes(protected: Protected, text: str) -> tuple[str, ...]:
    """What may become of a hypothesis; nothing of one that lost what was hidden."""
    restored = restore(protected, text)
    return () if restored is None else (restored, cut_loops(restored))


def _source(decoding: Decoding, english: str, tokenizer: Tokenizer) -> tuple[Piece, ...]:
    read = Traced.unedited(english).edited(decoding.protected.edits)
    spans = Traced.from_pieces(tokenizer.bytes_of(decoding.source)).spans(len(decoding.source))
    pieces = [
        Piece(i, read.origin(_without_margins(read.text, span))) for i, span in zip(decoding.source, spans, strict=True)
    ]
    return (*pieces, Piece(SEP_ID, None))


def _without_margins(text: str, span: Span) -> Span:
    """The span without spaces at its edges, unless it is all spaces: those around a stand-in are not of the English."""
    inner = text[slice(*span)]
    if not inner.strip():
        return span
    return span[0] + len(inner) - len(inner.lstrip()), span[1] - len(inner) + len(inner.rstrip())


def _words(
    english: str, malay: str, tokens: Sequence[Said], restored: list[Edit], cuts: list[Edit], attempts: int
) -> Iterator[Word]:
    starts = [moved(moved(each.start, restored), cuts) for each in restored]
    hidden = [(start, start + len(each.text)) for start, each in zip(starts, restored, strict=True) if each.text]
    spans = _joined([*(match.span() for match in _WORD.finditer(malay)), *hidden])
    # The last words that start before a cut
    looped = {max((span for span in spans if span[0] < moved(each.start, cuts)), default=None) for each in cuts}
    known = {word for word in _WORD.findall(english) if word[0].isalnum()}
    for span in spans:
        numbers = tuple(i for i, said in enumerate(tokens) if said.span and _overlap(said.span, span))
        its_own = [tokens[i].token for i in numbers]
        probability = _probability(its_own)
        reasons: dict[Mark, bool] = {
            "unlikely": probability < LEAST_PROBABILITY,
            "uncertain": max(token.entropy for token in its_own) > MOST_ENTROPY,
            "copied": malay[slice(*span)] in known or any(_overlap(each, span) for each in hidden),
            "cut": span in looped,
            "again": attempts > 1,
        }
        yield Word(span, numbers, probability, tuple(mark for mark, is_so in reasons.items() if is_so))


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _joined(spans: Iterable[Span]) -> list[Span]:
    """In order, those that overlap as one"""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and _overlap(joined[-1], span):
            joined[-1] = (joined[-1][0], max(joined[-1][1], span[1]))
        else:
            joined.append(span)
    return joined


def _alternatives(decoding: Decoding, malay: str) -> tuple[Alternative, ...]:
    """The complete hypotheses that brought back what was hidden, no two of the same words; `malay` is the one shown."""
    found: dict[str, Alternative] = {}
    for hypothesis, text in zip(decoding.hypotheses, decoding.texts, strict=True):
        outcomes = _outcomes(decoding.protected, text)
        if hypothesis.complete and outcomes:
            text = malay if malay in outcomes else outcomes[0]
            found.setdefault(text, Alternative(text, hypothesis.score, hypothesis.log_prob))
    return tuple(found.values())[:MOST_HYPOTHESES]


def _pieces(
    source: Iterable[Piece], tokens: Iterable[Said], growth: Iterable[Growth], tokenizer: Tokenizer
) -> dict[int, str]:
    named = {piece.id for piece in source}
    for said in tokens:
        named |= {said.token.id, *(i for i, _ in said.token.alternatives)}
    for step in growth:
        named |= {branch.id for branches in step for branch in branches}
    ids = sorted(named)
    known = zip(ids, tokenizer.bytes_of(ids), tokenizer.pieces(ids), strict=True)
    return {i: data.decode(errors="backslashreplace") or special for i, data, special in known}
