"""A run's checkpoint as the bundle that the app loads, scored and with a model card (last stage).

    python -m train.publish RUN --out assets/checkpoint --test flores200-dev.tsv --about assets/data.md

RUN is a directory of train.fit, whose newest checkpoint is taken, or one checkpoint in it. The bundle holds the
averaged weights in bfloat16, config, tokenizer, scores.json and README.md, and nothing that training alone needs.
`--ctranslate2 DIR` and `--transformers DIR` write it for those engines as well; train.export does that alone.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch

from malaygpt.checkpoint import SHORTLIST, CheckpointError, load_checkpoint, save_checkpoint
from malaygpt.hub import FILES
from malaygpt.model import Transformer
from train.config import FitConfig
from train.corpus import read_test_set
from train.evaluate import Scores, evaluate, write_scores
from train.export import add_options, export
from train.state import Position, checkpoints, read_position
from train.trainer import CONFIG, CORPUS

CARD = Path(__file__).with_name("card.md")
NOTHING_SAID = "Whoever trained this model has not said under which licences its data stand."


def find_run(path: Path) -> tuple[Path, Path]:
    """The run's directory and one of its checkpoints, from either's path. Raises FileNotFoundError."""
    if (path / CONFIG).is_file():
        found = checkpoints(path)
        if not found:
            raise FileNotFoundError(f"{path} holds no checkpoint yet.")
        return path, found[-1]
    if (path / "../.." / CONFIG).is_file():
        return path.parent.parent, path
    raise FileNotFoundError(f"{path} is not a run of train.fit, nor a checkpoint of one.")


def bundle(run: Path, checkpoint: Path, out: Path) -> Transformer:
    """Writes config, weights as bfloat16, tokenizer and the run's shortlist, if it has one, into `out`, in the place of
    the bundle that may be there.

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
    if (run / SHORTLIST).is_file():
        shutil.copyfile(run / SHORTLIST, out / SHORTLIST)
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


def card(model: Transformer, run: Path, position: Position, corpus: dict, scores: dict[str, Scores], about: str) -> str:
    """The model card: card.md with this checkpoint's facts filled in, and what its maker says of the data."""
    config, fit = model.config, FitConfig.load(run / CONFIG)
    rows = [
        f"| {name} | {s.metrics['bleu']['score']:.1f} | {s.metrics['chrf']['score']:.1f} | "
        f"{s.metrics['chrf++']['score']:.1f} | {s.loss:.3f} | {s.empty} / {s.loops} / {s.copies} of {s.sentences} |"
        for name, s in scores.items()
    ]
    sources = [f"| {name} | {corpus['tiers'].get(name, '-')} | {count:,} |" for name, count in corpus["train"].items()]
    weights = ", ".join(f"`{rule}`" for rule in fit.weight)
    facts = {
        "parameters": f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f}",
        "encoder": config.num_encoder_blocks,
        "decoder": config.num_decoder_blocks,
        "d_model": config.d_model,
        "heads": config.num_heads,
        "d_ff": config.d_ff,
        "vocabulary": f"{config.vocab_size:,}",
        "steps": f"{position.step:,}",
        "epochs": position.epoch,
        "tokens_per_batch": f"{fit.tokens_per_batch:,}",
        "learning_rate": fit.learning_rate,
        "weights": f"An epoch takes the pairs of some sources more or less than once: {weights}." if weights else "",
        "pairs": f"{sum(corpus['train'].values()):,}",
        "excluded": ", ".join(corpus["excluded"]) or "none",
        "scores": "\n".join(rows),
        "sources": "\n".join(sources),
        "about": about.strip(),
    }
    return CARD.read_text(encoding="utf-8").format(**facts)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.publish", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="directory of train.fit, or one of its checkpoints")
    parser.add_argument(
        "--out", type=Path, required=True, help="directory to write; a bundle that is there is replaced"
    )
    parser.add_argument("--test", type=Path, nargs="*", default=[], metavar="TEST.tsv", help="test sets to score it on")
    parser.add_argument("--about", type=Path, help="Markdown on the data and its licences, for the card")
    add_options(parser)
    options = parser.parse_args(arguments)
    try:
        run, checkpoint = find_run(options.run)
        corpus = json.loads((run / CORPUS).read_text())
        check_tests(options.test, corpus)
        about = options.about.read_text(encoding="utf-8") if options.about else NOTHING_SAID
        model = bundle(run, checkpoint, options.out)
        scores = {}
        for file in options.test:
            # The first is the one to choose by: what the faster forms lose is measured there.
            forms = ("int8", "bfloat16") if file == options.test[0] else ()
            scores[file.stem], *_ = evaluate(options.out, file, forms)
            print(f"{file.stem}: {scores[file.stem].line}", flush=True)
        write_scores(options.out, scores)
        text = card(model, run, read_position(checkpoint), corpus, scores, about)
        (options.out / "README.md").write_text(text, encoding="utf-8")
        export(options.out, options)  # the bundle's weights, which bfloat16 has rounded
    except (CheckpointError, ModuleNotFoundError, OSError, ValueError) as error:
        print(f"train.publish: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
