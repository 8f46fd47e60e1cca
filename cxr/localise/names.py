"""Which image a name in somebody's table, or of somebody's file, means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

import pandas as pd

from cxr.evaluate.undefined import Undefined
from cxr.ingest.deidentify import Pseudonyms

_COLUMNS = ("image_id", "source_name", "instance_uid")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm")
_SEVERAL = -1


@dataclass(frozen=True)
class Names:
    """The names of the images of a side.

    Args:
        rows: row by image_id, source_name and instance_uid of the manifest; -1 for a name of several images, wherever they are.
        key: the secret of the pseudonyms, where names are the hospital's own SOPInstanceUID.
    """

    rows: Mapping[str, int]
    key: bytes | None = None

    def row(self, text: str) -> int | Undefined:
        """The row that a name means, with or without the ending of an image file; or why none."""
        name = PurePath(text.strip()).name
        stem = name[: -len(PurePath(name).suffix)] if PurePath(name).suffix.lower() in _SUFFIXES else name
        found = self.rows.get(stem)
        if found is None and self.key is not None:
            found = self.rows.get(Pseudonyms("", self.key).uid(stem))
        if found is None:
            return Undefined("no image of this side has the name")
        return Undefined("several images have the name; use image_id of the manifest") if found == _SEVERAL else found


def names_of(frame: pd.DataFrame, key: bytes | None = None, others: pd.DataFrame | None = None) -> Names:
    """The names of the images in rows of a manifest; see `Names`.

    Args:
        frame: the rows.
        key: see `Names`.
        others: rows of images that are no rows of `frame`, and may have the same names; None for none.
    """
    rows: dict[str, int] = {}
    for column in _COLUMNS:
        for row, text in enumerate(frame[column].astype(str)):
            if text:
                rows[text] = row if rows.get(text, row) == row else _SEVERAL
    if others is not None:
        shared = rows.keys() & {text for column in _COLUMNS for text in others[column].astype(str)}
        rows |= dict.fromkeys(shared, _SEVERAL)
    return Names(rows, key)
