"""The bootstrap by patient: any figures on the same resamples of the patients, and intervals from them.

Images of one patient are not independent, so patients are drawn, with replacement, and every image counts as often as
its patient was drawn (a cluster bootstrap; Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x). The draws are
shared by all figures, so that their mean and their differences can be resampled too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import norm

from cxr.evaluate.cells import Cells
from cxr.evaluate.interval import Interval
from cxr.evaluate.ranking import rank_label
from cxr.evaluate.undefined import Undefined

_BLOCK_CELLS = 2**17
"""Patients times resamples held at once: 1 MiB of float64, near the size of a core's cache."""


class Figure(Protocol):
    """A figure that can be taken on resamples of the patients."""

    def __call__(self, counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The figure on each resample.

        Args:
            counts: float64 [patients, resamples], how often each patient was drawn.

        Returns:
            float64 [resamples]; NaN where the figure is undefined.
        """


@dataclass(frozen=True)
class BootstrapInterval:
    """An interval, and how many resamples it had to leave out.

    Args:
        interval: the interval, or why there is none.
        failed: resamples in which the figure is undefined.
    """

    interval: Interval | Undefined
    failed: int


def patient_counts(patients: int, resamples: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    """How often each patient is drawn, in blocks of resamples.

    Args:
        patients: number of patients, at least 1; each resample draws as many, with replacement.
        resamples: number of resamples over all blocks.
        seed: of `numpy.random.default_rng`.

    Yields:
        float64 [patients, resamples of the block] whole numbers; each column sums to `patients`.
    """
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK_CELLS // patients)
    for start in range(0, resamples, block):
        width = min(block, resamples - start)
        drawn = rng.integers(patients, size=(width, patients))
        cell = drawn * width + np.arange(width)[:, np.newaxis]
        yield np.bincount(cell.ravel(), minlength=patients * width).reshape(patients, width).astype(np.float64)


def resample(figures: Sequence[Figure], patients: int, resamples: int, seed: int) -> npt.NDArray[np.float64]:
    """Several figures on the same resamples of the patients, so that any two of them are paired.

    Returns:
        float64 [resamples, figures]; NaN where a figure is undefined.
    """
    blocks = patient_counts(patients, resamples, seed)
    return np.concatenate([np.stack([figure(counts) for figure in figures], axis=1) for counts in blocks])


def resampled_aurocs(cells: Cells, resamples: int, seed: int) -> npt.NDArray[np.float64]:
    """AUROC of every label on every resample of the patients.

    Returns:
        float64 [resamples, labels] in [0, 1]; NaN where the resample failed: no positive or no negative of the label.
    """
    figures = [rank_label(cells, label).aurocs for label in range(len(cells.label_names))]
    return resample(figures, cells.patient_count, resamples, seed)


def percentile_interval(samples: npt.NDArray[np.float64], confidence: float) -> BootstrapInterval:
    """The percentile interval of resampled figures that lie between 0 and 1.

    Args:
        samples: float64 [resamples] in [0, 1]; NaN where the resample failed.
        confidence: level of the interval, in (0, 1).

    Returns:
        The interval between `percentile_bounds`, or why there is none.
    """
    bounds = percentile_bounds(samples, confidence)
    interval = bounds if isinstance(bounds, Undefined) else Interval(*bounds)
    return BootstrapInterval(interval, int(np.isnan(samples).sum()))


def auroc_interval(value: float | Undefined, samples: npt.NDArray[np.float64], confidence: float) -> BootstrapInterval:
    """The interval of an AUROC, or of a mean of AUROCs: normal on the logit scale, with the spread of the resamples.

    An AUROC cannot pass 1, so resamples of one that is high spread more to its lower side, and their percentiles hold the true
    value too seldom; on the logit scale they spread evenly (Qin and Hotilovac, Statistical Methods in Medical Research
    17:207, 2008, for single images). benchmarks/interval_coverage.py measures both with several images of a patient.

    Args:
        value: the figure, in [0, 1], or why there is none.
        samples: float64 [resamples] in [0, 1]; NaN where the resample failed.
        confidence: level of the interval, in (0, 1).

    Returns:
        expit(logit(v) -+ z s / (v (1 - v))), s the standard deviation of the usable resamples; undefined where
        `percentile_bounds` is, and their interval where v is 0 or 1, which have no logit.
    """
    percentiles = percentile_interval(samples, confidence)
    if isinstance(value, Undefined):
        return BootstrapInterval(value, percentiles.failed)
    if isinstance(percentiles.interval, Undefined) or value in (0, 1):
        return percentiles
    spread = float(np.nanstd(samples, ddof=1)) / (value * (1 - value))
    reach = float(norm.ppf((1 + confidence) / 2)) * spread
    low, high = expit([logit(value) - reach, logit(value) + reach]).tolist()
    return BootstrapInterval(Interval(low, high), percentiles.failed)


def of_one_patient(positive: int, negative: int) -> Undefined | None:
    """Why resamples of the patients show nothing of how patients differ, though there is a figure; None where they do.

    Drawn again and again, one patient agrees with herself: an interval from such resamples would be far too narrow.

    Args:
        positive: patients with a positive image.
        negative: patients with a negative image.
    """
    kind = "positives" if positive == 1 else "negatives" if negative == 1 else ""
    return Undefined(f"all {kind} are of one patient") if kind else None


def percentile_bounds(samples: npt.NDArray[np.float64], confidence: float) -> tuple[float, float] | Undefined:
    """Where the middle share `confidence` of resampled figures lies.

    Args:
        samples: float64 [resamples]; NaN where the resample failed.
        confidence: in (0, 1).

    Returns:
        The (1 - confidence) / 2 and (1 + confidence) / 2 quantiles of the usable resamples. They are undefined where fewer
        than half are usable, and where all agree: that says nothing about the patients not seen.
    """
    usable = samples[~np.isnan(samples)]
    if 2 * len(usable) < len(samples) or not len(usable):
        return Undefined(f"{len(samples) - len(usable)} of {len(samples)} resamples failed")
    low, high = np.quantile(usable, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    if low == high:
        return Undefined(f"resamples do not vary: all give {low:.3f}")
    return low, high
