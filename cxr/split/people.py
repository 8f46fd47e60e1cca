"""Who is one person: a patient, and patients who share an image, which is one person under two ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.hamming import connected
from cxr.manifest import Manifest


@dataclass(frozen=True)
class People:
    """The person of each image.

    Args:
        of_image: int64 [images], 0 to P - 1.
        united: patients who share an image with another patient, in groups.
    """

    of_image: npt.NDArray[np.int64]
    united: tuple[tuple[str, ...], ...]


def people_of(manifest: Manifest) -> People:
    """The people of a manifest: patients, united where they share an image, exactly or nearly.

    Args:
        manifest: the images; one that was not read is compared with no other.
    """
    links = [_same(manifest.frame[column]) for column in ("patient_id", "pixel_sha256", "alike")]
    first, second = (np.concatenate(ends) for ends in zip(*links, strict=True))
    of_image = connected(len(manifest), first, second)
    return People(of_image, _united(manifest.frame["patient_id"], of_image))


def _same(texts: pd.Series[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Each row with the first row of the same text; an empty text is the same as no other."""
    rows = np.flatnonzero((texts != "").to_numpy())
    codes = pd.factorize(texts.iloc[rows])[0]
    firsts = np.unique(codes, return_index=True)[1]
    return rows[firsts[codes]], rows


def _united(patients: pd.Series[str], of_image: npt.NDArray[np.int64]) -> tuple[tuple[str, ...], ...]:
    pairs = pd.DataFrame({"patient": patients.to_numpy(), "person": of_image}).drop_duplicates()
    several = pairs[pairs["person"].duplicated(keep=False)]
    return tuple(tuple(sorted(group)) for _, group in several.groupby("person", sort=False)["patient"])
