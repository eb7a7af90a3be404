"""One run of training: the model, its optimizer and moving average, and where they are in the data.

Everything that decides the next step is here and in a checkpoint, so that a run which was stopped goes on as if it had
not been. On the CPU that is exact, to the last bit, with the same number of threads; on a GPU some kernels add in an
order of their own, and it is exact but for rounding.

A batch is one step of the optimizer. It is cut into slices, so many for each process (see FitConfig.num_slices), whose
gradients are added up: each is a sum over the tokens of the whole batch, so that the cut changes rounding alone. A
slice draws its dropout from a seed of its own, made of the step and its number: whichever process takes it, the masks
are the same, and those of two slices are not. A batch in one piece draws from the running random state.
"""

import dataclasses
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from malaygpt.checkpoint import TOKENIZER, WEIGHTS, load_checkpoint, save_checkpoint
from malaygpt.model import ModelConfig, Transformer, build_model
from malaygpt.tokenizer import Tokenizer
from train.average import MovingAverage
from train.batch import Batch, collate, prepared_ahead
from train.config import FitConfig
from train.dropout import pool_dropout
from train.loss import BatchLoss
from train.optimizer import Optimizers
from train.packed import PackedPairs, padded_length, plan_epoch
from train.processes import Processes
from train.state import (
    MOMENTS,
    TRAINING,
    Position,
    checkpoints,
    is_moment,
    read_checkpoint,
    read_position,
    remove_checkpoint,
    step_name,
    write_atomically,
    write_checkpoint,
    write_directory,
)
from train.validate import Validation, validate

CONFIG = "fit.json"
"""The run's FitConfig."""
CORPUS = "corpus.json"
"""The report of train.corpus, which goes with the packed pairs and with the run."""
FAILED = "failed-batch.json"
"""The batch whose loss was not a number"""


