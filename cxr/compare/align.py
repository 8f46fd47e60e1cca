"""Two prediction tables brought to the same images and labels, with one truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.compare.agree import agreed_context, refuse_other_split, refuse_other_truth
from cxr.config_evaluate import EvaluateConfig
from cxr.errors import DataError
from cxr.evaluate.cells import Cells, align
from cxr.evaluate.units import combine_units
from cxr.external.ids import Ids, Join, join_ids
from cxr.external.sides import divide
from cxr.labels.label_set import LabelSet
from cxr.predictions import CONTEXT, Predictions


@dataclass(frozen=True, eq=False)
class Pair:
    """Two score sets.

    Args:
        cells: images, studies or patients, with the scores of A.
        other: float64 [images, labels], the scores of B, in the same order.
        images: images that are compared: both tables have them.
        only_a: images that A alone has; they are not compared.
        only_b: images that B alone has.
        left_out: labels of the set that one of the tables does not score, or has no truth of.
        way: how the ids of the images were compared, in words; empty where they are equal as they stand.
    """

    cells: Cells
    other: npt.NDArray[np.float64]
    images: int
    only_a: int
    only_b: int
    left_out: tuple[str, ...]
    way: str


def pair(a: Predictions, b: Predictions, labels: LabelSet, config: EvaluateConfig) -> Pair:
    """Bring two tables to the images and labels that both have.

    Args:
        a: the first table; where it has a side of the split called test, that alone is compared.
        b: the second one, likewise.
        labels: says what an uncertain cell means, and the order of the labels.
        config: what is counted, images or studies or patients.

    Raises:
        DataError: they have no image or no label in common, were made with different splits, or differ in the patient or the
            truth of an image.
    """
    names = tuple(name for name in labels.names if name in a.label_names and name in b.label_names)
    if not names:
        raise DataError(
            f"no label of '{labels.name}' is scored in both tables: A has {_some(a.label_names)}; B has {_some(b.label_names)}"
        )
    first, second = divide(a).test, divide(b).test
    refuse_other_split(a, b)
    join = _join(first.frame, second.frame)
    # by image: sums of floats depend on their order, and that of the rows in a table means nothing
    order = np.argsort(first.frame["image_id"].to_numpy(str)[join.left], kind="stable")
    ours, theirs = _rows(first, join.left[order], names), _rows(second, join.right[order], names)
    refuse_other_truth(ours, theirs)
    frame = agreed_context(ours.frame, theirs.frame, studies=config.unit == "study")
    cells = align(replace(ours, frame=ours.frame.assign(patient_id=frame["patient_id"])), labels.only(names))
    both = (cells, replace(cells, scores=theirs.scores()))
    units = [combine_units(each, frame, frame[[]], config.unit, config.combine).cells for each in both]
    return Pair(
        cells=units[0],
        other=units[1].scores,
        images=len(frame),
        only_a=join.only_left.count,
        only_b=join.only_right.count,
        left_out=tuple(name for name in labels.names if name not in names),
        way=join.way,
    )


def _join(a: pd.DataFrame, b: pd.DataFrame) -> Join:
    sides = [
        Ids(table, "image_id", frame["image_id"].astype("str"), np.arange(1, len(frame) + 1))
        for table, frame in (("A", a), ("B", b))
    ]
    join = join_ids(*sides)
    if join is None:
        examples = " and ".join(f"{ids.table} has '{ids.texts.iloc[0]}'" for ids in sides)
        raise DataError(
            f"the tables have no image in common: {examples}; if these are the wrong columns, say which (--id COLUMN)"
        )
    return join


def _rows(table: Predictions, rows: npt.NDArray[np.int64], names: tuple[str, ...]) -> Predictions:
    """Some rows in this order, with these labels alone, in this order."""
    context = [*CONTEXT, *(["alike"] if "alike" in table.frame else [])]
    cells = [f"{kind}/{name}" for name in names for kind in ("score", "truth")]
    return Predictions(table.frame[[*context, *cells]].iloc[rows].reset_index(drop=True), names, table.about)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
