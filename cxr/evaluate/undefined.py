"""A figure that cannot be computed says why; it never becomes 0 or a NaN that travels on in silence."""

from __future__ import annotations

from dataclasses import dataclass


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


def as_float(figure: float | Undefined) -> float:
    """The figure as a float; NaN where it is undefined. For tables whose rows carry the reason beside it."""
    return float("nan") if isinstance(figure, Undefined) else figure
