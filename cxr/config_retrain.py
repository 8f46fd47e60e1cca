"""The sections of a configuration that say which older model a new one comes from, and when it may take its place."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cxr.config_paths import ExistingFile
from cxr.section import NAME, Section


class CarryConfig(Section):
    """What a new model starts from."""

    model: ExistingFile
    labels: dict[str, str | None]


class RetrainConfig(Section):
    """The older model: what is carried over from it, and whose test patients it was judged by."""

    model: ExistingFile = Field(description="model.safetensors of the older model")
    split: ExistingFile | None = Field(
        None, description="split.csv of the older model: its test patients never train, its training patients never test"
    )
    other_patients: bool = Field(
        False,
        description="the older model was made without any of these patients, as in another hospital; refused if split has one",
    )
    weights: Literal["carried", "random"] = Field(
        "carried", description="carried: start from the older model's; random: from scratch, and compare only"
    )
    labels: dict[str, str | None] = Field(
        {}, description="label of the older model that a new one starts from, where names do not tell; null: from none"
    )

    @property
    def carry(self) -> CarryConfig | None:
        """What is carried over; None where the new model starts from scratch."""
        return CarryConfig(model=self.model, labels=self.labels) if self.weights == "carried" else None

    @model_validator(mode="after")
    def _patients_told(self) -> Self:
        if self.split is None and not self.other_patients:
            raise ValueError(
                "'split' or 'other_patients' is needed: the split.csv that the older model was made with, or "
                "'other_patients: true' where it has seen none of these patients"
            )
        return self


class PromoteConfig(Section):
    """When a model may take the place of the one in use."""

    model: str | None = Field(None, pattern=NAME, description="its name in the registry  [default: the pipeline's name]")
    margin: float = Field(
        0.05, gt=0, lt=0.5, description="loss of AUROC of a kept label, beside the older model, that is accepted"
    )
    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="level of the intervals that the rule goes by; evaluate.confidence must be the same"
    )
    undecided: Literal["refuse", "accept"] = Field(
        "refuse", description="a kept label whose interval reaches below the margin, while the figure itself does not"
    )
    calibration_error: float = Field(
        0.1, gt=0, le=1, description="largest calibration error of a label (expected, bins of equal size, calibrated)"
    )
    gap: float = Field(
        0.1, gt=0, le=1, description="largest gap in AUROC between groups; refused where the gap is shown to be larger"
    )
