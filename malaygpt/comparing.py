"""One sentence translated by the whole model and by a broken one (broken.py), to be shown side by side.

Both decode greedily what the reader typed, as it is, and are believed: nothing is hidden from them, and no loop is cut.
What differs is what the missing part does.

compare(...).to_json() is what browser code reads: {whole, broken}, each

    malay        the translation
    sentence     as a sentence of explain.py; its tokens end with [SEP] unless it was stopped
    pieces       {token id: its text}
    stopped      whether it had not ended after `most_tokens` tokens
    most_tokens  how many tokens it might have, [SEP] among them
    attention    as attention_json() of explain.py, where each of encoder, decoder and cross also has a `scale` if its
                 weights are not all from 0 to 1: for each layer, for each head, [lowest, highest], the values of the
                 bytes 0 and 255; those between lie on a line, and byte 127 is 0. A weight is off by half a byte at most

parts_json() is what there is to break: {parts, shape}

    parts        [{key, removed, look_for, needs, replaces, from_tutorial}], as in broken.Part; `needs` is some of kind,
                 layer and head, and `replaces` is "" where nothing excludes it
    shape        {encoder: its blocks, decoder: its blocks, heads: in each layer}
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from malaygpt.attempts import Attempts
from malaygpt.broken import KINDS, PARTS, Breakage, broken
from malaygpt.decode import SearchOptions
from malaygpt.engine import PlainEngine
from malaygpt.explain import NUM_ALTERNATIVES, Sentence, attend, attention_json
from malaygpt.model import Attention, KVCache, ModelConfig, Transformer
from malaygpt.segment import tidy
from malaygpt.tokenizer import SEP_ID, Tokenizer
from malaygpt.watch import Returning, Watcher

MOST_SOURCE_TOKENS = 60
"""Longest sentence that is compared, [SEP] left out"""
ZERO = 127
"""The byte of a weight of 0, where weights may be negative"""


@dataclass(frozen=True)
class Side:
    """What one of the two models makes of the sentence."""

    sentence: Sentence
    attention: Attention
    most_tokens: int
    """How many tokens it might have, [SEP] among them"""

    @property
    def is_stopped(self) -> bool:
        return self.sentence.ids[-1] != SEP_ID

    def to_json(self) -> dict:
        """As in this module's head"""
        return {
            "malay": self.sentence.malay,
            "sentence": self.sentence.to_json(growth=False),
            "pieces": {str(i): text for i, text in self.sentence.pieces.items()},
            "stopped": self.is_stopped,
            "most_tokens": self.most_tokens,
            "attention": _attention_json(self.attention),
        }


@dataclass(frozen=True)
class Comparison:
    """The same sentence, translated by both."""

    whole: Side
    broken: Side

    def to_json(self) -> dict:
        """Plain lists, strings and numbers, as in this module's head"""
        return {"whole": self.whole.to_json(), "broken": self.broken.to_json()}


@torch.inference_mode()
def compare(model: Transformer, tokenizer: Tokenizer, text: str, breakages: Sequence[Breakage]) -> Comparison:
    """The sentence as the model translates it, and as it does with all of this broken.

    Raises ValueError for a text that is empty or too long, for what cannot be broken (see `broken`), which includes a
    model that is not in float32, and for a model so broken that its numbers outgrow single precision.
    """
    sentence = " ".join(tidy(text).split())
    num_tokens = len(tokenizer.encode(sentence))
    most = min(MOST_SOURCE_TOKENS, model.config.max_length - 1)
    if not num_tokens:
        raise ValueError("There is no sentence to compare; type some English.")
    if num_tokens > most:
        raise ValueError(f"That is {num_tokens} tokens; the most that can be compared is {most}. Shorten the sentence.")
    most_tokens = min(_most_tokens(num_tokens), model.config.max_length)
    damaged = broken(model, breakages)
    return Comparison(*(_side(each, tokenizer, sentence, most_tokens) for each in (model, damaged)))


def parts_json(config: ModelConfig) -> dict:
    """As in this module's head"""
    parts = [{"key": key, **asdict(part)} for key, part in PARTS.items()]
    for part in parts:
        del part["reruns"]
    shape = {"encoder": config.num_encoder_blocks, "decoder": config.num_decoder_blocks, "heads": config.num_heads}
    return {"parts": parts, "shape": shape}


def _most_tokens(num_source: int) -> int:
    """Room for any translation, and little enough that one that loops ends soon"""
    return num_source + num_source // 2 + 8


def _side(model: Transformer, tokenizer: Tokenizer, sentence: str, most_tokens: int) -> Side:
    options = SearchOptions(max_length=most_tokens, num_alternatives=NUM_ALTERNATIVES)
    watcher = Watcher(CheckedEngine(model), tokenizer)
    (part,) = Returning.result(watcher.watch(Attempts.begin_unguarded(sentence), options))
    said = part.sentence
    attention = attend(model, said)
    _check_finite(attention.encoder, attention.decoder, attention.cross)
    return Side(said, attention, most_tokens)


class CheckedEngine(PlainEngine):
    """Raises ValueError where a model computes what is not a number."""

    def step(self, ids: Tensor, state: KVCache) -> tuple[Tensor, KVCache]:
        logits, state = super().step(ids, state)
        _check_finite(logits)
        return logits, state


def _check_finite(*tensors: Tensor) -> None:
    if not all(tensor.isfinite().all() for tensor in tensors):
        raise ValueError("So broken, the model computes numbers too large to go on with; break less at a time.")


def _attention_json(attention: Attention) -> dict:
    maps = {kind: getattr(attention, kind) for kind in KINDS}
    scales = {kind: _scale(weights) for kind, weights in maps.items() if not _is_share(weights)}
    fitted = {kind: _fitted(weights, scales[kind]) if kind in scales else weights for kind, weights in maps.items()}
    packed = attention_json(Attention(**fitted))
    return {kind: packed[kind] | ({"scale": scales[kind].tolist()} if kind in scales else {}) for kind in KINDS}


def _is_share(weights: Tensor) -> bool:
    """Whether all are from 0 to 1, but for rounding"""
    return bool((weights >= 0).all() and (weights <= 1 + 1e-5).all())


def _scale(weights: Tensor) -> Tensor:
    """(L, H, N, M) -> (L, H, 2): what each head's first and last byte stand for. Its zero falls on a byte."""
    step = weights.abs().amax(dim=(-2, -1)).clamp(min=torch.finfo(torch.float32).tiny * 255) / ZERO
    return torch.stack([-ZERO * step, (255 - ZERO) * step], dim=-1)


def _fitted(weights: Tensor, scale: Tensor) -> Tensor:
    """The weights on their heads' scales, from 0 to 1"""
    lowest, highest = scale[..., None, None].unbind(2)
    return (weights - lowest) / (highest - lowest)
