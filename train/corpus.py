"""Sentence pairs, read, cleaned, kept clear of the evaluation sets, and split (first stage of training).

    python -m train.corpus DATA [DATA ...] --out RUN/corpus --exclude EVAL.tsv [EVAL.tsv ...]
    python -m train.corpus DATA [DATA ...] --out REVERSE/corpus --exclude EVAL.tsv [EVAL.tsv ...] --reverse

DATA is a directory of `source.tsv[.gz]` files with English and Malay in two columns, one such file, or a data set on
the Hugging Face Hub such as `Helsinki-NLP/opus-100:en-ms`, which is the default. Beside the TSV files a `sources.tsv`
may give each source a tier (columns `source` and `tier`), which `train.fit --weight` can then name. Pairs of the tier
`synthetic` (train.synthesize) are taken where no real pair has their sentences, and are never held out.

Out come `train.jsonl`, `validation.jsonl` ([source, english, malay] a line) and `report.json`, which counts what was
dropped and why. Bad lines never stop a run; too many of them are seen in the report.

With --reverse the same pairs are written with their sides swapped, for a model from Malay to English: all further
stages take Malay for English then, and `train.evaluate CHECKPOINT REVERSE/packed` scores it. The evaluation sets are
given as they are and all the same: what the reversed model translates is to be trained on.
"""

import argparse
import csv
import gzip
import hashlib
import json
import sys
import unicodedata
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

DEFAULT_DATASET = "Helsinki-NLP/opus-100:en-ms"
TIERS = "sources.tsv"
TSV = (".tsv", ".tsv.gz")
SYNTHETIC = "synthetic"
"""Tier of the sources that have one side from a model"""


@dataclass(frozen=True)
class Pair:
    """One sentence in both languages and the name of the source it came from."""

    source: str
    english: str
    malay: str


@dataclass(frozen=True)
class CleaningRules:
    """What a pair must satisfy to be trained on."""

    max_chars: int = 600
    """Longest side, in characters."""
    max_ratio: float = 3.0
    """Longest side over shortest, in characters, for pairs of more than `ratio_from` characters."""
    ratio_from: int = 20
    min_letters: float = 0.3
    """Least share of letters among the characters that are not spaces, on both sides."""

    def fault(self, pair: Pair) -> str | None:
        """Why the pair is not fit for training, in a word or two; None when it is."""
        shortest, longest = sorted((len(pair.english), len(pair.malay)))
        if shortest == 0:
            return "empty side"
        if longest > self.max_chars:
            return "too long"
        if longest > self.ratio_from and longest > self.max_ratio * shortest:
            return "lengths differ"
        is_label = len(pair.english.split()) <= 3
        if pair.english == pair.malay and not is_label:
            return "untranslated"
        if min(letter_share(pair.english), letter_share(pair.malay)) < self.min_letters:
            return "few letters"
        if pair.english[0].isupper() and pair.malay[0].islower() and not is_label:
            return "case differs"
        if "\ufffd" in pair.english or "\ufffd" in pair.malay:
            return "broken characters"
        return None


def letter_share(text: str) -> float:
    """Letters and combining marks over all characters that are not spaces."""
    visible = [c for c in text if not c.isspace()]
    return sum(unicodedata.category(c)[0] in "LM" for c in visible) / max(1, len(visible))


def clean(text: str) -> str:
    """NFC, one space between words, no control characters; what a sentence looks like when nothing is odd about it."""
    text = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text))
    return " ".join(text.split())


def fingerprint(text: str) -> str:
    """What is left of a sentence without case, spaces and punctuation: equal for two that differ in these alone."""
    return "".join(c for c in unicodedata.normalize("NFC", text).casefold() if c.isalnum())


@dataclass(frozen=True)
class Source:
    """Where pairs come from."""

    name: str
    place: Path | str
    """A TSV file, or a data set on the Hub"""
    tier: str | None = None

    def read(self, faults: Counter) -> Iterator[Pair]:
        """Its pairs, as they stand; what cannot be read is counted as faults."""
        if isinstance(self.place, str):
            yield from read_hub_dataset(self.place, faults)
            return
        with open_tsv(self.place) as lines:
            yield from read_tsv(self.name, lines, faults)


def find_sources(data: Iterable[str]) -> list[Source]:
    """The sources of directories, TSV files and Hub data sets, the synthetic ones last.

    Raises FileNotFoundError, and ValueError when one name stands for sources of two tiers.
    """
    sources = [source for place in data for source in _sources_at(place)]
    tiers: dict[str, str | None] = {}
    for source in sources:
        if tiers.setdefault(source.name, source.tier) != source.tier:
            raise ValueError(f"Two sources of different tiers are called {source.name}; rename the file of one.")
    return sorted(sources, key=lambda source: source.tier == SYNTHETIC)


