"""A request to a served model, and its answer: a table with a file in each row, and a table of scores as JSON can carry it."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import pandas as pd

from cxr.errors import DataError
from cxr.ingest.outcome import Refused
from cxr.predict.read import File

COLUMNS = {
    "dicom": "a DICOM file: its bytes, or in JSON their base64 text",
    "path": "where a DICOM file lies on the machine that runs the model",
}
"""What a request may hold; each row has one of the two."""


def files_of(request: pd.DataFrame) -> list[File]:
    """The files that a request names.

    Args:
        request: with one of `COLUMNS`, or both; a cell may be empty where the other one of its row is not.

    Raises:
        DataError: neither column is there, or a row fills both.
    """
    if not set(COLUMNS) & set(request.columns):
        wanted = "; ".join(f"'{name}': {meaning}" for name, meaning in COLUMNS.items())
        raise DataError(f"a request needs a column {wanted}")
    cells = [_cells(request, name) for name in COLUMNS]
    for number, (content, path) in enumerate(zip(*cells, strict=True), start=1):
        if content is not None and path is not None:
            raise DataError(f"row {number} of the request has both 'dicom' and 'path'; give one of them")
    return [_of_path(path) if content is None else _of_content(content) for content, path in zip(*cells, strict=True)]


def as_answer(table: pd.DataFrame) -> pd.DataFrame:
    """A table with None for every cell that has no value, since JSON has no word for NaN."""
    return table.astype(object).where(table.notna(), None)


def _cells(request: pd.DataFrame, name: str) -> list[object]:
    if name not in request.columns:
        return [None] * len(request)
    return [None if cell is None or cell is pd.NA or cell != cell else cell for cell in request[name]]  # NaN is not itself


def _of_content(cell: object) -> File:
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell)
    try:
        return base64.b64decode("".join(str(cell).split()), validate=True)  # some encoders break lines
    except (binascii.Error, ValueError):
        return Refused("unreadable", "neither bytes nor base64 text")


def _of_path(cell: object) -> File:
    if cell is None:
        return b""
    return Path(str(cell)) if "\0" not in str(cell) else Refused("not-read", "no path")
