"""DeLong's variance of AUROCs on the same images, their intervals and their comparison, in a time of n log n.

The variance is that of placements: how many images of the other kind each positive and each negative scores above, ties
counting half (DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595). They are differences of
midranks (Sun and Xu 2014, doi:10.1109/LSP.2014.2337313). Images are taken for independent; where patients have several,
intervals come out too narrow, and the bootstrap by patient is to be preferred.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

from cxr.evaluate.interval import Interval
from cxr.evaluate.undefined import Undefined, undefined_because

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Placements:
    """How the positives and the negatives of one label stand to each other, for several score sets.

    Args:
        of_positives: float64 [positives, score sets], the negatives that each positive scores above, ties counting half.
        of_negatives: float64 [negatives, score sets], the positives that each negative scores above, ties counting half.
    """

    of_positives: _Array
    of_negatives: _Array

    @property
    def aurocs(self) -> _Array:
        """AUROC of each score set, float64 [score sets] in [0, 1]."""
        aurocs: _Array = self.of_positives.sum(axis=0) / (len(self.of_positives) * len(self.of_negatives))
        return aurocs

    def covariance(self) -> _Array | Undefined:
        """Covariance of the AUROCs, float64 [score sets, score sets]; needs two positives and two negatives."""
        positives, negatives = len(self.of_positives), len(self.of_negatives)
        for kind, count in (("positive", positives), ("negative", negatives)):
            if count < 2:
                return Undefined(f"only one {kind}, DeLong's variance needs two")
        # sums of whole and half numbers are exact, so that what does not vary has a variance of exactly 0
        among_positives, among_negatives = _covariance(self.of_positives), _covariance(self.of_negatives)
        return among_positives / negatives**2 / positives + among_negatives / positives**2 / negatives

    def difference(self) -> Placements:
        """The first of two score sets less the second, as if it were one: its variance is that of the difference."""
        return Placements(*(side[:, :1] - side[:, 1:] for side in (self.of_positives, self.of_negatives)))


@dataclass(frozen=True)
class DeLongTest:
    """Two score sets compared on the same images.

    Args:
        z: the difference of the AUROCs, the first less the second, over its standard error.
        p: two-sided, from the normal distribution, in [0, 1].
    """

    z: float
    p: float


def place(truth: npt.NDArray[np.float32], scores: _Array) -> Placements | Undefined:
    """The placements of one label.

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out).
        scores: float64 [images, score sets], any finite values.

    Returns:
        The placements, or why there are none: no positives, or no negatives.
    """
    reason = undefined_because(truth)
    if reason:
        return reason
    positives, negatives = scores[truth == 1], scores[truth == 0]
    ranks = rankdata(np.concatenate([positives, negatives]), axis=0)
    # the rank among all images less that among one's own kind: the images of the other kind that score lower
    return Placements(
        of_positives=ranks[: len(positives)] - rankdata(positives, axis=0),
        of_negatives=ranks[len(positives) :] - rankdata(negatives, axis=0),
    )


def delong_interval(truth: npt.NDArray[np.float32], scores: _Array, confidence: float) -> Interval | Undefined:
    """DeLong's interval of the AUROC of one label: the estimate and as many standard errors to both sides, cut at 0 and 1.

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out).
        scores: float64 [images], any finite values.
        confidence: level of the interval, in (0, 1).

    Returns:
        The interval, or why there is none: fewer than two positives or negatives, or a variance of 0.
    """
    placements = place(truth, scores[:, np.newaxis])
    if isinstance(placements, Undefined):
        return placements
    error = _standard_error(placements)
    if isinstance(error, Undefined):
        return error
    estimate, reach = float(placements.aurocs[0]), float(norm.ppf((1 + confidence) / 2)) * error
    return Interval(max(0.0, estimate - reach), min(1.0, estimate + reach))


def delong_test(truth: npt.NDArray[np.float32], first: _Array, second: _Array) -> DeLongTest | Undefined:
    """DeLong's test of two score sets for one label, on the same images.

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out).
        first: float64 [images], any finite values.
        second: the same, of the other score set.

    Returns:
        The test, or why there is none: fewer than two positives or negatives, or a difference whose variance is 0.
    """
    placements = place(truth, np.stack([first, second], axis=1))
    if isinstance(placements, Undefined):
        return placements
    difference = placements.difference()
    error = _standard_error(difference)
    if isinstance(error, Undefined):
        return error
    z = float(difference.aurocs[0]) / error
    return DeLongTest(z, float(2 * norm.sf(abs(z))))


def _standard_error(placements: Placements) -> float | Undefined:
    """Of the one score set; never 0."""
    covariance = placements.covariance()
    if isinstance(covariance, Undefined):
        return covariance
    variance = float(covariance[0, 0])
    return variance**0.5 if variance > 0 else Undefined("DeLong's variance is 0, the images do not differ in it")


def _covariance(placements: _Array) -> _Array:
    covariance: _Array = np.atleast_2d(np.cov(placements, rowvar=False))
    return covariance
