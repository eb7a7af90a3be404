"""How fast training is: ours against the textbook loop, and both against the rate of bare matrix products.

    python -m tests.benchmarks.training [--preset small] [--batches 24] [--threads 2]

Both loops train the same model on the same batches of the same sentences, step by step in turn, each in a process of
its own: ours with the environment of train/run.sh and batches on the grid of widths, the textbook's as Python starts
and with batches as wide as their longest sentence. The textbook's loop is autocast, F.scaled_dot_product_attention,
F.dropout, F.cross_entropy on all logits, gradient clipping and AdamW. A third row is that loop with our environment and
batches, which shows what the step itself brings. Every batch is trained on once before it is timed.

The useful work of a step is counted in floating-point operations on real tokens only (padding is waste), forward and
twice that backward, and compared with what bfloat16 products of 2048 x 2048 reach in the same minutes. Random token
ids; lengths as in news text.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

import train
from malaygpt.model import ModelConfig, MultiHeadAttention, Transformer, build_model
from malaygpt.tokenizer import PAD_ID, SPECIAL_TOKENS
from train.batch import Batch, batch_of
from train.config import FitConfig
from train.dropout import pool_dropout
from train.loss import batch_loss
from train.packed import plan_epoch
from train.trainer import build_optimizer, moving_average

SMOOTHING = 0.1


class FusedAttention(MultiHeadAttention):
    """What a textbook would use"""

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        query = self._split(self.query(x))
        dropout = self.dropout.p if self.training else 0.0
        heads = F.scaled_dot_product_attention(query, keys, values, mask, dropout)
        return self.output(heads.transpose(1, 2).flatten(2))


def textbook_model(config: ModelConfig) -> Transformer:
    model = build_model(config)
    for module in model.modules():
        if isinstance(module, MultiHeadAttention):
            module.__class__ = FusedAttention
    return model


def textbook_loss(model: Transformer, batch: Batch) -> Tensor:
    logits = model(batch.src, batch.tgt)
    return F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), ignore_index=PAD_ID, label_smoothing=SMOOTHING)


def our_loss(model: Transformer, batch: Batch) -> Tensor:
    return batch_loss(model, batch, SMOOTHING)


def stepper(
    model: Transformer, optimizer: torch.optim.Optimizer, loss: Callable, average: AveragedModel | None = None
) -> Callable[[Batch], float]:
    """A function that takes one training step, as train.trainer does, and returns its seconds"""
    model.train()

    def step(batch: Batch) -> float:
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(model, batch)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if average:
            average.update_parameters(model)
        return time.perf_counter() - began

    return step


@dataclass(frozen=True)
class RandomPairs:
    """Token ids of pairs whose lengths are like those of sentences: log-normal, median 14 tokens"""

    sides: list[tuple[np.ndarray, np.ndarray]]

    @classmethod
    def draw(cls, num_pairs: int, vocab_size: int) -> "RandomPairs":
        rng = np.random.default_rng(0)
        src = np.clip(rng.lognormal(2.65, 0.7, num_pairs), 1, 120).astype(int)
        tgt = np.clip(src * rng.normal(1, 0.12, num_pairs), 1, 120).astype(int)

        def draw(length: int) -> np.ndarray:
            return rng.integers(len(SPECIAL_TOKENS), vocab_size, length)

        return cls([(draw(s), draw(t)) for s, t in zip(src, tgt, strict=True)])

    def __len__(self) -> int:
        return len(self.sides)

    @property
    def src_lengths(self) -> np.ndarray:
        return np.array([len(src) for src, _ in self.sides])

    @property
    def tgt_lengths(self) -> np.ndarray:
        return np.array([len(tgt) for _, tgt in self.sides])


def useful_flops(config: ModelConfig, batch: Batch) -> float:
    """Floating-point operations of one step's matrix products over real tokens, forward and backward"""
    d, ff = config.d_model, config.d_ff
    src, tgt = (batch.src != PAD_ID).sum(1).double(), (batch.labels != PAD_ID).sum(1).double()
    num_src, num_tgt = src.sum(), tgt.sum()
    encoder = config.num_encoder_blocks * ((4 * d * d + 2 * d * ff) * num_src + 2 * d * (src * src).sum())
    decoder = config.num_decoder_blocks * (
        (6 * d * d + 2 * d * ff) * num_tgt + 2 * d * d * num_src + 2 * d * ((tgt * tgt).sum() / 2 + (src * tgt).sum())
    )
    projection = config.vocab_size * d * num_tgt
    return 6 * float(encoder + decoder + projection)


def matrix_rate() -> float:
    """Floating-point operations a second of a bfloat16 product of 2048 x 2048, the best of five"""
    a, b = torch.randn(2, 2048, 2048).bfloat16()
    best = min(_seconds(lambda: a @ b) for _ in range(5))
    return 2 * 2048**3 / best


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def our_step(config: ModelConfig) -> Callable[[Batch], float]:
    """Ours: with pooled dropout, written-out attention, the sliced loss and the moving average of weights"""
    model = build_model(config)
    pool_dropout(model, config.dropout).draw(0)
    average = AveragedModel(model, multi_avg_fn=moving_average(0.999))
    return stepper(model, build_optimizer(model, FitConfig()), our_loss, average)


