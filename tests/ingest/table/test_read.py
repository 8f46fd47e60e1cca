"""Reading a label table whole: what is said of each image, every refusal with its row, the official NIH table counted."""

from __future__ import annotations

import csv
import gzip
import io
import random
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxr.errors import ConfigError, CxrError, DataError
from cxr.fingerprint import digest_file
from cxr.ingest.table import csvfile
from cxr.ingest.table.layout import TableFormat, read_format
from cxr.ingest.table.read import read_table
from cxr.labels.label_set import Label, LabelSet, read_label_set
from cxr.labels.shipped import SHIPPED, find_format
from cxr.labels.values import BLANK, NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN

NIH = read_label_set(SHIPPED / "nih14" / "labels.yaml")
CHEXPERT = read_label_set(SHIPPED / "chexpert" / "labels.yaml")
NIH_TABLE, PLAIN_TABLE, STUDY_TABLE = (read_format(SHIPPED / name / "table.yaml") for name in ("nih14", "plain", "study"))
MIMIC_TABLE = read_format(SHIPPED / "mimic" / "table.yaml")
SMALL = LabelSet(
    name="small",
    labels=(
        Label(name="Mass"),
        Label(name="Massive Effusion", blank="negative"),
        Label(name="Effusion", synonyms=("Pleural Effusion", "Erguss")),
    ),
)
HEADER = "Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position"
FIXTURE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
B, N, P, U, K = BLANK, NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN


@pytest.fixture
def table(tmp_path):
    """Writes a text as a table, and another one as the table of images, and reads them."""

    def call(text, layout, labels, images=None, published=True):
        path, image_path = tmp_path / "table.csv", None if images is None else tmp_path / "images.csv"
        for name, content in ((path, text), (image_path, images)):
            if name is not None:
                name.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(path, layout, labels, images=image_path, published=published)

    return call


def codes(table, key):
    return table.codes[table.images["key"].tolist().index(key)].tolist()


def nih(*cells):
    return "\n".join([HEADER, *(f"{index}.png,{cell},7,045Y,M,PA" for index, cell in enumerate(cells))]) + "\n"


def in_columns(**keys):
    findings = {"layout": "columns", **{name: keys.pop(name) for name in ("positive", "blank") if name in keys}}
    return TableFormat.model_validate({"key": "image", "findings": findings, **keys})


def in_list(**keys):
    return TableFormat.model_validate(
        {"key": "image", "findings": {"layout": "list", "column": "found", "none": ["None"]}, **keys}
    )


IN_LIST = in_list()
BOXES, READERS = in_list(several_rows="boxes"), in_list(reader="by")
BOXES_OF_READERS = in_list(several_rows="boxes", reader="by")


def test_nih_cell_is_split_at_its_separators_and_compared_whole(table):
    rows = table(nih("Mass|Nodule", "No Finding", "Pleural_Thickening", "Mass | Effusion"), NIH_TABLE, NIH)
    found = [{NIH.names[index] for index in np.flatnonzero(row == P)} for row in rows.codes]
    assert found == [{"Mass", "Nodule"}, set(), {"Pleural_Thickening"}, {"Mass", "Effusion"}]
    assert set(NIH.settle(rows.codes).ravel().tolist()) == {P, N}
    assert [set(row.tolist()) for row in rows.codes] == [{P, B}, {N}, {P, B}, {P, B}]


def test_context_notes_and_digests_stand_beside_the_codes(table, tmp_path):
    rows = table(nih("Mass").replace("View Position", "View Position,Follow-up #").replace("PA\n", "PA,3\n"), NIH_TABLE, NIH)
    row = rows.images.iloc[0]
    assert (row["key"], row["patient"], row["study"], row["view"], row["sex"], row["age_years"]) == (
        "0",
        "7",
        "",
        "PA",
        "M",
        45,
    )
    assert (row["row"], row["labelled"], len(rows)) == (2, True, 1)
    assert rows.notes.columns_left == ("Follow-up #",)
    assert rows.digests == {"table": digest_file(tmp_path / "table.csv")}


def test_p8_another_version_of_the_table_has_another_digest(table):
    """P8: labels of another version of the file are told from the ones that a run was made with."""
    one, same, other = (table(nih(cell), NIH_TABLE, NIH).digests["table"] for cell in ("Mass", "Mass", "Nodule"))
    assert one == same != other


