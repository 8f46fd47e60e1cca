"""Train, validation and test by patient: a `Split` cannot hold one patient on two sides."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from cxr.errors import DataError
from cxr.labels.values import POSITIVE
from cxr.manifest import SPLITS, Manifest

Names = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Split:
    """The side of each image.

    Args:
        frame: columns `image_id`, `patient_id` and `split` ("train", "val" or "test"), one row per image.

    Raises:
        DataError: a patient stands on two sides, a side is empty, or an image stands twice; names the patients.
    """

    frame: pd.DataFrame

    def __post_init__(self) -> None:
        sides = self.frame.groupby("patient_id")["split"].nunique()
        leaking = sides.index[sides > 1]
        if len(leaking):
            named = ", ".join(map(str, leaking[:5])) + (" ..." if len(leaking) > 5 else "")
            raise DataError(f"split: {len(leaking)} patients stand on more than one side: {named}")
        empty = [side for side in SPLITS if not (self.frame["split"] == side).any()]
        if empty:
            raise DataError(f"split: no image in '{empty[0]}': too few patients for the fractions asked for")
        if self.frame["image_id"].duplicated().any():
            raise DataError("split: an image stands twice")

    @property
    def digest(self) -> str:
        """SHA-256 of which image is on which side, whatever the order of the rows."""
        lines = sorted(self.frame["image_id"].astype(str) + " " + self.frame["split"].astype(str))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def apply(self, manifest: Manifest) -> Manifest:
        """The manifest with its `split` column."""
        sides = self.frame.set_index("image_id")["split"]
        return Manifest(manifest.frame.assign(split=manifest.frame["image_id"].map(sides)), manifest.label_names)


def official_split(
    manifest: Manifest, train_val: Collection[str], test: Collection[str], val_fraction: float, seed: int
) -> Split:
    """A split that honours published lists of image names; validation patients are drawn from the train_val list.

    Args:
        manifest: the images, named in `source_name`.
        train_val, test: image names without folder and suffix.
        val_fraction: share of the train_val images for validation.
        seed: of the draw.

    Raises:
        DataError: an image is on neither list or on both, or a patient is on both.
    """
    names = manifest.frame["source_name"].str.rpartition(":")[2]
    in_train, in_test = names.isin(set(train_val)), names.isin(set(test))
    for wrong, problem in (
        (in_train & in_test, "on both official lists"),
        (~in_train & ~in_test, "on no official list"),
    ):
        if wrong.any():
            raise DataError(f"split: {int(wrong.sum())} images are {problem}, the first is {names[wrong].iloc[0]}")
    sides = np.where(in_test, "test", "train").astype(object)
    development = np.flatnonzero(in_train.to_numpy())
    sides[development[hold_out(manifest, development, val_fraction, seed)]] = "val"
    return _split(manifest, sides)


def drawn_split(manifest: Manifest, test_fraction: float, val_fraction: float, seed: int) -> Split:
    """A split drawn by patient, with each label's share alike on all sides.

    Args:
        manifest: the images.
        test_fraction, val_fraction: shares of all images, in (0, 0.5).
        seed: of the draw.
    """
    sides = np.full(len(manifest), "train", object)
    everything = np.arange(len(manifest))
    sides[hold_out(manifest, everything, test_fraction, seed)] = "test"
    rest = np.flatnonzero(sides == "train")
    sides[rest[hold_out(manifest, rest, val_fraction / (1 - test_fraction), seed + 1)]] = "val"
    return _split(manifest, sides)


def hold_out(manifest: Manifest, rows: npt.NDArray[np.int64], fraction: float, seed: int) -> npt.NDArray[np.int64]:
    """Positions in `rows` of images to hold out: whole patients, stratified by each image's rarest positive label.

    Args:
        manifest: the images.
        rows: int64, the rows to draw from.
        fraction: the share to hold out, as whole folds of like size: the nearest share with a denominator of 10 at most.
        seed: of the draw.
    """
    patients = manifest.frame["patient_id"].to_numpy()[rows]
    share = min(Fraction(fraction).limit_denominator(max(10, round(1 / fraction))), Fraction(9, 10))
    if len(set(patients)) < share.denominator:
        raise DataError(f"split: {len(set(patients))} patients cannot be divided into {share.denominator} folds")
    strata = rarest_label(manifest)[rows]
    if np.unique(strata, return_counts=True)[1].max() < share.denominator:
        strata = np.zeros_like(strata)  # too few of everything to be stratified
    splitter = StratifiedGroupKFold(share.denominator, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # a label with fewer positives than folds cannot be in each; the counts per side are in the stage's report
        warnings.filterwarnings("ignore", message="The least populated class")
        folds = splitter.split(rows, strata, patients)
        held_out = [fold for _, fold in islice(folds, share.numerator)]
    return np.sort(np.concatenate(held_out)).astype(np.int64)


def rarest_label(manifest: Manifest) -> npt.NDArray[np.int64]:
    """int64 [images]: the index of each image's rarest positive label, or -1 for an image without any."""
    positive = manifest.label_codes() == POSITIVE
    order = np.argsort(positive.sum(axis=0), kind="stable")
    first = np.argmax(positive[:, order], axis=1)
    return np.where(positive.any(axis=1), order[first], -1)


def _split(manifest: Manifest, sides: npt.NDArray[np.object_]) -> Split:
    return Split(manifest.frame[["image_id", "patient_id"]].assign(split=sides))
