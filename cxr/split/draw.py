"""Drawing a split: whole persons, each label's share alike on all sides, rare labels first; see `cxr.split.stratify`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from cxr.manifest import Manifest
from cxr.split.people import People
from cxr.split.split import Split, split_of
from cxr.split.stratify import group_counts, stratify

Rows = npt.NDArray[np.int64]


def drawn_split(manifest: Manifest, people: People, shares: Mapping[str, float], seed: int) -> Split:
    """A split drawn at once for all sides.

    Args:
        manifest: the images.
        people: theirs.
        shares: of the images for each side; the sum is 1.
        seed: of the draw.

    Raises:
        DataError: there are too few persons.
    """
    return split_of(manifest, divide(manifest, people, np.arange(len(manifest)), shares, seed))


def folded_split(manifest: Manifest, people: People, folds: int, fold: int, val_fraction: float, seed: int) -> Split:
    """A split of a cross-validation: one fold is the test set, validation is drawn from the others.

    The folds depend on their number and the seed alone, so that every image is in the test set of exactly one of them.

    Args:
        manifest: the images.
        people: theirs.
        folds: how many there are.
        fold: which of them is the test set, from 0.
        val_fraction: share of all images for validation.
        seed: of the draw.

    Raises:
        DataError: there are too few persons.
    """
    everything = np.arange(len(manifest))
    names = {str(number): 1 / folds for number in range(folds)}
    sides = np.where(divide(manifest, people, everything, names, seed) == str(fold), "test", "train").astype(object)
    rest = np.flatnonzero(sides == "train")
    val = val_fraction / (1 - 1 / folds)
    sides[rest] = divide(manifest, people, rest, {"train": 1 - val, "val": val}, seed)
    return split_of(manifest, sides)


def divide(manifest: Manifest, people: People, rows: Rows, shares: Mapping[str, float], seed: int) -> npt.NDArray[np.object_]:
    """The side of some images.

    Args:
        manifest: the images.
        people: theirs.
        rows: int64, the images to divide; with an image come all of its person's that are among them.
        shares: of these images for each side; the sum is 1.
        seed: of the draw.

    Returns:
        text [rows]

    Raises:
        DataError: there are fewer persons than sides.
    """
    # by the names of the images, so that a draw does not depend on the order of the rows
    order = rows[np.argsort(manifest.frame["image_id"].to_numpy(str)[rows], kind="stable")]
    groups = _in_order(people.of_image[order])
    counts = group_counts(groups, manifest.label_codes()[order])
    counts = np.column_stack([counts, np.ones(len(counts), np.int64)])  # persons are shared out as images are
    found = stratify(counts, np.array(list(shares.values())), seed)
    sides = np.empty(len(manifest), object)
    sides[order] = np.array(list(shares), object)[found[groups]]
    return sides[rows]


def _in_order(groups: Rows) -> Rows:
    """Groups numbered by their first row."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
