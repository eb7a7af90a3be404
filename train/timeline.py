"""What a run could say at about a dozen moments of its training, for the app to draw (last stage but one).

    python -m train.timeline RUN
    python -m train.timeline RUN1 RUN2

RUN is a directory of train.fit. The moments are those whose weights it kept, and the ends of its epochs. Each
translates a few probe sentences, greedily; malaygpt/timeline.py says what is written of them. A run that began from
the end of another (--start-from) is given after it, and the file is written into the last.

Seconds and tokens are added up from the lines of log.jsonl (a line's seconds are its tokens / its tokens_per_second),
linearly between lines, and past the last line at the last line's rate. A log without tokens leaves both unknown.
"""

import argparse
import json
import math
import sys
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from malaygpt.checkpoint import TOKENIZER, CheckpointError, load_checkpoint
from malaygpt.decode import SearchOptions, search_batch
from malaygpt.engine import PlainEngine
from malaygpt.model import Transformer
from malaygpt.timeline import CURVES, TIMELINE, VERSION
from malaygpt.tokenizer import CLS_ID, SEP_ID, Tokenizer
from train.fit import LOG, read_log
from train.state import MOMENTS, NAME, checkpoints, write_atomically

PROBES = Path(__file__).with_name("probes.txt")
MAX_MOMENTS = 16
MAX_POINTS = 300
"""Of a curve"""
SCORES = "validation_loss", "bleu", "chrf"
PLACES = {"epoch": 4, "seconds": 1, "loss": 4, "validation_loss": 4, "bleu": 2, "chrf": 2}
"""Decimal places of figures"""
LENGTH_BOUND = SearchOptions(max_length=40)
"""The model of the first moments does not know how to end."""


class Leg:
    """One run: the weights that it kept and its log, counted on from where the leg before it ended."""

    def __init__(self, run: Path, before: "Leg | None" = None) -> None:
        """Raises FileNotFoundError when it kept no weights."""
        kept = [path for path in (run / MOMENTS).glob("step-*") if NAME.fullmatch(path.name)]
        self.weights = {int(path.name.removeprefix("step-")): path for path in (*kept, *checkpoints(run))}
        """Directory by step of this leg"""
        if not self.weights:
            raise FileNotFoundError(f"{run} is not a run of train.fit, or holds no checkpoint yet.")
        records = [record for _, record in read_log(run / LOG)]
        self.losses = [record for record in records if "loss" in record]
        self.validations = [record for record in records if "chrf" in record]
        epochs = {0: 0.0} | {record["step"]: record["epoch"] for record in records}
        self._counts = {"epoch": epochs, **count(self.losses)}
        self._start = before.at(max(before.weights)) if before else dict.fromkeys(("step", *self._counts), 0)
        if before:
            self.weights.pop(0, None)  # the end of the leg before

    def at(self, step: int) -> dict[str, float | None]:
        """How far training is at a step of this leg, over all legs: step, epoch, tokens, seconds."""
        here = {"step": step} | {name: interpolate(known, step) for name, known in self._counts.items()}
        return {name: add(start, here[name]) for name, start in self._start.items()}

    def figures(self, step: int) -> dict[str, float | None]:
        """All that is known of a step of this leg but its translations."""
        lines = [line for line in self.losses if line["step"] >= step] or self.losses[-1:]
        loss = lines[0]["loss"] if lines and step else None
        scores = next((line for line in self.validations if line["step"] == step), {})
        return rounded({**self.at(step), "loss": loss} | {name: scores.get(name) for name in SCORES})


def count(lines: list[dict]) -> dict[str, dict[int, float]]:
    """Tokens and seconds used up by the steps of a log's lines; by step 0 only when a line does not tell."""
    told = lines if all("tokens" in line for line in lines) else []
    steps = [0, *(line["step"] for line in told)]
    tokens = accumulate((line["tokens"] for line in told), initial=0)
    seconds = accumulate((line["tokens"] / line["tokens_per_second"] for line in told), initial=0.0)
    return {"tokens": dict(zip(steps, tokens, strict=True)), "seconds": dict(zip(steps, seconds, strict=True))}


def interpolate(known: dict[int, float], step: int) -> float | None:
    """The value at a step: linear between the steps it is known of, and past the last as between the last two."""
    if step in known:
        return known[step]
    if len(known) < 2:
        return None
    steps = sorted(known)
    i = min(bisect_left(steps, step), len(steps) - 1)
    a, b = steps[i - 1], steps[i]
    return known[a] + (known[b] - known[a]) * (step - a) / (b - a)


def add(a: float | None, b: float | None) -> float | None:
    """Their sum, if both are known."""
    return None if a is None or b is None else a + b


def rounded(figures: dict[str, float | None]) -> dict[str, float | None]:
    """To what can be seen; steps and tokens to whole numbers."""
    return {name: value if value is None else round(value, PLACES.get(name)) for name, value in figures.items()}


