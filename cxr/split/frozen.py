"""A split kept in a file that says itself whether it was changed, and used again for images that may have grown."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import DataError
from cxr.manifest import SPLITS, Manifest
from cxr.split.draw import Rows, divide
from cxr.split.people import People
from cxr.split.split import Split, named, split_of

NewPatients = Literal["refuse", "train", "draw"]
_FEW = 10  # new persons on the smallest side, from which on a draw is balanced
_MARK = "# cxr split, sha256 of what follows: "
_COLUMNS = ["image_id", "patient_id", "split"]


def write_split(split: Split, path: Path) -> None:
    """Write a split as CSV: a first line with the digest of the rest, then image_id, patient_id, split."""
    text = split.frame[_COLUMNS].to_csv(index=False, lineterminator="\n")
    path.write_text(f"{_MARK}{_digest(text)}\n{text}", encoding="utf-8")


def read_split(path: Path) -> pd.DataFrame:
    """What `write_split` wrote.

    Returns:
        Text columns image_id, patient_id, split.

    Raises:
        DataError: the file is no split, or was changed after it was written.
    """
    # a byte that is no text is none that cxr has written: either the first line is missing, or the digest tells
    mark, _, text = path.read_text(encoding="utf-8-sig", errors="replace").partition("\n")
    if not mark.startswith(_MARK):
        raise DataError(f"{path}: not a split that cxr has written: its first line is missing")
    if mark.removeprefix(_MARK).strip() != _digest(text):
        raise DataError(f"{path}: the split was changed after it was written; take it from the run that made it")
    if text.partition("\n")[0].strip() != ",".join(_COLUMNS):
        raise DataError(f"{path}: not a split that cxr has written: its columns are not {', '.join(_COLUMNS)}")
    try:
        frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except pd.errors.ParserError as error:
        raise DataError(f"{path}: not a split that cxr has written: it is no table") from error
    _check(path, frame)
    return frame


def _check(path: Path, frame: pd.DataFrame) -> None:
    """A file whose digest was made anew may say anything."""
    if not len(frame) or not frame["split"].isin(SPLITS).all():
        raise DataError(f"{path}: an image stands on none of the sides {', '.join(SPLITS)}")
    if frame["image_id"].duplicated().any():
        raise DataError(f"{path}: an image stands twice")
    sides = frame.drop_duplicates(["patient_id", "split"])["patient_id"]
    if sides.duplicated().any():
        raise DataError(f"{path}: patients stand on more than one side: {named(sides[sides.duplicated()])}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()


def frozen_split(
    manifest: Manifest,
    people: People,
    frozen: pd.DataFrame,
    new: NewPatients,
    shares: Mapping[str, float],
    seed: int,
    *,
    alike: bool = True,
) -> Split:
    """The split of a file, for a manifest that may have new images.

    An image of a person whom the file knows goes where the file has that person.

    Args:
        manifest: the images.
        people: theirs.
        frozen: see `read_split`.
        new: what becomes of persons whom the file does not know.
        shares: of the images for each side, for a draw.
        seed: of a draw.
        alike: see `split_of`.

    Raises:
        DataError: there are new patients and they are refused, the file has none of the images, or it has one person on two
            sides.
    """
    if absent(manifest, frozen) == len(frozen):
        raise DataError("split.frozen: it has none of these images; it is the split of other ones")
    return followed_split(manifest, people, frozen, new, shares, seed, alike=alike)


def followed_split(
    manifest: Manifest,
    people: People,
    frozen: pd.DataFrame,
    new: NewPatients,
    shares: Mapping[str, float],
    seed: int,
    *,
    alike: bool = True,
    key: str = "split.frozen",
) -> Split:
    """As `frozen_split`, also where the file knows patients alone, and none of their images; `key` of it stands in messages.

    Raises:
        DataError: there are new patients and they are refused, or the file has one person on two sides.
    """
    sides = _known(manifest, people, frozen, key if alike else None)
    unknown = np.flatnonzero(sides == "")
    if len(unknown) and new == "refuse":
        patients = manifest.frame["patient_id"].iloc[unknown].unique()
        told = f"{len(patients)} patients are not in it: {named(patients)}"
        raise DataError(f"split.frozen: {told}; split.new_patients says what becomes of such")
    if len(unknown):
        sides[unknown] = "train" if new == "train" else _drawn(manifest, people, unknown, shares, seed)
    return split_of(manifest, sides, alike=alike)


def _drawn(manifest: Manifest, people: People, rows: Rows, shares: Mapping[str, float], seed: int) -> npt.NDArray[np.object_]:
    """The sides of new images; of few new persons each by chance, since a balanced draw puts at least one on every side."""
    if len(np.unique(people.of_image[rows])) >= _FEW / min(shares.values()):
        return divide(manifest, people, rows, shares, seed)
    frame = manifest.frame.iloc[rows].assign(person=people.of_image[rows])
    names = frame.groupby("person", sort=False)["patient_id"].transform("min")
    # by the name, so that the next few to come do not move these
    place = names.map(lambda name: int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big") / 2**64)
    bounds = np.cumsum(list(shares.values()))[:-1]
    return np.array(list(shares), object)[np.searchsorted(bounds, place.to_numpy(), side="right")]


def _known(
    manifest: Manifest, people: People, frozen: pd.DataFrame, key: str | None
) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """The side of each image whose person the file knows, else an empty text. What the file itself says is not touched.

    A new patient who looks like patients of several sides is refused, with the `key` of the file; without one, is new.
    """
    of_image = dict(zip(frozen["image_id"], frozen["split"], strict=True))
    of_patient = dict(zip(frozen["patient_id"], frozen["split"], strict=True))
    pairs = zip(manifest.frame["image_id"], manifest.frame["patient_id"], strict=True)
    sides = pd.Series([of_image.get(image, of_patient.get(patient, "")) for image, patient in pairs], dtype=object)
    told = sides != ""
    per_person = sides[told].groupby(people.of_image[told]).agg(["first", "nunique"]).reindex(people.of_image)
    followed = ~told & (per_person["nunique"] > 1).to_numpy()
    if followed.any() and key is not None:
        patients = manifest.frame.loc[followed.to_numpy(), "patient_id"].unique()
        raise DataError(
            f"{key}: new patients look like patients of more than one side: {named(patients)}; look at their pictures, and "
            "where they only look alike, split.alike: allow lets them be drawn"
        )
    side = per_person["first"].fillna("").where(~followed.to_numpy(), "").to_numpy(object)
    return np.where(told, sides, side)


def absent(manifest: Manifest, frozen: pd.DataFrame) -> int:
    """How many images of a frozen split the manifest does not have."""
    return int((~frozen["image_id"].isin(manifest.frame["image_id"])).sum())
