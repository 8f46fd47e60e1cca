"""How often each label is positive by view, by sex and by age band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.ingest.label_audit.bits import Bits, Table, count_bits, count_common, pack_flags
from cxr.labels.label_set import LabelSet
from cxr.labels.values import BLANK, NEGATIVE, POSITIVE
from cxr.manifest import SEXES, VIEWS

AGE_BANDS = (*(f"{low}-{low + 9}" for low in range(0, 90, 10)), "90+", "unknown")
"""Of ten years each; ages over 89 are pooled when images are read."""
LEAST_KNOWN = 20
"""Images whose label is known, below which a share is not told, only the counts."""


@dataclass(frozen=True)
class Group:
    """Images that have something in common.

    Args:
        by: "view", "sex" or "age".
        name: like "PA", "F" or "40-49".
        images: how many.
    """

    by: str
    name: str
    images: int


@dataclass(frozen=True)
class Subgroups:
    """Each label in each group.

    Args:
        groups: all, also those without an image.
        known: int64 [labels, groups], images that are positive or negative after the policy for blank cells.
        positive: int64 [labels, groups], the positive ones among them.
    """

    groups: tuple[Group, ...]
    known: npt.NDArray[np.int64]
    positive: npt.NDArray[np.int64]


def count_by_group(frame: pd.DataFrame, table: Table, labels: LabelSet) -> Subgroups:
    """Count the labels group by group.

    Args:
        frame: the manifest's; its columns view, sex, age_years.
        table: the cells of its images.
        labels: says what a blank cell is.
    """
    kinds = {
        "view": (VIEWS, pd.Categorical(frame["view"], VIEWS).codes),
        "sex": (SEXES, pd.Categorical(frame["sex"], SEXES).codes),
        "age": (AGE_BANDS, _age_bands(frame["age_years"].to_numpy(np.float64))),
    }
    members = np.concatenate([_members(places, len(names)) for names, places in kinds.values()])
    as_negative = np.array([label.blank == "negative" for label in labels.labels])[:, None]
    positive = table.has(POSITIVE)
    known = positive | table.has(NEGATIVE) | np.where(as_negative, table.has(BLANK), np.uint64(0))
    named = [(by, name) for by, (names, _) in kinds.items() for name in names]
    groups = (Group(*names, images) for names, images in zip(named, count_bits(members).tolist(), strict=True))
    return Subgroups(tuple(groups), count_common(known, members), count_common(positive, members))


def _age_bands(ages: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
    bands = np.nan_to_num(np.floor_divide(ages, 10))
    return np.where(np.isnan(ages), len(AGE_BANDS) - 1, bands).astype(np.int8)


def _members(places: npt.NDArray[np.int8], count: int) -> Bits:
    """uint64 [count, words]: the images at each place."""
    return pack_flags(places == np.arange(count, dtype=np.int8)[:, None])
