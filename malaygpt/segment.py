"""A text as sentences to translate and what stands between them, which comes through untouched.

The model reads one sentence at a time, as it was trained. Where sentences end is sentencex's to say (Wikimedia's
splitter, which loses no character); lines, emoji and other scripts are kept apart here, because the model must not
touch them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sentencex

_LINE_END = r"\r\n|[\n\r\v\f\x85\u2028\u2029]"
# Pictographs and shapes with what joins and colours them, and keycaps; a lone joiner or selector is not one. A plain
# arrow stays in its sentence ("Settings \u2192 Privacy"), where it stands for a word.
_EMOJI = (
    "[\U0001f000-\U0001faff\u203c\u2049\u2139\u2300-\u23ff\u24c2\u25a0-\u27bf"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299]|[\u2190-\u21ff\u2900-\u297f]\ufe0f|[0-9#*]\ufe0f?\u20e3"
)
_JOINED = "[\ufe0e\ufe0f\u200d\u20e3\U000e0020-\U000e007f]"
_BULLET = r"(?:(?<=[\n\r\v\f\x85\u2028\u2029])|\A)[^\S\n\r\v\f\x85\u2028\u2029]*[-*•◦‣·→](?=\s)"
_FIXED = re.compile(rf"({_LINE_END}|{_BULLET}|(?:{_EMOJI})(?:{_EMOJI}|{_JOINED})*)")
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
    """Sentences, and between them line ends, spaces, emoji and whatever has no Latin letters."""
    segments: list[Segment] = []
    for number, part in enumerate(_FIXED.split(text)):
        if number % 2:  # what the pattern caught
            segments.append(Segment(part, False))
        else:
            for sentence in sentencex.segment("en", part):
                segments += _without_margins(sentence)
    return segments


def _without_margins(sentence: str) -> Iterator[Segment]:
    body = sentence.strip()
    start = len(sentence) - len(sentence.lstrip())
    for text, is_sentence in (
        (sentence[:start], False),
        (body, is_latin(body)),
        (sentence[start + len(body) :], False),
    ):
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
