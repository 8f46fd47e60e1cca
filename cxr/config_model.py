"""The sections of a configuration that say what the model is; see `cxr.config` for the whole."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cxr.config_paths import ExistingFile
from cxr.section import Section


class HeadConfig(Section):
    """The classification head; see cxr/model/head.py for its definition."""

    kind: Literal["multi_branch", "aggregated", "branches"] = Field(
        "multi_branch", description="both parts, the plain linear head only, or the branches only"
    )
    pooling: Literal["attention", "token"] = Field(
        "attention", description="what a branch sees: tokens weighted by its own query, or the pooled feature"
    )
    stride: int | None = Field(
        16,
        ge=1,
        description="the most pixels a side that a token of attention pooling stands for: of a backbone whose last stage is "
        "coarser, the tokens of an earlier one; null: those of the last stage",
    )
    hidden: int = Field(64, ge=1, description="width of a branch's hidden layer")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout in a branch")
    loss_weights: Literal["learned", "static", "uniform"] = Field(
        "learned", description="of multi_branch, weights of the branch losses: learned, inverse label frequency, or all one"
    )


class StackedConfig(Section):
    """One set of weights that runs with several numbers of attention heads; the backbone is a plain vision transformer."""

    heads: tuple[int, ...] = Field(
        tuple(range(3, 13)), min_length=2, description="numbers of attention heads, rising; the last is the backbone's own"
    )
    share_head: bool = Field(
        True, description="one classification head for all, cut like the backbone; false: one for each number"
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.heads[0] < 1 or any(first >= second for first, second in pairwise(self.heads)):
            raise ValueError("'heads' must be whole numbers from 1, rising")
        return self


class ModelConfig(Section):
    """Backbone and head."""

    backbone: str = Field("vit_tiny_patch16_224", description="name of a timm model that gives tokens or a feature map")
    options: dict[str, Any] = Field(default_factory=dict, description="further arguments of the timm model")
    stacked: StackedConfig | None = Field(None, description="several widths in one set of weights; absent: the one width")
    weights: ExistingFile | None = Field(None, description="local safetensors or weights-only .pth file to start from")
    hub: str | None = Field(
        None,
        pattern=r"^[\w.-]+/[\w.-]+(@[\w./-]+)?$",
        description="weights to start from by their name on the Hugging Face hub, ORGANISATION/REPOSITORY[@REVISION]",
    )
    head: HeadConfig = HeadConfig()

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.weights is not None and self.hub is not None:
            raise ValueError("'weights' and 'hub' exclude each other: a model starts from one of them")
        return self