def _sources_at(place: str) -> list[Source]:
    """The sources of one place, in order of file name"""
    path = Path(place)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.name.endswith(TSV) and file.name != TIERS)
        if not files:
            raise FileNotFoundError(f"{path} holds no .tsv or .tsv.gz file of English-Malay pairs.")
    elif path.is_file():
        files = [path]
    elif place.endswith(TSV):
        raise FileNotFoundError(f"There is no file {path}.")
    else:
        return [Source(place.partition(":")[0], place)]
    tiers = read_tiers(files[0].parent)
    return [Source(source_name(file), file, tiers.get(source_name(file))) for file in files]


def source_name(file: Path) -> str:
    """What the pairs of a TSV file are called"""
    return file.name.split(".tsv")[0]


def open_tsv(file: Path) -> BinaryIO:
    """Opens a file to be read by the line, gzipped or not."""
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")


def read_tsv(
    source: str, lines: Iterable[bytes], faults: Counter, num_columns: tuple[int, ...] = (2,)
) -> Iterator[Pair]:
    """Pairs of one file, as they stand. A third column, where `num_columns` allows one, names the pair's own source.

    Quotes are literal: a reader that believes in quoting loses lines after one.
    """
    try:
        for line in lines:
            try:
                columns = line.decode("utf-8").rstrip("\r\n").split("\t")
            except UnicodeDecodeError:
                faults[source, "not UTF-8"] += 1
                continue
            if len(columns) not in num_columns:
                faults[source, "not two columns"] += 1
                continue
            english, malay, *named = columns
            yield Pair(next(filter(None, named), source), english, malay)
    except (EOFError, OSError, zlib.error) as error:  # a truncated or damaged gzip: keep what came before
        faults[source, f"file damaged ({error})"] += 1


def read_hub_dataset(name: str, faults: Counter) -> Iterator[Pair]:
    """Pairs of a translation data set on the Hub, given as `repo` or `repo:configuration`."""
    import datasets

    repo, _, configuration = name.partition(":")
    for row in datasets.load_dataset(repo, configuration or None, split="train"):
        translation = row.get("translation") or {}
        if not isinstance(translation.get("en"), str) or not isinstance(translation.get("ms"), str):
            faults[repo, "not an en-ms pair"] += 1
            continue
        yield Pair(repo, translation["en"], translation["ms"])


def read_tiers(directory: Path) -> dict[str, str]:
    """Source to tier, from the directory's sources.tsv; empty where there is none."""
    table = directory / TIERS
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["source"]: row["tier"] for row in rows if row.get("source") and row.get("tier")}


def read_test_set(file: Path) -> list[Pair]:
    """All pairs of an evaluation set: English, Malay and, where there is a third column, the name of the source.

    Raises FileNotFoundError or, when a line of it cannot be read, ValueError.
    """
    if not file.is_file():
        raise FileNotFoundError(f"There is no test set {file}.")
    faults: Counter = Counter()
    with open_tsv(file) as lines:
        pairs = list(read_tsv(file.stem, lines, faults, num_columns=(2, 3)))
    if faults or not pairs:
        found = ", ".join(f"{fault} {count}" for (_, fault), count in faults.items()) or "it is empty"
        raise ValueError(f"{file} is not a test set of English and Malay in two columns: {found}.")
    return pairs


def excluded_fingerprints(files: Iterable[Path]) -> set[str]:
    """Fingerprints of every sentence, of either language, in the evaluation sets. Raises as `read_test_set` does."""
    pairs = [pair for file in files for pair in read_test_set(file)]
    return {fingerprint(side) for pair in pairs for side in (pair.english, pair.malay)} - {""}


