"""A model in numbers, and where each of them stands in model.py.

The lines are found by what they do: each is an expression, compared as syntax within the class or function that it
belongs to, so that a number is never linked to a line that has since moved.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable

from malaygpt.model import (
    Decoder,
    DecoderBlock,
    Encoder,
    EncoderBlock,
    FeedForward,
    MultiHeadAttention,
    TokenEmbedding,
    Transformer,
)


def figures(model: Transformer) -> dict[str, int]:
    """The numbers of this model by their names in ModelConfig, and d_head, the width of a head, and num_parameters."""
    config = model.config
    return {
        "num_parameters": model.num_parameters,
        "vocab_size": config.vocab_size,
        "d_model": config.d_model,
        "num_heads": config.num_heads,
        "d_head": config.d_model // config.num_heads,
        "d_ff": config.d_ff,
        "num_encoder_blocks": config.num_encoder_blocks,
        "num_decoder_blocks": config.num_decoder_blocks,
    }


def lines() -> dict[str, int]:
    """Of each of these numbers and each kind of attention, the line of model.py, from 1, that does it."""
    split = _line(MultiHeadAttention, "x.unflatten(-1, (self.num_heads, -1))")
    return {
        "num_parameters": inspect.getsourcelines(Transformer)[1],
        "vocab_size": _line(TokenEmbedding, "torch.empty(vocab_size, d_model)"),
        "d_model": _line(TokenEmbedding, "F.embedding(ids, self.weight)"),
        "num_heads": split,
        "d_head": split,
        "d_ff": _line(FeedForward, "Linear(d_model, d_ff)"),
        "num_encoder_blocks": _line(Encoder, "EncoderBlock(config) for _ in range(config.num_encoder_blocks)"),
        "num_decoder_blocks": _line(Decoder, "DecoderBlock(config) for _ in range(config.num_decoder_blocks)"),
        "encoder": _line(EncoderBlock.forward, "self.self_attention(y, y, src_mask)"),
        "decoder": _line(DecoderBlock.forward, "self.self_attention(y, y, tgt_mask)"),
        "cross": _line(DecoderBlock.forward, "self.cross_attention(y, memory, src_mask)"),
    }


def _line(owner: type | Callable, code: str) -> int:
    """Where an expression, or a generator without its parentheses, first stands in a class or function"""
    source, first = inspect.getsourcelines(owner)
    wanted = ast.dump(ast.parse(f"({code})", mode="eval").body)
    places = [
        node.lineno
        for node in ast.walk(ast.parse(textwrap.dedent("".join(source))))
        if isinstance(node, ast.expr) and ast.dump(node) == wanted
    ]
    assert places, f"{owner.__qualname__} no longer has {code}; say in figures.py what does it now."
    return first + min(places) - 1
