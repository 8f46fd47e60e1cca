"""A label table, read: what it says of each image, with everything that could not be brought together listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from cxr.ingest.table.rows import Agreement
from cxr.labels.values import Codes


@dataclass(frozen=True)
class TableNotes:
    """What a reader of the table should know.

    Args:
        without_image: rows of the label table for which the table of images has none, as a spreadsheet shows them.
        others: entries that are no label of the set and were left out, with the number of cells that have them.
        columns_left: columns that were not read.
        agreement: of several readers, per label; empty where an image has one row.
    """

    without_image: tuple[int, ...] = ()
    others: Mapping[str, int] = field(default_factory=dict)
    columns_left: tuple[str, ...] = ()
    agreement: tuple[Agreement, ...] = ()


@dataclass(frozen=True)
class LabelTable:
    """What a label table says, image by image.

    Args:
        images: a row per image: the columns of `cxr.ingest.table.context.CONTEXT`, each key once, and `labelled`: whether
            the label table has a row for it.
        codes: int8 [images, labels], 0 to 3 as in `cxr.labels.values.VALUES`, or `BLANK` for a cell that says nothing.
        digests: SHA-256 of the files it was read from, by what they are: table, images.
        notes: see there.
    """

    images: pd.DataFrame
    codes: Codes
    digests: Mapping[str, str]
    notes: TableNotes = TableNotes()

    def __len__(self) -> int:
        return len(self.images)
