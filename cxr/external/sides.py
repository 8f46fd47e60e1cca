"""The rows of a table that are evaluated, and those that calibration may be fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cxr.errors import DataError
from cxr.predictions import Predictions

TEST, VALIDATION = "test", "val"
"""What the sides of a split are called in a table."""


@dataclass(frozen=True, eq=False)
class Sides:
    """The sides of a table.

    Args:
        test: the rows to evaluate.
        validation: rows of other patients, for calibration and thresholds; None where the table has none.
        name: what was evaluated, in reports: a side of the split, or a table.
        remarks: what was left out, a sentence each.
    """

    test: Predictions
    validation: Predictions | None
    name: str
    remarks: tuple[str, ...]


def names_sides(frame: pd.DataFrame) -> bool:
    """Whether the rows of a prediction table are of a split with a side called test."""
    return bool((frame["split"].astype(str) == TEST).any())


def divide(predictions: Predictions) -> Sides:
    """Of a table whose column `split` has a side called test, that side is evaluated; else all rows are.

    Raises:
        DataError: a patient is both on the side called val and on that called test.
    """
    if not names_sides(predictions.frame):
        return Sides(predictions, None, "table", _mixed(sorted(set(predictions.frame["split"].astype(str)))))
    test, validation = predictions.where(TEST), predictions.where(VALIDATION)
    left = len(predictions.frame) - len(test.frame) - len(validation.frame)
    remarks = (f"{left} rows are neither of the side '{TEST}' nor of '{VALIDATION}', and are left out.",) if left else ()
    if validation.frame.empty:
        return Sides(test, None, TEST, remarks)
    _refuse_both(test.frame, validation.frame)
    return Sides(test, validation, TEST, remarks)


def _refuse_both(test: pd.DataFrame, validation: pd.DataFrame) -> None:
    both = test["patient_id"].isin(validation["patient_id"])
    if both.any():
        image, patients = test.loc[both, "image_id"].iloc[0], test.loc[both, "patient_id"].nunique()
        raise DataError(
            f"the patient of image {image}, of the side '{TEST}', is on the side '{VALIDATION}' as well ({patients} such "
            "patients): thresholds would be chosen on those that they are judged by; divide the table by patient"
        )


def _mixed(names: Sequence[str]) -> tuple[str, ...]:
    """A warning where rows of several sides, none of them called test, are evaluated together."""
    if len(names) < 2:
        return ()
    return (f"Rows of several sides of a split are evaluated together: {', '.join(names)}.",)
