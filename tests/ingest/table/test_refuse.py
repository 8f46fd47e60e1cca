"""What a message about a table may say: never a text that could be a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr.errors import DataError
from cxr.ingest.table.refuse import listed, refuse


@pytest.mark.parametrize("cell", ["", "2", "-1", "?", "+3", "2.0", "-2.0", "1?", "-"])
def test_cell_of_one_digit_is_quoted(cell):
    with pytest.raises(DataError, match=r"^a/t\.csv: row 7: Effusion '") as error:
        refuse(Path("a/t.csv"), 7, "Effusion", cell, "is wrong")
    assert str(error.value) == f"a/t.csv: row 7: Effusion '{cell}' is wrong"


@pytest.mark.parametrize(
    "cell", ["Doe^John", "x", "12", "-1.5", "2.5", "99999", "1.00", "??", "1\n", "123456", "19530412", "1 2", "04/12", "é"]
)
def test_cell_that_may_name_a_patient_is_not_quoted(cell):
    with pytest.raises(DataError, match=rf"row 7: Effusion \(a text of {len(cell)} characters\) is wrong$"):
        refuse(Path("t.csv"), 7, "Effusion", cell, "is wrong")


@pytest.mark.parametrize(
    ("rows", "text"),
    [([7], "row 7"), ([2, 3], "rows 2, 3"), ([1, 2, 3, 4, 5], "rows 1, 2, 3, 4, 5"), (range(1, 99), "rows 1, 2, 3, 4, 5 ...")],
)
def test_many_rows_are_shortened(rows, text):
    assert listed(rows) == text
