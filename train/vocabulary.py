"""The tokenizer, and the corpus turned into token ids once and for all (second stage of training).

    python -m train.vocabulary RUN/corpus --out RUN/packed --size 8192

Out come `tokenizer.json` and, for `train` and `validation`, arrays of token ids (see `train.packed`).
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from malaygpt.tokenizer import SPECIAL_TOKENS, Tokenizer
from train.packed import pack

SPLITS = ("train", "validation")
SMALLEST = len(SPECIAL_TOKENS) + 256
LARGEST = 2**16


def read_pairs(file: Path) -> Iterator[tuple[str, str, str]]:
    """(source, english, malay) of every line of a corpus file."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield tuple(json.loads(line))


def sentences(file: Path) -> Iterator[str]:
    """Every sentence of a corpus file, English and Malay alike."""
    for _, english, malay in read_pairs(file):
        yield english
        yield malay


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.vocabulary", description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="directory that train.corpus wrote")
    parser.add_argument("--out", type=Path, required=True, help="directory to write")
    parser.add_argument("--size", type=int, default=8192, help="tokens in the vocabulary")
    parser.add_argument("--max-length", type=int, default=128, help="longest side to keep, in tokens")
    parser.add_argument("--tokenizer", type=Path, help="use this tokenizer.json instead of training one")
    options = parser.parse_args(arguments)
    if not SMALLEST <= options.size <= LARGEST:
        parser.error(f"--size must be from {SMALLEST} (the bytes and the special tokens) to {LARGEST} (16-bit ids)")
    missing = [
        str(options.corpus / f"{split}.jsonl") for split in SPLITS if not (options.corpus / f"{split}.jsonl").is_file()
    ]
    if missing:
        print(f"train.vocabulary: no {', '.join(missing)}; run train.corpus first.", file=sys.stderr)
        return 2

    options.out.mkdir(parents=True, exist_ok=True)
    if options.tokenizer:
        tokenizer = Tokenizer.load(options.tokenizer)
    else:
        tokenizer = Tokenizer.train(sentences(options.corpus / "train.jsonl"), options.size)
    tokenizer.save(options.out / "tokenizer.json")
    shutil.copyfile(options.corpus / "report.json", options.out / "corpus.json")
    tiers = json.loads((options.out / "corpus.json").read_text())["tiers"]
    for split in SPLITS:
        pairs = read_pairs(options.corpus / f"{split}.jsonl")
        report = pack(pairs, tokenizer, options.out / split, options.max_length, tiers)
        print(f"{split}: {report}")
    print(f"vocabulary: {tokenizer.vocab_size:,} tokens")
    return 0


if __name__ == "__main__":
    sys.exit(main())
