"""Scores of a checkpoint on test sets (last stage but one), measured on what a visitor would read.

    python -m train.evaluate CHECKPOINT TEST.tsv [TEST.tsv ...] [--peers] [--against OTHER] [--forms FORM ...] [--write]
    python -m train.evaluate CHECKPOINT RUN/packed

A test set has English and Malay in two columns, and perhaps the name of each pair's source in a third; a packed corpus
stands for the pairs held out of it. BLEU, chrF and chrF++ come with their sacreBLEU signatures, and by length of the
English and by source. Beside them stand the loss and the counts of what must not happen: empty output, loops, and
English given back as Malay. All are of the model itself, in float32 and without a shortlist; --forms gives the chrF of
the fast forms of malaygpt.engine, from which a visitor's translation comes. --peers puts published systems beside the
checkpoint, --against says whether it differs from another by more than chance (train.bootstrap), and --write puts the
figures into the checkpoint's scores.json.
"""

import argparse
import copy
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import sacrebleu
import torch

from malaygpt.checkpoint import TOKENIZER, CheckpointError, load_checkpoint, load_shortlist
from malaygpt.hub import find_checkpoint
from malaygpt.linear import FORMS, Form
from malaygpt.model import Transformer
from malaygpt.tokenizer import Tokenizer
from malaygpt.translator import Translator
from train.batch import Batch, batch_of
from train.bootstrap import differences_table, paired_bootstrap
from train.corpus import Pair, fingerprint, read_test_set
from train.loss import mean_loss
from train.packed import PackedPairs
from train.peers import peers_table
from train.tables import table

METRICS = {
    "bleu": sacrebleu.BLEU(),
    "chrf": sacrebleu.CHRF(),
    "chrf++": sacrebleu.CHRF(word_order=2),
}
_LOOP = re.compile(r"(?<!\w)(\w+(?:\W+\w+){0,3})(?:\W+\1){3}(?!\w)", re.IGNORECASE)
SENTENCES_PER_BATCH = 32
LENGTH_RANGES = ("0-9", "10-19", "20-29", "30-39", "40+")
"""Words of the English, ten to a range"""
HELD_OUT = "validation"


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
    by_length: dict[str, dict[str, float]] = field(default_factory=dict)
    """For each of LENGTH_RANGES that occurs: sentences, bleu, chrf"""
    by_source: dict[str, dict[str, float]] = field(default_factory=dict)
    """The same for each source, the largest first; empty when all pairs are of one"""

    @property
    def line(self) -> str:
        metrics = ", ".join(f"{name} {metric['score']:.1f}" for name, metric in self.metrics.items())
        counts = f"{self.empty} empty, {self.loops} loops, {self.copies} copies in {self.sentences}"
        forms = "".join(f", {form} chrf {chrf:.2f}" for form, chrf in self.forms.items())
        return f"{metrics}, loss {self.loss:.3f}; {counts}{forms}"


def score(translations: list[str], pairs: list[Pair], loss: float) -> Scores:
    """The figures of these translations of pairs."""
    metrics = {
        name: {"score": corpus_score(name, translations, pairs), "signature": str(metric.get_signature())}
        for name, metric in METRICS.items()
    }
    by_source = _by_part(translations, pairs, [pair.source for pair in pairs])
    by_length = _by_part(translations, pairs, [length_range(pair.english) for pair in pairs])
    return Scores(
        sentences=len(pairs),
        loss=round(loss, 4),
        metrics=metrics,
        empty=sum(not fingerprint(t) for t in translations),
        loops=sum(has_loop(t) and not has_loop(p.malay) for t, p in zip(translations, pairs, strict=True)),
        copies=sum(is_copy(t, p) for t, p in zip(translations, pairs, strict=True)),
        by_length={name: by_length[name] for name in LENGTH_RANGES if name in by_length},
        by_source=dict(sorted(by_source.items(), key=lambda part: -part[1]["sentences"])) if len(by_source) > 1 else {},
    )


def corpus_score(metric: str, translations: Sequence[str], pairs: Sequence[Pair]) -> float:
    """One of METRICS, over all the translations of pairs, to two digits"""
    return round(METRICS[metric].corpus_score(translations, [[pair.malay for pair in pairs]]).score, 2)


