"""Files in pieces: nothing is lost, memory is bounded, and a run that was stopped ends as if it had not been."""

import io
import itertools
import json
import os
import shutil
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import malaygpt.files
import malaygpt.translator
from malaygpt.files import (
    PIECE_CHARS,
    ResumeError,
    fingerprint,
    open_whole,
    read_pieces,
    translate_file,
    translate_stream,
)
from malaygpt.translator import CHARS_AT_ONCE, LINES_AT_ONCE, Translator

LINES = ["Thank you.\n", "\n", "Good morning! The cat sleeps.\r\n", "\x0cShe drinks water.\x85I eat fish.\n"] * 5
TEXT = "".join(LINES) + "My house has 24 doors."


class Stopped(Exception):
    """What stands for a killed process"""


class Echo:
    """A translator of which each text is its own translation, and which may be stopped before one of its calls"""

    def __init__(self, stop_before: int | None = None) -> None:
        self.seen: list[str] = []
        self.calls_left = stop_before

    def translate_together(self, texts: list[str]) -> list[str]:
        if self.calls_left == 0:
            raise Stopped
        if self.calls_left is not None:
            self.calls_left -= 1
        self.seen += texts
        return texts


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces and windows of a size that a short text has many of"""
    monkeypatch.setattr(malaygpt.files, "PIECE_CHARS", 12)
    monkeypatch.setattr(malaygpt.translator, "LINES_AT_ONCE", 3)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.txt"
    path.write_bytes(TEXT.encode())
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.txt"


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


# Pieces


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="ab. \n\r\x0c\x85\u2028你👍", max_size=100))
@example("a" * 40 + "\n")
@example("One. Two. Three. Four. Five. Six.")
def test_pieces_are_the_text_and_end_at_line_ends_or_are_short(small: None, text: str):
    pieces = list(read_pieces(io.StringIO(text, newline="\n")))
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= 12 and "\n" not in piece[:-1] for piece in pieces)
    assert all(a.endswith("\n") or len(a + b) >= 12 for a, b in itertools.pairwise(pieces))


def test_a_long_line_is_cut_between_sentences(small: None):
    assert list(read_pieces(io.StringIO("Go on. I do. It is. We are.\nNo.\n", newline="\n"))) == [
        "Go on. ",
        "I do. ",
        "It is. ",
        "We are.\n",
        "No.\n",
    ]


def test_a_gigantic_line_is_never_in_memory_as_a_whole(tmp_path: Path):
    source = tmp_path / "in.txt"
    with source.open("w") as file:
        for number in range(50_000):
            file.write(f"Sentence {number} stands here. ")
    with source.open(newline="\n") as file, (tmp_path / "out.txt").open("w", newline="\n") as out:
        tracemalloc.start()
        translator = Echo()
        translator.seen = Forgetful()
        translate_stream(translator, file, out)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (tmp_path / "out.txt").read_text() == source.read_text() + "\n"
    assert peak < 1_000_000 < source.stat().st_size


class Forgetful(list):
    def __iadd__(self, other: list) -> "Forgetful":
        return self


def test_lines_are_gathered_only_until_they_are_many_or_long():
    lines = ["a" * PIECE_CHARS] * 20 + ["b"] * 1_000
    windows = list(malaygpt.translator.windows(lines))
    assert list(itertools.chain(*windows)) == lines
    assert max(map(len, windows)) == LINES_AT_ONCE
    assert max(sum(map(len, window)) for window in windows) < CHARS_AT_ONCE + PIECE_CHARS


# Whole runs


def test_a_file_comes_out_as_its_lines_do(translator: Translator, source: Path, out: Path):
    translate_file(translator, "model", source, out)
    malay = "".join(translator.translate_lines([*LINES, "My house has 24 doors."]))
    assert out.read_bytes().decode() == malay + "\n"
    assert files(out.parent) == {"in.txt", "out.txt"}


@pytest.mark.parametrize("text", ["", "a", "a\n", "\n\n", "a\r\nb\r\n", "\ufeffa", "a\x0cb\x85c\u2028d\re\n", "👍\n"])
def test_there_is_a_line_out_for_every_line_in(source: Path, out: Path, text: str):
    source.write_bytes(text.encode())
    translate_file(Echo(), "model", source, out)
    assert out.read_bytes().decode() == text + "\n" * (text[-1:] not in ("\n", ""))


def test_what_is_done_is_reported_in_bytes(small: None, source: Path, out: Path):
    reports = []
    translate_file(Echo(), "model", source, out, reports.append)
    assert sum(reports) == source.stat().st_size
    assert len(reports) > 5


def test_an_earlier_result_stays_until_the_new_one_is_whole(small: None, source: Path, out: Path):
    out.write_text("earlier work")
    with pytest.raises(Stopped):
        translate_file(Echo(stop_before=2), "model", source, out)
    assert out.read_text() == "earlier work"
    translate_file(Echo(), "model", source, out)
    assert out.read_bytes() == TEXT.encode() + b"\n"


def test_a_link_goes_on_pointing_to_the_result(source: Path, out: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    out.symlink_to(tmp_path / "elsewhere" / "result.txt")
    translate_file(Echo(), "model", source, out)
    assert out.is_symlink() and out.read_bytes() == TEXT.encode() + b"\n"


def test_a_stream_is_not_under_its_name_until_it_is_whole(out: Path):
    with pytest.raises(Stopped), open_whole(out) as file:
        file.write("half")
        raise Stopped
    assert not out.exists()
    with open_whole(out) as file:
        file.write("all")
    assert (out.read_text(), files(out.parent)) == ("all", {"out.txt"})


def test_a_device_is_written_as_it_is():
    with open_whole(Path(os.devnull)) as file:
        file.write("gone")
    assert not Path(os.devnull).is_file()


# Going on


@pytest.mark.parametrize("stops", [[0], [1], [3], [2, 0, 1], [1] * 8])
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(
    translator: Translator, small: None, source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, stops: list[int]
):
    whole = out.with_name("whole.txt")
    translate_file(translator, "model", source, whole)
    together = Translator.translate_together
    for stop in stops:
        stopping = Echo(stop)

        def until(self: Translator, texts: list[str], stopping: Echo = stopping) -> list[str]:
            return together(self, stopping.translate_together(texts))

        monkeypatch.setattr(Translator, "translate_together", until)
        with pytest.raises(Stopped):
            translate_file(translator, "model", source, out)
        assert not out.exists()
    monkeypatch.setattr(Translator, "translate_together", together)
    translate_file(translator, "model", source, out)
    assert out.read_bytes() == whole.read_bytes()
    assert files(out.parent) == {"in.txt", "out.txt", "whole.txt"}


def test_nothing_is_translated_twice(small: None, source: Path, out: Path):
    seen = []
    for stop in (2, 1, None):
        translator = Echo(stop)
        with suppress(Stopped):
            translate_file(translator, "model", source, out)
        seen += translator.seen
    assert "".join(seen) == TEXT


def test_what_was_written_and_not_put_down_is_written_again(small: None, source: Path, out: Path):
    with pytest.raises(Stopped):
        translate_file(Echo(stop_before=2), "model", source, out)
    with (out.parent / "out.txt.partial").open("ab") as partial:
        partial.write(b"half a li")
    translate_file(Echo(), "model", source, out)
    assert out.read_bytes() == TEXT.encode() + b"\n"


@pytest.mark.parametrize("is_renamed", [False, True])
def test_a_run_stopped_at_its_very_end_translates_nothing_more(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, is_renamed: bool
):
    def stop(*paths: Path) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        if is_renamed:
            patch.setattr(Path, "unlink", stop)
        else:
            replace = os.replace
            patch.setattr(os, "replace", lambda a, b: stop() if b == out else replace(a, b))
        with pytest.raises(Stopped):
            translate_file(Echo(), "model", source, out)
    assert out.exists() == is_renamed
    translate_file(Echo(stop_before=0), "model", source, out)
    assert out.read_bytes() == TEXT.encode() + b"\n"
    assert files(out.parent) == {"in.txt", "out.txt"}


@pytest.fixture
def unfinished(small: None, source: Path, out: Path) -> Path:
    """The partial output of a run that was stopped"""
    with pytest.raises(Stopped):
        translate_file(Echo(stop_before=2), "model", source, out)
    return out.with_name("out.txt.partial")


@pytest.mark.parametrize("change", ["source", "model", "shorter", "damaged"])
def test_what_cannot_be_gone_on_with_is_refused_and_kept(unfinished: Path, source: Path, out: Path, change: str):
    state = out.with_name("out.txt.partial.json")
    if change == "source":
        source.write_text("Another text.\n")
    elif change == "shorter":
        unfinished.write_bytes(unfinished.read_bytes()[:-1])
    elif change == "damaged":
        state.write_text(json.dumps({"source": 1}))
    before = {path: path.read_bytes() for path in (unfinished, state)}
    with pytest.raises(ResumeError, match=r"delete .*out\.txt\.partial to begin again"):
        translate_file(Echo(), "other" if change == "model" else "model", source, out)
    assert {path: path.read_bytes() for path in before} == before
    unfinished.unlink()
    state.unlink(missing_ok=change == "damaged")
    translate_file(Echo(), "model", source, out)
    assert out.read_bytes() == source.read_bytes() + b"\n" * (change != "source")


def test_to_begin_again_only_the_partial_output_is_deleted(unfinished: Path, source: Path, out: Path):
    source.write_text("Another text.\n")
    unfinished.unlink()
    translate_file(Echo(), "another model", source, out)
    assert out.read_text() == "Another text.\n"
    assert files(out.parent) == {"in.txt", "out.txt"}


@pytest.mark.parametrize("bad", [b"\xff", b"Caf\xe9\n", b"\xf0\x9f\x91"], ids=ascii)
def test_a_text_that_is_not_utf8_is_refused_before_anything_is_translated(source: Path, out: Path, bad: bytes):
    source.write_bytes(b"Thank you.\n" * 1_000 + bad)
    with pytest.raises(UnicodeDecodeError):
        translate_file(Echo(stop_before=0), "model", source, out)
    assert files(out.parent) == {"in.txt"}


def test_a_fingerprint_tells_checkpoints_apart(checkpoint: Path, tmp_path: Path):
    other = shutil.copytree(checkpoint, tmp_path / "other")
    assert fingerprint(other) == fingerprint(checkpoint)
    (other / "tokenizer.json").write_text((other / "tokenizer.json").read_text() + " ")
    assert fingerprint(other) != fingerprint(checkpoint)
