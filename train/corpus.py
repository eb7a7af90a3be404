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
    return "".join(c for c in text.casefold() if c.isalnum())


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
    """Pairs of one file. Quotes are literal: a TSV reader that believes in quoting loses lines after a stray one."""
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
            yield Pair(source, clean(columns[0]), clean(columns[1]))
    except (EOFError, OSError) as error:  # a truncated or damaged gzip: keep what came before
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
        yield Pair(repo, clean(translation["en"]), clean(translation["ms"]))


def read_tiers(directory: Path) -> dict[str, str]:
    """Source to tier, from the directory's sources.tsv; empty where there is none."""
    table = directory / "sources.tsv"
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["source"]: row["tier"] for row in rows if row.get("source") and row.get("tier")}


def excluded_fingerprints(files: Iterable[Path]) -> set[str]:
    """Fingerprints of every sentence, of either language, in the evaluation sets."""
    prints = set()
    for file in files:
        with file.open("rb") as lines:
            for pair in read_tsv(file.name, lines, Counter()):
                prints |= {fingerprint(pair.english), fingerprint(pair.malay)}
    return prints - {""}


def usable_pairs(
    pairs: Iterable[Pair], excluded: set[str], faults: Counter, rules: CleaningRules = CleaningRules()
) -> Iterator[Pair]:
    """The pairs to train on: clean, new, and in no evaluation set. All others are counted in `faults`."""
    seen: set[bytes] = set()
    for pair in pairs:
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


def is_validation(pair: Pair, share: float) -> bool:
    """A fixed share of the pairs, chosen by their English, so that the same sentence never stands on both sides."""
    digest = hashlib.blake2b(fingerprint(pair.english).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def build(data: str, out: Path, exclude: list[Path], num_validation: int, min_words: int) -> dict:
    """Runs the stage and returns its report, which also stands in `out/report.json`."""
    directory = Path(data)
    faults: Counter = Counter()
    pairs = read_tsv_directory(directory, faults) if directory.is_dir() else read_hub_dataset(data, faults)
    tiers = read_tiers(directory) if directory.is_dir() else {}
    pairs = tqdm(pairs, desc="corpus", unit=" pairs", disable=None)
    kept = list(usable_pairs(pairs, excluded_fingerprints(exclude), faults))
    # Single words and labels say little about translation, so validation is made of sentences.
    sentences = sum(len(pair.english.split()) >= min_words for pair in kept)
    share = num_validation / max(1, sentences)

    out.mkdir(parents=True, exist_ok=True)
    counts = {"train": Counter(), "validation": Counter()}
    with (out / "train.jsonl").open("w") as train, (out / "validation.jsonl").open("w") as validation:
        for pair in kept:
            held_out = is_validation(pair, share)
            if held_out and len(pair.english.split()) < min_words:
                continue
            counts["validation" if held_out else "train"][pair.source] += 1
            line = json.dumps([pair.source, pair.english, pair.malay], ensure_ascii=False)
            (validation if held_out else train).write(line + "\n")

    dropped: dict[str, dict[str, int]] = {}
    for (source, fault), count in sorted(faults.items()):
        dropped.setdefault(source, {})[fault] = count
    report = {
        "data": data,
        "excluded": [file.name for file in exclude],
        "tiers": tiers,
        "train": dict(counts["train"]),
        "validation": dict(counts["validation"]),
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
    parser.add_argument("--num-validation", type=int, default=2000, help="about how many pairs to hold out")
    parser.add_argument("--min-words", type=int, default=4, help="fewest English words of a held-out pair")
    options = parser.parse_args(arguments)
    missing = [str(file) for file in options.exclude if not file.is_file()]
    if missing:
        parser.error(f"--exclude: no such file: {', '.join(missing)}")
    try:
        report = build(options.data, options.out, options.exclude, options.num_validation, options.min_words)
    except (FileNotFoundError, ConnectionError, ValueError) as error:
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
