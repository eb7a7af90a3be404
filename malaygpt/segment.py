"""A text as sentences to translate and what stands between them, which comes through untouched.

The model reads one sentence at a time, as it was trained. Where sentences end is sentencex's to say (Wikimedia's
splitter, which loses no character); lines, list signs, emoji at the edges of sentences and whole sentences of other
scripts are kept apart here, because the model must not touch them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sentencex

from malaygpt.guard import EMOJI

_LINE_END = r"\r\n|[\n\r\v\f\x85\u2028\u2029]"
_SPACE = r"[^\S\n\r\v\f\x85\u2028\u2029]"
_BULLET = r"[-*+•◦‣·→]"
_NUMBERING = (
    r"\d{1,3}(?:\.\d{1,3})*[.)]|\d{1,3}(?:\.\d{1,3})+(?=\s+[A-Z])"  # 1. 2) 2.1. and headings, not "3.5 kg"
    r"|\((?:\d{1,3}|[A-Za-z]|[ivx]+)\)|(?:[A-Za-z]|[ivx]+)\)|[a-z]\.|(?:[ivx]{2,}|[IVX]{2,})\."  # (a) iv) a. IV.
)
# A sign that opens a list's item: at the start of a line, and with something after it.
_SIGN = rf"(?:(?<=[\n\r\v\f\x85\u2028\u2029])|\A){_SPACE}*(?:{_BULLET}|{_NUMBERING})(?={_SPACE}+\S)"
_FIXED = re.compile(rf"({_LINE_END}|{_SIGN})")
_MARGIN = re.compile(rf"(?:\s|{EMOJI}|[\ufe0e\ufe0f])+")  # a selector by itself: sentencex cuts after "\u203c"
# Tags belong to a flag; elsewhere they are invisible.
_STRAY_TAGS = re.compile("(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]+")
_KEPT = {*"\t\n\r\v\f\x85", "\u200c", "\u200d"}


@dataclass(frozen=True)
class Segment:
    """A stretch of the text; all of them joined are the text."""

    text: str
    is_sentence: bool
    """Whether it is to be translated. A sentence neither begins nor ends with a space."""


def tidy(text: str) -> str:
    """NFC, without what is invisible: control characters but line ends and tabs, direction marks, lone surrogates."""
    kept = (c for c in text if c in _KEPT or "\U000e0020" <= c <= "\U000e007f" or _is_visible(c))
    return unicodedata.normalize("NFC", _STRAY_TAGS.sub("", "".join(kept)))


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn")


def segment(text: str) -> list[Segment]:
    """Sentences, and between them line ends, list signs, spaces, emoji and whatever has no Latin letters.

    An emoji within a sentence is part of it.
    """
    segments: list[Segment] = []
    for number, part in enumerate(_FIXED.split(text)):
        if number % 2:  # what the pattern caught
            segments.append(Segment(part, False))
        else:
            for sentence in sentencex.segment("en", part):
                segments += _without_margins(sentence)
    return segments


def _without_margins(sentence: str) -> Iterator[Segment]:
    runs = [match.span() for match in _MARGIN.finditer(sentence)]
    start = runs[0][1] if runs and runs[0][0] == 0 else 0
    stop = runs[-1][0] if runs and runs[-1][1] == len(sentence) and start < len(sentence) else len(sentence)
    body = sentence[start:stop]
    for text, is_sentence in ((sentence[:start], False), (body, is_latin(body)), (sentence[stop:], False)):
        if text:
            yield Segment(text, is_sentence)


def is_latin(text: str) -> bool:
    """Whether there are letters and at least half of them are Latin: the least that English has."""
    letters = [c for c in text if c.isalpha()]
    latin = sum(unicodedata.name(c, "").startswith("LATIN") for c in letters)
    return bool(letters) and 2 * latin >= len(letters)


def split_to_fit(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Halves a sentence, at the space nearest to its middle where there is one, until every piece fits."""
    if len(text) < 2 or fits(text):
        return [text]
    middle = len(text) // 2
    before, after = text.rfind(" ", 1, middle), text.find(" ", middle, len(text) - 1)
    spaces = [place for place in (before, after) if place > 0]
    cut = min(spaces, key=lambda place: abs(place - middle)) + 1 if spaces else middle
    return split_to_fit(text[:cut], fits) + split_to_fit(text[cut:], fits)


def cut_before_last(text: str) -> int:
    """Where a text is to be cut when more may follow: before its last sentence, else its last word, else at its end."""
    cut = len(text) - len(segment(text)[-1].text)
    return cut or text.rfind(" ", 0, -1) + 1 or len(text)