def test_p1_rows_of_one_patient_stay_themselves(table):
    """P1: `groupby().first()` takes the first value per column, and so attaches the labels of one image to another."""
    text = "image,patient_id,view,sex,age,Mass,Massive Effusion,Effusion\na,7,PA,F,50,,1,\nb,7,PA,F,50,1,,-1\nc,7,PA,F,50,0,,\n"
    rows = table(text, PLAIN_TABLE, SMALL)
    assert rows.codes.tolist() == [[B, P, B], [P, B, U], [N, B, B]]
    assert rows.images["patient"].tolist() == ["7"] * 3


def test_p1_boxes_and_readers_of_two_images_never_meet(table):
    """P1: rows are made one by the key alone, wherever they stand."""
    text = "image,found,by\na,Mass,R1\nb,Effusion,R1\na,Mass,R2\nb,None,R2\na,Mass,R3\nb,None,R3\n"
    assert table(text.replace("None", "Effusion"), BOXES, SMALL).codes.tolist() == [[P, B, B], [B, B, P]]
    rows = table(text, BOXES_OF_READERS, SMALL)
    assert (codes(rows, "a"), codes(rows, "b")) == ([P, B, B], [N, N, N])


def test_p3_no_value_but_the_five_leaves_a_table(table):
    """P3: -1 and NaN that a chained assignment leaves in place are targets to a careless loss."""
    rows = table("image,Mass,Massive Effusion,Effusion\na,1,0,-1\nb,,,\nc,1.0,-1.0,0.0\n", in_columns(), SMALL)
    assert rows.codes.dtype == np.int8
    assert rows.codes.tolist() == [[P, N, U], [B, B, B], [P, U, N]]
    targets = SMALL.targets(SMALL.settle(rows.codes))
    assert set(targets[~np.isnan(targets)].tolist()) <= {0, 1}


def test_p4_blank_is_unknown_or_negative_as_each_label_says_and_uncertain_is_neither(table):
    """P4: where blank and uncertain are folded to 0, what nobody looked for is taught as absent."""
    rows = table("image,Mass,Massive Effusion,Effusion\na,-1,-1,-1\nb,,,\nc,0,0,0\n", in_columns(), SMALL)
    assert SMALL.settle(rows.codes).tolist() == [[U, U, U], [K, N, K], [N, N, N]]
    assert np.isnan(SMALL.targets(SMALL.settle(rows.codes))).tolist() == [[True] * 3, [True, False, True], [False] * 3]


@FIXTURE
@given(st.permutations(["image", "Mass", "Massive Effusion", "Effusion", "remark"]), st.data())
def test_p7_order_of_columns_does_not_matter(table, order, data):
    """P7: labels are joined by name."""
    cells = data.draw(st.lists(st.tuples(*[st.sampled_from(["1", "0", "-1", ""])] * 3), min_size=1, max_size=6))
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(order)
    for index, (mass, massive, effusion) in enumerate(cells):
        values = {"image": str(index), "Mass": mass, "Massive Effusion": massive, "Effusion": effusion, "remark": 'a,"b'}
        writer.writerow([values[name] for name in order])
    code = {"1": P, "0": N, "-1": U, "": B}
    assert table(buffer.getvalue(), in_columns(), SMALL).codes.tolist() == [[code[cell] for cell in row] for row in cells]


def test_p9_name_inside_another_name_is_not_found(table):
    """P9: compared whole."""
    rows = table("image,found\na,Massive Effusion\nb,Pleural Effusion\n", IN_LIST, SMALL)
    assert codes(rows, "a") == [B, P, B]
    assert codes(rows, "b") == [B, B, P]


