"""Backbones by their timm name: one grey channel in, a pooled feature and tokens out."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from cxr.errors import ConfigError
from cxr.model.timm_gate import timm


@dataclass(frozen=True)
class Features:
    """What a backbone sees in a batch.

    Args:
        pooled: float [batch, width].
        tokens: float [batch, tokens, width], the tokens of image patches alone, row by row.
    """

    pooled: torch.Tensor
    tokens: torch.Tensor


def check_backbone(name: str) -> None:
    """Refuse a name that timm does not know.

    Raises:
        ConfigError: names the nearest model.
    """
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ConfigError(f"model.backbone: timm {timm.__version__} has no model '{name}'{hint}")


class Backbone(nn.Module):
    """A timm model without its classifier.

    Args:
        name: as in timm.
        size: side of the square images, in pixels.
        options: further arguments of the timm model.
        weights: local file of weights in timm's layout; a 3-channel stem is folded to one channel and position
            embeddings are resized, both by timm.

    Raises:
        ConfigError: timm does not know the name, or the model does not take the size or an option.
    """

    def __init__(self, name: str, size: int, options: dict[str, Any], weights: Path | None = None) -> None:
        super().__init__()
        check_backbone(name)
        arguments = {**options, "num_classes": 0, "in_chans": 1}
        configuration = timm.get_pretrained_cfg(name)
        if configuration is not None and configuration.fixed_input_size:
            arguments["img_size"] = size
        if weights is not None:
            arguments |= {"pretrained": True, "pretrained_cfg_overlay": {"file": str(weights)}}
        try:
            self.model = cast(Any, timm.create_model(name, **arguments))
        except (TypeError, ValueError, AssertionError, RuntimeError) as error:
            problem = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(f"model.backbone: {name} at {size} pixels with {options}: {problem}") from error
        self.width = int(self.model.num_features)
        self._prefix = int(getattr(self.model, "num_prefix_tokens", 0))
        self._channels_last = getattr(self.model, "output_fmt", "NCHW") == "NHWC"

    def forward(self, images: torch.Tensor) -> Features:
        """Features of images.

        Args:
            images: float [batch, 1, size, size], normalised.
        """
        features = self.model.forward_features(images)
        pooled = self.model.forward_head(features, pre_logits=True)
        return Features(pooled, self._tokens(features))

    def _tokens(self, features: torch.Tensor) -> torch.Tensor:
        if features.ndim == 3:
            return features[:, self._prefix :]
        return features.flatten(1, 2) if self._channels_last else features.flatten(2).transpose(1, 2)
