"""What a process has taken of the machine, and what the machine can give. Linux only."""

import time
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"


def resident() -> int:
    """Bytes of memory that this process holds"""
    return _kilobytes("VmRSS")


def peak() -> int:
    """The most bytes that this process has held since its beginning, or since `forget_peak`"""
    return _kilobytes("VmHWM")


def forget_peak() -> None:
    CLEAR.write_text(RESET_PEAK)


def bandwidth(num_bytes: int, seconds: float = 0.5) -> float:
    """Bytes a second at which torch sums a buffer, the best of as many times as fit into `seconds`.

    The smaller the buffer, the more of it stays in caches from one sum to the next, as an engine's weights do from one
    token to the next.
    """
    buffer = torch.ones(num_bytes // 4)
    best, end = float("inf"), time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        buffer.sum()
        best = min(best, time.perf_counter() - began)
    return num_bytes / best


def _kilobytes(field: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024
