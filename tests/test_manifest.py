from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.labels.values import VALUES
from cxr.manifest import COLUMNS, LABEL_DTYPE, TEXT_COLUMNS, Manifest, label_column, read_manifest, read_table, write_table

NAMES = ("Zebra", "Mass", "Effusion")
CODES = np.array([[0, 1, 2], [3, 0, 1], [2, 3, 0], [1, 2, 3]], np.int8)


def table(codes=CODES) -> pd.DataFrame:
    count = len(codes)
    text = {name: [f"{name}-{index}" for index in range(count)] for name in TEXT_COLUMNS}
    frame = pd.DataFrame(
        {
            **text,
            **{name: np.arange(count) + 1 for name in ("shard", "row", "height", "width")},
            "view": (["PA", "AP", "LATERAL", "unknown"] * count)[:count],
            "sex": (["F", "M", "O", "unknown"] * count)[:count],
            "age_years": ([0.0, 45.0, 90.0, np.nan] * count)[:count],
        }
    )
    for index, name in enumerate(NAMES):
        frame[name] = label_column(np.asarray(codes)[:, index])
    return frame


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(codes=st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=8))
def test_round_trip_keeps_the_four_values_and_the_order(tmp_path, codes):
    manifest = Manifest(table(codes), NAMES)
    manifest.write(tmp_path / "m.parquet")
    back = read_manifest(tmp_path / "m.parquet")
    assert back.label_names == NAMES
    assert back.label_codes().tolist() == [list(row) for row in codes]
    assert back.label_codes().dtype == np.int8
    pd.testing.assert_frame_equal(back.frame, manifest.frame)


