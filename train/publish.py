"""A run's checkpoint as the bundle that the app loads, scored, with a model card, and published (last stage).

    python -m train.publish RUN --out assets/checkpoint --test flores200-dev.tsv --about assets/data.md
    python -m train.publish RUN --repo user/name --tag v1 --test flores200-dev.tsv --about data.md --license cc-by-4.0
    python -m train.publish assets/checkpoint --repo user/name --private

RUN is a directory of train.fit, whose newest checkpoint is taken, or one checkpoint in it. The bundle, RUN/bundle
unless --out says where, holds the averaged weights in bfloat16, config, tokenizer, scores.json and README.md, and
nothing that training alone needs. A bundle that is there already is published as it is.

To the Hub goes one commit: all files or none. If someone else publishes to the repo meanwhile, nothing of theirs is
overwritten, and the bundle waits to be published again. --epochs publishes what the run had learnt at the end of each
epoch as well, on branches of their own: `user/name@epoch-03`. `--ctranslate2 DIR` and `--transformers DIR` write the
bundle for those engines as well; train.export does that alone.
"""

import argparse
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from malaygpt.checkpoint import CONFIG as MODEL_CONFIG
from malaygpt.checkpoint import SHORTLIST, WEIGHTS, CheckpointError, load_checkpoint, save_checkpoint
from malaygpt.hub import FILES
from malaygpt.model import Transformer
from malaygpt.timeline import TIMELINE
from train.card import NOTHING_SAID, UNKNOWN, Making, Particulars, write_card
from train.config import FitConfig
from train.corpus import read_test_set
from train.evaluate import evaluate, write_scores
from train.export import FORMATS, add_options, export
from train.origin import read_origin
from train.state import checkpoints, read_position
from train.trainer import CONFIG, CORPUS
from train.upload import Remote, open_branch, open_repo, push

NEEDS_RUN = "out", "test", "about", "license", "datasets", "epochs"
"""Options that a finished bundle has no use for"""


def find_run(path: Path) -> tuple[Path, Path]:
    """The run's directory and one of its checkpoints, from either's path. Raises FileNotFoundError."""
    if (path / CONFIG).is_file():
        found = checkpoints(path)
        if not found:
            raise FileNotFoundError(f"{path} holds no checkpoint yet.")
        return path, found[-1]
    if (path / "../.." / CONFIG).is_file():
        return path.parent.parent, path
    raise FileNotFoundError(f"{path} is not a run of train.fit, nor a checkpoint of one, nor a bundle.")


def is_bundle(path: Path) -> bool:
    """Whether this is a checkpoint that was published, or came from somewhere, rather than one inside a run"""
    inside_run = (path / "../.." / CONFIG).is_file()
    return not inside_run and (path / MODEL_CONFIG).is_file() and (path / WEIGHTS).is_file()


