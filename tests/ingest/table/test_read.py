"""What the cells of a label table say: compared whole, four values kept apart, every refusal with its row."""

from __future__ import annotations

import csv
import gzip
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxr.errors import ConfigError, DataError
from cxr.ingest.table.layout import TableFormat, read_format
from cxr.ingest.table.read import read_table
from cxr.labels.label_set import Label, LabelSet, read_label_set
from cxr.labels.shipped import SHIPPED
from cxr.labels.values import NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN

NIH = read_label_set(SHIPPED / "nih14" / "labels.yaml")
NIH_TABLE = read_format(SHIPPED / "nih14" / "table.yaml")
STUDY_TABLE = read_format(SHIPPED / "study" / "table.yaml")
SMALL = LabelSet(
    name="small",
    labels=(
        Label(name="Mass"),
        Label(name="Massive Effusion", blank="negative"),
        Label(name="Effusion", synonyms=("Pleural Effusion", "Erguss")),
    ),
)
HEADER = "Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position"


@pytest.fixture
def table(tmp_path):
    """Writes a text as a table and reads it."""

    def call(text, layout, labels):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_table(path, layout, labels)

    return call


def codes(table, key):
    return table.codes[table.keys.index(key)]


def nih(*cells):
    return "\n".join([HEADER, *(f"{index}.png,{cell},7,045Y,M,PA" for index, cell in enumerate(cells))]) + "\n"


def in_columns(**cells):
    return TableFormat.model_validate({"key": "image", "findings": {"layout": "columns", **cells}})


IN_LIST = TableFormat.model_validate({"key": "image", "findings": {"layout": "list", "column": "found", "none": ["None"]}})


def test_nih_cell_is_split_at_its_separators_and_compared_whole(table):
    rows = table(nih("Mass|Nodule", "No Finding", "Pleural_Thickening", "Mass | Effusion"), NIH_TABLE, NIH)
    found = [{NIH.names[index] for index in np.flatnonzero(row == POSITIVE)} for row in rows.codes]
    assert found == [{"Mass", "Nodule"}, set(), {"Pleural_Thickening"}, {"Mass", "Effusion"}]
    assert set(rows.codes.ravel().tolist()) == {POSITIVE, NEGATIVE}


def test_nih_context_is_read_from_its_columns(table):
    row = table(nih("Mass"), NIH_TABLE, NIH).context.iloc[0]
    assert (row.patient, row.study, row.view, row.sex, row.age) == ("7", "", "PA", "M", "045Y")


def test_name_inside_another_name_is_not_found(table):
    rows = table("image,found\na,Massive Effusion\nb,Pleural Effusion\n", IN_LIST, SMALL)
    assert codes(rows, "a").tolist() == [UNKNOWN, POSITIVE, UNKNOWN]
    assert codes(rows, "b").tolist() == [UNKNOWN, NEGATIVE, POSITIVE]


@pytest.mark.parametrize("cell", ["Masses", "Mas", "Mass;Nodule", "Hydropneumothorax", "Mass|?"])
def test_unknown_finding_names_row_and_column(table, cell):
    with pytest.raises(DataError, match=r"table\.csv: row 3: Finding Labels .*which is no label of nih14"):
        table(nih("Mass", cell, "Mass"), NIH_TABLE, NIH)


def test_columns_keep_the_four_values_apart(table):
    rows = table(
        "image,Mass,Massive Effusion,Effusion\na,1,0,-1\nb,,,\nc,1.0,-1.0,0.0\n", in_columns(), SMALL
    )  # a blank cell means what the label set says
    assert codes(rows, "a").tolist() == [POSITIVE, NEGATIVE, UNCERTAIN]
    assert codes(rows, "b").tolist() == [UNKNOWN, NEGATIVE, UNKNOWN]
    assert codes(rows, "c").tolist() == [POSITIVE, UNCERTAIN, NEGATIVE]
    assert codes(rows, "a").dtype == np.int8


