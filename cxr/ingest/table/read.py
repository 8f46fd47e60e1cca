"""The label table of a source: what its cells say about each image.

Cells are compared whole: findings in one column are split at the separator first, so that no name is ever found inside
another.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import hashlib
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import DataError
from cxr.ingest.table.layout import FindingsInColumns, FindingsInOneColumn, TableFormat
from cxr.labels.label_set import LabelSet
from cxr.labels.values import NEGATIVE, POSITIVE, UNCERTAIN

_PLAIN_VALUE = re.compile(r"[-+.?\d]{0,5}")


@dataclass(frozen=True)
class LabelTable:
    """A label table, ready for look-up.

    Args:
        keys: of the rows, see `TableFormat.key_of`; each once.
        codes: int8 [rows, labels], 0 to 3 as in `cxr.labels.values.VALUES`.
        context: text columns patient, study, view, sex, age, empty where the table has no such column; and `row`, the
            number as a spreadsheet shows it.
        sha256: hexadecimal digest of the file.
    """

    keys: list[str]
    codes: npt.NDArray[np.int8]
    context: pd.DataFrame
    sha256: str

    def __len__(self) -> int:
        return len(self.keys)


def read_table(path: Path, layout: TableFormat, labels: LabelSet, *, published: bool = True) -> LabelTable:
    """Read a label table.

    Args:
        path: the file.
        layout: how it is laid out.
        labels: what it may say.
        published: whether a message may quote what a cell says; in a hospital's own table it may name a patient.

    Raises:
        DataError: a column is missing, a key stands twice, or a cell means nothing; names row and column.
    """
    table = _read_csv(path)
    wanted = [layout.key, layout.patient, layout.study, *layout.view_columns, layout.sex, layout.age]
    for column in filter(None, wanted):
        _require(path, table, column)
    keys = table[layout.key].map(layout.key_of)
    _check_keys(path, keys, layout.key)
    context = _context(path, table, layout)
    if layout.patient:
        _refuse_first(path, table, context["patient"] == "", layout.patient, "names no patient")
    codes = _codes(path, table, layout.findings, labels, published)
    return LabelTable(keys.tolist(), codes, context, hashlib.sha256(path.read_bytes()).hexdigest())


def _context(path: Path, table: pd.DataFrame, layout: TableFormat) -> pd.DataFrame:
    views = [_cells(table, column, None) for column in layout.view_columns]
    return pd.DataFrame(
        {
            "patient": _cells(table, layout.patient, layout.patient_pattern),
            "study": _cells(table, layout.study, layout.study_pattern),
            "view": [" ".join(filter(None, cells)) for cells in zip(*views, strict=True)] if views else "",
            "sex": _cells(table, layout.sex, None),
            "age": _cells(table, layout.age, None),
            "row": table.index,
        },
        index=table.index,
    )


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _read_csv(path: Path) -> pd.DataFrame:
    """All cells as text, by row number as a spreadsheet shows it: the header is row 1."""
    try:
        with _open(path) as file:
            rows = [(number, cells) for number, cells in enumerate(csv.reader(file, strict=True), start=1) if any(cells)]
    except (OSError, ValueError, EOFError, zlib.error, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a CSV table: {getattr(error, 'strerror', None) or error}") from error
    if len(rows) < 2:
        raise DataError(f"{path}: cannot be read as a CSV table: it has no rows")
    header = rows.pop(0)[1]
    twice = next((name for name, count in Counter(header).items() if name and count > 1), None)
    if twice is not None:
        raise DataError(f"{path}: column {header.index(twice) + 1} stands twice; is the first row the header?")
    for number, cells in rows:
        # pandas would fill a short row, and take the first column of long ones for an index
        if len(cells) < len(header) or any(cells[len(header) :]):
            raise DataError(f"{path}: row {number}: {len(cells)} cells, but the table has {len(header)} columns")
    return pd.DataFrame(
        [cells[: len(header)] for _, cells in rows], index=[number for number, _ in rows], columns=header, dtype=str
    )


def _check_keys(path: Path, keys: pd.Series[str], column: str) -> None:
    """Refuse keys that stand twice or are blank; the message gives rows only, for a key may identify a patient."""
    if (keys == "").any():
        raise DataError(f"{path}: row {keys.index[keys == ''][0]}: {column} names no image")
    if keys.duplicated().any():
        second = keys.index[keys.duplicated()][0]
        first = keys.index[keys == keys[second]][0]
        raise DataError(f"{path}: row {second}: {column} is the same as in row {first}; an image or study stands once")


def _cells(table: pd.DataFrame, column: str | None, pattern: str | None) -> list[str]:
    """The texts of a column, or what a pattern finds in them; empty without a column."""
    if column is None:
        return [""] * len(table)
    cells = table[column].str.strip()
    if pattern is not None:
        found = (re.search(pattern, cell) for cell in cells)
        return ["" if match is None else match.group() for match in found]
    return cells.tolist()


def _require(path: Path, table: pd.DataFrame, column: str) -> None:
    if column not in table:
        close = difflib.get_close_matches(column, map(str, table), n=1)
        if len(table.columns) == 1 and ";" in str(table.columns[0]):
            raise DataError(f"{path}: the columns are separated by semicolons; save the table with commas")
        raise DataError(f"{path}: column '{column}' is missing{f'; did you mean {close[0]}?' if close else ''}")


def _refuse_first(path: Path, table: pd.DataFrame, wrong: pd.Series[bool], column: str, problem: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong.to_numpy())[0])
        cell = str(table[column].iloc[row])
        # a cell in the wrong column may name a patient; a number of a few digits does not
        shown = f"'{cell}'" if _PLAIN_VALUE.fullmatch(cell) else f"(a text of {len(cell)} characters)"
        raise DataError(f"{path}: row {table.index[row]}: {column} {shown} {problem}")


def _codes(
    path: Path, table: pd.DataFrame, findings: FindingsInOneColumn | FindingsInColumns, labels: LabelSet, published: bool
) -> npt.NDArray[np.int8]:
    if isinstance(findings, FindingsInOneColumn):
        return _codes_of_list(path, table, findings, labels, published)
    return np.stack([_codes_of_column(path, table, findings, labels, name) for name in labels.names], axis=1)


def _codes_of_column(
    path: Path, table: pd.DataFrame, findings: FindingsInColumns, labels: LabelSet, name: str
) -> npt.NDArray[np.int8]:
    label = labels.find(name)
    columns = [column for column in table if labels.find(str(column)) == label]
    if label is None or len(columns) != 1:
        close = difflib.get_close_matches(name, [str(column) for column in table], n=1)
        found = f"{len(columns)} columns: {', '.join(map(str, columns))}" if columns else "no column"
        raise DataError(f"{path}: label '{name}' has {found}{f'; did you mean {close[0]}?' if close else ''}")
    meaning = dict.fromkeys(findings.blank, label.blank_code)
    meaning |= dict.fromkeys(findings.uncertain, UNCERTAIN)
    meaning |= dict.fromkeys(findings.negative, NEGATIVE) | dict.fromkeys(findings.positive, POSITIVE)
    codes = table[columns[0]].str.strip().map(meaning)
    _refuse_first(path, table, codes.isna(), str(columns[0]), f"is none of {', '.join(repr(cell) for cell in meaning)}")
    return np.asarray(codes, np.int8)


def _codes_of_list(
    path: Path, table: pd.DataFrame, findings: FindingsInOneColumn, labels: LabelSet, published: bool
) -> npt.NDArray[np.int8]:
    _require(path, table, findings.column)
    column = table[findings.column]
    blank = np.array([label.blank_code for label in labels.labels], np.int8)
    # a table has few distinct cells (NIH: 836 in 112,120 rows), so each is read once
    distinct = {cell: _codes_of_cell(cell, findings, labels, blank) for cell in column.unique()}
    unread = column.map(lambda cell: isinstance(distinct[cell], str))
    if unread.any():
        first = column[unread].iloc[0]
        problem = str(distinct[first]) if published else f"holds something that is no label of {labels.name}"
        _refuse_first(path, table, unread, findings.column, problem)
    return np.stack([np.asarray(distinct[cell]) for cell in column])


def _codes_of_cell(
    cell: str, findings: FindingsInOneColumn, labels: LabelSet, blank: npt.NDArray[np.int8]
) -> npt.NDArray[np.int8] | str:
    """The codes of one cell, or what is wrong with it."""
    entries = {part.strip() for part in cell.split(findings.separator)} - {""}
    nothing = entries & set(findings.none)
    if nothing and len(entries) > 1:
        return f"holds '{nothing.pop()}' beside another entry"
    # no finding at all is said of every label; a finding that is not listed is only blank
    codes = np.full_like(blank, NEGATIVE) if nothing else blank.copy()
    for entry in sorted(entries - nothing):
        label = labels.find(entry)
        if label is None:
            return f"holds '{entry}', which is no label of {labels.name}"
        codes[labels.names.index(label.name)] = POSITIVE
    return codes
