"""A figure that cannot be computed says why; it never becomes 0 or a NaN that travels on in silence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Undefined:
    """A figure that does not exist.

    Args:
        reason: why, in words for the reader of a report; never empty.

    Raises:
        ValueError: no reason is given.
    """

    reason: str

    def __post_init__(self) -> None:
        if not self.reason:
            raise ValueError("an undefined figure needs a reason")


def mean_defined(figures: Iterable[float | Undefined]) -> float | Undefined:
    """The unweighted mean of the figures that exist; undefined where none does."""
    defined = [figure for figure in figures if not isinstance(figure, Undefined)]
    return float(np.mean(defined)) if defined else Undefined("no label has both positive and negative images")


def as_float(figure: float | Undefined) -> float:
    """The figure as a float; NaN where it is undefined. For tables whose rows carry the reason beside it."""
    return float("nan") if isinstance(figure, Undefined) else figure


def undefined_because(truth: npt.NDArray[np.float32]) -> Undefined | None:
    """Why a label's scores cannot be ranked against this truth, float32 [images] of 0, 1 and NaN; None if they can."""
    if np.isnan(truth).all():
        return Undefined("no known cell")
    if not (truth == 1).any():
        return Undefined("no positives")
    if not (truth == 0).any():
        return Undefined("no negatives")
    return None
