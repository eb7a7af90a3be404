"""`python -m malaygpt`: a line out for each line in, with its own line end; whatever goes wrong is one line too."""

import io
import os
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from malaygpt.__main__ import main
from malaygpt.translator import Translator

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def run(checkpoint: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    """Runs the command in this process: run(*arguments, stdin=b"") -> (exit status, standard output, standard error)"""

    def run(*arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="ascii"))
        try:
            status = main(["--checkpoint", str(checkpoint), *map(str, arguments)])
        except SystemExit as exit:  # argparse's way out
            status = exit.code
        return status, *capsys.readouterr()

    return run


def assert_refused(result: tuple[int, str, str], *words: str) -> None:
    status, out, err = result
    assert (status, out) == (2, "")
    assert "Traceback" not in err
    (line,) = [line for line in err.splitlines() if not line.startswith(("usage:", " "))]
    for word in words:
        assert word in line


def command(checkpoint: Path, *arguments: str, stdin: bytes = b"", **settings: str) -> tuple[int, bytes, bytes]:
    """Runs the command as a user does, in a process of its own"""
    ran = subprocess.run(
        [sys.executable, "-m", "malaygpt", "--checkpoint", str(checkpoint), *arguments],
        input=stdin,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | settings,
        cwd=ROOT,
        capture_output=True,
        timeout=60,
    )
    return ran.returncode, ran.stdout, ran.stderr


# What comes out


def test_words_on_the_command_line_are_one_text(run):
    assert run("Thank you.") == run("Thank", "you.") == (0, "Terima kasih.\n", "")


def test_an_empty_text_is_an_empty_line(run):
    assert run("") == (0, "\n", "")


def test_a_text_with_line_ends_keeps_them(run):
    assert run("Thank you.\n\nGood morning!") == (0, "Terima kasih.\n\nSelamat pagi!\n", "")


def test_each_line_of_standard_input_is_a_line_of_standard_output(run):
    assert run(stdin="Thank you.\n\n  \n你好\nThe cat sleeps.".encode()) == (
        0,
        "Terima kasih.\n\n  \n你好\nKucing itu tidur.\n",
        "",
    )


def test_no_input_is_no_output(run, tmp_path: Path):
    empty = tmp_path / "empty.txt"
    empty.touch()
    assert run(stdin=b"") == run("--file", empty) == (0, "", "")


def test_a_file_is_translated_into_a_file_with_its_line_ends(run, tmp_path: Path):
    (tmp_path / "in.txt").write_bytes(b"Thank you.\r\n\r\nGood morning! The cat sleeps.\r\n\x0c\nShe drinks water.")
    assert run("--file", tmp_path / "in.txt", "--out", tmp_path / "out.txt") == (0, "", "")
    assert (tmp_path / "out.txt").read_bytes() == (
        b"Terima kasih.\r\n\r\nSelamat pagi! Kucing itu tidur.\r\n\x0c\nDia minum air.\n"
    )


def test_line_ends_of_other_kinds_do_not_make_lines(run):
    malay = run(stdin="Thank you.\u2028Thank you.\x85Thank you.\rThank you.\n".encode())[1]
    assert malay == "Terima kasih.\u2028Terima kasih.\x85Terima kasih.\rTerima kasih.\n"


def test_a_byte_order_mark_is_not_part_of_the_text(run):
    assert run(stdin=b"\xef\xbb\xbfThank you.\n") == (0, "Terima kasih.\n", "")


def test_a_file_goes_to_standard_output_and_standard_input_into_a_file(run, tmp_path: Path):
    (tmp_path / "in.txt").write_text("Thank you.\n")
    assert run("--file", tmp_path / "in.txt") == (0, "Terima kasih.\n", "")
    assert run("--out", tmp_path / "out.txt", stdin=b"Thank you.\n") == (0, "", "")
    assert (tmp_path / "out.txt").read_text() == "Terima kasih.\n"


# What is refused


def test_a_missing_checkpoint_is_one_line(run, tmp_path: Path):
    assert_refused(run("--checkpoint", tmp_path / "nowhere", "Thank you."), "malaygpt: ", str(tmp_path / "nowhere"))


def test_a_missing_checkpoint_leaves_the_output_file_alone(run, tmp_path: Path):
    (tmp_path / "out.txt").write_text("earlier work")
    assert_refused(run("--checkpoint", tmp_path / "nowhere", "--out", tmp_path / "out.txt", "Thank you."))
    assert (tmp_path / "out.txt").read_text() == "earlier work"


