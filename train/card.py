"""The model card of a bundle: card.md filled in, under metadata that the Hub reads."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from malaygpt.model import Transformer
from train.config import FitConfig
from train.origin import NAMES, Leg
from train.state import Position

CARD = Path(__file__).with_name("card.md")
NOTHING_SAID = "Whoever trained this model has not said under which licences its data stand."
UNKNOWN = "unknown"
"""What the Hub calls a licence that nobody has named"""
METRICS = {"bleu": ("bleu", "BLEU"), "chrf": ("chrf", "chrF"), "chrf++": ("chrf", "chrF++")}
"""Of scores.json: the Hub's identifier of a metric, and its name for people"""


@dataclass(frozen=True)
class Particulars:
    """What the maker of a checkpoint says of it, and no file knows."""

    about: str = NOTHING_SAID
    """Markdown on the data and their licences"""
    license: str = UNKNOWN
    """The Hub's identifier of the checkpoint's own licence, such as `cc-by-4.0`"""
    datasets: tuple[str, ...] = ()
    """Data sets on the Hub that it was trained on, besides the one that train.corpus read"""
    repo: str | None = None
    """Where on the Hub it will be"""


@dataclass(frozen=True)
class Making:
    """How a checkpoint was made: its run's configuration and corpus.json, and its place in the run."""

    fit: FitConfig
    corpus: dict
    position: Position
    legs: Sequence[Leg] = ()
    """The runs before this one, whose weights it began with"""


def write_card(directory: Path, model: Transformer, making: Making, particulars: Particulars) -> None:
    """Writes README.md beside a bundle's other files; its scores are those of scores.json, if there is one."""
    config, fit, corpus = model.config, making.fit, making.corpus
    path = directory / "scores.json"
    scores = json.loads(path.read_text()) if path.is_file() else {}
    sources = [f"| {name} | {corpus['tiers'].get(name, '-')} | {count:,} |" for name, count in corpus["train"].items()]
    weights = ", ".join(f"`{rule}`" for rule in fit.weight)
    facts = {
        "metadata": metadata(scores, corpus, particulars),
        "source": particulars.repo or "this directory",
        "parameters": f"{model.num_parameters / 1e6:.1f}",
        "encoder": config.num_encoder_blocks,
        "decoder": config.num_decoder_blocks,
        "d_model": config.d_model,
        "heads": config.num_heads,
        "d_ff": config.d_ff,
        "vocabulary": f"{config.vocab_size:,}",
        "steps": f"{making.position.step:,}",
        "epochs": making.position.epoch,
        "tokens_per_batch": f"{fit.tokens_per_batch:,}",
        "optimizer": NAMES[fit.optimizer],
        "learning_rate": fit.learning_rate,
        "legs": "".join(f" Before that: {leg.line}." for leg in making.legs),
        "weights": f"An epoch takes the pairs of some sources more or less than once: {weights}." if weights else "",
        "pairs": f"{sum(corpus['train'].values()):,}",
        "excluded": ", ".join(corpus["excluded"]) or "none",
        "scores": "\n".join(_row(name, s) for name, s in scores.items()) or "| not scored | | | | | |",
        "sources": "\n".join(sources),
        "about": particulars.about.strip(),
    }
    (directory / "README.md").write_text(CARD.read_text(encoding="utf-8").format(**facts), encoding="utf-8")


def metadata(scores: Mapping[str, dict], corpus: dict, particulars: Particulars) -> str:
    """The card's YAML front matter, with the scores as the Hub's model-index."""
    # Here and not above: its import takes a while, and a bundle can be had without the Hub.
    from huggingface_hub import EvalResult, ModelCardData

    repo = corpus["data"].partition(":")[0]
    known = [repo] if set(corpus["train"]) == {repo} else []  # and else a directory of this machine
    results = [
        EvalResult("translation", test, test, kind, figures["metrics"][metric]["score"], metric_name=name)
        for test, figures in scores.items()
        for metric, (kind, name) in METRICS.items()
    ]
    data = ModelCardData(
        language=["en", "ms"],
        license=particulars.license,
        library_name="malaygpt",
        pipeline_tag="translation",
        tags=["translation", "transformer", "malay"],
        datasets=list(dict.fromkeys([*known, *particulars.datasets])) or None,
        model_name=(particulars.repo or "malaygpt").rpartition("/")[2],
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml().strip()}\n---"


def _row(name: str, scores: dict) -> str:
    bleu, chrf, chrf_plus = (f"{scores['metrics'][metric]['score']:.1f}" for metric in METRICS)
    counts = f"{scores['empty']} / {scores['loops']} / {scores['copies']} of {scores['sentences']}"
    return f"| {name} | {bleu} | {chrf} | {chrf_plus} | {scores['loss']:.3f} | {counts} |"