@pytest.mark.parametrize(
    ("text", "layout", "message"),
    [
        ("image,found\na,Mass\nb,Maas\n", IN_LIST, r"row 3: found .* holds 'Maas', .* did you mean Mass\?"),
        ("image,found\n\na,Mass\n,\nb,Maas\n", IN_LIST, "row 5: found"),
        ("image,Mass,Massive Effusion,Efusion\na,1,0,1\n", in_columns(), r"label 'Effusion' has no .* did you mean Efusion\?"),
        ("image,Mass,Massive Effusion,Effusion\na,1,0,1\nb,0,2,1\n", in_columns(), "row 3: Massive Effusion '2' is none of"),
        ("image,Mass,Massive Effusion,Effusion,Effusion\na,1,0,1,0\n", in_columns(), "column 4 stands twice"),
        ("image;Mass;Massive Effusion;Effusion\na;1;0;1\n", in_columns(), "separated by semicolons"),
        ("image,found\na/1.png,Mass\nb/1.jpg,Mass\n", IN_LIST, "row 3: image is the same as in row 2"),
        ("image,found\na,Mass\n,Mass\n", IN_LIST, "row 3: image names no image"),
        ("image,found\na,Mass\n,Mass\n", BOXES, "row 3: image names no image"),
        ("image,found\na,Mass\nb\n", IN_LIST, "row 3: 1 cells, but the table has 2 columns"),
        ("image,found\na,Mass\nb,Mass,x\n", IN_LIST, "row 3: 3 cells, but the table has 2 columns"),
        ("image,found\na,Mass\nb,Effusion\na,None\n", BOXES, "rows 2, 4: one says yes and another one no to Mass"),
        ("image,found,by\na,Mass,R1\na,Mass,R2\na,None,R1\n", READERS, "row 4: image with by is the same as in row 2"),
        ("image,found,by\na,Mass,R1\na,None,R2\na,None,R1\n", BOXES_OF_READERS, "rows 2, 4: one says yes and another one no"),
        ("file,found\na,Mass\n", IN_LIST, "column 'image' is missing"),
        ("image,found\na,Mass\n", READERS, "column 'by' is missing"),
    ],
)  # fmt: skip
def test_table_is_refused_with_its_row_or_column(table, text, layout, message):
    with pytest.raises(DataError, match=rf"table\.csv: .*(?:{message})") as error:
        table(text, layout, SMALL)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("layout", [in_list(several_rows="boxes", patient="who"), in_list(reader="by", patient="who")])
def test_one_image_of_two_patients_is_refused_with_all_its_rows(table, layout):
    text = "image,found,by,who\na,Mass,R1,Doe\nb,Mass,R1,Roe\na,Mass,R2,Doe\na,Mass,R3,Roe\n"
    with pytest.raises(DataError, match=r"table\.csv: rows 2, 4, 5: one image, but more than one patient$") as error:
        table(text, layout, SMALL)
    assert "Doe" not in str(error.value)


@pytest.mark.parametrize("published", [True, False])
def test_key_that_stands_twice_names_both_rows_and_never_the_key(table, published):
    text = "StudyInstanceUID,Mass,Massive Effusion,Effusion\n1.2.77,1,0,1\n1.2.88,1,0,1\n 1.2.77,0,0,1\n"
    with pytest.raises(DataError, match="row 4: StudyInstanceUID is the same as in row 2") as error:
        table(text, STUDY_TABLE, SMALL, published=published)
    assert "1.2.77" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"), [("1.png", "", "row 3: Image Index names no image"), (",7,", ",,", "row 2: Patient ID")]
)
def test_blank_key_or_patient_is_refused_with_its_row(table, old, new, message):
    with pytest.raises(DataError, match=message):
        table(nih("Mass", "Mass").replace(old, new), NIH_TABLE, NIH)


def test_patient_that_its_pattern_does_not_find_is_refused_with_its_row_and_not_its_text(table):
    header = "Path,Sex,Age,Frontal/Lateral,AP/PA," + ",".join(CHEXPERT.names)
    rows = "".join(f"train/{name}/study1/v.jpg,Male,50,Frontal,AP{',1' * 14}\n" for name in ("patient1", "JohnDoe"))
    with pytest.raises(DataError, match=r"row 3: Path \(a text of \d+ characters\) names no patient") as error:
        table(f"{header}\n{rows}", read_format(SHIPPED / "chexpert" / "table.yaml"), CHEXPERT)
    assert "Doe" not in str(error.value)


