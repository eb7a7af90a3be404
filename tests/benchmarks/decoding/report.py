"""The tables, and the goals beside them."""

from dataclasses import dataclass

from tests.benchmarks.decoding.contest import Floor, Started, Timing
from tests.benchmarks.decoding.contestants import ANCHOR, CONTESTANTS, TUTORIAL
from tests.benchmarks.decoding.inputs import TARGET_LENGTH, Case

LATENCY = Case(1, 1)
"""One visitor's sentence"""
GOALS = {LATENCY: 0.75, Case(1, 4): 0.9, Case(16, 1): 1.0, Case(64, 1): 0.85}
"""Our time as a part of the anchor's, at most"""
TUTORIAL_GOAL, SERVING_GOAL, READY_GOAL, MEMORY_GOAL = 10, 1.9, 1.5, 3
"""Times as fast as the tutorial's loop; times as many sentences by two threads as by one; seconds; sizes of the file"""
MB = 1e6


@dataclass(frozen=True)
class Goal:
    """A figure and what it should be"""

    what: str
    figure: float
    limit: float
    at_most: bool

    def __str__(self) -> str:
        met = self.figure <= self.limit if self.at_most else self.figure >= self.limit
        bound = "at most" if self.at_most else "at least"
        return f"{'met   ' if met else 'MISSED'}  {self.what:<64}{self.figure:>8.2f}  {bound} {self.limit:g}"


def count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as they need be, the first flush left"""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        ).rstrip()
        for line in lines
    )


def ratio(part: float, whole: float | None) -> str:
    return f"{part / whole:.2f}" if whole else "-"


def case_table(case: Case, timings: dict[str, Timing]) -> str:
    anchor = timings.get(ANCHOR)
    wall, cpu = (anchor.wall, anchor.cpu) if anchor else (None, None)
    rows = [
        (
            CONTESTANTS[name].title,
            f"{1000 * timing.wall / case.batch:.2f}",
            f"{1000 * timing.cpu / case.batch:.2f}",
            f"{case.batch * TARGET_LENGTH / timing.wall:,.0f}",
            ratio(timing.wall, wall),
            ratio(timing.cpu, cpu),
        )
        for name, timing in timings.items()
    ]
    head = ("", "ms/sentence", "CPU ms", "tokens/s", f"x {CONTESTANTS[ANCHOR].title}", "by CPU")
    return table(head, rows)


def engine_table(
    started: dict[str, Started],
    first_tokens: dict[str, Timing],
    latencies: dict[str, Timing],
    floor: Floor,
    same: dict[str, float],
) -> str:
    rows = []
    for name, start in started.items():
        least = floor.seconds(CONTESTANTS[name].bytes_a_weight)
        rows.append(
            (
                CONTESTANTS[name].title,
                f"{start.loaded:.2f}",
                f"{start.ready:.2f}",
                f"{start.memory / MB:.0f}",
                f"{1000 * first_tokens[name].wall:.2f}",
                f"{1000 * least:.1f}",
                f"{latencies[name].wall / least:.2f}",
                f"{same[name]:.0%}" if same else "-",
            )
        )
    head = ("", "load s", "+ sentence s", "MB", "first token ms", "floor ms", "x floor", "same sentences")
    return table(head, rows)


def floor_line(floor: Floor) -> str:
    rates = ", ".join(
        f"{rate / 1e9:.1f} GB/s from {floor.per_token * size / MB:.0f} MB" for size, rate in floor.bandwidth.items()
    )
    return f"a token reads {floor.per_token / 1e6:.1f} M weights, a sentence {floor.once / 1e6:.1f} M besides; {rates}"


def speed_goals(threads: int, timings: dict[Case, dict[str, Timing]]) -> list[Goal]:
    """The best of ours, in each case, against the anchor and the tutorial's loop"""
    goals = []
    for case, times in timings.items():
        ours = {name: timing.wall for name, timing in times.items() if CONTESTANTS[name].is_ours}
        if not ours:
            continue
        best = min(ours, key=ours.__getitem__)
        what = f"{count(threads, 'thread')}, {case}: {CONTESTANTS[best].title} / "
        if case in GOALS and ANCHOR in times:
            goals.append(
                Goal(what + CONTESTANTS[ANCHOR].title, ours[best] / times[ANCHOR].wall, GOALS[case], at_most=True)
            )
        if case == LATENCY and TUTORIAL in times:
            speed = times[TUTORIAL].wall / ours[best]
            goals.append(Goal(what + "tutorial's loop, in speed", speed, TUTORIAL_GOAL, at_most=False))
    return goals


def serving_table(rates: dict[str, tuple[float, float]]) -> str:
    rows = [
        (CONTESTANTS[name].title, f"{one:.1f}", f"{two:.1f}", f"{two / one:.2f}") for name, (one, two) in rates.items()
    ]
    return table(("", "sentences/s, 1 in flight", "2 in flight", "times as many"), rows)


def serving_goals(rates: dict[str, tuple[float, float]]) -> list[Goal]:
    return [
        Goal(f"two requests at once, {CONTESTANTS[name].title}", two / one, SERVING_GOAL, at_most=False)
        for name, (one, two) in rates.items()
        if CONTESTANTS[name].is_ours
    ]


def ready_goals(ready: float, memory: float, size: int) -> list[Goal]:
    return [
        Goal("seconds from imports to the first translation", ready, READY_GOAL, at_most=True),
        Goal("peak of memory over torch's, in sizes of the weights' file", memory / size, MEMORY_GOAL, at_most=True),
    ]
