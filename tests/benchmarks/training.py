"""How fast training is: ours against the textbook loop, and both against the rate of bare matrix products.

    python -m tests.benchmarks.training [--preset small] [--batches 24] [--threads 2]
    python -m tests.benchmarks.training --preset base [--packed RUN/packed]                          on a GPU

All loops train the same model on the same batches of the same sentences, each in a process of its own. Ours is
train.trainer's, data and all, with the environment of train/run.sh and batches on the grid of widths; on a GPU with
its blocks compiled, and once more without. The textbook's runs as Python starts, with batches as wide as their longest
sentence: autocast, F.scaled_dot_product_attention, F.dropout, F.cross_entropy on all logits, gradient clipping and
AdamW; its data wait on the device. A last row is that loop with our environment and batches, which shows what the step
itself brings. Every batch is trained on once before it is timed. A CPU shares its moments among other programs, so
there the loops take turns step by step; a GPU would have to stop for that, and gets all batches of a loop at once.

The useful work of a step is counted in floating-point operations on real tokens only (padding is waste, and so is what
the causal mask takes away), see `training_flops`, and compared with what bare bfloat16 products reach in the same
minutes. Without --packed the token ids are random and lengths as in news text.
"""

import argparse
import itertools
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import train
from malaygpt.checkpoint import TOKENIZER
from malaygpt.hub import EMBEDDED
from malaygpt.model import ModelConfig, MultiHeadAttention, Transformer, build_model
from malaygpt.tokenizer import PAD_ID, SPECIAL_TOKENS, Tokenizer
from train.batch import Batch, collate
from train.config import FitConfig
from train.packed import PackedPairs
from train.trainer import Trainer

ON_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ON_GPU else "cpu")
TOKENS_PER_BATCH, NUM_PAIRS = (65536, 1_000_000) if ON_GPU else (4096, 40_000)
GOAL_PAIRS = 20 * 1_000_000
"""Twenty epochs over a million pairs"""


class FusedAttention(MultiHeadAttention):
    """What a textbook would use"""

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        query = self._split(self.query(x))
        dropout = self.dropout.p if self.training else 0.0
        heads = F.scaled_dot_product_attention(query, keys, values, mask, dropout)
        return self.output(heads.transpose(1, 2).flatten(2))


def textbook_model(config: ModelConfig) -> Transformer:
    """With the fused attention"""
    model = build_model(config)
    for module in model.modules():
        if isinstance(module, MultiHeadAttention):
            module.__class__ = FusedAttention
    return model


def textbook_loss(model: Transformer, batch: Batch) -> Tensor:
    """On the logits of the whole batch"""
    logits = model(batch.src, batch.tgt)
    return F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), ignore_index=PAD_ID, label_smoothing=0.1)


def our_trainer(options: argparse.Namespace, compiled: bool = False) -> Trainer:
    """A run at its beginning; nothing of it is saved"""
    config = FitConfig(preset=options.preset, tokens_per_batch=options.tokens_per_batch)
    return Trainer(options.packed, Path(tempfile.gettempdir()), config, compiled=compiled)


def our_steps(options: argparse.Namespace, compiled: bool = ON_GPU) -> Iterator[object]:
    """Training steps as train.fit has them taken, twice over the batches"""
    trainer = our_trainer(options, compiled)
    yield from trainer.steps(trainer.plan()[: options.batches] * 2)


def textbook_steps(options: argparse.Namespace, trimmed: bool) -> Iterator[object]:
    """The textbook's, twice over the same batches"""
    trainer = our_trainer(options)
    batches = [collate(trainer.train_pairs, indices).to(DEVICE) for indices in trainer.plan()[: options.batches]]
    if trimmed:
        batches = [trim(batch) for batch in batches]
    model = textbook_model(trainer.model.config).to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    for batch in batches * 2:
        with torch.autocast(DEVICE.type, torch.bfloat16):
            loss = textbook_loss(model, batch)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        yield


def trim(batch: Batch) -> Batch:
    """The batch as wide as its longest sentence, and no wider"""
    src, tgt = (int((ids != PAD_ID).sum(1).max()) for ids in (batch.src, batch.labels))
    return Batch(batch.src[:, :src], batch.tgt[:, :tgt], batch.labels[:, :tgt])


