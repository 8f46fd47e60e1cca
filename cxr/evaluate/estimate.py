"""A figure together with how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

from cxr.evaluate.bootstrap import BootstrapInterval
from cxr.evaluate.interval import Interval
from cxr.evaluate.undefined import Undefined


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
