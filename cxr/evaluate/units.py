"""What is counted: images, or the studies or patients that they are of, each with one score and one truth per label.

Of the images of a study or patient, for each label:

* score: the mean or the largest score of all its images. Images that show the same picture (the manifest's `alike`) are
  first made one, so that a copy of an image changes nothing; the largest score is the same with or without copies. Where
  nothing tells of copies, the mean is unchanged only if every image is there equally often.
* truth, made of cells to which the label set's policy was applied: positive if any image is positive; else not evaluated if
  any cell is uncertain and the policy leaves such cells out, for then nobody knows; else negative if any image is negative;
  else not evaluated. Cells that say nothing change nothing.
* group (sex, view, ...): that of its images where all agree, else `MIXED`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import DataError
from cxr.evaluate.cells import Cells
from cxr.predictions import NOT_TOLD

Unit = Literal["image", "study", "patient"]
Combine = Literal["mean", "max"]
MIXED = "mixed"
"""The group of a study or patient whose images are of several groups."""
_Floats = npt.NDArray[np.float64]
_Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Units:
    """Studies or patients, in the place of images.

    Args:
        cells: a row per unit, sorted by patient, then study. A cell is uncertain where the unit's truth rests on an uncertain
            cell: one is, and no certain one is positive.
        groups: the groups of each unit, in the same order.
    """

    cells: Cells
    groups: pd.DataFrame


def combine_units(cells: Cells, frame: pd.DataFrame, groups: pd.DataFrame, unit: Unit, combine: Combine) -> Units:
    """Make one row of the images of each study or patient.

    Args:
        cells: of the images.
        frame: of the images, in the same order: `image_id`, `study_id`, and `alike` if there is one; see `cxr.manifest`. A
            study is one of its patient's, so that equal numbers of two patients are two studies.
        groups: texts of the images, in the same order; any columns.
        unit: image: all stays as it is.
        combine: how scores become one.

    Raises:
        DataError: studies are asked for, and an image names none.
    """
    if unit == "image":
        return Units(cells, groups)
    members = _members(cells, frame, unit)
    order, starts = members.order, members.starts
    truth, uncertain = _truth(cells.truth[order], cells.uncertain[order], starts)
    scores = _scores(cells.scores[order], members, combine)
    combined = Cells(cells.label_names, truth, scores, uncertain, cells.patients[order][starts])
    return Units(combined, pd.DataFrame({name: _common(groups[name].iloc[order], starts) for name in groups}))


@dataclass(frozen=True, eq=False)
class _Members:
    """Which images are of one unit: sorted so that they stand together, and copies of one picture beside each other.

    Args:
        order: int64 [images], the images as they are sorted.
        starts: int64 [units], where each unit begins in this order.
        picture_starts: int64 [pictures], where each picture of a unit begins.
    """

    order: _Whole
    starts: _Whole
    picture_starts: _Whole


def _members(cells: Cells, frame: pd.DataFrame, unit: Unit) -> _Members:
    studies = _studies(frame) if unit == "study" else np.zeros(cells.image_count, np.int64)
    images = _codes(frame["image_id"])
    pictures = _codes(frame["alike"].where(frame["alike"] != "", frame["image_id"])) if "alike" in frame else images
    # by picture and not as they stand: sums of floats depend on their order
    order = np.lexsort((images, pictures, studies, cells.patients)).astype(np.int64)
    new_unit = _changes(cells.patients[order]) | _changes(studies[order])
    new_picture = new_unit | _changes(pictures[order])
    return _Members(order, np.flatnonzero(new_unit), np.flatnonzero(new_picture))


def _studies(frame: pd.DataFrame) -> _Whole:
    unnamed = frame["study_id"].isin(["", NOT_TOLD]) | frame["study_id"].isna()
    if unnamed.any():
        image = frame["image_id"].to_numpy()[int(unnamed.to_numpy().argmax())]
        raise DataError(
            f"predictions: image {image}: study_id is not known ({int(unnamed.sum())} rows in all); "
            "add a column study_id, or evaluate images or patients"
        )
    return _codes(frame["study_id"])


def _codes(texts: pd.Series[str]) -> _Whole:
    return pd.factorize(texts, sort=True)[0].astype(np.int64)


def _changes(codes: _Whole) -> npt.NDArray[np.bool_]:
    """bool [rows]: whether a row differs from the one before it; the first one does."""
    return np.concatenate([[True], codes[1:] != codes[:-1]])


def _truth(
    truth: npt.NDArray[np.float32], uncertain: npt.NDArray[np.bool_], starts: _Whole
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Truth and uncertain of units, see the module's text, from those of sorted images."""
    positive, negative = (np.logical_or.reduceat(truth == value, starts) for value in (1, 0))
    doubtful = np.logical_or.reduceat(uncertain, starts)
    left_out = np.logical_or.reduceat(uncertain & np.isnan(truth), starts)
    surely_positive = np.logical_or.reduceat((truth == 1) & ~uncertain, starts)
    combined = np.where(positive, 1.0, np.where(negative & ~left_out, 0.0, np.nan)).astype(np.float32)
    return combined, doubtful & ~surely_positive


def _scores(scores: _Floats, members: _Members, combine: Combine) -> _Floats:
    if combine == "max":
        return np.maximum.reduceat(scores, members.starts)
    pictures = _means(scores, members.picture_starts)
    return _means(pictures, np.searchsorted(members.picture_starts, members.starts))


def _means(values: _Floats, starts: npt.NDArray[np.intp]) -> _Floats:
    """Means of stretches of rows, taken from the least value upwards, so that equal values give just that value."""
    sizes = np.diff(np.append(starts, len(values)))
    least = np.minimum.reduceat(values, starts)
    above = values - np.repeat(least, sizes, axis=0)
    # rounding may lift a mean of ones above 1
    return np.minimum(least + np.add.reduceat(above, starts) / sizes[:, np.newaxis], np.maximum.reduceat(values, starts))


def _common(texts: pd.Series[str], starts: _Whole) -> pd.Series[str]:
    """What all texts of a stretch of rows say, else `MIXED`."""
    codes = _codes(texts)
    agree = np.minimum.reduceat(codes, starts) == np.maximum.reduceat(codes, starts)
    first: pd.Series[str] = texts.iloc[starts].reset_index(drop=True)
    return first.where(agree, MIXED)
