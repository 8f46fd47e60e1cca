"""A table of any origin, CSV or Parquet, read as it stands: its columns by name, its cells as texts or as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cxr.errors import DataError
from cxr.ingest.table.csvfile import CsvFile
from cxr.ingest.table.refuse import refuse

BLANKS = ("", "nan", "na", "n/a", "null", "<na>")
"""What stands in a cell that says nothing, in small letters."""
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table.

    Args:
        path: the file.
        frame: its columns that have a name; of a CSV file all are texts, without spaces around them.
        rows: int64 [rows], the number of each row: of a CSV file as a spreadsheet shows it, of a Parquet file from 1.
    """

    path: Path
    frame: pd.DataFrame
    rows: npt.NDArray[np.int64]

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.frame.columns)

    def texts(self, column: str) -> pd.Series[str]:
        """The cells of a column as texts; empty where blank. Whole numbers have no decimal point, truth values are 1 and 0."""
        cells = self.frame[column]
        if pd.api.types.is_bool_dtype(cells) or pd.api.types.is_float_dtype(cells):
            cells = cells.astype("float64")
            whole = cells.notna() & (cells % 1 == 0) & (cells.abs() < 2**53)
            texts = cells.astype(object).where(~whole, cells.where(whole, 0).astype("int64").astype(object))
        else:
            texts = cells.astype(object)
        # of a category or a number few distinct values are made texts; the cells of a CSV file are texts already
        return texts.where(cells.notna(), "").astype("str").str.strip()

    def numbers(self, column: str) -> npt.NDArray[np.float64]:
        """The cells of a column as float64 [rows]; NaN where blank.

        Raises:
            DataError: a cell is no number; names its row.
        """
        cells = self.frame[column]
        if pd.api.types.is_numeric_dtype(cells):
            return cells.to_numpy(np.float64, na_value=np.nan)
        texts = self.texts(column)
        numbers = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        unread = np.isnan(numbers)
        wrong = unread.copy()
        wrong[unread] = ~texts[unread].str.casefold().isin(BLANKS).to_numpy()
        if wrong.any():
            place = int(wrong.argmax())
            hint = "; write decimals with a point" if "," in texts.iloc[place] else ""
            refuse(self.path, int(self.rows[place]), column, texts.iloc[place], f"is no number{hint}")
        return numbers


def read_sheet(path: Path) -> Sheet:
    """Read a CSV file, also one compressed with gzip, or a Parquet file, which is one that ends in .parquet or .pq.

    Raises:
        DataError: the file cannot be read, has no rows, is separated by semicolons, or names a column twice.
    """
    return _read_parquet(path) if is_parquet(path) else _sheet(CsvFile(path), None)


def is_parquet(path: Path) -> bool:
    """Whether a file is read as Parquet."""
    return path.suffix.casefold() in _PARQUET


def read_head(path: Path) -> Sheet:
    """The first rows of a CSV file.

    Raises:
        DataError: as `read_sheet`.
    """
    return _sheet(CsvFile(path), 1)


def _sheet(table: CsvFile, batches: int | None) -> Sheet:
    named = [name for name in table.header if name]
    parts: list[pd.DataFrame] = []
    rows: list[int] = []
    for batch in islice(table.batches(named), batches):
        parts.append(pd.DataFrame(batch.columns, dtype="str"))
        rows += batch.rows
    return Sheet(table.path, pd.concat(parts, ignore_index=True), np.array(rows, np.int64))


def _read_parquet(path: Path) -> Sheet:
    try:
        table: Any = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: cannot be read as a Parquet table: {str(error).splitlines()[0]}") from error
    names = [str(name) for name in table.column_names]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path}: column '{twice}' stands twice")
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    if frame.empty:
        raise DataError(f"{path}: cannot be read as a table: it has no rows")
    return Sheet(path, frame, np.arange(1, len(frame) + 1))
