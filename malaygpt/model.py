"""The encoder-decoder Transformer of "Attention Is All You Need" (Vaswani et al., 2017), one small class a step.

It is read from top to bottom: configuration, embedding and positions (tutorial steps 4 and 5), the parts of a block
(6 to 8), encoder and decoder (9), projection and the whole model (10, 11). It follows the paper except that layers
normalise first and add afterwards (pre-norm), which trains without a delicate warm-up, and that one embedding table
serves source, target and projection.

Letters in shapes: B batch, S source tokens, T target tokens, N and M either, D d_model, H heads, K d_model / heads,
V vocabulary.
Masks are boolean and True means "may attend".
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LARGEST_SIZE = 1_000_000
"""No width, depth or length is larger: a mistyped config must not ask for terabytes."""


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a Transformer; everything needed to rebuild it from a file of weights."""

    vocab_size: int
    """Tokens in the vocabulary that source and target share."""
    d_model: int = 512
    """Width of the residual stream."""
    num_heads: int = 8
    """Attention heads; each is d_model / num_heads wide."""
    num_encoder_blocks: int = 6
    num_decoder_blocks: int = 6
    d_ff: int = 2048
    """Width of the hidden layer in each feed-forward."""
    dropout: float = 0.1
    """Probability with which training zeroes an activation."""
    max_length: int = 512
    """Longest sequence, in tokens, that the table of positions covers."""
    pad_id: int = 0
    """The token that fills a batch; nothing attends to it in the source."""

    def __post_init__(self) -> None:
        for name in (
            "vocab_size",
            "d_model",
            "num_heads",
            "num_encoder_blocks",
            "num_decoder_blocks",
            "d_ff",
            "max_length",
        ):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= LARGEST_SIZE:
                raise ValueError(
                    f"ModelConfig.{name} is {value!r}; it must be a positive whole number, at most {LARGEST_SIZE:,}."
                )
        if self.d_model % (2 * self.num_heads):
            raise ValueError(
                f"ModelConfig.d_model is {self.d_model}; it must be divisible by twice num_heads ({self.num_heads})."
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"ModelConfig.dropout is {self.dropout!r}; it must be at least 0 and less than 1.")
        if type(self.pad_id) is not int or not 0 <= self.pad_id < self.vocab_size:
            raise ValueError(f"ModelConfig.pad_id is {self.pad_id}; it must be a token of the vocabulary.")

    @classmethod
    def preset(cls, name: str, vocab_size: int) -> "ModelConfig":
        """A named shape: `tiny` for tests, `small` for two CPU cores, `base` as in the paper.

        `small` spends its depth in the encoder: the decoder runs once a token, so its blocks cost the most to serve
        (Kasai et al., 2021, "Deep Encoder, Shallow Decoder").
        """
        if name not in PRESETS:
            raise ValueError(f"There is no preset {name!r}; choose one of {', '.join(PRESETS)}.")
        return cls(vocab_size=vocab_size, **PRESETS[name])


PRESETS: dict[str, dict[str, int | float]] = {
    "tiny": {"d_model": 32, "num_heads": 2, "num_encoder_blocks": 2, "num_decoder_blocks": 2, "d_ff": 64},
    "small": {"d_model": 384, "num_heads": 6, "num_encoder_blocks": 4, "num_decoder_blocks": 2, "d_ff": 1536},
    "base": {"d_model": 512, "num_heads": 8, "num_encoder_blocks": 6, "num_decoder_blocks": 6, "d_ff": 2048},
}


class Linear(nn.Linear):
    """nn.Linear that leaves its numbers to `build_model` or a checkpoint: drawing some to overwrite them takes longer
    than all else in loading a model."""

    def reset_parameters(self) -> None:
        pass


class TokenEmbedding(nn.Module):
    """Token ids to vectors, scaled by sqrt(d_model) so that positions do not drown them (paper, section 3.4)."""

    def __init__(self, vocab_size: int, d_model: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocab_size, d_model))
        self.scale = math.sqrt(d_model)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, N) -> (B, N, D)"""
        return F.embedding(ids, self.weight) * self.scale


class PositionalEncoding(nn.Module):
    """Sines and cosines of geometric wavelengths, 2 pi to 10000 * 2 pi, added to the embeddings (paper, section 3.5).

    Column 2i holds sin(position / 10000^(2i / d_model)), column 2i + 1 the cosine of the same angle.
    """

    def __init__(self, d_model: int, max_length: int) -> None:
        super().__init__()
        # In double precision: at position 500 the angle in float32 is off by 3e-5.
        position = torch.arange(max_length, dtype=torch.float64).unsqueeze(1)
        frequency = torch.exp(torch.arange(0, d_model, 2, dtype=torch.float64) * (-math.log(10000.0) / d_model))
        table = torch.empty(max_length, d_model)
        table[:, 0::2] = torch.sin(position * frequency)
        table[:, 1::2] = torch.cos(position * frequency)
        # A buffer moves with the model between devices; not persistent, because it is a formula and not knowledge.
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """(B, N, D) -> (B, N, D): adds positions start ... start + N - 1. Raises ValueError past the table's end."""
        end = start + x.size(1)
        if end > self.table.size(0):
            raise ValueError(f"A sequence of {end} tokens is longer than the model's max_length, {self.table.size(0)}.")
        return x + self.table[start:end]


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps) * gain + bias over the last axis, a gain and a bias for every feature.

    Ba et al. (2016), tutorial step 7. The formula is one fused kernel, `F.layer_norm`.
    """

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)"""
        return F.layer_norm(x, self.gain.shape, self.gain, self.bias, self.eps)


