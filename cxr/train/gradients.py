"""The gradients of several networks that share their weights, added up for one step."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from cxr.model.classifier import Classifier, Part
from cxr.model.leading import leading


def merge(classifier: Classifier, passes: Iterable[int | None]) -> dict[str, Part]:
    """The parts that several passes of one step used, with their gradients added up.

    Args:
        classifier: whose networks were run backward.
        passes: numbers of attention heads, the widest first.

    Returns:
        The widest part used of each parameter; its gradient holds those of the narrower ones.
    """
    merged: dict[str, Part] = {}
    for heads in passes:
        for name, part in classifier.parts(heads).items():
            first = merged.setdefault(name, part)
            if first is not part:
                _add_gradient(first.block, part.block)
    return merged


def _add_gradient(wide: nn.Parameter, narrow: nn.Parameter) -> None:
    if narrow.grad is None:
        return
    if wide.grad is None:
        wide.grad = torch.zeros_like(wide, memory_format=torch.contiguous_format)
    leading(wide.grad, narrow.shape).add_(narrow.grad)
    narrow.grad = None
