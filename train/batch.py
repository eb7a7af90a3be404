"""Pairs to tensors: what the model reads and what it is asked to say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID
from train.packed import PackedPairs, padded_length


@dataclass(frozen=True)
class Batch:
    """Ids on one device, padded on the right with [PAD]."""

    src: Tensor
    """(B, S): the English, then [SEP]"""
    tgt: Tensor
    """(B, T): [CLS], then the Malay: what the decoder has read"""
    labels: Tensor
    """(B, T): the Malay, then [SEP]: what it should say next"""

    @property
    def num_tokens(self) -> int:
        """Target tokens to be predicted, padding left out"""
        return int((self.labels != PAD_ID).sum())

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(t.to(device) for t in (self.src, self.tgt, self.labels)))


def collate(pairs: PackedPairs, indices: np.ndarray) -> Batch:
    """The batch of these pairs."""
    return batch_of([(pairs.src(i), pairs.tgt(i)) for i in indices])


def batch_of(sides: Iterable[tuple[Sequence[int], Sequence[int]]]) -> Batch:
    """The batch of (English ids, Malay ids), neither with special tokens."""
    src, tgt = zip(*sides, strict=True)
    return Batch(
        pad([[*ids, SEP_ID] for ids in src]), pad([[CLS_ID, *ids] for ids in tgt]), pad([[*ids, SEP_ID] for ids in tgt])
    )


def pad(rows: list[list[int]]) -> Tensor:
    """Lists of ids to (B, N), N the longest, rounded up to the grid of widths"""
    width = padded_length(np.array(max(map(len, rows))))
    padded = np.full((len(rows), width), PAD_ID, np.int64)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return torch.from_numpy(padded)
