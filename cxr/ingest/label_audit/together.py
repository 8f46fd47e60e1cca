"""Which findings are positive together, counted for all pairs of labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxr.ingest.label_audit.bits import Table, count_common
from cxr.labels.label_set import LabelSet
from cxr.labels.values import POSITIVE

LEAST_TOGETHER = 10
"""Images that two labels share before they are called a strong pair."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """Two labels that are often positive together.

    Args:
        first, second: their names, in the order of the label set.
        together: images in which both are positive.
        of_first, of_second: images in which the one is.
    """

    first: str
    second: str
    together: int
    of_first: int
    of_second: int

    @property
    def overlap(self) -> float:
        """Images with both among those with either (Jaccard's index), 0 to 1."""
        return self.together / (self.of_first + self.of_second - self.together)


def count_together(table: Table) -> Counts:
    """Images in which two labels are both positive.

    Returns:
        int64 [labels, labels], symmetric; the diagonal has the positives of each label.
    """
    positive = table.has(POSITIVE)
    return count_common(positive, positive)


def strongest_pairs(counted: Counts, labels: LabelSet, most: int) -> list[Pair]:
    """The pairs that overlap most, of labels none of which is above the other: that those go together says nothing.

    Args:
        counted: of `count_together`.
        labels: the label set.
        most: how many pairs are given.
    """
    wanted = np.triu(counted >= LEAST_TOGETHER, 1)
    places = {name: place for place, name in enumerate(labels.names)}
    for label in labels.labels:
        for above in labels.lineage(label):
            wanted[tuple(sorted((places[label.name], places[above])))] = False
    sizes = np.diag(counted)
    pairs = [
        Pair(labels.names[i], labels.names[j], int(counted[i, j]), int(sizes[i]), int(sizes[j])) for i, j in np.argwhere(wanted)
    ]
    return sorted(pairs, key=lambda pair: (-pair.overlap, -pair.together))[:most]