class FeedForward(nn.Module):
    """Linear, ReLU, dropout, linear: the same two layers at every position (paper, section 3.3; tutorial step 6)."""

    def __init__(self, d_model: int, d_ff: int, dropout: float) -> None:
        super().__init__()
        self.expand = Linear(d_model, d_ff)
        self.dropout = nn.Dropout(dropout)
        self.contract = Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)"""
        return self.contract(self.dropout(F.relu(self.expand(x))))


class MultiHeadAttention(nn.Module):
    """softmax(Q K^T / sqrt(K)) V in several subspaces at once (paper, section 3.2).

    Keys and values are made apart from the attending, so that decoding can keep them: those of the source never
    change, and those of the target grow by one a token.
    """

    def __init__(self, d_model: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = Linear(d_model, d_model)
        self.key = Linear(d_model, d_model)
        self.value = Linear(d_model, d_model)
        self.output = Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """Every position of x (B, N, D) gathers from source (B, M, D); mask broadcasts to (B, H, N, M)."""
        return self.attend(x, *self.keys_values(source), mask)

    def keys_values(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """(B, M, D) -> keys and values, each (B, H, M, K)"""
        return self._split(self.key(source)), self._split(self.value(source))

    def weights(self, x: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """How much each position of x (B, N, D) attends to each of source (B, M, D) -> (B, H, N, M), for people to
        see; `forward` gathers by the same numbers."""
        return attention_weights(self._split(self.query(x)), self._split(self.key(source)), mask)

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, N, D), keys and values (B, H, M, K) -> (B, N, D)"""
        query = self._split(self.query(x))  # (B, H, N, K)
        if x.is_cuda:
            p = self.dropout.p if self.training else 0.0
            heads = F.scaled_dot_product_attention(query, keys, values, mask, p)
        else:
            # Written out on the CPU: there the fused kernel's bfloat16 backward is several times slower than this.
            heads = self.dropout(attention_weights(query, keys, mask)) @ values
        return self.output(heads.transpose(1, 2).flatten(2))  # (B, H, N, K) -> (B, N, D)

    def _split(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, H, N, K)"""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def attention_weights(query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
    """Query (B, H, N, K), keys (B, H, M, K) -> how much each of N positions attends to each of M; rows sum to one."""
    scores = (query * query.size(-1) ** -0.5) @ keys.transpose(-2, -1)  # (B, H, N, M)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(dim=-1)


class AddAndNorm(nn.Module):
    """x + dropout(sublayer(norm(x))): the residual connection around a sublayer, pre-norm (tutorial step 8)."""

    def __init__(self, d_model: int, dropout: float) -> None:
        super().__init__()
        self.norm = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        """(B, N, D) -> (B, N, D); sublayer maps (B, N, D) to (B, N, D)."""
        return x + self.dropout(sublayer(self.norm(x)))


class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each in an add-and-norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(config.d_model, config.num_heads, config.dropout)
        self.feed_forward = FeedForward(config.d_model, config.d_ff, config.dropout)
        self.add_self_attention = AddAndNorm(config.d_model, config.dropout)
        self.add_feed_forward = AddAndNorm(config.d_model, config.dropout)

    def forward(self, x: Tensor, src_mask: Tensor | None) -> Tensor:
        """(B, S, D) -> (B, S, D)"""
        x = self.add_self_attention(x, lambda y: self.self_attention(y, y, src_mask))
        return self.add_feed_forward(x, self.feed_forward)

    def weights(self, x: Tensor, src_mask: Tensor | None) -> Tensor:
        """Of the self-attention, (B, H, S, S)"""
        y = self.add_self_attention.norm(x)
        return self.self_attention.weights(y, y, src_mask)


class Encoder(nn.Module):
    """The encoder blocks in turn and a last normalisation, which pre-norm blocks leave to be done."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.num_encoder_blocks))
        self.norm = LayerNorm(config.d_model)

    def forward(self, x: Tensor, src_mask: Tensor | None) -> Tensor:
        """(B, S, D) -> (B, S, D)"""
        for block in self.blocks:
            x = block(x, src_mask)
        return self.norm(x)


