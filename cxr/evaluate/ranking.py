"""AUROC and average precision on resamples of the patients: a label's images are put into bins once, then only counted.

The distinct scores of the positives, the highest first, are the cuts; ROC and precision change for the better at these
alone. How many images each patient has in each bin is a sparse matrix, and a matrix product counts the bins of a resample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from cxr.evaluate.cells import Cells

_SLICE_CELLS = 2**19
"""Cuts times resamples held at once: 4 MiB of float64."""

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The positives and negatives of a label, counted by cut and patient; its methods are figures (see `Figure`).

    All sums are of whole or half numbers, exact in float64.

    Args:
        positives: sparse float64 [cuts, patients], positives at each cut.
        negatives: sparse float64 [cuts, patients], negatives at or above each cut and below the one before; those below the
            last cut stand nowhere.
        level: sparse float64 [cuts, patients], negatives exactly at each cut.
        positive_images: float64 [patients], all positives.
        negative_images: float64 [patients], all negatives.
    """

    positives: Any
    negatives: Any
    level: Any
    positive_images: npt.NDArray[np.float64]
    negative_images: npt.NDArray[np.float64]

    def aurocs(self, counts: Counts) -> npt.NDArray[np.float64]:
        """AUROC on each resample: the share of pairs in which the positive scores above the negative, ties counting half.

        Args:
            counts: float64 [patients, resamples], whole numbers: how often each patient was drawn.

        Returns:
            float64 [resamples] in [0, 1]; NaN without positives or without negatives.
        """
        return _in_slices(self._aurocs, counts, len(self.negatives.indptr))

    def average_precisions(self, counts: Counts) -> npt.NDArray[np.float64]:
        """Average precision on each resample: the mean over the positives of the precision at their score.

        Args:
            counts: float64 [patients, resamples], whole numbers: how often each patient was drawn.

        Returns:
            float64 [resamples] in [0, 1]; NaN without positives or without negatives.
        """
        return _in_slices(self._average_precisions, counts, len(self.negatives.indptr))

    def _aurocs(self, counts: Counts) -> npt.NDArray[np.float64]:
        positives = self.positives @ counts
        not_below = self.negatives @ counts
        np.cumsum(not_below, axis=0, out=not_below)
        lost = np.einsum("cr,cr->r", positives, not_below)
        if self.level.nnz:
            lost -= np.einsum("cr,cr->r", positives, self.level @ counts) / 2
        pairs = (self.positive_images @ counts) * (self.negative_images @ counts)
        return _ratio(pairs - lost, pairs, pairs > 0)

    def _average_precisions(self, counts: Counts) -> npt.NDArray[np.float64]:
        positives = self.positives @ counts
        true = np.cumsum(positives, axis=0)
        called = self.negatives @ counts
        np.cumsum(called, axis=0, out=called)
        called += true
        # where nothing is called positive nothing is counted either
        true /= np.maximum(called, 1, out=called)
        number = self.positive_images @ counts
        both = (number > 0) & (self.negative_images @ counts > 0)
        return _ratio(np.einsum("cr,cr->r", positives, true), number, both)


def rank_label(cells: Cells, label: int) -> Ranking:
    """The ranking of the label at this position, over its known cells."""
    return _rank(cells.truth[:, label], cells.scores[:, label], cells.patients, cells.patient_count)


def rank_all(cells: Cells) -> Ranking:
    """The ranking of all known cells of all labels together, for the micro average."""
    patients = np.repeat(cells.patients, len(cells.label_names))
    return _rank(cells.truth.ravel(), cells.scores.ravel(), patients, cells.patient_count)


def _rank(
    truth: npt.NDArray[np.float32], scores: npt.NDArray[np.float64], patients: npt.NDArray[np.int64], count: int
) -> Ranking:
    positive, negative = truth == 1, truth == 0
    cuts, place = np.unique(-scores[positive], return_inverse=True)
    first = np.searchsorted(cuts, -scores[negative])
    above_last = first < len(cuts)
    level = above_last.copy()
    level[above_last] = cuts[first[above_last]] == -scores[negative][above_last]
    owners, shape = patients[negative], (len(cuts), count)
    return Ranking(
        positives=_count(place, patients[positive], shape),
        negatives=_count(first[above_last], owners[above_last], shape),
        level=_count(first[level], owners[level], shape),
        positive_images=np.bincount(patients[positive], minlength=count).astype(np.float64),
        negative_images=np.bincount(owners, minlength=count).astype(np.float64),
    )


def _count(cuts: npt.NDArray[np.intp], patients: npt.NDArray[np.int64], shape: tuple[int, int]) -> Any:
    """Sparse float64 of this shape: how many images belong to each cut and patient."""
    return csr_array((np.ones(len(cuts)), (cuts, patients)), shape=shape)


def _in_slices(figure: Callable[[Counts], npt.NDArray[np.float64]], counts: Counts, height: int) -> npt.NDArray[np.float64]:
    """The figure taken on so few resamples at a time that `height` numbers for each of them stay small in memory."""
    width = max(1, _SLICE_CELLS // height)
    return np.concatenate([figure(counts[:, start : start + width]) for start in range(0, counts.shape[1], width)])


def _ratio(
    above: npt.NDArray[np.float64], below: npt.NDArray[np.float64], defined: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    ratios = np.full(len(below), np.nan)
    np.divide(above, below, out=ratios, where=defined)
    return ratios
