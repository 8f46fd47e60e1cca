"""The classifier: canonical images in, a logit per label out."""

from __future__ import annotations

import torch
from torch import nn

from cxr.config import ModelConfig
from cxr.model.backbone import Backbone
from cxr.model.head import Branches, HeadOutput, MultiBranchHead

_MEAN, _STD = 0.5, 0.25
"""Centre and scale of grey values in [0, 1]: constants, so that no statistic of a data set is part of the contract."""


class Classifier(nn.Module):
    """Backbone and head.

    Args:
        config: of both.
        size: side of the canonical images, in pixels.
        labels: number of labels.

    Raises:
        ConfigError: the backbone cannot be built.
    """

    def __init__(self, config: ModelConfig, size: int, labels: int) -> None:
        super().__init__()
        self.backbone = Backbone(config.backbone, size, config.options, config.weights)
        head = config.head
        self.head = MultiBranchHead(self.backbone.width, labels, head.kind, head.pooling, head.hidden, head.dropout)

    def forward(self, images: torch.Tensor) -> HeadOutput:
        """Logits of canonical images, uint8 [batch, size, size]."""
        grey = images.unsqueeze(1).to(self._dtype()) / 255
        output: HeadOutput = self.head(self.backbone((grey - _MEAN) / _STD))
        return output

    def undecayed(self) -> set[str]:
        """Names of parameters that weight decay leaves alone although they have more than one dimension."""
        embeddings: set[str] = getattr(self.backbone.model, "no_weight_decay", set)()
        return {f"backbone.model.{name}" for name in embeddings} | {f"head.branches.{name}" for name in Branches.VECTORS}

    def _dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype
