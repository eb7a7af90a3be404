"""Each breakage against what it says, written out; that the whole model stays whole; that the broken ones decode."""

import copy
import math
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import pytest
import torch
from torch import Tensor

from malaygpt.broken import KINDS, PARTS, Breakage, broken, wrong_positions
from malaygpt.decode import SearchOptions, search_batch
from malaygpt.engine import PlainEngine
from malaygpt.model import AddAndNorm, LayerNorm, Transformer
from malaygpt.tokenizer import CLS_ID, SEP_ID, Tokenizer

PARAMETERS = {"no_head": ("cross", 1, 0), "no_layer": ("decoder", 0)}
EVERY = [Breakage(key, *PARAMETERS.get(key, ())) for key in PARTS]
SRC = torch.tensor([[5, 9, 20, 31, 7, SEP_ID]])
TGT = torch.tensor([[CLS_ID, 8, 40, 6, 11]])
each_breakage = pytest.mark.parametrize("breakage", EVERY, ids=str)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def logits(model: Transformer, src: Tensor = SRC, tgt: Tensor = TGT) -> Tensor:
    """(B, T, V)"""
    with torch.inference_mode():
        return model(src, tgt)


def stepped(model: Transformer) -> Tensor:
    """The same by steps"""
    found = []
    with torch.inference_mode():
        cache = model.start(model.encode(SRC))
        for ids in TGT.T:
            step, cache = model.step(ids[:, None], cache)
            found.append(step)
    return torch.stack(found, dim=1)


def with_weights(model: Transformer, change) -> Transformer:
    """A copy of the model of which `change` may write over the weights"""
    model = copy.deepcopy(model)
    with torch.no_grad():
        change(model)
    return model


@each_breakage
def test_a_broken_model_computes_something_else(untrained_model: Transformer, breakage: Breakage):
    whole, found = logits(untrained_model), logits(broken(untrained_model, [breakage]))
    assert found.isfinite().all()
    assert (whole - found).abs().max() > 1e-3


def test_a_model_with_nothing_broken_computes_the_same(untrained_model: Transformer):
    assert torch.equal(logits(broken(untrained_model, [])), logits(untrained_model))


def test_breaking_leaves_the_whole_model_as_it_was(untrained_model: Transformer):
    before, parts = logits(untrained_model), [type(part) for part in untrained_model.modules()]
    attention = untrained_model.attend(SRC, TGT)
    tensors = {name: tensor.clone() for name, tensor in untrained_model.state_dict().items()}
    for breakage in EVERY:
        model = broken(untrained_model, [breakage])
        logits(model)
        model.attend(SRC, TGT)
    assert torch.equal(logits(untrained_model), before)
    assert torch.equal(untrained_model.attend(SRC, TGT).cross, attention.cross)
    assert [type(part) for part in untrained_model.modules()] == parts
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in untrained_model.state_dict().items())


def test_threads_break_one_model_in_different_ways_at_once(untrained_model: Transformer):
    everything = [[], *([breakage] for breakage in EVERY)]
    alone = [logits(broken(untrained_model, breakages)) for breakages in everything]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda breakages: logits(broken(untrained_model, breakages)), everything * 4))
    for i, found in enumerate(together):
        assert torch.equal(found, alone[i % len(everything)]), everything[i % len(everything)]


@each_breakage
def test_all_weights_are_those_of_the_whole_model(untrained_model: Transformer, breakage: Breakage):
    own = {tensor.data_ptr() for tensor in [*untrained_model.parameters(), *untrained_model.buffers()]}
    model = broken(untrained_model, [breakage])
    new = [tensor for tensor in [*model.parameters(), *model.buffers()] if tensor.data_ptr() not in own]
    num_norms = sum(isinstance(part, LayerNorm) for part in untrained_model.modules())
    expected = {"wrong_positions": 1, "scalar_gain": num_norms}.get(breakage.key, 0)
    assert len(new) == expected


@each_breakage
def test_decoding_by_steps_equals_running_the_whole_target(untrained_model: Transformer, breakage: Breakage):
    model = broken(untrained_model, [breakage])
    if PARTS[breakage.key].replaces == "mask":  # there, each step sees one token more
        expected = torch.stack([logits(model, tgt=TGT[:, : t + 1])[:, -1] for t in range(TGT.size(1))], dim=1)
    else:
        expected = logits(model)
    torch.testing.assert_close(stepped(model), expected, rtol=1e-4, atol=1e-4)


