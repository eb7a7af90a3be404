"""Two processes, started by torchrun, train as one would: the same losses, however often they are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from train import fit
from train.state import checkpoints

OPTIONS = ["--preset", "tiny", "--epochs", "2", "--tokens-per-batch", "256", "--warmup-steps", "10"]
QUICK = ["--log-every", "1", "--num-samples", "0", "--threads", "1"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--monitor-interval=0.1"]


def steps(run: Path) -> list[dict]:
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [record for record in records if "loss" in record]


def losses(run: Path) -> list[float]:
    return [record["loss"] for record in steps(run)]


def norms(run: Path) -> list[float]:
    return [record["gradient_norm"] for record in steps(run)]


def final_weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(checkpoints(run)[-1] / "model.safetensors")


def torchrun(arguments: list[str]) -> subprocess.CompletedProcess:
    # A free port of its own: torchrun's usual one may be taken.
    command = [*TORCHRUN, "--standalone", "-m", "train.fit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def two(packed, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """A run of two processes and what they said"""
    run = tmp_path_factory.mktemp("two") / "run"
    ran = torchrun([str(packed), "--out", str(run), *OPTIONS, *QUICK])
    assert ran.returncode == 0, ran.stderr
    return run, ran


def test_two_processes_have_the_losses_and_weights_of_one_with_the_same_batches(packed, two, tmp_path):
    """With dropout: the masks of a slice are the same, whichever process takes it."""
    run, _ = two
    one = tmp_path / "one"
    assert fit.main([str(packed), "--out", str(one), *OPTIONS, *QUICK, "--tokens-at-once", "128"]) == 0
    assert losses(run) == pytest.approx(losses(one), rel=1e-5)
    assert norms(run) == pytest.approx(norms(one), rel=1e-3)
    ours, theirs = final_weights(run), final_weights(one)
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)
    assert (run / "fit.json").read_bytes() == (one / "fit.json").read_bytes()


def test_two_processes_without_dropout_have_the_losses_of_one_that_cuts_nothing(packed, tmp_path):
    two, one = tmp_path / "two", tmp_path / "one"
    options = [*OPTIONS, *QUICK, "--dropout", "0", "--epochs", "1"]
    ran = torchrun([str(packed), "--out", str(two), *options])
    assert ran.returncode == 0, ran.stderr
    assert fit.main([str(packed), "--out", str(one), *options]) == 0
    assert losses(two) == pytest.approx(losses(one), rel=1e-3)  # sums in bfloat16, in another order


def test_only_the_first_process_speaks_and_writes(two):
    run, ran = two
    assert ran.stdout.count("validation_loss") == 2
    assert (run / "log.jsonl").read_text().count("validation_loss") == 2
    assert len(losses(run)) == json.loads((checkpoints(run)[-1] / "position.json").read_text())["step"]


def workers(launcher: int) -> dict[int, int]:
    """The ranks of a launcher's processes, and their ids"""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    found = {}
    for child in map(int, children):
        variables = Path(f"/proc/{child}/environ").read_bytes().decode().split("\0")
        found |= {int(value): child for name, _, value in (v.partition("=") for v in variables) if name == "RANK"}
    return found


def kill_one(arguments: list[str], run: Path, rank: int, step: int) -> None:
    """Starts two processes, kills one of them at a step and waits for torchrun to end the other."""
    command = [*TORCHRUN, "--standalone", "-m", "train.fit", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 180
    while not any(int(path.name[5:]) >= step for path in checkpoints(run)):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    others = workers(process.pid)
    os.kill(others.pop(rank), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert others
    assert not any(Path(f"/proc/{child}").exists() for child in others.values())


def test_a_run_goes_on_when_one_process_was_killed_with_two_or_with_one(packed, two, tmp_path):
    whole, _ = two
    run = tmp_path / "run"
    arguments = [str(packed), "--out", str(run), *QUICK, "--save-every", "0"]
    kill_one([*arguments, *OPTIONS], run, rank=1, step=8)
    kill_one([*arguments, "--resume"], run, rank=0, step=16)
    assert fit.main([*arguments, "--resume"]) == 0
    assert losses(run) == pytest.approx(losses(whole), rel=1e-5)
    ours, theirs = final_weights(run), final_weights(whole)
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_what_is_wrong_is_said_once_and_by_the_first(packed, two):
    ran = torchrun([str(packed), "--out", str(two[0]), *OPTIONS, *QUICK])
    assert ran.returncode != 0
    assert ran.stderr.count("already holds checkpoints") == 1
