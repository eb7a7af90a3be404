"""From source ids to target ids: greedy decoding, which takes the likeliest token at every step.

Speaks ids only; text is the translator's. One loop serves a single sentence that streams to a page and a batch of many:
the encoder runs once, each step decodes one position against the cache, and sentences leave the batch as they end.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from malaygpt.model import Transformer
from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID

SENTENCES_PER_BATCH = 64


@dataclass(frozen=True)
class Step:
    """One step of a batch from which finished sentences have left; b of them remain."""

    rows: Tensor
    """(b,): which sentence of the batch each entry belongs to"""
    ids: Tensor
    """(b,): the token chosen for it"""
    log_probs: Tensor
    """(b,): the natural logarithm of the token's probability among those that may be said"""


@dataclass(frozen=True)
class Hypothesis:
    """One finished translation."""

    ids: tuple[int, ...]
    """Target tokens, [SEP] left out"""
    log_prob: float
    """Sum over the tokens, [SEP] included"""
    complete: bool
    """Whether it ended with [SEP], and not at the length bound"""


def length_bound(src_length: int, max_length: int) -> int:
    """Most tokens a translation may have: a model that loops must stop, one that needs room must have it."""
    return min(2 * src_length + 16, max_length)


@torch.inference_mode()
def greedy(model: Transformer, sources: list[list[int]]) -> Iterator[Step]:
    """Decodes sources (token ids, neither [CLS] nor [SEP]) together; yields each step as soon as it is known.

    A sentence ends with [SEP] or at its length bound. Raises ValueError for an empty source or one that is longer than
    the model's table of positions.
    """
    if not all(sources):
        raise ValueError("A source without tokens cannot be translated.")
    device = model.embedding.weight.device
    src = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor([*source, SEP_ID]) for source in sources], batch_first=True, padding_value=PAD_ID
    ).to(device)
    bounds = torch.tensor([length_bound(len(source), model.config.max_length) for source in sources], device=device)
    src_mask = model.padding_mask(src)
    cache = model.start(model.encode(src, src_mask), src_mask)
    rows = torch.arange(len(sources), device=device)
    ids = torch.full_like(rows, CLS_ID)
    for length in range(1, int(bounds.max()) + 1):
        logits, cache = model.step(ids.unsqueeze(1), cache)
        logits[:, :SEP_ID] = -math.inf  # [PAD], [UNK] and [CLS] are not text
        log_probs, ids = logits.float().log_softmax(-1).max(-1)
        yield Step(rows, ids, log_probs)
        going = (ids != SEP_ID) & (bounds[rows] > length)
        if not going.any():
            return
        if not going.all():
            rows, ids, cache = rows[going], ids[going], cache.select(going)


def greedy_batch(model: Transformer, sources: list[list[int]]) -> list[Hypothesis]:
    """The greedy translation of every source, in their order; sources of like length are decoded together."""
    hypotheses: list[Hypothesis | None] = [None] * len(sources)
    by_length = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    for start in range(0, len(by_length), SENTENCES_PER_BATCH):
        chosen = by_length[start : start + SENTENCES_PER_BATCH]
        ids: list[list[int]] = [[] for _ in chosen]
        log_probs = [0.0] * len(chosen)
        for step in greedy(model, [sources[i] for i in chosen]):
            for row, token, log_prob in zip(
                step.rows.tolist(), step.ids.tolist(), step.log_probs.tolist(), strict=True
            ):
                ids[row].append(token)
                log_probs[row] += log_prob
        for i, tokens, log_prob in zip(chosen, ids, log_probs, strict=True):
            complete = tokens[-1] == SEP_ID
            hypotheses[i] = Hypothesis(tuple(tokens[:-1] if complete else tokens), log_prob, complete)
    return hypotheses
