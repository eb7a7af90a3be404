"""How fast translating is: ours against other engines with the same weights, and all against what memory allows.

    pip install -r tests/benchmarks/requirements.txt
    python -m tests.benchmarks.decoding [--checkpoint DIR] [--engines NAME ...] [--threads 1 2] [--rounds 7] [--quick]

Every engine translates the same sources of 20 tokens to exactly 32 tokens, in a process of its own for each number of
threads. The engines take turns, so that whatever else the machine does meets them all; figures are medians, and a
ratio compares medians of the same run. CPU time says what remains of a ratio on a busy machine. Then requests from two
Python threads at once, one torch thread each, as a server with two workers has them; and how long a user who loads the
checkpoint waits for the first translation. Linux only. Ten minutes, with --quick one.
"""

import argparse
import os
import tempfile
from pathlib import Path

from malaygpt.checkpoint import CONFIG, WEIGHTS, CheckpointError, load_config
from malaygpt.hub import EMBEDDED
from tests.benchmarks.decoding import contest, report
from tests.benchmarks.decoding.contestants import ANCHOR, CONTESTANTS, Setting, write_exports
from tests.benchmarks.decoding.inputs import NUM_SOURCES, SOURCE_LENGTH, TARGET_LENGTH, Case

CASES = [Case(size, beams) for size in (1, 16, NUM_SOURCES) for beams in (1, 4)]
QUICK_CASES = [Case(1, 1), Case(1, 4), Case(16, 1)]


def measure_speed(setting: Setting, names: list[str], cases: list[Case], rounds: int) -> list[report.Goal]:
    """Prints the tables of one number of threads."""
    print(f"\n== {report.count(setting.threads, 'thread')} ==", flush=True)
    with contest.workers(names, setting) as workers:
        if not workers:
            return []
        timings = {}
        for case in cases:
            timings[case] = contest.time_case(case, workers, rounds)
            print(f"\n{case}, {SOURCE_LENGTH} tokens to {TARGET_LENGTH}", flush=True)
            print(report.case_table(case, timings[case]), flush=True)
        first_tokens = contest.time_case(report.LATENCY, workers, rounds, length=1)
        floor = contest.Floor.measure(load_config(setting.checkpoint / CONFIG), next(iter(workers.values())), rounds)
        started = {name: contest.Started(**worker.start) for name, worker in workers.items()}
        same = contest.share_of_same_sentences(workers)
    print(f"\n{report.floor_line(floor)}")
    print(f"memory is over the {max(s.torch for s in started.values()) / report.MB:.0f} MB that importing torch takes")
    print(report.engine_table(started, first_tokens, timings[report.LATENCY], floor, same), flush=True)
    return report.speed_goals(setting.threads, timings)


def measure_serving(setting: Setting, names: list[str], rounds: int) -> list[report.Goal]:
    """Prints what two requests at once gain over one."""
    names = [name for name in names if CONTESTANTS[name].is_ours or name == ANCHOR]
    with contest.workers(names, setting) as workers:
        rates = {name: contest.serve(worker, rounds) for name, worker in workers.items()}
    print("\n== served from worker threads, 1 torch thread each ==")
    print(report.serving_table(rates), flush=True)
    return report.serving_goals(rates)


def measure_ready(checkpoint: Path, rounds: int) -> list[report.Goal]:
    """Prints what a user waits for."""
    loaded, ready, memory = contest.become_ready(checkpoint, rounds)
    size = (checkpoint / WEIGHTS).stat().st_size
    print("\n== from imports to the first translation ==")
    print(
        f"{loaded:.2f} s to load, {ready:.2f} s until the first sentence is translated; at the peak "
        f"{memory / report.MB:.0f} MB over torch's, for {size / report.MB:.0f} MB of weights",
        flush=True,
    )
    return report.ready_goals(ready, memory, size)


def measure(
    checkpoint: Path, names: list[str], threads: list[int], cases: list[Case], rounds: int, serving: bool
) -> list[report.Goal]:
    """Prints all tables, and returns the figures for which there are goals. Raises EngineError when one breaks off."""
    goals = []
    with tempfile.TemporaryDirectory() as directory:
        exports = Path(directory)
        write_exports(checkpoint, exports)
        for number in threads:
            goals += measure_speed(Setting(checkpoint, exports, number), names, cases, rounds)
        if serving:
            goals += measure_serving(Setting(checkpoint, exports, 1, in_flight=2), names, rounds)
    return goals + measure_ready(checkpoint, rounds)


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.decoding", description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, default=EMBEDDED, help="directory; without it the embedded one")
    parser.add_argument("--engines", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), metavar="NAME")
    parser.add_argument("--threads", type=int, nargs="+", help="1 and 2, as far as there are cores")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="one thread, two rounds, no batch of 64")
    options = parser.parse_args()
    rounds, cases = (2, QUICK_CASES) if options.quick else (options.rounds, CASES)
    threads = options.threads or [n for n in (1, 2) if n <= (1 if options.quick else cores)]
    print(f"{options.checkpoint}, {report.count(cores, 'core')}, {report.count(rounds, 'round')}")
    try:
        goals = measure(options.checkpoint, options.engines, threads, cases, rounds, serving=cores > 1)
    except (CheckpointError, ModuleNotFoundError, contest.EngineError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    print("\n== goals ==", *goals, sep="\n")


if __name__ == "__main__":
    main()