@dataclass(frozen=True)
class Contestant:
    """A loop and how it is run"""

    steps: Callable[[argparse.Namespace], Iterator[object]]
    tuned: bool = True
    """Whether it has the environment of train/run.sh"""


CONTESTANTS = {
    "ours": Contestant(our_steps),
    **({"ours, not compiled": Contestant(lambda options: our_steps(options, compiled=False))} if ON_GPU else {}),
    "textbook": Contestant(lambda options: textbook_steps(options, trimmed=True), tuned=False),
    "textbook, our batches": Contestant(lambda options: textbook_steps(options, trimmed=False)),
}


def pack_random(directory: Path, num_pairs: int) -> None:
    """A packed directory of random token ids, in sentences whose lengths are log-normal with a median of 14 tokens."""
    shutil.copyfile(EMBEDDED / TOKENIZER, directory / TOKENIZER)
    vocab_size = Tokenizer.load(directory / TOKENIZER).vocab_size
    rng = np.random.default_rng(0)
    for part, number in (("train", num_pairs), ("validation", 8)):
        folder = directory / part
        folder.mkdir()
        src = np.clip(rng.lognormal(2.65, 0.7, number), 1, 120).astype(int)
        tgt = np.clip(src * rng.normal(1, 0.12, number), 1, 120).astype(int)
        for name, lengths in (("src", src), ("tgt", tgt)):
            ids = rng.integers(len(SPECIAL_TOKENS), vocab_size, lengths.sum(), dtype=np.uint16)
            np.save(folder / f"{name}_ids.npy", ids)
            np.save(folder / f"{name}_offsets.npy", np.cumsum([0, *lengths], dtype=np.int64))
        np.save(folder / "source_ids.npy", np.zeros(number, np.uint16))
        (folder / "sources.json").write_text('[{"name": "random", "tier": null}]')


def training_flops(config: ModelConfig, src: np.ndarray, tgt: np.ndarray) -> float:
    """Floating-point operations of a training step's matrix products, for pairs of these lengths in tokens.

    For a pair of S and T tokens, in multiplications with an addition:

        encoder block   S (4 D^2 + 2 D F) + 2 D S^2
        decoder block   T (6 D^2 + 2 D F) + 2 D^2 S + 2 D (T (T + 1) / 2 + S T)
        projection      T D V

    D^2 for each of query, key, value and output, D F for either layer of the feed-forward, and for each score and each
    value that is gathered by it D over all heads; causal rows have 1 ... T. Twice that are operations, and the backward
    pass has two products of the same size for each.
    """
    d, ff = config.d_model, config.d_ff
    src, tgt = src.astype(float), tgt.astype(float)
    encoder = src * (4 * d * d + 2 * d * ff) + 2 * d * src**2
    decoder = tgt * (6 * d * d + 2 * d * ff) + 2 * d * d * src + 2 * d * (tgt * (tgt + 1) / 2 + src * tgt)
    products = config.num_encoder_blocks * encoder + config.num_decoder_blocks * decoder + tgt * d * config.vocab_size
    return 6 * float(products.sum())


def matrix_rate() -> float:
    """Floating-point operations a second of a bfloat16 product of large matrices, the best of five"""
    size = 8192 if ON_GPU else 2048
    a, b = torch.randn(2, size, size, device=DEVICE).bfloat16()
    repeats = 20 if ON_GPU else 1
    best = min(seconds_of(lambda: [a @ b for _ in range(repeats)]) for _ in range(5))
    return 2 * size**3 * repeats / best


def seconds_of(act: Callable[[], object]) -> float:
    """From a device that is idle to one that is again"""
    synchronize()
    began = time.perf_counter()
    act()
    synchronize()
    return time.perf_counter() - began


def synchronize() -> None:
    if ON_GPU:
        torch.cuda.synchronize()


def work(name: str, options: argparse.Namespace) -> None:
    """A contestant's process: reads a number of steps from standard input, answers with the seconds they took."""
    steps = CONTESTANTS[name].steps(options)
    for line in sys.stdin:
        print(seconds_of(lambda line=line: list(itertools.islice(steps, int(line)))), flush=True)


