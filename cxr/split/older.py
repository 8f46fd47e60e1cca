"""The split of a retraining: whoever tested the older model never trains the new one, and whom it learned from never tests it.

The first keeps the test set honest for years, the second the comparison fair: of patients that it has seen, the older model
would know the answers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cxr.errors import DataError
from cxr.manifest import Manifest
from cxr.split.frozen import followed_split
from cxr.split.people import People
from cxr.split.split import Split, named

TEST = "test"


def older_split(
    manifest: Manifest, people: People, older: pd.DataFrame, shares: Mapping[str, float], seed: int, *, alike: bool = True
) -> Split:
    """The split of a retraining: everyone whom the older split knows stays on that side, the others are drawn.

    Args:
        manifest: the images.
        people: theirs.
        older: the split of the older model, see `cxr.split.frozen.read_split`.
        shares: of the new images for each side.
        seed: of the draw.
        alike: see `cxr.split.split.split_of`.

    Raises:
        DataError: the older split has none of these patients, or as `followed_split`.
    """
    refuse_unrelated(manifest, older)
    return followed_split(manifest, people, older, "draw", shares, seed, alike=alike, key="retrain.split")


def refuse_unrelated(manifest: Manifest, older: pd.DataFrame) -> None:
    """Refuse an older split that knows nobody here: under other pseudonyms its test patients could not be told.

    Raises:
        DataError: no patient of the manifest is in it.
    """
    if not manifest.frame["patient_id"].isin(older["patient_id"]).any():
        raise DataError(
            "retrain.split: it has none of these patients. Of the same hospital they must have the same pseudonyms: read "
            "the files with the same key and the same source.name as then. If the older model has seen none of them, say "
            "'retrain.other_patients: true' in its place"
        )


def refuse_known(manifest: Manifest, older: pd.DataFrame) -> None:
    """Refuse patients of whom it was said that the older model has seen none of them.

    Raises:
        DataError: a patient of the manifest is in the older split; names them.
    """
    patients = manifest.frame["patient_id"]
    if (known := patients.isin(older["patient_id"])).any():
        found = patients[known].unique()
        raise DataError(
            f"retrain.other_patients: {len(found)} of these patients are in the split of the older model: {named(found)}; "
            "leave it out, and they stay on the sides that they had"
        )


def refuse_seen(split: Split, people: People, older: pd.DataFrame, *, alike: bool = True) -> None:
    """Refuse a split that was fixed otherwise, as by published lists, and crosses the older one.

    Args:
        split: rows in the order of the manifest.
        people: of the manifest.
        older: the split of the older model.
        alike: whether patients whose pictures look the same count as one person; else patients alone are compared.

    Raises:
        DataError: an older test patient trains or validates, or a patient that the older model learned from tests; names them.
    """
    sides = older.drop_duplicates("patient_id").set_index("patient_id")["split"]
    was_test = split.frame["patient_id"].map(sides == TEST)
    known = was_test.notna().to_numpy()
    person = people.of_image if alike else pd.factorize(split.frame["patient_id"])[0]
    is_test = (split.frame["split"] == TEST).to_numpy()
    for before, problem in (
        (True, "tested the older model, and would now train or validate the new one"),
        (False, "taught the older model, and would now test it"),
    ):
        before_them = np.unique(person[known & (was_test == before).to_numpy()])
        crossing = np.isin(person, before_them) & (is_test != before)
        if crossing.any():
            patients = split.frame.loc[crossing, "patient_id"].unique()
            raise DataError(f"retrain.split: {len(patients)} patients {problem}: {named(patients)}")
