"""A trained Transformer in the form that decodes fastest on the machine at hand; the same function, other arithmetic.

The model in model.py is written to be read and trained. Decoding it one token at a time costs a hundred small
operations a step, and the weights of half a model have to pass through the processor for every token. So here the
three projections of an attention are one matrix, the keys and values of the source are projected once, those of the
target are written into a buffer with room to grow, the matrices are packed in 8 or 16 bits, and the whole step is one
call of TorchScript, which leaves Python's lock to other threads.

One interface for all forms, and for search (decode.py) to speak to: `encode` reads the sources, `step` says what may
follow, `reorder` keeps the rows that go on.

Letters in shapes: as in model.py, and R rows of a batch, which are B sources times the hypotheses of each; L blocks.
"""

import copy
import math
import warnings
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malaygpt.linear import FORMS, LINEAR, PROJECTION, Form, Linear
from malaygpt.model import DecoderBlock, EncoderBlock, KVCache, LayerNorm, MultiHeadAttention, Transformer
from malaygpt.tokenizer import SEP_ID

ROOM = 32
"""Target positions that a new buffer of keys and values has; it doubles when they are used up."""
COLUMNS = 1024
"""Widths of projections are multiples of it: the processor's code for a matrix product is made anew for each shape"""
NEVER = -1e9
"""A logit so low that its probability is zero; not minus infinity, with which arithmetic is not defined"""


class State(NamedTuple):
    """What an engine knows of the sentences being decoded. Belongs to one request, and each is stepped from once:
    the step after it writes into the same buffer."""

    memory: Tensor
    """Keys and values of the sources, (L, 2, B, H, S, K)"""
    mask: Tensor | None
    """Zero where a source has a token, minus infinity where it has padding, (B, 1, 1, S); None when all are tokens"""
    past: Tensor
    """Keys and values of the targets, (L, 2, R, H, room, K), of which the first `length` positions are known"""
    length: int
    vocabulary: Tensor
    """Which token each column of the logits stands for, (C,)"""
    head: tuple[Tensor, Tensor] | None
    """The part of the projection that makes those columns; None for the whole"""
    forbidden: Tensor | None
    """Added to the logits, (B, 1, C): NEVER for columns that not every sentence may say; None when all may"""


def fuse(linear: Linear, *layers: nn.Linear, relu: bool = False) -> nn.Module:
    """Several projections of the same input as one, their outputs side by side."""
    return linear(torch.cat([x.weight for x in layers]), torch.cat([x.bias for x in layers]), relu)


class Norm(nn.Module):
    """Layer normalisation with gain and bias in the form's type."""

    def __init__(self, norm: LayerNorm, dtype: torch.dtype) -> None:
        super().__init__()
        self.gain = norm.gain.to(dtype)
        self.bias = norm.bias.to(dtype)
        self.eps = norm.eps

    def forward(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, [x.size(-1)], self.gain, self.bias, self.eps)


class FeedForward(nn.Module):
    """Norm, linear with ReLU, linear, residual."""

    def __init__(self, block: EncoderBlock | DecoderBlock, linear: Linear) -> None:
        super().__init__()
        self.norm = Norm(block.add_feed_forward.norm, linear.dtype)
        self.expand = fuse(linear, block.feed_forward.expand, relu=True)
        self.contract = fuse(linear, block.feed_forward.contract)

    def forward(self, x: Tensor) -> Tensor:
        return self.contract(self.expand(self.norm(x))).add_(x)


