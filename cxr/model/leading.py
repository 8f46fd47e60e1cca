"""Leading blocks: one set of weights in which smaller networks lie as the first rows and columns.

Every parameter of the smaller network is the block `[:a, :b, ...]` of the larger network's parameter of the same name, of
its own shape a x b x ...: a view, without a copy. Gradients of such a view are as small as the view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn


def leading(tensor: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """The leading block of a tensor, as a view; the tensor itself where that is all of it.

    Raises:
        ValueError: the block does not fit into the tensor.
    """
    if tensor.shape == shape:  # at every step of training, for every parameter of a plain network
        return tensor
    if len(shape) != tensor.ndim or any(own < asked for own, asked in zip(tensor.shape, shape, strict=False)):
        raise ValueError(f"no block of shape {tuple(shape)} in a tensor of shape {tuple(tensor.shape)}")
    return tensor[tuple(slice(0, length) for length in shape)]


def share(wide: Mapping[str, nn.Parameter], narrow: nn.Module) -> None:
    """Make each parameter of a module the leading block of another one of the same name.

    Args:
        wide: the parameters to share, by name; names that the module lacks are left out.
        narrow: any module without buffers; its own values are given up, so that it may lie on the meta device.

    Raises:
        ValueError: the module has a buffer, or a block does not fit.
        KeyError: a parameter of the module has no counterpart.
    """
    if any(True for _ in narrow.buffers()):
        raise ValueError("a module with buffers cannot share the weights of a larger one")
    for name, parameter in [*narrow.named_parameters()]:
        owner, _, own = name.rpartition(".")
        whole = wide[name]
        block = nn.Parameter(leading(whole.detach(), parameter.shape), requires_grad=whole.requires_grad)
        setattr(narrow.get_submodule(owner), own, block)


def shares(wide: Mapping[str, nn.Parameter], narrow: nn.Module) -> bool:
    """Whether a module's parameters still are blocks of the others, as they were after `share`."""
    pairs = ((wide[name], block) for name, block in narrow.named_parameters())
    return all(a.data_ptr() == b.data_ptr() and a.dtype == b.dtype and a.requires_grad == b.requires_grad for a, b in pairs)
