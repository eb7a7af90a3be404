"""One engine in its own process, and what it can be asked there."""

import time
from concurrent.futures import ThreadPoolExecutor

from malaygpt.checkpoint import TOKENIZER
from malaygpt.tokenizer import Tokenizer
from tests.benchmarks.decoding import machine
from tests.benchmarks.decoding.contestants import CONTESTANTS, Setting
from tests.benchmarks.decoding.inputs import COMPARED_LENGTH, TARGET_LENGTH, sources


class Engine:
    """What a worker can be asked"""

    def __init__(self, name: str, setting: Setting, memory_of_torch: int) -> None:
        """Loads it and translates a sentence; `memory_of_torch` is what the process held when it had imported torch."""
        self.memory_of_torch = memory_of_torch
        self.sources = sources(Tokenizer.load(setting.checkpoint / TOKENIZER))
        began = time.perf_counter()
        self.translate = CONTESTANTS[name].load(setting)
        self.loaded = time.perf_counter() - began
        self.translate(self.sources[:1], 1, TARGET_LENGTH)
        self.ready = time.perf_counter() - began

    def started(self) -> dict[str, float]:
        """The fields of `contest.Started`"""
        memory = machine.resident() - self.memory_of_torch
        return {"loaded": self.loaded, "ready": self.ready, "torch": self.memory_of_torch, "memory": memory}

    def tokens(self) -> list[list[int]]:
        """How the greedy translation of every source begins"""
        return self.translate(self.sources, 1, COMPARED_LENGTH)

    def time(
        self, batch: int, beams: int, length: int = TARGET_LENGTH, seconds: float = 0.3
    ) -> list[tuple[float, float]]:
        """Seconds by the clock and of CPU time, each for one translation of the batch, repeated for so many seconds"""
        times, end = [], time.perf_counter() + seconds
        while not times or time.perf_counter() < end:
            cpu, began = time.process_time(), time.perf_counter()
            said = self.translate(self.sources[:batch], beams, length)
            times.append((time.perf_counter() - began, time.process_time() - cpu))
            assert [len(ids) for ids in said] == [length] * batch, "It said more or less than it was asked for."
        return times

    def serve(self, in_flight: int, num_sentences: int) -> float:
        """Sentences a second when so many threads each translate one sentence after the other, as a server's do"""
        requests = [[self.sources[i % len(self.sources)]] for i in range(num_sentences)]
        with ThreadPoolExecutor(in_flight) as pool:
            began = time.perf_counter()
            list(pool.map(lambda request: self.translate(request, 1, TARGET_LENGTH), requests))
            return num_sentences / (time.perf_counter() - began)

    def bandwidth(self, num_bytes: int) -> float:
        """Bytes of memory a second that this process can read"""
        return machine.bandwidth(num_bytes)
