import pytest
import torch
import torch.nn.functional as F

import train.loss
from malaygpt.model import ModelConfig, Transformer, build_model
from train.batch import Batch, batch_of
from train.dropout import pool_dropout
from train.loss import BatchLoss, batch_loss, r_drop_loss, smoothed_cross_entropy


def tensors(seed: int = 0):
    torch.manual_seed(seed)
    hidden = torch.randn(5, 7, 16, requires_grad=True)
    embedding = torch.randn(50, 16, requires_grad=True)
    labels = torch.randint(0, 8, (5, 7))  # some are padding, 0
    return hidden, embedding, labels


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows", [4, 1024])
def test_loss_and_gradients_equal_pytorchs(monkeypatch, smoothing, rows):
    monkeypatch.setitem(train.loss.ROWS, "cpu", rows)
    hidden, embedding, labels = tensors()
    ours = smoothed_cross_entropy(hidden, embedding, labels, smoothing, pad_id=0)
    logits = (hidden @ embedding.T).flatten(0, 1)
    theirs = F.cross_entropy(logits, labels.flatten(), ignore_index=0, label_smoothing=smoothing)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    gradients = [torch.autograd.grad(3 * loss, (hidden, embedding)) for loss in (ours, theirs)]
    for mine, reference in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-6)


def test_under_autocast_it_is_close_to_float32():
    hidden, embedding, labels = tensors()
    exact = smoothed_cross_entropy(hidden, embedding, labels, 0.1, pad_id=0)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = smoothed_cross_entropy(hidden, embedding, labels, 0.1, pad_id=0)
    exact_gradients = torch.autograd.grad(exact, (hidden, embedding))
    rounded_gradients = torch.autograd.grad(rounded, (hidden, embedding))
    assert rounded.item() == pytest.approx(exact.item(), rel=0.01)
    for mine, reference in zip(rounded_gradients, exact_gradients, strict=True):
        assert mine.dtype == torch.float32
        assert (mine - reference).norm() < 0.02 * reference.norm()


def test_padding_gets_no_gradient():
    hidden, embedding, labels = tensors()
    loss = smoothed_cross_entropy(hidden, embedding, labels, 0.1, pad_id=0)
    (gradient,) = torch.autograd.grad(loss, hidden)
    assert (labels == 0).any()
    assert not gradient[labels == 0].any()
    assert gradient[labels != 0].any()


def test_a_label_of_vanishing_probability_gives_a_finite_loss():
    hidden = torch.tensor([[[300.0]]], requires_grad=True)
    loss = smoothed_cross_entropy(hidden, torch.tensor([[1.0], [-1.0]]), torch.tensor([[1]]), 0.0, pad_id=9)
    assert torch.isfinite(loss)
    assert loss.item() > 80


def two_passes(seed: int = 0):
    _, embedding, labels = tensors(seed)
    first = torch.randn(5, 7, 1, 16)
    return (first + 0.3 * torch.randn(5, 7, 2, 16)).requires_grad_(), embedding, labels


def plain_r_drop(hidden, embedding, labels, smoothing: float, alpha: float):
    """Half of the paper's objective, of real tokens only, with all logits at once"""
    passes = (hidden @ embedding.T)[labels != 0].unbind(1)
    nll = sum(F.cross_entropy(logits, labels[labels != 0], label_smoothing=smoothing) for logits in passes)
    p, q = (logits.log_softmax(-1) for logits in passes)
    kl = sum(F.kl_div(x, y, log_target=True, reduction="batchmean") for x, y in ((p, q), (q, p))) / 2
    return (nll + alpha * kl) / 2


