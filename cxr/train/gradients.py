"""The gradients of several networks that share their weights, and of several processes, added up for one step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from cxr.model.classifier import Classifier, Part
from cxr.model.leading import leading
from cxr.ranks import Ranks


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


def sum_over_ranks(parameters: Iterable[nn.Parameter], figures: Sequence[torch.Tensor], ranks: Ranks) -> list[torch.Tensor]:
    """Add up the gradients of all processes, in their place, and some figures, in one exchange.

    A parameter without a gradient here may have one elsewhere: it then gets that. One that has none anywhere keeps none.

    Args:
        parameters: the same ones, in the same order, in every process.
        figures: scalars.
        ranks: the processes.

    Returns:
        The sums of the figures.
    """
    if ranks.world == 1:
        return list(figures)
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    present = torch.tensor([parameter.grad is not None for parameter in trained], device=figures[0].device)
    gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in trained]
    parts = [*(gradient.float().reshape(-1) for gradient in gradients), present.float(), torch.stack([*figures]).float()]
    *sums, counts, totals = torch.split(ranks.sum(torch.cat(parts)), [len(part) for part in parts])
    for parameter, total, count in zip(trained, sums, counts.tolist(), strict=True):
        parameter.grad = total.reshape(parameter.shape).to(parameter.dtype) if count else None
    return list(totals.unbind())


@torch.no_grad()
def average_statistics(classifier: nn.Module, ranks: Ranks) -> None:
    """Give every process the mean of the running statistics of batch norm, so that all go on with the same network."""
    if ranks.world == 1:
        return
    norms = [module for module in classifier.modules() if isinstance(module, _NormBase) and module.running_mean is not None]
    for norm in norms:
        for statistic in (norm.running_mean, norm.running_var):
            assert statistic is not None
            ranks.sum(statistic.div_(ranks.world))
