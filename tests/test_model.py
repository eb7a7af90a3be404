"""Each part of the model against its formula, and what must hold for any weights: padding, causality, caching."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malaygpt.model import (
    AddAndNorm,
    FeedForward,
    LayerNorm,
    ModelConfig,
    MultiHeadAttention,
    PositionalEncoding,
    TokenEmbedding,
    Transformer,
    attention_weights,
    build_model,
    causal_mask,
)

VOCAB = 50
SIZES = ("vocab_size", "d_model", "num_heads", "num_encoder_blocks", "num_decoder_blocks", "d_ff", "max_length")


def random_ids(*shape: int) -> Tensor:
    """Tokens that are not [PAD]"""
    return torch.randint(1, VOCAB, shape)


def random_batch(lengths: list[int]) -> Tensor:
    """(B, N), padded on the right with 0"""
    return nn.utils.rnn.pad_sequence([random_ids(length) for length in lengths], batch_first=True)


def drawn(module: nn.Module) -> nn.Module:
    """The part with random parameters: parts leave theirs to `build_model`, which makes whole models."""
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


# The tutorial's faults, each with the test that keeps it out.


def test_attention_rows_are_softmax_weights_that_sum_to_one():
    query, keys = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 7, 8)
    mask = torch.rand(2, 1, 5, 7) < 0.7
    mask[..., 0] = True
    weights = attention_weights(query, keys, mask)
    scores = torch.einsum("bhnk,bhmk->bhnm", query.double(), keys.double()) / math.sqrt(8)
    expected = torch.where(mask, scores.exp(), 0.0)
    expected /= expected.sum(-1, keepdim=True)
    torch.testing.assert_close(weights, expected.float())
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 5))
    assert (weights[~mask.expand_as(weights)] == 0).all()


def test_attention_averages_values_with_the_weights_and_not_with_the_scores():
    attention = drawn(MultiHeadAttention(8, 2, dropout=0.0))
    x, source = torch.randn(2, 3, 8), torch.randn(2, 4, 8)
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        query, keys, values = (
            attention.query(x)[..., head],
            attention.key(source)[..., head],
            attention.value(source)[..., head],
        )
        heads.append((query @ keys.mT / math.sqrt(4)).softmax(-1) @ values)
    torch.testing.assert_close(attention(x, source), attention.output(torch.cat(heads, -1)))


def test_attention_written_out_equals_the_fused_kernel_that_gpus_use():
    query, keys, values = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 7, 8), torch.randn(2, 3, 7, 8)
    mask = torch.rand(2, 1, 1, 7) < 0.7
    mask[..., 0] = True
    for each in (mask, None):
        fused = F.scaled_dot_product_attention(query, keys, values, each)
        torch.testing.assert_close(attention_weights(query, keys, each) @ values, fused)


@pytest.mark.parametrize(("d_model", "max_length"), [(16, 64), (512, 512)])
def test_position_table_is_the_papers_formula(d_model: int, max_length: int):
    table = PositionalEncoding(d_model, max_length).table
    expected = torch.empty(max_length, d_model, dtype=torch.float64)
    for i in range(d_model // 2):
        angle = torch.arange(max_length, dtype=torch.float64) / 10000 ** (2 * i / d_model)
        expected[:, 2 * i], expected[:, 2 * i + 1] = angle.sin(), angle.cos()
    torch.testing.assert_close(table, expected.float(), atol=1e-6, rtol=0)


def test_positions_are_added_from_where_a_sequence_starts():
    positions = PositionalEncoding(8, 10)
    x = torch.randn(2, 3, 8)
    torch.testing.assert_close(positions(x, start=4) - x, positions.table[4:7].expand(2, 3, 8))


def test_position_table_moves_with_the_model_and_is_not_saved(untrained_model: Transformer):
    assert untrained_model.to(torch.float64).positions.table.dtype == torch.float64
    assert untrained_model.to("meta").positions.table.device.type == "meta"
    assert not [name for name in untrained_model.state_dict() if "position" in name]
    assert not [name for name, _ in untrained_model.named_parameters() if "position" in name]


def test_blocks_share_nothing():
    model = build_model(ModelConfig.preset("base", VOCAB))
    for stack in (model.encoder, model.decoder):
        assert len({id(block) for block in stack.blocks}) == 6
        assert len(
            {id(module) for block in stack.blocks for module in block.modules() if list(module.parameters())}
        ) == sum(1 for block in stack.blocks for module in block.modules() if list(module.parameters()))
    storages = [parameter.data_ptr() for parameter in model.parameters()]
    assert len(set(storages)) == len(storages)
    first_queries = [
        block.self_attention.query.weight for stack in (model.encoder, model.decoder) for block in stack.blocks
    ]
    for i, weight in enumerate(first_queries):
        assert not any(torch.equal(weight, other) for other in first_queries[:i])


def test_layer_norm_has_a_gain_and_a_bias_for_every_feature_and_follows_its_formula():
    norm = LayerNorm(6)
    assert norm.gain.shape == norm.bias.shape == (6,)
    nn.init.normal_(norm.gain)
    nn.init.normal_(norm.bias)
    x = 3 * torch.randn(2, 5, 6) + 1
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    torch.testing.assert_close(norm(x), centred / (variance + 1e-5).sqrt() * norm.gain + norm.bias)


def test_causal_mask_lets_a_position_see_itself_and_what_came_before():
    mask = causal_mask(4)
    assert [[bool(mask[row, column]) for column in range(4)] for row in range(4)] == [
        [column <= row for column in range(4)] for row in range(4)
    ]


def test_a_token_changes_the_logits_at_and_after_it_and_never_before(untrained_model: Transformer):
    src, tgt = random_ids(1, 6), random_ids(1, 9)
    before = untrained_model(src, tgt)
    for place in range(9):
        changed = tgt.clone()
        changed[0, place] = changed[0, place] % (VOCAB - 1) + 1
        after = untrained_model(src, changed)
        assert torch.equal(after[:, :place], before[:, :place])
        assert (after[:, place:] != before[:, place:]).any(dim=-1).all()


# The parts


def test_feed_forward_is_linear_relu_linear():
    layer = drawn(FeedForward(6, 10, dropout=0.5)).eval()
    x = torch.randn(2, 3, 6)
    hidden = (x @ layer.expand.weight.T + layer.expand.bias).clamp(min=0)
    torch.testing.assert_close(layer(x), hidden @ layer.contract.weight.T + layer.contract.bias)


def test_feed_forward_drops_hidden_activations_in_training_only():
    layer = FeedForward(64, 64, dropout=0.5)
    for linear in (layer.expand, layer.contract):
        nn.init.eye_(linear.weight)
        nn.init.zeros_(linear.bias)
    x = torch.rand(1, 4, 64) + 1
    trained = layer.train()(x)
    dropped = trained == 0
    assert 0.2 < dropped.float().mean() < 0.8
    torch.testing.assert_close(trained[~dropped], 2 * x[~dropped])
    assert torch.equal(layer.eval()(x), x)


def test_add_and_norm_normalises_first_and_then_adds():
    layer = AddAndNorm(6, dropout=0.5).eval()
    nn.init.normal_(layer.norm.gain)
    x = torch.randn(2, 3, 6)
    torch.testing.assert_close(layer(x, torch.sin), x + layer.norm(x).sin())


def test_embedding_is_scaled_by_the_root_of_the_width():
    embedding = drawn(TokenEmbedding(VOCAB, 16))
    ids = random_ids(2, 3)
    torch.testing.assert_close(embedding(ids), embedding.weight[ids] * 4.0)


def test_dropout_acts_in_training_and_only_there():
    model = build_model(ModelConfig.preset("tiny", VOCAB))
    src, tgt = random_ids(2, 5), random_ids(2, 5)
    assert not torch.equal(model.train()(src, tgt), model(src, tgt))
    assert torch.equal(model.eval()(src, tgt), model(src, tgt))


def test_every_dropout_takes_its_rate_from_the_config():
    model = build_model(ModelConfig(VOCAB, d_model=8, num_heads=2, d_ff=16, dropout=0.25))
    rates = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    # One on the embeddings; an encoder block has attention, feed-forward and two residuals, a decoder block two more.
    assert rates == [0.25] * (1 + 6 * 4 + 6 * 6)


def test_one_embedding_serves_source_target_and_projection():
    model = build_model(ModelConfig.preset("tiny", VOCAB))
    assert [name for name, tensor in model.state_dict().items() if VOCAB in tensor.shape] == ["embedding.weight"]
    hidden = torch.randn(2, 3, 32)
    torch.testing.assert_close(model.project(hidden), hidden @ model.embedding.weight.T)
    with torch.no_grad():
        model.embedding.weight.zero_()
    assert (model.project(hidden) == 0).all()


def test_every_parameter_learns():
    model = build_model(ModelConfig.preset("tiny", VOCAB))
    model(random_ids(2, 5), random_ids(2, 6)).square().sum().backward()
    # A bias of the keys moves all scores of a row alike, which softmax does not see: its gradient is rounding.
    idle = [name for name, p in model.named_parameters() if p.grad is None or (p.grad == 0).all()]
    assert [name for name in idle if not name.endswith("key.bias")] == []


def test_a_new_model_has_xavier_matrices_zero_biases_and_normal_embeddings_from_the_seed():
    torch.manual_seed(5)
    first = build_model(ModelConfig.preset("tiny", VOCAB))
    torch.manual_seed(5)
    second = build_model(ModelConfig.preset("tiny", VOCAB))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    for module in first.modules():
        if isinstance(module, nn.Linear):
            bound = math.sqrt(6 / sum(module.weight.shape))
            assert 0.9 * bound < module.weight.abs().max() <= bound
            assert (module.bias == 0).all()
    assert (first.embedding.weight.std() * 32**0.5).item() == pytest.approx(1, abs=0.1)


# The whole model


@pytest.mark.parametrize("trial", range(5))
def test_padding_never_changes_a_logit(untrained_model: Transformer, trial: int):
    torch.manual_seed(trial)
    src_lengths, tgt_lengths = torch.randint(1, 30, (2, 6)).tolist()
    src, tgt = random_batch(src_lengths), random_batch(tgt_lengths)
    together = untrained_model(src, tgt)
    for row, (s, t) in enumerate(zip(src_lengths, tgt_lengths, strict=True)):
        alone = untrained_model(src[row : row + 1, :s], tgt[row : row + 1, :t])
        torch.testing.assert_close(together[row, :t], alone[0], atol=1e-5, rtol=1e-5)


def test_the_source_matters_to_every_logit(untrained_model: Transformer):
    tgt = random_ids(1, 4)
    first, second = (untrained_model(random_ids(1, 5), tgt) for _ in range(2))
    assert (first != second).any(dim=-1).all()


def test_word_order_matters(untrained_model: Transformer):
    src, tgt = random_ids(1, 5), random_ids(1, 4)
    assert not torch.allclose(untrained_model(src, tgt), untrained_model(src.flip(1), tgt), atol=1e-3)


def test_cached_decoding_equals_uncached_token_by_token(untrained_model: Transformer):
    src, tgt = random_batch([7, 2, 11, 1]), random_ids(4, 9)
    src_mask = untrained_model.padding_mask(src)
    memory = untrained_model.encode(src, src_mask)
    cache = untrained_model.start(memory, src_mask)
    for t in range(9):
        assert cache.length == t
        logits, cache = untrained_model.step(tgt[:, t : t + 1], cache)
        uncached = untrained_model.project(untrained_model.decode(tgt[:, : t + 1], memory, src_mask))
        torch.testing.assert_close(logits, uncached[:, -1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rows", [torch.tensor([2, 0, 2]), torch.tensor([False, True, True])])
def test_a_selected_cache_goes_on_as_its_rows_would(untrained_model: Transformer, rows: Tensor):
    src, tgt = random_batch([7, 2, 11]), random_ids(3, 4)
    later = random_ids(len(src[rows]), 3)
    src_mask = untrained_model.padding_mask(src)
    cache = untrained_model.start(untrained_model.encode(src, src_mask), src_mask)
    for t in range(4):
        _, cache = untrained_model.step(tgt[:, t : t + 1], cache)
    cache = cache.select(rows)
    expected = untrained_model(src[rows], torch.cat([tgt[rows], later], dim=1))
    for t in range(3):
        logits, cache = untrained_model.step(later[:, t : t + 1], cache)
        torch.testing.assert_close(logits, expected[:, 4 + t], atol=1e-5, rtol=1e-5)


def test_a_cache_is_a_value_from_which_decoding_can_branch(untrained_model: Transformer):
    src, prefix, branches = random_ids(1, 5), random_ids(1, 1), random_ids(3, 1)
    _, cache = untrained_model.step(prefix, untrained_model.start(untrained_model.encode(src)))
    for branch in branches:
        logits, longer = untrained_model.step(branch.unsqueeze(0), cache)
        expected = untrained_model(src, torch.cat([prefix, branch.unsqueeze(0)], dim=1))[:, -1]
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
        assert (cache.length, longer.length) == (1, 2)


def test_a_sequence_longer_than_the_table_of_positions_is_refused():
    model = build_model(ModelConfig(VOCAB, d_model=8, num_heads=2, d_ff=16, max_length=6)).eval()
    assert model(random_ids(1, 6), random_ids(1, 6)).shape == (1, 6, VOCAB)
    for src, tgt in ((random_ids(1, 7), random_ids(1, 2)), (random_ids(1, 2), random_ids(1, 7))):
        with pytest.raises(ValueError, match="7 tokens is longer than the model's max_length, 6"):
            model(src, tgt)
    cache = model.start(model.encode(random_ids(1, 3)))
    for _ in range(6):
        _, cache = model.step(random_ids(1, 1), cache)
    with pytest.raises(ValueError, match="7 tokens"):
        model.step(random_ids(1, 1), cache)


# What it attended to


@pytest.fixture
def lopsided() -> Transformer:
    """As many encoder blocks, decoder blocks, heads and tokens as nothing else has"""
    config = ModelConfig(VOCAB, d_model=24, num_heads=3, num_encoder_blocks=4, num_decoder_blocks=2, d_ff=40)
    return build_model(config).eval().requires_grad_(False)


def test_attention_is_a_distribution_for_every_block_head_and_position(lopsided: Transformer):
    found = lopsided.requires_grad_(True).attend(random_ids(1, 7), random_ids(1, 5))
    assert found.encoder.shape == (4, 3, 7, 7)
    assert found.decoder.shape == (2, 3, 5, 5)
    assert found.cross.shape == (2, 3, 5, 7)
    for maps in (found.encoder, found.decoder, found.cross):
        assert (maps >= 0).all()
        torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))
    assert not found.cross.requires_grad


def test_no_target_attends_to_a_later_one_and_each_to_all_before_it(lopsided: Transformer):
    decoder = lopsided.attend(random_ids(1, 7), random_ids(1, 5)).decoder
    assert torch.equal(decoder > 0, causal_mask(5).expand_as(decoder))


def test_attention_is_what_decoding_step_by_step_attends_by(lopsided: Transformer):
    """The queries that each step makes, with the keys that its cache holds, give the row of that step."""
    src, tgt = random_ids(1, 7), random_ids(1, 5)
    found = lopsided.attend(src, tgt)
    queries: dict[nn.Module, Tensor] = {}
    for block in lopsided.decoder.blocks:
        for attention in (block.self_attention, block.cross_attention):
            attention.query.register_forward_hook(lambda layer, _, query: queries.update({layer: query}))
    cache = lopsided.start(lopsided.encode(src))
    for t in range(5):
        _, cache = lopsided.step(tgt[:, t : t + 1], cache)
        for number, (block, known) in enumerate(zip(lopsided.decoder.blocks, cache.blocks, strict=True)):
            own, cross = (
                attention_weights(queries[attention.query].unflatten(-1, (3, 8)).transpose(1, 2), keys, None)
                for attention, keys in (
                    (block.self_attention, known.keys),
                    (block.cross_attention, known.memory_keys),
                )
            )
            torch.testing.assert_close(found.decoder[number, :, t, : t + 1], own[0, :, 0], atol=1e-6, rtol=1e-5)
            torch.testing.assert_close(found.cross[number, :, t], cross[0, :, 0], atol=1e-6, rtol=1e-5)


def test_attention_of_the_encoder_is_what_encoding_attends_by(lopsided: Transformer):
    src, seen = random_ids(1, 7), []
    found = lopsided.attend(src, random_ids(1, 2))
    for block in lopsided.encoder.blocks:
        block.self_attention.register_forward_pre_hook(lambda attention, inputs: seen.append((attention, *inputs)))
    lopsided.encode(src)
    for maps, (attention, x, source, _) in zip(found.encoder, seen, strict=True):
        query, key = (
            layer.unflatten(-1, (3, 8)).transpose(1, 2) for layer in (attention.query(x), attention.key(source))
        )
        torch.testing.assert_close(maps, attention_weights(query, key, None)[0], atol=1e-6, rtol=1e-5)


def test_rows_are_targets_and_columns_are_what_they_attend_to(lopsided: Transformer):
    """A model made by hand, in which the target at each place can but attend to the source at the same place"""
    for name, parameter in lopsided.named_parameters():
        if name.startswith("embedding") or name.rpartition(".")[0].endswith(("output", "contract")):
            parameter.zero_()  # nothing is left to attend by but positions, and these are of one feature each
    lopsided.positions.table.zero_()[:24] = torch.eye(24)
    for block in lopsided.decoder.blocks:
        for layer in (block.cross_attention.query, block.cross_attention.key):
            layer.weight.copy_(torch.eye(8, 24).repeat(3, 1))  # every head sees the first places
    cross = lopsided.attend(random_ids(1, 7), random_ids(1, 5)).cross
    assert (cross.diagonal(dim1=-2, dim2=-1) > 0.99).all()


def test_attention_changes_with_the_tokens_it_is_of(lopsided: Transformer):
    src, tgt = random_ids(1, 6), random_ids(1, 5)
    found = lopsided.attend(src, tgt)
    other = lopsided.attend(src.flip(1), tgt)
    assert not torch.allclose(found.encoder, other.encoder) and not torch.allclose(found.cross, other.cross)
    longer = lopsided.attend(src, torch.cat([tgt, random_ids(1, 1)], 1))
    torch.testing.assert_close(longer.decoder[:, :, :5, :5], found.decoder)
    torch.testing.assert_close(longer.cross[:, :, :5], found.cross)


# The configuration


def test_the_base_preset_is_the_papers():
    config = ModelConfig.preset("base", 37000)
    assert (config.d_model, config.num_heads, config.d_ff, config.dropout) == (512, 8, 2048, 0.1)
    assert (config.num_encoder_blocks, config.num_decoder_blocks) == (6, 6)
    assert config == ModelConfig(37000)


@pytest.mark.parametrize("name", ["tiny", "small", "base"])
def test_every_preset_builds(name: str):
    with torch.device("meta"):
        assert Transformer(ModelConfig.preset(name, VOCAB)).config.vocab_size == VOCAB


def test_an_unknown_preset_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match=r"'huge'.*tiny, small, base"):
        ModelConfig.preset("huge", VOCAB)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [0, -1, 2.0, "8", None])
def test_a_size_that_is_not_a_positive_whole_number_is_refused(name: str, value: object):
    with pytest.raises(ValueError, match=rf"ModelConfig\.{name} is .*positive whole number"):
        ModelConfig(**{"vocab_size": VOCAB, name: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 12, "num_heads": 8}, r"d_model is 12; it must be divisible by twice num_heads \(8\)"),
        ({"d_model": 24, "num_heads": 8}, r"d_model is 24"),
        ({"dropout": 1.0}, r"dropout is 1\.0"),
        ({"dropout": -0.1}, r"dropout is -0\.1"),
        ({"dropout": math.nan}, r"dropout is nan"),
        ({"pad_id": VOCAB}, r"pad_id is 50; it must be a token of the vocabulary"),
        ({"pad_id": -1}, r"pad_id is -1"),
        ({"pad_id": 0.5}, r"pad_id is 0\.5"),
    ],
)
def test_a_shape_that_cannot_be_built_is_refused_by_name_and_value(changes: dict, message: str):
    with pytest.raises(ValueError, match=rf"ModelConfig\.{message}"):
        ModelConfig(**{"vocab_size": VOCAB, **changes})


def test_attention_of_weights_stored_in_bfloat16_is_that_of_float32(untrained_model: Transformer):
    short = copy.deepcopy(untrained_model).bfloat16()
    src, tgt = torch.tensor([[5, 6, 3]]), torch.tensor([[2, 7, 8]])
    expected = copy.deepcopy(short).float().attend(src, tgt)
    found = short.attend(src, tgt)
    assert torch.equal(found.cross, expected.cross) and found.cross.dtype == torch.float32
    assert short.embedding.weight.dtype == torch.bfloat16