@pytest.mark.parametrize("cell", ["2", "yes", "0.5", "NaN", "NA", "nan", "-2", "1 1", "unknown", "Doe^John"])
def test_fifth_value_is_refused_with_its_row(table, cell):
    shown = f"'{cell}'" if cell[-1].isdigit() and " " not in cell else rf"\(a text of {len(cell)} characters\)"
    with pytest.raises(DataError, match=rf"row 3: Effusion {shown} is none of"):
        table(f"image,Mass,Massive Effusion,Effusion\na,1,0,1\nb,1,0,{cell}\n", in_columns(), SMALL)


def test_values_of_a_layout_of_ones_own(table):
    layout = in_columns(positive=["yes"], negative=["no"], uncertain=["maybe"], blank=["", "n/a"])
    rows = table("image,Mass,Massive Effusion,Effusion\na,yes,no,maybe\nb,n/a,n/a,\n", layout, SMALL)
    assert rows.codes.tolist() == [[1, 0, UNCERTAIN], [UNKNOWN, NEGATIVE, UNKNOWN]]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(["image", "Mass", "Massive Effusion", "Effusion", "remark"]), data=st.data())
def test_order_of_columns_does_not_matter(table, order, data):
    cells = data.draw(st.lists(st.tuples(*[st.sampled_from(["1", "0", "-1", ""])] * 3), min_size=1, max_size=6))
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(order)
    for index, (mass, massive, effusion) in enumerate(cells):
        values = {"image": str(index), "Mass": mass, "Massive Effusion": massive, "Effusion": effusion, "remark": 'a,"b'}
        writer.writerow([values[name] for name in order])
    rows = table(buffer.getvalue(), in_columns(), SMALL)
    code = {"1": POSITIVE, "0": NEGATIVE, "-1": UNCERTAIN, "": UNKNOWN}
    expected = [[code[a], NEGATIVE if b == "" else code[b], code[c]] for a, b, c in cells]
    assert rows.codes.tolist() == expected


@pytest.mark.parametrize("name", ["Erguss", "pleural effusion", "EFFUSION"])
def test_column_may_have_a_synonym_for_its_name(table, name):
    assert table(f"image,Mass,Massive Effusion,{name}\na,1,0,-1\n", in_columns(), SMALL).codes[0, 2] == UNCERTAIN


@pytest.mark.parametrize(
    ("name", "message"), [("Erguss", "2 columns: Effusion, Erguss"), ("Effusion", "column 4 stands twice")]
)
def test_two_columns_for_one_label_are_refused(table, name, message):
    with pytest.raises(DataError, match=message):
        table(f"image,Mass,Massive Effusion,Effusion,{name}\na,1,0,1,0\n", in_columns(), SMALL)


def test_label_without_column_is_refused_with_the_nearest_name(table):
    with pytest.raises(DataError, match="label 'Effusion' has no column; did you mean Efusion"):
        table("image,Mass,Massive Effusion,Efusion\na,1,0,1\n", in_columns(), SMALL)


def test_missing_column_is_refused_with_the_nearest_name(table):
    with pytest.raises(DataError, match=r"column 'Patient ID' is missing; did you mean PatientID\?"):
        table(nih("Mass").replace("Patient ID", "PatientID"), NIH_TABLE, NIH)


def test_key_that_stands_twice_names_both_rows_and_not_the_key(table):
    text = "StudyInstanceUID,Mass,Massive Effusion,Effusion\n1.2.77,1,0,1\n1.2.88,1,0,1\n 1.2.77,0,0,1\n"
    with pytest.raises(DataError, match="row 4: StudyInstanceUID is the same as in row 2") as error:
        table(text, STUDY_TABLE, SMALL)
    assert "1.2.77" not in str(error.value)


def test_file_names_that_differ_in_folder_and_suffix_only_are_one_key(table):
    with pytest.raises(DataError, match="row 3: image is the same as in row 2"):
        table("image,found\na/1.png,Mass\nb/1.jpg,Mass\n", IN_LIST, SMALL)