@each_breakage
@pytest.mark.parametrize("num_beams", [1, 3])
def test_search_decodes_with_it_and_a_batch_gives_what_each_sentence_gives_alone(
    model: Transformer, tokenizer: Tokenizer, breakage: Breakage, num_beams: int
):
    engine = PlainEngine(broken(model, [breakage]))
    assert engine.model.embedding.weight is model.embedding.weight
    sources = [tokenizer.encode(text) for text in ("The cat sleeps.", "He eats rice and fish, not meat.", "Thank you.")]
    options = SearchOptions(num_beams=num_beams, max_length=12)
    together = search_batch(engine, sources, options)
    assert [found[0].ids for found in together] == [
        search_batch(engine, [source], options)[0][0].ids for source in sources
    ]


@each_breakage
def test_its_attention_can_be_drawn(untrained_model: Transformer, breakage: Breakage):
    whole, found = untrained_model.attend(SRC, TGT), broken(untrained_model, [breakage]).attend(SRC, TGT)
    for kind in KINDS:
        maps = getattr(found, kind)
        assert maps.shape == getattr(whole, kind).shape
        assert maps.isfinite().all()


def test_without_positions_the_source_is_a_bag_of_words(untrained_model: Transformer):
    shuffled = SRC[:, [3, 0, 5, 1, 4, 2]]
    model = broken(untrained_model, [Breakage("no_positions")])
    torch.testing.assert_close(logits(model, shuffled), logits(model), rtol=1e-4, atol=1e-4)
    assert (logits(untrained_model, shuffled) - logits(untrained_model)).abs().max() > 1e-2


def test_wrong_positions_are_the_tutorials_formula():
    table = wrong_positions(max_length=7, d_model=512)
    assert table.shape == (7, 512)
    assert table.isfinite().all()
    for position, i in ((1, 0), (3, 2), (6, 10)):
        angle = position * math.exp(2 * i) * -math.log(10000) / 512
        assert table[position, 2 * i] == pytest.approx(math.sin(angle), abs=1e-5)
        assert table[position, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-5)


def test_without_a_causal_mask_tokens_see_those_after_them(untrained_model: Transformer):
    model = broken(untrained_model, [Breakage("no_causal_mask")])
    decoder = model.attend(SRC, TGT).decoder
    torch.testing.assert_close(decoder.sum(-1), torch.ones(decoder.shape[:-1]))
    assert (decoder > 0).all()
    other_end = TGT.clone()
    other_end[0, -1] = 30
    assert (logits(model, tgt=other_end) - logits(model))[:, 0].abs().max() > 1e-3


def test_with_an_inverted_mask_tokens_see_only_those_after_them_and_the_last_sees_all_alike(
    untrained_model: Transformer,
):
    decoder = broken(untrained_model, [Breakage("inverted_causal_mask")]).attend(SRC, TGT).decoder
    length = TGT.size(1)
    later = torch.ones(length, length).triu(1).bool()
    assert (decoder[..., ~later & (torch.arange(length) < length - 1)[:, None]] == 0).all()
    assert (decoder[..., later] > 0).all()
    torch.testing.assert_close(decoder[..., -1, :], torch.full_like(decoder[..., -1, :], 1 / length))


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_head_is_one_whose_columns_of_the_output_are_zero(untrained_model: Transformer, kind: str):
    def silence(model: Transformer) -> None:
        stack = model.encoder if kind == "encoder" else model.decoder
        attention = getattr(stack.blocks[1], "cross_attention" if kind == "cross" else "self_attention")
        attention.output.weight[:, 16:] = 0.0  # the second of two heads

    model = broken(untrained_model, [Breakage("no_head", kind, 1, 1)])
    torch.testing.assert_close(logits(model), logits(with_weights(untrained_model, silence)))
    maps = getattr(model.attend(SRC, TGT), kind)
    assert (maps[1, 1] == 0).all()
    assert (maps[[0, 0, 1], [0, 1, 0]].sum(-1) > 0.99).all()


