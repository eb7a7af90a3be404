"""The same weights in other implementations give the same numbers: torch.nn's Transformer, Hugging Face's M2M100."""

import pytest
import torch
from torch import Tensor, nn

from malaygpt.decode import SearchOptions, search_batch
from malaygpt.engine import FlatEngine
from malaygpt.model import LayerNorm, ModelConfig, MultiHeadAttention, Transformer, causal_mask
from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID, UNK_ID

SRC_LENGTHS, TGT_LENGTHS = [9, 3, 12, 1], [4, 10, 1, 7]
TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture
def src() -> Tensor:
    return random_batch(SRC_LENGTHS)


@pytest.fixture
def tgt() -> Tensor:
    return random_batch(TGT_LENGTHS)


def random_batch(lengths: list[int]) -> Tensor:
    torch.manual_seed(sum(lengths))
    return nn.utils.rnn.pad_sequence(
        [torch.randint(1, 50, (n,)) for n in lengths], batch_first=True, padding_value=PAD_ID
    )


def copy_norm(ours: LayerNorm, theirs: nn.LayerNorm) -> None:
    theirs.load_state_dict({"weight": ours.gain, "bias": ours.bias})


# torch.nn


def copy_torch_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    projections = (ours.query, ours.key, ours.value)
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([linear.weight for linear in projections]),
            "in_proj_bias": torch.cat([linear.bias for linear in projections]),
            "out_proj.weight": ours.output.weight,
            "out_proj.bias": ours.output.bias,
        }
    )


def torch_encoder(model: Transformer) -> nn.TransformerEncoder:
    config = model.config
    layer = nn.TransformerEncoderLayer(
        config.d_model, config.num_heads, config.d_ff, activation="relu", norm_first=True, batch_first=True
    )
    theirs = nn.TransformerEncoder(
        layer, config.num_encoder_blocks, norm=nn.LayerNorm(config.d_model), enable_nested_tensor=False
    )
    for block, layer in zip(model.encoder.blocks, theirs.layers, strict=True):
        copy_torch_attention(block.self_attention, layer.self_attn)
        layer.linear1.load_state_dict(block.feed_forward.expand.state_dict())
        layer.linear2.load_state_dict(block.feed_forward.contract.state_dict())
        copy_norm(block.add_self_attention.norm, layer.norm1)
        copy_norm(block.add_feed_forward.norm, layer.norm2)
    copy_norm(model.encoder.norm, theirs.norm)
    return theirs.eval()


def torch_decoder(model: Transformer) -> nn.TransformerDecoder:
    config = model.config
    layer = nn.TransformerDecoderLayer(
        config.d_model, config.num_heads, config.d_ff, activation="relu", norm_first=True, batch_first=True
    )
    theirs = nn.TransformerDecoder(layer, config.num_decoder_blocks, norm=nn.LayerNorm(config.d_model))
    for block, layer in zip(model.decoder.blocks, theirs.layers, strict=True):
        copy_torch_attention(block.self_attention, layer.self_attn)
        copy_torch_attention(block.cross_attention, layer.multihead_attn)
        layer.linear1.load_state_dict(block.feed_forward.expand.state_dict())
        layer.linear2.load_state_dict(block.feed_forward.contract.state_dict())
        copy_norm(block.add_self_attention.norm, layer.norm1)
        copy_norm(block.add_cross_attention.norm, layer.norm2)
        copy_norm(block.add_feed_forward.norm, layer.norm3)
    copy_norm(model.decoder.norm, theirs.norm)
    return theirs.eval()


def test_encoder_equals_torch(untrained_model: Transformer, src: Tensor):
    mask = src != PAD_ID
    x = untrained_model.positions(untrained_model.embedding(src))
    ours = untrained_model.encode(src, untrained_model.padding_mask(src))
    theirs = torch_encoder(untrained_model)(x, src_key_padding_mask=~mask)
    torch.testing.assert_close(ours[mask], theirs[mask], **TOLERANCE)


def test_decoder_equals_torch(untrained_model: Transformer, src: Tensor, tgt: Tensor):
    memory = torch.randn(*src.shape, untrained_model.config.d_model)
    y = untrained_model.positions(untrained_model.embedding(tgt))
    ours = untrained_model.decode(tgt, memory, untrained_model.padding_mask(src))
    theirs = torch_decoder(untrained_model)(
        y, memory, tgt_mask=~causal_mask(tgt.size(1)), memory_key_padding_mask=src == PAD_ID
    )
    torch.testing.assert_close(ours, theirs, **TOLERANCE)


def test_gradients_equal_torch(untrained_model: Transformer, src: Tensor, tgt: Tensor):
    x, y = (untrained_model.positions(untrained_model.embedding(ids)) for ids in (src, tgt))
    gradients = []
    for encoder, decoder, encoder_mask, decoder_masks in (
        (
            untrained_model.encoder,
            untrained_model.decoder,
            (untrained_model.padding_mask(src),),
            (causal_mask(tgt.size(1)), untrained_model.padding_mask(src)),
        ),
        (
            torch_encoder(untrained_model).train().apply(without_dropout),
            torch_decoder(untrained_model).train().apply(without_dropout),
            (None, src == PAD_ID),
            (~causal_mask(tgt.size(1)), None, None, src == PAD_ID),
        ),
    ):
        x_leaf, y_leaf = x.clone().requires_grad_(), y.clone().requires_grad_()
        decoder(y_leaf, encoder(x_leaf, *encoder_mask), *decoder_masks)[tgt != PAD_ID].sin().sum().backward()
        gradients.append((x_leaf.grad, y_leaf.grad))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def without_dropout(module: nn.Module) -> None:
    if isinstance(module, nn.Dropout):
        module.p = 0.0
    if isinstance(module, nn.MultiheadAttention):
        module.dropout = 0.0


