"""Figures that are one sum over images divided by another: means, sensitivities, predictive values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Ratio:
    """A figure on resamples of the patients; see `cxr.evaluate.bootstrap.Figure`.

    Args:
        numerator: float64 [patients], each patient's share of the sum above.
        denominator: float64 [patients], at least 0, of the sum below.
    """

    numerator: npt.NDArray[np.float64]
    denominator: npt.NDArray[np.float64]

    def __call__(self, counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The ratio on each resample, float64 [resamples]; NaN where the sum below is 0."""
        above, below = self.numerator @ counts, self.denominator @ counts
        ratios = np.full(len(below), np.nan)
        np.divide(above, below, out=ratios, where=below > 0)
        return ratios


def ratio_by_patient(
    above: npt.NDArray[np.float64], below: npt.NDArray[np.float64], patients: npt.NDArray[np.int64], count: int
) -> Ratio:
    """A ratio from each image's share of both sums, float64 [images].

    Args:
        above: of the sum above.
        below: of the sum below, at least 0.
        patients: int64 [images], the patient of each image, from 0.
        count: number of patients.
    """
    return Ratio(*(np.bincount(patients, weights=values, minlength=count).astype(np.float64) for values in (above, below)))
