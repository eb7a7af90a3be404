"""Text of one language and its translation, as pairs to train on (before train.corpus).

    python -m train.synthesize CHECKPOINT MONO.tsv[.gz] --out DIR/NAME.tsv.gz
    python -m train.synthesize CHECKPOINT MONO.tsv[.gz] --out DIR/NAME.tsv.gz --direction forward

Back-translation (Sennrich et al., 2016): MONO is Malay as people write it and CHECKPOINT translates it to English, as
a model trained on `train.corpus --reverse` does. Forward-translation: MONO is English, and CHECKPOINT is of the usual
kind. MONO has a sentence a line, perhaps after the name of its source and a tab.

What is likely to be a bad translation is left out; Filter says what. DIR then is data for train.corpus beside the real:
its sources.tsv gives NAME the tier `synthetic`, and train.vocabulary tags its pairs. Evaluation sentences and what real
pairs have already are left out there.

All translations are kept in DIR/NAME.translations, to which they are added a part at a time. The same command goes on
after the last whole part, to the same result; with other filters it chooses anew and translates nothing.
"""

import argparse
import gzip
import hashlib
import json
import re
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from malaygpt.checkpoint import CheckpointError, load_checkpoint
from malaygpt.decode import ROWS_PER_BATCH, Hypothesis, SearchOptions, search_batch
from malaygpt.engine import Engine, FlatEngine, best_forms
from malaygpt.files import fingerprint
from malaygpt.hub import find_checkpoint
from malaygpt.linear import FORMS, Form
from malaygpt.tokenizer import Tokenizer
from malaygpt.translator import MAX_SOURCE_TOKENS
from train.corpus import SYNTHETIC, TIERS, TSV, Pair, clean, open_tsv, read_tiers, source_name
from train.evaluate import has_loop, is_copy
from train.state import flush, write_atomically

