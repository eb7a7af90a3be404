"""Which Malay tokens each English token may need: the shortlist that spares decoding most of its projection.

    python -m train.shortlist RUN/packed

Counted by IBM Model 1 (Brown et al., 1993): every token of a source, and an empty one, competes to explain every token
of its target, and a few rounds of expectation and maximisation settle who translates whom. Written beside the packed
pairs, from where it goes with the run into the published checkpoint.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from malaygpt.checkpoint import save_shortlist
from malaygpt.engine import Shortlist
from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID, SPECIAL_TOKENS, Tokenizer
from train.packed import PackedPairs

EMPTY_ID = CLS_ID
"""Stands before every source, and explains what no word of it does"""
NUM_ROUNDS = 4
NUM_BYTES = 256
"""The tokens that follow the special ones: a byte each, so that anything can be spelled"""
PAIRS_AT_ONCE = 512


def learn_shortlist(pairs: PackedPairs, vocab_size: int, num_candidates: int = 32, num_common: int = 1200) -> Shortlist:
    """From aligned pairs: so many candidates for each source token, and so many tokens for all sources.

    Common are those that are most often needed where no token of the source has them among its candidates: parts of
    names and of long words. Takes 8 bytes times the square of vocab_size: half a gigabyte for 8,192 tokens.
    """
    table = torch.ones(vocab_size, vocab_size)
    for _ in tqdm(range(NUM_ROUNDS), "aligning", unit="round"):
        counts = torch.zeros_like(table)
        for src, tgt in _batches(pairs):
            _count(table, counts, src, tgt)
        table = counts.div_(counts.sum(1, keepdim=True).clamp_min(1e-9))
    values, candidates = table.topk(min(num_candidates, vocab_size))
    candidates[values == 0] = SEP_ID  # never seen beside it: nothing is known, and [SEP] is allowed anyway
    spelled = torch.arange(SEP_ID, len(SPECIAL_TOKENS) + NUM_BYTES)
    misses, missed = _count_missed(Shortlist(spelled, candidates), pairs).topk(min(num_common, vocab_size))
    return Shortlist(torch.cat([spelled, missed[misses > 0]]).unique(), candidates)


def _count_missed(shortlist: Shortlist, pairs: PackedPairs) -> Tensor:
    """(V,): how often each token is in a target and not allowed by its source"""
    missed = torch.zeros(len(shortlist.candidates), dtype=torch.long)
    for src, tgt in _batches(pairs):
        allowed = shortlist.allowed(src[:, 1:], None)  # without EMPTY_ID
        missed += torch.bincount(tgt[~allowed.gather(1, tgt)], minlength=len(missed))
    missed[PAD_ID] = 0
    return missed


def _batches(pairs: PackedPairs) -> Iterator[tuple[Tensor, Tensor]]:
    """Sources (B, S), EMPTY_ID before each, and targets (B, T), padded; those of like length together."""
    order = np.lexsort((pairs.tgt_lengths, pairs.src_lengths))
    for start in range(0, len(order), PAIRS_AT_ONCE):
        chosen = order[start : start + PAIRS_AT_ONCE]
        src = [torch.tensor([EMPTY_ID, *pairs.src(i).tolist()]) for i in chosen]
        tgt = [torch.tensor(pairs.tgt(i).tolist(), dtype=torch.long) for i in chosen]
        yield pad_sequence(src, True, PAD_ID), pad_sequence(tgt, True, PAD_ID)


def _count(table: Tensor, counts: Tensor, src: Tensor, tgt: Tensor) -> None:
    """Adds to counts (V, V) how much of each target token each source token explains, by the table (V, V) so far."""
    links = src.unsqueeze(2) * len(table) + tgt.unsqueeze(1)  # (B, S, T)
    is_link = (src != PAD_ID).unsqueeze(2) & (tgt != PAD_ID).unsqueeze(1)
    weights = table.view(-1)[links] * is_link
    weights /= weights.sum(1, keepdim=True).clamp_min(1e-9)
    counts.view(-1).index_add_(0, links.flatten(), weights.flatten())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.shortlist", description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path, help="directory that train.vocabulary wrote")
    parser.add_argument("--candidates", type=int, default=32, help="target tokens for each source token")
    parser.add_argument("--common", type=int, default=1200, help="target tokens for every source")
    options = parser.parse_args(arguments)
    if options.candidates < 1 or options.common < 1:
        parser.error("--candidates and --common must be at least 1")
    try:
        vocab_size = Tokenizer.load(options.packed / "tokenizer.json").vocab_size
        pairs = PackedPairs(options.packed / "train")
        shortlist = learn_shortlist(pairs, vocab_size, options.candidates, options.common)
        save_shortlist(options.packed, shortlist)
    except (OSError, ValueError) as error:
        print(f"train.shortlist: {error}", file=sys.stderr)
        return 2
    src = [torch.tensor([[*pairs.src(i).tolist(), SEP_ID]]) for i in range(min(1000, len(pairs)))]
    sizes = [shortlist.allowed(ids, None).sum().item() for ids in src]
    print(f"shortlist: {np.mean(sizes):,.0f} of {vocab_size:,} tokens for a sentence, on average")
    return 0


if __name__ == "__main__":
    sys.exit(main())
