"""What is to be scored: how files are named, and where an answer must not go."""

from __future__ import annotations

import zipfile

import pytest

from cxr.errors import ConfigError, DataError
from cxr.predict.inputs import open_inputs, refuse_place


def names(inputs):
    return [sorted(each.shown(entry.name) for entry in each.files.entries()) for each in inputs]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("in/a.dcm", "in/deep/b", "c.dcm"):
        (tmp_path / name).write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "in" / "z.zip", "w") as archive:
        archive.writestr("d/e.dcm", b"x")
        archive.writestr("f.png", b"x")
    return tmp_path


def test_files_are_named_from_where_the_user_is_as_he_gave_the_inputs(place):
    found = names(open_inputs(["in", "c.dcm", "in/z.zip", "."], "dicom"))
    inside = ["a.dcm", "deep/b", "z.zip!/d/e.dcm", "z.zip!/f.png"]
    assert found[0] == [f"in/{name}" for name in inside]
    assert found[1:3] == [["c.dcm"], ["in/z.zip!/d/e.dcm", "in/z.zip!/f.png"]]
    assert found[3] == sorted(["./c.dcm", *(f"./in/{name}" for name in inside)])
    absolute = names(open_inputs([str(place / "in")], "dicom"))[0]
    assert absolute[0] == str(place / "in" / "a.dcm")


def test_images_are_told_by_their_suffix_unless_one_is_named_itself(place):
    assert names(open_inputs(["in"], "image")) == [["in/z.zip!/f.png"]]
    assert names(open_inputs(["in/z.zip", "c.dcm"], "image")) == [["in/z.zip!/f.png"], ["c.dcm"]]


def test_one_file_that_two_inputs_lead_to_has_one_location(place):
    (whole, one) = open_inputs(["in", str(place / "in" / "a.dcm")], "dicom")
    assert whole.location("a.dcm") == one.location("a.dcm") != whole.location("deep/b")


def test_what_is_not_there_is_told_without_a_key_of_a_pipeline_file():
    with pytest.raises(DataError, match=r"^there is no nowhere$"):
        open_inputs(["nowhere"], "dicom")


@pytest.mark.parametrize(("given", "out"), [("in", "in/x.csv"), ("in", "in/deep/x.csv"), (".", "x.csv"), ("c.dcm", "c.dcm")])
def test_an_answer_does_not_go_where_the_next_run_would_read_it(place, given, out):
    with pytest.raises(ConfigError, match="lies in an input"):
        refuse_place(place / out, open_inputs([given], "dicom"))


def test_an_answer_may_go_beside_a_single_file(place):
    refuse_place(place / "c.csv", open_inputs(["c.dcm", "in/a.dcm", "in/z.zip"], "dicom"))


def test_a_name_that_is_no_text_is_spelt_out(place):
    (each,) = open_inputs(["in"], "dicom")
    assert each.shown("caf\udce9.dcm") == "in/caf\\udce9.dcm"
