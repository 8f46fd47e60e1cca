"""The bootstrap by patient: AUROC of all labels on resamples of the patients, and percentile intervals from them.

Images of one patient are not independent, so patients are drawn, with replacement, and every image counts as often as
its patient was drawn (a cluster bootstrap; Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x). The draws are
shared by all labels, so that figures over several labels, such as their mean, can be resampled too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from cxr.evaluate.cells import Cells
from cxr.evaluate.interval import Interval
from cxr.evaluate.undefined import Undefined

_BLOCK_CELLS = 2**19
"""Patients times resamples held at once: 4 MiB of float64, near the size of a cache."""


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
    """A percentile interval, and how many resamples it had to leave out.

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
    binned = [_bin_label(cells, label) for label in range(len(cells.label_names))]
    return resample([label.aurocs for label in binned], cells.patient_count, resamples, seed)


def percentile_interval(samples: npt.NDArray[np.float64], confidence: float) -> BootstrapInterval:
    """The percentile interval of resampled figures.

    Args:
        samples: float64 [resamples] in [0, 1]; NaN where the resample failed.
        confidence: level of the interval, in (0, 1).

    Returns:
        The interval between the (1 - confidence) / 2 and (1 + confidence) / 2 quantiles of the usable resamples. It is
        undefined where fewer than half are usable, and where all agree: that says nothing about the patients not seen.
    """
    usable = samples[~np.isnan(samples)]
    failed = len(samples) - len(usable)
    if 2 * len(usable) < len(samples) or not len(usable):
        return BootstrapInterval(Undefined(f"{failed} of {len(samples)} resamples failed"), failed)
    low, high = np.quantile(usable, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    if low == high:
        return BootstrapInterval(Undefined(f"resamples do not vary: all give {low:.3f}"), failed)
    return BootstrapInterval(Interval(low, high), failed)


@dataclass(frozen=True, eq=False)
class _BinnedLabel:
    """One label's images, counted by bin and patient.

    The distinct scores u_1 < ... < u_m of the positives cut the score axis into 2 m + 1 bins: below u_1, at u_1,
    between u_1 and u_2, at u_2, ..., above u_m. Positives lie in the bins "at" alone, so only these are kept.

    Args:
        positives: sparse float64 [m, patients].
        negatives: sparse float64 [2 m + 1, patients].
    """

    positives: Any
    negatives: Any

    def aurocs(self, counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """AUROC for counts, float64 [patients, resamples], as float64 [resamples]; NaN without positives or negatives.

        The Mann-Whitney statistic: each positive counts the negatives below it, and half of those level with it. All
        sums are whole or half numbers, exact in float64.
        """
        positives: npt.NDArray[np.float64] = self.positives @ counts
        up_to = np.cumsum(self.negatives @ counts, axis=0)
        below, up_to_level = up_to[0:-1:2], up_to[1::2]
        wins = np.einsum("mr,mr->r", positives, below + up_to_level) / 2
        pairs = positives.sum(axis=0) * up_to[-1]
        aurocs = np.full(len(pairs), np.nan)
        np.divide(wins, pairs, out=aurocs, where=pairs > 0)
        return aurocs


def _bin_label(cells: Cells, label: int) -> _BinnedLabel:
    truth, scores = cells.truth[:, label], cells.scores[:, label]
    positive, negative = truth == 1, truth == 0
    cuts, level = np.unique(scores[positive], return_inverse=True)
    below = np.searchsorted(cuts, scores[negative], side="left")
    up_to = np.searchsorted(cuts, scores[negative], side="right")
    return _BinnedLabel(
        positives=_count(level, cells.patients[positive], len(cuts), cells.patient_count),
        negatives=_count(below + up_to, cells.patients[negative], 2 * len(cuts) + 1, cells.patient_count),
    )


def _count(bins: npt.NDArray[np.intp], patients: npt.NDArray[np.int64], height: int, width: int) -> Any:
    """Sparse float64 [height, width]: how many images lie in each bin and belong to each patient."""
    return csr_array((np.ones(len(bins)), (bins, patients)), shape=(height, width))
