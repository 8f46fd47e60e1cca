"""The moving average of the weights, which is what is evaluated and saved."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


class AveragedModel(Generic[_Module]):
    """An exponential moving average of a model's parameters and floating-point buffers.

    Args:
        model: what is averaged.
        decay: share of the old average kept a step; 0 makes the average the model itself. While few steps were made the
            share is (1 + steps) / (10 + steps) at most, so that the initial weights are soon forgotten.
    """

    def __init__(self, model: _Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        self._decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        decay = min(self._decay, (1 + self.steps) / (10 + self.steps)) if self._decay else 0.0
        self.steps += 1
        own, new = self.model.state_dict(), model.state_dict()
        floating = [name for name, tensor in own.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([own[name] for name in floating], [new[name] for name in floating], 1 - decay)
        for name in own.keys() - set(floating):
            own[name].copy_(new[name])