def _by_part(translations: list[str], pairs: list[Pair], parts: list[str]) -> dict[str, dict[str, float]]:
    """The figures of each part; `parts` says which one each pair belongs to."""
    members: dict[str, list[int]] = {}
    for i, part in enumerate(parts):
        members.setdefault(part, []).append(i)
    figures = {}
    for part, indices in members.items():
        chosen = [translations[i] for i in indices], [pairs[i] for i in indices]
        figures[part] = {"sentences": len(indices), **{name: corpus_score(name, *chosen) for name in ("bleu", "chrf")}}
    return figures


def length_range(text: str) -> str:
    """Which of LENGTH_RANGES a text's number of words is in"""
    return LENGTH_RANGES[min(len(text.split()) // 10, len(LENGTH_RANGES) - 1)]


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


class Candidate:
    """A checkpoint to be scored, read once."""

    def __init__(self, directory: Path) -> None:
        """Raises CheckpointError."""
        self._stored, self._tokenizer = load_checkpoint(directory, dtype=None)
        self._shortlist = load_shortlist(directory, self._stored.config.vocab_size)
        self._stored.to("cuda" if torch.cuda.is_available() else "cpu")
        self._model = copy.deepcopy(self._stored).float()

    @property
    def num_parameters(self) -> int:
        return self._model.num_parameters

    def translate(self, pairs: list[Pair]) -> list[str]:
        """The Malay of each pair's English, by the model itself"""
        return list(Translator(self._model, self._tokenizer, form="float32").translate_lines(p.english for p in pairs))

    def loss(self, pairs: list[Pair]) -> float:
        """Cross-entropy in nats a target token"""
        return mean_loss(self._model, batches(self._model, self._tokenizer, pairs))

    def chrf(self, form: Form, pairs: list[Pair]) -> float:
        """chrF as a visitor has it in this form, with the weights as stored and the shortlist, if there is one"""
        translator = Translator(self._stored, self._tokenizer, self._shortlist, form)
        if form == "int8":  # is for sentences by themselves
            translations = [translator.translate(pair.english) for pair in pairs]
        else:
            translations = list(translator.translate_lines(pair.english for pair in pairs))
        return corpus_score("chrf", translations, pairs)

    def scores(self, pairs: list[Pair], forms: Sequence[Form] = ()) -> tuple[Scores, list[str]]:
        """All figures on these pairs, and their translations, which are those of `translate`."""
        translations = self.translate(pairs)
        scores = score(translations, pairs, self.loss(pairs))
        return replace(scores, forms={form: self.chrf(form, pairs) for form in forms}), translations


def evaluate(directory: Path, file: Path, forms: Sequence[Form] = ()) -> tuple[Scores, list[Pair], list[str]]:
    """Scores of a checkpoint on a test set, its pairs and their translations, which are those of float32.

    Raises CheckpointError, OSError, ValueError.
    """
    pairs = read_pairs(file)
    scores, translations = Candidate(directory).scores(pairs, forms)
    return scores, pairs, translations


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a TSV test set, or those held out of a packed corpus. Raises OSError, ValueError."""
    if not path.is_dir():
        return read_test_set(path)
    packed, tokenizer = PackedPairs(path / HELD_OUT), Tokenizer.load(path / TOKENIZER)
    sources = [packed.sources[number]["name"] for number in packed.source_ids]
    return [
        Pair(source, tokenizer.decode(packed.src(i)), tokenizer.decode(packed.tgt(i)))
        for i, source in enumerate(sources)
    ]


def name_of(test: Path) -> str:
    """What a test set is called in tables and in scores.json"""
    return HELD_OUT if test.is_dir() else test.stem


def batches(model: Transformer, tokenizer: Tokenizer, pairs: list[Pair]) -> Iterator[Batch]:
    """The pairs, those of like length together, without the few that are longer than the model's positions."""
    src = tokenizer.encode_batch([pair.english for pair in pairs])
    tgt = tokenizer.encode_batch([pair.malay for pair in pairs])
    longest = model.config.max_length - 8  # [CLS] or [SEP], and batches are padded to a grid of widths
    fit = [sides for sides in zip(src, tgt, strict=True) if max(map(len, sides)) <= longest]
    fit.sort(key=lambda sides: len(sides[1]))
    for start in range(0, len(fit), SENTENCES_PER_BATCH):
        yield batch_of(fit[start : start + SENTENCES_PER_BATCH])


def write_scores(directory: Path, results: dict[str, Scores], repo: str | None = None) -> None:
    """Adds the scores of these test sets to the checkpoint's scores.json, with the command that makes them.

    Paths in the command are relative to here; of what lies elsewhere only the name is written down. A checkpoint that
    goes to the Hub is called by its `repo`.
    """
    whole = directory.resolve()
    shown = repo or (whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole.name)
    path = directory / "scores.json"
    scores = json.loads(path.read_text()) if path.is_file() else {}
    for name, result in results.items():
        forms = f" --forms {' '.join(result.forms)}" if result.forms else ""
        test = "RUN/packed" if name == HELD_OUT else f"{name}.tsv"
        scores[name] = {"command": f"python -m train.evaluate {shown} {test}{forms}", **asdict(result)}
    path.write_text(json.dumps(scores, indent=1) + "\n")


def parts_table(name: str, parts: dict[str, dict[str, float]]) -> str:
    """Scores.by_length or .by_source, in Markdown"""
    rows = ((part, f"{s['sentences']:,}", f"{s['bleu']:.1f}", f"{s['chrf']:.1f}") for part, s in parts.items())
    return table((name, "sentences", "BLEU", "chrF"), rows)


def sets_table(results: dict[str, Scores]) -> str:
    """The metrics of all test sets, in Markdown as the README has them"""
    rows = (
        (name, *(f"{metric['score']:.1f}" for metric in result.metrics.values()), f"{result.sentences:,}")
        for name, result in results.items()
    )
    return table(("test set", "BLEU", "chrF", "chrF++", "sentences"), rows)


def report(name: str, scores: Scores) -> str:
    """What is printed of a test set: the line of figures, then the tables"""
    parts = [f"{name}: {scores.line}", parts_table("English words", scores.by_length)]
    if scores.by_source:
        parts.append(parts_table("source", scores.by_source))
    return "\n\n".join(parts) + "\n"


def peers_report(name: str, scores: Scores, num_parameters: int) -> str:
    """What --peers prints of a test set"""
    ours = {metric: value["score"] for metric, value in scores.metrics.items()}
    return (peers_table(name, ours, num_parameters) or f"No published figures are known for {name}.") + "\n"


def against_report(name: str, translations: list[str], other: Candidate, pairs: list[Pair]) -> str:
    """What --against prints of a test set"""
    differences = paired_bootstrap(translations, other.translate(pairs), [pair.malay for pair in pairs], METRICS)
    return f"{name}, paired bootstrap:\n\n{differences_table(differences)}\n"


def run(options: argparse.Namespace) -> None:
    """Scores and prints each test set in turn, then writes what was asked for. Raises as `evaluate` does."""
    directory = find_checkpoint(options.checkpoint)
    if options.write and not Path(options.checkpoint).is_dir():
        raise ValueError(f"--write needs a checkpoint directory, and {options.checkpoint} is a Hub repo.")
    if len({*map(name_of, options.tests)}) < len(options.tests):
        raise ValueError("Two of the test sets have the same name; score them one by one.")
    candidate = Candidate(directory)
    other = Candidate(find_checkpoint(options.against)) if options.against else None
    results, rows = {}, []
    for test in options.tests:
        name, pairs = name_of(test), read_pairs(test)
        results[name], translations = candidate.scores(pairs, options.forms)
        print(report(name, results[name]), flush=True)
        if options.peers:
            print(peers_report(name, results[name], candidate.num_parameters), flush=True)
        if other:
            print(against_report(name, translations, other, pairs), flush=True)
        rows += [f"{p.english}\t{p.malay}\t{t}\n" for p, t in zip(pairs, translations, strict=True)]
    if len(results) > 1:
        print(sets_table(results) + "\n")
    for name, metric in METRICS.items():
        print(f"{name}: {metric.get_signature()}")
    if options.translations:
        options.translations.write_text("".join(rows), encoding="utf-8")
    if options.write:
        write_scores(directory, results)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="checkpoint directory or Hub repo")
    parser.add_argument("tests", type=Path, nargs="+", metavar="TEST.tsv", help="test set, or a packed corpus")
    parser.add_argument("--write", action="store_true", help="put the figures into the checkpoint's scores.json")
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=[], help="also the chrF of these forms")
    parser.add_argument("--translations", type=Path, help="write English, reference and translation here, as TSV")
    parser.add_argument("--peers", action="store_true", help="print published systems beside this checkpoint")
    parser.add_argument("--against", metavar="OTHER", help="compare with another checkpoint by paired bootstrap")
    try:
        run(parser.parse_args(arguments))
    except (CheckpointError, OSError, ValueError) as error:
        print(f"train.evaluate: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