def usable_pairs(
    pairs: Iterable[Pair],
    excluded: set[str],
    faults: Counter,
    synthetic: Collection[str] = (),
    rules: CleaningRules = CleaningRules(),
) -> Iterator[Pair]:
    """The pairs to train on: clean, new, and in no evaluation set. All others are counted in `faults`.

    Those of `synthetic` sources come last, and are new when no real pair has a sentence of theirs.
    """
    seen: set[bytes] = set()
    real: set[bytes] = set()
    for raw in pairs:
        pair = Pair(raw.source, clean(raw.english), clean(raw.malay))
        sides = english, malay = fingerprint(pair.english), fingerprint(pair.malay)
        key = _digest(f"{english}\t{malay}")
        fault = rules.fault(pair)
        if fault is None and (english in excluded or malay in excluded):
            fault = "in an evaluation set"
        if fault is None and key in seen:
            fault = "duplicate"
        if fault is None and pair.source in synthetic and not real.isdisjoint(map(_digest, sides)):
            fault = "in a real pair"
        if fault is not None:
            faults[pair.source, fault] += 1
            continue
        seen.add(key)
        if synthetic and pair.source not in synthetic:
            real.update(map(_digest, sides))
        yield pair


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def split(
    pairs: list[Pair], num_validation: int, min_words: int, faults: Counter, synthetic: Collection[str] = ()
) -> tuple[list[Pair], list[Pair]]:
    """Training and validation pairs, which share no sentence of either language.

    Validation is about num_validation pairs, chosen by a hash of their English, of at least min_words English words:
    single words and labels say little about translation. None of them is of a `synthetic` source, and they are the same
    without those. What would stand on both sides is counted in `faults`.
    """
    sentences = [pair for pair in pairs if pair.source not in synthetic and len(pair.english.split()) >= min_words]
    share = num_validation / max(1, len(sentences))
    validation = [pair for pair in sentences if _fraction(pair.english) < share]
    held_out = {fingerprint(side) for pair in validation for side in (pair.english, pair.malay)}
    chosen = set(validation)
    train = []
    for pair in pairs:
        if fingerprint(pair.english) not in held_out and fingerprint(pair.malay) not in held_out:
            train.append(pair)
        elif pair not in chosen:
            faults[pair.source, "held out for validation"] += 1
    return train, validation


def _fraction(text: str) -> float:
    """From 0 to 1, evenly spread, always the same for the same text."""
    digest = hashlib.blake2b(fingerprint(text).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def build(
    data: Sequence[str], out: Path, exclude: list[Path], num_validation: int, min_words: int, reverse: bool = False
) -> dict:
    """Runs the stage and returns its report, which also stands in `out/report.json`."""
    faults: Counter = Counter()
    excluded = excluded_fingerprints(exclude)
    sources = find_sources(data)
    synthetic = {source.name for source in sources if source.tier == SYNTHETIC}
    pairs = tqdm(
        (pair for source in sources for pair in source.read(faults)), desc="corpus", unit=" pairs", disable=None
    )
    kept = list(usable_pairs(pairs, excluded, faults, synthetic))
    num_real = sum(pair.source not in synthetic for pair in kept)
    train, validation = split(kept, min(num_validation, num_real // 10), min_words, faults, synthetic)
    out.mkdir(parents=True, exist_ok=True)
    for name, chosen in (("train", train), ("validation", validation)):
        with (out / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for pair in chosen:
                sides = (pair.malay, pair.english) if reverse else (pair.english, pair.malay)
                file.write(json.dumps([pair.source, *sides], ensure_ascii=False) + "\n")

    dropped: dict[str, dict[str, int]] = {}
    for (source, fault), count in sorted(faults.items()):
        dropped.setdefault(source, {})[fault] = count
    report = {
        "data": " ".join(data),
        "reversed": reverse,
        "excluded": [file.name for file in exclude],
        "tiers": {source.name: source.tier for source in sources if source.tier},
        "train": dict(Counter(pair.source for pair in train)),
        "validation": dict(Counter(pair.source for pair in validation)),
        "dropped": dropped,
    }
    (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False))
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.corpus", description=__doc__.splitlines()[0])
    parser.add_argument(
        "data", nargs="*", default=[DEFAULT_DATASET], help="directory of TSV files, TSV file, or Hub data set[:config]"
    )
    parser.add_argument("--out", type=Path, required=True, help="directory to write")
    parser.add_argument("--exclude", type=Path, nargs="*", default=[], help="TSV evaluation sets to stay clear of")
    parser.add_argument("--num-validation", type=int, default=2000, help="pairs to hold out, about; at most a tenth")
    parser.add_argument("--min-words", type=int, default=4, help="fewest English words of a held-out pair")
    parser.add_argument("--reverse", action="store_true", help="write Malay first, for a model from Malay to English")
    options = parser.parse_args(arguments)
    try:
        report = build(
            options.data, options.out, options.exclude, options.num_validation, options.min_words, options.reverse
        )
    except (OSError, ValueError) as error:
        print(f"train.corpus: {error}", file=sys.stderr)
        return 2
    dropped = Counter()
    for faults in report["dropped"].values():
        dropped.update(faults)
    print(f"train {sum(report['train'].values()):,} pairs, validation {sum(report['validation'].values()):,}")
    print("dropped: " + (", ".join(f"{fault} {count:,}" for fault, count in dropped.most_common()) or "none"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