@dataclass(frozen=True)
class BlockCache:
    """What one decoder block remembers of a sequence: keys and values, each (B, H, T or S, K)."""

    keys: Tensor
    values: Tensor
    memory_keys: Tensor
    memory_values: Tensor


@dataclass(frozen=True)
class KVCache:
    """All that decoding needs to go on by one token. A value: each step takes one and returns the next."""

    blocks: tuple[BlockCache, ...]
    src_mask: Tensor | None
    """(B, 1, 1, S)"""

    @property
    def length(self) -> int:
        """Target tokens seen so far."""
        return self.blocks[0].keys.size(2)

    def select(self, rows: Tensor) -> "KVCache":
        """The cache of these rows of the batch, in this order: finished sentences are dropped so."""
        blocks = tuple(
            BlockCache(b.keys[rows], b.values[rows], b.memory_keys[rows], b.memory_values[rows]) for b in self.blocks
        )
        return KVCache(blocks, None if self.src_mask is None else self.src_mask[rows])


class DecoderBlock(nn.Module):
    """Masked self-attention, cross-attention to the encoder's output, feed-forward, each in an add-and-norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(config.d_model, config.num_heads, config.dropout)
        self.cross_attention = MultiHeadAttention(config.d_model, config.num_heads, config.dropout)
        self.feed_forward = FeedForward(config.d_model, config.d_ff, config.dropout)
        self.add_self_attention = AddAndNorm(config.d_model, config.dropout)
        self.add_cross_attention = AddAndNorm(config.d_model, config.dropout)
        self.add_feed_forward = AddAndNorm(config.d_model, config.dropout)

    def forward(self, x: Tensor, memory: Tensor, tgt_mask: Tensor, src_mask: Tensor | None) -> Tensor:
        """Whole targets at once: x (B, T, D), memory (B, S, D) -> (B, T, D)"""
        x = self.add_self_attention(x, lambda y: self.self_attention(y, y, tgt_mask))
        x = self.add_cross_attention(x, lambda y: self.cross_attention(y, memory, src_mask))
        return self.add_feed_forward(x, self.feed_forward)

    def weights(self, x: Tensor, memory: Tensor, tgt_mask: Tensor, src_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Of the self-attention, (B, H, T, T), and of the cross-attention, (B, H, T, S)"""
        y = self.add_self_attention.norm(x)
        x = self.add_self_attention(x, lambda y: self.self_attention(y, y, tgt_mask))
        return (
            self.self_attention.weights(y, y, tgt_mask),
            self.cross_attention.weights(self.add_cross_attention.norm(x), memory, src_mask),
        )

    def start(self, memory: Tensor) -> BlockCache:
        """The cache before the first token: keys and values of the memory (B, S, D), none of the target."""
        keys, values = self.cross_attention.keys_values(memory)
        none = keys[:, :, :0]
        return BlockCache(none, none, keys, values)

    def step(self, x: Tensor, cache: BlockCache, src_mask: Tensor | None) -> tuple[Tensor, BlockCache]:
        """One more token: x (B, 1, D) -> (B, 1, D) and the cache that knows it.

        Needs no causal mask: the only keys there are belong to this token and those before it. Nor dropout: training
        takes whole targets at once.
        """
        y = self.add_self_attention.norm(x)
        keys, values = self.self_attention.keys_values(y)
        cache = BlockCache(
            torch.cat([cache.keys, keys], dim=2),
            torch.cat([cache.values, values], dim=2),
            cache.memory_keys,
            cache.memory_values,
        )
        x = x + self.self_attention.attend(y, cache.keys, cache.values)
        x = self.add_cross_attention(
            x, lambda y: self.cross_attention.attend(y, cache.memory_keys, cache.memory_values, src_mask)
        )
        return self.add_feed_forward(x, self.feed_forward), cache