def tuned_environment() -> dict[str, str]:
    """The settings that train/run.sh exports, read from it"""
    script = (Path(train.__file__).parent / "run.sh").read_text()
    return dict(re.findall(r"^export (\w+)=\$\{\w+:-(\S+)\}$", script, flags=re.MULTILINE))


def start(name: str, options: argparse.Namespace) -> subprocess.Popen:
    """A contestant's process, waiting for a number of steps"""
    settings = tuned_environment()
    environment = {key: value for key, value in os.environ.items() if key not in settings}
    if CONTESTANTS[name].tuned:
        environment |= settings
    command = [sys.executable, "-m", "tests.benchmarks.training", "--contestant", name]
    for option in ("preset", "packed", "tokens_per_batch", "batches", "threads"):
        command += ["--" + option.replace("_", "-"), str(getattr(options, option))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)


def ask(process: subprocess.Popen, num_steps: int) -> float:
    """The seconds that a contestant's next steps take"""
    print(num_steps, file=process.stdin, flush=True)
    return float(process.stdout.readline())


def compete(options: argparse.Namespace) -> tuple[dict[str, float], float]:
    """Seconds of every contestant for all batches, and the rate of matrix products meanwhile"""
    turn = options.batches if ON_GPU else 1
    seconds, rates = dict.fromkeys(CONTESTANTS, 0.0), []
    for names in [[name] for name in CONTESTANTS] if ON_GPU else [list(CONTESTANTS)]:
        processes = {name: start(name, options) for name in names}
        for timed in (False, True):
            for _ in range(0, options.batches, turn):
                for name, process in processes.items():
                    elapsed = ask(process, turn)
                    if timed:
                        seconds[name] += elapsed
                rates.append(matrix_rate())
        for process in processes.values():
            process.communicate()
    return seconds, statistics.median(rates)


def report(options: argparse.Namespace) -> None:
    """Has them compete, and prints what came of it."""
    config = ModelConfig.preset(options.preset, Tokenizer.load(options.packed / TOKENIZER).vocab_size)
    plan = our_trainer(options).plan()
    options.batches = min(options.batches, len(plan))
    indices = np.concatenate(plan[: options.batches])
    pairs = PackedPairs(options.packed / "train")
    # A [SEP] ends either side.
    src, tgt = pairs.src_lengths[indices] + 1, pairs.tgt_lengths[indices] + 1
    flops = training_flops(config, src, tgt)
    seconds, rate = compete(options)
    print(
        f"{options.preset} on {torch.cuda.get_device_name() if ON_GPU else f'{options.threads} threads'}, "
        f"{config.vocab_size:,} tokens, {options.batches} batches of {options.tokens_per_batch:,}, "
        f"{flops / tgt.sum() / 1e6:,.0f} MFLOP a target token; bfloat16 matrix products {rate / 1e12:,.2f} TFLOP/s"
    )
    columns = "target tokens/s", "ms a step", "of matrix rate", "times textbook", "20 x 1M pairs"
    print(f"{'':24}" + "".join(f"{name:>16}" for name in columns))
    for name, taken in seconds.items():
        minutes = GOAL_PAIRS / len(indices) * taken / 60
        print(
            f"{name:24}{tgt.sum() / taken:>16,.0f}{1000 * taken / options.batches:>16,.1f}"
            f"{flops / taken / rate:>16.1%}{seconds['textbook'] / taken:>16.2f}{minutes:>12,.1f} min"
        )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="small")
    parser.add_argument("--packed", type=Path, help="directory that train.vocabulary wrote; default random pairs")
    parser.add_argument("--tokens-per-batch", type=int, default=TOKENS_PER_BATCH)
    parser.add_argument("--batches", type=int, default=24, help="batches, each timed once after a pass to warm up")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--contestant", choices=tuple(CONTESTANTS), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.contestant:
        work(options.contestant, options)
        return
    with tempfile.TemporaryDirectory() as directory:
        if options.packed is None:
            options.packed = Path(directory)
            pack_random(options.packed, NUM_PAIRS)
        report(options)


if __name__ == "__main__":
    main()
