"""Train, validation and test: a `Split` cannot hold one patient, nor one image, on two sides."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import DataError
from cxr.manifest import SPLITS, Manifest

COLUMNS = ("image_id", "patient_id", "pixel_sha256", "alike", "split")


@dataclass(frozen=True)
class Split:
    """The side of each image.

    Args:
        frame: columns `COLUMNS`, one row per image: `pixel_sha256` and `alike` as in the manifest, empty for an image that
            was not read, and that is like no other; `split` is "train", "val" or "test".

    Raises:
        DataError: a patient, or the same picture under two patients, stands on two sides; names the patients. Or a side is
            empty, an image stands twice or on none of the three, or a cell is missing.
    """

    frame: pd.DataFrame

    def __post_init__(self) -> None:
        missing = self.frame[list(COLUMNS)].isna().any()
        if missing.any():
            raise DataError(f"split: an image has no {missing.idxmax()}")
        if self.frame["image_id"].duplicated().any():
            raise DataError("split: an image stands twice")
        if not self.frame["split"].isin(SPLITS).all():
            raise DataError(f"split: an image stands on none of the sides {', '.join(SPLITS)}")
        self._refuse_leak("patient_id", "patients stand on more than one side")
        self._refuse_leak("pixel_sha256", "patients share an image with another side")
        self._refuse_leak("alike", "patients have a picture that looks like one on another side (see split.alike)")
        empty = [side for side in SPLITS if not (self.frame["split"] == side).any()]
        if empty:
            raise DataError(f"split: no image in '{empty[0]}': too few patients for the fractions asked for")

    def _refuse_leak(self, column: str, problem: str) -> None:
        told = self.frame[self.frame[column] != ""]
        sides = told.groupby(column, sort=False)["split"].nunique()
        leaking = told.loc[told[column].isin(sides.index[sides > 1]), "patient_id"].unique()
        if len(leaking):
            raise DataError(f"split: {len(leaking)} {problem}: {named(leaking)}")

    @property
    def digest(self) -> str:
        """SHA-256 of which image is on which side, whatever the order of the rows."""
        return split_digest(self.frame)

    def apply(self, manifest: Manifest) -> Manifest:
        """The manifest with its `split` column."""
        sides = self.frame.set_index("image_id")["split"]
        return replace(manifest, frame=manifest.frame.assign(split=manifest.frame["image_id"].map(sides)))


def split_of(manifest: Manifest, sides: npt.NDArray[np.object_], *, alike: bool = True) -> Split:
    """The split that puts each image of a manifest on the side given.

    Args:
        manifest: the images.
        sides: text [images].
        alike: whether pictures that look the same must stand on one side; published lists may have them on two.

    Raises:
        DataError: as `Split`.
    """
    frame = manifest.frame[["image_id", "patient_id", "pixel_sha256", "alike"]].assign(split=sides)
    return Split(frame if alike else frame.assign(alike=""))


def split_digest(frame: pd.DataFrame) -> str:
    """SHA-256 of the columns image_id and split, whatever the order of the rows."""
    lines = sorted(frame["image_id"].astype(str) + " " + frame["split"].astype(str))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def named(patients: npt.ArrayLike) -> str:
    """The first of some pseudonyms, for a message."""
    texts = [str(patient) for patient in pd.Series(patients).iloc[:6]]
    return ", ".join(texts[:5]) + (" ..." if len(texts) > 5 else "")
