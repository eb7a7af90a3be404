"""A trained Transformer with a part removed or put in wrongly, to see why the part is there.

`broken(model, [Breakage("no_positions")])` is a model like any other for PlainEngine, search and `attend`, and shares
every tensor with the whole one, which stays as it is: making one takes milliseconds and no copy of the
weights. `PARTS` holds what can be broken, with the texts that a page shows.

What it teaches is what the trained weights do without the part. A model that had been trained without it would have
learnt to do with what there is, and would mostly do better than this.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from malaygpt.model import (
    AddAndNorm,
    DecoderBlock,
    EncoderBlock,
    LayerNorm,
    MultiHeadAttention,
    PositionalEncoding,
    Transformer,
)

KINDS = ("encoder", "decoder", "cross")
"""Of attention, named as the fields of `model.Attention`"""
NEVER = -1e9
"""A score that gets no weight beside others, and the same weight as all where there are no others"""


@dataclass(frozen=True)
class Part:
    """Something that can be broken, in words for a page."""

    removed: str
    """What the broken model lacks or does instead"""
    look_for: str
    """What there is to be seen in its translations and its attention"""
    needs: tuple[str, ...] = ()
    """The fields of a Breakage that say which of them"""
    replaces: str = ""
    """Breakages that replace the same cannot be combined."""
    from_tutorial: bool = False
    """Whether the tutorial's published code has this fault"""
    reruns: bool = False
    """Whether decoding runs the decoder on all tokens so far for each new one, as keys and values do not stay as they
    were"""


PARTS: dict[str, Part] = {
    "no_positions": Part(
        "Positions are not added to the embeddings: the model reads a bag of words.",
        "Word order. Who does what to whom is guessed, and what was said is easily said again.",
        replaces="positions",
    ),
    "wrong_positions": Part(
        "The frequencies of the positions are exp(2i) * -log(10000) / D for exp(2i * -log(10000) / D): "
        "a parenthesis closes too early.",
        "Word order and words said twice, as without positions: all but the first columns turn by so much from word to "
        "word that no pattern is left. In single precision, where they overflow, most of the table is not a number.",
        replaces="positions",
        from_tutorial=True,
    ),
    "no_causal_mask": Part(
        "Words of the translation also attend to those after them.",
        "Often little. What decides the next word is the last one, and nothing comes after that; only how the words "
        "before it are read changes. It is training that needs the mask: without it the model would copy the word "
        "that it should learn to predict. In the decoder's attention, weight lies above the diagonal.",
        replaces="mask",
        reruns=True,
    ),
    "inverted_causal_mask": Part(
        "The mask is upside down: words of the translation attend only to those after them.",
        "Words begun twice. Nothing comes after the last word, so it attends to all words alike, and those before it "
        "never see what led to them. The decoder's attention is the mirror image of what it should be.",
        replaces="mask",
        from_tutorial=True,
        reruns=True,
    ),
    "no_head": Part(
        "One attention head is silent.",
        "Mostly nothing: the other heads do its work (Michel et al., 2019). Where a translation does change, this head "
        "had work of its own.",
        needs=("kind", "layer", "head"),
    ),
    "no_layer": Part(
        "One block is skipped.",
        "What it adds is missing. The fewer blocks a stack has, the more each of them hurts.",
        needs=("kind", "layer"),
    ),
    "repeated_block": Part(
        "The first block stands in the place of every other, as if one object had been put into the list many times.",
        "Nonsense that repeats itself: a stack that does one thing many times, where each block should go on from what "
        "the one before it made.",
        replaces="blocks",
        from_tutorial=True,
    ),
    "raw_scores": Part(
        "Values are added up by the raw scores, which softmax never made weights.",
        "Nonsense: scores are of any sign and size, and more words give larger sums. In the attention rows do not add "
        "up to one, and some weights are negative.",
        from_tutorial=True,
    ),
    "no_scaling": Part(
        "Scores are not divided by the square root of a head's width.",
        "In the attention nearly all weight lies on one word. The translation changes less than one would think: most "
        "of it hangs on the likeliest word. What is learnt suffers more, as weights of 0 and 1 pass no gradient on.",
    ),
    "no_cross_attention": Part(
        "The decoder does not see the source.",
        "The same translation for every sentence: what Malay is likely to begin with, and go on with.",
    ),
    "no_residual": Part(
        "What a sublayer makes replaces what went into it, where it should be added to it.",
        "One token again and again. What each block adds to a word is small beside the word, and makes no sense "
        "without it.",
        reruns=True,
    ),
    "no_norm": Part(
        "Layers do not normalise: numbers go on as large or small as they are.",
        "One word again and again. Each block was trained on numbers of one size and gets another.",
        replaces="norm",
    ),
    "scalar_gain": Part(
        "Each layer normalisation has one gain for all features, here the mean of those that it learnt.",
        "Small losses: a word left out, another form. Features that a layer should hear louder or softer are as loud "
        "as the others.",
        replaces="norm",
        from_tutorial=True,
    ),
}


