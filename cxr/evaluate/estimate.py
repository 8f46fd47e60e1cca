"""A figure together with how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

from cxr.evaluate.bootstrap import BootstrapInterval
from cxr.evaluate.interval import Interval, bounds
from cxr.evaluate.undefined import Undefined, as_float


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Args:
        value: in [0, 1].
        bootstrap: its interval, by patient.
    """

    value: float | Undefined
    bootstrap: BootstrapInterval

    @property
    def interval(self) -> Interval | Undefined:
        """The interval, or why there is none."""
        return self.bootstrap.interval

    def columns(self, name: str) -> dict[str, float]:
        """The figure and its bounds under their names in tables: NAME, NAME_low, NAME_high; NaN where undefined."""
        low, high = bounds(self.interval)
        return {name: as_float(self.value), f"{name}_low": low, f"{name}_high": high}
