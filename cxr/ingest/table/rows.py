"""Several rows of one image made one: a row per box, a row per reader. Never of two images.

Rows are brought together by the image's key, wherever they stand in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import DataError
from cxr.ingest.table.layout import TableFormat
from cxr.ingest.table.refuse import listed
from cxr.labels.label_set import LabelSet
from cxr.labels.values import BLANK, NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN, Codes

Numbers = npt.NDArray[np.int64]
_VALUES = (NEGATIVE, POSITIVE, UNCERTAIN)


@dataclass(frozen=True)
class Agreement:
    """How far the readers of the images agree on one label.

    Args:
        name: of the label.
        images: read by two readers at least, each of whom says yes or no.
        agreed: of these, the images on which all readers say the same.
        kappa: Fleiss' kappa over these images, 1 for full agreement, 0 for what chance would give; NaN where all readers
            always say the same one thing.
    """

    name: str
    images: int
    agreed: int
    kappa: float


def refuse_repeats(path: Path, keys: pd.Series[str], rows: Numbers, column: str) -> None:
    """Refuse keys that stand twice or are blank; the message gives rows only, for a key may identify a patient.

    Raises:
        DataError: names the rows.
    """
    if (keys == "").any():
        raise DataError(f"{path}: row {rows[int((keys == '').argmax())]}: {column} names no image")
    again = keys.duplicated()
    if again.any():
        second = int(again.to_numpy().argmax())
        first = int((keys == keys.iloc[second]).to_numpy().argmax())
        more = f"; {int(again.sum())} such rows in all" if again.sum() > 1 else ""
        raise DataError(
            f"{path}: row {rows[second]}: {column} is the same as in row {rows[first]}; an image or study stands once{more}"
        )


def merge_boxes(path: Path, groups: Numbers, rows: Numbers, codes: Codes, names: tuple[str, ...]) -> Codes:
    """What the rows of each group say together: a finding said of one box is said of the image.

    Args:
        path: the table.
        groups: int64 [rows], 0 to G - 1.
        rows: int64 [rows], as a spreadsheet shows them.
        codes: int8 [rows, labels], 0 to 3, or `BLANK`.
        names: of the labels.

    Returns:
        int8 [G, labels]

    Raises:
        DataError: one row of a group says yes and another one no to the same finding; names the rows.
    """
    negative, positive, uncertain = (_counts(groups, codes == value) for value in _VALUES)
    wrong = np.argwhere((negative > 0) & (positive > 0))
    if len(wrong):
        group, label = wrong[0]
        said = rows[(groups == group) & np.isin(codes[:, label], (NEGATIVE, POSITIVE))]
        raise DataError(
            f"{path}: {listed(said.tolist())}: one says yes and another one no to {names[label]}, of the same image"
        )
    merged = np.full(positive.shape, BLANK, np.int8)
    unknown = _counts(groups, codes == UNKNOWN)
    for found, value in ((unknown, UNKNOWN), (negative, NEGATIVE), (uncertain, UNCERTAIN), (positive, POSITIVE)):
        merged[found > 0] = value
    return merged


def merge_readers(groups: Numbers, codes: Codes, labels: LabelSet, layout: TableFormat) -> tuple[Codes, tuple[Agreement, ...]]:
    """What the readers of each image say together.

    A finding that no reader mentions is blank. Otherwise the readers are counted, after the label's policy for blank cells;
    where they decide nothing, the finding is uncertain; where none of them says anything, it is unknown.

    Args:
        groups: int64 [rows], 0 to G - 1: the image of each row.
        codes: int8 [rows, labels], 0 to 3, or `BLANK`: a row is what one reader says of one image.
        labels: the label set.
        layout: says how many must agree.

    Returns:
        int8 [G, labels], and how far the readers agree on each label.
    """
    settled = labels.settle(codes)
    mentioned = _counts(groups, codes != BLANK) > 0
    no, yes, unsure = (_counts(groups, settled == value) for value in _VALUES)
    all_of = np.bincount(groups)[:, None]
    merged = np.where(no + yes + unsure > 0, UNCERTAIN, UNKNOWN).astype(np.int8)
    need = {"majority": 2 * yes > all_of, "unanimous": yes == all_of, "any": yes > 0}[layout.agreement]
    reject = {"majority": 2 * no > all_of, "unanimous": no == all_of, "any": no == all_of}[layout.agreement]
    merged[need], merged[reject] = POSITIVE, NEGATIVE
    agreements = tuple(agreement(name, no[:, index], yes[:, index]) for index, name in enumerate(labels.names))
    return np.where(mentioned, merged, np.int8(BLANK)), agreements


def agreement(name: str, no: Numbers, yes: Numbers) -> Agreement:
    """Agreement of the readers on one label.

    Args:
        name: of the label.
        no, yes: int64 [images], how many readers say so; images with fewer than two of them do not count.

    Returns:
        See there. Kappa is that of Fleiss (Psychological Bulletin 1971), with each image's own number of readers.
    """
    several = no + yes > 1
    no, yes = no[several].astype(np.float64), yes[several].astype(np.float64)
    readers = no + yes
    if not len(readers):
        return Agreement(name, 0, 0, float("nan"))
    observed = float(((no * (no - 1) + yes * (yes - 1)) / (readers * (readers - 1))).mean())
    share = yes.sum() / readers.sum()
    chance = float(share**2 + (1 - share) ** 2)
    kappa = (observed - chance) / (1 - chance) if chance < 1 else float("nan")
    return Agreement(name, len(readers), int(((no == 0) | (yes == 0)).sum()), kappa)


def _counts(groups: Numbers, where: npt.NDArray[np.bool_]) -> Numbers:
    """int64 [G, labels]: rows of each group for which something holds."""
    size = int(groups.max()) + 1
    return np.stack([np.bincount(groups[column], minlength=size) for column in where.T], axis=1)
