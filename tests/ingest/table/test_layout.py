"""Layouts of label tables: what a key is compared by, what cannot be, and CheXpert's as the hardest of the published ones."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import imagecodecs
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cxr.config import IngestConfig, IngestStage
from cxr.config_sources import ImagesSource
from cxr.errors import ConfigError
from cxr.ingest.stage import run
from cxr.ingest.table.layout import TableFormat, _stem, read_format
from cxr.labels.shipped import find_format, shipped_formats
from cxr.labels.values import NEGATIVE, POSITIVE, UNCERTAIN
from cxr.manifest import read_manifest
from cxr.stage import StageContext

CHEXPERT = {
    "key": "Path", "key_is": "path", "key_parts": 3, "patient": "Path", "patient_pattern": "patient\\d+", "study": "Path",
    "study_pattern": "patient\\d+/study\\d+", "view": ["Frontal/Lateral", "AP/PA"], "sex": "Sex", "age": "Age",
    "findings": {"layout": "columns"},
}  # fmt: skip


def layout(**keys) -> TableFormat:
    return TableFormat.model_validate({"key": "k", "findings": {"layout": "columns"}, **keys})


@pytest.mark.parametrize(
    ("keys", "cell", "key"),
    [
        ({}, "images/00000001_000.png", "00000001_000"),
        ({}, " a.b.png ", "a.b"),
        ({"key_is": "path"}, "a/b/c.jpg", "c"),
        ({"key_is": "path", "key_parts": 2}, "a/b/c.jpg", "b/c"),
        ({"key_is": "path", "key_parts": 9}, "a/b/c.jpg", "a/b/c"),
        ({"key_is": "path", "key_parts": 2}, "", ""),
        ({"key_is": "path", "key_parts": 2}, "/", ""),
        ({"key_is": "path", "key_parts": 2}, ".", ""),
        ({"key_is": "path", "key_parts": 2}, "a/b/c.d.jpg", "b/c.d"),
        ({"key_is": "path", "key_parts": 3}, "./a//b/c.jpg", "a/b/c"),
        ({}, "", ""),
        ({}, "a/b/", "b"),
        ({"key_is": "StudyInstanceUID"}, " 1.2.3 ", "1.2.3"),
        ({"key_is": "AccessionNumber"}, "A/1.2", "A/1.2"),
    ],
)
def test_key_is_compared_as_its_kind_says(keys, cell, key):
    assert layout(**keys).key_of(cell) == key


def test_key_of_a_file_and_of_its_row_are_the_same_wherever_the_data_set_lies():
    chexpert = layout(key_is="path", key_parts=3)
    key = "patient00001/study1/view1_frontal"
    for start in ("CheXpert-v1.0-small/train/", "train/", ""):
        assert chexpert.key_of(f"{start}{key}.jpg") == chexpert.key_of(f"{start}{key}.png") == key


def test_only_what_lies_in_the_path_is_told_by_the_path():
    kinds = ("file", "path", "SOPInstanceUID", "StudyInstanceUID", "AccessionNumber")
    assert [kind for kind in kinds if layout(key_is=kind).of_file] == ["file", "path"]


@pytest.mark.parametrize(("view", "columns"), [(None, ()), ("V", ("V",)), (["A", "B"], ("A", "B"))])
def test_view_may_stand_in_several_columns(view, columns):
    assert layout(view=view).view_columns == columns


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"patient_pattern": "("}, "patient_pattern.*no regular expression"),
        ({"key_parts": 0}, "key_parts"),
        ({"key_is": "PatientName"}, "key_is"),
        ({"colour": "red"}, "colour"),
        ({"findings": {"layout": "rows"}}, "findings"),
        ({"findings": {"layout": "list", "column": "f", "separator": ""}}, "separator"),
        ({"findings": {"layout": "list"}}, "column"),
        ({"findings": {"layout": "classes", "column": "f", "classes": {}}}, "classes"),
        (
            {"findings": {"layout": "classes", "column": "f", "classes": {"1": {"Mass": "yes"}}}},
            "Mass of 1 of classes",
        ),
        ({"findings": {"layout": "columns", "negative": ["0", "-1"]}}, "findings.*'-1' is given more than one meaning"),
        ({"findings": {"layout": "columns", "positive": ["1", "x"], "blank": ["", "x"]}}, "'x' is given more than one meaning"),
        ({"birth": "b"}, "'birth' and 'date' belong together"),
        ({"date": "d"}, "'birth' and 'date' belong together"),
        ({"birth": "b", "date": "d", "age": "a"}, "in the place of 'age'"),
        ({"images_on": ["s"], "reader": "r"}, "'images_on' needs a label table with one row per image"),
        ({"images_on": ["s"], "several_rows": "boxes"}, "'images_on' needs a label table with one row per image"),
        ({"views": {"L": "left"}}, "L of views is 'left'"),
        ({"agreement": "most"}, "agreement"),
        ({"several_rows": "first"}, "several_rows"),
    ],
)
def test_layout_that_cannot_be_is_refused_by_its_key(tmp_path, keys, message):
    path = tmp_path / "layout.yaml"
    path.write_text(yaml.safe_dump({"key": "k", "findings": {"layout": "columns"}, **keys}))
    with pytest.raises(ConfigError, match=rf"layout\.yaml: .*{message}"):
        read_format(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("findings: {layout: columns}\n", "key"),
        ("key: a\npatients: b\nfindings: {layout: columns}\n", "patients"),
        ("key: a\nkey: b\nfindings: {layout: columns}\n", "'key' stands twice"),
        ("key: [\n", "YAML"),
        ("", "not a mapping of keys"),
    ],
)
def test_file_that_describes_no_layout_is_refused_by_name_and_key(tmp_path, text, message):
    path = tmp_path / "table.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"table\.yaml: .*{message}"):
        read_format(path)


@pytest.mark.parametrize("name", shipped_formats())
def test_shipped_layouts_are_read(name):
    assert read_format(find_format(name, Path())).key


def test_row_of_a_study_is_told_from_the_row_of_an_image():
    kinds = ("file", "path", "SOPInstanceUID", "StudyInstanceUID", "AccessionNumber")
    assert [kind for kind in kinds if layout(key_is=kind).of_study] == ["StudyInstanceUID", "AccessionNumber"]


def test_columns_of_the_context_are_each_named_once():
    columns = layout(patient="P", study="P", view=["A", "B"], sex="S", birth="B", date="D").context_columns
    assert columns == ("P", "A", "B", "S", "D")
    assert layout().context_columns == ()


def test_missing_layout_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"layout\.yaml: no such file"):
        read_format(tmp_path / "layout.yaml")


@pytest.fixture
def chexpert(tmp_path) -> ImagesSource:
    """Two patients, three studies and a lateral image, with CheXpert's columns."""
    root = tmp_path / "CheXpert"
    rows = ["Path,Sex,Age,Frontal/Lateral,AP/PA,Mass,Effusion"]
    images = [
        ("patient00001/study1/view1_frontal", "Female,68,Frontal,AP,1.0,-1.0"),
        ("patient00001/study2/view1_frontal", "Female,69,Frontal,PA,,0.0"),
        ("patient00001/study2/view2_lateral", "Female,69,Lateral,,,0.0"),
        ("patient00002/study1/view1_frontal", "Male,92,Frontal,AP,0.0,1.0"),
    ]
    for number, (name, cells) in enumerate(images):
        path = root / "train" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(imagecodecs.jpeg8_encode(np.random.default_rng(number).integers(0, 256, (40, 36), np.uint8), level=95))
        rows.append(f"CheXpert-v1.0-small/train/{name}.jpg,{cells}")
    (root / "train.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "layout.yaml").write_text(yaml.safe_dump(CHEXPERT))
    source = {
        "kind": "images",
        "name": "chexpert",
        "root": str(root),
        "table": "train.csv",
        "format": str(tmp_path / "layout.yaml"),
    }
    return ImagesSource.model_validate(source | {"format": str(tmp_path / "layout.yaml")})


def test_table_like_chexperts_is_read_with_its_patients_views_and_labels(chexpert, tmp_path, recording_run):
    labels, out = tmp_path / "labels.yaml", tmp_path / "out"
    labels.write_text("name: two\nlabels: [{name: Mass, blank: negative}, {name: Effusion}]\n")
    out.mkdir()
    config = IngestStage(name="t", labels=labels, source=chexpert, ingest=IngestConfig(size=32, workers=0))
    result = run(config, StageContext(out, {}, recording_run, lambda done, total, text="": None))
    assert {"files": 4, "accepted": 3, "skipped": 1}.items() <= result.counts.items()
    manifest = read_manifest(Path(out / "manifest.parquet"))
    frame = manifest.frame
    assert frame["patient_id"].tolist() == ["chexpert:patient00001"] * 2 + ["chexpert:patient00002"]
    assert frame["study_id"].nunique() == 3
    assert frame["view"].tolist() == ["AP", "PA", "AP"]
    assert frame["sex"].tolist() == ["F", "F", "M"]
    assert frame["age_years"].tolist() == [68, 69, 90]
    assert frame["image_id"].is_unique
    assert frame["source_name"].tolist()[0] == "patient00001/study1/view1_frontal"  # the file's name alone stands for all
    assert manifest.label_codes().tolist() == [[POSITIVE, UNCERTAIN], [NEGATIVE, NEGATIVE], [NEGATIVE, POSITIVE]]


IMAGE_SUFFIXES = ["png", "jpg", "jpeg", "jp2", "j2k", "tif", "tiff", "bmp", "webp", "dcm", "dicom", "dic", "ima", "gz"]


@pytest.mark.parametrize("suffix", [*IMAGE_SUFFIXES, "PNG", "Dcm"])
def test_suffix_of_an_image_is_no_part_of_the_key(suffix: str) -> None:
    assert _stem(f"a/b.{suffix}") == "b"
    assert _stem(f"a.v1.{suffix}") == "a.v1"


@pytest.mark.parametrize("name", ["a.v1", "a.txt", "1.2.840.77", "scan.", ".png", "png", "ünï.3", "a.pngs", "a.png "])
def test_what_else_follows_a_dot_belongs_to_the_key(name: str) -> None:
    """Cut off, it would make one image of a.v1 and a.v2."""
    assert _stem(name) == name
    assert _stem(f"x/{name}") == name


@given(st.lists(st.sampled_from(["a", "b.png", "/", ".x", "d.e.f", "g", "/h/", ".dcm", ".77"]), max_size=5))
def test_the_stem_of_a_path_is_its_last_name_less_one_suffix_of_an_image(parts: list[str]) -> None:
    path = PurePosixPath("".join(parts))
    assert _stem("".join(parts)) == (path.stem if path.suffix in (".png", ".dcm") else path.name)


@pytest.mark.parametrize(
    ("cell", "key"), [("1.2.840.77", "1.2.840.77"), ("1.2.840.77.dcm", "1.2.840.77"), ("x/1.2.3", "1.2.3")]
)
def test_the_end_of_a_uid_is_no_suffix(cell: str, key: str) -> None:
    layout = TableFormat.model_validate({"key": "image", "findings": {"layout": "columns"}})
    assert layout.key_of(cell) == key
