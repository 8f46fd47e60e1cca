"""The table that every stage passes on: one row per image, with its identity, place, provenance, clinical context, labels.

A `Manifest` cannot hold an invalid table: it is checked when it is made, and the error names row and column. It is
stored as Parquet, with the schema's version and the label names in the file's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cxr.errors import DataError
from cxr.labels.values import VALUES, Codes

SCHEMA_VERSION = 3
LABEL_DTYPE = pd.CategoricalDtype(list(VALUES))
VIEWS = ("PA", "AP", "LATERAL", "unknown")
SEXES = ("F", "M", "O", "unknown")
SPLITS = ("train", "val", "test")

TEXT_COLUMNS = (
    "image_id",
    "patient_id",
    "study_id",
    "source",
    "source_name",
    "study_uid",
    "instance_uid",
    "study_date",
    "source_sha256",
    "pixel_sha256",
    "perceptual_hash",
    "alike",
    "manufacturer",
    "decisions",
)
_PLACE = ("shard", "row")
_WHOLE = (*_PLACE, "height", "width")
_CHOICES = {"view": VIEWS, "sex": SEXES}
COLUMNS = (*TEXT_COLUMNS, *_WHOLE, *_CHOICES, "age_years")
"""The columns every manifest has, beside one per label; `split` joins them once the split stage has run.

* image_id: pseudonym of the image, from its pixels and its name in the source
* patient_id, study_id: pseudonyms; source: the name of the source
* source_name: the file's name where the source is public, else a pseudonym
* study_uid, instance_uid: DICOM UIDs in the place of the source's own; empty where it has none
* study_date: ISO 8601, moved by a number of days that is the same for all images of a patient; empty where not known
* source_sha256: of the file as it was read; pixel_sha256: of its grey values at full resolution; perceptual_hash: see
  `cxr.perceptual`, empty for an image without structure. All empty for an image that only a table lists
* alike: the first image of the manifest that shows the same picture; empty for an image like no other
* decisions: JSON, what was decided on the pixels
* shard, row: the place in the image store, -1 for an image that only a table lists
* height, width: of the source image, in pixels; 0 for an image that only a table lists
* age_years: 0 to 90, NaN where not known; ages over 89 are 90
"""
_METADATA_KEY = b"cxr.table"


@dataclass(frozen=True)
class Manifest:
    """A valid manifest.

    Args:
        frame: one row per image; see `COLUMNS`; one categorical column (`LABEL_DTYPE`) per label.
        label_names: the label columns, in the order of the label set.
        origin: SHA-256 of the label table and of what says how it is read, by what they are; empty without a table.

    Raises:
        DataError: the table breaks the schema.
    """

    frame: pd.DataFrame
    label_names: tuple[str, ...]
    origin: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        validate(self.frame, self.label_names)

    def __len__(self) -> int:
        return len(self.frame)

    def label_codes(self, names: Sequence[str] | None = None) -> npt.NDArray[np.int8]:
        """Codes of the label cells.

        Args:
            names: the labels, in the order wanted; the manifest's own by default.

        Returns:
            int8 [images, labels], 0 to 3 as in `cxr.labels.values.VALUES`.

        Raises:
            DataError: the manifest does not have a label.
        """
        missing = sorted(set(names or ()) - set(self.label_names))
        if missing:
            raise DataError(f"the manifest has no label '{missing[0]}'; its labels are {', '.join(self.label_names)}")
        return label_codes(self.frame, self.label_names if names is None else names)

    def where(self, split: str) -> Manifest:
        """The rows of one split, in their order."""
        return replace(self, frame=self.frame[self.frame["split"] == split].reset_index(drop=True))

    def write(self, path: Path) -> None:
        """Write as Parquet."""
        header = {"manifest": SCHEMA_VERSION, "labels": list(self.label_names), "origin": dict(self.origin)}
        write_table(self.frame, path, header)


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises:
        DataError: no manifest, one of another schema version, or one that breaks the schema.
    """
    frame, metadata = read_table(path)
    if metadata.get("manifest") != SCHEMA_VERSION:
        raise DataError(f"{path}: not a manifest of schema version {SCHEMA_VERSION}: {metadata.get('manifest')}")
    return Manifest(frame, tuple(metadata["labels"]), metadata["origin"])


def label_codes(frame: pd.DataFrame, columns: Sequence[str]) -> npt.NDArray[np.int8]:
    """int8 [rows, columns] codes of categorical label columns, 0 to 3 as in `cxr.labels.values.VALUES`."""
    codes = [frame[column].cat.codes.to_numpy(np.int8) for column in columns]
    return np.stack(codes, axis=1) if codes else np.zeros((len(frame), 0), np.int8)


