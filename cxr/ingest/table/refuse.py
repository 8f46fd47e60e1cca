"""What a message about a table may say: row and column always, a cell only where it cannot name a patient."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cxr.errors import DataError

_PLAIN_VALUE = re.compile(r"[-+]?\d?(\.0)?\??")


def refuse(path: Path, row: int, column: str, cell: str, problem: str) -> NoReturn:
    """Refuse a table for one of its cells.

    Args:
        path: the table.
        row: as a spreadsheet shows it.
        column: its name.
        cell: quoted only where it is one digit or less: in the wrong column a text or a number may name a patient.
        problem: what is wrong, as the end of a sentence.

    Raises:
        DataError: always.
    """
    shown = f"'{cell}'" if _PLAIN_VALUE.fullmatch(cell) else f"(a text of {len(cell)} characters)"
    raise DataError(f"{path}: row {row}: {column} {shown} {problem}")


def listed(rows: Sequence[int]) -> str:
    """Some row numbers, and how many there are: "row 7" or "rows 2, 3, 4 ..."."""
    shown = ", ".join(map(str, rows[:5])) + (" ..." if len(rows) > 5 else "")
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}"