@pytest.mark.parametrize("shuffle", range(5))
def test_confidential_table_never_quotes_a_text_cell(table, shuffle):
    """Whatever column a name has slipped into, and whatever is wrong with the row."""
    chosen = random.Random(shuffle)
    cells = ["Doe^John", "Doe", "Doe", "Doe", "Doe", "Doe^John", "Doe", "1"]
    header = ["image", "patient_id", "view", "sex", "age", "Mass", "Massive Effusion", "Effusion"]
    for layout, columns in ((PLAIN_TABLE, header), (in_list(patient="patient_id"), ["image", "found", "patient_id", *"abcde"])):
        good = [
            ["1" if name in SMALL.names else "None" if name == "found" else str(row) for name in columns] for row in range(4)
        ]
        place = chosen.randrange(4)
        for bad in (
            cells,
            [*cells, "Doe"],
            cells[:3],
            ["Doe", *good[place][1:]],
            good[place][:5] + ["Doe"] * (len(columns) - 5),
        ):
            rows = [*good[:place], bad, *good[place:]]
            text = "\n".join(",".join(row) for row in [columns, *rows, rows[0]]) + "\n"
            with pytest.raises(DataError, match="row") as error:
                table(text, layout, SMALL, published=False)
            assert "Doe" not in str(error.value)
            assert "John" not in str(error.value)


def test_commas_behind_the_rows_shift_nothing(table):
    rows = table("image,found\na,Mass,\nb,None,\n", IN_LIST, SMALL)
    assert rows.images["key"].tolist() == ["a", "b"]
    assert codes(rows, "a")[0] == P


def test_byte_order_mark_and_windows_line_ends_are_read(table):
    assert table(b"\xef\xbb\xbfimage,found\r\na,Mass\r\n", IN_LIST, SMALL).images["key"].tolist() == ["a"]


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
    assert read_table(path, IN_LIST, SMALL).images["key"].tolist() == ["a", "b"]
    for damaged in (packed[:-9], packed[:12] + b"\xff\xff" + packed[14:], b"image,found\na,Mass\n"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"table\.csv\.gz: cannot be read as a CSV table"):
            read_table(path, IN_LIST, SMALL)


def test_missing_table_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: cannot be read.*No such file"):
        read_table(tmp_path / "none.csv", IN_LIST, SMALL)


@settings(FIXTURE, max_examples=60)
@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: "image,found\n" + text))
def test_any_bytes_are_read_or_refused_in_words(table, content):
    try:
        rows = table(content, IN_LIST, SMALL)
    except DataError:
        return
    assert set(rows.codes.ravel().tolist()) <= {P, N, B}


def test_row_knows_its_number_as_a_spreadsheet_shows_it(table):
    rows = table("image,Mass,Massive Effusion,Effusion\na,1,0,1\n\nb,1,0,0\n", in_columns(), SMALL)
    assert rows.images["row"].tolist() == [2, 4]


def test_image_of_several_rows_has_the_number_of_its_first(table):
    rows = table("image,found\nb,Mass\na,Mass\nb,Effusion\n", BOXES, SMALL)
    assert rows.images[["key", "row"]].to_numpy().tolist() == [["b", 2], ["a", 3]]


def test_three_readers_who_disagree_are_outvoted_and_counted(table):
    text = "image,found,by\na,Mass,R1\na,Mass|Effusion,R2\na,None,R3\nb,None,R1\nb,None,R2\nb,None,R9\n"
    rows = table(text, READERS, SMALL)
    assert rows.codes.tolist() == [[P, N, U], [N, N, N]]  # of Effusion one says yes, one no, and one nothing
    mass = rows.notes.agreement[0]
    assert (mass.name, mass.images, mass.agreed) == ("Mass", 2, 1)
    by_rule = {rule: table(text, in_list(reader="by", agreement=rule), SMALL).codes[0, 0] for rule in ("unanimous", "any")}
    assert by_rule == {"unanimous": U, "any": P}


def test_reader_who_says_nothing_is_one_who_does_not_agree(table):
    """Mass is said by two of three and is unknown where blank; whoever is outnumbered by silence decides nothing."""
    text = "image,found,by\na,Mass,R1\na,Mass,R2\na,Effusion,R3\nb,Mass,R1\nb,Effusion,R2\nb,Effusion,R3\n"
    found = {rule: table(text, in_list(reader="by", agreement=rule), SMALL) for rule in ("majority", "unanimous", "any")}
    assert {rule: read.codes[:, 0].tolist() for rule, read in found.items()} == {
        "majority": [P, U], "unanimous": [U, U], "any": [P, P],
    }  # fmt: skip


