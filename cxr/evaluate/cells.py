"""What is evaluated: scores and truth by image and label, in the label set's order, with the patient of each image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import DataError
from cxr.labels.label_set import LabelSet
from cxr.labels.values import UNCERTAIN
from cxr.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Cells:
    """Scores and truth, ready to be measured.

    Args:
        label_names: the labels, in the order of every matrix.
        truth: float32 [images, labels], each 0, 1 or NaN (not evaluated).
        scores: float64 [images, labels] in [0, 1].
        uncertain: bool [images, labels], true where the cell was read as uncertain, whatever the policy made of it.
        patients: int64 [images], the patient of each image as a whole number from 0; sorted as the patients' names are,
            so that neither the order of rows nor that of labels changes anything drawn by patient.
    """

    label_names: tuple[str, ...]
    truth: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float64]
    uncertain: npt.NDArray[np.bool_]
    patients: npt.NDArray[np.int64]

    @property
    def image_count(self) -> int:
        """Images."""
        return len(self.patients)

    @property
    def patient_count(self) -> int:
        """Patients that the images are of."""
        return int(self.patients.max()) + 1

    def where(self, rows: npt.NDArray[np.bool_]) -> Cells:
        """The images in `rows`, bool [images], at least one; their patients are numbered anew, in the same order."""
        _, patients = np.unique(self.patients[rows], return_inverse=True)
        truth, scores, uncertain = self.truth[rows], self.scores[rows], self.uncertain[rows]
        return Cells(self.label_names, truth, scores, uncertain, patients.astype(np.int64))

    def known(self, label: int) -> npt.NDArray[np.bool_]:
        """bool [images]: whether the image is evaluated for the label at this position."""
        return ~np.isnan(self.truth[:, label])

    def patients_where(self, rows: npt.NDArray[np.bool_]) -> int:
        """How many patients the images in `rows`, bool [images], are of."""
        return len(np.unique(self.patients[rows]))


def align(predictions: Predictions, labels: LabelSet) -> Cells:
    """Match a prediction table to a label set, by name.

    Raises:
        DataError: the table is empty, a label is missing on either side, or a patient or a truth cell is blank.
    """
    _check(predictions, labels)
    order = [predictions.label_names.index(name) for name in labels.names]
    codes = predictions.truth_codes()[:, order]
    patients, _ = pd.factorize(predictions.frame["patient_id"], sort=True)
    return Cells(
        label_names=labels.names,
        truth=labels.truth(codes),
        scores=predictions.scores()[:, order],
        uncertain=codes == UNCERTAIN,
        patients=patients.astype(np.int64),
    )


def _check(predictions: Predictions, labels: LabelSet) -> None:
    if predictions.frame.empty:
        raise DataError("predictions: there is no image to evaluate")
    _refuse_missing(labels.names, predictions.label_names, f"of the label set '{labels.name}'", "the predictions")
    _refuse_missing(predictions.label_names, labels.names, "of the predictions", f"the label set '{labels.name}'")
    # a blank patient would drop out of the resampling, and a blank truth would pass for unknown
    for column in ("patient_id", *predictions.truth_columns):
        blank = predictions.frame[column].isna().to_numpy()
        if blank.any():
            image = predictions.frame["image_id"].iloc[int(np.flatnonzero(blank)[0])]
            raise DataError(f"predictions: image {image}: {column} is blank; {int(blank.sum())} rows in all")


def _refuse_missing(wanted: Iterable[str], present: Iterable[str], owner: str, place: str) -> None:
    missing = [name for name in wanted if name not in set(present)]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        raise DataError(f"evaluate: label {names} {owner} is missing in {place}")
