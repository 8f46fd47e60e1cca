"""An interval of a figure that lies between 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass

from cxr.evaluate.undefined import Undefined


@dataclass(frozen=True)
class Interval:
    """Bounds of a figure in [0, 1].

    Args:
        low: lower bound.
        high: upper bound, at least `low`.

    Raises:
        ValueError: the bounds are not ordered, or leave [0, 1].
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"no interval within 0 to 1: {self.low} to {self.high}")

    @property
    def width(self) -> float:
        """Upper less lower bound, in [0, 1]."""
        return self.high - self.low


def bounds(interval: Interval | Undefined) -> tuple[float, float]:
    """Both bounds as floats, for tables; NaN where there is no interval."""
    return (float("nan"), float("nan")) if isinstance(interval, Undefined) else (interval.low, interval.high)
