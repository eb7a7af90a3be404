import pytest
import torch
import torch.nn.functional as F

import train.loss
from train.loss import smoothed_cross_entropy


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
