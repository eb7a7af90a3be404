"""Token ids of sentence pairs, packed once into flat arrays and memory-mapped ever after.

A corpus may so be larger than memory, every process shares one copy, and a batch is gathered without touching text.
A packed directory holds `{src,tgt}_ids.npy` (uint16, all sentences end to end), `{src,tgt}_offsets.npy` (int64, where
each begins, and the end) and `source_ids.npy` (uint16, which source a pair came from, an index into `sources.json`).
"""

import fnmatch
import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from malaygpt.tokenizer import UNK_ID, Tokenizer
from train.corpus import SYNTHETIC

TAG_ID = UNK_ID
"""Begins the source of a synthetic pair, so that the model can tell (Caswell et al., 2019, "Tagged Back-Translation").
Text never becomes this token, so that it stands for nothing else."""
CHUNK = 8192
"""Pairs tokenised at a time, so that the cores have work and memory stays small."""


def pack(
    pairs: Iterable[tuple[str, str, str]], tokenizer: Tokenizer, out: Path, max_length: int, tiers: dict[str, str]
) -> str:
    """Tokenises (source, english, malay) triples into `out`; drops those over max_length. Returns a line of report.

    The English of sources of the tier `synthetic` begins with TAG_ID.
    """
    out.mkdir(parents=True, exist_ok=True)
    ids: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    lengths: tuple[list[int], list[int]] = ([], [])
    source_ids: list[int] = []
    names: dict[str, int] = {}
    num_long = 0
    pairs = iter(pairs)
    while chunk := list(islice(pairs, CHUNK)):
        sources, english, malay = zip(*chunk, strict=True)
        encoded = zip(tokenizer.encode_batch(list(english)), tokenizer.encode_batch(list(malay)), strict=True)
        for name, (src, tgt) in zip(sources, encoded, strict=True):
            sides = [TAG_ID, *src] if tiers.get(name) == SYNTHETIC else src, tgt
            if max(map(len, sides)) > max_length:
                num_long += 1
                continue
            source_ids.append(names.setdefault(name, len(names)))
            for side, side_ids in enumerate(sides):
                ids[side].append(np.array(side_ids, np.uint16))
                lengths[side].append(len(side_ids))
    for side, name in enumerate(("src", "tgt")):
        np.save(out / f"{name}_ids.npy", np.concatenate(ids[side] or [np.empty(0, np.uint16)]))
        np.save(out / f"{name}_offsets.npy", np.cumsum([0, *lengths[side]], dtype=np.int64))
    np.save(out / "source_ids.npy", np.array(source_ids, np.uint16))
    (out / "sources.json").write_text(json.dumps([{"name": name, "tier": tiers.get(name)} for name in names], indent=1))
    return f"{len(source_ids):,} pairs, {sum(lengths[0]):,} + {sum(lengths[1]):,} tokens, {num_long:,} too long"


class PackedPairs:
    """A packed directory, memory-mapped. Lengths are in tokens and do not count [CLS] and [SEP]."""

    def __init__(self, directory: Path) -> None:
        """Raises FileNotFoundError when the directory was not packed."""
        if not (directory / "sources.json").is_file():
            raise FileNotFoundError(f"{directory} holds no packed pairs; run train.vocabulary first.")

        def mapped(name: str) -> np.ndarray:
            return np.load(directory / f"{name}.npy", mmap_mode="r")

        self._ids = mapped("src_ids"), mapped("tgt_ids")
        self._offsets = mapped("src_offsets"), mapped("tgt_offsets")
        self.source_ids = mapped("source_ids")
        self.sources: list[dict[str, str | None]] = json.loads((directory / "sources.json").read_text())
        self.src_lengths = np.diff(self._offsets[0])
        self.tgt_lengths = np.diff(self._offsets[1])

    def __len__(self) -> int:
        return len(self.source_ids)

    @property
    def longest(self) -> int:
        """Tokens of the longest sentence of either language"""
        return int(max(self.src_lengths.max(initial=0), self.tgt_lengths.max(initial=0)))

    def src(self, index: int) -> np.ndarray:
        """English token ids of a pair"""
        return self._side(0, index)

    def tgt(self, index: int) -> np.ndarray:
        """Malay token ids of a pair"""
        return self._side(1, index)

    def _side(self, side: int, index: int) -> np.ndarray:
        start, end = self._offsets[side][index : index + 2]
        return self._ids[side][start:end]

    def weights(self, rules: Iterable[str]) -> np.ndarray:
        """How often an epoch takes each pair, (num_pairs,): 1, or what the last rule that fits its source says.

        A rule is `pattern=weight`; the pattern is a source's name or `tierN`, with * and ?.
        Raises ValueError for a rule that cannot be read or fits no source.
        """
        by_source = np.ones(len(self.sources))
        for rule in rules:
            pattern, _, weight = rule.rpartition("=")
            fits = [any(fnmatch.fnmatch(n, pattern) for n in (s["name"], f"tier{s['tier']}")) for s in self.sources]
            if not any(fits):
                raise ValueError(
                    f"--weight {rule}: no source is called {pattern!r}; there are "
                    f"{', '.join(s['name'] for s in self.sources)}."
                )
            try:
                by_source[fits] = float(weight)
            except ValueError:
                raise ValueError(
                    f"--weight {rule}: write it as pattern=number, such as tier1=2 or ted_*=0.5."
                ) from None
        if (by_source < 0).any():
            raise ValueError("--weight: a weight cannot be negative.")
        return by_source[self.source_ids]


def padded_length(lengths: np.ndarray) -> np.ndarray:
    """Lengths rounded up to the grid of widths that batches have.

    On the CPU, code is generated for every new shape of a matrix product, which costs as much as the product itself.
    With few widths the shapes recur, for a little more padding.
    """
    grid = np.select([lengths <= 32, lengths <= 64], [2, 4], 8)
    return lengths + -lengths % grid


def plan_epoch(
    pairs: PackedPairs, weights: np.ndarray, tokens_per_batch: int, seed: int, epoch: int
) -> list[np.ndarray]:
    """The batches of an epoch, each an array of pair indices, at most tokens_per_batch tokens a side with padding.

    A pure function of its arguments: a resumed run finds the same batches, and knows where in them it was.
    Pairs are shuffled, sorted by length (stable, so that neighbours differ from epoch to epoch), cut, and the batches
    shuffled. Random batches would be mostly padding.
    """
    rng = np.random.default_rng([seed, epoch])
    copies = np.floor(weights + rng.random(len(weights))).astype(np.int64)  # 2.3 is two copies, three for 30 % of pairs
    order = rng.permutation(np.repeat(np.arange(len(pairs)), copies))
    tgt = padded_length(pairs.tgt_lengths[order] + 1)
    src = padded_length(pairs.src_lengths[order] + 1)
    by_length = np.lexsort((src, tgt))
    order, widths = order[by_length], np.maximum(src, tgt)[by_length]

    batches, start, widest = [], 0, 0
    for end, width in enumerate(widths.tolist()):
        widest = max(widest, width)
        # Whole eights of sentences, again so that shapes recur.
        if end - start >= max(1, tokens_per_batch // widest // 8 * 8 or tokens_per_batch // widest):
            batches.append(order[start:end])
            start, widest = end, width
    if start < len(order):
        batches.append(order[start:])
    return [batches[i] for i in rng.permutation(len(batches))]
