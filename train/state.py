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

NAME = re.compile(r"step-\d{8}")
PARTIAL = "partial-"
TRAINING, POSITION = "training.pt", "position.json"


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
    """Writes a checkpoint beside its place, flushes it to the disk and renames it, which is one atomic act.

    `write_bundle(directory)` adds the files that the app loads.
    """
    final = run / "checkpoints" / f"step-{position.step:08d}"
    partial = final.with_name(PARTIAL + final.name)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write_bundle(partial)
    torch.save(training, partial / TRAINING)
    (partial / POSITION).write_text(json.dumps(asdict(position)) + "\n")
    for file in partial.iterdir():
        flush(file)
    flush(partial)
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
    for path in (run / "checkpoints").glob(PARTIAL + "*"):
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
