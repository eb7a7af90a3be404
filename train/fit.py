"""Training: batches in, checkpoints out (third stage).

    python -m train.fit RUN/packed --out RUN/fit --preset small --epochs 10
    python -m train.fit RUN/packed --out RUN/fit --resume

Runs on a GPU when there is one and on the CPU otherwise, in bfloat16 autocast with float32 weights. Every epoch ends
with validation (loss, BLEU and chrF of greedy translations, ten of them printed) and a checkpoint; more checkpoints are
written in between. A run that was stopped, or killed, at any moment goes on with --resume and gives the same losses as
if it had never stopped (see train.trainer for how exactly). `log.jsonl` has a line for every --log-every steps and one
for every epoch.
"""

import argparse
import dataclasses
import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from malaygpt.checkpoint import SHORTLIST
from malaygpt.model import PRESETS
from train.config import FitConfig
from train.state import checkpoints, clear_partial, write_atomically
from train.trainer import CONFIG, CORPUS, Trainer

LOG = "log.jsonl"


class Log:
    """`log.jsonl`: one JSON object a line. After a kill it may be ahead of the checkpoint; those lines are cut off."""

    def __init__(self, path: Path, step: int) -> None:
        lines = []
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                if json.loads(line)["step"] <= step:
                    lines.append(line + "\n")
            except ValueError:  # the line that was being written
                break
        write_atomically(path, "".join(lines))
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
    """Trains to the end of the last epoch."""
    log = Log(trainer.run / LOG, trainer.position.step)
    while trainer.position.epoch < trainer.config.epochs:
        run_epoch(trainer, log, rhythm)
        validation = trainer.validate(rhythm.num_samples)
        epoch = trainer.position.epoch
        # Before the checkpoint: a kill in between costs a second validation, not the record of the first.
        log.write({"step": trainer.position.step, "epoch": epoch, **validation.scores})
        trainer.save()
        tqdm.write(f"epoch {epoch}: {validation.line}\n{validation.table}")


def run_epoch(trainer: Trainer, log: Log, rhythm: Rhythm) -> None:
    """The rest of the present epoch, with a progress bar, log lines and checkpoints in between."""
    plan, saved = trainer.plan(), time.monotonic()
    name = f"epoch {trainer.position.epoch + 1}/{trainer.config.epochs}"
    with tqdm(total=len(plan), initial=trainer.position.batch, desc=name, unit="step", mininterval=2.0) as bar:
        for record in trainer.steps(plan):
            bar.update()
            if record["step"] % rhythm.log_every == 0:
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
        if name != "epochs" and value != getattr(config, name):
            raise ValueError(
                f"--{name.replace('_', '-')} {value}: the run was started with {getattr(config, name)}; "
                "only --epochs may change on --resume."
            )
    return dataclasses.replace(config, **given)


def start(options: argparse.Namespace) -> Trainer:
    """The run that was asked for, at its beginning or where it was. Raises FileNotFoundError, ValueError."""
    config = choose_config(options)
    trainer = Trainer(options.packed, options.out, config)
    options.out.mkdir(parents=True, exist_ok=True)
    clear_partial(options.out)
    if options.resume:
        trainer.resume()
    else:
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
    parser.add_argument("--threads", type=int, help="CPU threads; default all cores")
    for field in dataclasses.fields(Rhythm):
        parser.add_argument("--" + field.name.replace("_", "-"), type=type(field.default), default=field.default)
    add_config_arguments(parser)
    options = parser.parse_args(arguments)
    if options.threads is not None:
        if options.threads < 1:
            parser.error("--threads must be at least 1")
        torch.set_num_threads(options.threads)
    try:
        rhythm = Rhythm(options.log_every, options.save_every, options.num_samples)
        fit(start(options), rhythm)
    except (OSError, ValueError, FloatingPointError) as error:
        print(f"train.fit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. Go on with --resume.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
