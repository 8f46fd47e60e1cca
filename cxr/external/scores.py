"""The table of the scores: which of its columns hold scores and name the images, and scores that can be probabilities."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cxr.errors import DataError
from cxr.external.columns import LabelColumns, id_columns, label_columns, plain
from cxr.external.files import Sheet, read_sheet
from cxr.external.ids import Ids
from cxr.labels.label_set import LabelSet


@dataclass(frozen=True, eq=False)
class Scored:
    """A table of scores.

    Args:
        sheet: the table.
        columns: its columns of labels.
        ids: its columns that may name the images, the likeliest first.
    """

    sheet: Sheet
    columns: LabelColumns
    ids: tuple[Ids, ...]

    @property
    def scored(self) -> Mapping[str, str]:
        """The column of scores by label: those that say so, and only where none does, those named like the label alone."""
        return self.columns.scores or self.columns.bare

    @property
    def truth(self) -> Mapping[str, str]:
        """The column of the truth by label, in this same table."""
        return self.columns.truth or (self.columns.bare if self.columns.scores else {})

    def scores(self, label: str) -> npt.NDArray[np.float64]:
        """The scores of a label, float64 [rows] in [0, 1].

        Raises:
            DataError: one of them is blank, no number, or outside; names row and label.
        """
        return _scores(self.sheet, self.scored[label], label)


def read_scored(path: Path, labels: LabelSet, id_column: str | None) -> Scored:
    """Read a table of scores.

    Args:
        path: CSV or Parquet.
        labels: whose scores are looked for.
        id_column: the column that names the images, if the table has it.

    Raises:
        DataError: the table cannot be read, has no scores, or nothing that names its images.
    """
    sheet = read_sheet(path)
    found = Scored(sheet, label_columns(path, sheet.header, labels), ids_of(sheet, id_column))
    if not found.scored:
        raise DataError(f"{path}: no column holds the scores of a label of '{labels.name}'; {wanted(sheet, labels)}")
    return found


def ids_of(sheet: Sheet, id_column: str | None) -> tuple[Ids, ...]:
    """The columns of a table that may name its images, the likeliest first; at least one.

    Raises:
        DataError: there is none.
    """
    columns = [id_column] if id_column is not None and id_column in sheet.header else id_columns(sheet.header)
    if not columns:
        raise DataError(f"{sheet.path}: no column is known to name the images; say which (--id COLUMN); {columns_of(sheet)}")
    return tuple(Ids(str(sheet.path), column, sheet.texts(column), sheet.rows) for column in columns)


def wanted(sheet: Sheet, labels: LabelSet) -> str:
    """What a table without labels should have and what it has, as the end of a message."""
    return f"wanted are columns like {', '.join(labels.names[:3])}; {columns_of(sheet)}"


def columns_of(sheet: Sheet) -> str:
    """The first columns of a table, as the end of a message."""
    more = " ..." if len(sheet.header) > 12 else ""
    return f"{sheet.path.name} has {', '.join(sheet.header[:12])}{more}"


def _scores(sheet: Sheet, column: str, label: str) -> npt.NDArray[np.float64]:
    """The scores of a label, float64 [rows] in [0, 1]."""
    scores = sheet.numbers(column)
    outside = ~((scores >= 0) & (scores <= 1))
    if outside.any():
        place = int(outside.argmax())
        problem = "no score (blank or NaN)" if np.isnan(scores[place]) else f"score {scores[place]:g} is not in 0 to 1"
        raise DataError(
            f"{sheet.path}: row {sheet.rows[place]}: label '{label}': {problem}; {int(outside.sum())} rows in all"
            f"{_scale_hint(scores)}"
        )
    return scores


def _scale_hint(scores: npt.NDArray[np.float64]) -> str:
    known = scores[~np.isnan(scores)]
    if not len(known) or (known.min() >= 0 and known.max() <= 1):
        return "; a label that is not scored has no column"
    if known.min() >= 0 and 20 < known.max() <= 100:
        return "; these look like percentages: divide them by 100"
    return "; these look like logits: apply the sigmoid first"


def refuse_misspelt(scored: Scored, labels: LabelSet) -> None:
    """Refuse a column that names no label and is nearly the name of one that has no scores.

    Raises:
        DataError: names the column and the label.
    """
    absent = [label for label in labels.labels if label.name not in scored.scored]
    missing = {plain(text): label.name for label in absent for text in (label.name, *label.synonyms)}
    for column in scored.sheet.header:
        if column not in scored.columns.all:
            close = difflib.get_close_matches(plain(column.rpartition("/")[2]), missing, n=1, cutoff=0.85)
            if close:
                raise DataError(
                    f"{scored.sheet.path}: the column '{column}' names no label of '{labels.name}'; is it "
                    f"'{missing[close[0]]}'? Call it so, or otherwise"
                )
