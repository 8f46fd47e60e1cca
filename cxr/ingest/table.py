"""The label table of a source: how it is laid out, and what its cells say about each image.

A layout is a YAML file under data_manifests/, so that a new table needs no code. Cells are compared whole: findings in
one column are split at the separator first, so that no name is ever found inside another.
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
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TextIO

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, ValidationError

from cxr.config import Section
from cxr.errors import ConfigError, DataError
from cxr.labels import NEGATIVE, POSITIVE, UNCERTAIN, LabelSet
from cxr.yamlfile import read_mapping

_PLAIN_VALUE = re.compile(r"[-+.?\d]{0,5}")


class FindingsInOneColumn(Section):
    """The findings of an image stand in one cell; a finding that is not listed is blank."""

    layout: Literal["list"]
    column: str
    separator: str = "|"
    none: tuple[str, ...] = Field((), description="entries that stand for no finding at all")


class FindingsInColumns(Section):
    """Each finding has its own column."""

    layout: Literal["columns"]
    positive: tuple[str, ...] = ("1", "1.0")
    negative: tuple[str, ...] = ("0", "0.0")
    uncertain: tuple[str, ...] = ("-1", "-1.0")
    blank: tuple[str, ...] = ("",)


class TableFormat(Section):
    """The layout of a label table."""

    key: str = Field(description="the column that names the image")
    key_is: Literal["file", "SOPInstanceUID", "StudyInstanceUID", "AccessionNumber"] = Field(
        "file", description="what the key holds: a file name, matched by its stem, or an attribute of the DICOM file"
    )
    patient: str | None = None
    study: str | None = None
    view: str | None = None
    sex: str | None = None
    age: str | None = None
    findings: Annotated[FindingsInOneColumn | FindingsInColumns, Field(discriminator="layout")]

    def key_of(self, cell: str) -> str:
        """What is compared with a file: the stem of a file name, else the cell itself."""
        return PurePosixPath(cell.strip()).stem if self.key_is == "file" else cell.strip()


@dataclass(frozen=True)
class LabelRow:
    """What a table says about one image.

    Args:
        codes: int8 [labels], 0 to 3 as in `cxr.labels.VALUES`.
        patient, study, view, sex, age: the cells, empty where the table has no such column.
        row: its number as a spreadsheet shows it, 0 for no row.
    """

    codes: npt.NDArray[np.int8]
    patient: str
    study: str
    view: str
    sex: str
    age: str
    row: int = 0


@dataclass(frozen=True)
class LabelTable:
    """A label table, ready for look-up.

    Args:
        rows: by key, see `TableFormat.key_of`.
        sha256: hexadecimal digest of the file.
    """

    rows: dict[str, LabelRow]
    sha256: str


def read_format(path: Path) -> TableFormat:
    """Read a layout.

    Raises:
        ConfigError: the file does not describe one.
    """
    try:
        return TableFormat.model_validate(read_mapping(path))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f"{path}: no such file") from error
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, problem['loc'])) or 'layout'}: {problem['msg']}") from error


def read_table(path: Path, layout: TableFormat, labels: LabelSet) -> LabelTable:
    """Read a label table.

    Raises:
        DataError: a column is missing, a key stands twice, or a cell means nothing; names row and column.
    """
    table = _read_csv(path)
    wanted = [layout.key, layout.patient, layout.study, layout.view, layout.sex, layout.age]
    for column in filter(None, wanted):
        _require(path, table, column)
    keys = table[layout.key].map(layout.key_of)
    _check_keys(path, keys, layout.key)
    if layout.patient:
        _refuse_first(path, table, table[layout.patient].str.strip() == "", layout.patient, "names no patient")
    codes = _codes(path, table, layout.findings, labels)
    context = [_cells(table, column) for column in wanted[1:]]
    rows = {
        key: LabelRow(codes[index], patient, study, view, sex, age, row=int(number))
        for index, (number, key, patient, study, view, sex, age) in enumerate(zip(table.index, keys, *context, strict=True))
    }
    return LabelTable(rows, hashlib.sha256(path.read_bytes()).hexdigest())


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
        raise DataError(f"{path}: column '{twice}' stands twice")
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


def _cells(table: pd.DataFrame, column: str | None) -> list[str]:
    return [""] * len(table) if column is None else table[column].str.strip().tolist()


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
    path: Path, table: pd.DataFrame, findings: FindingsInOneColumn | FindingsInColumns, labels: LabelSet
) -> npt.NDArray[np.int8]:
    if isinstance(findings, FindingsInOneColumn):
        return _codes_of_list(path, table, findings, labels)
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


def _codes_of_list(path: Path, table: pd.DataFrame, findings: FindingsInOneColumn, labels: LabelSet) -> npt.NDArray[np.int8]:
    _require(path, table, findings.column)
    column = table[findings.column]
    blank = np.array([label.blank_code for label in labels.labels], np.int8)
    # a table has few distinct cells (NIH: 836 in 112,120 rows), so each is read once
    distinct = {cell: _codes_of_cell(cell, findings, labels, blank) for cell in column.unique()}
    unread = column.map(lambda cell: isinstance(distinct[cell], str))
    if unread.any():
        first = column[unread].iloc[0]
        _refuse_first(path, table, unread, findings.column, str(distinct[first]))
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
