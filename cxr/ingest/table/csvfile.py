"""A CSV file, row by row as a spreadsheet shows it, in batches, so that a table of any length takes bounded memory."""

from __future__ import annotations

import csv
import difflib
import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from cxr.errors import DataError

BATCH = 10_000
"""Rows that are held as texts at a time."""
Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Batch:
    """Some rows of a table.

    Args:
        rows: the number of each, as a spreadsheet shows it: the header is row 1.
        columns: the cells of each column that was asked for, without spaces around them, in the order of the rows.
    """

    rows: list[int]
    columns: dict[str, list[str]]


class CsvFile:
    """A table whose header has been read and found good.

    Args:
        path: the file; it may be compressed with gzip.

    Raises:
        DataError: it cannot be read, has no rows, is separated by semicolons, or names a column twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        first = next(self._rows(), None)
        if first is None:
            raise DataError(f"{path}: cannot be read as a CSV table: it has no rows")
        self.header = [cell.strip() for cell in first[1]]
        if len(self.header) == 1 and ";" in self.header[0]:
            raise DataError(f"{path}: the columns are separated by semicolons; save the table with commas")
        twice = next((name for name, count in Counter(self.header).items() if name and count > 1), None)
        if twice is not None:
            raise DataError(f"{path}: column {self.header.index(twice) + 1} stands twice; is the first row the header?")

    def require(self, columns: Iterable[str]) -> None:
        """Refuse a table without one of these columns.

        Raises:
            DataError: names the column, and the one that resembles it.
        """
        for column in columns:
            if column not in self.header:
                close = difflib.get_close_matches(column, self.header, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise DataError(f"{self.path}: column '{column}' is missing{hint}")

    def left(self, used: Iterable[str]) -> tuple[str, ...]:
        """The columns that are not among those used."""
        return tuple(column for column in self.header if column and column not in set(used))

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """The table's cells, `BATCH` rows at a time.

        Args:
            columns: those wanted; see `require`.

        Raises:
            DataError: there is no row, or a row has more or fewer cells than the header.
        """
        places = {column: self.header.index(column) for column in columns}
        rows = self._rows()
        next(rows)
        any_rows = False
        while part := list(islice(rows, BATCH)):
            any_rows = True
            self._check_width(part)
            yield Batch(
                [number for number, _ in part],
                {column: [cells[place].strip() for _, cells in part] for column, place in places.items()},
            )
        if not any_rows:
            raise DataError(f"{self.path}: cannot be read as a CSV table: it has no rows")

    def _check_width(self, rows: list[Row]) -> None:
        width = len(self.header)
        for number, cells in rows:
            if len(cells) != width and (len(cells) < width or any(cells[width:])):
                raise DataError(f"{self.path}: row {number}: {len(cells)} cells, but the table has {width} columns")

    def _rows(self) -> Iterator[Row]:
        try:
            with self._open() as file:
                yield from (
                    (number, cells) for number, cells in enumerate(csv.reader(file, strict=True), start=1) if any(cells)
                )
        except (OSError, ValueError, EOFError, zlib.error, csv.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{self.path}: cannot be read as a CSV table: {reason}") from error

    def _open(self) -> TextIO:
        if self.path.suffix == ".gz":
            return gzip.open(self.path, "rt", encoding="utf-8-sig", newline="")
        return self.path.open(encoding="utf-8-sig", newline="")
