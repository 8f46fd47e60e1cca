"""The table between prediction and evaluation: one row per image, with the score and the truth of each label.

Columns: `CONTEXT`, whatever else the manifest tells of an image by which figures may be compared (manufacturer, source, ...),
then `score/<label>` (float64 probability in [0, 1]) and `truth/<label>` (one of `cxr.labels.values.VALUES`).
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
"""The columns that every prediction table has beside scores and truth."""
NOT_TOLD = "unknown"
"""Stands in the context where a table that was made elsewhere does not tell a text."""
_LEFT_BEHIND = {
    *("study_uid", "instance_uid", "study_date", "source_sha256", "pixel_sha256", "perceptual_hash", "decisions"),
    *("shard", "row"),
}
"""Columns of the manifest that say which file an image is and where it lies; dates are moved, so that they group nothing."""


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

    def in_order(self) -> Predictions:
        """The rows sorted by image, so that nothing computed from them depends on how they stood, rounding included."""
        frame = self.frame.sort_values("image_id", kind="stable").reset_index(drop=True)
        return Predictions(frame, self.label_names, self.about)

    @classmethod
    def external(cls, frame: pd.DataFrame, label_names: tuple[str, ...], about: dict[str, str]) -> Predictions:
        """A table that was made elsewhere.

        Args:
            frame: `image_id`, `patient_id`, the scores and the truth; of the other columns those that are told.
            label_names, about: see `Predictions`.

        Returns:
            The table with every column of `CONTEXT`: texts that are not told are `NOT_TOLD`, ages NaN.

        Raises:
            DataError: as `Predictions`.
        """
        identity = ("image_id", "patient_id")
        missing = [column for column in CONTEXT if column not in frame and column not in identity]
        filled = {column: np.nan if column == "age_years" else NOT_TOLD for column in missing}
        return cls(frame.assign(**filled), label_names, about)

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
    context = manifest.frame.loc[:, [*CONTEXT, *_further_context(manifest)]]
    cells: dict[str, object] = {}
    for index, name in enumerate(manifest.label_names):
        cells[f"score/{name}"] = scores[:, index]
        cells[f"truth/{name}"] = manifest.frame[name]
    frame = pd.concat([context, pd.DataFrame(cells, index=context.index)], axis=1)
    return Predictions(frame, manifest.label_names, about)


def _further_context(manifest: Manifest) -> list[str]:
    """Columns beside `CONTEXT` that are neither labels, of the model's or of another one's, nor the place of a file."""
    others = (name for name in manifest.frame.columns if name not in {*CONTEXT, *_LEFT_BEHIND, *manifest.label_names})
    return [name for name in others if not is_label_column(manifest.frame[name])]


def read_predictions(path: Path) -> Predictions:
    """Read and check a prediction table.

    Raises:
        DataError: no prediction table, one of another schema version, or one that breaks the schema.
    """
    frame, metadata = read_table(path)
    if metadata.get("predictions") != SCHEMA_VERSION:
        raise DataError(f"{path}: not a prediction table of schema version {SCHEMA_VERSION}")
    return Predictions(frame, tuple(metadata["labels"]), dict(metadata["about"]))


def about_of(path: Path) -> dict[str, str]:
    """What a prediction table of this project says of where its scores come from; nothing where a file is no such table."""
    try:
        _, metadata = read_table(path)
    except DataError:  # a table of another origin, which may be evaluated as well
        return {}
    return dict(metadata["about"]) if metadata.get("predictions") == SCHEMA_VERSION else {}
