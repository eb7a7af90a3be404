"""Sentence pairs, read, cleaned, kept clear of the evaluation sets, and split (first stage of training).

    python -m train.corpus DATA --out RUN/corpus --exclude EVAL.tsv [EVAL.tsv ...]

DATA is a directory of `source.tsv[.gz]` files with English and Malay in two columns, or a data set on the Hugging Face
Hub such as `Helsinki-NLP/opus-100:en-ms`, which is the default. Beside the TSV files a `sources.tsv` may give each
source a tier (columns `source` and `tier`), which `train.fit --weight` can then name.

Out come `train.jsonl`, `validation.jsonl` ([source, english, malay] a line) and `report.json`, which counts what was
dropped and why. Bad lines never stop a run; too many of them are seen in the report.
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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

DEFAULT_DATASET = "Helsinki-NLP/opus-100:en-ms"


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
        if pair.english == pair.malay and len(pair.english.split()) > 3:
            return "untranslated"
        if min(letter_share(pair.english), letter_share(pair.malay)) < self.min_letters:
            return "few letters"
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


def read_tsv_directory(directory: Path, faults: Counter) -> Iterator[Pair]:
    """Pairs of every `*.tsv` and `*.tsv.gz`, in order of file name; lines without two columns are counted as faults."""
    files = sorted(f for f in directory.iterdir() if f.name.endswith((".tsv", ".tsv.gz")) and f.name != "sources.tsv")
    if not files:
        raise FileNotFoundError(f"{directory} holds no .tsv or .tsv.gz file of English-Malay pairs.")
    for file in files:
        source = file.name.split(".tsv")[0]
        with (gzip.open if file.suffix == ".gz" else open)(file, "rb") as lines:
            yield from read_tsv(source, lines, faults)


def read_tsv(source: str, lines: Iterable[bytes], faults: Counter) -> Iterator[Pair]:
    """Pairs of one file, as they stand. Quotes are literal: a reader that believes in quoting loses lines after one."""
    try:
        for line in lines:
            try:
                columns = line.decode("utf-8").rstrip("\r\n").split("\t")
            except UnicodeDecodeError:
                faults[source, "not UTF-8"] += 1
                continue
            if len(columns) != 2:
                faults[source, "not two columns"] += 1
                continue
            yield Pair(source, *columns)
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
    table = directory / "sources.tsv"
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["source"]: row["tier"] for row in rows if row.get("source") and row.get("tier")}


def read_test_set(file: Path) -> list[Pair]:
    """All pairs of an evaluation set. Raises FileNotFoundError or, when a line of it cannot be read, ValueError."""
    if not file.is_file():
        raise FileNotFoundError(f"There is no test set {file}.")
    faults: Counter = Counter()
    with (gzip.open if file.suffix == ".gz" else open)(file, "rb") as lines:
        pairs = list(read_tsv(file.stem, lines, faults))
    if faults or not pairs:
        found = ", ".join(f"{fault} {count}" for (_, fault), count in faults.items()) or "it is empty"
        raise ValueError(f"{file} is not a test set of English and Malay in two columns: {found}.")
    return pairs


def excluded_fingerprints(files: Iterable[Path]) -> set[str]:
    """Fingerprints of every sentence, of either language, in the evaluation sets. Raises as `read_test_set` does."""
    pairs = [pair for file in files for pair in read_test_set(file)]
    return {fingerprint(side) for pair in pairs for side in (pair.english, pair.malay)} - {""}


def usable_pairs(
    pairs: Iterable[Pair], excluded: set[str], faults: Counter, rules: CleaningRules = CleaningRules()
) -> Iterator[Pair]:
    """The pairs to train on: clean, new, and in no evaluation set. All others are counted in `faults`."""
    seen: set[bytes] = set()
    for raw in pairs:
        pair = Pair(raw.source, clean(raw.english), clean(raw.malay))
        english, malay = fingerprint(pair.english), fingerprint(pair.malay)
        key = hashlib.blake2b(f"{english}\t{malay}".encode(), digest_size=16).digest()
        fault = rules.fault(pair)
        if fault is None and (english in excluded or malay in excluded):
            fault = "in an evaluation set"
        if fault is None and key in seen:
            fault = "duplicate"
        if fault is not None:
            faults[pair.source, fault] += 1
            continue
        seen.add(key)
        yield pair


def split(pairs: list[Pair], num_validation: int, min_words: int, faults: Counter) -> tuple[list[Pair], list[Pair]]:
    """Training and validation pairs, which share no sentence of either language.

    Validation is about num_validation pairs, chosen by a hash of their English, of at least min_words English words:
    single words and labels say little about translation. What would stand on both sides is counted in `faults`.
    """
    sentences = [pair for pair in pairs if len(pair.english.split()) >= min_words]
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


def build(data: str, out: Path, exclude: list[Path], num_validation: int, min_words: int) -> dict:
    """Runs the stage and returns its report, which also stands in `out/report.json`."""
    directory = Path(data)
    faults: Counter = Counter()
    pairs = read_tsv_directory(directory, faults) if directory.is_dir() else read_hub_dataset(data, faults)
    tiers = read_tiers(directory) if directory.is_dir() else {}
    excluded = excluded_fingerprints(exclude)
    kept = list(usable_pairs(tqdm(pairs, desc="corpus", unit=" pairs", disable=None), excluded, faults))
    train, validation = split(kept, min(num_validation, len(kept) // 10), min_words, faults)
    out.mkdir(parents=True, exist_ok=True)
    for name, chosen in (("train", train), ("validation", validation)):
        with (out / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for pair in chosen:
                file.write(json.dumps([pair.source, pair.english, pair.malay], ensure_ascii=False) + "\n")

    dropped: dict[str, dict[str, int]] = {}
    for (source, fault), count in sorted(faults.items()):
        dropped.setdefault(source, {})[fault] = count
    report = {
        "data": data,
        "excluded": [file.name for file in exclude],
        "tiers": tiers,
        "train": dict(Counter(pair.source for pair in train)),
        "validation": dict(Counter(pair.source for pair in validation)),
        "dropped": dropped,
    }
    (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False))
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.corpus", description=__doc__.splitlines()[0])
    parser.add_argument(
        "data", nargs="?", default=DEFAULT_DATASET, help="directory of TSV files, or Hub data set[:config]"
    )
    parser.add_argument("--out", type=Path, required=True, help="directory to write")
    parser.add_argument("--exclude", type=Path, nargs="*", default=[], help="TSV evaluation sets to stay clear of")
    parser.add_argument("--num-validation", type=int, default=2000, help="pairs to hold out, about; at most a tenth")
    parser.add_argument("--min-words", type=int, default=4, help="fewest English words of a held-out pair")
    options = parser.parse_args(arguments)
    try:
        report = build(options.data, options.out, options.exclude, options.num_validation, options.min_words)
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