class Trainer:
    """Takes steps, validates, saves and resumes; when to do which is train.fit's to say."""

    def __init__(
        self,
        packed: Path,
        run: Path,
        config: FitConfig,
        processes: Processes | None = None,
        compiled: bool = False,
    ) -> None:
        """A run at its beginning. Raises FileNotFoundError or ValueError when the packed pairs cannot be trained on."""
        self.packed, self.run, self.config = packed, run, config
        self.processes = processes or Processes.alone()
        self.device = self.processes.device
        self.reads_late = self.device.type == "cuda"
        """Whether losses stay on the device until `read_losses` is called for another reason than the next step"""
        self.tokenizer = Tokenizer.load(packed / TOKENIZER)
        self.train_pairs = PackedPairs(packed / "train")
        self.validation_pairs = PackedPairs(packed / "validation")
        self.weights = self.train_pairs.weights(config.weight)
        self.num_slices = config.num_slices(self.processes.count)
        shape = ModelConfig.preset(config.preset, self.tokenizer.vocab_size)
        self._check_pairs(shape)
        torch.manual_seed(config.seed)
        self.model = build_model(dataclasses.replace(shape, dropout=config.dropout)).to(self.device)
        self.pool = pool_dropout(self.model, config.dropout) if self.device.type == "cpu" and config.dropout else None
        self.average = MovingAverage(self.model, config.average_decay)
        if compiled:
            compile_blocks(self.model)
        self.loss = self.processes.wrap(BatchLoss(self.model, config.label_smoothing))
        self.optimizer = Optimizers(self.model, config)
        self.position = Position()
        self.unlogged: list[dict] = []
        """Records of the steps since the last line of the log; they survive a stop, so that its means do too."""
        self._unread: list[tuple[dict, Position, Tensor]] = []
        """Records whose loss and norm (2,) are still on the device, and where their batches are"""

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

    def plan(self, epoch: int | None = None) -> list[np.ndarray]:
        """The batches of an epoch, by default the present one, the same whenever they are asked for."""
        config, epoch = self.config, self.position.epoch if epoch is None else epoch
        return plan_epoch(self.train_pairs, self.weights, config.tokens_per_batch, config.seed, epoch)

    def steps(self, plan: list[np.ndarray]) -> Iterator[dict]:
        """Trains from the present position to the end of the epoch's plan; yields the record of each step.

        On a GPU its loss and norm are there after `read_losses` only. Raises FloatingPointError as that does.
        """
        config, epoch = self.config, self.position.epoch
        if self.pool:
            self.pool.draw(config.seed * 1000 + epoch)
        self.model.train()
        numbers = range(self.position.batch, len(plan))
        all_slices, began = self._prepare(plan, numbers), time.perf_counter()
        for number, slices in zip(numbers, all_slices, strict=True):
            num_tokens = self.processes.sum(sum(part.num_tokens for part in slices))
            rate = config.rate(self.position.step + 1, (epoch + number / len(plan)) / config.epochs)
            here, done = self.position, number + 1 == len(plan)
            record = {
                "step": here.step + 1,
                "epoch": round(epoch + (number + 1) / len(plan), 4),
                "learning_rate": rate,
                "tokens": num_tokens,
            }
            figures = self.gradient(slices, num_tokens)
            if self.processes.first:  # the others have the same figures
                self._unread.append((record, here, figures))
                self.unlogged.append(record)
            if not self.reads_late:
                self.read_losses()
            self.optimizer.step(rate)
            self.average.update(self.model)
            self.position = Position(here.step + 1, epoch + done, 0 if done else number + 1)
            record["seconds"] = time.perf_counter() - began
            yield record
            began = time.perf_counter()

    def _prepare(self, plan: list[np.ndarray], numbers: range) -> Iterator[list[Batch]]:
        """This process's slices of the batches; for a GPU by a thread of their own, ahead of the steps."""
        if self.device.type == "cpu":
            return (self.slices(plan[number]) for number in numbers)
        return prepared_ahead(
            lambda number: [part.pinned() for part in self.slices(plan[number])],
            numbers,
            lambda: torch.cuda.set_device(self.device),
        )

    def slices(self, indices: np.ndarray) -> list[Batch]:
        """This process's slices of a batch. One of fewer pairs than slices leaves some with nothing to predict."""
        pairs, parts = self.train_pairs, np.array_split(indices, self.num_slices)
        return [
            collate(pairs, part) if len(part) else collate(pairs, indices[:1]).without_labels()
            for part in parts[self.processes.rank :: self.processes.count]
        ]

    def gradient(self, slices: list[Batch], num_tokens: int) -> Tensor:
        """Leaves the gradient of a batch, clipped, in the parameters -> (2,): its loss and the norm of its gradient.

        `num_tokens` are those of all processes, which all end with the same gradient and the same figures.
        """
        processes = self.processes
        loss = torch.zeros((), device=self.device)
        for number, part in enumerate(slices):
            if self.num_slices > 1:
                torch.manual_seed(self._seed(processes.rank + number * processes.count))
            with processes.exchange(self.loss, now=number + 1 == len(slices)):
                with torch.autocast(self.device.type, torch.bfloat16):
                    share = self.loss(part.to(self.device), num_tokens)
                # Averaged over the processes where the sum is wanted.
                (share * processes.count).backward()
            loss += share.detach()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        return torch.stack([processes.sum_tensor(loss), norm])

    def _seed(self, slice_number: int) -> int:
        """Of the dropout in a slice of the next step"""
        entropy = [self.config.seed, self.position.step, slice_number]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])

    def read_losses(self) -> None:
        """Fetches losses and norms from the device into the records of the steps since the last call.

        On the CPU that is every step, before its weights are changed. A GPU would have to stop for it and is asked
        before anything is logged, validated or written, so that weights that went bad meanwhile are never kept.
        Raises FloatingPointError for the first step whose figures are not finite, and writes its batch to `FAILED`.
        """
        unread, self._unread = self._unread, []
        if not unread:
            return
        began = time.perf_counter()
        figures = torch.stack([figures for _, _, figures in unread]).tolist()
        for (record, position, _), (loss, norm) in zip(unread, figures, strict=True):
            record |= {"loss": loss, "gradient_norm": norm}
            if not math.isfinite(loss + norm):
                self._write_failed(record, position)
                raise FloatingPointError(
                    f"Step {record['step']}: the loss is {loss}, the norm of its gradient {norm}; its batch is in "
                    f"{self.run / FAILED}. Start a new run, in another --out, with a lower --learning-rate."
                )
        record["seconds"] = record.get("seconds", 0) + time.perf_counter() - began

    def _write_failed(self, record: dict, position: Position) -> None:
        """What is needed to see why a step failed, and from which checkpoint to come to it again"""
        indices = self.plan(position.epoch)[position.batch]
        pairs, decode = self.train_pairs, self.tokenizer.decode
        sides = [(pairs.src(i).tolist(), pairs.tgt(i).tolist()) for i in indices]
        sources = [pairs.sources[pairs.source_ids[i]]["name"] for i in indices]
        saved = checkpoints(self.run)
        report = {
            **{name: record[name] for name in ("step", "learning_rate")},
            # Strings, because JSON has no word for what is not a number.
            **{name: str(record[name]) for name in ("loss", "gradient_norm")},
            "position": dataclasses.asdict(position),
            "last_checkpoint": saved[-1].name if saved else None,
            "pairs": [
                {"index": int(i), "source": name, "english": decode(src), "malay": decode(tgt), "src": src, "tgt": tgt}
                for i, name, (src, tgt) in zip(indices, sources, sides, strict=True)
            ],
        }
        self.run.mkdir(parents=True, exist_ok=True)
        write_atomically(self.run / FAILED, json.dumps(report, ensure_ascii=False, indent=1) + "\n")

    def validate(self, num_samples: int) -> Validation:
        """Figures of the averaged model on the held-out pairs."""
        self.read_losses()
        tokens = self.config.tokens_at_once or self.config.tokens_per_batch
        return validate(self.averaged, self.tokenizer, self.validation_pairs, tokens, num_samples)

    def keep_moment(self) -> None:
        """Writes the averaged weights of this step for train.timeline, if it is a moment to be kept."""
        directory = self.run / MOMENTS / step_name(self.position.step)
        if not is_moment(self.position.step) or directory.exists():
            return
        self.read_losses()
        weights = self.averaged.state_dict()
        shape, tokenizer = self.model.config, self.tokenizer
        write_directory(directory, lambda path: save_checkpoint(path, shape, weights, tokenizer, torch.bfloat16))

    def start_from(self, checkpoint: Path) -> None:
        """Takes the weights of a trained checkpoint in the place of random ones.

        Raises CheckpointError when it cannot be read and ValueError when its model or tokenizer are others.
        """
        model, _ = load_checkpoint(checkpoint)
        if dataclasses.replace(model.config, dropout=self.config.dropout) != self.model.config:
            raise ValueError(f"{checkpoint} is of another shape: {model.config} and not {self.model.config}.")
        if (checkpoint / TOKENIZER).read_bytes() != (self.packed / TOKENIZER).read_bytes():
            raise ValueError(f"{checkpoint} has another tokenizer than {self.packed}.")
        self.model.load_state_dict(model.state_dict())
        self.averaged.load_state_dict(model.state_dict())

    def save(self) -> Path:
        """Writes a checkpoint. Older ones inside an epoch go; older ones at its end keep what the app loads."""
        self.read_losses()
        training = {
            "model": self.model.state_dict(),
            "num_averaged": torch.tensor(self.average.count),
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
        found = self.processes.agree(checkpoints(self.run))
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
        self.average.count = int(training["num_averaged"])
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


def compile_blocks(model: Transformer, backend: str = "inductor") -> None:
    """Has the blocks compiled when they first run, once for all widths of batches.

    A block at a time, so that the blocks of a kind share their code and gradients are exchanged while earlier blocks
    still work.
    """
    for block in (*model.encoder.blocks, *model.decoder.blocks):
        block.compile(backend=backend, dynamic=True)