@dataclass(frozen=True)
class Breakage:
    """One thing to break. Raises ValueError for what is not a part, or not one of them."""

    key: str
    """Of `PARTS`"""
    kind: str | None = None
    """Which attention a head is of: encoder, decoder or cross; which stack a layer is of: encoder or decoder"""
    layer: int | None = None
    """From zero"""
    head: int | None = None
    """From zero"""

    def __post_init__(self) -> None:
        if self.key not in PARTS:
            raise ValueError(f"There is no breakage {self.key!r}; choose one of {', '.join(PARTS)}.")
        needs = PARTS[self.key].needs
        for name in ("kind", "layer", "head"):
            if (getattr(self, name) is not None) != (name in needs):
                raise ValueError(f"The breakage {self.key} takes {', '.join(needs) or 'nothing more'}; see {name}.")
        kinds = KINDS if "head" in needs else KINDS[:2]
        if "kind" in needs and self.kind not in kinds:
            raise ValueError(f"The kind of {self.key} is {self.kind!r}; choose one of {', '.join(kinds)}.")
        for name in ("layer", "head"):
            value = getattr(self, name)
            if name in needs and (type(value) is not int or value < 0):
                raise ValueError(f"The {name} of {self.key} is {value!r}; it must be a whole number, 0 or more.")

    def __str__(self) -> str:
        """As in a link: "no_positions", "no_layer:encoder.2", "no_head:cross.1.3"; `parse` reads it."""
        which = [str(getattr(self, name)) for name in PARTS[self.key].needs]
        return f"{self.key}:{'.'.join(which)}" if which else self.key

    @classmethod
    def parse(cls, text: str) -> "Breakage":
        """Raises ValueError."""
        key, _, which = text.partition(":")
        kind, *numbers = which.split(".") if which else [None]
        if len(numbers) > 2 or not all(number.isdecimal() and len(number) < 5 for number in numbers):
            raise ValueError(f"{text!r} is no breakage; they are written no_positions, or no_head:cross.1.3.")
        return cls(key, kind, *map(int, numbers))


def broken(model: Transformer, breakages: Sequence[Breakage]) -> Transformer:
    """The model with all of this broken. It shares the tensors of `model`, which stays as it is.

    A silent head and a skipped block keep their places in what `attend` returns, with weights of zero. Raises
    ValueError for breakages that cannot be combined, for a layer or a head that the model has not, and for a model that
    is not in float32: to run another takes a float32 copy, which is better made once for all visitors.
    """
    if model.embedding.weight.dtype != torch.float32:
        raise ValueError(
            f"The model is in {model.embedding.weight.dtype}; load it in float32 once, and break that one each time."
        )
    _check(model, breakages)
    keys = {breakage.key for breakage in breakages}
    model = _shared(model).eval()
    if "repeated_block" in keys:
        for stack in (model.encoder, model.decoder):
            stack.blocks = nn.ModuleList(_shared(stack.blocks[0]) for _ in stack.blocks)
    _break_positions(model.positions, keys)
    for part in list(model.modules()):
        if isinstance(part, LayerNorm):
            _break_norm(part, keys)
        elif isinstance(part, AddAndNorm) and "no_residual" in keys:
            part.__class__ = NoResidual
    _break_attention(model, keys, {breakage for breakage in breakages if breakage.key == "no_head"})
    for breakage in breakages:
        if breakage.key == "no_layer":
            block = _stack(model, breakage.kind)[breakage.layer]
            block.__class__ = SkippedEncoderBlock if breakage.kind == "encoder" else SkippedDecoderBlock
    if any(PARTS[key].reruns for key in keys):
        model.__class__ = RerunningTransformer
    return model


