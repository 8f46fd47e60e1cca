"""Intervals: of a figure that lies between 0 and 1, and of a difference of two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cxr.evaluate.undefined import Undefined


@dataclass(frozen=True)
class Interval:
    """Bounds of a figure in [0, 1].

    Args:
        low: lower bound.
        high: upper bound, at least `low`.

    Raises:
        ValueError: the bounds are not ordered, or leave the range of the figure.
    """

    LEAST: ClassVar[int] = 0
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.LEAST <= self.low <= self.high <= 1:
            raise ValueError(f"no interval within {self.LEAST} to 1: {self.low} to {self.high}")

    @property
    def width(self) -> float:
        """Upper less lower bound, at least 0."""
        return self.high - self.low


class Span(Interval):
    """Bounds of a difference of two such figures, in [-1, 1]."""

    LEAST = -1


def bounds(interval: Interval | Undefined) -> tuple[float, float]:
    """Both bounds as floats, for tables; NaN where there is no interval."""
    return (float("nan"), float("nan")) if isinstance(interval, Undefined) else (interval.low, interval.high)
