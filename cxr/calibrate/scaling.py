"""Scores made into probabilities: of each label a line on the logits of its scores, fitted on the validation patients.

A score s becomes sigmoid(slope logit(s) + intercept): Platt scaling, or temperature scaling where the intercept stays 0 (Guo
et al., ICML 2017; their temperature is 1 / slope). A score is in [0, 1] already, so its logit is taken, and no sigmoid twice.
The slope is above 0: images keep their order, and with it the AUROC and what any threshold can separate.

The line has the greatest likelihood under the targets of Platt (Advances in Large Margin Classifiers, 1999): of P positives
each counts as (P + 1) / (P + 2), of N negatives as 1 / (N + 2). With few positives that holds the slope back, and it stays
finite where scores separate positives from negatives, which without it has no greatest likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import expit, logit

FEWEST_PATIENTS = 10
"""With fewer validation patients with a finding, or without it, chance would draw its line."""

FLATTEST = 1e-3
"""Least standard deviation of logits: a line through flatter ones would blow up rounding of the scores."""

_FURTHEST = 1e-7
"""Least distance from 0 and 1 at which the logit of a score is taken, near what float32 resolves below 1: an image scored 0
or 1, as in a rounded table, would otherwise outweigh all others. Scores beyond it become one probability."""

_Float = npt.NDArray[np.float64]
_Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Slope = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class Platt(BaseModel):
    """Slope and intercept.

    Args:
        slope: above 0.
        intercept: the logit that a score of one half becomes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["platt"] = "platt"
    slope: _Slope
    intercept: _Finite

    def __call__(self, scores: _Float) -> _Float:
        """Probabilities, float64 in [0, 1], of scores, float64 in [0, 1], in their order up to rounding of 1e-15."""
        return np.asarray(expit(self.slope * logits(scores) + self.intercept))


class Temperature(BaseModel):
    """Slope alone: a score of one half stays.

    Args:
        slope: above 0; below 1 it draws scores to one half.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["temperature"] = "temperature"
    slope: _Slope

    def __call__(self, scores: _Float) -> _Float:
        """Probabilities, float64 in [0, 1], of scores, float64 in [0, 1], in their order up to rounding of 1e-15."""
        return np.asarray(expit(self.slope * logits(scores)))


class Unchanged(BaseModel):
    """Scores are taken for probabilities as they are.

    Args:
        reason: why no line was fitted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["none"] = "none"
    reason: str = Field(min_length=1)

    def __call__(self, scores: _Float) -> _Float:
        """The scores, float64 in [0, 1], bit by bit."""
        return scores


Scaling = Platt | Temperature | Unchanged


@dataclass(frozen=True)
class Line:
    """A straight line on logits, of either direction."""

    slope: float
    intercept: float


def logits(scores: _Float) -> _Float:
    """Finite logits, float64, of scores, float64 in [0, 1]; as of 1e-7 for what is nearer to 0, and likewise near 1."""
    return np.asarray(logit(np.clip(scores, _FURTHEST, 1 - _FURTHEST)))


def fit_scaling(
    method: Literal["platt", "temperature", "none"],
    truth: npt.NDArray[np.float32],
    scores: _Float,
    patients: npt.NDArray[np.int64],
) -> Scaling:
    """Fit one label.

    Args:
        method: what to fit.
        truth: float32 [images], each 0, 1 or NaN (left out).
        scores: float64 [images] in [0, 1].
        patients: int64 [images], the patient of each image.

    Returns:
        The scaling; `Unchanged`, with the reason, where too few patients or scores without spread show no line, or where the
        line falls, which would turn the order of the images round.
    """
    if method == "none":
        return Unchanged(reason="no calibration was asked for")
    reason = _unfit_because(truth, scores, patients)
    if reason is not None:
        return Unchanged(reason=reason)
    known = ~np.isnan(truth)
    line = fit_line(logits(scores[known]), _platt_targets(truth[known] == 1), through_zero=method == "temperature")
    if line.slope <= 0:
        return Unchanged(reason=f"the fitted slope is {line.slope:.3g}: higher scores do not go with the finding")
    if method == "temperature":
        return Temperature(slope=line.slope)
    return Platt(slope=line.slope, intercept=line.intercept)


def fit_line(logits: _Float, targets: _Float, through_zero: bool = False) -> Line:
    """The logistic regression of targets on logits: the line of the greatest likelihood, without penalty.

    Args:
        logits: float64 [images], finite and not all the same.
        targets: float64 [images] in [0, 1], not separated by the logits: 0 and 1 must overlap, or lie within (0, 1).
        through_zero: keep the intercept at 0.
    """
    centre, spread = (0.0 if through_zero else float(logits.mean())), float(logits.std())
    # a target between 0 and 1 is one image of each kind, weighted
    weights = np.concatenate([targets, 1 - targets])
    used, yes = weights > 0, np.repeat([True, False], len(logits))
    values = np.tile((logits - centre) / spread, 2)[:, np.newaxis]
    from sklearn.linear_model import LogisticRegression  # a model that is only used comes up without it

    regression = LogisticRegression(C=np.inf, fit_intercept=not through_zero, solver="newton-cholesky", tol=1e-12)
    regression.fit(values[used], yes[used], sample_weight=weights[used])
    slope = float(regression.coef_[0, 0]) / spread
    return Line(slope, float(np.ravel(regression.intercept_)[0]) - slope * centre)


def _unfit_because(truth: npt.NDArray[np.float32], scores: _Float, patients: npt.NDArray[np.int64]) -> str | None:
    for value, kind in ((1, "with"), (0, "without")):
        count = len(np.unique(patients[truth == value]))
        if count < FEWEST_PATIENTS:
            return f"only {count} validation patient{'' if count == 1 else 's'} {kind} the finding, of {FEWEST_PATIENTS} needed"
    if logits(scores[~np.isnan(truth)]).std() < FLATTEST:
        return "the scores hardly differ"
    return None


def _platt_targets(positive: npt.NDArray[np.bool_]) -> _Float:
    positives = int(positive.sum())
    return np.where(positive, (positives + 1) / (positives + 2), 1 / (len(positive) - positives + 2))
