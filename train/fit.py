"""Training: batches in, checkpoints out (third stage).

    python -m train.fit RUN/packed --out RUN/fit --preset small --epochs 10
    python -m train.fit RUN/packed --out RUN/fit --resume

Runs on a GPU when there is one and on the CPU otherwise, in bfloat16 autocast with float32 weights. Every epoch ends
with validation (loss, BLEU and chrF of greedy translations, ten of them printed) and a checkpoint; more checkpoints are
written in between. A run that was stopped, or killed, at any moment goes on with --resume and gives the same losses as
if it had never stopped (see train.trainer for how exactly). `log.jsonl` has a line for every --log-every steps and one
for every epoch. A loss that is not a number ends the run, and `failed-batch.json` says on what.

On one GPU, which holds a batch in parts if it is too large; on eight; on two machines of eight, each started with the
first one's address and seeing RUN at the same path:

    FIT="train.fit RUN/packed --out RUN/fit --preset base --compile --tokens-per-batch 524288"
    python -m $FIT --tokens-at-once 65536
    torchrun --nproc-per-node=8 -m $FIT
    torchrun --nproc-per-node=8 --nnodes=2 --rdzv-backend=c10d --rdzv-endpoint=FIRST:29500 --rdzv-id=fit -m $FIT

--tokens-per-batch is what one step takes, of all processes together. The data come in the same order and the losses are
the same but for rounding, however many processes share a step. If one of them dies, torchrun ends them all; --resume
goes on, with as many processes or with others. Their masks of dropout, and so their losses, are those that the run
would have had if --tokens-at-once is what it was (which --resume sees to) and the number of processes divides the
number of slices in which that cuts a step.
"""

import argparse
import dataclasses
import json
import math
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from malaygpt.checkpoint import SHORTLIST, CheckpointError
from malaygpt.model import PRESETS
from train.config import FitConfig
from train.origin import write_origin
from train.processes import Processes
from train.state import checkpoints, clear_partial, write_atomically
from train.trainer import CONFIG, CORPUS, Trainer

LOG = "log.jsonl"
CHANGEABLE = "epochs", "tokens_at_once"
"""Fields of FitConfig that a resumed run may change"""
GRACE = 5.0
"""Seconds in which the first process can say what went wrong before torchrun, seeing another end, ends it too"""