def bundle(run: Path, checkpoint: Path, out: Path) -> Transformer:
    """Writes config, weights as bfloat16, tokenizer and the run's shortlist and timeline, if it has them, into `out`,
    in the place of the bundle that may be there.

    Returns its model. Raises ValueError when `out` holds anything else, which it might be the only copy of.
    """
    strangers = [file.name for file in out.iterdir() if file.name not in FILES] if out.is_dir() else []
    if strangers:
        raise ValueError(f"{out} holds what is not part of a bundle ({strangers[0]}); choose another --out.")
    model, tokenizer = load_checkpoint(checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (out / name).unlink(missing_ok=True)
    save_checkpoint(out, model.config, model.state_dict(), tokenizer, torch.bfloat16)
    for name in (SHORTLIST, TIMELINE):
        if (run / name).is_file():
            shutil.copyfile(run / name, out / name)
    return model


def check_tests(files: list[Path], corpus: dict) -> None:
    """Raises FileNotFoundError for a test set that is not there, ValueError for one that may have been trained on."""
    for file in files:
        read_test_set(file)
        if file.name not in corpus["excluded"]:
            raise ValueError(
                f"{file.name} was not kept out of the training data, so a score on it would be worthless; "
                "make the corpus again with it under --exclude."
            )


def push_bundle(remote: Remote, directory: Path, message: str, tag: str | None = None) -> None:
    """Publishes a bundle's files, and nothing else that may lie beside them."""
    files = {name: directory / name for name in FILES if (directory / name).is_file()}
    commit = push(remote, files, message, owned=lambda path: path in FILES, tag=tag)
    print(f"Published to {remote.repo}, branch {remote.branch}: commit {commit}{f', tag {tag}' if tag else ''}")


def make(source: Path, out: Path | None, making: Making, particulars: Particulars, tests: list[Path]) -> Path:
    """Writes the scored bundle of a run's checkpoint; gives its directory."""
    run, checkpoint = find_run(source)
    out = out or run / "bundle"
    model = bundle(run, checkpoint, out)
    scores = {}
    for file in tests:
        # The first is the one to choose by: what the faster forms lose is measured there.
        forms = ("int8", "bfloat16") if file == tests[0] else ()
        scores[file.stem], *_ = evaluate(out, file, forms)
        print(f"{file.stem}: {scores[file.stem].line}", flush=True)
    write_scores(out, scores, particulars.repo)
    write_card(out, model, making, particulars)
    print(f"The bundle is {out}.", flush=True)
    return out


def publish_run(options: argparse.Namespace) -> None:
    """Makes the bundle of a run's checkpoint, and publishes it where that is asked."""
    run, checkpoint = find_run(options.source)
    corpus = json.loads((run / CORPUS).read_text())
    check_tests(options.test, corpus)
    making = Making(FitConfig.load(run / CONFIG), corpus, read_position(checkpoint), read_origin(run))
    about = options.about.read_text(encoding="utf-8") if options.about else NOTHING_SAID
    particulars = Particulars(about, options.license or UNKNOWN, tuple(options.datasets), options.repo)
    remote = open_repo(options.repo, private=options.private, tag=options.tag) if options.repo else None
    out = make(options.source, options.out, making, particulars, options.test)
    export(out, options)  # the bundle's weights, which bfloat16 has rounded
    if remote and options.epochs:
        push_epochs(remote, run, making, particulars)
    if remote:
        push_bundle(remote, out, f"malaygpt after {making.position.step:,} steps", options.tag)


def push_epochs(remote: Remote, run: Path, making: Making, particulars: Particulars) -> None:
    """Publishes the checkpoint of each epoch's end, unscored, on a branch of its own, as others publish such
    checkpoints (Pythia, OLMo): `main` has the finished ones alone."""
    for checkpoint in checkpoints(run):
        position = read_position(checkpoint)
        if position.inside_epoch:
            continue
        with TemporaryDirectory() as temporary:
            out = Path(temporary)
            write_card(out, bundle(run, checkpoint, out), replace(making, position=position), particulars)
            branch = open_branch(remote, f"epoch-{position.epoch:02d}")
            push_bundle(branch, out, f"malaygpt after epoch {position.epoch}")


def publish_bundle(options: argparse.Namespace) -> None:
    """Publishes a bundle as it is, once it is sure that it can be loaded."""
    load_checkpoint(options.source)
    export(options.source, options)
    if options.repo:
        remote = open_repo(options.repo, private=options.private, tag=options.tag)
        push_bundle(remote, options.source, "A checkpoint of malaygpt", options.tag)


def check(options: argparse.Namespace) -> None:
    """Raises ValueError for options that do not go together."""
    if not options.repo and (given := [name for name in ("private", "tag", "epochs") if getattr(options, name)]):
        raise ValueError(f"--{given[0]} is for the Hub; say with --repo user/name where to publish.")
    if is_bundle(options.source):
        if given := [name for name in NEEDS_RUN if getattr(options, name)]:
            raise ValueError(f"{options.source} is a bundle and published as it is; --{given[0]} needs a run.")
        if not any(getattr(options, name) for name in ("repo", *FORMATS)):
            raise ValueError(f"{options.source} is a bundle already; say with --repo user/name where to publish it.")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.publish", description=__doc__.splitlines()[0])
    parser.add_argument(
        "source", type=Path, metavar="RUN", help="directory of train.fit, one of its checkpoints, or a bundle"
    )
    parser.add_argument(
        "--out", type=Path, help="directory to write (default: RUN/bundle); a bundle that is there is replaced"
    )
    parser.add_argument("--repo", metavar="USER/NAME", help="Hub repo to publish to; made if it is not there")
    parser.add_argument("--private", action="store_true", help="only if nobody else can read the repo")
    parser.add_argument("--tag", help="name of the published commit, such as v1")
    parser.add_argument("--epochs", action="store_true", help="also each epoch's checkpoint, as a branch epoch-NN")
    parser.add_argument("--test", type=Path, nargs="*", default=[], metavar="TEST.tsv", help="test sets to score it on")
    parser.add_argument("--about", type=Path, help="Markdown on the data and its licences, for the card")
    parser.add_argument("--license", help="the checkpoint's licence as the Hub calls it, such as cc-by-4.0")
    parser.add_argument(
        "--datasets", nargs="*", default=[], metavar="USER/NAME", help="data sets on the Hub, for the card"
    )
    add_options(parser)
    options = parser.parse_args(arguments)
    try:
        check(options)
        if is_bundle(options.source):
            publish_bundle(options)
        else:
            publish_run(options)
    except (CheckpointError, ModuleNotFoundError, OSError, ValueError) as error:
        print(f"train.publish: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
