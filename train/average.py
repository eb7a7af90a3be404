"""The moving average of the weights that training passes through, which is better than any of them."""

import copy

import torch
from torch import nn


class MovingAverage:
    """An exponential moving average of a model's weights; young averages forget faster, being mostly noise.

    The same numbers as torch's AveragedModel, but the count stays on the host: a GPU that is asked for it each step
    would have to be waited for.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model)
        self.count = 0
        """Models averaged so far"""
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Takes in the weights of the model."""
        n = self.count
        share = 1 - min(self._decay, (1 + n) / (10 + n)) if n else 1.0
        torch._foreach_lerp_(list(self.module.parameters()), list(model.parameters()), share)
        self.count += 1
