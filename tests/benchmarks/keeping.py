"""How often what must come through a translation does: links, numbers, names, emoji and their like, by kind.

    python -m tests.benchmarks.keeping [--checkpoint X] [--test-set TEST.tsv ...] [--show]

tests/data/keeping.tsv has a sentence a line: its kind, the sentence, and in the further columns the spans that must
stand in the translation as they stand in the English. A sentence is kept when all of its spans are there, each as often
as it is listed and none as part of a longer number or word. "Before" is the model alone, "after" with guard.py.

With --test-set (English and Malay in two columns, as train.evaluate reads them) chrF is measured with and without, to
see that the guards do no harm. --show prints the sentences that are not kept.
"""

import argparse
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

from malaygpt.translator import Translator

DATA = Path(__file__).resolve().parent.parent / "data" / "keeping.tsv"


@dataclass(frozen=True)
class Example:
    """A sentence, and what must come out as it went in."""

    kind: str
    sentence: str
    spans: tuple[str, ...]

    def is_kept(self, translation: str) -> bool:
        return all(count(span, translation) >= number for span, number in Counter(self.spans).items())


def read_examples(path: Path = DATA) -> list[Example]:
    """Raises ValueError for a line whose spans do not stand in its sentence."""
    examples = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        kind, sentence, *spans = line.split("\t")
        example = Example(kind, sentence, tuple(spans))
        if not spans or not example.is_kept(sentence):
            raise ValueError(f"{path}, line {number}: every span must stand in the sentence.")
        examples.append(example)
    return examples


def count(span: str, text: str) -> int:
    """How often the span stands in the text and is not part of a longer number or word."""
    before = r"(?<!\d)" if span[0].isdigit() else r"(?<![^\W\d_])" if span[0].isalpha() else ""
    after = r"(?!\d|[.,]\d)" if span[-1].isdigit() else r"(?![^\W\d_])" if span[-1].isalpha() else ""
    return len(re.findall(f"{before}{re.escape(span)}{after}", text))


def show_table(examples: list[Example], before: list[bool], after: list[bool]) -> None:
    kinds = dict.fromkeys(example.kind for example in examples)
    print("| kind | sentences | kept before | kept after |\n|---|---|---|---|")
    for kind in [*kinds, "all"]:
        chosen = [i for i, example in enumerate(examples) if kind in (example.kind, "all")]
        print(f"| {kind} | {len(chosen)} | {sum(before[i] for i in chosen)} | {sum(after[i] for i in chosen)} |")


def show_harm(file: Path, alone: Translator, guarded: Translator) -> None:
    # Only here: scoring is part of training's requirements.
    import sacrebleu

    from train.corpus import read_test_set

    pairs = read_test_set(file)
    references = [[pair.malay for pair in pairs]]
    without, having = (list(t.translate_lines(pair.english for pair in pairs)) for t in (alone, guarded))
    before, after = (sacrebleu.CHRF().corpus_score(malay, references).score for malay in (without, having))
    changed = sum(a != b for a, b in zip(without, having, strict=True))
    print(f"{file.stem}: chrF {before:.2f} before, {after:.2f} after; {changed} of {len(pairs)} sentences differ")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.keeping", description="How often spans come through."
    )
    parser.add_argument("--checkpoint", help="checkpoint directory or Hub repo; default the embedded one")
    parser.add_argument("--test-set", type=Path, nargs="*", default=[], metavar="TEST.tsv")
    parser.add_argument("--show", action="store_true", help="print the sentences that are not kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    examples = read_examples()
    sentences = [example.sentence for example in examples]
    alone = Translator.load(options.checkpoint, guarded=False)
    guarded = Translator.load(options.checkpoint)
    translations = list(guarded.translate_lines(sentences))
    before = [e.is_kept(t) for e, t in zip(examples, alone.translate_lines(sentences), strict=True)]
    after = [e.is_kept(t) for e, t in zip(examples, translations, strict=True)]
    show_table(examples, before, after)
    for example, translation, kept in zip(examples, translations, after, strict=True):
        if options.show and not kept:
            print(f"{example.kind}: {example.sentence}\n    {translation}")
    for file in options.test_set:
        show_harm(file, alone, guarded)
    return 0


if __name__ == "__main__":
    sys.exit(main())