LINES_PER_PART = 4096
ROWS_PER_GPU_BATCH = 1024
JOB = "job.json"
DIRECTIONS = "back", "forward"
_REPEATED = re.compile(r"\b([^\W\d]+) \1\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
LARGEST_NUMBER_WORD = 12
"""Numbers up to it are as often written in words as in digits."""


class Row(NamedTuple):
    """What became of a line of MONO."""

    sentence: str
    translation: str
    log_prob: float
    """Natural logarithm, mean over the tokens of the translation"""
    fault: str | None
    """Why there is no translation, in a few words"""


@dataclass(frozen=True)
class Filter:
    """What a translation must satisfy to be trained on."""

    least_log_prob: float = -0.65
    """Least mean log-probability of its tokens, in nats"""
    min_ratio: float = 0.6
    """Least English words over Malay words, one added to each"""
    max_ratio: float = 1.8
    """Most of the same"""

    def fault(self, row: Row, direction: str) -> str | None:
        """Why a row is no pair to train on, in a few words; None when it is."""
        if row.fault:
            return row.fault
        if row.log_prob < self.least_log_prob:
            return "unlikely"
        english, malay = sides(row, direction)
        if not self.min_ratio <= (len(english.split()) + 1) / (len(malay.split()) + 1) <= self.max_ratio:
            return "lengths differ"
        if is_copy(row.translation, Pair("", row.sentence, "")):  # without a reference that could be a copy too
            return "copied"
        if has_loop(row.translation) and not has_loop(row.sentence):
            return "loop"
        if _REPEATED.search(row.translation) and not _REPEATED.search(row.sentence):
            return "repeated word"
        if numbers(row.sentence) != numbers(row.translation):
            return "numbers differ"
        return None


@dataclass(frozen=True)
class Job:
    """All that the translations depend on."""

    checkpoint: str
    """`fingerprint` of it"""
    text: str
    """SHA-256 of MONO's lines"""
    num_lines: int
    form: Form
    """Of the engine"""
    rows_at_once: int
    """Hypotheses decoded together"""
    min_words: int
    """Shorter sentences are not translated."""
    search: SearchOptions

    @property
    def num_parts(self) -> int:
        return -(-self.num_lines // LINES_PER_PART)


def numbers(text: str) -> set[int]:
    """The larger numbers that are written in digits, marks between them left out: 1,500 and 1.500 are the same"""
    return {int(digits) for n in _NUMBER.findall(text) if int(digits := re.sub(r"\D", "", n)) > LARGEST_NUMBER_WORD}


def sides(row: Row, direction: str) -> tuple[str, str]:
    """English and Malay"""
    return (row.translation, row.sentence) if direction == "back" else (row.sentence, row.translation)


def read_lines(file: Path) -> Iterator[bytes]:
    """The lines of a file, gzipped or not. Raises OSError, and ValueError when a gzip is damaged."""
    try:
        with open_tsv(file) as lines:
            yield from lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{file} is damaged ({error}); fetch it again.") from error


def read_sentence(line: bytes, min_words: int) -> tuple[str, str | None]:
    """The sentence of a line, and why it is not to be translated, if it is not"""
    try:
        columns = line.decode("utf-8").split("\t")
    except UnicodeDecodeError:
        return "", "not UTF-8"
    if len(columns) > 2:
        return "", "more than two columns"
    sentence = clean(columns[-1])
    return sentence, "too few words" if len(sentence.split()) < min_words else None


class Backend:
    """A checkpoint as it translates for a job."""

    def __init__(self, engine: Engine, tokenizer: Tokenizer, job: Job) -> None:
        self._engine, self._tokenizer, self._job = engine, tokenizer, job
        self._most_tokens = min(MAX_SOURCE_TOKENS, engine.max_length - 1)
        self._at_once = max(1, job.rows_at_once // job.search.num_beams)

    def translate(self, number: int, lines: list[bytes], report: Callable[[int], None]) -> list[Row]:
        """A row for each line of this part; `report` is told of how many more lines are done."""
        read = [read_sentence(line, self._job.min_words) for line in lines]
        ids = self._tokenizer.encode_batch([sentence for sentence, _ in read])
        rows = {i: Row(sentence, "", 0.0, fault or "too long") for i, (sentence, fault) in enumerate(read)}
        chosen = [i for i, (_, fault) in enumerate(read) if not fault and len(ids[i]) <= self._most_tokens]
        chosen.sort(key=lambda i: len(ids[i]))
        report(len(lines) - len(chosen))
        for start in range(0, len(chosen), self._at_once):
            batch = chosen[start : start + self._at_once]
            options = self._options(number * LINES_PER_PART + start)
            found = search_batch(self._engine, [ids[i] for i in batch], options, at_once=self._at_once)
            for i, (best, *_) in zip(batch, found, strict=True):
                rows[i] = self._row(read[i][0], best)
            report(len(batch))
        return [rows[i] for i in range(len(lines))]

    def _options(self, place: int) -> SearchOptions:
        """Those of the job; samples of each batch are drawn by a seed of its own, or all would be drawn alike."""
        seed = np.random.SeedSequence([self._job.search.seed, place]).generate_state(1).item()
        return replace(self._job.search, seed=seed >> 5)  # 27 bits are what is left for it in torch's generator

    def _row(self, sentence: str, best: Hypothesis) -> Row:
        if not best.complete:
            return Row(sentence, "", 0.0, "without an end")
        translation = clean(self._tokenizer.decode(best.ids))
        return Row(sentence, translation, round(best.log_prob / len(best.tokens), 4), None)


def begin(folder: Path, job: Job) -> None:
    """Makes the directory of a job's translations. Raises ValueError when it holds those of another."""
    description = json.dumps(asdict(job), indent=1) + "\n"
    if (folder / JOB).is_file():
        if (folder / JOB).read_text() != description:
            raise ValueError(
                f"{folder} was begun with another checkpoint, text or option; give that, or delete it to begin again."
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / JOB, description)


def part_name(number: int) -> str:
    return f"{number:06d}.jsonl"


def translate(mono: Path, folder: Path, job: Job, backend: Backend) -> None:
    """Translates what is not in the folder yet, and writes it there a part at a time."""
    first = next((n for n in range(job.num_parts) if not (folder / part_name(n)).is_file()), job.num_parts)
    done = min(first * LINES_PER_PART, job.num_lines)
    lines = islice(read_lines(mono), done, None)
    with tqdm(total=job.num_lines, initial=done, desc="translating", unit=" sentences", disable=None) as bar:
        for number in range(first, job.num_parts):
            rows = backend.translate(number, list(islice(lines, LINES_PER_PART)), bar.update)
            write_atomically(folder / part_name(number), "".join(json.dumps(row) + "\n" for row in rows))


def read_rows(folder: Path, num_parts: int) -> Iterator[Row]:
    """All rows of a finished job, in the order of its text"""
    for number in range(num_parts):
        with (folder / part_name(number)).open() as lines:
            for line in lines:
                yield Row(*json.loads(line))


def choose(rows: Iterable[Row], rules: Filter, direction: str, faults: Counter) -> Iterator[tuple[str, str]]:
    """(english, malay) of the rows that pass; the others are counted in `faults`."""
    for row in rows:
        if fault := rules.fault(row, direction):
            faults[fault] += 1
        else:
            yield sides(row, direction)


def write_pairs(pairs: Iterable[tuple[str, str]], out: Path) -> int:
    """Writes a TSV file, gzipped if its name says so, in one act; returns how many pairs."""
    partial, count = out.with_name(out.name + ".partial"), 0
    with partial.open("wb") as file:
        packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if out.suffix == ".gz" else nullcontext(file)
        with packed as lines:
            for english, malay in pairs:
                lines.write(f"{english}\t{malay}\n".encode())
                count += 1
    flush(partial)
    partial.replace(out)
    return count


def mark_synthetic(out: Path) -> None:
    """Has the sources.tsv beside a file say that its tier is `synthetic`. Raises ValueError when it says otherwise."""
    table, name = out.parent / TIERS, source_name(out)
    tier = read_tiers(out.parent).get(name)
    if tier == SYNTHETIC:
        return
    text = table.read_text(encoding="utf-8") if table.is_file() else "source\ttier\n"
    columns = text.partition("\n")[0].split("\t")
    if tier or not {"source", "tier"} <= {*columns}:
        raise ValueError(f"{table} has {name} in tier {tier}, or no such columns; choose a --out in another directory.")
    row = {"source": name, "tier": SYNTHETIC}
    write_atomically(table, text.rstrip("\n") + "\n" + "\t".join(row.get(column, "") for column in columns) + "\n")


def synthesize(options: argparse.Namespace) -> None:
    """Runs the stage. Raises CheckpointError, OSError, ValueError."""
    out, rules = options.out, Filter(options.least_log_prob, options.min_ratio, options.max_ratio)
    if not out.name.endswith(TSV) or out.name == TIERS:
        raise ValueError(f"--out is {out}; it must end in .tsv or .tsv.gz, and not be {TIERS}.")
    folder = out.parent / f"{source_name(out)}.translations"
    if out.exists() and not folder.is_dir():
        raise ValueError(f"{out} exists and was not made here; choose another --out.")
    directory, device = find_checkpoint(options.checkpoint), "cuda" if torch.cuda.is_available() else "cpu"
    model, tokenizer = load_checkpoint(directory, dtype=None)
    model.to(device)
    form = options.form or best_forms(torch.device(device))[1]
    search = SearchOptions(
        num_beams=options.num_beams, temperature=options.temperature, top_k=options.top_k, seed=options.seed
    )
    rows_at_once = options.rows_at_once or (ROWS_PER_BATCH if device == "cpu" else ROWS_PER_GPU_BATCH)
    digest, num_lines = hashlib.sha256(), 0
    for line in read_lines(options.mono):
        digest.update(line)
        num_lines += 1
    job = Job(fingerprint(directory), digest.hexdigest(), num_lines, form, rows_at_once, options.min_words, search)
    begin(folder, job)
    mark_synthetic(out)  # before there is a file that could be taken for real pairs
    translate(options.mono, folder, job, Backend(FlatEngine(model, form), tokenizer, job))
    faults: Counter = Counter()
    count = write_pairs(choose(read_rows(folder, job.num_parts), rules, options.direction, faults), out)
    print(f"{out}: {count:,} pairs of {num_lines:,} lines")
    print("dropped: " + (", ".join(f"{fault} {n:,}" for fault, n in faults.most_common()) or "none"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="checkpoint directory or Hub repo")
    parser.add_argument("mono", type=Path, metavar="MONO.tsv", help="a sentence a line, perhaps after its source")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR/NAME.tsv.gz", help="file of pairs to write")
    parser.add_argument("--direction", choices=DIRECTIONS, default="back", help="MONO is Malay (back) or English")
    rules = Filter()
    parser.add_argument(
        "--least-log-prob",
        type=float,
        default=rules.least_log_prob,
        help="of a token, on average, in nats; samples have lower ones (default %(default)s)",
    )
    words = "English words over Malay words"
    parser.add_argument("--min-ratio", type=float, default=rules.min_ratio, help=f"least {words} (default %(default)s)")
    parser.add_argument("--max-ratio", type=float, default=rules.max_ratio, help=f"most {words} (default %(default)s)")
    parser.add_argument("--min-words", type=int, default=4, help="of a sentence to be translated (default %(default)s)")
    parser.add_argument("--num-beams", type=int, default=1, help="1 is greedy (default %(default)s)")
    parser.add_argument("--temperature", type=float, help="sample with logits divided by this")
    parser.add_argument("--top-k", type=int, default=0, help="sample from so many tokens; 0 from all")
    parser.add_argument("--seed", type=int, default=1, help="of samples (default %(default)s)")
    parser.add_argument("--form", choices=FORMS, help="arithmetic; without it, the fastest here")
    parser.add_argument("--rows-at-once", type=int, help="hypotheses decoded together, if memory allows more or fewer")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.synthesize", description=__doc__.splitlines()[0])
    add_arguments(parser)
    options = parser.parse_args(arguments)
    if options.rows_at_once is not None and options.rows_at_once < 1:
        parser.error("--rows-at-once must be at least 1")
    try:
        synthesize(options)
    except (CheckpointError, OSError, ValueError) as error:
        print(f"train.synthesize: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
