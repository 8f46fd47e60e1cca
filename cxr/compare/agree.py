"""What two tables must agree on before their scores are compared: the split, the patients, the studies, the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cxr.errors import DataError
from cxr.external.sides import TEST, names_sides, side_of
from cxr.labels.values import VALUES
from cxr.predictions import NOT_TOLD, Predictions


def refuse_other_split(a: Predictions, b: Predictions) -> None:
    """Refuse two models of which one may have been fitted to images that the other is judged by.

    Args:
        a, b: whole tables; one that names no sides is not looked at.

    Raises:
        DataError: a patient is on the side called test in one table and on another side in the other.
    """
    for tested, other, names in ((a, b, "AB"), (b, a, "BA")):
        if names_sides(tested.frame) and names_sides(other.frame):
            test = tested.frame[side_of(tested.frame) == TEST]
            elsewhere = other.frame[side_of(other.frame) != TEST]
            shared = test["patient_id"].isin(elsewhere["patient_id"])
            if shared.any():
                image, patients = test.loc[shared, "image_id"].iloc[0], test.loc[shared, "patient_id"].nunique()
                raise DataError(
                    f"the tables were made with different splits: the patient of image {image}, a test image of {names[0]}, is "
                    f"on another side than test in {names[1]} ({patients} such patients); compare models of one split"
                )


def agreed_context(a: pd.DataFrame, b: pd.DataFrame, *, studies: bool) -> pd.DataFrame:
    """Whom the images are of, as both tables tell it, or the one that does.

    Args:
        a, b: `image_id`, `patient_id`, `study_id` and, where copies of pictures are known, `alike`; the same images in the
            same order.
        studies: whether studies are counted, so that the tables must agree on them.

    Returns:
        These columns, in the same order, with the ids of A.

    Raises:
        DataError: the tables divide the images in different ways; names an image.
    """
    told = {"image_id": a["image_id"], "patient_id": _agreed(a, b, "patient_id", refuse=True)}
    told["study_id"] = _agreed(a, b, "study_id", refuse=studies)
    if "alike" in a or "alike" in b:
        told["alike"] = a["alike"] if "alike" in a else b["alike"]
    return pd.DataFrame(told)


def _agreed(a: pd.DataFrame, b: pd.DataFrame, name: str, *, refuse: bool) -> pd.Series[Any]:
    ours, theirs = a[name].astype(str), b[name].astype(str)
    if not _tells(a, name):
        return theirs if _tells(b, name) else ours
    if refuse and _tells(b, name):
        _refuse_other_division(a["image_id"], ours, theirs, {"patient_id": "patients", "study_id": "studies"}[name])
    return ours


def _tells(frame: pd.DataFrame, name: str) -> bool:
    """Whether a table tells patients or studies; where it tells no patients, each image is taken for one."""
    if name == "patient_id":
        return bool((frame[name] != frame["image_id"]).any())
    return not bool(frame[name].isin(["", NOT_TOLD]).any())


def _refuse_other_division(images: pd.Series[str], ours: pd.Series[str], theirs: pd.Series[str], what: str) -> None:
    # names may be written in two ways, as with pseudonyms; who stands beside whom may not, nor may known names be exchanged
    other = (ours != theirs).to_numpy()
    if not set(ours) & set(theirs):
        pairs = pd.DataFrame({"a": ours, "b": theirs})
        kinds = pairs.drop_duplicates()
        split = set(kinds["a"][kinds["a"].duplicated()]), set(kinds["b"][kinds["b"].duplicated()])
        other = (pairs["a"].isin(split[0]) | pairs["b"].isin(split[1])).to_numpy()
    if other.any():
        image = images.iloc[int(other.argmax())]
        raise DataError(
            f"image {image} is of different {what} in the two tables ({int(other.sum())} such images); "
            "make sure that the ids of the images mean the same in both"
        )


def refuse_other_truth(a: Predictions, b: Predictions) -> None:
    """Refuse two truths.

    Args:
        a, b: the same images and the same labels in the same order.

    Raises:
        DataError: a cell differs; names image and label.
    """
    ours, theirs = a.truth_codes(), b.truth_codes()
    other = np.argwhere(ours != theirs)
    if len(other):
        row, label = other[0]
        cells = f"is {VALUES[ours[row, label]]} in A and {VALUES[theirs[row, label]]} in B"
        raise DataError(
            f"image {a.frame['image_id'].iloc[row]}: '{a.label_names[label]}' {cells} ({len(other)} such cells): "
            "the tables have different truths; give the one that counts with --truth TABLE"
        )