class SelfAttention(nn.Module):
    """Over the whole source: norm, one projection for queries, keys and values, attention, output, residual."""

    def __init__(self, attention: MultiHeadAttention, norm: LayerNorm, linear: Linear) -> None:
        super().__init__()
        self.num_heads = attention.num_heads
        self.d_head = attention.query.out_features // attention.num_heads
        self.norm = Norm(norm, linear.dtype)
        self.project = fuse(linear, attention.query, attention.key, attention.value)
        self.output = fuse(linear, attention.output)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B, S, D) -> (B, S, D)"""
        qkv = self.project(self.norm(x)).view(x.size(0), x.size(1), 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        heads = F.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], mask)
        return self.output(heads.transpose(1, 2).reshape(x.shape)).add_(x)


class CachedSelfAttention(SelfAttention):
    """For the newest position of each row, whose keys and values are added to those of the positions before it."""

    def forward(self, x: Tensor, past: Tensor, length: int) -> Tensor:
        """x (R, D), past (2, R, H, room, K), written at `length` -> (R, D)"""
        query, keys, values = self.project(self.norm(x)).view(-1, 3, self.num_heads, 1, self.d_head).unbind(1)
        past_keys, past_values = past.narrow(3, 0, length + 1).unbind(0)
        past_keys.narrow(2, length, 1).copy_(keys)
        past_values.narrow(2, length, 1).copy_(values)
        heads = F.scaled_dot_product_attention(query, past_keys, past_values)
        return self.output(heads.view(x.shape)).add_(x)


class CrossAttention(nn.Module):
    """Attention to the source for the newest position of each row; hypotheses of one source share its memory."""

    def __init__(self, attention: MultiHeadAttention, norm: LayerNorm, linear: Linear) -> None:
        super().__init__()
        self.num_heads = attention.num_heads
        self.d_head = attention.query.out_features // attention.num_heads
        self.norm = Norm(norm, linear.dtype)
        self.query = fuse(linear, attention.query)
        self.output = fuse(linear, attention.output)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor | None) -> Tensor:
        """x (R, D), memory (2, B, H, S, K) -> (R, D)"""
        query = self.query(self.norm(x))
        keys, values = memory.unbind(0)
        if x.size(0) == memory.size(1):  # the same as below, without moving anything
            heads = F.scaled_dot_product_attention(query.view(-1, self.num_heads, 1, self.d_head), keys, values, mask)
            return self.output(heads.view(x.shape)).add_(x)
        query = query.view(memory.size(1), -1, self.num_heads, self.d_head).transpose(1, 2)
        heads = F.scaled_dot_product_attention(query, keys, values, mask)
        return self.output(heads.transpose(1, 2).reshape(x.shape)).add_(x)


class FlatEncoderBlock(nn.Module):
    def __init__(self, block: EncoderBlock, linear: Linear) -> None:
        super().__init__()
        self.self_attention = SelfAttention(block.self_attention, block.add_self_attention.norm, linear)
        self.feed_forward = FeedForward(block, linear)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self.feed_forward(self.self_attention(x, mask))


class FlatDecoderBlock(nn.Module):
    def __init__(self, block: DecoderBlock, linear: Linear) -> None:
        super().__init__()
        self.self_attention = CachedSelfAttention(block.self_attention, block.add_self_attention.norm, linear)
        self.cross_attention = CrossAttention(block.cross_attention, block.add_cross_attention.norm, linear)
        self.feed_forward = FeedForward(block, linear)

    def forward(self, x: Tensor, past: Tensor, length: int, memory: Tensor, mask: Tensor | None) -> Tensor:
        return self.feed_forward(self.cross_attention(self.self_attention(x, past, length), memory, mask))


class FlatEncoder(nn.Module):
    """Source ids to the keys and values that every decoder block will attend to."""

    def __init__(self, model: Transformer, form: Form) -> None:
        super().__init__()
        linear = LINEAR[form]
        self.num_heads = model.config.num_heads
        self.num_decoder_blocks = model.config.num_decoder_blocks
        self.embedding = model.embedding.weight
        self.scale = model.embedding.scale
        self.positions = model.positions.table
        self.dtype = linear.dtype
        self.blocks = nn.ModuleList(FlatEncoderBlock(block, linear) for block in model.encoder.blocks)
        self.norm = Norm(model.encoder.norm, linear.dtype)
        cross = [block.cross_attention for block in model.decoder.blocks]
        self.keys_values = fuse(linear, *(layer for attention in cross for layer in (attention.key, attention.value)))

    def forward(self, src: Tensor, mask: Tensor | None) -> Tensor:
        """(B, S) -> (L, 2, B, H, S, K)"""
        x = F.embedding(src, self.embedding).float() * self.scale + self.positions[: src.size(1)]
        x = x.to(self.dtype)
        for block in self.blocks:
            x = block(x, mask)
        memory = self.keys_values(self.norm(x))
        memory = memory.view(src.size(0), src.size(1), self.num_decoder_blocks, 2, self.num_heads, -1)
        return memory.permute(2, 3, 0, 4, 1, 5).contiguous()


class FlatDecoderStep(nn.Module):
    """The newest target ids to the logits of what follows."""

    def __init__(self, model: Transformer, form: Form) -> None:
        super().__init__()
        linear = LINEAR[form]
        self.embedding = model.embedding.weight
        self.scale = model.embedding.scale
        self.positions = model.positions.table
        self.dtype = linear.dtype
        self.blocks = nn.ModuleList(FlatDecoderBlock(block, linear) for block in model.decoder.blocks)
        self.norm = Norm(model.decoder.norm, linear.dtype)
        bias = torch.zeros(model.config.vocab_size, device=model.embedding.weight.device)
        bias[:SEP_ID] = NEVER
        self.project = PROJECTION[form](model.embedding.weight, bias)

    def forward(
        self,
        ids: Tensor,
        past: Tensor,
        length: int,
        memory: Tensor,
        mask: Tensor | None,
        head: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        """ids (R,) -> (R, C); writes position `length` of past"""
        x = torch.add(self.positions.select(0, length), self.embedding.index_select(0, ids), alpha=self.scale)
        x = x.to(self.dtype)
        for i, block in enumerate(self.blocks):
            x = block(x, past.select(0, i), length, memory.select(0, i), mask)
        return self.project(self.norm(x), head)


class ScriptedStep:
    """A FlatDecoderStep to TorchScript, so that a function of TorchScript can be given one."""

    def forward(
        self,
        ids: Tensor,
        past: Tensor,
        length: int,
        memory: Tensor,
        mask: Tensor | None,
        head: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        pass


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    ScriptedStep = torch.jit.interface(ScriptedStep)


class Engine(Protocol):
    """What search needs of a model: ids in, logits out, and a state in between that belongs to the caller."""

    max_length: int
    """Most target tokens"""
    vocab_size: int
    device: torch.device
    scripted: ScriptedStep | None
    """The step as a module of TorchScript, if it is one and the state is a State: many can then be taken in one call"""

    def encode(self, src: Tensor, src_mask: Tensor | None = None, prefixes: Tensor | None = None) -> "State | KVCache":
        """Source ids (B, S) -> the state before the first target token, with one row for each source.

        src_mask (B, 1, 1, S) is True where there is a token and not padding; None when all are tokens. `prefixes`
        (B, P) are ids that must be among the vocabulary.
        """

    def vocabulary(self, state: "State | KVCache") -> Tensor:
        """(C,): the token that each column of the logits stands for. It stays as it is while decoding."""

    def step(self, ids: Tensor, state: "State | KVCache") -> "tuple[Tensor, State | KVCache]":
        """The newest target ids (R,) -> logits (R, C), float32, and the next state. Use the given one no more.

        The logits of [PAD], [UNK] and [CLS], which are not text, are so low that they are never said.
        """

    def reorder(self, state, rows: Tensor, sources: Tensor | None = None):
        """The state with these of its rows (R',), in this order. `sources` (B',) says which sources remain, if not
        all do; the rows are those of the first of them, then of the second, as many each."""


class PlainEngine:
    """The model itself, unchanged: what the others are compared with, and what serves a model that was altered."""

    scripted = None

    def __init__(self, model: Transformer) -> None:
        self.model = model if model.embedding.weight.dtype == torch.float32 else copy.deepcopy(model).float()
        self.max_length = model.config.max_length
        self.vocab_size = model.config.vocab_size

    @property
    def device(self) -> torch.device:
        return self.model.embedding.weight.device

    def encode(self, src: Tensor, src_mask: Tensor | None = None, prefixes: Tensor | None = None) -> KVCache:
        return self.model.start(self.model.encode(src, src_mask), src_mask)

    def vocabulary(self, state: KVCache) -> Tensor:
        return torch.arange(self.vocab_size, device=self.device)

    def step(self, ids: Tensor, state: KVCache) -> tuple[Tensor, KVCache]:
        logits, state = self.model.step(ids.unsqueeze(1), state)
        logits = logits.float()
        logits[:, :SEP_ID] = NEVER
        return logits, state

    def reorder(self, state: KVCache, rows: Tensor, sources: Tensor | None = None) -> KVCache:
        return state.select(rows)  # every row has a copy of its source's memory


@dataclass(frozen=True)
class Shortlist:
    """Which target tokens a translation is likely to need, by its source: learnt from aligned sentences.

    The projection onto the vocabulary is a third of what a step costs, and nearly all of it goes to words that have
    nothing to do with the source (Jean et al., 2015).
    """

    common: Tensor
    """(N,): those that any translation may need, [SEP] among them"""
    candidates: Tensor
    """(V, n): those that each source token may need; [SEP] for [PAD]"""

    def to(self, device: torch.device) -> "Shortlist":
        return Shortlist(self.common.to(device), self.candidates.to(device))

    def allowed(self, src: Tensor, prefixes: Tensor | None) -> Tensor:
        """Source ids (B, S) and ids that must be among them (B, P) -> (B, V), True for what a translation may say.

        A source's own tokens are among them, as names are copied.
        """
        allowed = torch.zeros(len(src), len(self.candidates), dtype=torch.bool, device=src.device)
        allowed[:, self.common] = True
        for needed in (self.candidates[src].flatten(1), src, prefixes):
            if needed is not None:
                allowed.scatter_(1, needed, True)
        allowed[:, :SEP_ID] = False
        return allowed


def with_room(past: Tensor, length: int) -> Tensor:
    """The buffer of keys and values, or one twice as long that begins with it if `length` positions fill it."""
    return torch.cat([past, torch.empty_like(past)], dim=4) if length == past.size(4) else past


def forbid(logits: Tensor, forbidden: Tensor | None) -> Tensor:
    """Adds a State's `forbidden` (B, 1, C) to the logits (R, C) of its rows."""
    if forbidden is not None:
        logits.view(forbidden.size(0), -1, logits.size(1)).add_(forbidden)
    return logits


