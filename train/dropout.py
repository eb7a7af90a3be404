"""Dropout from a pool of masks drawn ahead.

Drawing random bits is single-threaded on the CPU and takes as long as all the rest of a training step. A slice of a
large pool at a random place regularises as well and costs one multiplication.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

POOL_SIZE = 2**24
ALIGNMENT = 32
"""Slices start at multiples of this many elements, where vector loads are fast."""


class MaskPool:
    """Zeros and scales, at random, for one dropout probability."""

    def __init__(self, p: float) -> None:
        # The scale must be a bfloat16, so the share of zeros is chosen to fit it: expectations stay exact.
        self.scale = float(torch.tensor(1 / (1 - p), dtype=torch.bfloat16))
        self.masks = torch.empty(0, dtype=torch.bfloat16)

    def draw(self, seed: int) -> None:
        """Fills the pool anew, always the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        keep = torch.empty(POOL_SIZE).bernoulli_(1 / self.scale, generator=generator)
        self.masks = keep.mul_(self.scale).to(torch.bfloat16)

    def like(self, x: Tensor) -> Tensor:
        """A mask of the shape of x, from a place that torch's own random state chooses."""
        places = (POOL_SIZE - x.numel()) // ALIGNMENT + 1
        start = int(torch.randint(places, ())) * ALIGNMENT
        return self.masks[start : start + x.numel()].view_as(x)


class PooledDropout(nn.Module):
    """Stands in for nn.Dropout while training on the CPU."""

    def __init__(self, p: float, pool: MaskPool) -> None:
        super().__init__()
        self.p = p
        self._pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, same shape"""
        if not self.training:
            return x
        if x.numel() > POOL_SIZE or x.device.type != "cpu":
            return F.dropout(x, self.p)
        # The first dropout, on the embeddings, so decides the type of the residual stream: half the memory to move.
        if torch.is_autocast_enabled("cpu"):
            x = x.to(torch.get_autocast_dtype("cpu"))
        return x * self._pool.like(x)


def pool_dropout(model: nn.Module, p: float) -> MaskPool:
    """Replaces every nn.Dropout of the model by one that shares a pool; call `draw` on the pool before each epoch."""
    pool = MaskPool(p)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, PooledDropout(p, pool))
    return pool