class Decoder(nn.Module):
    """The decoder blocks in turn and a last normalisation."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(DecoderBlock(config) for _ in range(config.num_decoder_blocks))
        self.norm = LayerNorm(config.d_model)

    def forward(self, x: Tensor, memory: Tensor, tgt_mask: Tensor, src_mask: Tensor | None) -> Tensor:
        """(B, T, D) -> (B, T, D)"""
        for block in self.blocks:
            x = block(x, memory, tgt_mask, src_mask)
        return self.norm(x)

    def step(self, x: Tensor, cache: KVCache) -> tuple[Tensor, KVCache]:
        """(B, 1, D) -> (B, 1, D) and the next cache"""
        caches = []
        for block, block_cache in zip(self.blocks, cache.blocks, strict=True):
            x, block_cache = block.step(x, block_cache, cache.src_mask)
            caches.append(block_cache)
        return self.norm(x), KVCache(tuple(caches), cache.src_mask)


@dataclass(frozen=True)
class Attention:
    """The attention weights of one sentence and its translation, L blocks of each kind. Every row sums to one."""

    encoder: Tensor
    """Source to source, (L, H, S, S)"""
    decoder: Tensor
    """Target to target, (L, H, T, T); nothing attends to a later position"""
    cross: Tensor
    """Target to source, (L, H, T, S)"""


class Projection(nn.Module):
    """Hidden states to logits: the dot product with every token's embedding (Press & Wolf, 2017; tutorial step 10)."""

    def forward(self, hidden: Tensor, embedding: Tensor) -> Tensor:
        """hidden (..., D), embedding (V, D) -> (..., V)"""
        return F.linear(hidden, embedding)


class Transformer(nn.Module):
    """Source ids and target ids to logits (tutorial step 11).

    The three verbs are separate because translating encodes once and then decodes many times.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = TokenEmbedding(config.vocab_size, config.d_model)
        self.positions = PositionalEncoding(config.d_model, config.max_length)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.projection = Projection()

    def encode(self, src: Tensor, src_mask: Tensor | None = None) -> Tensor:
        """Source ids (B, S), src_mask (B, 1, 1, S) -> memory (B, S, D)"""
        return self.encoder(self._embed(src), src_mask)

    def decode(self, tgt: Tensor, memory: Tensor, src_mask: Tensor | None = None) -> Tensor:
        """Target ids (B, T), memory (B, S, D) -> hidden states (B, T, D); position t has seen tokens 0 ... t only."""
        return self.decoder(self._embed(tgt), memory, causal_mask(tgt.size(1), tgt.device), src_mask)

    def project(self, hidden: Tensor) -> Tensor:
        """Hidden states (..., D) -> logits (..., V)"""
        return self.projection(hidden, self.embedding.weight)

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        """Source ids (B, S), target ids (B, T), padded with pad_id on the right -> logits (B, T, V)"""
        src_mask = self.padding_mask(src)
        return self.project(self.decode(tgt, self.encode(src, src_mask), src_mask))

    @torch.inference_mode()
    def attend(self, src: Tensor, tgt: Tensor) -> Attention:
        """Every attention weight of source ids (1, S) and target ids (1, T), from one pass over the whole of both.

        `tgt` begins with [CLS]; its row t says what was attended to when the token after it was chosen. Weights that
        are stored shorter are widened to float32 for it.
        """
        if self.embedding.weight.dtype != torch.float32:
            return copy.deepcopy(self).float().attend(src, tgt)
        x, encoder = self._embed(src), []
        for block in self.encoder.blocks:
            encoder.append(block.weights(x, None))
            x = block(x, None)
        memory = self.encoder.norm(x)
        x, decoder = self._embed(tgt), []
        mask = causal_mask(tgt.size(1), tgt.device)
        for block in self.decoder.blocks:
            decoder.append(block.weights(x, memory, mask, None))
            x = block(x, memory, mask, None)
        own, cross = zip(*decoder, strict=True)
        return Attention(*(torch.cat(maps) for maps in (encoder, own, cross)))

    def start(self, memory: Tensor, src_mask: Tensor | None = None) -> KVCache:
        """Memory (B, S, D) -> the cache before the first target token"""
        return KVCache(tuple(block.start(memory) for block in self.decoder.blocks), src_mask)

    def step(self, ids: Tensor, cache: KVCache) -> tuple[Tensor, KVCache]:
        """The newest target ids (B, 1) -> logits (B, V) of what follows, and the next cache.

        The same numbers as `decode` on the whole prefix, for the price of one position.
        """
        hidden, next_cache = self.decoder.step(self._embed(ids, start=cache.length), cache)
        return self.project(hidden[:, -1]), next_cache

    def padding_mask(self, src: Tensor) -> Tensor:
        """Source ids (B, S) -> (B, 1, 1, S), True where there is a token and not padding"""
        return (src != self.config.pad_id)[:, None, None, :]

    def _embed(self, ids: Tensor, start: int = 0) -> Tensor:
        return self.dropout(self.positions(self.embedding(ids), start))


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """(T, T), True where column <= row: no position attends to a later one"""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def build_model(config: ModelConfig) -> Transformer:
    """A new Transformer from torch's seed, ready to train.

    Matrices are Xavier-uniform (Glorot & Bengio, 2010), biases zero, and embeddings normal with a variance of 1 / D,
    which their scale makes 1.
    """
    model = Transformer(config)
    nn.init.normal_(model.embedding.weight, std=config.d_model**-0.5)
    for module in model.modules():
        if isinstance(module, Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return model