# Hugging Face


def copy_m2m100_attention(ours: MultiHeadAttention, theirs: nn.Module) -> None:
    theirs.q_proj.load_state_dict(ours.query.state_dict())
    theirs.k_proj.load_state_dict(ours.key.state_dict())
    theirs.v_proj.load_state_dict(ours.value.state_dict())
    theirs.out_proj.load_state_dict(ours.output.state_dict())


def m2m100(model: Transformer) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    ours: ModelConfig = model.config
    theirs = transformers.M2M100ForConditionalGeneration(
        transformers.M2M100Config(
            vocab_size=ours.vocab_size,
            d_model=ours.d_model,
            encoder_layers=ours.num_encoder_blocks,
            decoder_layers=ours.num_decoder_blocks,
            encoder_attention_heads=ours.num_heads,
            decoder_attention_heads=ours.num_heads,
            encoder_ffn_dim=ours.d_ff,
            decoder_ffn_dim=ours.d_ff,
            max_position_embeddings=ours.max_length,
            activation_function="relu",
            scale_embedding=True,
            tie_word_embeddings=True,
            pad_token_id=PAD_ID,
            bos_token_id=CLS_ID,
            decoder_start_token_id=CLS_ID,
            eos_token_id=SEP_ID,
        )
    ).eval()
    inner = theirs.model
    theirs.lm_head.weight.data.copy_(model.embedding.weight)
    assert inner.shared.weight.data_ptr() == theirs.lm_head.weight.data_ptr()
    for stack, stack_blocks, norm in (
        (inner.encoder, model.encoder.blocks, model.encoder.norm),
        (inner.decoder, model.decoder.blocks, model.decoder.norm),
    ):
        assert torch.equal(stack.embed_tokens.weight, model.embedding.weight)
        # It counts positions from padding_idx + 1, and lays sines and cosines in halves and not in turn.
        stack.embed_positions.weights[PAD_ID + 1 : PAD_ID + 1 + ours.max_length] = model.positions.table
        copy_norm(norm, stack.layer_norm)
        for block, layer in zip(stack_blocks, stack.layers, strict=True):
            copy_m2m100_attention(block.self_attention, layer.self_attn)
            copy_norm(block.add_self_attention.norm, layer.self_attn_layer_norm)
            layer.fc1.load_state_dict(block.feed_forward.expand.state_dict())
            layer.fc2.load_state_dict(block.feed_forward.contract.state_dict())
            copy_norm(block.add_feed_forward.norm, layer.final_layer_norm)
    for block, layer in zip(model.decoder.blocks, inner.decoder.layers, strict=True):
        copy_m2m100_attention(block.cross_attention, layer.encoder_attn)
        copy_norm(block.add_cross_attention.norm, layer.encoder_attn_layer_norm)
    return theirs


def test_logits_equal_hugging_face(untrained_model: Transformer, src: Tensor, tgt: Tensor):
    theirs = m2m100(untrained_model)(
        input_ids=src, attention_mask=(src != PAD_ID).long(), decoder_input_ids=tgt, use_cache=False
    ).logits
    ours = untrained_model(src, tgt)
    real = tgt != PAD_ID
    torch.testing.assert_close(ours[real], theirs[real], **TOLERANCE)


def by_hugging_face(theirs: nn.Module, source: list[int], num_beams: int) -> list[list[int]]:
    """Target ids of the best, best first; those that ended have [SEP] at the end"""
    rows = theirs.generate(
        torch.tensor([[*source, SEP_ID]]),
        num_beams=num_beams,
        num_return_sequences=num_beams,
        length_penalty=0.0,
        early_stopping="never",
        do_sample=False,
        max_new_tokens=2 * len(source) + 16,
        suppress_tokens=[PAD_ID, UNK_ID, CLS_ID],
    ).tolist()
    return [row[1 : row.index(SEP_ID) + 1] if SEP_ID in row else row[1:] for row in rows]


SOURCES = [[5, 9, 30, 31], [70, 8], list(range(40, 60)), [150, 33, 200, 33, 7, 120], [280]]


def test_greedy_decoding_equals_hugging_face(model: Transformer):
    theirs = m2m100(model)
    for source, (found,) in zip(SOURCES, search_batch(FlatEngine(model, "float32"), SOURCES), strict=True):
        assert [[token.id for token in found.tokens]] == by_hugging_face(theirs, source, 1)


def test_beams_equal_hugging_faces(model: Transformer):
    """Without a length penalty, as theirs is another; of those that ended, as theirs ranks them with those cut off."""
    theirs, num_ended = m2m100(model), 0
    options = SearchOptions(num_beams=4, num_hypotheses=4, length_penalty=0.0)
    for source, found in zip(SOURCES, search_batch(FlatEngine(model, "float32"), SOURCES, options), strict=True):
        ended = [ids for ids in by_hugging_face(theirs, source, 4) if ids[-1] == SEP_ID]
        assert [[token.id for token in each.tokens] for each in found][: len(ended)] == ended
        num_ended += len(ended)
    assert num_ended > len(SOURCES)