def test_origin_of_the_labels_travels_with_the_manifest(tmp_path):
    origin = {"table_sha256": "ab", "label_set_sha256": "cd"}
    Manifest(table().assign(split=["train", "test", "train", "val"]), NAMES, origin).write(tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet").where("train").origin == origin


def test_an_image_that_only_a_table_lists_has_no_place_at_all():
    listed = table().assign(shard=-1, row=-1, height=0, width=0, pixel_sha256="", perceptual_hash="")
    assert len(Manifest(listed, NAMES)) == 4
    with pytest.raises(DataError, match=r"row 1 .*: row '2' is of an image with half a place"):
        Manifest(table().assign(shard=[1, -1, 1, 1]), NAMES)


def test_values_that_do_not_occur_stay_possible(tmp_path):
    Manifest(table(np.zeros((2, 3), np.int8)), NAMES).write(tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet").frame["Mass"].cat.categories.tolist() == list(VALUES)


def test_same_content_gives_the_same_bytes(tmp_path):
    Manifest(table(), NAMES).write(tmp_path / "a.parquet")
    shuffled = table().sample(frac=1, random_state=0)
    Manifest(shuffled.sort_values("image_id"), NAMES).write(tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    Manifest(table(CODES[::-1]), NAMES).write(tmp_path / "c.parquet")
    assert (tmp_path / "a.parquet").read_bytes() != (tmp_path / "c.parquet").read_bytes()


@pytest.mark.parametrize("column", [*COLUMNS, *NAMES])
def test_missing_column_is_named(column):
    with pytest.raises(DataError, match=rf"column '{column}' is missing"):
        Manifest(table().drop(columns=column), NAMES)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("image_id", "", "row 2 .*image_id '' is empty"),
        ("image_id", "image_id-0", "row 2 .*image_id 'image_id-0' stands twice"),
        ("patient_id", "", "row 2 .*image image_id-2.*patient_id '' is empty"),
        ("patient_id", None, "row 2 .*patient_id .* is empty"),
        ("study_id", "", "row 2 .*study_id '' is empty"),
        ("source_sha256", None, "row 2 .*source_sha256"),
        ("decisions", None, "row 2 .*decisions"),
        ("shard", -2, "row 2 .*shard '-2' is negative"),
        ("row", -2, "row 2 .*row '-2' is negative"),
        ("height", -5, "row 2 .*height '-5' is negative"),
        ("view", "LL", "row 2 .*view 'LL' is none of PA, AP"),
        ("view", None, "row 2 .*view"),
        ("sex", "female", "row 2 .*sex 'female' is none of"),
        ("age_years", -1.0, r"row 2 .*age_years '-1\.0' is outside"),
        ("age_years", 91.0, r"row 2 .*age_years '91\.0' is outside"),
        ("Mass", None, "row 2 .*Mass .* is none of 0, 1, uncertain, unknown"),
    ],
)
def test_wrong_cell_is_refused_with_its_row_and_column(column, value, message):
    frame = table()
    frame.loc[2, column] = value
    with pytest.raises(DataError, match=message):
        Manifest(frame, NAMES)


def test_count_of_further_wrong_rows_is_told():
    frame = table()
    frame["view"] = "up"
    with pytest.raises(DataError, match=r"row 0 .*; 4 rows in all"):
        Manifest(frame, NAMES)


def test_row_is_its_position_whatever_the_index():
    frame = table().set_index(pd.Index([40, 30, 20, 10]))
    frame.loc[20, "sex"] = "x"
    with pytest.raises(DataError, match="row 2 "):
        Manifest(frame, NAMES)


@pytest.mark.parametrize("values", [["0", "1", "0", "1"], [0, 1, 2, 3], [0.0, 1.0, np.nan, -1.0]])
def test_label_column_of_another_type_is_refused(values):
    frame = table()
    frame["Mass"] = values
    with pytest.raises(DataError, match="label 'Mass' must be categorical"):
        Manifest(frame, NAMES)


def test_label_column_with_values_in_another_order_is_refused():
    frame = table()
    frame["Mass"] = frame["Mass"].cat.reorder_categories(["1", "0", "unknown", "uncertain"])
    assert frame["Mass"].dtype == LABEL_DTYPE  # equal to pandas, and yet of other codes
    with pytest.raises(DataError, match="label 'Mass'"):
        Manifest(frame, NAMES)


def test_fraction_in_a_column_of_whole_numbers_is_refused():
    with pytest.raises(DataError, match="'shard' must hold whole numbers"):
        Manifest(table().astype({"shard": float}), NAMES)


@pytest.mark.parametrize("name", ["view", "patient_id", "split"])
def test_label_with_the_name_of_a_column_is_refused(name):
    with pytest.raises(DataError, match=f"label '{name}' has the name of a manifest column"):
        Manifest(table(), (*NAMES, name))


def test_the_same_pixels_under_two_patients_on_two_sides_are_refused():
    frame = table().assign(split=["train", "test", "train", "val"])
    frame.loc[1, "pixel_sha256"] = frame.loc[0, "pixel_sha256"]
    with pytest.raises(DataError, match=r"pixel_sha256 .* stands on more than one side of the split; 2 rows"):
        Manifest(frame, NAMES)


def test_unknown_split_is_refused():
    frame = table().assign(split=["train", "val", "dev", "test"])
    with pytest.raises(DataError, match=r"row 2 .*split 'dev'"):
        Manifest(frame, NAMES)


def test_where_keeps_the_rows_of_one_split_in_order():
    manifest = Manifest(table().assign(split=["test", "train", "test", "val"]), NAMES)
    assert manifest.where("test").frame["image_id"].tolist() == ["image_id-0", "image_id-2"]
    assert manifest.where("test").label_codes().tolist() == CODES[[0, 2]].tolist()


def test_other_schema_version_is_refused(tmp_path):
    path = tmp_path / "m.parquet"
    write_table(table(), path, {"manifest": 99, "labels": list(NAMES)})
    with pytest.raises(DataError, match=r"m\.parquet: not a manifest of schema version 3: 99"):
        read_manifest(path)


def test_break_in_a_file_is_refused_when_it_is_read(tmp_path):
    path = tmp_path / "m.parquet"
    write_table(table().assign(view="up"), path, {"manifest": 3, "labels": list(NAMES), "origin": {}})
    with pytest.raises(DataError, match="view 'up'"):
        read_manifest(path)


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"a,b\n1,2\n"])
def test_file_that_is_no_parquet_is_refused_by_name(tmp_path, content):
    path = tmp_path / "m.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"m\.parquet: cannot be read as a Parquet table"):
        read_manifest(path)


def test_truncated_manifest_is_refused(tmp_path):
    path = tmp_path / "m.parquet"
    Manifest(table(), NAMES).write(path)
    data = path.read_bytes()
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=r"m\.parquet"):
            read_manifest(path)


def test_foreign_parquet_is_refused(tmp_path):
    table().to_parquet(tmp_path / "m.parquet")
    with pytest.raises(DataError, match="not one written by cxr"):
        read_table(tmp_path / "m.parquet")


def test_metadata_come_back(tmp_path):
    write_table(table(), tmp_path / "t.parquet", {"b": 1, "a": ["x"]})
    assert json.dumps(read_table(tmp_path / "t.parquet")[1]) == '{"a": ["x"], "b": 1}'
