"""How unsure a network is of an image: three rules, each relative to what is usual on the validation images.

With p_j the network's probability of label j, its binary entropy H(p) = -p ln p - (1 - p) ln(1 - p), and of the validation
images the mean entropy m_j, the Youden point t_j and the standard deviation s_j of the logits:

    entropy          mean over j of H(p_j) / m_j
    largest entropy  largest over j of H(p_j) / m_j
    closeness        largest over j of -|logit(p_j) - t_j| / s_j, over the labels that have a Youden point

Higher is less certain. The Youden point is the threshold with the largest sum of sensitivity and specificity (Youden,
Cancer 3:32, 1950), taken half-way between the lowest logit above it and the highest below. Entropies are divided by their
means because a rare finding has a small one, however hard it is to see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat
from scipy.special import entr, logit
from sklearn.metrics import roc_curve

from cxr.errors import DataError
from cxr.evaluate.undefined import undefined_because

Rule = Literal["entropy", "largest entropy", "closeness"]
Scores = npt.NDArray[np.float64]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_TINY = 1e-12
"""Least distance of a probability from 0 and 1, and least mean entropy."""
_FLAT = 1e-2
"""Least spread of logits: a label whose logits differ by less says nothing, and rounding must not be blown up."""


class Reference(BaseModel):
    """What is usual of a label's scores on the validation images.

    Args:
        entropy: mean binary entropy, in nats.
        spread: standard deviation of the logits, at least 0.01.
        youden: Youden point, as a logit; None where the label has not both positive and negative images.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    entropy: _Positive
    spread: _Positive
    youden: FiniteFloat | None


References = Sequence[Reference]


def references(probabilities: Scores, truth: npt.NDArray[np.float32]) -> tuple[Reference, ...]:
    """The reference of each label.

    Args:
        probabilities: float64 [images, labels] in [0, 1], of at least one validation image.
        truth: float32 [images, labels], each 0, 1 or NaN (left out).

    Raises:
        DataError: a score is no probability.
    """
    _refuse_others(probabilities)
    entropies, spreads = _entropies(probabilities).mean(axis=0), _logits(probabilities).std(axis=0)
    return tuple(
        Reference(
            entropy=max(float(entropies[j]), _TINY),
            spread=max(float(spreads[j]), _FLAT),
            youden=_youden_point(truth[:, j], probabilities[:, j]),
        )
        for j in range(probabilities.shape[1])
    )


def uncertainty(rule: Rule, probabilities: Scores, of_labels: References) -> Scores:
    """How unsure a network is of each image.

    Args:
        rule: one of `RULES`.
        probabilities: float64 [images, labels] in [0, 1].
        of_labels: a reference for each label; for closeness at least one with a Youden point.

    Returns:
        float64 [images], finite; higher is less certain.

    Raises:
        DataError: a score is no probability, or there is another number of labels.
    """
    _refuse_others(probabilities)
    if probabilities.shape[1] != len(of_labels):
        raise DataError(f"scores of {probabilities.shape[1]} labels, but the cascade knows {len(of_labels)}")
    return RULES[rule](probabilities, of_labels)


def entropy(probabilities: Scores, of_labels: References) -> Scores:
    """The rule of this name, as above."""
    return np.asarray(_relative_entropies(probabilities, of_labels).mean(axis=1))


def largest_entropy(probabilities: Scores, of_labels: References) -> Scores:
    """The rule of this name, as above."""
    return np.asarray(_relative_entropies(probabilities, of_labels).max(axis=1))


def closeness(probabilities: Scores, of_labels: References) -> Scores:
    """The rule of this name, as above."""
    known = [(j, label.youden, label.spread) for j, label in enumerate(of_labels) if label.youden is not None]
    labels, points, spreads = (np.array(column) for column in zip(*known, strict=True))
    return np.asarray((-np.abs(_logits(probabilities[:, labels]) - points) / spreads).max(axis=1))


RULES: Mapping[Rule, Callable[[Scores, References], Scores]] = {
    "entropy": entropy,
    "largest entropy": largest_entropy,
    "closeness": closeness,
}
"""The rules by name, in the order in which they are preferred."""


def _refuse_others(probabilities: Scores) -> None:
    if not np.all((probabilities >= 0) & (probabilities <= 1)):  # also of a NaN, which no limit would send on
        raise DataError("a score is not a number from 0 to 1; whether it is uncertain cannot be told")


def _entropies(probabilities: Scores) -> Scores:
    return np.asarray(entr(probabilities) + entr(1 - probabilities))


def _relative_entropies(probabilities: Scores, of_labels: References) -> Scores:
    return np.asarray(_entropies(probabilities) / np.array([label.entropy for label in of_labels]))


def _logits(probabilities: Scores) -> Scores:
    return np.asarray(logit(probabilities.clip(_TINY, 1 - _TINY)))


def _youden_point(truth: npt.NDArray[np.float32], probabilities: Scores) -> float | None:
    if undefined_because(truth) is not None:
        return None
    known = ~np.isnan(truth)
    logits = _logits(probabilities[known])
    false_positive, true_positive, thresholds = roc_curve(truth[known] == 1, logits, drop_intermediate=False)
    best = 1 + int(np.argmax((true_positive - false_positive)[1:]))  # the first threshold is infinite: nothing is positive
    return float(np.mean(thresholds[best : best + 2]))  # falling logits; below the last there is none
