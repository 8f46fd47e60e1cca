"""The truth of a table: a published label table as it comes, or one with a column for each label."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.errors import DataError
from cxr.external.files import BLANKS, Sheet
from cxr.external.ids import Ids
from cxr.ingest.table.layout import FindingsInColumns, TableFormat, read_format
from cxr.ingest.table.read import read_table
from cxr.ingest.table.refuse import refuse
from cxr.labels.label_set import LabelSet
from cxr.labels.shipped import SHIPPED, find_format, shipped_formats
from cxr.labels.values import BLANK, NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN, Codes

_WORDS = {
    POSITIVE: ("1", "true", "yes", "y", "positive", "present"),
    NEGATIVE: ("0", "false", "no", "n", "negative", "absent"),
    UNCERTAIN: ("-1", "uncertain"),
    UNKNOWN: ("unknown",),
    BLANK: BLANKS,
}
_CODE_OF_WORD = {word: code for code, words in _WORDS.items() for word in words}
"""What the cells of a label mean, in small letters; 1, 0 and -1 also with a decimal point."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What a table says of its images.

    Args:
        ids: the columns that may name the images, the likeliest first.
        names: the labels that it tells of.
        codes: int8 [rows, labels], 0 to 3 as in `cxr.labels.values.VALUES`, in the order of `names`.
        context: of the images; see `cxr.external.context.context_of`.
    """

    ids: tuple[Ids, ...]
    names: tuple[str, ...]
    codes: Codes
    context: pd.DataFrame


def published_truth(path: Path, labels: LabelSet, layout: TableFormat, images: Path | None) -> Truth:
    """The truth of a label table in a known layout.

    Raises:
        DataError, ConfigError: as `cxr.ingest.table.read.read_table`.
    """
    table = read_table(path, layout, labels, images=images)
    found = table.images
    context = pd.DataFrame(
        {
            "patient_id": found["patient"],
            "study_id": found["study"],
            "view": found["view"].astype("str"),
            "sex": found["sex"].astype("str"),
            "age_years": found["age_years"],
        }
    )
    ids = Ids(str(path), layout.key, found["key"], found["row"].to_numpy(np.int64))
    return Truth((ids,), labels.names, labels.settle(table.codes), context)


def find_layout(sheet: Sheet, labels: LabelSet, *, one_cell: bool) -> TableFormat | None:
    """The shipped layout that a table is published in; None where it is in none, and each label has a column of its own.

    A table is in a layout if it has all its columns; of several layouts the one with most columns counts. Layouts that name
    nothing but an image and its labels are not looked for, since any table may look like that.

    Args:
        sheet: the table.
        labels: the label set; where findings have columns, all its labels must have one.
        one_cell: look only for layouts with all findings in one cell.

    Raises:
        DataError: two layouts fit equally well.
    """
    found: list[tuple[int, str]] = []
    for name in shipped_formats():
        columns = _columns(sheet, labels, read_format(find_format(name, SHIPPED)), one_cell=one_cell)
        if columns:
            found.append((columns, name))
    best = [name for columns, name in found if columns == max(found)[0]]
    if len(best) > 1:
        raise DataError(f"{sheet.path}: the table may be in the layout {' or '.join(best)}; say which")
    return read_format(find_format(best[0], SHIPPED)) if best else None


def _columns(sheet: Sheet, labels: LabelSet, layout: TableFormat, *, one_cell: bool) -> int:
    """How many columns of a layout a table has; 0 if it is not in that layout."""
    findings = layout.findings
    in_columns = isinstance(findings, FindingsInColumns)
    own = {layout.key, *layout.context_columns, *filter(None, (layout.reader,))}
    if not isinstance(findings, FindingsInColumns):
        own.add(findings.column)
    elif one_cell or not (layout.reader or layout.patient_pattern) or not _all_labels(sheet, labels):
        return 0
    if layout.images_on or not own <= set(sheet.header) or not _names_patients(sheet, layout):
        return 0
    return len(own) + in_columns


def _all_labels(sheet: Sheet, labels: LabelSet) -> bool:
    return {label.name for label in map(labels.find, sheet.header) if label} == set(labels.names)


def _names_patients(sheet: Sheet, layout: TableFormat) -> bool:
    if layout.patient is None or layout.patient_pattern is None:
        return True
    return re.search(layout.patient_pattern, sheet.texts(layout.patient).iloc[0]) is not None


def truth_in_columns(
    sheet: Sheet, labels: LabelSet, columns: Mapping[str, str], ids: Sequence[Ids], context: pd.DataFrame
) -> Truth:
    """The truth of a table with a column for each label.

    Args:
        sheet: the table.
        labels: the label set: says what a blank cell is.
        columns: the column of each label that has one.
        ids, context: of the table.

    Raises:
        DataError: a cell means nothing; names row and column.
    """
    names = tuple(name for name in labels.names if name in columns)
    codes = np.full((len(sheet.rows), len(labels.names)), UNKNOWN, np.int8)
    for name in names:
        codes[:, labels.names.index(name)] = _codes(sheet, columns[name])
    told = [labels.names.index(name) for name in names]
    return Truth(tuple(ids), names, labels.settle(codes)[:, told], context)


def _codes(sheet: Sheet, column: str) -> Codes:
    places, cells = pd.factorize(sheet.texts(column))
    meaning = np.array([_CODE_OF_WORD.get(_without_decimals(cell.casefold()), -1) for cell in cells], np.int8)
    codes: Codes = meaning[places]
    if (codes < 0).any():
        place = int(np.argmax(codes < 0))
        problem = "is none of 1, 0, -1, blank, yes, no, uncertain, unknown"
        refuse(sheet.path, int(sheet.rows[place]), column, str(cells[places[place]]), problem)
    return codes


def _without_decimals(cell: str) -> str:
    whole, point, decimals = cell.partition(".")
    return whole if point and not decimals.strip("0") else cell
