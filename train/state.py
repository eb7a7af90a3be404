"""Checkpoints of a run: each a directory that appears whole or not at all, whenever the process may be killed.

`RUN/checkpoints/step-00001234/` holds what the app loads (averaged weights, config, tokenizer); `training.pt`, all that
is needed to go on (weights, optimizer, random state); and `position.json`, the place in the data.
"""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError

NAME = re.compile(r"step-\d{8}")
PARTIAL = "partial-"
TRAINING, POSITION = "training.pt", "position.json"
MOMENTS = "moments"
"""Directory of the weights that a run had at its moments, for train.timeline"""


def is_moment(step: int) -> bool:
    """Whether the weights of this step are kept for train.timeline: 0, 10, 20, 50, 100, 200, 500 and so on. Most of
    what is to be seen of learning happens early."""
    return step == 0 or (step >= 10 and str(step).rstrip("0") in ("1", "2", "5"))


@dataclass(frozen=True)
class Position:
    """Where a run is: `batch` batches of epoch `epoch` (from 0) are done, `step` in all."""

    step: int = 0
    epoch: int = 0
    batch: int = 0

    @property
    def inside_epoch(self) -> bool:
        return self.batch > 0


def checkpoints(run: Path) -> list[Path]:
    """The run's whole checkpoints, oldest first."""
    folder = run / "checkpoints"
    return sorted(path for path in folder.glob("step-*") if NAME.fullmatch(path.name)) if folder.is_dir() else []


def write_checkpoint(run: Path, position: Position, training: dict, write_bundle: Callable[[Path], None]) -> Path:
    """Writes a checkpoint; `write_bundle(directory)` adds the files that the app loads."""

    def write(directory: Path) -> None:
        write_bundle(directory)
        torch.save(training, directory / TRAINING)
        (directory / POSITION).write_text(json.dumps(asdict(position)) + "\n")

    return write_directory(run / "checkpoints" / step_name(position.step), write)


def step_name(step: int) -> str:
    """The name of the directory of a step"""
    return f"step-{step:08d}"


def write_directory(final: Path, write: Callable[[Path], None]) -> Path:
    """A directory that `write` fills with files: made beside its place, flushed to the disk and renamed, which is one
    atomic act. Raises OSError when that fails, for want of room mostly, and leaves nothing behind."""
    partial = final.with_name(PARTIAL + final.name)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        write(partial)
        for file in partial.iterdir():
            flush(file)
        flush(partial)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors have their own for a full disk
        shutil.rmtree(partial, ignore_errors=True)
        reason = str(error).strip().partition("\n")[0]
        raise OSError(
            f"{final} could not be written ({reason}). What was there before is whole; make room on the disk, then go "
            "on with --resume."
        ) from error
    partial.rename(final)
    flush(final.parent)
    return final


def read_checkpoint(directory: Path) -> tuple[Position, dict]:
    """The position and training state of a checkpoint that this program wrote."""
    return read_position(directory), torch.load(directory / TRAINING, map_location="cpu", weights_only=True)


def read_position(directory: Path) -> Position:
    """Where the run was when it wrote this checkpoint"""
    return Position(**json.loads((directory / POSITION).read_text()))


def remove_checkpoint(directory: Path) -> None:
    """Takes the name away first, so that a half-removed checkpoint is never taken for a whole one."""
    doomed = directory.with_name(PARTIAL + directory.name)
    directory.rename(doomed)
    shutil.rmtree(doomed)


def clear_partial(run: Path) -> None:
    """Removes what a killed process left half-written or half-removed."""
    for folder in "checkpoints", MOMENTS:
        for path in (run / folder).glob(PARTIAL + "*"):
            shutil.rmtree(path)


def write_atomically(path: Path, text: str) -> None:
    """Puts a text file in the place of another in one act."""
    partial = path.with_name(PARTIAL + path.name)
    partial.write_text(text)
    flush(partial)
    partial.replace(path)


def flush(path: Path) -> None:
    """Forces a file, or a directory's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
