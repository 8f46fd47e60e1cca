"""Windows, PS3.3 C.11.2.1.2 and C.11.2.1.3."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
Values = npt.NDArray[np.float64]


def usable(center: float, width: float, function: str) -> bool:
    """Whether a window has a meaning: numbers, a known function, and at least width 1 for LINEAR, above 0 else."""
    if not math.isfinite(center) or not math.isfinite(width) or function not in FUNCTIONS:
        return False
    return width >= 1 if function == "LINEAR" else width > 0


def window(values: Values, center: float, width: float, function: str = "LINEAR") -> Values:
    """Display values in [0, 1] of a window.

    Args:
        values: float64, any shape, output of the modality step.
        center: Window Center, in units of `values`.
        width: Window Width, at least 1 for LINEAR, above 0 else.
        function: VOI LUT Function, one of `FUNCTIONS`.
    """
    if function == "SIGMOID":
        with np.errstate(over="ignore"):  # of a very narrow one: its limit is a step
            exponent = np.clip(-4 * ((values - center) / width), -700, 700)
        return np.asarray(1 / (1 + np.exp(exponent)))
    if function == "LINEAR_EXACT":
        with np.errstate(over="ignore"):
            return np.clip((values - center) / width + 0.5, 0, 1)
    if width == 1:  # the formula of LINEAR divides by width - 1; its limit is a step
        return np.asarray(values > center - 0.5, np.float64)
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)
