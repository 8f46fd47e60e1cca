"""A CSV file in batches: the cells and row numbers that a spreadsheet shows, and a refusal in words for anything else."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.ingest.table import csvfile
from cxr.ingest.table.csvfile import CsvFile


@pytest.fixture
def written(tmp_path):
    """Writes a text or bytes as a table."""

    def call(content: str | bytes, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return call


def cells_of(path: Path, *columns: str) -> tuple[list[int], list[tuple[str, ...]]]:
    """The row numbers and the rows of a table, all batches joined."""
    table = CsvFile(path)
    table.require(columns)
    rows, cells = [], []
    for batch in table.batches(columns):
        rows += batch.rows
        cells += zip(*(batch.columns[column] for column in columns), strict=True)
    return rows, cells


def test_cells_come_in_the_order_asked_for_and_without_spaces_around_them(written):
    assert cells_of(written("a,b,c\n 1 ,2,3\n4,\t5,6 \n"), "c", "a") == ([2, 3], [("3", "1"), ("6", "4")])


def test_header_with_spaces_names_the_same_columns(written):
    path = written(" a ,b\t, c d ,  \n1,2,3,4\n")
    assert CsvFile(path).header == ["a", "b", "c d", ""]
    assert cells_of(path, "b", "c d", "a") == ([2], [("2", "3", "1")])
    assert CsvFile(path).left(["a"]) == ("b", "c d")


def test_columns_that_differ_in_spaces_alone_stand_twice(written):
    with pytest.raises(DataError, match="column 1 stands twice"):
        CsvFile(written("a, a\n1,2\n"))


def test_quotes_commas_and_line_ends_inside_a_cell_stay_in_it(written):
    rows, cells = cells_of(written('a,b\n"1, ""x""","two\nlines"\n3,4\n'), "a", "b")
    assert cells == [('1, "x"', "two\nlines"), ("3", "4")]
    assert rows == [2, 3]  # as a spreadsheet shows them, not lines of the file


def test_blank_lines_are_no_rows_but_count_as_rows(written):
    assert cells_of(written("\na,b\n\n1,2\n,\n3,4\n"), "a")[0] == [4, 6]


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_mark_and_windows_line_ends_are_no_part_of_a_cell(written, start, end):
    assert cells_of(written(f"{start}a,b{end}1,2{end}"), "a", "b") == ([2], [("1", "2")])


def test_packed_table_is_read_and_a_damaged_one_refused(written):
    packed = gzip.compress(b"a,b\n1,2\n", mtime=0)
    assert cells_of(written(packed, "t.csv.gz"), "b") == ([2], [("2",)])
    for damaged in (packed[:-9], packed[:12] + b"\xff\xff" + packed[14:], b"a,b\n1,2\n"):
        with pytest.raises(DataError, match=r"t\.csv\.gz: cannot be read as a CSV table"):
            cells_of(written(damaged, "t.csv.gz"), "b")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"a,b\n", b"a,b\n\xff\xfe,1\n", b'a,b\n"1,2\n', b'a,b\n"1"2,3\n'])
def test_file_that_is_no_table_is_refused_by_name(written, content):
    with pytest.raises(DataError, match=r"table\.csv: cannot be read as a CSV table"):
        cells_of(written(content), "a")


def test_missing_table_and_a_folder_are_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: cannot be read.*No such file"):
        CsvFile(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"cannot be read.*Is a directory"):
        CsvFile(tmp_path)


@pytest.mark.parametrize("row", ["1", "1,2,3", "1,2,,3"])
def test_row_of_another_length_is_refused_and_never_shifted(written, row):
    with pytest.raises(DataError, match=r"table\.csv: row 3: \d cells, but the table has 2 columns"):
        cells_of(written(f"a,b\n1,2\n{row}\n"), "a", "b")


def test_row_of_another_length_is_found_in_any_batch(written, monkeypatch):
    monkeypatch.setattr(csvfile, "BATCH", 2)
    with pytest.raises(DataError, match="row 7: 1 cells"):
        cells_of(written("a,b\n" + "1,2\n" * 5 + "1\n"), "a")


def test_blank_cells_behind_a_row_shift_nothing(written):
    assert cells_of(written("a,b\n1,2,\n3,4,,\n"), "a", "b")[1] == [("1", "2"), ("3", "4")]


def test_column_that_stands_twice_is_refused_by_its_place_and_not_by_its_name(written):
    with pytest.raises(DataError, match="column 2 stands twice; is the first row the header") as error:
        CsvFile(written("7,Doe,Doe\n"))
    assert "Doe" not in str(error.value)  # where the header is missing, a cell is no name of a column


def test_columns_without_a_name_may_be_several(written):
    table = CsvFile(written("a,,b,,\n1,2,3,4,5\n"))
    assert table.left(["a"]) == ("b",)
    assert [batch.columns for batch in table.batches(["b"])] == [{"b": ["3"]}]


def test_missing_column_is_named_with_the_one_that_resembles_it(written):
    table = CsvFile(written("Patient ID,Path\n1,2\n"))
    with pytest.raises(DataError, match=r"table\.csv: column 'PatientID' is missing; did you mean Patient ID\?"):
        table.require(["Path", "PatientID"])
    with pytest.raises(DataError, match=r"column 'Sex' is missing$"):
        table.require(["Sex"])


def test_semicolons_are_told_as_such(written):
    with pytest.raises(DataError, match="separated by semicolons; save the table with commas"):
        CsvFile(written("a;b;c\n1;2;3\n"))


def test_columns_left_are_those_not_used(written):
    assert CsvFile(written("a,b,c\n1,2,3\n")).left(["b"]) == ("a", "c")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n")), min_size=3, max_size=3), min_size=1),
    st.integers(1, 4),
)
def test_any_cells_are_read_as_written_whatever_the_batches(written, rows, size):
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([["a", "b", "c"], *(["x", *row[1:]] for row in rows)])
    path = written(buffer.getvalue())
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(csvfile, "BATCH", size)
        assert max(len(batch.rows) for batch in CsvFile(path).batches(["a"])) <= size
        found = cells_of(path, "a", "c", "b")
    assert found == (list(range(2, 2 + len(rows))), [("x", c.strip(), b.strip()) for _, b, c in rows])
