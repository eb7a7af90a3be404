import pytest
import torch
from torch import nn

from malaygpt.model import ModelConfig, build_model
from train.dropout import MaskPool, PooledDropout, pool_dropout


@pytest.fixture(scope="module")
def pool() -> MaskPool:
    pool = MaskPool(0.1)
    pool.draw(seed=1)
    return pool


def test_the_share_of_zeros_and_the_expectation_are_right(pool):
    x = PooledDropout(0.1, pool)(torch.ones(4_000_000))
    assert (x == 0).float().mean().item() == pytest.approx(0.1, abs=0.002)
    assert x.mean().item() == pytest.approx(1.0, abs=0.002)


def test_two_calls_differ_and_the_same_random_state_repeats(pool):
    dropout, x = PooledDropout(0.1, pool), torch.ones(64, 64)
    torch.manual_seed(3)
    first, second = dropout(x), dropout(x)
    torch.manual_seed(3)
    assert not torch.equal(first, second)
    assert torch.equal(first, dropout(x))


def test_the_same_seed_draws_the_same_pool(pool):
    other = MaskPool(0.1)
    other.draw(seed=2)
    assert not torch.equal(pool.masks, other.masks)
    other.draw(seed=1)
    assert torch.equal(pool.masks, other.masks)


def test_gradients_pass_where_activations_do(pool):
    x = torch.ones(1000, requires_grad=True)
    y = PooledDropout(0.1, pool)(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_nothing_is_dropped_outside_training(pool):
    x = torch.randn(100)
    assert torch.equal(PooledDropout(0.5, pool).eval()(x), x)


def test_every_dropout_of_a_model_is_replaced():
    model = build_model(ModelConfig.preset("tiny", 300))
    before = sum(isinstance(m, nn.Dropout) for m in model.modules())
    pool_dropout(model, 0.1)
    assert before > 0
    assert not any(isinstance(m, nn.Dropout) for m in model.modules())
    assert sum(isinstance(m, PooledDropout) for m in model.modules()) == before
