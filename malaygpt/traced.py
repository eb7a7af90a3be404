"""A text that knows where each of its characters comes from, however it was edited.

What stands on the page is not what the model read and said: spans are hidden and put back, spaces squeezed, loops cut.
All of that is edits, and an edit keeps origins: so a token can be found in the text that it ended up in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Span = tuple[int, int]
"""Where something starts, and where it has stopped"""


class Edit(NamedTuple):
    """What stands from `start` to `stop` becomes `text`."""

    start: int
    stop: int
    text: str


def edit(text: str, edits: Iterable[Edit]) -> str:
    """The text after edits that are in order and do not overlap."""
    kept, end = [], 0
    for start, stop, new in edits:
        kept += [text[end:start], new]
        end = stop
    return "".join([*kept, text[end:]])


def moved(place: int, edits: Iterable[Edit]) -> int:
    """Where a place of the text, not within an edit, is after them."""
    return place + sum(len(new) - (stop - start) for start, stop, new in edits if stop <= place)


@dataclass(frozen=True)
class Traced:
    """A text, and the origin of every character: a range of characters of another text, or of tokens."""

    text: str
    origins: tuple[Span, ...]

    @classmethod
    def unedited(cls, text: str) -> "Traced":
        """Every character is its own origin."""
        return cls(text, tuple((i, i + 1) for i in range(len(text))))

    @classmethod
    def from_pieces(cls, pieces: Sequence[bytes]) -> "Traced":
        """The text of pieces of UTF-8, each character with the range of pieces that make it.

        Bytes that are no character become U+FFFD, as many as in `bytes.decode(errors="replace")`.
        """
        owners = [number for number, piece in enumerate(pieces) for _ in piece]
        text, lengths = _characters(b"".join(pieces))
        origins, end = [], 0
        for length in lengths:
            origins.append((owners[end], owners[end + length - 1] + 1))
            end += length
        return cls(text, tuple(origins))

    def edited(self, edits: Iterable[Edit]) -> "Traced":
        """What an edit puts there comes from all that stood there; edits that only add are not for this."""
        edits = list(edits)
        origins, end = [], 0
        for start, stop, new in edits:
            origins += self.origins[end:start]
            origins += [self.origin((start, stop))] * len(new)
            end = stop
        return Traced(edit(self.text, edits), (*origins, *self.origins[end:]))

    def origin(self, span: Span) -> Span:
        """The range that all of a span, which is not empty, comes from"""
        starts, stops = zip(*self.origins[slice(*span)], strict=True)
        return min(starts), max(stops)

    def spans(self, number: int) -> list[Span | None]:
        """For each of so many origins the span that it has a part in; None where nothing is left of it."""
        spans: list[Span | None] = [None] * number
        for place, (first, stop) in enumerate(self.origins):
            for i in range(first, stop):
                spans[i] = (place if spans[i] is None else spans[i][0], place + 1)
        return spans


def _characters(data: bytes) -> tuple[str, list[int]]:
    """The text of the data, and how many bytes each character is of."""
    text, lengths = "", []
    while data:
        try:
            good, bad, data = data.decode(), 0, b""
        except UnicodeDecodeError as error:
            good, bad, data = data[: error.start].decode(), error.end - error.start, data[error.end :]
        text += good + "\ufffd" * bool(bad)
        lengths += [len(character.encode()) for character in good] + [bad] * bool(bad)
    return text, lengths
