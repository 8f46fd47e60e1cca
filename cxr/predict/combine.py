"""The scores of the images of a study or patient made one, as `cxr.evaluate.units` does it for whole tables."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cxr.config_evaluate import Combine


def combine(scores: npt.NDArray[np.float64], how: Combine) -> npt.NDArray[np.float64]:
    """One row of float64 [images, labels]: their mean or their largest."""
    largest: npt.NDArray[np.float64] = scores.max(axis=0)
    # taken from the least value upwards, so that equal values give just that value
    least = scores.min(axis=0)
    mean: npt.NDArray[np.float64] = np.minimum(least + (scores - least).mean(axis=0), largest)
    return largest if how == "max" else mean
