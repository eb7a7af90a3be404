"""Occlusion against reading again, integrated gradients against what they must add up to, and that nothing stays."""

import copy
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from malaygpt import attribution
from malaygpt.attribution import Attribution, Occlusion, integrate_gradients, occlude
from malaygpt.broken import Breakage, broken
from malaygpt.model import Transformer
from malaygpt.tokenizer import CLS_ID, SEP_ID, UNK_ID

SRC = torch.tensor([[5, 9, 20, 31, 7, SEP_ID]])
TGT = torch.tensor([[CLS_ID, 8, 40, 6, 11, SEP_ID]])
FIRST, LAST = 2, 4
"""A word in the midst of TGT"""


def log_probs(model: Transformer, src: Tensor, tgt: Tensor) -> Tensor:
    """(T,): of each token after [CLS], given what is left of it in `tgt`; those of TGT, whatever is hidden in `tgt`"""
    with torch.inference_mode():
        logits = model(src, tgt[:, :-1])[0]
    return logits.log_softmax(-1)[range(len(logits)), TGT[0, 1:]]


def hidden(ids: Tensor, *places: int) -> Tensor:
    ids = ids.clone()
    ids[0, list(places)] = UNK_ID
    return ids


@pytest.mark.parametrize("positions_at_once", [1, 12, 1024])
def test_occlusion_equals_running_the_model_again_without_a_piece(
    untrained_model: Transformer, monkeypatch: pytest.MonkeyPatch, positions_at_once: int
):
    monkeypatch.setattr(attribution, "POSITIONS_AT_ONCE", positions_at_once)
    found, whole = occlude(untrained_model, SRC, TGT), log_probs(untrained_model, SRC, TGT)
    assert found.source.shape == (5, 6)
    for j in range(6):
        expected = whole - log_probs(untrained_model, hidden(SRC, j), TGT)
        torch.testing.assert_close(found.source[:, j], expected, atol=1e-5, rtol=1e-5)
    assert found.target.shape == (5, 5)
    for j in range(5):
        expected = whole - log_probs(untrained_model, SRC, hidden(TGT, j + 1))
        expected[: j + 1] = 0.0
        torch.testing.assert_close(found.target[:, j], expected, atol=1e-5, rtol=1e-5)
    assert (found.target[4, :4].abs() > 1e-4).all()


def test_nothing_is_credited_to_what_was_said_later_even_where_a_broken_model_sees_it(untrained_model: Transformer):
    for model in (untrained_model, broken(untrained_model, [Breakage("no_causal_mask")])):
        assert (occlude(model, SRC, TGT).target.triu() == 0).all()


def test_no_batch_is_larger_than_memory_is_meant_for(untrained_model: Transformer, monkeypatch: pytest.MonkeyPatch):
    sizes = []
    encode, decode = untrained_model.encode, untrained_model.decode
    untrained_model.encode = lambda src: (sizes.append(src.numel()), encode(src))[1]
    untrained_model.decode = lambda tgt, memory: (sizes.append(tgt.numel()), decode(tgt, memory))[1]
    monkeypatch.setattr(attribution, "POSITIONS_AT_ONCE", 18)
    occlude(untrained_model, torch.cat([SRC[:, :3], SRC], dim=1), TGT)
    assert max(sizes) == 18


def test_the_occlusion_of_a_word_is_the_sum_of_its_tokens_and_not_of_what_they_do_to_each_other(
    untrained_model: Transformer,
):
    found = occlude(untrained_model, SRC, TGT)
    word = found.of(FIRST, LAST)
    torch.testing.assert_close(word.source, found.source[2] + found.source[3])
    torch.testing.assert_close(word.prefix, found.target[2, :2] + found.target[3, :2])
    without = log_probs(untrained_model, hidden(SRC, 1), TGT)[FIRST:LAST].sum()
    expected = log_probs(untrained_model, SRC, TGT)[FIRST:LAST].sum() - without
    torch.testing.assert_close(word.source[1], expected, atol=1e-5, rtol=1e-5)