def label_column(codes: npt.ArrayLike) -> pd.Categorical:
    """A label column from int8 [rows] codes, 0 to 3."""
    return pd.Categorical.from_codes(np.asarray(codes, np.int8), dtype=LABEL_DTYPE)


def labelled(frame: pd.DataFrame, codes: Codes, names: Sequence[str]) -> Manifest:
    """A manifest from its columns and the label cells.

    Args:
        frame: see `COLUMNS`.
        codes: int8 [images, labels], 0 to 3.
        names: of the labels.
    """
    columns = {name: label_column(codes[:, index]) for index, name in enumerate(names)}
    return Manifest(frame.assign(**columns), tuple(names))


def is_label_column(column: pd.Series[Any]) -> bool:
    """Whether a column holds label values with their codes; equal categorical types may still differ in their codes."""
    return column.dtype == LABEL_DTYPE and list(column.cat.categories) == list(VALUES)


def refuse_column_names(label_names: Sequence[str]) -> None:
    """Refuse labels that would hide a column of the manifest.

    Raises:
        DataError: names the first.
    """
    clash = sorted(set(label_names) & {*COLUMNS, "split"})
    if clash:
        raise DataError(f"manifest: label '{clash[0]}' has the name of a manifest column; rename the label")


def validate(frame: pd.DataFrame, label_names: Sequence[str]) -> None:
    """Check a table against the manifest's schema.

    Raises:
        DataError: names the first offending column and row.
    """
    refuse_column_names(label_names)
    missing = [column for column in (*COLUMNS, *label_names) if column not in frame]
    if missing:
        raise DataError(f"manifest: column '{missing[0]}' is missing")
    for column in TEXT_COLUMNS:
        _refuse(frame, frame[column].isna(), column, "is empty")
    for column in ("image_id", "patient_id", "study_id"):
        _refuse(frame, frame[column] == "", column, "is empty")
    for column in _WHOLE:
        if not pd.api.types.is_integer_dtype(frame[column]):
            raise DataError(f"manifest: column '{column}' must hold whole numbers, not {frame[column].dtype}")
        _refuse(frame, frame[column] < (-1 if column in _PLACE else 0), column, "is negative")
    _refuse(frame, (frame["shard"] < 0) != (frame["row"] < 0), "row", "is of an image with half a place")
    for column, choices in _CHOICES.items():
        _refuse(frame, ~frame[column].isin(choices), column, f"is none of {', '.join(choices)}")
    _refuse(frame, (frame["age_years"] < 0) | (frame["age_years"] > 90), "age_years", "is outside 0 to 90")
    if "split" in frame:
        _refuse(frame, ~frame["split"].isin(SPLITS), "split", f"is none of {', '.join(SPLITS)}")
        for column in ("patient_id", "pixel_sha256"):
            leaking = (frame.groupby(column)["split"].transform("nunique") > 1) & (frame[column] != "")
            _refuse(frame, leaking, column, "stands on more than one side of the split")
    _refuse(frame, frame["image_id"].duplicated(), "image_id", "stands twice")
    for name in label_names:
        if not is_label_column(frame[name]):
            raise DataError(f"manifest: label '{name}' must be categorical with the values {', '.join(VALUES)}")
        _refuse(frame, frame[name].isna(), name, f"is none of {', '.join(VALUES)}")


def _refuse(frame: pd.DataFrame, wrong: pd.Series[bool], column: str, problem: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong.to_numpy())[0])
        count = int(wrong.sum())
        raise DataError(
            f"manifest: row {row} (image {frame['image_id'].iloc[row]}): {column} '{frame[column].iloc[row]}' {problem}"
            + (f"; {count} rows in all" if count > 1 else "")
        )


def write_table(frame: pd.DataFrame, path: Path, metadata: dict[str, object]) -> None:
    """Write a Parquet table whose bytes depend on its content alone, with `metadata` as JSON in its header."""
    table = pa.Table.from_pandas(frame.reset_index(drop=True), preserve_index=False)
    header = {**(table.schema.metadata or {}), _METADATA_KEY: json.dumps(metadata, sort_keys=True).encode()}
    pq.write_table(table.replace_schema_metadata(header), path, compression="zstd")


def read_table(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a table that `write_table` wrote, with its metadata.

    Raises:
        DataError: the file is missing, or no Parquet file of this project.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: cannot be read as a Parquet table: {str(error).splitlines()[0]}") from error
    header = (table.schema.metadata or {}).get(_METADATA_KEY)
    if header is None:
        raise DataError(f"{path}: a Parquet table, but not one written by cxr")
    return table.to_pandas(), json.loads(header)
