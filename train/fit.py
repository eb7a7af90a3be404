"""Training: batches in, checkpoints out (third stage).

    python -m train.fit RUN/packed --out RUN/small --preset small --epochs 10
    python -m train.fit RUN/packed --out RUN/small --resume

Runs on a GPU when there is one and on the CPU otherwise, in bfloat16 autocast with float32 weights. Every epoch ends
with validation (loss, BLEU and chrF of greedy translations, ten of them printed) and a checkpoint; more checkpoints are
written in between. A run that was stopped, or killed, at any moment goes on with --resume and gives the same losses as
if it had never stopped. `log.jsonl` has a line for every --log-every steps and one for every epoch.
"""

import argparse
import dataclasses
import json
import math
import random
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from malaygpt.checkpoint import save_checkpoint
from malaygpt.model import PRESETS, ModelConfig, Transformer, build_model
from malaygpt.tokenizer import PAD_ID, Tokenizer
from train.batch import Batch, collate
from train.config import FitConfig
from train.dropout import pool_dropout
from train.loss import smoothed_cross_entropy
from train.packed import PackedPairs, plan_epoch
from train.state import (
    TRAINING,
    Position,
    checkpoints,
    read_checkpoint,
    read_position,
    remove_checkpoint,
    write_checkpoint,
)
from train.validate import Validation, validate


class Trainer:
    """One run: the model, its optimizer and average, and where they are in the data."""

    def __init__(self, packed: Path, run: Path, config: FitConfig) -> None:
        self.run = run
        self.config = config
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer = Tokenizer.load(packed / "tokenizer.json")
        self.train_pairs = PackedPairs(packed / "train")
        self.validation_pairs = PackedPairs(packed / "validation")
        self.weights = self.train_pairs.weights(config.weight)
        if not self.weights.any() or not len(self.validation_pairs):
            raise ValueError(
                "There are no pairs to train on or none to validate on; look at the report of train.corpus."
            )
        random.seed(config.seed)
        torch.manual_seed(config.seed)
        shape = ModelConfig.preset(config.preset, self.tokenizer.vocab_size)
        self.model = build_model(dataclasses.replace(shape, dropout=config.dropout)).to(self.device)
        self.pool = pool_dropout(self.model, config.dropout) if self.device.type == "cpu" and config.dropout else None
        self.average = AveragedModel(self.model, multi_avg_fn=moving_average(config.average_decay))
        self.optimizer = build_optimizer(self.model, config)
        self.position = Position()

    @property
    def averaged(self) -> Transformer:
        """The model with the moving average of the weights: the one that is validated and published."""
        return self.average.module

    def steps(self) -> Iterator[dict]:
        """Trains from the present position to the end of its epoch; yields the record of each step."""
        config, epoch = self.config, self.position.epoch
        plan = self.plan(epoch)
        if self.pool:
            self.pool.draw(config.seed * 1000 + epoch)
        self.model.train()
        for number, indices in list(enumerate(plan))[self.position.batch :]:
            progress = (epoch + number / len(plan)) / config.epochs
            rate = config.rate(self.position.step + 1, progress)
            batch = collate(self.train_pairs, indices).to(self.device)
            loss, norm = self.step(batch, rate)
            done = number + 1 == len(plan)
            self.position = Position(self.position.step + 1, epoch + done, 0 if done else number + 1)
            yield {
                "step": self.position.step,
                "epoch": round(epoch + (number + 1) / len(plan), 4),
                "loss": loss,
                "learning_rate": rate,
                "gradient_norm": norm,
                "tokens": batch.num_tokens,
            }

    def plan(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, the same whenever they are asked for."""
        return plan_epoch(self.train_pairs, self.weights, self.config.tokens_per_batch, self.config.seed, epoch)

    def step(self, batch: Batch, rate: float) -> tuple[float, float]:
        """One step of the optimizer: its loss and the norm of its gradient. Raises FloatingPointError on NaN."""
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = batch_loss(self.model, batch, self.config.label_smoothing)
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(
                f"The loss is {value} at step {self.position.step + 1}. The last checkpoint is whole; "
                "start again from it with a lower --learning-rate."
            )
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update_parameters(self.model)
        return value, norm.item()

    def validate(self, num_samples: int) -> Validation:
        return validate(self.averaged, self.tokenizer, self.validation_pairs, self.config.tokens_per_batch, num_samples)

    def save(self) -> Path:
        """Writes a checkpoint. Older ones inside an epoch go; older ones at its end keep what the app loads."""
        training = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": random_state(self.device),
        }

        def write_bundle(directory: Path) -> None:
            weights = self.averaged.state_dict()
            save_checkpoint(directory, self.model.config, weights, self.tokenizer, torch.float32)

        old = checkpoints(self.run)
        new = write_checkpoint(self.run, self.position, training, write_bundle)
        for path in old:
            if path != new and read_position(path).inside_epoch:
                remove_checkpoint(path)
            elif path != new:
                (path / TRAINING).unlink(missing_ok=True)
        return new

    def resume(self) -> None:
        """Goes back to the newest whole checkpoint. Raises FileNotFoundError when there is none."""
        found = checkpoints(self.run)
        if not found:
            raise FileNotFoundError(f"{self.run} holds no checkpoint to resume from; start it without --resume.")
        self.position, training = read_checkpoint(found[-1])
        self.model.load_state_dict(training["model"])
        self.average.load_state_dict(training["average"])
        self.optimizer.load_state_dict(training["optimizer"])
        set_random_state(training["random"], self.device)


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """The state of every generator that training draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(states: dict[str, torch.Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def batch_loss(model: Transformer, batch: Batch, smoothing: float) -> torch.Tensor:
    """Mean label-smoothed cross-entropy of the batch's target tokens, in nats."""
    src_mask = model.padding_mask(batch.src)
    hidden = model.decode(batch.tgt, model.encode(batch.src, src_mask), src_mask)
    return smoothed_cross_entropy(hidden, model.embedding.weight, batch.labels, smoothing, PAD_ID)


def moving_average(decay: float):
    """The exponential moving average of weights for AveragedModel; young averages forget faster, being mostly noise."""

    def update(averages: list[torch.Tensor], weights: list[torch.Tensor], num_averaged: torch.Tensor) -> None:
        n = int(num_averaged)
        torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + n) / (10 + n)))

    return update