def thin(steps: Iterable[int], most: int) -> list[int]:
    """At most so many of them, the first and the last among them: of the two closest by log(1 + step) one goes, that
    which has the closer neighbours, until they are few enough."""
    logs = {step: math.log1p(step) for step in sorted(steps)}
    while len(kept := list(logs)) > max(most, 2):
        gaps = {step: [logs[step] - logs[before], logs[after] - logs[step]] for before, step, after in triples(kept)}
        del logs[min(gaps, key=lambda step: (min(gaps[step]), sum(gaps[step])))]
    return kept


def triples(steps: list[int]) -> Iterator[tuple[int, int, int]]:
    """Each step but the first and the last, between its neighbours"""
    return zip(steps, steps[1:], steps[2:], strict=False)


def curves(legs: list[Leg]) -> dict[str, dict[str, list]]:
    """The figures of all legs over their steps."""
    losses = [rounded({**leg.at(line["step"]), "loss": line["loss"]}) for leg in legs for line in leg.losses]
    scores = [
        rounded({**leg.at(line["step"]), "loss": line["validation_loss"], "bleu": line["bleu"], "chrf": line["chrf"]})
        for leg in legs
        for line in leg.validations
    ]
    found = {"training": losses, "validation": scores}
    return {
        curve: {name: [point[name] for point in some(found[curve])] for name in ("step", "seconds", *values)}
        for curve, values in CURVES.items()
    }


def some(points: list[dict]) -> list[dict]:
    """At most MAX_POINTS of them, the first and the last among them, more at the beginning, where most happens."""
    if len(points) <= MAX_POINTS:
        return points
    shares = np.linspace(0, 1, MAX_POINTS) ** 2
    return [points[i] for i in np.unique((shares * (len(points) - 1)).round().astype(int))]


def translate(model: Transformer, tokenizer: Tokenizer, sources: list[list[int]]) -> Iterator[dict]:
    """The greedy translation of each source (token ids), with probabilities and cross-attention."""
    for ids, (best,) in zip(sources, search_batch(PlainEngine(model), sources, LENGTH_BOUND), strict=True):
        said = [token.id for token in best.tokens]
        cross = model.attend(torch.tensor([[*ids, SEP_ID]]), torch.tensor([[CLS_ID, *said[:-1]]])).cross
        yield {
            "text": tokenizer.decode(best.ids),
            "pieces": tokenizer.pieces(said),
            "probabilities": [round(math.exp(token.log_prob), 4) for token in best.tokens],
            "layers": pack_maps(cross.mean(dim=1)),
            "heads": pack_maps(cross[-1]),
        }


def pack_maps(maps: Tensor) -> str:
    """Attention weights (N, T, S) as base64 of a byte each, the last axis running fastest"""
    return b64encode((maps * 255).round().to(torch.uint8).numpy().tobytes()).decode("ascii")


def timeline(runs: list[Path], sentences: list[str]) -> dict:
    """The whole file. Raises CheckpointError, FileNotFoundError, ValueError."""
    legs: list[Leg] = []
    for run in runs:
        legs.append(Leg(run, legs[-1] if legs else None))
    kept = {leg.at(step)["step"]: (leg, step) for leg in legs for step in leg.weights}
    chosen = [kept[step] for step in thin(kept, MAX_MOMENTS)]
    if len({(leg.weights[step] / TOKENIZER).read_bytes() for leg, step in chosen}) > 1:
        raise ValueError("The runs have different tokenizers: none of them began from another.")
    moments = []
    for leg, step in tqdm(chosen, "translating", unit="moment"):
        model, tokenizer = load_checkpoint(leg.weights[step])
        sources = tokenizer.encode_batch(sentences)
        moments.append({**leg.figures(step), "translations": list(translate(model, tokenizer, sources))})
    pieces = [tokenizer.pieces([*ids, SEP_ID]) for ids in sources]
    return {
        "version": VERSION,
        "num_layers": model.config.num_decoder_blocks,
        "num_heads": model.config.num_heads,
        "probes": [{"text": text, "pieces": each} for text, each in zip(sentences, pieces, strict=True)],
        "moments": moments,
        **curves(legs),
    }


def read_probes(path: Path) -> list[str]:
    """The sentences of a file, one a line. Raises OSError, ValueError."""
    sentences = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not sentences:
        raise ValueError(f"{path} holds no sentences; write one a line.")
    return sentences


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.timeline", description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="directories of train.fit, in their order")
    parser.add_argument("--probes", type=Path, default=PROBES, help="sentences to translate, one a line")
    parser.add_argument("--out", type=Path, help=f"file to write; default {TIMELINE} in the last run")
    options = parser.parse_args(arguments)
    out = options.out or options.runs[-1] / TIMELINE
    try:
        written = timeline(options.runs, read_probes(options.probes))
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, json.dumps(written, allow_nan=False, separators=(",", ":")) + "\n")
    except (CheckpointError, OSError, ValueError) as error:
        print(f"train.timeline: {error}", file=sys.stderr)
        return 2
    print(
        f"{out}: {len(written['moments'])} moments of {len(written['probes'])} sentences, {out.stat().st_size:,} bytes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