def _check(model: Transformer, breakages: Sequence[Breakage]) -> None:
    replaced: dict[str, str] = {}
    for breakage in breakages:
        part = PARTS[breakage.key]
        if part.replaces and replaced.setdefault(part.replaces, breakage.key) != breakage.key:
            raise ValueError(f"{replaced[part.replaces]} and {breakage.key} cannot be combined; choose one of them.")
        if part.needs:
            counts = {"layer": len(_stack(model, breakage.kind)), "head": model.config.num_heads}
            for name, count in counts.items():
                if name in part.needs and getattr(breakage, name) >= count:
                    raise ValueError(f"{breakage}: the model has {count} of these {name}s; the first is 0.")


def _stack(model: Transformer, kind: str) -> nn.ModuleList:
    return model.encoder.blocks if kind == "encoder" else model.decoder.blocks


def _shared(part: nn.Module) -> nn.Module:
    """New modules around the same tensors. What `broken` does to them, even to their class, the whole never sees."""
    return copy.deepcopy(part, {id(tensor): tensor for tensor in (*part.parameters(), *part.buffers())})


class NoPositions(PositionalEncoding):
    """Leaves the embeddings as they are."""

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        return x


def _break_positions(positions: PositionalEncoding, keys: set[str]) -> None:
    if "no_positions" in keys:
        positions.__class__ = NoPositions
    if "wrong_positions" in keys:
        positions.table = wrong_positions(*positions.table.shape).to(positions.table.device)


def wrong_positions(max_length: int, d_model: int) -> Tensor:
    """(max_length, D): the tutorial's table, in double precision, in which it is numbers up to a width of 708."""
    position = torch.arange(max_length, dtype=torch.float64).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, d_model, 2, dtype=torch.float64)) * (-math.log(10000.0) / d_model)
    angle = position * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1).nan_to_num().float()