def build_optimizer(model: Transformer, config: FitConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter, 2019) with the paper's betas; only the matrices of linear layers decay."""
    matrices = [module.weight for module in model.modules() if isinstance(module, nn.Linear)]
    ids = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in ids]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), eps=1e-9, fused=True)


class Log:
    """`log.jsonl`: one JSON object a line. After a kill it may be ahead of the checkpoint; those lines are cut off."""

    def __init__(self, path: Path, step: int) -> None:
        lines = []
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    if json.loads(line)["step"] <= step:
                        lines.append(line + "\n")
                except ValueError:  # the line that was being written
                    break
        path.write_text("".join(lines))
        self._file = path.open("a", buffering=1)

    def write(self, record: dict) -> None:
        self._file.write(json.dumps(record) + "\n")


@dataclasses.dataclass(frozen=True)
class Rhythm:
    """How often a run speaks and saves; none of it changes the numbers."""

    log_every: int = 50
    """Steps between lines of the log."""
    save_every: float = 300.0
    """Seconds between checkpoints inside an epoch."""
    num_samples: int = 10
    """Translations printed after every epoch."""


def fit(trainer: Trainer, rhythm: Rhythm) -> None:
    """Trains to the end of the last epoch."""
    log = Log(trainer.run / "log.jsonl", trainer.position.step)
    while trainer.position.epoch < trainer.config.epochs:
        epoch = trainer.position.epoch
        run_epoch(trainer, log, rhythm)
        validation = trainer.validate(rhythm.num_samples)
        trainer.save()
        log.write({"step": trainer.position.step, "epoch": epoch + 1, **validation.scores})
        tqdm.write(f"epoch {epoch + 1}: {validation.line}\n{validation.table}")


