"""What it costs to explain a translation: time beside that of translating alone, and the size of what is sent.

    python -m tests.benchmarks.explaining [--checkpoint X] [--times N]

Times are medians of turns in which each way is run once, so that what else the machine does falls on all alike. The
size is that of the JSON without spaces, before compression; attention is all of it, every layer and head.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable

import torch

from malaygpt.explain import attention_json
from malaygpt.translator import Translator

SENTENCES = (
    "The children are playing in the park near the river while their parents watch them.",
    "The government announced yesterday that it would build three new hospitals in the northern states by the end of "
    "next year, although many doctors say that this is not enough.",
)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def medians(ways: dict[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Milliseconds of each way; the first turn warms up."""
    turns = [{name: seconds(work) for name, work in ways.items()} for _ in range(times + 1)][1:]
    return {name: 1000 * statistics.median(turn[name] for turn in turns) for name in ways}


def measure(translator: Translator, text: str, times: int) -> str:
    """A line of the table."""
    explanation = translator.explain(text)
    (sentence,) = explanation.sentences
    taken = medians(
        {
            "translate": lambda: translator.translate(text),
            "explain": lambda: translator.explain(text),
            "stream": lambda: list(translator.stream(text)),
            "json": lambda: json.dumps(explanation.to_json()),
            "attend": lambda: attention_json(translator.attend(sentence)),
        },
        times,
    )
    sizes = [
        len(json.dumps(value, separators=(",", ":"))) / 1000
        for value in (explanation.to_json(), attention_json(translator.attend(sentence)))
    ]
    ratios = [taken[name] / taken["translate"] for name in ("explain", "stream")]
    cells = [len(text.split()), *(f"{ms:.1f}" for ms in taken.values()), *(f"{ratio:.2f}" for ratio in ratios)]
    return f"| {' | '.join(map(str, cells))} | {sizes[0]:.0f} | {sizes[1]:.0f} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.explaining", description="What explaining costs.")
    parser.add_argument("--checkpoint", help="checkpoint directory or Hub repo; default the embedded one")
    parser.add_argument("--times", type=int, default=15, help="turns (default 15)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    translator = Translator.load(options.checkpoint)
    print(
        "| words | translate ms | explain ms | stream ms | to JSON ms | attend ms | explain / translate "
        "| stream / translate | JSON kB | attention kB |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for text in SENTENCES:
        print(measure(translator, text, options.times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