@pytest.mark.parametrize("out_exists", [False, True])
def test_a_missing_file_is_one_line(run, tmp_path: Path, out_exists: bool):
    if out_exists:
        (tmp_path / "out.txt").write_text("earlier work")
    assert_refused(run("--file", tmp_path / "absent.txt", "--out", tmp_path / "out.txt"), "absent.txt")
    assert (tmp_path / "out.txt").exists() == out_exists
    assert not out_exists or (tmp_path / "out.txt").read_text() == "earlier work"


def test_a_directory_is_no_file(run, tmp_path: Path):
    assert_refused(run("--file", tmp_path), str(tmp_path))
    assert_refused(run("--out", tmp_path, "Thank you."), str(tmp_path))


@pytest.mark.parametrize("start", [b"", b"Thank you.\n" * 3])
def test_input_that_is_not_utf8_is_one_line(run, tmp_path: Path, start: bytes):
    (tmp_path / "in.txt").write_bytes(start + "Café\n".encode("latin-1"))
    for result in (run(stdin=start + b"\xff\xfe\n"), run("--file", tmp_path / "in.txt")):
        assert_refused(result, "malaygpt: ", "UTF-8")


def test_a_text_and_a_file_at_once_are_refused(run, tmp_path: Path):
    (tmp_path / "in.txt").write_text("Thank you.")
    assert_refused(run("--file", tmp_path / "in.txt", "Thank you."), "not both")


@pytest.mark.parametrize("alias", ["same", "link", "hard link"])
def test_a_file_is_not_written_over_while_it_is_read(run, tmp_path: Path, alias: str):
    file, out = tmp_path / "in.txt", tmp_path / "out.txt"
    file.write_text("Thank you.\n")
    if alias == "same":
        out = tmp_path / "." / "in.txt"
    elif alias == "link":
        out.symlink_to(file)
    else:
        out.hardlink_to(file)
    assert_refused(run("--file", file, "--out", out), "--out would overwrite --file")
    assert file.read_text() == "Thank you.\n"


def test_an_unfinished_translation_of_another_text_is_refused(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file, out = tmp_path / "in.txt", tmp_path / "out.txt"
    file.write_text("Thank you.\n" * 1_000)

    def stop(*arguments: object) -> None:
        raise OSError("The disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("malaygpt.files.os.fsync", stop)
        assert_refused(run("--file", file, "--out", out), "The disk is full")
    (tmp_path / "out.txt.partial.json").write_text('{"source": "1", "model": "1"}')
    assert_refused(run("--file", file, "--out", out), "another text", "delete", "out.txt.partial", "begin again")


# As users run it


def test_the_command_reads_and_writes_utf8_whatever_the_terminals_encoding(checkpoint: Path):
    for encoding in ("ascii", "utf-8"):
        status, out, err = command(
            checkpoint, stdin="Thank you. 你好 👍\r\n".encode(), PYTHONIOENCODING=encoding, PYTHONUTF8="0"
        )
        assert (status, out, err) == (0, "Terima kasih. 你好 👍\r\n".encode(), b"")


def test_a_reader_that_leaves_early_is_no_error(checkpoint: Path, tmp_path: Path):
    (tmp_path / "in.txt").write_text("Thank you.\n" * 2_000)
    with subprocess.Popen(
        [sys.executable, "-m", "malaygpt", "--checkpoint", str(checkpoint), "--file", str(tmp_path / "in.txt")],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"Terima kasih.\n"
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_killed_run_goes_on_when_it_is_called_again(checkpoint: Path, translator: Translator, tmp_path: Path):
    file, out, partial = (tmp_path / name for name in ("in.txt", "out.txt", "out.txt.partial"))
    lines = [f"My house has {number} doors.\r\n" for number in range(600)]
    file.write_text("".join(lines), newline="")
    with subprocess.Popen(
        [sys.executable, "-m", "malaygpt", "--checkpoint", checkpoint, "--file", file, "--out", out],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        while process.poll() is None and not (partial.exists() and partial.stat().st_size):
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -9 and not out.exists()
    assert command(checkpoint, "--file", str(file), "--out", str(out)) == (0, b"", b"")
    assert out.read_bytes().decode() == "".join(translator.translate_lines(lines))
    assert {path.name for path in tmp_path.iterdir()} == {"in.txt", "out.txt"}


def test_on_a_terminal_there_is_a_progress_bar(checkpoint: Path, tmp_path: Path):
    file, out = tmp_path / "in.txt", tmp_path / "out.txt"
    file.write_text("Thank you.\n")
    reader, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    subprocess.run(
        [sys.executable, "-m", "malaygpt", "--checkpoint", checkpoint, "--file", file, "--out", out],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=terminal,
        timeout=60,
        check=True,
    )
    assert b"100%" in os.read(reader, 10_000)
    os.close(terminal)
    os.close(reader)
