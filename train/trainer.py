"""One run of training: the model, its optimizer and moving average, and where they are in the data.

Everything that decides the next step is here and in a checkpoint, so that a run which was stopped goes on as if it had
not been. On the CPU that is exact, to the last bit, with the same number of threads; on a GPU some kernels add in an
order of their own, and it is exact but for rounding.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from malaygpt.checkpoint import TOKENIZER, WEIGHTS, save_checkpoint
from malaygpt.model import ModelConfig, Transformer, build_model
from malaygpt.tokenizer import Tokenizer
from train.batch import Batch, collate
from train.config import FitConfig
from train.dropout import pool_dropout
from train.loss import batch_loss
from train.packed import PackedPairs, padded_length, plan_epoch
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

CONFIG = "fit.json"
"""The run's FitConfig."""
CORPUS = "corpus.json"
"""The report of train.corpus, which goes with the packed pairs and with the run."""


class Trainer:
    """Takes steps, validates, saves and resumes; when to do which is train.fit's to say."""

    def __init__(self, packed: Path, run: Path, config: FitConfig) -> None:
        """A run at its beginning. Raises FileNotFoundError or ValueError when the packed pairs cannot be trained on."""
        self.packed, self.run, self.config = packed, run, config
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer = Tokenizer.load(packed / TOKENIZER)
        self.train_pairs = PackedPairs(packed / "train")
        self.validation_pairs = PackedPairs(packed / "validation")
        self.weights = self.train_pairs.weights(config.weight)
        shape = ModelConfig.preset(config.preset, self.tokenizer.vocab_size)
        self._check_pairs(shape)
        torch.manual_seed(config.seed)
        self.model = build_model(dataclasses.replace(shape, dropout=config.dropout)).to(self.device)
        self.pool = pool_dropout(self.model, config.dropout) if self.device.type == "cpu" and config.dropout else None
        self.average = AveragedModel(self.model, multi_avg_fn=moving_average(config.average_decay))
        self.optimizer = build_optimizer(self.model, config)
        self.position = Position()
        self.unlogged: list[dict] = []
        """Records of the steps since the last line of the log; they survive a stop, so that its means do too."""

    def _check_pairs(self, shape: ModelConfig) -> None:
        if not self.weights.any() or not len(self.validation_pairs):
            raise ValueError("There are no pairs to train on, or none to validate on; see the report of train.corpus.")
        longest = max(int(p.longest) for p in (self.train_pairs, self.validation_pairs))
        if padded_length(np.array(longest + 1)) > shape.max_length:
            raise ValueError(
                f"The longest sentence has {longest} tokens and the model's max_length is {shape.max_length}; "
                "pack the pairs again with a smaller --max-length."
            )

    @property
    def averaged(self) -> Transformer:
        """The model with the moving average of the weights: the one that is validated and published."""
        return self.average.module

    def plan(self) -> list[np.ndarray]:
        """The batches of the present epoch, the same whenever they are asked for."""
        config = self.config
        return plan_epoch(self.train_pairs, self.weights, config.tokens_per_batch, config.seed, self.position.epoch)

    def steps(self, plan: list[np.ndarray]) -> Iterator[dict]:
        """Trains from the present position to the end of the epoch's plan; yields the record of each step."""
        config, epoch = self.config, self.position.epoch
        if self.pool:
            self.pool.draw(config.seed * 1000 + epoch)
        self.model.train()
        for number in range(self.position.batch, len(plan)):
            began = time.perf_counter()
            batch = collate(self.train_pairs, plan[number])
            num_tokens = batch.num_tokens
            rate = config.rate(self.position.step + 1, (epoch + number / len(plan)) / config.epochs)
            loss, norm = self.step(batch.to(self.device), rate)
            done = number + 1 == len(plan)
            self.position = Position(self.position.step + 1, epoch + done, 0 if done else number + 1)
            record = {
                "step": self.position.step,
                "epoch": round(epoch + (number + 1) / len(plan), 4),
                "loss": loss,
                "gradient_norm": norm,
                "learning_rate": rate,
                "tokens": num_tokens,
                "seconds": time.perf_counter() - began,
            }
            self.unlogged.append(record)
            yield record

    def step(self, batch: Batch, rate: float) -> tuple[float, float]:
        """One step of the optimizer: its loss and the norm of its gradient.

        Raises FloatingPointError, before any weight is touched, when either is not a finite number.
        """
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = batch_loss(self.model, batch, self.config.label_smoothing)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        if not math.isfinite(loss.item() + norm.item()):
            raise FloatingPointError(
                f"Step {self.position.step + 1}: the loss is {loss.item()}, the norm of its gradient {norm.item()}. "
                "Start a new run, in another --out, with a lower --learning-rate."
            )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update_parameters(self.model)
        return loss.item(), norm.item()

    def validate(self, num_samples: int) -> Validation:
        """Figures of the averaged model on the held-out pairs."""
        return validate(self.averaged, self.tokenizer, self.validation_pairs, self.config.tokens_per_batch, num_samples)

    def save(self) -> Path:
        """Writes a checkpoint. Older ones inside an epoch go; older ones at its end keep what the app loads."""
        training = {
            "model": self.model.state_dict(),
            "num_averaged": self.average.n_averaged,
            "optimizer": self.optimizer.state_dict(),
            "random": random_state(self.device),
            "unlogged": self.unlogged,
        }

        def write_bundle(directory: Path) -> None:
            weights = self.averaged.state_dict()
            save_checkpoint(directory, self.model.config, weights, self.tokenizer, torch.float32)

        old = checkpoints(self.run)
        new = write_checkpoint(self.run, self.position, training, write_bundle)
        for path in old:
            if read_position(path).inside_epoch:
                remove_checkpoint(path)
            else:
                (path / TRAINING).unlink(missing_ok=True)
        return new

    def resume(self) -> None:
        """Goes back to the newest whole checkpoint.

        Raises FileNotFoundError when there is none, and ValueError when the packed pairs are not those of the run.
        """
        found = checkpoints(self.run)
        if not found:
            raise FileNotFoundError(f"{self.run} holds no checkpoint to resume from; start it without --resume.")
        same = [(self.packed / TOKENIZER, found[-1] / TOKENIZER), (self.packed / CORPUS, self.run / CORPUS)]
        for ours, theirs in same:
            if ours.read_bytes() != theirs.read_bytes():
                raise ValueError(
                    f"{ours} is not what the run was started with ({theirs}); resume it on the same pairs."
                )
        self.position, training = read_checkpoint(found[-1])
        self.model.load_state_dict(training["model"])
        self.averaged.load_state_dict(load_file(found[-1] / WEIGHTS))
        self.average.n_averaged.copy_(training["num_averaged"])
        self.optimizer.load_state_dict(training["optimizer"])
        set_random_state(training["random"], self.device)
        self.unlogged = training["unlogged"]


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """The state of every generator that training draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Puts back what `random_state` took."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def moving_average(decay: float) -> Callable[[list[torch.Tensor], list[torch.Tensor], torch.Tensor], None]:
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
