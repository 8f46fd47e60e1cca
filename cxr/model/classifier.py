"""The classifier: canonical images in, a logit per label out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import nn

from cxr.config_model import HeadConfig, ModelConfig
from cxr.model.backbone import Backbone
from cxr.model.head import AttentionPooling, Branches, HeadOutput, MultiBranchHead
from cxr.model.weights import initial_weights

_MEAN, _STD = 0.5, 0.25
"""Centre and scale of grey values in [0, 1]: constants, so that no statistic of a data set is part of the contract."""


class Part(NamedTuple):
    """The part of a parameter that a network uses.

    Args:
        whole: the parameter, as it is kept and saved.
        block: the parameter itself, or its leading block, which shares its memory and has a gradient of its own.
    """

    whole: nn.Parameter
    block: nn.Parameter


class Classifier(nn.Module):
    """Backbone and head.

    Args:
        config: of both.
        size: side of the canonical images, in pixels.
        labels: number of labels.

    Raises:
        ConfigError: the backbone cannot be built.
    """

    heads: tuple[int, ...] = ()
    """The numbers of attention heads it can run with; none where there is no choice."""

    def __init__(self, config: ModelConfig, size: int, labels: int) -> None:
        super().__init__()
        self.backbone = Backbone(config.backbone, size, config.options, initial_weights(config), config.head.stride)
        self.head = build_head(config.head, self.backbone.width, labels, self.backbone.token_width)

    def forward(self, images: torch.Tensor) -> HeadOutput:
        """Logits of canonical images, uint8 [batch, size, size]."""
        grey = images.unsqueeze(1).to(self.backbone.dtype) / 255
        output: HeadOutput = self.head(self.backbone((grey - _MEAN) / _STD))
        return output

    def at(self, heads: int | None) -> Classifier:
        """The network with a number of attention heads; None for all that there are.

        Raises:
            ValueError: it cannot run with that number.
        """
        if heads is not None and heads not in self.heads:
            choice = f"it runs with {', '.join(map(str, self.heads))}" if self.heads else "its backbone is not stacked"
            raise ValueError(f"no network with {heads} attention heads: {choice}")
        return self._with(heads)

    def _with(self, heads: int | None) -> Classifier:
        return self

    def parts(self, heads: int | None) -> Mapping[str, Part]:
        """The parameters that the network of `at` uses, under the names of this classifier's own."""
        return {name: Part(parameter, parameter) for name, parameter in self.named_parameters()}

    def undecayed(self) -> set[str]:
        """Names of parameters that weight decay leaves alone although they have more than one dimension."""
        embeddings: set[str] = getattr(self.backbone.model, "no_weight_decay", set)()
        vectors = {f"head.branches.{name}" for name in Branches.VECTORS}
        return {f"backbone.model.{name}" for name in embeddings} | vectors | set(self.faster())

    def faster(self) -> dict[str, float]:
        """Names of parameters that learn at a multiple of the rate, and how many times it."""
        pools = {name: module for name, module in self.named_modules() if isinstance(module, AttentionPooling)}
        return {f"{name}.query": pool.rate for name, pool in pools.items()}


def build_head(config: HeadConfig, width: int, labels: int, token_width: int | None = None) -> MultiBranchHead:
    """The classification head on features of a width; tokens have the same, where nothing else is said."""
    return MultiBranchHead(width, labels, config.kind, config.pooling, config.hidden, config.dropout, token_width)
