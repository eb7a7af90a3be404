"""A run's curves in trackio: losses, learning rate, gradient norm, speed and held-out scores, in a local dashboard.

    python -m train.curves RUN [RUN ...] [--follow] [--show]

RUN is a directory of train.fit, which may still be training: --follow sends what it logs from then on. All runs are of
one trackio project, and stay on this machine, in trackio's SQLite file (TRACKIO_DIR says where). Sending a run again
changes nothing; a log that was cut off and went on from a checkpoint replaces what was sent of it. The dashboard is
opened by --show, or by the command that is printed.
"""

import argparse
import hashlib
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from train.fit import LOG, read_log
from train.trainer import CONFIG

if TYPE_CHECKING:
    from trackio.sqlite_storage import SQLiteStorage

VERSION = "0.43.0"
PROJECT = "malaygpt"
SECONDS_BETWEEN_LOOKS = 2.0
ALL_ROWS = 10**9


@dataclass(frozen=True)
class Point:
    """A line of the log."""

    step: int
    figures: dict[str, float]
    id: str
    """The same for the same line of the same run, and for no other: trackio keeps one point of each"""


def run_id(run: Path) -> str:
    """What trackio knows a run by: the same wherever it is called from"""
    return _digest(str(run.resolve()))


def run_name(run: Path) -> str:
    """What the dashboard calls it; the directory alone is often just "fit"."""
    return "/".join(run.resolve().parts[-2:])


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def points_of(run: Path) -> list[Point]:
    """The points of a run's log, as far as it is written. Raises FileNotFoundError."""
    path = run / LOG
    if not path.is_file():
        raise FileNotFoundError(f"{run} has no {LOG}; give the directory that train.fit was told to write (--out).")
    return [Point(figures.pop("step"), figures, _digest(run_id(run) + line)) for line, figures in read_log(path)]


def storage() -> type["SQLiteStorage"]:
    """Where trackio keeps its points. Raises ModuleNotFoundError with the command that installs it."""
    try:
        from trackio.sqlite_storage import SQLiteStorage
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"Curves need trackio ({error}): pip install trackio=={VERSION}") from error
    return SQLiteStorage


def send(run: Path, project: str) -> int:
    """Brings a run's points in the project up to its log. Returns how many were new.

    Raises FileNotFoundError, ModuleNotFoundError, and ValueError for a project that trackio cannot hold.
    """
    points, store = points_of(run), storage()
    store.validate_project_name(project)
    store.init_db(project)
    query = f"SELECT log_id FROM metrics WHERE run_id = '{run_id(run)}'"
    kept = {row["log_id"] for row in store.query_project(project, query, ALL_ROWS)["rows"]}
    if not kept <= {point.id for point in points}:
        store.delete_run(project, run_name(run), run_id(run))
        kept = set()
    new = [point for point in points if point.id not in kept]
    config = run / CONFIG
    store.bulk_log(
        project,
        run_name(run),
        [point.figures for point in new],
        steps=[point.step for point in new],
        log_ids=[point.id for point in new],
        config=json.loads(config.read_text(encoding="utf-8")) if config.is_file() else None,
        run_id=run_id(run),
    )
    return len(new)


def follow(runs: list[Path], project: str) -> None:
    """Sends what the runs log, until it is interrupted."""
    while True:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        for run in runs:
            send(run, project)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.curves", description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="directory of train.fit")
    parser.add_argument("--project", default=PROJECT, help=f"trackio project; default {PROJECT}")
    parser.add_argument("--follow", action="store_true", help="keep on sending until interrupted")
    parser.add_argument("--show", action="store_true", help="open the dashboard, until interrupted")
    options = parser.parse_args(arguments)
    try:
        for run in options.runs:
            print(f"{run_name(run)}: {send(run, options.project):,} new points", flush=True)
        if options.show:
            import trackio  # here and not above, as in `storage`

            trackio.show(options.project, block_thread=not options.follow)
        else:
            print(f"The dashboard: trackio show --project {options.project}", flush=True)
        if options.follow:
            follow(options.runs, options.project)
    except (ModuleNotFoundError, OSError, ValueError) as error:
        print(f"train.curves: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