class NoNorm(LayerNorm):
    """Leaves the features as they are, without gain and bias."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def _break_norm(norm: LayerNorm, keys: set[str]) -> None:
    if "no_norm" in keys:
        norm.__class__ = NoNorm
    if "scalar_gain" in keys:
        gain = norm.gain.detach()
        norm.gain = nn.Parameter(gain.mean().repeat(gain.size(0)))


class NoResidual(AddAndNorm):
    """sublayer(norm(x)), to which x is not added"""

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return sublayer(self.norm(x))


class NoSublayer(AddAndNorm):
    """x, to which nothing is added"""

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return x


class BrokenAttention(MultiHeadAttention):
    """Attention with `faults`, in which some heads are silent."""

    faults: frozenset[str]
    """Of PARTS; those that concern this attention"""
    silent: tuple[int, ...]
    """Heads"""

    def weights(self, x: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        return self._weights(self._split(self.query(x)), self._split(self.key(source)), mask)

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        heads = self._weights(self._split(self.query(x)), keys, mask) @ values
        return self.output(heads.transpose(1, 2).flatten(2))  # (B, H, N, K) -> (B, N, D)

    def _weights(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        """Query (B, H, N, K), keys (B, H, M, K) -> (B, H, N, M)"""
        scale = 1.0 if "no_scaling" in self.faults else query.size(-1) ** -0.5
        scores = (query * scale) @ keys.transpose(-2, -1)
        if mask is not None and "no_causal_mask" not in self.faults:
            mask = ~mask if "inverted_causal_mask" in self.faults else mask
            # Raw scores are summed as they are: there, zero is what adds nothing.
            scores = scores.masked_fill(~mask, 0.0 if "raw_scores" in self.faults else NEVER)
        weights = scores if "raw_scores" in self.faults else scores.softmax(-1)
        weights[:, self.silent] = 0.0
        return weights


def _break_attention(model: Transformer, keys: set[str], silent_heads: set[Breakage]) -> None:
    everywhere, in_decoder = {"raw_scores", "no_scaling"}, {"no_causal_mask", "inverted_causal_mask"}
    for kind, layer, attention in _attentions(model):
        faults = keys & (everywhere | in_decoder if kind == "decoder" else everywhere)
        silent = {each.head for each in silent_heads if (each.kind, each.layer) == (kind, layer)}
        if kind == "cross" and "no_cross_attention" in keys:
            silent = set(range(attention.num_heads))
        if faults or silent:
            attention.__class__ = BrokenAttention
            attention.faults, attention.silent = frozenset(faults), tuple(silent)
    if "no_cross_attention" in keys:
        for block in model.decoder.blocks:
            block.add_cross_attention.__class__ = NoSublayer


def _attentions(model: Transformer) -> Iterator[tuple[str, int, MultiHeadAttention]]:
    """Each with its kind and its layer"""
    for i, block in enumerate(model.encoder.blocks):
        yield "encoder", i, block.self_attention
    for i, block in enumerate(model.decoder.blocks):
        yield "decoder", i, block.self_attention
        yield "cross", i, block.cross_attention


class SkippedEncoderBlock(EncoderBlock):
    """Hands on what it gets."""

    def forward(self, x: Tensor, src_mask: Tensor | None) -> Tensor:
        return x

    def weights(self, x: Tensor, src_mask: Tensor | None) -> Tensor:
        return torch.zeros_like(super().weights(x, src_mask))


class SkippedDecoderBlock(DecoderBlock):
    """Hands on what it gets. Its cache grows as if it did not, since the cache also counts the tokens."""

    def forward(self, x: Tensor, memory: Tensor, tgt_mask: Tensor, src_mask: Tensor | None) -> Tensor:
        return x

    def weights(self, x: Tensor, memory: Tensor, tgt_mask: Tensor, src_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        own, cross = super().weights(x, memory, tgt_mask, src_mask)
        return torch.zeros_like(own), torch.zeros_like(cross)

    def step(self, x: Tensor, cache, src_mask: Tensor | None):
        return x, super().step(x, cache, src_mask)[1]


@dataclass(frozen=True)
class Prefix:
    """What a RerunningTransformer has for a KVCache: all that was said, and nothing computed from it."""

    ids: Tensor
    """(B, T)"""
    memory: Tensor
    """(B, S, D)"""
    src_mask: Tensor | None
    """(B, 1, 1, S)"""

    def select(self, rows: Tensor) -> "Prefix":
        """These rows of the batch, in this order"""
        return Prefix(self.ids[rows], self.memory[rows], None if self.src_mask is None else self.src_mask[rows])


class RerunningTransformer(Transformer):
    """Runs the decoder on all that was said for each new token, as the tutorial does.

    A cache holds keys and values of tokens that have seen those before them and nothing else. Where tokens see later
    ones, theirs change with each that is added.
    """

    def start(self, memory: Tensor, src_mask: Tensor | None = None) -> Prefix:
        nothing = torch.empty(len(memory), 0, dtype=torch.long, device=memory.device)
        return Prefix(nothing, memory, src_mask)

    def step(self, ids: Tensor, cache: Prefix) -> tuple[Tensor, Prefix]:
        prefix = Prefix(torch.cat([cache.ids, ids], dim=1), cache.memory, cache.src_mask)
        hidden = self.decode(prefix.ids, prefix.memory, prefix.src_mask)
        return self.project(hidden[:, -1]), prefix
