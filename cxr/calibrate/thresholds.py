"""Where a probability becomes a yes: the threshold of one label, chosen by a rule on the validation images.

An image is a yes where its probability is at least the threshold. Thresholds lie midway between neighbouring probabilities of
the validation images, so that scoring them again, with other rounding, gives the same decisions; the lowest one, which says
yes to every image, lies midway to 0. Of the thresholds that a rule finds equally good the highest is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from cxr.config_evaluate import OperatingRule
from cxr.evaluate.undefined import Undefined, undefined_because

_HAIR = 1e-6
"""Probabilities that differ by less, relatively, count as one: rounding to float32 and the size of a batch move them so far."""

_Float = npt.NDArray[np.float64]
_Count = Annotated[int, Field(strict=True, ge=0)]
_Counts = npt.NDArray[np.int64]


class Confusion(BaseModel):
    """Decisions against the truth, as counts of images with a known cell: the 2 x 2 table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    true_positives: _Count
    false_positives: _Count
    false_negatives: _Count
    true_negatives: _Count

    @property
    def sensitivity(self) -> float | Undefined:
        """Share of the positives that is called so, in [0, 1]."""
        return _share(self.true_positives, self.false_negatives, "no positives")

    @property
    def specificity(self) -> float | Undefined:
        """Share of the negatives that is called so, in [0, 1]."""
        return _share(self.true_negatives, self.false_positives, "no negatives")

    @property
    def ppv(self) -> float | Undefined:
        """Positive predictive value: share of those called positive that is so, in [0, 1], at the prevalence of the images."""
        return _share(self.true_positives, self.false_positives, "no image is called positive")

    @property
    def npv(self) -> float | Undefined:
        """Negative predictive value: share of those called negative that is so, in [0, 1], at the prevalence of the images."""
        return _share(self.true_negatives, self.false_negatives, "no image is called negative")


class OperatingPoint(BaseModel):
    """A threshold, and what it did to the images that it was chosen on.

    Args:
        threshold: on the probability, in (0, 1]; yes from here on.
        validation: the 2 x 2 table of the validation images.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: Annotated[float, Field(strict=True, gt=0, le=1)]
    validation: Confusion


def choose_point(truth: npt.NDArray[np.float32], probabilities: _Float, rule: OperatingRule) -> OperatingPoint | Undefined:
    """The operating point of one label.

    youden: the largest sum of sensitivity and specificity (Youden, Cancer 3:32, 1950), above that of chance.
    sensitivity: the highest threshold whose sensitivity is at least the target.
    ppv: the lowest threshold whose positive predictive value, at the prevalence of these images, is at least the target. The
        value does not always rise with the threshold, so at a higher one it may fall short again; the lowest finds the most
        positives, and rests on the most images.

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out).
        probabilities: float64 [images] in [0, 1].
        rule: which one, and its target.

    Returns:
        The point, or why there is none.
    """
    nothing = undefined_because(truth)
    if nothing is not None:
        return nothing
    levels = np.unique(probabilities[~np.isnan(truth)])
    cuts = _cuts(levels)
    if not (cuts > levels[0]).any():
        return Undefined("the scores of all images are the same")
    positives, negatives = (np.sort(probabilities[truth == value]) for value in (1, 0))
    best = _find(rule, _Sides.at(cuts, positives, negatives))
    if isinstance(best, Undefined):
        return best
    threshold = float(cuts[best])
    return OperatingPoint(threshold=threshold, validation=confusion(truth, probabilities >= threshold))


def confusion(truth: npt.NDArray[np.float32], yes: npt.NDArray[np.bool_]) -> Confusion:
    """The 2 x 2 table.

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out).
        yes: bool [images], the decisions.
    """
    positive, negative = truth == 1, truth == 0
    return Confusion(
        true_positives=int((positive & yes).sum()),
        false_positives=int((negative & yes).sum()),
        false_negatives=int((positive & ~yes).sum()),
        true_negatives=int((negative & ~yes).sum()),
    )


@dataclass(frozen=True, eq=False)
class _Sides:
    """What each threshold would do: int64 [thresholds] counts of yes; and how many positives and negatives there are."""

    true_positives: _Counts
    false_positives: _Counts
    positives: int
    negatives: int

    @classmethod
    def at(cls, cuts: _Float, positives: _Float, negatives: _Float) -> Self:
        """From the sorted probabilities of either side."""
        true, false = (len(side) - np.searchsorted(side, cuts) for side in (positives, negatives))
        return cls(true, false, len(positives), len(negatives))


def _cuts(levels: _Float) -> _Float:
    """Thresholds, rising: midway between 0 and the lowest of `levels`, rising too, and between each two that lie apart."""
    lower = np.concatenate([[0.0], levels[:-1]])
    cuts = (lower + levels) / 2
    return np.asarray(cuts[(levels - lower > _HAIR * levels) & (cuts > 0)])


def _find(rule: OperatingRule, sides: _Sides) -> int | Undefined:
    """Position of the threshold that the rule asks for."""
    if rule.target is None:
        return _youden(sides)
    if rule.rule == "sensitivity":
        reached = np.flatnonzero(sides.true_positives / sides.positives >= rule.target)
        return (
            int(reached[-1]) if len(reached) else Undefined(f"only a yes to every image has a sensitivity of {rule.target:g}")
        )
    values = sides.true_positives / (sides.true_positives + sides.false_positives)
    reached = np.flatnonzero(values >= rule.target)
    return (
        int(reached[0]) if len(reached) else Undefined(f"no threshold has a PPV of {rule.target:g}; {values.max():.3g} at most")
    )


def _youden(sides: _Sides) -> int | Undefined:
    # sensitivity less share of false alarms, times positives and negatives: whole numbers, so that equals are equal
    gains = sides.true_positives * sides.negatives - sides.false_positives * sides.positives
    best = len(gains) - 1 - int(np.argmax(gains[::-1]))
    return best if gains[best] > 0 else Undefined("no threshold is better than chance")


def _share(part: int, rest: int, nothing: str) -> float | Undefined:
    return part / (part + rest) if part + rest else Undefined(nothing)