def run_epoch(trainer: Trainer, log: Log, rhythm: Rhythm) -> None:
    """The rest of the present epoch, with a progress bar, log lines and checkpoints in between."""
    epoch, since, records = trainer.position.epoch, time.monotonic(), []
    saved = began = time.monotonic()
    tokens = 0
    bar = tqdm(
        total=len(trainer.plan(epoch)),
        initial=trainer.position.batch,
        desc=f"epoch {epoch + 1}/{trainer.config.epochs}",
        unit="step",
        mininterval=2.0,
        dynamic_ncols=True,
    )
    with bar:
        for record in trainer.steps():
            records.append(record)
            tokens += record["tokens"]
            bar.update()
            now = time.monotonic()
            if record["step"] % rhythm.log_every == 0:
                log.write(summary(records, now - since))
                bar.set_postfix_str(f"loss {record['loss']:.3f}, {tokens / (now - began):,.0f} tokens/s", refresh=False)
                since, records = now, []
            if now - saved > rhythm.save_every and trainer.position.inside_epoch:
                trainer.save()
                saved = time.monotonic()


def summary(records: list[dict], seconds: float) -> dict:
    """One line of the log for several steps: means, and the last step's counters."""
    last = records[-1]
    return {
        "step": last["step"],
        "epoch": last["epoch"],
        "loss": float(np.mean([r["loss"] for r in records])),
        "gradient_norm": round(float(np.mean([r["gradient_norm"] for r in records])), 4),
        "learning_rate": last["learning_rate"],
        "tokens_per_second": round(sum(r["tokens"] for r in records) / seconds),
    }


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """An option for every field of FitConfig; without it stands the field's default, or the resumed run's value."""
    for field in dataclasses.fields(FitConfig):
        flag = "--" + field.name.replace("_", "-")
        if field.name == "weight":
            parser.add_argument(
                flag, nargs="+", metavar="PATTERN=NUMBER", help="how often an epoch takes a source's pairs"
            )
        else:
            choices = tuple(PRESETS) if field.name == "preset" else None
            parser.add_argument(flag, type=type(field.default), choices=choices, help=f"default {field.default}")


def choose_config(options: argparse.Namespace) -> FitConfig:
    """The run's configuration. Raises ValueError when a resumed run is asked to change what must stay."""
    given = {f.name: getattr(options, f.name) for f in dataclasses.fields(FitConfig)}
    given = {name: tuple(value) if name == "weight" else value for name, value in given.items() if value is not None}
    saved = options.out / "fit.json"
    if not options.resume:
        if checkpoints(options.out):
            raise ValueError(f"{options.out} already holds checkpoints; go on with --resume, or choose another --out.")
        return FitConfig(**given)
    if not saved.is_file():
        raise FileNotFoundError(f"{options.out} holds no run to resume.")
    config = FitConfig.load(saved)
    for name, value in given.items():
        if name != "epochs" and value != getattr(config, name):
            raise ValueError(
                f"--{name.replace('_', '-')} {value}: the run was started with {getattr(config, name)}; "
                "only --epochs may change on --resume."
            )
    return dataclasses.replace(config, **given)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path, help="directory that train.vocabulary wrote")
    parser.add_argument("--out", type=Path, required=True, help="directory of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the run's newest checkpoint")
    parser.add_argument("--threads", type=int, help="CPU threads; default all cores")
    for field in dataclasses.fields(Rhythm):
        parser.add_argument("--" + field.name.replace("_", "-"), type=type(field.default), default=field.default)
    add_config_arguments(parser)
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        config = choose_config(options)
        options.out.mkdir(parents=True, exist_ok=True)
        trainer = Trainer(options.packed, options.out, config)
        if options.resume:
            trainer.resume()
        config.save(options.out / "fit.json")
        shutil.copyfile(options.packed / "corpus.json", options.out / "corpus.json")
        fit(trainer, Rhythm(options.log_every, options.save_every, options.num_samples))
    except (FileNotFoundError, ValueError, FloatingPointError) as error:
        print(f"train.fit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. Go on with --resume.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
