"""The sections of a configuration that say how scores become decisions, and how both are judged; see `cxr.config`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cxr.section import Fraction, Section

Unit = Literal["image", "study", "patient"]
Combine = Literal["mean", "max"]
SUBGROUPS = ("sex", "age_band", "view", "manufacturer", "source")
"""Columns by which figures are compared unless others are named; `age_band` is made of `age_years`."""


class OperatingRule(Section):
    """How the threshold of a label is chosen on the validation patients."""

    rule: Literal["youden", "sensitivity", "ppv"] = Field(
        description="highest sum of sensitivity and specificity; the highest threshold that reaches a sensitivity; "
        "the lowest one that reaches a positive predictive value"
    )
    target: float | None = Field(None, gt=0, lt=1, description="the sensitivity or predictive value to reach")

    @model_validator(mode="after")
    def _target_where_due(self) -> Self:
        if (self.rule == "youden") == (self.target is not None):
            raise ValueError(
                f"'target' {'is without effect with' if self.target is not None else 'is missing for'} '{self.rule}'"
            )
        return self

    @property
    def name(self) -> str:
        """As it stands in tables and reports: youden, sensitivity 0.9, ppv 0.5."""
        return self.rule if self.target is None else f"{self.rule} {self.target:g}"


class CalibrateConfig(Section):
    """What is fitted on the validation patients, and travels with the model."""

    method: Literal["platt", "temperature", "none"] = Field(
        "platt", description="slope and intercept on the logits of each label; one temperature for each label; nothing"
    )
    points: tuple[OperatingRule, ...] = Field(
        (OperatingRule(rule="youden"), OperatingRule(rule="sensitivity", target=0.9)),
        min_length=1,
        description="operating points of every label; the first one says yes or no",
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({point.name for point in self.points}) < len(self.points):
            raise ValueError("'points' names an operating point twice")
        return self


class EvaluateConfig(Section):
    """Figures on the test patients, and their intervals."""

    unit: Unit = Field("image", description="what is counted: images, studies or patients")
    combine: Combine = Field(
        "mean", description="how scores of the images of a study or patient become one; without effect for images"
    )
    intervals: Literal["bootstrap", "delong"] = Field(
        "bootstrap", description="by patient; or DeLong's, which takes the units for independent"
    )
    resamples: int = Field(1000, ge=100, description="bootstrap resamples of the patients")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="level of the intervals")
    subgroups: tuple[str, ...] = Field(SUBGROUPS, description="columns of the manifest by which figures are compared")
    prevalence: dict[str, Fraction] = Field(
        {}, description="share of patients with the finding where the model will be used, by label, for predictive values there"
    )