def test_uncertain_reader_counts_as_one_who_says_neither(table):
    reads = {"a": ("1", "-1", "0"), "b": ("1", "1", "-1"), "c": ("1", "-1", "-1"), "d": ("0", "0", "-1")}
    lines = [f"{image},{cell},0,0,R{by}\n" for image, cells in reads.items() for by, cell in enumerate(cells)]
    text = "image,Mass,Massive Effusion,Effusion,by\n" + "".join(lines)
    found = {rule: table(text, in_columns(reader="by", agreement=rule), SMALL) for rule in ("majority", "unanimous", "any")}
    assert {rule: read.codes[:, 0].tolist() for rule, read in found.items()} == {
        "majority": [U, P, U, N], "unanimous": [U, U, U, U], "any": [P, P, P, U],
    }  # fmt: skip


def test_header_with_spaces_names_the_same_columns(table):
    plain = table("image,found,by\na,Mass,R1\nb,None,R2\n", READERS, SMALL)
    assert table(" image, found ,by \na,Mass,R1\nb,None,R2\n", READERS, SMALL).codes.tolist() == plain.codes.tolist()


def test_boxes_of_a_reader_are_brought_together_before_the_readers_are_counted(table):
    """Three boxes of one reader are one voice."""
    text = "image,found,by\na,Mass,R1\na,Mass,R1\na,Mass,R1\na,None,R2\na,None,R3\n"
    assert table(text, BOXES_OF_READERS, SMALL).codes[0, 0] == N


MIMIC_LABELS = "subject_id,study_id," + ",".join(CHEXPERT.names)
MIMIC_IMAGES = "dicom_id,subject_id,study_id,ViewPosition\nx1,10,50,AP\nx2,10,50,LATERAL\nx3,11,51,PA\n"


def test_two_tables_are_joined_on_all_columns_they_share(table, tmp_path):
    """A study of the same number but of another patient is another study."""
    rows = table(f"{MIMIC_LABELS}\n10,50{',1.0' * 14}\n12,51{',0.0' * 14}\n", MIMIC_TABLE, CHEXPERT, MIMIC_IMAGES)
    assert rows.codes.tolist() == [[P] * 14, [P] * 14, [K] * 14]
    assert rows.images["labelled"].tolist() == [True, True, False]
    assert rows.images["row"].tolist() == [2, 3, 4]
    assert rows.notes.without_image == (3,)
    assert rows.digests == {"table": digest_file(tmp_path / "table.csv"), "images": digest_file(tmp_path / "images.csv")}


def test_p4_image_whose_study_has_no_row_is_unknown_even_where_blank_is_negative(table):
    """P4: no row is not a row of blank cells."""
    strict = LabelSet(name="strict", labels=tuple(Label(name=name, blank="negative") for name in CHEXPERT.names))
    rows = table(f"{MIMIC_LABELS}\n10,50{',' * 14}\n", MIMIC_TABLE, strict, MIMIC_IMAGES)
    assert rows.codes.tolist() == [[B] * 14, [B] * 14, [K] * 14]
    assert strict.settle(rows.codes).tolist() == [[N] * 14, [N] * 14, [K] * 14]


@pytest.mark.parametrize(
    ("labels", "images", "message"),
    [
        (f"10,50{',1' * 14}\n10,50{',1' * 14}\n", MIMIC_IMAGES, r"table\.csv: row 3: subject_id and study_id is the same"),
        (f"10,{',1' * 14}\n", MIMIC_IMAGES, r"table\.csv: row 2: subject_id and study_id names no image"),
        (f"10,50{',1' * 13},7\n", MIMIC_IMAGES, r"table\.csv: row 2: Support Devices '7'"),
        (f"10,50{',1' * 14}\n", MIMIC_IMAGES + "x1,12,52,AP\n", r"images\.csv: row 5: dicom_id is the same as in row 2"),
        (f"10,50{',1' * 14}\n", MIMIC_IMAGES + "x4,,52,AP\n", r"images\.csv: row 5: subject_id '' names no patient"),
        (f"10,50{',1' * 14}\n", MIMIC_IMAGES.replace("study_id", "study"), r"images\.csv: column 'study_id' is missing"),
        (f"10,50{',1' * 14}\n", MIMIC_IMAGES + "x4\n", r"images\.csv: row 5: 1 cells"),
        (f"10,50{',1' * 14}\n", "dicom_id,subject_id,study_id,ViewPosition\n", r"images\.csv: .*no rows"),
    ],
)  # fmt: skip
def test_either_of_two_tables_is_refused_with_its_own_name_and_row(table, labels, images, message):
    with pytest.raises(DataError, match=message):
        table(f"{MIMIC_LABELS}\n{labels}", MIMIC_TABLE, CHEXPERT, images)