def textbook_step(config: ModelConfig) -> Callable[[Batch], float]:
    """The textbook's"""
    model = textbook_model(config)
    return stepper(model, torch.optim.AdamW(model.parameters(), lr=3e-4), textbook_loss)


def trim(batch: Batch) -> Batch:
    """The batch as wide as its longest sentence, and no wider"""
    src, tgt = ((ids != PAD_ID).sum(1).max() for ids in (batch.src, batch.labels))
    return Batch(batch.src[:, :src], batch.tgt[:, :tgt], batch.labels[:, :tgt])


@dataclass(frozen=True)
class Contestant:
    """A loop and how it is run"""

    make_step: Callable[[ModelConfig], Callable[[Batch], float]]
    on_grid: bool
    tuned: bool
    """Whether it has the environment of train/run.sh"""


CONTESTANTS = {
    "ours": Contestant(our_step, on_grid=True, tuned=True),
    "textbook": Contestant(textbook_step, on_grid=False, tuned=False),
    "textbook, our batches": Contestant(textbook_step, on_grid=True, tuned=True),
}


def make_batches(num_batches: int, vocab_size: int) -> list[Batch]:
    """The same batches in every process"""
    pairs = RandomPairs.draw(40_000, vocab_size)
    plan = plan_epoch(pairs, np.ones(len(pairs)), FitConfig().tokens_per_batch, 0, 0)[:num_batches]
    return [batch_of([pairs.sides[i] for i in indices]) for indices in plan]


def work(name: str, options: argparse.Namespace) -> None:
    """A contestant's process: reads the number of a batch from standard input, answers with the seconds of a step."""
    contestant = CONTESTANTS[name]
    step = contestant.make_step(ModelConfig.preset(options.preset, options.vocabulary))
    batches = make_batches(options.batches, options.vocabulary)
    if not contestant.on_grid:
        batches = [trim(batch) for batch in batches]
    for line in sys.stdin:
        print(step(batches[int(line)]), flush=True)


def tuned_environment() -> dict[str, str]:
    """The settings that train/run.sh exports, read from it"""
    script = (Path(train.__file__).parent / "run.sh").read_text()
    return dict(re.findall(r"^export (\w+)=\$\{\w+:-(\S+)\}$", script, flags=re.MULTILINE))


def start(name: str, options: argparse.Namespace) -> subprocess.Popen:
    """A contestant's process, waiting for the number of a batch"""
    settings = tuned_environment()
    environment = {key: value for key, value in os.environ.items() if key not in settings}
    if CONTESTANTS[name].tuned:
        environment |= settings
    command = [sys.executable, "-m", "tests.benchmarks.training", "--contestant", name]
    for option in ("preset", "vocabulary", "batches", "threads"):
        command += [f"--{option}", str(getattr(options, option))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)


def compete(options: argparse.Namespace) -> tuple[dict[str, list[float]], float]:
    """Seconds of every contestant's steps, and the rate of matrix products meanwhile"""
    processes = {name: start(name, options) for name in CONTESTANTS}
    seconds: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    rates = []
    for timed in (False, True):
        for number in range(options.batches):
            for name, process in processes.items():
                print(number, file=process.stdin, flush=True)
                elapsed = float(process.stdout.readline())
                if timed:
                    seconds[name].append(elapsed)
            rates.append(matrix_rate())
    for process in processes.values():
        process.stdin.close()
        process.wait()
    return seconds, statistics.median(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="small")
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--batches", type=int, default=24, help="batches, each timed once after a pass to warm up")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--contestant", choices=tuple(CONTESTANTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.contestant:
        work(options.contestant, options)
        return

    seconds, rate = compete(options)
    config, batches = (
        ModelConfig.preset(options.preset, options.vocabulary),
        make_batches(options.batches, options.vocabulary),
    )
    tokens, flops = sum(b.num_tokens for b in batches), sum(useful_flops(config, b) for b in batches)
    print(
        f"{options.preset}, {options.vocabulary} tokens, {options.threads} threads, {options.batches} batches; "
        f"bfloat16 matrix products {rate / 1e12:.2f} TFLOP/s"
    )
    print(f"{'':24}{'target tokens/s':>16}{'ms a step':>12}{'of matrix rate':>16}{'times textbook':>16}")
    for name, times in seconds.items():
        ratio = sum(seconds["textbook"]) / sum(times)
        print(
            f"{name:24}{tokens / sum(times):>16,.0f}{1000 * statistics.median(times):>12,.0f}"
            f"{flops / sum(times) / rate:>16.1%}{ratio:>16.2f}"
        )


if __name__ == "__main__":
    main()
