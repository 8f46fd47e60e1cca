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
from cxr.model.weights import read_weights

_OWN_OPTIONS = (
    "num_classes",
    "in_chans",
    "img_size",
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "checkpoint_path",
)
"""Arguments of timm that are set here; some of them would fetch weights from the network."""


_COMPUTED = ("relative_position_index", "relative_coords_table", "attn_mask", "num_batches_tracked")
"""Ends of the names of buffers that a model computes itself; some releases of timm have them in their files."""


@dataclass(frozen=True)
class Features:
    """What a backbone sees in a batch.

    Args:
        pooled: float [batch, width].
        tokens: float [batch, tokens, token width], the tokens of image patches alone, row by row.
    """

    pooled: torch.Tensor
    tokens: torch.Tensor


def _check_name(name: str) -> None:
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
        stride: the most pixels that a token may stand for, in height and in width: a backbone whose last stage is coarser
            gives the tokens of an earlier stage, the last that is as fine. None for those of its last stage.

    Raises:
        ConfigError: timm does not know the name, the model does not take the size or an option, or the weights are not
            all of this model's.
    """

    def __init__(
        self, name: str, size: int, options: dict[str, Any], weights: Path | None = None, stride: int | None = None
    ) -> None:
        super().__init__()
        self.model = _create(name, size, options, weights)
        self.width = int(self.model.num_features)
        self._stages = _stages(self.model, stride)
        self.token_width = self.width if self._stages is None else int(self.model.feature_info[self._stages[0]]["num_chs"])
        # some CNNs widen the pooled feature inside their classifier; theirs is the mean of the tokens
        self._widens = int(getattr(self.model, "head_hidden_size", self.width)) != self.width
        self._prefix = int(getattr(self.model, "num_prefix_tokens", 0))
        self._channels_last = getattr(self.model, "output_fmt", "NCHW") == "NHWC"

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, and so of the images that it takes."""
        parameter: nn.Parameter = next(self.model.parameters())
        return parameter.dtype

    def forward(self, images: torch.Tensor) -> Features:
        """Features of images.

        Args:
            images: float [batch, 1, size, size], normalised.

        Raises:
            ValueError: the model gives neither tokens nor one feature map.
        """
        features, finer = self._features(images)
        tokens = self._tokens(features)
        pooled = tokens.mean(dim=1) if self._widens else self.model.forward_head(features, pre_logits=True)
        return Features(pooled, tokens if finer is None else finer.flatten(2).transpose(1, 2))

    def _features(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What the last stage gives, and, where that is too coarse, the map [batch, width, rows, columns] of a finer one."""
        if self._stages is None:
            return self.model.forward_features(images), None
        features, maps = self.model.forward_intermediates(images, indices=list(self._stages), output_fmt="NCHW")
        return features, maps[0]

    def _tokens(self, features: torch.Tensor) -> torch.Tensor:
        if not isinstance(features, torch.Tensor) or features.ndim not in (3, 4):
            raise ValueError("it gives neither tokens nor one feature map")
        if features.ndim == 3:
            return features[:, self._prefix :]
        return features.flatten(1, 2) if self._channels_last else features.flatten(2).transpose(1, 2)


def _stages(model: Any, stride: int | None) -> tuple[int, int] | None:
    """The last stage whose tokens are as fine as the stride, and the last of all; None where these are one."""
    strides = [info["reduction"] for info in model.feature_info]
    if stride is None or strides[-1] <= stride:
        return None
    fine = [stage for stage, pixels in enumerate(strides) if pixels <= stride]
    # without its last stage asked for, a model of timm may stop before it
    return (fine[-1], len(strides) - 1) if fine else None


def _create(name: str, size: int, options: dict[str, Any], weights: Path | None) -> Any:
    """The timm model that `Backbone` wraps."""
    _check_name(name)
    own = sorted(set(_OWN_OPTIONS) & set(options))
    if own:
        hint = "weights are given as model.weights, the size as ingest.size"
        raise ConfigError(f"model.options.{own[0]}: cannot be set; {hint}")
    arguments = {**options, "num_classes": 0, "in_chans": 1}
    configuration = timm.get_pretrained_cfg(name)
    fixed = configuration is not None and configuration.fixed_input_size
    if fixed:
        arguments["img_size"] = size
    given = set() if weights is None else _names(weights)
    if weights is not None:
        # custom_load: some models would read the file as their authors' .npz
        arguments |= {"pretrained": True, "pretrained_cfg_overlay": {"file": str(weights), "custom_load": False}}
    try:
        model = cast(Any, timm.create_model(name, **arguments))
    except (TypeError, ValueError, AssertionError, RuntimeError, LookupError, ArithmeticError, AttributeError) as error:
        problem = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"model.backbone: {name} at {size} pixels with {options}: {problem}") from error
    patch = getattr(getattr(model, "patch_embed", None), "patch_size", None)
    if fixed and isinstance(patch, tuple) and size % patch[0]:
        # timm would leave out the lower and the right edge without a word
        raise ConfigError(f"model.backbone: {name} at {size} pixels: the size must be a multiple of {patch[0]}, its patches'")
    if weights is not None:
        _check_complete(name, model, weights, given)
    return model


def _names(weights: Path) -> set[str]:
    names = set(read_weights(weights))
    if any(name.startswith("backbone.model.") for name in names):
        raise ConfigError(f"model.weights: {weights}: a model of cxr, where the weights of a timm model are sought")
    return names


def _check_complete(name: str, model: Any, weights: Path, given: set[str]) -> None:
    """Refuse weights of another network: timm would leave what is missing at random, and drop what has no place.

    A classifier that the file has beside the backbone, and tables that are computed, are no part of it.
    """
    own = {key: tensor for key, tensor in model.state_dict().items() if not key.endswith(_COMPUTED)}
    missing = [key for key, tensor in own.items() if tensor.is_floating_point() and key not in given]
    if missing:
        raise ConfigError(f"model.weights: {weights}: {len(missing)} weights of {name} are missing, like {missing[0]}")
    parts = {key.partition(".")[0] for key in own}
    extra = sorted(key for key in given - own.keys() if key.partition(".")[0] in parts and not key.endswith(_COMPUTED))
    if extra:
        raise ConfigError(f"model.weights: {weights}: {len(extra)} weights have no place in {name}, like {extra[0]}")