def test_second_table_is_needed_or_not_as_the_layout_says(table):
    with pytest.raises(ConfigError, match="image_table: the layout needs a table of the images"):
        table(f"{MIMIC_LABELS}\n10,50{',1' * 14}\n", MIMIC_TABLE, CHEXPERT)
    with pytest.raises(ConfigError, match="image_table: the layout knows no second table"):
        table(nih("Mass"), NIH_TABLE, NIH, MIMIC_IMAGES)


def test_layout_that_names_a_label_the_set_lacks_is_refused(table):
    with pytest.raises(ConfigError, match="the layout names 'Pneumonia', which is no label of small"):
        table("patientId,x,y,width,height,Target\na,,,,,0\n", read_format(find_format("rsna", Path())), SMALL)


def test_padchest_cell_that_is_no_list_is_refused_with_its_row(table):
    header = "ImageID,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,Projection,Labels"
    rows = "".join(f"{row}.png,20170124,s,p,1953.0,F,PA,{cell}\n" for row, cell in enumerate(("['normal']", "normal")))
    padchest = read_label_set(SHIPPED / "padchest" / "labels.yaml")
    with pytest.raises(DataError, match=r"row 3: Labels \(a text of 6 characters\) is not written like \['first', 'second'\]"):
        table(f"{header}\n{rows}", read_format(find_format("padchest", Path())), padchest)


WORD = st.text("abÄéX ,;'\"/_-.#0", min_size=1, max_size=8).map(lambda text: " ".join(text.split())).filter(bool)
RESERVED = {"image", "found", "none"}
ANY_SET = st.lists(
    st.tuples(WORD, st.sampled_from(["unknown", "negative"])),
    min_size=1,
    max_size=5,
    unique_by=lambda entry: entry[0].casefold(),
).map(lambda entries: LabelSet(name="any", labels=tuple(Label(name=name, blank=blank) for name, blank in entries)))
LAYOUTS = {
    "columns": {"layout": "columns"},
    "list": {"layout": "list", "column": "found", "none": ["None"]},
    "quoted": {"layout": "list", "column": "found", "none": ["None"], "quoted": True},
    "classes": {"layout": "classes", "column": "found"},
}


def planned(kind: str, labels: LabelSet, draw) -> tuple[dict[str, str], list[int]]:
    """Cells of one row, and what they are to say."""
    if kind == "columns":
        said = [draw(st.sampled_from([("1", P), ("1.0", P), ("0", N), ("-1", U), ("", B), (" ", B)])) for _ in labels.names]
        return dict(zip(labels.names, (cell for cell, _ in said), strict=True)), [code for _, code in said]
    if kind == "classes":
        place = draw(st.integers(0, len(labels.names) - 1))
        return {"found": f"c{place}"}, [P if other == place else N for other in range(len(labels.names))]
    listed = draw(st.lists(st.sampled_from(labels.names), unique=True))
    if not listed and draw(st.booleans()):
        return {"found": "['None']" if kind == "quoted" else "None"}, [N] * len(labels.names)
    written = (
        repr([f" {name}" if len(name) % 2 else name.upper() for name in listed]) if kind == "quoted" else " | ".join(listed)
    )
    return {"found": written}, [P if name in listed else B for name in labels.names]


