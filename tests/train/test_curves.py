import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from train import curves, fit
from train.curves import VERSION, points_of, run_id, run_name

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Where trackio keeps what the tests of this file send it; it asks for that once, when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKIO_DIR", str(tmp_path_factory.mktemp("trackio")))
        patch.delitem(sys.modules, "trackio", raising=False)
        yield Path(os.environ["TRACKIO_DIR"])


@pytest.fixture
def store(directory):
    return curves.storage()


@pytest.fixture(scope="module")
def fitted(packed, tmp_path_factory) -> Path:
    """A short run of train.fit: 2 epochs, a line of the log for every step and two of held-out scores"""
    run = tmp_path_factory.mktemp("runs") / "short"
    options = ["--preset", "tiny", "--epochs", "2", "--tokens-per-batch", "2048", "--log-every", "1"]
    assert fit.main([str(packed), "--out", str(run), *options, "--num-samples", "0", "--threads", "1"]) == 0
    return run


@pytest.fixture
def run(fitted, tmp_path) -> Path:
    """That run, to be changed"""
    return Path(shutil.copytree(fitted, tmp_path / "run"))


def kept(store, run: Path, project: str) -> list[dict]:
    """What trackio has of a run, as the log's lines"""
    rows = store.get_logs(project, run_name(run), run_id=run_id(run))
    return [{name: value for name, value in row.items() if name != "timestamp"} for row in rows]


def logged(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / fit.LOG).read_text().splitlines()]


@contextmanager
def started(run: Path, project: str, option: str) -> Iterator[subprocess.Popen]:
    """The command as a process of its own, interrupted at the end as with Ctrl-C"""
    command = [sys.executable, "-m", "train.curves", str(run), "--project", project, option]
    environment = {**os.environ, "BROWSER": "true", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
            process.send_signal(signal.SIGINT)
            process.wait(30)
        finally:
            process.kill()


def in_order(lines: list[dict]) -> list[dict]:
    return sorted(lines, key=lambda line: (line["step"], "loss" not in line))


def test_trackio_has_what_the_run_has_logged_and_how_it_was_configured(run, store, capsys):
    assert curves.main([str(run), "--project", "whole"]) == 0
    assert in_order(kept(store, run, "whole")) == in_order(logged(run))
    assert {"loss", "gradient_norm", "learning_rate", "tokens_per_second"} < logged(run)[0].keys()
    assert sum("chrf" in line for line in kept(store, run, "whole")) == 2
    config = store.get_run_config("whole", run_name(run), run_id=run_id(run))
    assert config["tokens_per_batch"] == 2048
    output = capsys.readouterr().out
    assert f"{len(logged(run))} new points" in output
    assert "trackio show --project whole" in output


def test_sending_again_adds_nothing(run, store):
    for _ in range(3):
        assert curves.main([str(run), "--project", "again"]) == 0
    assert len(kept(store, run, "again")) == len(logged(run))


def test_what_is_logged_later_is_added_and_a_half_written_line_waits(run, store):
    log, text = run / fit.LOG, (run / fit.LOG).read_text()
    lines = text.splitlines(keepends=True)
    log.write_text("".join(lines[:3]) + lines[3][:20])
    assert curves.send(run, "growing") == 3
    log.write_text(text)
    assert curves.send(run, "growing") == len(lines) - 3
    assert in_order(kept(store, run, "growing")) == in_order(logged(run))


def test_a_log_that_went_on_from_a_checkpoint_replaces_what_was_ahead_of_it(run, store):
    curves.send(run, "resumed")
    lines = logged(run)
    for line in lines[-2:]:
        line["epoch"] += 1
    (run / fit.LOG).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert curves.send(run, "resumed") == len(lines)
    assert in_order(kept(store, run, "resumed")) == in_order(lines)


def test_runs_of_one_name_stay_apart_in_one_project(run, store, tmp_path):
    other = Path(shutil.copytree(run, tmp_path / "elsewhere" / tmp_path.name / "run"))
    (other / fit.LOG).write_text("".join((run / fit.LOG).read_text().splitlines(keepends=True)[:2]))
    assert run_name(other) == run_name(run)
    assert curves.main([str(run), str(other), "--project", "two"]) == 0
    assert len(kept(store, run, "two")) == len(logged(run))
    assert len(kept(store, other, "two")) == 2


def test_following_sends_what_a_run_logs_meanwhile(run, store):
    lines = (run / fit.LOG).read_text().splitlines(keepends=True)
    (run / fit.LOG).write_text("".join(lines[:1]))
    with started(run, "followed", "--follow") as process:
        assert "1 new points" in process.stdout.readline()
        with (run / fit.LOG).open("a") as file:
            file.writelines(lines[1:])
        deadline = time.monotonic() + 30
        while len(kept(store, run, "followed")) < len(lines) and time.monotonic() < deadline:
            time.sleep(0.1)
    assert in_order(kept(store, run, "followed")) == in_order(logged(run))
    assert process.returncode == 0


def test_nothing_leaves_this_machine(run, store, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert curves.send(run, "offline") == len(logged(run))


def test_the_dashboard_opens_and_knows_the_run(run, directory):
    with started(run, "shown", "--show") as process:
        url = next(found[0] for line in process.stdout if (found := re.search(r"http://[\d.:a-z]+/", line)))
        question = json.dumps({"project": "shown"}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}api/get_runs_for_project", question, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert run_name(run) in answer.read().decode()


def test_what_cannot_be_sent_is_said_in_one_line(run, tmp_path, capsys, directory):
    for arguments, word in (([str(tmp_path)], fit.LOG), ([str(run), "--project", "a_system"], "a_system")):
        assert curves.main(arguments) == 2
        error = capsys.readouterr().err.strip()
        assert word in error
        assert "\n" not in error


def test_without_trackio_the_command_that_installs_it_is_named(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "trackio", None)
    monkeypatch.setitem(sys.modules, "trackio.sqlite_storage", None)
    assert curves.main([str(run)]) == 2
    assert f"pip install trackio=={VERSION}" in capsys.readouterr().err
    assert f"trackio=={VERSION}" in (ROOT / "tests" / "requirements.txt").read_text().splitlines()


def test_a_point_is_known_by_its_run_and_line(run, tmp_path):
    other = Path(shutil.copytree(run, tmp_path / "other"))
    ids = [point.id for point in points_of(run)]
    assert len({*ids, *(point.id for point in points_of(other))}) == 2 * len(ids)
    assert [point.id for point in points_of(run)] == ids
