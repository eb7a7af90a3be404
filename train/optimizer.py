"""The optimizers: AdamW for everything, or Muon for the matrices and AdamW for the rest."""

import torch
from torch import nn

from malaygpt.model import Transformer
from train.config import FitConfig


class Optimizers:
    """One or two optimizers that are stepped, saved and restored as one."""

    def __init__(self, model: Transformer, config: FitConfig) -> None:
        """Only the matrices of linear layers decay.

        AdamW (Loshchilov & Hutter, 2019) has the paper's betas. Muon (Jordan et al., 2024) makes the update of a matrix
        orthogonal, so that no direction is left behind; scaled as Moonshot's (Liu et al., 2025), it takes AdamW's
        learning rate. Embeddings, gains and biases are no maps from one space to another, and stay with AdamW.
        """
        matrices = [module.weight for module in model.modules() if isinstance(module, nn.Linear)]
        ids = {id(p) for p in matrices}
        others = [p for p in model.parameters() if id(p) not in ids]
        rate, decay = config.learning_rate, config.weight_decay
        groups = [{"params": others, "weight_decay": 0.0}]
        self._all: list[torch.optim.Optimizer] = []
        if config.optimizer == "muon":
            muon = torch.optim.Muon(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
            self._all.append(muon)
        else:
            groups.insert(0, {"params": matrices, "weight_decay": decay})
        self._all.append(torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-9, fused=True))

    def step(self, rate: float) -> None:
        """Changes the weights by their gradients, at this learning rate, and forgets the gradients."""
        for optimizer in self._all:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()

    def state_dict(self) -> list[dict]:
        """What `load_state_dict` needs to go on from here"""
        return [optimizer.state_dict() for optimizer in self._all]

    def load_state_dict(self, states: list[dict]) -> None:
        """Goes back to what `state_dict` said."""
        for optimizer, state in zip(self._all, states, strict=True):
            optimizer.load_state_dict(state)