def test_the_json_of_an_occlusion_is_its_rows_in_thousandths(untrained_model: Transformer):
    found = occlude(untrained_model, SRC, TGT)
    written = json.loads(json.dumps(found.to_json()))
    for name, expected in {"source": found.source, "target": found.target}.items():
        torch.testing.assert_close(torch.tensor(written[name]), expected, atol=0.00051, rtol=0.0)
    small = Occlusion(torch.tensor([[1 / 3, -1 / 3], [-0.0001, 12.34567]]), torch.zeros(2, 2))
    assert json.dumps(small.to_json()) == (
        '{"source": [[0.333, -0.333], [0.0, 12.346]], "target": [[0.0, 0.0], [0.0, 0.0]]}'
    )


def test_a_translation_of_one_token_has_no_prefix(untrained_model: Transformer):
    found = occlude(untrained_model, SRC, TGT[:, :2])
    assert (found.source.shape, found.target.tolist()) == ((1, 6), [[0.0]])
    assert found.of(0, 1).prefix.shape == (0,)
    assert integrate_gradients(untrained_model, SRC, TGT[:, :2], 0, 1).prefix.shape == (0,)


@pytest.mark.parametrize(("first", "last"), [(0, 1), (2, 4), (4, 5), (0, 5)])
def test_integrated_gradients_add_up_to_the_difference(untrained_model: Transformer, first: int, last: int):
    model = copy.deepcopy(untrained_model).double()
    found = integrate_gradients(model, SRC, TGT, first, last, num_steps=512)
    nothing = log_probs(model, hidden(SRC, *range(6)), hidden(TGT, *range(1, first + 1)))[first:last].sum()
    difference = log_probs(model, SRC, TGT)[first:last].sum() - nothing
    assert (found.source.shape, found.prefix.shape) == ((6,), (first,))
    assert abs(difference) > 0.1
    torch.testing.assert_close(found.source.sum() + found.prefix.sum(), difference, rtol=0.0, atol=1e-3)


def test_more_steps_add_up_more_exactly(untrained_model: Transformer):
    model = copy.deepcopy(untrained_model).double()
    nothing = log_probs(model, hidden(SRC, *range(6)), hidden(TGT, 1, 2))[FIRST:LAST].sum()
    difference = log_probs(model, SRC, TGT)[FIRST:LAST].sum() - nothing
    errors = []
    for num_steps in (1, 16, 256):
        found = integrate_gradients(model, SRC, TGT, FIRST, LAST, num_steps)
        errors.append(abs(found.source.sum() + found.prefix.sum() - difference).item())
    assert errors[0] > 10 * errors[1] > 100 * errors[2]


def test_one_step_is_the_gradient_at_the_middle_times_the_way(untrained_model: Transformer):
    """By finite differences, along the way of one piece"""
    model = copy.deepcopy(untrained_model).double()
    found = integrate_gradients(model, SRC, TGT, FIRST, LAST, num_steps=1)
    with torch.no_grad():
        ends = [model.embedding(ids) for ids in (SRC, TGT[:, :LAST])]
        starts = [model.embedding(ids) for ids in (hidden(SRC, *range(6)), hidden(TGT, 1, 2)[:, :LAST])]

        def log_prob(share: float, piece: int) -> float:
            src, tgt = (start + 0.5 * (end - start) for start, end in zip(starts, ends, strict=True))
            src[0, piece] += share * (ends[0] - starts[0])[0, piece]
            memory = model.encoder(model.positions(src), None)
            mask = torch.ones(LAST, LAST).tril().bool()
            hidden_states = model.decoder(model.positions(tgt), memory, mask, None)
            said = TGT[0, 1 : LAST + 1]
            return model.project(hidden_states)[0].log_softmax(-1)[range(LAST), said][FIRST:].sum().item()

        for piece in range(6):
            slope = (log_prob(1e-5, piece) - log_prob(-1e-5, piece)) / 2e-5
            assert found.source[piece].item() == pytest.approx(slope, abs=1e-6)


