"""Scores of a checkpoint on test sets (last stage but one), measured on what a visitor would read.

    python -m train.evaluate CHECKPOINT TEST.tsv [TEST.tsv ...] [--forms FORM ...] [--write]

A test set has English and Malay in two columns. BLEU, chrF and chrF++ come with their sacreBLEU signatures. Beside them
stand the loss and the counts of what must not happen: empty output, loops, and English given back as Malay. All are of
the model itself, in float32 and without a shortlist; --forms gives the chrF of the fast forms of malaygpt.engine, from
which a visitor's translation comes. --write puts the figures into the checkpoint's scores.json.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import sacrebleu
import torch

from malaygpt.checkpoint import CheckpointError, load_checkpoint
from malaygpt.hub import find_checkpoint
from malaygpt.linear import FORMS, Form
from malaygpt.model import Transformer
from malaygpt.tokenizer import Tokenizer
from malaygpt.translator import Translator
from train.batch import Batch, batch_of
from train.corpus import Pair, fingerprint, read_test_set
from train.loss import mean_loss

METRICS = {
    "bleu": sacrebleu.BLEU(),
    "chrf": sacrebleu.CHRF(),
    "chrf++": sacrebleu.CHRF(word_order=2),
}
_LOOP = re.compile(r"(?<!\w)(\w+(?:\W+\w+){0,3})(?:\W+\1){3}(?!\w)", re.IGNORECASE)
SENTENCES_PER_BATCH = 32


@dataclass(frozen=True)
class Scores:
    """Figures of one checkpoint on one test set."""

    sentences: int
    loss: float
    """Cross-entropy in nats a target token, the right prefix given"""
    metrics: dict[str, dict[str, float | str]]
    """For each of METRICS its score and sacreBLEU signature"""
    empty: int
    """Translations without a letter or digit"""
    loops: int
    """Translations in which one to four words stand four times running, where the reference has no such thing"""
    copies: int
    """Translations of four words or more of which four in five stand in the English, unlike the reference"""
    forms: dict[str, float] = field(default_factory=dict)
    """chrF of other forms of the engine; sentences are decoded as each form is used, by themselves or together"""

    @property
    def line(self) -> str:
        metrics = ", ".join(f"{name} {metric['score']:.1f}" for name, metric in self.metrics.items())
        counts = f"{self.empty} empty, {self.loops} loops, {self.copies} copies in {self.sentences}"
        forms = "".join(f", {form} chrf {chrf:.2f}" for form, chrf in self.forms.items())
        return f"{metrics}, loss {self.loss:.3f}; {counts}{forms}"


def score(translations: list[str], pairs: list[Pair], loss: float) -> Scores:
    """The figures of these translations of pairs."""
    references = [pair.malay for pair in pairs]
    metrics = {}
    for name, metric in METRICS.items():
        value = metric.corpus_score(translations, [references]).score
        metrics[name] = {"score": round(value, 2), "signature": str(metric.get_signature())}
    return Scores(
        sentences=len(pairs),
        loss=round(loss, 4),
        metrics=metrics,
        empty=sum(not fingerprint(t) for t in translations),
        loops=sum(has_loop(t) and not has_loop(p.malay) for t, p in zip(translations, pairs, strict=True)),
        copies=sum(is_copy(t, p) for t, p in zip(translations, pairs, strict=True)),
    )


def has_loop(text: str) -> bool:
    """Whether one to four words stand four times running."""
    return _LOOP.search(text) is not None


def is_copy(translation: str, pair: Pair) -> bool:
    """Whether the translation is English given back, and the reference is not."""
    if len(translation.split()) < 4:
        return False
    return shared(translation, pair.english) >= 0.8 > shared(pair.malay, pair.english)


def shared(text: str, other: str) -> float:
    """The share of the words of a text that stand in another."""
    words, others = Counter(text.casefold().split()), Counter(other.casefold().split())
    return (words & others).total() / max(1, words.total())


def evaluate(directory: Path, file: Path, forms: Sequence[Form] = ()) -> tuple[Scores, list[Pair], list[str]]:
    """Scores of a checkpoint on a TSV test set, its pairs and their translations, which are those of float32.

    Raises CheckpointError, OSError, ValueError.
    """
    pairs = read_test_set(file)
    english = [pair.english for pair in pairs]
    model, tokenizer = load_checkpoint(directory)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    translations = list(Translator(model, tokenizer, form="float32").translate_lines(english))
    scores = score(translations, pairs, mean_loss(model, batches(model, tokenizer, pairs)))
    return replace(scores, forms={form: _chrf(directory, form, pairs) for form in forms}), pairs, translations


def _chrf(directory: Path, form: Form, pairs: list[Pair]) -> float:
    translator = Translator.load(directory, form=form)
    if form == "int8":  # is for sentences by themselves
        translations = [translator.translate(pair.english) for pair in pairs]
    else:
        translations = list(translator.translate_lines(pair.english for pair in pairs))
    return round(METRICS["chrf"].corpus_score(translations, [[pair.malay for pair in pairs]]).score, 2)


def batches(model: Transformer, tokenizer: Tokenizer, pairs: list[Pair]) -> Iterator[Batch]:
    """The pairs, those of like length together, without the few that are longer than the model's positions."""
    src = tokenizer.encode_batch([pair.english for pair in pairs])
    tgt = tokenizer.encode_batch([pair.malay for pair in pairs])
    longest = model.config.max_length - 8  # [CLS] or [SEP], and batches are padded to a grid of widths
    fit = [sides for sides in zip(src, tgt, strict=True) if max(map(len, sides)) <= longest]
    fit.sort(key=lambda sides: len(sides[1]))
    for start in range(0, len(fit), SENTENCES_PER_BATCH):
        yield batch_of(fit[start : start + SENTENCES_PER_BATCH])


def write_scores(directory: Path, results: dict[str, Scores]) -> None:
    """Adds the scores of these test sets to the checkpoint's scores.json, with the command that makes them.

    Paths in the command are relative to here; of what lies elsewhere only the name is written down.
    """
    whole = directory.resolve()
    shown = whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole.name
    path = directory / "scores.json"
    scores = json.loads(path.read_text()) if path.is_file() else {}
    for name, result in results.items():
        forms = f" --forms {' '.join(result.forms)}" if result.forms else ""
        scores[name] = {"command": f"python -m train.evaluate {shown} {name}.tsv{forms}", **asdict(result)}
    path.write_text(json.dumps(scores, indent=1) + "\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="checkpoint directory or Hub repo")
    parser.add_argument("tests", type=Path, nargs="+", metavar="TEST.tsv")
    parser.add_argument("--write", action="store_true", help="put the figures into the checkpoint's scores.json")
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=[], help="also the chrF of these forms")
    parser.add_argument("--translations", type=Path, help="write English, reference and translation here, as TSV")
    options = parser.parse_args(arguments)
    results = {}
    try:
        directory = find_checkpoint(options.checkpoint)
        if options.write and not Path(options.checkpoint).is_dir():
            raise ValueError(f"--write needs a checkpoint directory, and {options.checkpoint} is a Hub repo.")
        rows = []
        for file in options.tests:
            results[file.stem], pairs, translations = evaluate(directory, file, options.forms)
            print(f"{file.stem}: {results[file.stem].line}", flush=True)
            rows += [f"{p.english}\t{p.malay}\t{t}\n" for p, t in zip(pairs, translations, strict=True)]
        if options.translations:
            options.translations.write_text("".join(rows), encoding="utf-8")
        if options.write:
            write_scores(directory, results)
    except (CheckpointError, OSError, ValueError) as error:
        print(f"train.evaluate: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
