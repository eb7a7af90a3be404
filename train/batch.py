"""Pairs to tensors: what the model reads and what it is asked to say."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID
from train.packed import PackedPairs, padded_length

T = TypeVar("T")
DEPTH = 2
"""Steps whose batches are prepared ahead on a GPU's host"""


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
        """On another device; the host does not wait for the copy of a pinned batch."""
        return Batch(*(t.to(device, non_blocking=True) for t in (self.src, self.tgt, self.labels)))

    def pinned(self) -> "Batch":
        """In memory that a GPU can read by itself"""
        return Batch(*(t.pin_memory() for t in (self.src, self.tgt, self.labels)))

    def without_labels(self) -> "Batch":
        """The same sentences with nothing to predict: a process without work takes part so, with gradients of zero."""
        return replace(self, labels=torch.full_like(self.labels, PAD_ID))


def collate(pairs: PackedPairs, indices: np.ndarray) -> Batch:
    """The batch of these pairs."""
    return batch_of([(pairs.src(i), pairs.tgt(i)) for i in indices])


def batch_of(sides: Iterable[tuple[Sequence[int], Sequence[int]]]) -> Batch:
    """The batch of (English ids, Malay ids), neither with special tokens."""
    src, tgt = zip(*sides, strict=True)
    return Batch(pad(src, after=SEP_ID), pad(tgt, before=CLS_ID), pad(tgt, after=SEP_ID))


def pad(rows: Sequence[Sequence[int]], before: int | None = None, after: int | None = None) -> Tensor:
    """Lists of ids, each with one special token, to (B, N); N is the longest, rounded up to the grid of widths"""
    lengths = np.array([[len(row)] for row in rows])  # (B, 1)
    columns = np.arange(padded_length(lengths.max() + 1))
    begin = 0 if before is None else 1
    padded = np.full((len(rows), len(columns)), PAD_ID, np.int64)
    padded[(begin <= columns) & (columns < lengths + begin)] = np.concatenate(rows, dtype=np.int64, casting="unsafe")
    if before is not None:
        padded[:, 0] = before
    if after is not None:
        np.put_along_axis(padded, lengths, after, axis=1)
    return torch.from_numpy(padded)


def prepared_ahead(make: Callable[[int], T], numbers: Iterable[int], prepare: Callable[[], None]) -> Iterator[T]:
    """`make` of every number in turn, by a thread that is DEPTH ahead of whoever asks; `prepare` is its first act."""
    with ThreadPoolExecutor(1, "batches", prepare) as thread:
        waiting = deque()
        for number in numbers:
            waiting.append(thread.submit(make, number))
            if len(waiting) > DEPTH:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