def move_rows(past: Tensor, length: int, rows: Tensor) -> None:
    """Puts rows (R,) of the first `length` positions of past in their places.

    Beams mostly stay where they are; only those that do not are copied.
    """
    moved = (rows != torch.arange(rows.size(0), device=rows.device)).nonzero().squeeze(1)
    if moved.size(0):
        known = past.narrow(4, 0, length)
        known.index_copy_(2, moved, known.index_select(2, rows.index_select(0, moved)))


class FlatEngine:
    """The model flattened and packed: see the head of this file."""

    def __init__(self, model: Transformer, form: Form, shortlist: Shortlist | None = None, script: bool = True) -> None:
        """With a shortlist, a translation can say only what the shortlist holds likely for its source.

        `script=False` runs the same modules in Python: for comparison, and should TorchScript go. Raises ValueError for
        a form that there is not, or not on the model's device.
        """
        if form not in FORMS:
            raise ValueError(f"There is no form {form!r}; choose one of {', '.join(FORMS)}.")
        if form == "int8" and model.embedding.weight.device.type != "cpu":
            raise ValueError("The form int8 is for CPUs; choose bfloat16.")
        self.form = form
        self.max_length = model.config.max_length
        self.vocab_size = model.config.vocab_size
        self.device = model.embedding.weight.device
        self._shortlist = shortlist and shortlist.to(self.device)
        self._dtype = LINEAR[form].dtype
        self._vocabulary = torch.arange(self.vocab_size, device=self.device)
        with torch.no_grad():
            encoder, step = FlatEncoder(model, form).eval(), FlatDecoderStep(model, form).eval()
        self._select = step.project.select
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            # The bound method, because calling a module takes Python longer than an operation takes.
            self._encode = (torch.jit.freeze(torch.jit.script(encoder)) if script else encoder).forward
            self.scripted = torch.jit.freeze(torch.jit.script(step)) if script else None
            self._step = (self.scripted or step).forward

    def encode(self, src: Tensor, src_mask: Tensor | None = None, prefixes: Tensor | None = None) -> State:
        mask = head = forbidden = None
        vocabulary = self._vocabulary
        if src_mask is not None:
            mask = torch.zeros_like(src_mask, dtype=self._dtype).masked_fill_(~src_mask, -math.inf)
        if self._shortlist is not None:
            allowed = self._shortlist.allowed(src, prefixes)
            vocabulary = self._pad(allowed.any(0))
            head = self._select(vocabulary)
            is_allowed = allowed[:, None, vocabulary]
            forbidden = None if is_allowed.all() else (~is_allowed).float() * NEVER
        memory = self._encode(src, mask)
        num_blocks, _, num_sources, num_heads, _, d_head = memory.shape
        past = memory.new_empty(num_blocks, 2, num_sources, num_heads, ROOM, d_head)
        return State(memory, mask, past, 0, vocabulary, head, forbidden)

    def _pad(self, is_allowed: Tensor) -> Tensor:
        """(V,) -> the tokens allowed, and others if it takes them to make a width for which there is compiled code."""
        allowed = is_allowed.nonzero().squeeze(1)
        if self.form != "bfloat16":
            return allowed
        return torch.cat([allowed, (~is_allowed).nonzero().squeeze(1)[: -len(allowed) % COLUMNS]])

    def vocabulary(self, state: State) -> Tensor:
        return state.vocabulary

    def step(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        past = with_room(state.past, state.length)
        logits = self._step(ids, past, state.length, state.memory, state.mask, state.head)
        return forbid(logits, state.forbidden), state._replace(past=past, length=state.length + 1)

    def reorder(self, state: State, rows: Tensor, sources: Tensor | None = None) -> State:
        if sources is not None:
            state = state._replace(
                memory=state.memory.index_select(2, sources),
                mask=None if state.mask is None else state.mask.index_select(0, sources),
                forbidden=None if state.forbidden is None else state.forbidden.index_select(0, sources),
            )
        if len(rows) != state.past.size(2):
            return state._replace(past=state.past.index_select(2, rows))
        move_rows(state.past, state.length, rows)
        return state


class Engines:
    """The engines of one model: for a sentence by itself, and for many at once, made when it is first wanted.

    Which forms those are is for the machine to say. On a GPU, bfloat16. On a CPU, 8 bits for a sentence by itself, as
    each of its steps waits for the weights to arrive; for many, bfloat16 where the processor has a matrix unit for it.
    """

    def __init__(self, model: Transformer, shortlist: Shortlist | None = None, form: Form | None = None) -> None:
        """`form` is taken for both, whatever the machine."""
        self._model = model
        self._shortlist = shortlist
        self._forms = (form, form) if form else best_forms(model.embedding.weight.device)
        self.alone: Engine = FlatEngine(model, self._forms[0], shortlist)
        self._together: Engine | None = self.alone if self._forms[0] == self._forms[1] else None
        self._making = Lock()

    @property
    def together(self) -> Engine:
        with self._making:
            if self._together is None:
                self._together = FlatEngine(self._model, self._forms[1], self._shortlist)
        return self._together


def best_forms(device: torch.device) -> tuple[Form, Form]:
    """The fastest forms on this device and processor for a sentence by itself and for many at once."""
    if device.type != "cpu":
        return "bfloat16", "bfloat16"
    if not {"x86", "fbgemm"} & {*torch.backends.quantized.supported_engines}:
        return "float32", "float32"
    return "int8", "bfloat16" if torch.cpu._is_amx_tile_supported() else "int8"