def by_occlusion(model: Transformer, src: Tensor, tgt: Tensor) -> Attribution:
    return occlude(model, src, tgt).of(FIRST, LAST)


def by_gradients(model: Transformer, src: Tensor, tgt: Tensor) -> Attribution:
    return integrate_gradients(model, src, tgt, FIRST, LAST)


each_method = pytest.mark.parametrize("method", [by_occlusion, by_gradients])


@each_method
def test_nothing_is_left_on_the_model(untrained_model: Transformer, method: Callable):
    untrained_model.requires_grad_(True)  # as a checkpoint is loaded
    tensors = {name: tensor.clone() for name, tensor in untrained_model.state_dict().items()}
    attributes = [set(vars(part)) for part in untrained_model.modules()]
    found = method(untrained_model, SRC, TGT)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in untrained_model.parameters())
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in untrained_model.state_dict().items())
    assert [set(vars(part)) for part in untrained_model.modules()] == attributes
    assert not found.source.requires_grad and not found.prefix.requires_grad


@each_method
def test_many_threads_ask_one_model_at_once_within_inference_mode_and_outside(
    untrained_model: Transformer, method: Callable
):
    untrained_model.requires_grad_(True)
    sources = [torch.tensor([[i, i + 9, 2 * i, 31, SEP_ID]]) for i in range(4, 24)]

    def ask(i: int) -> Tensor:
        with torch.inference_mode(i % 2 == 1):
            return method(untrained_model, sources[i] + 0, TGT + 0).source.clone()

    alone = [method(untrained_model, src, TGT).source for src in sources]
    with ThreadPoolExecutor(4) as pool:
        for i, found in enumerate(pool.map(ask, range(len(sources)))):
            assert torch.equal(found, alone[i])


@pytest.mark.parametrize(("first", "last"), [(0, 0), (3, 2), (-1, 2), (2, 6)])
def test_a_word_that_there_is_not_is_refused(untrained_model: Transformer, first: int, last: int):
    with pytest.raises(ValueError, match=f"no word of tokens {first} to {last} in a translation of 5 tokens"):
        occlude(untrained_model, SRC, TGT).of(first, last)
    with pytest.raises(ValueError, match="no word of tokens"):
        integrate_gradients(untrained_model, SRC, TGT, first, last)


@each_method
@pytest.mark.parametrize(
    ("src", "tgt", "message"),
    [
        (SRC[0], TGT, r"src is of shape \(6,\)"),
        (SRC.repeat(2, 1), TGT, r"src is of shape \(2, 6\)"),
        (SRC[:, :0], TGT, r"src is of shape \(1, 0\)"),
        (SRC, TGT[:, :1], r"tgt is of shape \(1, 1\); it must be \(1, 2 or more\)"),
        (SRC, TGT[:, 1:], r"tgt begins with 8; it must begin with \[CLS\]"),
    ],
)
def test_what_is_no_sentence_and_its_translation_is_refused(
    untrained_model: Transformer, method: Callable, src: Tensor, tgt: Tensor, message: str
):
    with pytest.raises(ValueError, match=message):
        method(untrained_model, src, tgt)


@each_method
def test_a_model_that_is_not_ready_is_refused(untrained_model: Transformer, method: Callable):
    with pytest.raises(ValueError, match="load it in float32 once"):
        method(copy.deepcopy(untrained_model).bfloat16(), SRC, TGT)
    with pytest.raises(ValueError, match="training mode"):
        method(untrained_model.train(), SRC, TGT)


@pytest.mark.parametrize("num_steps", [0, -3, 1.5, True])
def test_the_number_of_steps_is_a_whole_number(untrained_model: Transformer, num_steps):
    with pytest.raises(ValueError, match="positive whole number"):
        integrate_gradients(untrained_model, SRC, TGT, FIRST, LAST, num_steps)
