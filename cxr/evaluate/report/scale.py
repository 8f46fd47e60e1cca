"""The axis on which AUROCs are drawn, the same for all labels and groups of a page."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cxr.evaluate.interval import Interval
from cxr.evaluate.metrics import Evaluation
from cxr.evaluate.undefined import Undefined


@dataclass(frozen=True)
class Scale:
    """The horizontal axis of interval bars.

    Args:
        low: AUROC at the left end, in [0, 0.5); the right end is 1.
        width: of the axis, in SVG units.
    """

    low: float
    width: int = 108

    def x(self, value: float) -> str:
        """Position of an AUROC, in SVG units."""
        return f"{4 + self.share(value) * (self.width - 8):.1f}"

    def share(self, value: float) -> float:
        """Position of an AUROC, 0 at the left end and 1 at the right one."""
        return (value - self.low) / (1 - self.low)


def auroc_scale(evaluation: Evaluation) -> Scale:
    """The axis that holds every label's figure and interval, and with them their mean: from 0.4, or a lower tenth, to 1."""
    figures = [row.auroc for row in evaluation.rows]
    intervals = [row.interval for row in evaluation.rows]
    values = [figure for figure in figures if not isinstance(figure, Undefined)]
    values += [interval.low for interval in intervals if isinstance(interval, Interval)]
    return Scale(math.floor(10 * min(0.4, *values, 1)) / 10)