@pytest.mark.parametrize("alpha", [0.5, 5.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows", [4, 1024])
def test_r_drop_and_its_gradients_equal_pytorchs(monkeypatch, alpha, smoothing, rows):
    monkeypatch.setitem(train.loss.ROWS, "cpu", rows)
    hidden, embedding, labels = two_passes()
    ours = r_drop_loss(hidden, embedding, labels, smoothing, alpha, pad_id=0)
    theirs = plain_r_drop(hidden, embedding, labels, smoothing, alpha)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        assert torch.equal(ours, r_drop_loss(hidden, embedding, labels, smoothing, alpha, pad_id=0))
    gradients = [torch.autograd.grad(3 * loss, (hidden, embedding)) for loss in (ours, theirs)]
    for mine, reference in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-5)


def test_r_drop_under_autocast_is_close_to_float32():
    hidden, embedding, labels = two_passes()
    exact = r_drop_loss(hidden, embedding, labels, 0.1, 5.0, pad_id=0)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = r_drop_loss(hidden, embedding, labels, 0.1, 5.0, pad_id=0)
    exact_gradients = torch.autograd.grad(exact, (hidden, embedding))
    rounded_gradients = torch.autograd.grad(rounded, (hidden, embedding))
    assert rounded.item() == pytest.approx(exact.item(), rel=0.01)
    for mine, reference in zip(rounded_gradients, exact_gradients, strict=True):
        assert (mine - reference).norm() < 0.02 * reference.norm()


def test_what_all_logits_of_a_pass_have_in_common_costs_no_precision():
    """The gradient of the divergence alone, under autocast"""
    hidden, embedding, labels = two_passes()
    embedding = torch.cat([embedding / 4, torch.ones(50, 1)], 1)
    hidden = torch.cat([hidden, torch.tensor([0.0, 16.0]).expand(5, 7, 2).unsqueeze(3)], 3)

    def gradient() -> torch.Tensor:
        divergence = sum(s * r_drop_loss(hidden, embedding, labels, 0.1, a, 0) for s, a in ((1, 5.0), (-1, 0.0)))
        return torch.autograd.grad(divergence, hidden)[0]

    exact = gradient()
    with torch.autocast("cpu", torch.bfloat16):
        assert (gradient() - exact).norm() < 0.1 * exact.norm()


def test_r_drop_leaves_padding_alone():
    hidden, embedding, labels = two_passes()
    loss = r_drop_loss(hidden, embedding, labels, 0.1, 5.0, pad_id=0)
    (gradient,) = torch.autograd.grad(loss, hidden)
    assert not gradient[labels == 0].any()
    assert gradient[labels != 0].any()
    other = torch.where((labels == 0)[..., None, None], 9 * torch.randn_like(hidden), hidden)
    assert torch.equal(r_drop_loss(other, embedding, labels, 0.1, 5.0, pad_id=0), loss)


def test_r_drop_of_slices_adds_up_to_that_of_the_whole():
    hidden, embedding, labels = two_passes()
    num_tokens = int((labels != 0).sum())
    whole = r_drop_loss(hidden, embedding, labels, 0.1, 5.0, pad_id=0)
    slices = slice(0, 2), slice(2, 5)
    parts = sum(r_drop_loss(hidden[s], embedding, labels[s], 0.1, 5.0, 0, num_tokens) for s in slices)
    torch.testing.assert_close(parts, whole)
    gradients = [torch.autograd.grad(loss, (hidden, embedding)) for loss in (parts, whole)]
    for mine, reference in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-6)


def model_and_batch(pooled: bool) -> tuple[Transformer, Batch]:
    torch.manual_seed(0)
    model = build_model(ModelConfig.preset("tiny", 50))
    if pooled:
        pool_dropout(model, 0.1).draw(seed=1)
    return model, batch_of([([7, 8, 9], [10, 11]), ([12], [13, 14, 15, 16])])


@pytest.mark.parametrize("pooled", [True, False])
def test_the_two_passes_of_r_drop_have_other_masks(pooled):
    """By what the weight of their divergence does to the loss: nothing, if they were the same"""
    model, batch = model_and_batch(pooled)

    def loss(alpha: float) -> float:
        torch.manual_seed(3)
        return BatchLoss(model, 0.1, alpha)(batch, batch.num_tokens).item()

    assert loss(2.0) - loss(1.0) > 1e-3
    assert loss(3.0) - loss(2.0) == pytest.approx(loss(2.0) - loss(1.0), rel=1e-3)
    model.eval()
    assert loss(5.0) == pytest.approx(batch_loss(model, batch, 0.1).item(), rel=1e-6)


def test_without_r_drop_a_batch_passes_once():
    model, batch = model_and_batch(pooled=True)
    losses = []
    for loss in (lambda: BatchLoss(model, 0.1)(batch, batch.num_tokens), lambda: batch_loss(model, batch, 0.1)):
        torch.manual_seed(3)
        losses.append((loss().item(), torch.rand(()).item()))
    assert losses[0] == losses[1]
