"""Which group each image belongs to, by columns of the prediction table: sex, age band, view, any of few values."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxr.config_evaluate import SUBGROUPS
from cxr.errors import ConfigError
from cxr.predictions import NOT_TOLD

MOST_GROUPS = 50
"""A column with more values than that makes no groups."""
AGE_BAND, AGE = "age_band", "age_years"
AGE_BANDS = {"0-17": 0, "18-39": 18, "40-59": 40, "60-79": 60, "80+": 80}
"""The bands of `AGE_BAND`, each with the first year of age that belongs to it."""
_IDENTITY = ("image_id", "patient_id", "study_id")


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of images.

    Args:
        frame: a column of texts for each column that makes groups, a row per image; `NOT_TOLD` where nothing is known.
        absent: columns that were asked for and that the table does not have, though others like it do.
    """

    frame: pd.DataFrame
    absent: tuple[str, ...]


def group_images(frame: pd.DataFrame, columns: Sequence[str]) -> Groups:
    """The groups of images by some columns.

    Args:
        frame: of a prediction table; see `cxr.predictions`.
        columns: names of columns; `AGE_BAND` is made of `AGE`, see `AGE_BANDS`.

    Raises:
        ConfigError: a column is not in the table and none of the usual ones, names images or persons, or has more than
            `MOST_GROUPS` values.
    """
    usual = {*SUBGROUPS, "source"}
    present = [column for column in columns if _source_of(column) in frame]
    absent = [column for column in columns if column not in present]
    for column in absent:
        if column not in usual:
            raise ConfigError(_unknown(column, frame))
    return Groups(pd.DataFrame({column: _texts(frame, column) for column in present}, index=frame.index), tuple(absent))


def _source_of(column: str) -> str:
    return AGE if column == AGE_BAND else column


def _unknown(column: str, frame: pd.DataFrame) -> str:
    choices = [name for name in (*frame.columns, AGE_BAND) if _may_group(name)]
    close = difflib.get_close_matches(column, choices, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(choices)}"
    return f"subgroups: the predictions have no column '{column}'; {hint}"


def _may_group(column: str) -> bool:
    return column not in _IDENTITY and not column.startswith(("score/", "truth/"))


def _texts(frame: pd.DataFrame, column: str) -> pd.Series[str]:
    if not _may_group(column):
        raise ConfigError(f"subgroups: '{column}' names images or persons, or holds what is evaluated; it makes no groups")
    if column == AGE_BAND:
        return _age_bands(frame[AGE])
    values = frame[column]
    # a group per value: the number of values is looked at first, for a text of each of a million floats takes long
    distinct = values.nunique()
    if distinct > MOST_GROUPS:
        way_out = (
            f"use {AGE_BAND}" if column == AGE else "make a column of fewer values of it, as age_band is made of age_years"
        )
        raise ConfigError(
            f"subgroups: '{column}' has {distinct} different values, more than the {MOST_GROUPS} groups that can be compared; "
            f"leave it out, or {way_out}"
        )
    return _as_texts(values)


def _as_texts(values: pd.Series[Any]) -> pd.Series[str]:
    codes, kinds = pd.factorize(values)
    names = np.array([str(kind).strip() or NOT_TOLD for kind in kinds] + [NOT_TOLD], dtype=object)  # -1: missing
    return pd.Series(names[codes], index=values.index, dtype="str")


def _age_bands(years: pd.Series[float]) -> pd.Series[str]:
    names = np.array([*AGE_BANDS, NOT_TOLD], dtype=object)
    known = years.ge(0).to_numpy()
    place = np.searchsorted(list(AGE_BANDS.values()), years.to_numpy(), side="right") - 1
    return pd.Series(names[np.where(known, place, len(AGE_BANDS))], index=years.index, dtype="str")