@pytest.mark.parametrize(("kind", "layer"), [("encoder", 0), ("encoder", 1), ("decoder", 0), ("decoder", 1)])
def test_a_skipped_layer_is_one_that_is_not_in_the_stack(untrained_model: Transformer, kind: str, layer: int):
    def skip(model: Transformer) -> None:
        del (model.encoder if kind == "encoder" else model.decoder).blocks[layer]

    model = broken(untrained_model, [Breakage("no_layer", kind, layer)])
    torch.testing.assert_close(logits(model), logits(with_weights(untrained_model, skip)))
    found, whole = model.attend(SRC, TGT), untrained_model.attend(SRC, TGT)
    for name in ("encoder",) if kind == "encoder" else ("decoder", "cross"):
        assert (getattr(found, name)[layer] == 0).all()
        assert (getattr(found, name)[1 - layer] != 0).any()
        if layer == 1:
            torch.testing.assert_close(getattr(found, name)[0], getattr(whole, name)[0])


def test_a_repeated_block_is_the_first_in_every_place(untrained_model: Transformer):
    def repeat(model: Transformer) -> None:
        for stack in (model.encoder, model.decoder):
            stack.blocks[1].load_state_dict(stack.blocks[0].state_dict())

    model = broken(untrained_model, [Breakage("repeated_block")])
    torch.testing.assert_close(logits(model), logits(with_weights(untrained_model, repeat)))


@pytest.mark.parametrize("kind", KINDS)
def test_raw_scores_are_what_softmax_would_make_the_weights_of(untrained_model: Transformer, kind: str):
    whole = untrained_model.attend(SRC, TGT)
    scores = getattr(broken(untrained_model, [Breakage("raw_scores")]).attend(SRC, TGT), kind)[0]
    if kind == "decoder":
        later = torch.ones(TGT.size(1), TGT.size(1)).triu(1).bool()
        assert (scores[:, later] == 0).all()
        scores = scores.masked_fill(later, -math.inf)
    if kind != "cross":  # what the first layer of a stack gets does not depend on another's attention
        torch.testing.assert_close(scores.softmax(-1), getattr(whole, kind)[0])
    assert (scores < 0).any()


def test_values_are_added_up_by_the_raw_scores(untrained_model: Transformer):
    model = broken(untrained_model, [Breakage("raw_scores")])
    attention, x = model.encoder.blocks[0].self_attention, torch.randn(1, 4, 32)
    values = attention.keys_values(x)[1]
    expected = attention.output((attention.weights(x, x) @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x, x), expected)


def test_without_scaling_scores_are_as_large_as_the_root_of_a_heads_width_makes_them(untrained_model: Transformer):
    def enlarge(model: Transformer) -> None:
        for stack in (model.encoder, model.decoder):
            for block in stack.blocks:
                for name in ("self_attention", "cross_attention"):
                    if hasattr(block, name):
                        getattr(block, name).query.weight *= 4  # the root of 32 / 2
                        getattr(block, name).query.bias *= 4

    model = broken(untrained_model, [Breakage("no_scaling")])
    expected = with_weights(untrained_model, enlarge)
    torch.testing.assert_close(logits(model), logits(expected), rtol=1e-4, atol=1e-4)


def test_without_cross_attention_every_source_gives_the_same(untrained_model: Transformer):
    def disconnect(model: Transformer) -> None:
        for block in model.decoder.blocks:
            block.cross_attention.output.weight.zero_()
            block.cross_attention.output.bias.zero_()

    model = broken(untrained_model, [Breakage("no_cross_attention")])
    torch.testing.assert_close(logits(model), logits(with_weights(untrained_model, disconnect)))
    assert torch.equal(logits(model, SRC[:, 2:]), logits(model))
    assert (model.attend(SRC, TGT).cross == 0).all()


def test_without_residuals_a_block_hands_on_what_its_last_sublayer_makes(untrained_model: Transformer):
    block = broken(untrained_model, [Breakage("no_residual")]).encoder.blocks[0]
    x = torch.randn(1, 4, 32)
    attended = block.self_attention(*[block.add_self_attention.norm(x)] * 2)
    expected = block.feed_forward(block.add_feed_forward.norm(attended))
    torch.testing.assert_close(block(x, None), expected)


def test_without_normalisation_a_sublayer_gets_what_there_is(untrained_model: Transformer):
    model = broken(untrained_model, [Breakage("no_norm")])
    norms = [part for part in model.modules() if isinstance(part, LayerNorm)]
    x = torch.randn(1, 4, 32)
    assert len(norms) == 12
    assert all(torch.equal(norm(x), x) for norm in norms)
    add = next(part for part in model.modules() if isinstance(part, AddAndNorm))
    torch.testing.assert_close(add(x, lambda y: 2 * y), 3 * x)


