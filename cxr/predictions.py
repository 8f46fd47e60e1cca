"""The table between prediction and evaluation: one row per image, with the score and the truth of each label.

Columns: `image_id`, `patient_id`, `study_id`, `split`, context (`view`, `sex`, `age_years`, `source_name`), then
`score/<label>` (float64 probability in [0, 1]) and `truth/<label>` (one of `cxr.labels.values.VALUES`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import DataError
from cxr.labels.values import VALUES
from cxr.manifest import Manifest, is_label_column, label_codes, read_table, write_table

SCHEMA_VERSION = 1
CONTEXT = ("image_id", "patient_id", "study_id", "source_name", "split", "view", "sex", "age_years")


@dataclass(frozen=True)
class Predictions:
    """A valid prediction table.

    Args:
        frame: one row per image; see the module's text for the columns.
        label_names: the labels, in the order of every matrix.
        about: where the scores come from, as plain text by key: the model's run, the digests of its data and split.

    Raises:
        DataError: a column is missing, an image stands twice, or a score is outside [0, 1] or not a number.
    """

    frame: pd.DataFrame
    label_names: tuple[str, ...]
    about: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wanted = [*CONTEXT, *self.score_columns, *self.truth_columns]
        missing = [column for column in wanted if column not in self.frame]
        if missing:
            raise DataError(f"predictions: column '{missing[0]}' is missing")
        if self.frame["image_id"].duplicated().any():
            twice = self.frame["image_id"][self.frame["image_id"].duplicated()].iloc[0]
            raise DataError(f"predictions: image {twice} stands twice")
        for column in self.score_columns:
            if not pd.api.types.is_numeric_dtype(self.frame[column]):
                raise DataError(f"predictions: {column} must hold numbers, not {self.frame[column].dtype}")
            bad = ~self.frame[column].between(0, 1).to_numpy()
            if bad.any():
                row = self.frame.iloc[int(np.flatnonzero(bad)[0])]
                raise DataError(f"predictions: image {row['image_id']}: {column} is {row[column]}, not in 0 to 1")
        for column in self.truth_columns:
            if not is_label_column(self.frame[column]):
                raise DataError(f"predictions: {column} must be categorical with the values {', '.join(VALUES)}")
            if self.frame[column].isna().any():
                image = self.frame["image_id"][self.frame[column].isna()].iloc[0]
                raise DataError(f"predictions: image {image}: {column} is none of {', '.join(VALUES)}")

    @property
    def score_columns(self) -> list[str]:
        """The score column of each label."""
        return [f"score/{name}" for name in self.label_names]

    @property
    def truth_columns(self) -> list[str]:
        """The truth column of each label."""
        return [f"truth/{name}" for name in self.label_names]

    def scores(self) -> npt.NDArray[np.float64]:
        """float64 [images, labels] probabilities in [0, 1]."""
        return self.frame[self.score_columns].to_numpy(np.float64)

    def truth_codes(self) -> npt.NDArray[np.int8]:
        """int8 [images, labels] codes, 0 to 3 as in `cxr.labels.values.VALUES`."""
        return label_codes(self.frame, self.truth_columns)

    def where(self, split: str) -> Predictions:
        """The rows of one split, in their order."""
        frame = self.frame[self.frame["split"] == split].reset_index(drop=True)
        return Predictions(frame, self.label_names, self.about)

    def write(self, path: Path) -> None:
        """Write as Parquet."""
        metadata = {"predictions": SCHEMA_VERSION, "labels": list(self.label_names), "about": self.about}
        write_table(self.frame, path, metadata)


def join_predictions(manifest: Manifest, scores: npt.NDArray[np.float64], about: dict[str, str]) -> Predictions:
    """The prediction table of a manifest's images.

    Args:
        manifest: the images, with a `split` column.
        scores: float64 [images, labels] probabilities, rows and labels in the manifest's order.
        about: see `Predictions`.
    """
    frame = manifest.frame.loc[:, list(CONTEXT)].copy()
    for index, name in enumerate(manifest.label_names):
        frame[f"score/{name}"] = scores[:, index]
        frame[f"truth/{name}"] = manifest.frame[name]
    return Predictions(frame, manifest.label_names, about)


def read_predictions(path: Path) -> Predictions:
    """Read and check a prediction table.

    Raises:
        DataError: no prediction table, one of another schema version, or one that breaks the schema.
    """
    frame, metadata = read_table(path)
    if metadata.get("predictions") != SCHEMA_VERSION:
        raise DataError(f"{path}: not a prediction table of schema version {SCHEMA_VERSION}")
    return Predictions(frame, tuple(metadata["labels"]), dict(metadata["about"]))
