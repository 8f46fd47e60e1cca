"""AdamW over the parts of parameters that took part in a step; what did not take part neither moves nor decays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.adamw import adamw

from cxr.model.leading import leading


@dataclass(frozen=True)
class _Item:
    """A block of a parameter with what AdamW keeps of it; all of one shape, `step` a scalar."""

    block: torch.Tensor
    gradient: torch.Tensor
    mean: torch.Tensor
    square: torch.Tensor
    step: torch.Tensor


class PartAdamW(torch.optim.Optimizer):
    """AdamW (Loshchilov and Hutter, ICLR 2019) of which a step may cover leading blocks of the parameters only.

    Moments are kept for whole parameters, and a step touches the blocks' share of them. The bias correction counts the
    steps in which any part of a parameter took part, as `torch.optim.SparseAdam` does. On whole parameters it equals
    `torch.optim.AdamW`.

    Args:
        groups: parameter groups of torch, each with its `weight_decay`.
        lr: learning rate of groups that have none.
        betas: decay of the two moments.
        eps: added to the root of the second moment.
    """

    def __init__(
        self, groups: list[dict[str, Any]], lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        # "fused" tells torch to bring the counts of steps, too, to the device of the parameters when a state is restored
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0, "fused": True})

    @torch.no_grad()
    def step(  # type: ignore[override]
        self, closure: Callable[[], float] | None = None, *, blocks: Mapping[nn.Parameter, torch.Tensor] | None = None
    ) -> None:
        """Step on the blocks that have a gradient.

        Args:
            closure: must be None; it is there because every optimiser of torch has it.
            blocks: leading blocks of parameters, sharing their memory; by default the parameters themselves.
        """
        for group in self.param_groups:
            whole = {parameter: parameter for parameter in group["params"]} if blocks is None else blocks
            used = [(p, whole[p]) for p in group["params"] if p in whole and whole[p].grad is not None]
            items = [self._item(parameter, block) for parameter, block in used]
            _update([item for item in items if item.block.is_contiguous()], group)
            for item in items:  # one at a time, so that the copies stay in the cache of the processor
                if not item.block.is_contiguous():
                    _update_aside(item, group)

    def _item(self, parameter: nn.Parameter, block: torch.Tensor) -> _Item:
        state = self.state[parameter]
        if not state:
            # a fused step wants its count where the parameters are
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        assert block.grad is not None
        mean, square = (leading(state[name], block.shape) for name in ("exp_avg", "exp_avg_sq"))
        return _Item(block, block.grad, mean, square, state["step"])


def _update_aside(item: _Item, group: Mapping[str, Any]) -> None:
    """Step on contiguous copies: the fused kernel takes a view for contiguous, and writes beside it without a word."""
    kept = (item.block, item.mean, item.square)
    block, mean, square = (tensor.contiguous() for tensor in kept)
    _update([_Item(block, item.gradient, mean, square, item.step)], group)
    for tensor, changed in zip(kept, (block, mean, square), strict=True):
        tensor.copy_(changed)


def _update(items: list[_Item], group: Mapping[str, Any]) -> None:
    if not items:
        return
    beta1, beta2 = group["betas"]
    adamw(
        [item.block for item in items],
        [item.gradient.contiguous() for item in items],
        [item.mean for item in items],
        [item.square for item in items],
        [],
        [item.step for item in items],
        fused=True,
        amsgrad=False,
        beta1=beta1,
        beta2=beta2,
        lr=group["lr"],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
    )
