"""The groups of one column as the bootstrap sees them: counts and AUROC of each, on resamples of all patients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from cxr.evaluate.auroc import auroc
from cxr.evaluate.cells import Cells
from cxr.evaluate.ranking import Ranking, rank_label
from cxr.evaluate.undefined import Undefined, undefined_because
from cxr.evaluate.units import MIXED
from cxr.predictions import NOT_TOLD

FEWEST_PATIENTS = 10
"""Patients with the finding, and without it, that a group needs to be compared with others."""
NO_GROUP = (MIXED, NOT_TOLD)
"""Names that stand for images of no group or of several: shown, but compared with nothing."""
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """One label in one group.

    Args:
        column, name, label: what the figures are of.
        images: images of the group, known or not.
        positives: images of the group with the finding.
        negatives: images of the group known to be without it.
        patients: patients with a known image in the group.
        patients_positive: patients with a positive image in the group.
        patients_negative: patients with a negative image in the group; one with both kinds counts in both.
        auroc: in [0, 1].
    """

    column: str
    name: str
    label: str
    images: int
    positives: int
    negatives: int
    patients: int
    patients_positive: int
    patients_negative: int
    auroc: float | Undefined

    @property
    def left_out(self) -> str:
        """Why the group takes no part in the gap; empty where it does."""
        if self.name in NO_GROUP:
            return f"{self.name}: no group of its own"
        for side, patients in (("with", self.patients_positive), ("without", self.patients_negative)):
            if patients < FEWEST_PATIENTS:
                return f"too few to compare: {patients} patients {side} the finding"
        return ""


@dataclass(frozen=True, eq=False)
class Strata:
    """The groups of one column, for one label.

    Args:
        groups: their counts and figures.
        rankings: of the groups, over the patients of the whole set.
        positives, negatives: sparse float64 [groups, patients], images of each group and patient.
        proper: bool [groups], whether it is a group of its own: neither unknown nor mixed.
        pooled: AUROC over the images of proper groups.
    """

    groups: tuple[Group, ...]
    rankings: tuple[Ranking, ...]
    positives: Any
    negatives: Any
    proper: npt.NDArray[np.bool_]
    pooled: float | Undefined

    def resample(self, counts: _Floats) -> _Floats:
        """AUROC of each group, then AUROC within groups, on resamples.

        Args:
            counts: float64 [patients, resamples], how often each patient was drawn.

        Returns:
            float64 [groups + 1, resamples]; NaN where undefined.
        """
        aurocs = np.stack([ranking.aurocs(counts) for ranking in self.rankings])
        return np.vstack([aurocs, self.within(aurocs, (self.positives @ counts) * (self.negatives @ counts))])

    def within(self, aurocs: _Floats, pairs: _Floats) -> _Floats:
        """AUROC within proper groups, float64 [n], from those of all groups and their pairs, float64 [groups, n]."""
        weights = pairs[self.proper]
        won, total = (weights * np.nan_to_num(aurocs[self.proper])).sum(axis=0), weights.sum(axis=0)
        within = np.full(len(total), np.nan)
        np.divide(won, total, out=within, where=total > 0)
        return within


@dataclass(frozen=True, eq=False)
class Partition:
    """The images by the groups of a column.

    Args:
        column: its name.
        names: of the groups; those that are no group of their own come last.
        members: bool [groups, images].
    """

    column: str
    names: tuple[str, ...]
    members: npt.NDArray[np.bool_]

    @property
    def proper(self) -> npt.NDArray[np.bool_]:
        """bool [groups]: whether it is a group of its own: neither unknown nor mixed."""
        return np.array([name not in NO_GROUP for name in self.names])


def partition_by(groups: pd.Series[str]) -> Partition:
    """The partition of a column: texts, one per image."""
    codes, kinds = pd.factorize(groups)
    order = sorted(range(len(kinds)), key=lambda code: (kinds[code] in NO_GROUP, kinds[code]))
    members = np.stack([codes == code for code in order])
    return Partition(str(groups.name), tuple(str(kinds[code]) for code in order), members)


def stratify(cells: Cells, partition: Partition, label: int) -> Strata:
    """The groups of a column for the label at this position."""
    known = partition.members[partition.proper].any(axis=0)
    rankings = tuple(rank_label(_only(cells, label, rows), 0) for rows in partition.members)
    members = zip(partition.names, partition.members, rankings, strict=True)
    return Strata(
        groups=tuple(_group(cells, label, partition.column, name, rows, ranking) for name, rows, ranking in members),
        rankings=rankings,
        positives=csr_array(np.stack([ranking.positive_images for ranking in rankings])),
        negatives=csr_array(np.stack([ranking.negative_images for ranking in rankings])),
        proper=partition.proper,
        pooled=auroc(cells.truth[known, label], cells.scores[known, label]),
    )


def _only(cells: Cells, label: int, rows: npt.NDArray[np.bool_]) -> Cells:
    """One label, with the images outside `rows` not evaluated, so that the patients keep their numbers."""
    truth = np.where(rows, cells.truth[:, label], np.float32("nan"))[:, np.newaxis]
    columns = slice(label, label + 1)
    return replace(
        cells,
        label_names=cells.label_names[columns],
        truth=truth,
        scores=cells.scores[:, columns],
        uncertain=cells.uncertain[:, columns],
    )


def _group(cells: Cells, label: int, column: str, name: str, rows: npt.NDArray[np.bool_], ranking: Ranking) -> Group:
    with_finding, without = ranking.positive_images, ranking.negative_images
    # every patient drawn once; a fifth of the time of ranking the images again
    value = float(ranking.aurocs(np.ones((cells.patient_count, 1)))[0])
    return Group(
        column=column,
        name=name,
        label=cells.label_names[label],
        images=int(rows.sum()),
        positives=int(with_finding.sum()),
        negatives=int(without.sum()),
        patients=int(np.count_nonzero(with_finding + without)),
        patients_positive=int(np.count_nonzero(with_finding)),
        patients_negative=int(np.count_nonzero(without)),
        auroc=undefined_because(cells.truth[rows, label]) or value,
    )
