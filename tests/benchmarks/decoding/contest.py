"""The engines take turns: each does a little of every case, round after round, so that all see the same hours."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from malaygpt.model import ModelConfig
from tests.benchmarks.decoding.contestants import CONTESTANTS, REFERENCE, Setting
from tests.benchmarks.decoding.inputs import TARGET_LENGTH, Case

SENTENCES_SERVED = 32


class EngineError(Exception):
    """An engine cannot be started or has died; the message is the last line that it wrote."""


class Worker:
    """The process of an engine, seen from the one that measures. A context manager, which ends it."""

    def __init__(self, name: str, setting: Setting) -> None:
        """Returns when the engine has translated its first sentence. Raises EngineError."""
        self.log = setting.exports / f"{name}-{setting.threads}-{setting.in_flight}.log"
        threads = str(setting.threads)
        arguments = [str(setting.checkpoint), str(setting.exports), threads, str(setting.in_flight)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.benchmarks.decoding.worker", name, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
                text=True,
            )
        self.start = self._answer()

    def ask(self, request: str, **arguments: Any) -> Any:
        """The answer of `Engine.request(**arguments)`. Raises EngineError."""
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            print(json.dumps([request, arguments]), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        if line := self.process.stdout.readline():
            return json.loads(line)
        self.__exit__()
        raise EngineError((self.log.read_text().strip().splitlines() or ["It said nothing."])[-1])

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@dataclass
class Timing:
    """How long translating a batch took, each time"""

    walls: list[float] = field(default_factory=list)
    """Seconds by the clock"""
    cpus: list[float] = field(default_factory=list)
    """Seconds of CPU time, of all threads together"""

    def add(self, times: list[tuple[float, float]]) -> None:
        self.walls += [wall for wall, _ in times]
        self.cpus += [cpu for _, cpu in times]

    @property
    def wall(self) -> float:
        return statistics.median(self.walls)

    @property
    def cpu(self) -> float:
        return statistics.median(self.cpus)


@dataclass(frozen=True)
class Started:
    """What an engine had taken when its first sentence was translated"""

    loaded: float
    """Seconds to load it, and to import what loading it imports"""
    ready: float
    """Seconds to load it and translate that sentence"""
    torch: int
    """Bytes that a process takes which has imported torch, and these are not counted in `memory`"""
    memory: int
    """Bytes"""


@contextmanager
def workers(names: list[str], setting: Setting) -> Iterator[dict[str, Worker]]:
    """The engines that can be started, one after the other; says which cannot, and why."""
    with ExitStack() as stack:
        started = {}
        for name in names:
            try:
                started[name] = stack.enter_context(Worker(name, setting))
            except EngineError as error:
                print(f"{CONTESTANTS[name].title} takes no part: {error}", flush=True)
        yield started


def time_case(case: Case, workers: dict[str, Worker], rounds: int, length: int = TARGET_LENGTH) -> dict[str, Timing]:
    """Times of all engines that take part in a case, after one translation that is not counted"""
    arguments = {"batch": case.batch, "beams": case.beams, "length": length}
    timings: dict[str, Timing] = {}
    for number in range(rounds + 1):
        for name, worker in workers.items():
            if not takes_part(name, case):
                continue
            if number == 0:
                worker.ask("time", **arguments, seconds=0)
                timings[name] = Timing()
            else:
                timings[name].add(worker.ask("time", **arguments))
    return timings


def takes_part(name: str, case: Case) -> bool:
    return case.batch <= CONTESTANTS[name].max_batch and case.beams <= CONTESTANTS[name].max_beams


def share_of_same_sentences(workers: dict[str, Worker]) -> dict[str, float]:
    """How many of the sources each engine translates greedily to the first tokens of REFERENCE, if that takes part"""
    if REFERENCE not in workers:
        return {}
    said = {name: worker.ask("tokens") for name, worker in workers.items()}
    return {
        name: statistics.mean(ours == right for ours, right in zip(ids, said[REFERENCE], strict=True))
        for name, ids in said.items()
    }


@dataclass(frozen=True)
class Floor:
    """The least time that decoding one sentence can take: that in which its weights come from memory"""

    once: int
    """Weights that are read once a sentence: the encoder's, and those of the keys and values of its output"""
    per_token: int
    bandwidth: dict[int, float]
    """Bytes a second, by bytes a weight"""

    @classmethod
    def measure(cls, config: ModelConfig, worker: Worker, rounds: int) -> "Floor":
        """Bandwidth is that of sums over buffers of the size of the weights of a token, the best of some."""
        d, ff = config.d_model, config.d_ff
        once = config.num_encoder_blocks * (4 * d * d + 2 * d * ff) + config.num_decoder_blocks * 2 * d * d
        per_token = config.num_decoder_blocks * (6 * d * d + 2 * d * ff) + config.vocab_size * d
        sizes = sorted({contestant.bytes_a_weight for contestant in CONTESTANTS.values()})
        bandwidth = {
            size: max(worker.ask("bandwidth", num_bytes=per_token * size) for _ in range(rounds)) for size in sizes
        }
        return cls(once, per_token, bandwidth)

    def seconds(self, bytes_a_weight: int) -> float:
        """For a sentence of TARGET_LENGTH tokens"""
        return (self.once + TARGET_LENGTH * self.per_token) * bytes_a_weight / self.bandwidth[bytes_a_weight]


def serve(worker: Worker, rounds: int) -> tuple[float, float]:
    """Sentences a second with one and with two translations in flight"""
    rates: dict[int, list[float]] = {1: [], 2: []}
    for number in range(rounds + 1):
        for in_flight in rates:
            rate = worker.ask("serve", in_flight=in_flight, num_sentences=SENTENCES_SERVED)
            if number:
                rates[in_flight].append(rate)
    one, two = (statistics.median(rates[in_flight]) for in_flight in rates)
    return one, two


def become_ready(checkpoint: Path, rounds: int) -> tuple[float, float, float]:
    """Seconds to load a checkpoint, seconds until a first sentence is translated too, bytes at the peak; medians"""
    command = [sys.executable, "-m", "tests.benchmarks.decoding.ready", str(checkpoint)]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(rounds)
    ]
    loaded, ready, memory = (statistics.median(run[key] for run in runs) for key in ("loaded", "ready", "memory"))
    return loaded, ready, memory