def test_a_scalar_gain_is_the_mean_of_those_that_were_learnt(untrained_model: Transformer):
    def flatten(model: Transformer) -> None:
        for part in model.modules():
            if isinstance(part, LayerNorm):
                part.gain[:] = part.gain.mean()

    model = broken(untrained_model, [Breakage("scalar_gain")])
    torch.testing.assert_close(logits(model), logits(with_weights(untrained_model, flatten)))


@pytest.mark.parametrize("pair", list(combinations(EVERY, 2)), ids=lambda pair: f"{pair[0]}+{pair[1]}")
def test_any_two_are_combined_unless_they_replace_the_same(untrained_model: Transformer, pair: tuple[Breakage, ...]):
    first, second = (PARTS[breakage.key].replaces for breakage in pair)
    if first and first == second:
        with pytest.raises(ValueError, match="cannot be combined"):
            broken(untrained_model, pair)
        return
    model = broken(untrained_model, pair)
    assert torch.equal(logits(model), logits(broken(untrained_model, pair[::-1])))
    assert stepped(model).isfinite().all()


def test_of_a_repeated_block_one_head_is_silent_in_one_place_only(untrained_model: Transformer):
    breakages = [Breakage("repeated_block"), Breakage("no_head", "encoder", 1, 0), Breakage("no_head", "encoder", 1, 1)]
    maps = broken(untrained_model, breakages).attend(SRC, TGT).encoder
    assert (maps[1] == 0).all()
    assert (maps[0].sum(-1) > 0.99).all()


@pytest.mark.parametrize("breakage", [*EVERY, Breakage("no_head", "decoder", 12, 3)], ids=str)
def test_a_breakage_is_read_from_what_it_is_written_as(breakage: Breakage):
    assert Breakage.parse(str(breakage)) == breakage


def test_a_breakage_is_written_in_a_few_characters():
    assert [str(Breakage("no_norm")), str(Breakage("no_layer", "encoder", 2))] == ["no_norm", "no_layer:encoder.2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There is no breakage ''; choose one of no_positions"),
        ("no_position", "There is no breakage 'no_position'"),
        ("no_positions:encoder.1", "no_positions takes nothing more"),
        ("no_head", "no_head takes kind, layer, head; see kind"),
        ("no_head:cross.1", "see head"),
        ("no_head:memory.1.0", "choose one of encoder, decoder, cross"),
        ("no_layer:cross.1", "choose one of encoder, decoder"),
        ("no_layer:encoder.1.1", "see head"),
        ("no_head:cross.-1.0", "is no breakage"),
        ("no_head:cross.1.0.0", "is no breakage"),
        ("no_head:cross.1.99999999", "is no breakage"),
        ("no_head:cross.1.²", "is no breakage"),
    ],
)
def test_what_is_no_breakage_is_refused_in_one_line(text: str, message: str):
    with pytest.raises(ValueError) as error:
        Breakage.parse(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [-1, 1.0, True, "0"])
def test_a_layer_is_a_whole_number(value):
    with pytest.raises(ValueError, match="whole number"):
        Breakage("no_layer", "encoder", value)


@pytest.mark.parametrize(
    ("breakage", "message"),
    [
        (Breakage("no_layer", "decoder", 2), "no_layer:decoder.2: the model has 2 of these layers"),
        (Breakage("no_head", "cross", 0, 2), "no_head:cross.0.2: the model has 2 of these heads"),
    ],
    ids=str,
)
def test_what_the_model_has_not_cannot_be_broken(untrained_model: Transformer, breakage: Breakage, message: str):
    with pytest.raises(ValueError, match=message):
        broken(untrained_model, [breakage])


def test_a_model_that_every_request_would_have_to_widen_is_refused(untrained_model: Transformer):
    with pytest.raises(ValueError, match="load it in float32 once"):
        broken(copy.deepcopy(untrained_model).bfloat16(), [])


def test_a_model_in_training_is_broken_for_use_and_goes_on_training(untrained_model: Transformer):
    untrained_model.train()
    assert not any(part.training for part in broken(untrained_model, [Breakage("no_norm")]).modules())
    assert all(part.training for part in untrained_model.modules())


@pytest.mark.parametrize("key", PARTS)
def test_every_part_says_in_a_line_what_is_removed_and_what_to_look_for(key: str):
    part = PARTS[key]
    for text in (part.removed, part.look_for):
        assert text.strip() == text and text.endswith(".") and "\n" not in text and "  " not in text