@settings(FIXTURE, max_examples=150)
@given(
    ANY_SET.filter(lambda labels: not RESERVED & {name.casefold() for name in labels.names}),
    st.sampled_from(sorted(LAYOUTS)),
    st.data(),
)
def test_any_table_of_any_label_set_reads_back_as_planned(table, labels, kind, data):
    """Whatever the order of columns and rows and the size of a batch, under both policies for blank."""
    findings = dict(LAYOUTS[kind])
    if kind == "classes":
        names = enumerate(labels.names)
        findings["classes"] = {f"c{i}": {n: "positive" if n == name else "negative" for n in labels.names} for i, name in names}
    rows = [planned(kind, labels, data.draw) for _ in range(data.draw(st.integers(1, 6)))]
    columns = data.draw(st.permutations(["image", "remark\n", *rows[0][0]]))
    order = data.draw(st.permutations(range(len(rows))))
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows([columns, *([({"image": f"i{row}"} | rows[row][0]).get(name, "") for name in columns] for row in order)])
    layout = TableFormat.model_validate({"key": "image", "findings": findings})
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(csvfile, "BATCH", data.draw(st.integers(1, 4)))
        read = table(buffer.getvalue(), layout, labels)
    assert read.images["key"].tolist() == [f"i{row}" for row in order]
    assert read.codes.tolist() == [rows[row][1] for row in order]
    blank = [K if label.blank == "unknown" else N for label in labels.labels]
    settled = [[blank[place] if code == B else code for place, code in enumerate(rows[row][1])] for row in order]
    assert labels.settle(read.codes).tolist() == settled


@FIXTURE
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["Mass", "Effusion", "None"])), min_size=1, max_size=9),
    st.randoms(),
)
def test_order_of_rows_changes_nothing_of_what_boxes_or_readers_say(table, rows, chosen):
    boxes = [f"{image},{found}," for image, found in rows]
    reads = [f"{image},{found},R{number}" for number, (image, found) in enumerate(rows)]
    for layout, lines in ((BOXES, boxes), (READERS, reads)):
        answers = []
        for order in (lines, chosen.sample(lines, len(lines))):
            try:
                read = table("image,found,by\n" + "\n".join(order) + "\n", layout, SMALL)
                answers.append(dict(zip(read.images["key"], read.codes.tolist(), strict=True)))
            except CxrError as error:
                answers.append(re.sub(r"rows? [\d, .]+: ", "", str(error)).partition(" to ")[0])
        assert answers[0] == answers[1]


OFFICIAL = {
    "Atelectasis": 11_559, "Cardiomegaly": 2_776, "Effusion": 13_317, "Infiltration": 19_894, "Mass": 5_782, "Nodule": 6_331,
    "Pneumonia": 1_431, "Pneumothorax": 5_302, "Consolidation": 4_667, "Edema": 2_303, "Emphysema": 2_516, "Fibrosis": 1_686,
    "Pleural_Thickening": 3_385, "Hernia": 227,
}  # fmt: skip
"""Positives of ChestX-ray14, as its users publish them for the version of 2020."""


@pytest.fixture(scope="module")
def official(nih_folder):
    """All rows of the official table, the seconds of processor time they took, and the file's text."""
    path = nih_folder / "Data_Entry_2017_v2020.csv.gz"
    start = time.process_time()
    read = read_table(path, NIH_TABLE, NIH)
    return read, time.process_time() - start, gzip.decompress(path.read_bytes()).decode()


def test_official_nih_table_has_the_published_counts_and_takes_seconds(official):
    read, seconds, _ = official
    assert len(read) == 112_120
    assert dict(zip(NIH.names, (read.codes == P).sum(axis=0).tolist(), strict=True)) == OFFICIAL
    assert read.images["patient"].nunique() == 30_805
    assert int((read.codes == N).all(axis=1).sum()) == 60_361  # No Finding
    assert seconds < 5


def test_official_nih_table_is_what_patterns_find_in_its_text(official):
    """Another way to count: each name between separators in the text of the file, without a CSV reader."""
    read, _, text = official
    for place, name in enumerate(NIH.names):
        found = re.findall(rf"^(\d+_\d+)\.png,(?:[^,]*\|)?{name}(?:\|[^,]*)?,", text, re.MULTILINE)
        assert set(found) == set(read.images["key"][read.codes[:, place] == P])
        assert len(found) == OFFICIAL[name]
    lines = Counter(line.split(",")[6] for line in text.splitlines()[1:])
    assert read.images["view"].value_counts().to_dict() == {**lines, "LATERAL": 0, "unknown": 0}


def test_official_nih_table_leaves_nothing_unknown_or_uncertain(official):
    assert set(np.unique(NIH.settle(official[0].codes)).tolist()) == {N, P}