def read_log(path: Path) -> list[tuple[str, dict]]:
    """The lines of a log and what they say; none when there is no log. One that was cut off by a kill, or is being
    written, is left out."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            lines.append((line, json.loads(line)))
        except ValueError:
            break
    return lines


class Log:
    """`log.jsonl`: one JSON object a line. After a kill it may be ahead of the checkpoint; those lines are cut off."""

    def __init__(self, path: Path, step: int) -> None:
        write_atomically(path, "".join(line + "\n" for line, record in read_log(path) if record["step"] <= step))
        self._file = path.open("a", buffering=1)

    def write(self, record: dict) -> None:
        """Adds a line."""
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

    def __post_init__(self) -> None:
        for name, least in (("log_every", 1), ("save_every", 0), ("num_samples", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}.")


def fit(trainer: Trainer, rhythm: Rhythm) -> None:
    """Trains to the end of the last epoch. The first process speaks and writes; the others wait for it."""
    log = Log(trainer.run / LOG, trainer.position.step) if trainer.processes.first else None
    while trainer.position.epoch < trainer.config.epochs:
        run_epoch(trainer, log, rhythm)
        if log:
            validation = trainer.validate(rhythm.num_samples)
            epoch = trainer.position.epoch
            # Before the checkpoint: a kill in between costs a second validation, not the record of the first.
            log.write({"step": trainer.position.step, "epoch": epoch, **validation.scores})
            trainer.save()
            tqdm.write(f"epoch {epoch}: {validation.line}\n{validation.table}")
        trainer.processes.wait()


def run_epoch(trainer: Trainer, log: Log | None, rhythm: Rhythm) -> None:
    """The rest of the present epoch; in the first process, which has the log, with a progress bar, log lines and
    checkpoints in between."""
    plan, saved = trainer.plan(), time.monotonic()
    name = f"epoch {trainer.position.epoch + 1}/{trainer.config.epochs}"
    start = trainer.position.batch
    with tqdm(total=len(plan), initial=start, desc=name, unit="step", mininterval=2.0, disable=log is None) as bar:
        if log:
            trainer.keep_moment()
        for record in trainer.steps(plan):
            if not log:
                continue
            trainer.keep_moment()
            bar.update()
            if record["step"] % rhythm.log_every == 0:
                trainer.read_losses()
                line = summary(trainer.unlogged)
                log.write(line)
                bar.set_postfix_str(f"loss {line['loss']:.3f}, {line['tokens_per_second']:,} tokens/s", refresh=False)
                trainer.unlogged.clear()
            if time.monotonic() - saved > rhythm.save_every and trainer.position.inside_epoch:
                trainer.save()
                saved = time.monotonic()


def summary(records: list[dict]) -> dict:
    """One line of the log for several steps: means, and the last step's counters."""
    last = records[-1]
    return {
        "step": last["step"],
        "epoch": last["epoch"],
        "loss": float(np.mean([r["loss"] for r in records])),
        "gradient_norm": round(float(np.mean([r["gradient_norm"] for r in records])), 4),
        "learning_rate": last["learning_rate"],
        "tokens": sum(r["tokens"] for r in records),
        "tokens_per_second": round(sum(r["tokens"] for r in records) / sum(r["seconds"] for r in records)),
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
    if not options.resume:
        if checkpoints(options.out):
            raise ValueError(f"{options.out} already holds checkpoints; go on with --resume, or choose another --out.")
        return FitConfig(**given)
    if not (options.out / CONFIG).is_file():
        raise FileNotFoundError(f"{options.out} holds no run to resume.")
    config = FitConfig.load(options.out / CONFIG)
    for name, value in given.items():
        if name not in CHANGEABLE and value != getattr(config, name):
            raise ValueError(
                f"--{name.replace('_', '-')} {value}: the run was started with {getattr(config, name)}; "
                f"only {' and '.join('--' + n.replace('_', '-') for n in CHANGEABLE)} may change on --resume."
            )
    return dataclasses.replace(config, **given)


def start(options: argparse.Namespace, processes: Processes) -> Trainer:
    """The run that was asked for, at its beginning or where it was. Raises FileNotFoundError, ValueError."""
    if options.compile and processes.device.type == "cpu":
        raise ValueError("--compile is for GPUs, and there is none here; leave it out.")
    config = choose_config(options)
    if processes.count > 1 and not config.tokens_at_once:
        # Written down, so that a run resumed with fewer processes cuts its batches in the same slices.
        config = dataclasses.replace(config, tokens_at_once=math.ceil(config.tokens_per_batch / processes.count))
    trainer = Trainer(options.packed, options.out, config, processes, options.compile)
    if processes.first:
        options.out.mkdir(parents=True, exist_ok=True)
        clear_partial(options.out)
    if options.resume:
        trainer.resume()
    elif options.start_from:
        trainer.start_from(options.start_from)
    if processes.first:
        if not options.resume:
            if options.start_from:
                write_origin(options.out, options.start_from)
            for name in (CORPUS, SHORTLIST):
                if (options.packed / name).is_file():
                    shutil.copyfile(options.packed / name, options.out / name)
        write_atomically(options.out / CONFIG, config.to_json())
    return trainer


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path, help="directory that train.vocabulary wrote")
    parser.add_argument("--out", type=Path, required=True, help="directory of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the run's newest checkpoint")
    parser.add_argument("--start-from", type=Path, metavar="CHECKPOINT", help="begin with these weights, not at random")
    parser.add_argument("--threads", type=int, help="CPU threads; default all cores")
    parser.add_argument("--compile", action="store_true", help="have torch compile the model, for speed on a GPU")
    for field in dataclasses.fields(Rhythm):
        parser.add_argument("--" + field.name.replace("_", "-"), type=type(field.default), default=field.default)
    add_config_arguments(parser)
    options = parser.parse_args(arguments)
    if options.threads is not None:
        if options.threads < 1:
            parser.error("--threads must be at least 1")
        torch.set_num_threads(options.threads)
    first = os.environ.get("RANK", "0") == "0"
    try:
        rhythm = Rhythm(options.log_every, options.save_every, options.num_samples)
        processes = Processes.join()
        fit(start(options, processes), rhythm)
        processes.leave()
    except (CheckpointError, OSError, ValueError, FloatingPointError) as error:
        if first:
            print(f"train.fit: {error}", file=sys.stderr, flush=True)
        else:
            time.sleep(GRACE)
        return 2
    except KeyboardInterrupt:
        if first:
            print("\nStopped. Go on with --resume.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
