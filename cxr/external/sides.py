"""The rows of a table that are evaluated, and those that calibration may be fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cxr.errors import DataError
from cxr.predictions import Predictions

TEST, VALIDATION, TRAINING = "test", "val", "train"
"""The sides of a split."""
_WORDS = {
    **dict.fromkeys(("test", "testing", "tst", "test set", "holdout", "hold-out"), TEST),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "validation set"), VALIDATION),
    **dict.fromkeys(("train", "training", "trn", "training set"), TRAINING),
}
"""What they are called in tables, in small letters."""


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
    return bool((side_of(frame) == TEST).any())


def side_of(frame: pd.DataFrame) -> pd.Series[str]:
    """The side of each row of a prediction table: those of `_WORDS` by the project's names, others as they stand."""
    texts = frame["split"].astype(str).str.strip()
    return texts.str.casefold().map(_WORDS).fillna(texts)


def divide(predictions: Predictions) -> Sides:
    """Of a table whose column `split` has a test side, that is evaluated; of one that names no sides, all rows are.

    Raises:
        DataError: rows of several sides and none of them the test side, rows that a model was trained on alone, or a patient
            who is on the validation and the test side.
    """
    table = Predictions(predictions.frame.assign(split=side_of(predictions.frame)), predictions.label_names, predictions.about)
    if not names_sides(table.frame):
        return Sides(table, None, "table", _without_test(sorted(set(table.frame["split"]))))
    test, validation = table.where(TEST), table.where(VALIDATION)
    left = len(table.frame) - len(test.frame) - len(validation.frame)
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


def _without_test(names: Sequence[str]) -> tuple[str, ...]:
    """What is to be said of rows none of which are of a test side.

    Raises:
        DataError: several sides, or the training side: figures of it would be far too good.
    """
    if len(names) > 1 and {VALIDATION, TRAINING} & set(names):
        raise DataError(
            f"the column 'split' has the sides {', '.join(names)} and none called '{TEST}': say which rows are to be judged "
            f"by calling them '{TEST}', or leave the column out"
        )
    if names == [TRAINING]:
        raise DataError("every row is of the training side, by the column 'split': figures of it would be far too good")
    if names == [VALIDATION]:
        return ("Every row is of the validation side, which a model was chosen on: its figures are somewhat too good.",)
    return (f"The column 'split' was not understood: {', '.join(names)}; all rows are evaluated.",) if len(names) > 1 else ()
