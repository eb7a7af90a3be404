"""The tokenizer, and the corpus turned into token ids once and for all (second stage of training).

    python -m train.vocabulary RUN/corpus --out RUN/packed --size 8192
    python -m train.vocabulary RUN/corpus --out RUN/packed --tokenizer CHECKPOINT/tokenizer.json

A run that is to begin with the weights of a checkpoint (train.fit --start-from) needs its tokenizer, the second form.
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
    try:
        build(options.corpus, options.out, options.size, options.max_length, options.tokenizer)
    except (OSError, ValueError) as error:
        print(f"train.vocabulary: {error}", file=sys.stderr)
        return 2
    return 0


def build(corpus: Path, out: Path, size: int, max_length: int, ready_made: Path | None) -> None:
    """Runs the stage, with a new tokenizer of `size` tokens or a ready-made one. Raises OSError, ValueError."""
    files = {split: corpus / f"{split}.jsonl" for split in SPLITS}
    if missing := [str(file) for file in files.values() if not file.is_file()]:
        raise FileNotFoundError(f"There is no {' nor '.join(missing)}; run train.corpus first.")
    tokenizer = Tokenizer.load(ready_made) if ready_made else Tokenizer.train(sentences(files["train"]), size)
    if tokenizer.vocab_size > LARGEST:
        raise ValueError(f"{ready_made} has {tokenizer.vocab_size:,} tokens; packed ids hold {LARGEST:,} at most.")
    out.mkdir(parents=True, exist_ok=True)
    if ready_made:
        (out / "tokenizer.json").write_bytes(ready_made.read_bytes())  # saved anew, its bytes could be others
    else:
        tokenizer.save(out / "tokenizer.json")
    shutil.copyfile(corpus / "report.json", out / "corpus.json")
    tiers = json.loads((out / "corpus.json").read_text())["tiers"]
    for split, file in files.items():
        print(f"{split}: {pack(read_pairs(file), tokenizer, out / split, max_length, tiers)}")
    print(f"vocabulary: {tokenizer.vocab_size:,} tokens")


if __name__ == "__main__":
    sys.exit(main())
