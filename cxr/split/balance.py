"""What a split looks like: images, patients and the cells of each label on each side."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cxr.labels.values import NEGATIVE, POSITIVE
from cxr.manifest import SPLITS, Manifest


def balance(manifest: Manifest) -> pd.DataFrame:
    """The sides of a split manifest.

    Returns:
        A row per side: images, patients; then for each label its positive images, `NAME positive`, and their share of the
        images that are positive or negative, `NAME prevalence`, NaN where there is none.
    """
    codes = manifest.label_codes()
    rows = {}
    for side in SPLITS:
        here = (manifest.frame["split"] == side).to_numpy()
        patients = manifest.frame.loc[here, "patient_id"].nunique()
        rows[side] = {"images": int(here.sum()), "patients": patients, **_cells(codes[here], manifest.label_names)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("split")


def _cells(codes: np.ndarray[tuple[int, int], np.dtype[np.int8]], names: tuple[str, ...]) -> dict[str, float]:
    positive, negative = ((codes == code).sum(axis=0) for code in (POSITIVE, NEGATIVE))
    known = positive + negative
    found: dict[str, float] = {}
    for index, name in enumerate(names):
        found[f"{name} positive"] = int(positive[index])
        found[f"{name} prevalence"] = round(positive[index] / known[index], 6) if known[index] else float("nan")
    return found
