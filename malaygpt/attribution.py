"""What each piece of a source, and each word said before, contributed to a word of its translation.

Attention says where a layer looked, which is not the same (Jain & Wallace, 2019). Here the model itself is asked, in
two ways, and answers in nats, positive for what made the word likelier:

- `occlude` reads the sentence again with one piece hidden, for each piece, and says how much likelier each token was
  with it (Zeiler & Fergus, 2014). One call speaks of every token of the translation.
- `integrate_gradients` goes from a sentence with everything hidden to the whole one in small steps and adds up what
  each piece moves on the way (Sundararajan et al., 2017). Its scores add up to the whole difference; they speak of one
  word, take longer, and fall on the word that was translated less often.

A piece is hidden by putting [UNK], which no text contains, in its place. The model is shared and only read: no
gradient is left on it, and many threads may ask at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from malaygpt.model import Transformer, causal_mask
from malaygpt.tokenizer import CLS_ID, UNK_ID

DIGITS = 3
"""Decimals of what browser code reads"""
POSITIONS_AT_ONCE = 1024
"""Target positions in one batch. Each has a logit for every token: 32 MB with a vocabulary of 8,192."""
NUM_STEPS = 16


@dataclass(frozen=True)
class Attribution:
    """Of one word of a translation, in nats; what is negative made it less likely."""

    source: Tensor
    """(S,), [SEP] included"""
    prefix: Tensor
    """(P,): the tokens of the translation before the word, [CLS] left out"""


@dataclass(frozen=True)
class Occlusion:
    """How much likelier each token of a translation was for what stood in each place: differences of log-probability,
    in nats. Row t speaks of token t, counted from zero after [CLS], as the rows of model.Attention do."""

    source: Tensor
    """(T, S), [SEP] included"""
    target: Tensor
    """(T, T): column j is token j of the translation. Nothing speaks for itself or for those before it: zero."""

    def of(self, first: int, last: int) -> Attribution:
        """Of the word that tokens first ... last - 1 make up. Raises ValueError if there are none."""
        _check_word(first, last, len(self.source))
        return Attribution(self.source[first:last].sum(0), self.target[first:last, :first].sum(0))

    def to_json(self) -> dict[str, list[list[float]]]:
        """The rows of both for browser code, rounded to thousandths of a nat."""
        return {"source": _rounded(self.source), "target": _rounded(self.target)}


@torch.inference_mode()
def occlude(model: Transformer, src: Tensor, tgt: Tensor) -> Occlusion:
    """Source ids (1, S) with their [SEP]; target ids (1, 1 + T) from [CLS] to the last that is to be explained.

    Every reading but the first has one piece hidden: S + T of them, encoded and decoded in batches. Raises ValueError.
    """
    _check(model, src, tgt)
    given, said = tgt[:, :-1], tgt[0, 1:]
    memory = model.encode(src)
    whole = _log_probs(model, memory, given, said)
    of_source = [
        _log_probs(model, model.encode(rows), given, said)
        for rows in _batches(_each_hidden(src, first=0), max(len(said), src.size(1)))
    ]
    of_target = [_log_probs(model, memory, rows, said) for rows in _batches(_each_hidden(given, first=1), len(said))]
    target = whole.new_zeros(len(said), len(said))
    if of_target:
        target[:, :-1] = (whole - torch.cat(of_target)).T
    return Occlusion((whole - torch.cat(of_source)).T.contiguous(), target.tril(-1))


def integrate_gradients(
    model: Transformer, src: Tensor, tgt: Tensor, first: int, last: int, num_steps: int = NUM_STEPS
) -> Attribution:
    """Of the word that tokens first ... last - 1 of the translation make up; src and tgt as for `occlude`.

    The scores add up to the log-probability of the word less what it is with all of source and prefix hidden, but for
    the coarseness of the steps. Raises ValueError.
    """
    _check(model, src, tgt)
    _check_word(first, last, tgt.size(1) - 1)
    if type(num_steps) is not int or num_steps < 1:
        raise ValueError(f"num_steps is {num_steps!r}; it must be a positive whole number.")
    hidden = tgt[:, :last].clone()
    hidden[:, 1 : first + 1] = UNK_ID  # neither [CLS] nor the word's own tokens
    with torch.inference_mode(False), torch.no_grad():
        # A caller's inference mode must not reach what is differentiated.
        ends = [model.embedding(ids) for ids in (src, tgt[:, :last])]
        starts = [model.embedding(ids) for ids in (torch.full_like(src, UNK_ID), hidden)]
        ways = [end - start for start, end in zip(starts, ends, strict=True)]
        # Midpoints: with few steps they are nearer to the integral than either end of each.
        share = ((torch.arange(num_steps, device=src.device) + 0.5) / num_steps).to(ways[0].dtype)[:, None, None]
        points = [(start + share * way).requires_grad_() for start, way in zip(starts, ways, strict=True)]
        with torch.enable_grad():
            log_probs = _log_probs_of_vectors(model, *points, tgt[0, 1 : last + 1].clone())
            gradients = torch.autograd.grad(log_probs[:, first:].sum(), points)
        source, target = ((gradient.mean(0) * way[0]).sum(-1) for gradient, way in zip(gradients, ways, strict=True))
    return Attribution(source, target[1 : first + 1])


def _rounded(scores: Tensor) -> list[list[float]]:
    # In double precision, where what is rounded is also short to write; added to zero, for there is a -0.0.
    return (scores.double().round(decimals=DIGITS) + 0.0).tolist()


def _each_hidden(ids: Tensor, first: int) -> Tensor:
    """(1, N) -> (N - first, N): row i has the token at first + i hidden"""
    places = torch.arange(first, ids.size(1), device=ids.device)
    return ids.repeat(len(places), 1).scatter(1, places[:, None], UNK_ID)


def _batches(rows: Tensor, num_positions: int) -> Iterator[Tensor]:
    """The rows (R, N) in turn, so many at a time as have POSITIONS_AT_ONCE if each has `num_positions`"""
    yield from rows.split(max(1, POSITIONS_AT_ONCE // num_positions)) if len(rows) else ()


def _log_probs(model: Transformer, memory: Tensor, given: Tensor, said: Tensor) -> Tensor:
    """Memory (B or 1, S, D), target ids (B or 1, T) and the token after each of them (T,) -> (B, T)"""
    batch = max(len(memory), len(given))
    hidden = model.decode(given.expand(batch, -1), memory.expand(batch, -1, -1))
    return _log_probs_of(model.project(hidden), said)


def _log_probs_of_vectors(model: Transformer, src: Tensor, tgt: Tensor, said: Tensor) -> Tensor:
    """`_log_probs` from embeddings, (B, S, D) and (B, T, D), before positions are added -> (B, T)"""
    memory = model.encoder(model.positions(src), None)
    hidden = model.decoder(model.positions(tgt), memory, causal_mask(tgt.size(1), tgt.device), None)
    return _log_probs_of(model.project(hidden), said)


def _log_probs_of(logits: Tensor, said: Tensor) -> Tensor:
    """(B, T, V), (T,) -> (B, T)"""
    said = said.expand(len(logits), -1)
    return -F.cross_entropy(logits.flatten(0, 1), said.flatten(), reduction="none").view_as(said)


def _check(model: Transformer, src: Tensor, tgt: Tensor) -> None:
    if model.training:
        raise ValueError("The model is in training mode, in which dropout makes every reading another; call eval().")
    if model.embedding.weight.dtype.itemsize < 4:
        raise ValueError(f"The model is in {model.embedding.weight.dtype}; load it in float32 once, for all visitors.")
    for name, ids, least in (("src", src, 1), ("tgt", tgt, 2)):
        if ids.dim() != 2 or len(ids) != 1 or ids.size(1) < least:
            raise ValueError(f"{name} is of shape {tuple(ids.shape)}; it must be (1, {least} or more).")
    if tgt[0, 0] != CLS_ID:
        raise ValueError(f"tgt begins with {int(tgt[0, 0])}; it must begin with [CLS], which is {CLS_ID}.")


def _check_word(first: int, last: int, num_tokens: int) -> None:
    if not 0 <= first < last <= num_tokens:
        raise ValueError(f"There is no word of tokens {first} to {last} in a translation of {num_tokens} tokens.")