@pytest.mark.parametrize(("old", "message"), [("1.png", "row 3: Image Index names no image"), (",7,", "row 2: Patient ID")])
def test_blank_key_or_patient_is_refused_with_its_row(table, old, message):
    with pytest.raises(DataError, match=message):
        table(nih("Mass", "Mass").replace(old, ",," if old == ",7," else ""), NIH_TABLE, NIH)


@pytest.mark.parametrize("row", ["b", "b,Mass,x", "b,Mass,,x"])
def test_row_of_another_length_is_refused_and_never_shifted(table, row):
    with pytest.raises(DataError, match=r"row 3: \d cells, but the table has 2 columns"):
        table(f"image,found\na,Mass\n{row}\n", IN_LIST, SMALL)


def test_commas_behind_the_rows_shift_nothing(table):
    rows = table("image,found\na,Mass,\nb,None,\n", IN_LIST, SMALL)
    assert rows.keys == ["a", "b"]
    assert codes(rows, "a")[0] == POSITIVE


def test_blank_lines_do_not_shift_the_row_numbers(table):
    with pytest.raises(DataError, match="row 5: found"):
        table("image,found\n\na,Mass\n,\nb,Maas\n", IN_LIST, SMALL)


def test_byte_order_mark_and_windows_line_ends_are_read(table):
    assert table(b"\xef\xbb\xbfimage,found\r\na,Mass\r\n", IN_LIST, SMALL).keys == ["a"]


@pytest.mark.parametrize(
    "content", [b"", b"image,found\n", b"\n\n", b"image,found\n\xff\xfe,Mass\n", b'image,found\n"a,Mass\n']
)
def test_file_that_is_no_table_is_refused_by_name(table, content):
    with pytest.raises(DataError, match=r"table\.csv: cannot be read as a CSV table"):
        table(content, IN_LIST, SMALL)


def test_packed_table_is_read_and_a_damaged_one_refused(tmp_path):
    path = tmp_path / "table.csv.gz"
    packed = gzip.compress(b"image,found\na,Mass\nb,None\n", mtime=0)
    path.write_bytes(packed)
    assert read_table(path, IN_LIST, SMALL).keys == ["a", "b"]
    for damaged in (packed[:-9], packed[:12] + b"\xff\xff" + packed[14:], b"image,found\na,Mass\n"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"table\.csv\.gz: cannot be read as a CSV table"):
            read_table(path, IN_LIST, SMALL)


def test_missing_table_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: cannot be read.*No such file"):
        read_table(tmp_path / "none.csv", IN_LIST, SMALL)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: "image,found\n" + text))
def test_any_bytes_are_read_or_refused_in_words(table, content):
    try:
        rows = table(content, IN_LIST, SMALL)
    except DataError:
        return
    assert set(rows.codes.ravel().tolist()) <= {POSITIVE, NEGATIVE, UNKNOWN}


@pytest.mark.parametrize("name", ["nih14", "phantom", "plain", "study"])
def test_shipped_layouts_are_read(name):
    assert read_format(SHIPPED / name / "table.yaml").key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key: a\nfindings: {layout: rows}\n", "findings"),
        ("findings: {layout: columns}\n", "key"),
        ("key: a\nkey_is: PatientID\nfindings: {layout: columns}\n", "key_is"),
        ("key: a\npatients: b\nfindings: {layout: columns}\n", "patients"),
        ("key: [\n", "YAML"),
        ("", "not a mapping of keys"),
    ],
)
def test_wrong_layout_file_names_file_and_key(tmp_path, text, message):
    path = tmp_path / "table.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"table\.yaml: .*{message}"):
        read_format(path)


def test_semicolons_are_told_as_such(table):
    with pytest.raises(DataError, match="separated by semicolons"):
        table("image;Mass;Massive Effusion;Effusion\na;1;0;1\n", in_columns(), SMALL)


def test_row_knows_its_number_as_a_spreadsheet_shows_it(table):
    rows = table("image,Mass,Massive Effusion,Effusion\na,1,0,1\n\nb,1,0,0\n", in_columns(), SMALL)
    assert rows.context["row"].tolist() == [2, 4]
