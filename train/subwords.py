"""Words in other pieces than usual, at random, while training: a cousin of BPE-dropout (Provilkov et al., 2020).

A model that has seen "memakan" as mem|akan and as me|makan too knows more of what its parts are. BPE-dropout leaves
merges out while a text is tokenised; here merges are undone on packed ids: a token falls back into the two that it was
merged from with a probability, and so do these. It needs no text, takes microseconds for a batch, and the same
generator gives the same pieces again, so that a resumed run goes on as it would have.
"""

import numpy as np

from malaygpt.tokenizer import Tokenizer


class MergeDropout:
    """Undoes merges with probability p."""

    def __init__(self, tokenizer: Tokenizer, p: float) -> None:
        self.p = p
        self._halves = np.zeros((tokenizer.vocab_size, 2), np.uint16)
        """(V, 2); zeros, which are [PAD], for tokens that were not merged"""
        for whole, parts in tokenizer.halves().items():
            self._halves[whole] = parts

    def __call__(self, ids: np.ndarray, longest: int, rng: np.random.Generator) -> np.ndarray:
        """Token ids of one sentence (n,) -> ids of the same text (at least n,). Unchanged when it would be longer than
        `longest`."""
        split, undone = ids, self._undone(ids, rng)
        while undone.any():
            counts = 1 + undone
            starts = np.cumsum(counts) - counts
            pieces = np.repeat(split, counts)
            left, right = self._halves[split[undone]].T
            pieces[starts[undone]], pieces[starts[undone] + 1] = left, right
            # Only what has just fallen into two may fall further.
            fresh = np.repeat(undone, counts)
            split, undone = pieces, self._undone(pieces, rng) & fresh
        return split if len(split) <= longest else ids

    def _undone(self, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return (self._halves[ids, 0] > 0) & (rng.random(len(ids)) < self.p)
