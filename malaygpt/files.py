"""Files of any size, translated a piece at a time, so that memory is bounded and a run that was stopped can go on.

While OUT is not finished there is OUT.partial, and beside it OUT.partial.json, which says how far it has come: so many
bytes of the input read, so many of the output written, and from what. It is replaced whenever some hundreds of lines
have been translated and are safe on the disk. The same command goes on from there, with the same pieces decoded
together as if nothing had happened, and therefore to the same result. At the end OUT.partial becomes OUT.
"""

import codecs
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO, TextIO

from malaygpt.checkpoint import CONFIG, SHORTLIST, TOKENIZER, WEIGHTS
from malaygpt.segment import cut_before_last
from malaygpt.translator import Translator, windows

PIECE_CHARS = 20_000
"""A longer line is translated in pieces, each of which is held in memory as a whole."""
BLOCK_BYTES = 1 << 20


class ResumeError(Exception):
    """An unfinished translation is in the way and cannot be gone on with; the message says what to do."""


@dataclass(frozen=True)
class Progress:
    """How far a file has come."""

    source: str
    """SHA-256 of the input"""
    model: str
    """`fingerprint` of what translates"""
    read: int = 0
    """Bytes of the input that have been translated"""
    written: int = 0
    """Bytes of the output that hold their translation"""
    finished: bool = False


def read_pieces(file: TextIO) -> Iterator[str]:
    """Lines with their ends, which are \\n alone (open with newline="\\n"); a very long one in pieces.

    A line is cut between sentences if it has any, else between words.
    """
    rest = ""
    while chunk := file.readline(PIECE_CHARS - len(rest)):
        rest += chunk
        while len(rest) >= PIECE_CHARS and not rest.endswith("\n"):
            cut = cut_before_last(rest)
            yield rest[:cut]
            rest = rest[cut:]
        if rest.endswith("\n"):
            yield rest
            rest = ""
    if rest:
        yield rest


def translate_stream(translator: Translator, source: TextIO, out: TextIO) -> None:
    """Every line of `source`, in turn, to `out`; the last one gets a line end if it has none."""
    malay = ""
    for window in windows(read_pieces(source)):
        malay = "".join(translator.translate_together(window))
        out.write(malay)
        out.flush()
    if malay and not malay.endswith("\n"):
        out.write("\n")


@contextmanager
def open_whole(out: Path) -> Iterator[TextIO]:
    """A file to write that appears under its name when all is written, unless that is a device."""
    out = out.resolve()
    is_device = out.exists() and not out.is_file()
    partial = out if is_device else _beside(out, ".partial")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        yield file
    if not is_device:
        os.replace(partial, out)


def translate_file(
    translator: Translator, model: str, source: Path, out: Path, report: Callable[[int], None] = lambda num_bytes: None
) -> None:
    """Translates a file into another, going on where an earlier run was stopped; `out` appears when all is done.

    `model` identifies what translates (`fingerprint`). `report` is told each time how many more bytes of the source are
    done. Raises ResumeError, OSError, and UnicodeDecodeError before anything is translated.
    """
    out = out.resolve()  # a link goes on pointing to the result
    partial, state = _beside(out, ".partial"), _beside(out, ".partial.json")
    progress = _resume(Progress(_digest(source), model), partial, state)
    if not progress.finished:
        report(progress.read)
        _go_on(translator, progress, source, partial, state, report)
    if partial.exists():  # else the earlier run was stopped between this and the next
        os.replace(partial, out)
    state.unlink()


def fingerprint(checkpoint: Path) -> str:
    """SHA-256 of what makes the checkpoint in a directory."""
    files = [checkpoint / name for name in (CONFIG, WEIGHTS, TOKENIZER, SHORTLIST)]
    return " ".join(_digest(file, is_text=False) for file in files if file.exists())


def _resume(fresh: Progress, partial: Path, state: Path) -> Progress:
    """What the earlier run reached, if there was one, else `fresh`. Raises ResumeError."""
    if not state.exists():
        return fresh
    begin_again = f"or delete {partial} to begin again."
    try:
        progress = Progress(**json.loads(state.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ResumeError(f"{state} is damaged: delete it, {begin_again}") from error
    is_same = (progress.source, progress.model) == (fresh.source, fresh.model)
    if not partial.exists():
        return progress if is_same and progress.finished else fresh
    if progress.source != fresh.source:
        raise ResumeError(f"{partial} was begun from another text than --file holds now: give that, {begin_again}")
    if progress.model != fresh.model:
        raise ResumeError(f"{partial} was begun with another checkpoint: give that, {begin_again}")
    if partial.stat().st_size < progress.written:
        raise ResumeError(f"{partial} is shorter than it was: restore it, {begin_again}")
    return progress


def _go_on(
    translator: Translator, progress: Progress, source: Path, partial: Path, state: Path, report: Callable[[int], None]
) -> None:
    """Translates what is left; whenever some lines are done, they are written and the progress after them."""
    partial.touch()
    with source.open("rb") as read, partial.open("r+b") as out:
        read.seek(progress.read)
        out.truncate(progress.written)
        for window in windows(read_pieces(io.TextIOWrapper(read, encoding="utf-8", newline="\n"))):
            num_bytes = len("".join(window).encode())
            malay = "".join(translator.translate_together(window))
            progress = _append(malay, out, replace(progress, read=progress.read + num_bytes), state)
            report(num_bytes)
        out.seek(max(0, progress.written - 1))
        ending = "" if out.read(1) in (b"", b"\n") else "\n"
        _append(ending, out, replace(progress, finished=True), state)


def _append(malay: str, out: BinaryIO, progress: Progress, state: Path) -> Progress:
    """Puts first the text and then the progress on the disk: what is not known to be there will be written again."""
    out.seek(progress.written)
    progress = replace(progress, written=progress.written + out.write(malay.encode()))
    out.flush()
    os.fsync(out.fileno())
    new = _beside(state, ".new")
    new.write_text(json.dumps(asdict(progress), indent=1) + "\n", encoding="utf-8")
    os.replace(new, state)
    return progress


def _digest(path: Path, is_text: bool = True) -> str:
    """SHA-256 of a file. Raises UnicodeDecodeError for a text that is not UTF-8."""
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            if is_text:
                decoder.decode(block)
    if is_text:
        decoder.decode(b"", final=True)
    return digest.hexdigest()


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
