"""The sections of a configuration that say how a model is trained; see `cxr.config` for the whole."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from cxr.section import Fraction, Section


class AugmentConfig(Section):
    """Random changes of training images; all off gives the image as it is."""

    rotate_degrees: float = Field(5, ge=0, le=45, description="largest rotation either way")
    shift: Fraction = Field(0.05, description="largest shift either way, as a share of the side")
    zoom: float = Field(0.1, ge=0, lt=1, description="largest change of scale either way")
    contrast: float = Field(0.15, ge=0, lt=1, description="largest relative change of brightness and of contrast")
    gamma: float = Field(0.15, ge=0, lt=1, description="largest relative change of the exponent of the grey values")
    noise: float = Field(0.0, ge=0, le=0.2, description="standard deviation of added noise, as a share of the range")
    horizontal_flip: bool = Field(False, description="mirror half of the images; refused where a label has a side")

    @property
    def active(self) -> bool:
        """Whether anything is changed at all."""
        return any((self.rotate_degrees, self.shift, self.zoom, self.horizontal_flip, self.contrast, self.gamma, self.noise))


class SamplingConfig(Section):
    """Which training images an epoch has; see cxr/data/sampling.py for the formula."""

    rare: Fraction = Field(
        0.0, description="how much oftener images of rare findings come: 0 each once, 1 in inverse frequency"
    )
    by_patient: bool = Field(False, description="draw patients evenly, not images")


class LossConfig(Section):
    """The loss of a label cell; see cxr/train/cells.py for the formulas."""

    kind: Literal["bce", "focal", "asymmetric"] = Field("bce", description="cross-entropy, focal or asymmetric loss")
    balanced: bool = Field(False, description="both classes of a label count the same, by their numbers in the training set")
    focus: float = Field(2.0, ge=0, description="of the focal loss: how little cells count that are right already")
    focus_positive: float = Field(0.0, ge=0, description="of the asymmetric loss, for positives")
    focus_negative: float = Field(4.0, ge=0, description="of the asymmetric loss, for negatives")
    margin: float = Field(
        0.05, ge=0, lt=1, description="of the asymmetric loss: negatives below this probability count nothing"
    )
    pairwise: Fraction = Field(
        0.0, description="share of the loss that is about the order of positives and negatives in a batch"
    )

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        kinds = {"focus": "focal", "focus_positive": "asymmetric", "focus_negative": "asymmetric", "margin": "asymmetric"}
        for name, kind in kinds.items():
            if name in self.model_fields_set and self.kind != kind:
                raise ValueError(f"'{name}' belongs to 'kind: {kind}'; here it is {self.kind}")
        return self


class StackedTraining(Section):
    """Which widths of a stacked backbone a step trains; without effect for another backbone."""

    regime: Literal["sandwich", "uniform", "weighted"] = Field(
        "sandwich", description="the widest, the narrowest and one between; or one, drawn evenly or by weights"
    )
    weights: tuple[PositiveFloat, ...] | None = Field(
        None, description="of the weighted regime: how often each of model.stacked.heads is drawn, in proportion"
    )
    distillation: Fraction = Field(
        0.5, description="of the sandwich: share of the narrower ones' loss that is against the widest's output"
    )

    @model_validator(mode="after")
    def _weights_of_weighted(self) -> Self:
        if (self.regime == "weighted") != (self.weights is not None):
            raise ValueError("'weights' and 'regime: weighted' belong together")
        if self.regime != "sandwich" and "distillation" in self.model_fields_set:
            raise ValueError("'distillation' belongs to 'regime: sandwich'")
        return self


class TrainConfig(Section):
    """Optimisation."""

    epochs: int = Field(30, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate of AdamW")
    weight_decay: float = Field(0.05, ge=0)
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="a layer of the backbone learns at this share of the rate of the layer above it; 1: off"
    )
    freeze_epochs: Annotated[int, Field(ge=0)] | Literal["all"] = Field(
        0, description="epochs at the start in which the backbone stays as it is; all: it never learns"
    )
    patience: int | None = Field(None, ge=1, description="stop after so many epochs without a better validation AUROC")
    checkpoint_minutes: Annotated[float, "pace"] = Field(
        10, ge=0, description="time after which the state is saved within an epoch, too"
    )
    micro_batch: int | None = Field(None, ge=1, description="images computed at a time; gradients of a batch are added up")
    warmup_epochs: float = Field(2, ge=0, description="epochs of linear warm-up, at most half of all")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient")
    ema_decay: float = Field(0.99, ge=0, lt=1, description="decay of the averaged weights that are evaluated; 0: off")
    precision: Literal["float32", "bf16"] = Field("float32", description="bf16: autocast where it is safe")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one")
    workers: Annotated[int, "pace"] = Field(
        0, ge=0, description="processes that prepare batches; 0: the training process itself"
    )
    augment: AugmentConfig = AugmentConfig()
    sampling: SamplingConfig = SamplingConfig()
    loss: LossConfig = LossConfig()
    stacked: StackedTraining = StackedTraining()

    @property
    def frozen_epochs(self) -> int:
        """How many of the epochs leave the backbone as it is."""
        return self.epochs if self.freeze_epochs == "all" else min(self.freeze_epochs, self.epochs)

    @model_validator(mode="after")
    def _has_pairs(self) -> Self:
        if self.loss.pairwise and min(self.batch_size, self.micro_batch or self.batch_size) == 1:
            raise ValueError(
                "'loss.pairwise' is about pairs of images, and one is computed at a time; raise batch_size or micro_batch"
            )
        return self
