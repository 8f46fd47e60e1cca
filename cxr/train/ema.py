"""The moving average of the weights, which is what is evaluated and saved."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Generic, TypeVar

import torch
from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


class AveragedModel(Generic[_Module]):
    """An exponential moving average of a model's parameters and floating-point buffers.

    All of them are taken in after every step, also those that the step did not train: else the widths of a stacked backbone
    would be averages over different times.

    Args:
        model: what is averaged; its parameters and buffers may change their values, and not be exchanged.
        decay: share of the old average kept a step; 0 makes the average the model itself. While few steps were made the
            share is (1 + steps) / (10 + steps) at most, so that the initial weights are soon forgotten.
    """

    def __init__(self, model: _Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        self._decay = decay
        self.steps = 0
        # found once: to walk through the modules at every step takes as long as the average
        self._parameters = _pairs(self.model.parameters(), model.parameters())
        buffers = _pairs(self.model.buffers(), model.buffers())
        self._averaged = self._parameters + [pair for pair in buffers if pair[0].is_floating_point()]
        self._counted = [pair for pair in buffers if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights of the model after a step, and the buffers; those that count something are copied."""
        decay = min(self._decay, (1 + self.steps) / (10 + self.steps)) if self._decay else 0.0
        self.steps += 1
        torch._foreach_lerp_([old for old, _ in self._averaged], [new for _, new in self._averaged], 1 - decay)
        for old, counted in self._counted:
            old.copy_(counted)

    @torch.no_grad()
    def distance(self) -> float:
        """How far the average is from the model: the norm of the difference of all parameters over that of the model's."""
        apart = torch.stack([(old - new).float().square().sum() for old, new in self._parameters]).sum()
        whole = torch.stack([new.float().square().sum() for _, new in self._parameters]).sum()
        return float((apart / whole).sqrt())


def _pairs(old: Iterable[torch.Tensor], new: Iterable[torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(zip(old, new, strict=True))
