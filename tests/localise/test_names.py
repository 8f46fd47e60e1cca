"""A name means one image, or none with a reason."""

from __future__ import annotations

import pytest

from cxr.evaluate.undefined import Undefined
from cxr.ingest.deidentify import Pseudonyms
from cxr.localise.names import names_of
from tests.localise.sides import side_of


@pytest.mark.parametrize("text", ["t:0001", "name-1", "name-1.png", " name-1.JPG ", "images/name-1.jpeg", "1.2.1", "1.2.1.dcm"])
def test_an_image_is_found_by_any_of_its_names(tmp_path, text):
    assert names_of(side_of(tmp_path, [[1, 0, 0]] * 3).frame).row(text) == 1


@pytest.mark.parametrize("text", ["name-9", "", "1.2"])
def test_an_unknown_name_is_no_image(tmp_path, text):
    found = names_of(side_of(tmp_path, [[1, 0, 0]] * 3).frame).row(text)
    assert isinstance(found, Undefined)
    assert "no image" in found.reason


def test_a_name_of_several_images_is_not_guessed(tmp_path):
    frame = side_of(tmp_path, [[1, 0, 0]] * 3).frame.assign(source_name="frontal")
    found = names_of(frame).row("frontal.png")
    assert isinstance(found, Undefined)
    assert "several images" in found.reason
    assert names_of(frame).row("t:0002") == 2


def test_a_name_that_an_image_of_the_other_side_has_too_is_not_guessed(tmp_path):
    frame = side_of(tmp_path, [[1, 0, 0]] * 3).frame
    others = frame.iloc[:1].assign(image_id="t:0009", instance_uid="1.2.9")  # its file is called name-0, too
    found = names_of(frame, None, others).row("b/name-0.png")
    assert isinstance(found, Undefined)
    assert "several images" in found.reason
    assert [names_of(frame, None, others).row(text) for text in ("t:0000", "1.2.0", "name-1")] == [0, 0, 1]


def test_the_hospitals_own_uid_is_found_with_the_key_alone(tmp_path):
    key = bytes(32)
    frame = side_of(tmp_path, [[1, 0, 0]] * 3).frame
    frame["instance_uid"] = [Pseudonyms("t", key).uid(f"1.2.840.{row}") for row in range(3)]
    assert names_of(frame, key).row("1.2.840.2") == 2
    assert isinstance(names_of(frame).row("1.2.840.2"), Undefined)
    assert isinstance(names_of(frame, bytes([1] * 32)).row("1.2.840.2"), Undefined)
