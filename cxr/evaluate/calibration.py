"""Whether probabilities are what they say: of the images given 30 %, do 30 of a hundred have the finding?

A straight line from the logit of the probability to the logit of the finding (Cox, Biometrika 45:562, 1958) has slope 1 and
intercept 0 where they are. A slope below 1 says that probabilities are too far apart, as after overfitting; an intercept above
0, that the finding is more common than they say (Van Calster et al., BMC Medicine 17:230, 2019). The calibration error looks
at bins of images instead: for a rare finding it is small whatever the positives are given, so it never stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm

from cxr.calibrate.scaling import FLATTEST, fit_line, logits
from cxr.evaluate.interval import Interval
from cxr.evaluate.undefined import Undefined, undefined_because

BINS = 10
"""Bins of a reliability diagram; empty ones are left out, and ties may leave fewer of equal mass."""

_Float = npt.NDArray[np.float64]
_Patients = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Coefficient:
    """Slope or intercept of a logistic regression.

    Args:
        value: any finite number.
        bounds: its interval, or why there is none: normal, with the sandwich variance over patients (Liang and Zeger,
            Biometrika 73:13, 1986), since images of one patient are not independent.
    """

    value: float
    bounds: tuple[float, float] | Undefined


@dataclass(frozen=True)
class ReliabilityBin:
    """Images with similar probabilities.

    Args:
        mean_probability: of these images, in [0, 1].
        images: how many, at least 1.
        positives: how many of them have the finding.
        interval: of the observed share: Wilson's (JASA 22:209, 1927) for as many images as the patients' images are worth
            when images of one patient are alike (Rao and Scott, Biometrics 48:577, 1992).
    """

    mean_probability: float
    images: int
    positives: int
    interval: Interval

    @property
    def observed(self) -> float:
        """Share of the images that has the finding, in [0, 1]."""
        return self.positives / self.images


@dataclass(frozen=True)
class CalibrationFigures:
    """Calibration of one label.

    Args:
        slope: the calibration slope; 1 is good.
        intercept_beside_slope: the intercept of the same line; 0 is good, where the slope is 1.
        intercept: the calibration intercept, calibration in the large: that of the line with slope 1; 0 is good.
        equal_width: bins of one tenth of probability each, lower edge included, rising.
        equal_mass: bins of a tenth of the images each, rising; equal probabilities stay in one bin.
    """

    slope: Coefficient | Undefined
    intercept_beside_slope: Coefficient | Undefined
    intercept: Coefficient
    equal_width: tuple[ReliabilityBin, ...]
    equal_mass: tuple[ReliabilityBin, ...]

    @property
    def ece_equal_width(self) -> float:
        """Expected calibration error: how far off the observed shares of bins of equal width are in the mean, in [0, 1]."""
        return _calibration_error(self.equal_width)

    @property
    def ece_equal_mass(self) -> float:
        """The same over bins of equal mass, in [0, 1]; of a rare finding it tells more, as few bins of equal width fill."""
        return _calibration_error(self.equal_mass)


def measure_calibration(
    truth: npt.NDArray[np.float32], probabilities: _Float, patients: _Patients, confidence: float
) -> CalibrationFigures | Undefined:
    """Measure one label.

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out).
        probabilities: float64 [images] in [0, 1]; for the line those beyond 1e-7 from 0 or 1 are taken as that far.
        patients: int64 [images], the patient of each image, from 0.
        confidence: level of all intervals, in (0, 1).

    Returns:
        The figures, or why there are none: no positives or no negatives.
    """
    nothing = undefined_because(truth)
    if nothing is not None:
        return nothing
    known = ~np.isnan(truth)
    # patients without a known image must not count as patients here
    _, renumbered = np.unique(patients[known], return_inverse=True)
    images = _Images(truth[known] == 1, probabilities[known], renumbered, confidence)
    slope, beside = _line(images)
    return CalibrationFigures(
        slope=slope,
        intercept_beside_slope=beside,
        intercept=_in_the_large(images),
        equal_width=_bins(images, np.minimum(images.probabilities * BINS, BINS - 1).astype(np.int64)),
        equal_mass=_bins(images, _equal_mass(images.probabilities)),
    )


@dataclass(frozen=True, eq=False)
class _Images:
    """The known images of one label: bool [images], float64 [images], int64 [images] from 0 without a gap, and the level."""

    positive: npt.NDArray[np.bool_]
    probabilities: _Float
    patients: _Patients
    confidence: float


def _line(images: _Images) -> tuple[Coefficient | Undefined, Coefficient | Undefined]:
    """Slope and intercept of the regression of the finding on the logit."""
    values = logits(images.probabilities)
    nothing = _no_line(values, images.positive)
    if nothing is not None:
        return nothing, nothing
    line = fit_line(values, images.positive.astype(np.float64))
    fitted = expit(line.slope * values + line.intercept)
    slope, intercept = _coefficients((line.slope, line.intercept), np.stack([values, np.ones_like(values)]), fitted, images)
    return slope, intercept


def _no_line(values: _Float, positive: npt.NDArray[np.bool_]) -> Undefined | None:
    """Why no line has the greatest likelihood (Albert and Anderson, Biometrika 71:1, 1984); None where one has."""
    if values.std() < FLATTEST:
        return Undefined("the probabilities hardly differ")
    positives, negatives = values[positive], values[~positive]
    if positives.min() >= negatives.max() or negatives.min() >= positives.max():
        return Undefined("the probabilities separate positives from negatives")
    return None


def _in_the_large(images: _Images) -> Coefficient:
    values, positives = logits(images.probabilities), int(images.positive.sum())
    # at these bounds every image is given at most, and at least, the observed share
    share = float(logit(positives / len(values)))
    low, high = share - float(values.max()) - 1, share - float(values.min()) + 1
    intercept = float(brentq(lambda shift: float(expit(values + shift).sum()) - positives, low, high, xtol=1e-12))
    (coefficient,) = _coefficients((intercept,), np.ones((1, len(values))), expit(values + intercept), images)
    return coefficient


def _coefficients(estimates: tuple[float, ...], design: _Float, fitted: _Float, images: _Images) -> tuple[Coefficient, ...]:
    """Estimates with their bounds; `design` float64 [coefficients, images], `fitted` float64 [images] in (0, 1)."""
    for kind, patients in (("positives", images.patients[images.positive]), ("negatives", images.patients[~images.positive])):
        if len(np.unique(patients)) == 1:
            return tuple(Coefficient(value, Undefined(f"all {kind} are of one patient")) for value in estimates)
    count = int(images.patients.max()) + 1
    scores = np.stack([np.bincount(images.patients, row * (images.positive - fitted), count) for row in design])
    bread = np.linalg.inv((design * fitted * (1 - fitted)) @ design.T)
    variances = np.diag(bread @ scores @ scores.T @ bread) * count / (count - 1)
    reach = norm.ppf((1 + images.confidence) / 2) * np.sqrt(variances)
    return tuple(Coefficient(v, (v - r, v + r)) for v, r in zip(estimates, reach.tolist(), strict=True))


def _equal_mass(probabilities: _Float) -> npt.NDArray[np.int64]:
    """The bin of each image, int64 [images]: images with the same probability go where the middle one of them belongs."""
    _, level, sizes = np.unique(probabilities, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - sizes / 2
    return np.asarray((BINS * middle / len(probabilities)).astype(np.int64)[level])


def _bins(images: _Images, index: npt.NDArray[np.int64]) -> tuple[ReliabilityBin, ...]:
    return tuple(_bin(images, index == value) for value in np.unique(index))


def _bin(images: _Images, inside: npt.NDArray[np.bool_]) -> ReliabilityBin:
    _, patients = np.unique(images.patients[inside], return_inverse=True)
    positives = np.bincount(patients, images.positive[inside]).astype(np.float64)
    return ReliabilityBin(
        mean_probability=float(images.probabilities[inside].mean()),
        images=int(inside.sum()),
        positives=int(images.positive[inside].sum()),
        interval=_share_interval(np.bincount(patients), positives, images.confidence),
    )


def _share_interval(sizes: npt.NDArray[np.intp], positives: _Float, confidence: float) -> Interval:
    """Of the share of images that has the finding; images and positives of each patient, intp and float64 [patients]."""
    share, worth = float(positives.sum() / sizes.sum()), _worth(sizes, positives)
    squared = float(norm.ppf((1 + confidence) / 2)) ** 2 / worth
    centre = (share + squared / 2) / (1 + squared)
    reach = np.sqrt(squared * (share * (1 - share) + squared / 4)) / (1 + squared)
    return Interval(max(0.0, centre - float(reach)), min(1.0, centre + float(reach)))


def _worth(sizes: npt.NDArray[np.intp], positives: _Float) -> float:
    """How many independent images tell as much of the share: between the images and the patients, or fewer."""
    images, share = float(sizes.sum()), positives.sum() / sizes.sum()
    if share in (0, 1):  # whether images of one patient are alike cannot be seen
        return float(len(sizes))
    variance = ((positives - share * sizes) ** 2).sum() / images**2
    return float(images / max(1.0, images * variance / (share * (1 - share))))


def _calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    off = sum(each.images * abs(each.observed - each.mean_probability) for each in bins)
    return off / sum(each.images for each in bins)
