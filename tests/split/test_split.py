"""A split that leaks cannot be made, whatever made it, and says whom it would have put on two sides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.manifest import SPLITS, Manifest
from cxr.split.split import COLUMNS, Split, named, split_digest, split_of


def frame(*rows):
    """Rows of image, patient, side and, where they are given, pixels and what it looks like."""
    columns = ["image_id", "patient_id", "split", "pixel_sha256", "alike"]
    return pd.DataFrame([(*row, "", "")[:5] for row in rows], columns=columns)


GOOD = (("i1", "p1", "train"), ("i2", "p2", "val"), ("i3", "p3", "test"))


def test_a_leaking_split_cannot_be_made_and_names_the_patients():
    with pytest.raises(DataError, match=r"2 patients stand on more than one side: p1, p3$"):
        Split(frame(*GOOD, ("i4", "p1", "test"), ("i5", "p3", "val"), ("i6", "p2", "val")))


def test_the_same_pixels_under_two_patients_on_two_sides_are_a_leak_and_both_are_named():
    rows = (("i1", "p1", "train", "aa"), ("i2", "p2", "val", "bb"), ("i3", "p3", "test", "aa"), ("i4", "p4", "test", "cc"))
    with pytest.raises(DataError, match=r"2 patients share an image with another side: p1, p3$"):
        Split(frame(*rows))


def test_pictures_that_look_alike_on_two_sides_are_a_leak_and_both_patients_are_named():
    rows = (*GOOD, ("i4", "p4", "val", "aa", "one"), ("i5", "p5", "test", "bb", "one"), ("i6", "p6", "test", "cc", "two"))
    message = r"2 patients have a picture that looks like one on another side \(see split\.alike\): p4, p5$"
    with pytest.raises(DataError, match=message):
        Split(frame(*rows))


@pytest.mark.parametrize("column", ["pixel_sha256", "alike"])
def test_the_same_picture_on_one_side_is_no_leak(column):
    table = frame(*GOOD, ("i4", "p4", "train"))
    table[column] = ["aa", "bb", "cc", "aa"]
    assert len(Split(table).frame) == 4


def test_images_that_were_not_read_are_the_same_as_nothing():
    assert len(Split(frame(*GOOD)).frame) == 3  # all of them with empty pixels, each on a side of its own


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("cell", [None, float("nan")])
def test_a_missing_cell_is_refused_with_its_column(column, cell):
    """Such a cell would be like no other, whatever it should have said."""
    table = frame(*GOOD, ("i4", "p4", "train"))
    table[column] = table[column].astype(object)
    table.loc[3, column] = cell
    with pytest.raises(DataError, match=f"^split: an image has no {column}$"):
        Split(table)


def test_many_leaking_patients_are_counted_and_the_first_are_named():
    rows = [(f"{side}{number}", f"p{number}", side) for number in range(9) for side in ("train", "test")]
    with pytest.raises(DataError, match=r"9 patients .*: p0, p1, p2, p3, p4 \.\.\.$"):
        Split(frame(*rows, ("v", "other", "val")))


@pytest.mark.parametrize("side", SPLITS)
def test_an_empty_side_is_refused(side):
    with pytest.raises(DataError, match=f"no image in '{side}'"):
        Split(frame(*(row for row in GOOD if row[2] != side)))


def test_an_image_that_stands_twice_is_refused():
    with pytest.raises(DataError, match="twice"):
        Split(frame(*GOOD, GOOD[0]))


@pytest.mark.parametrize("side", ["Test", "", "validation"])
def test_a_side_that_there_is_not_is_refused(side):
    with pytest.raises(DataError, match="none of the sides train, val, test"):
        Split(frame(*GOOD, ("i4", "p4", side)))


picture = st.sampled_from(["", "", "x", "y", "z"])


@given(st.lists(st.tuples(st.sampled_from("abcdef"), picture, picture, st.sampled_from(SPLITS)), max_size=12))
def test_whatever_is_made_has_no_patient_and_no_picture_on_two_sides(rows):
    table = frame(*((f"i{index}", patient, side, *same) for index, (patient, *same, side) in enumerate(rows)))
    sides_of = {}
    for patient, pixels, alike, side in rows:
        for what, text in (("patient", patient), ("pixels", pixels), ("alike", alike)):
            if text:
                sides_of.setdefault((what, text), set()).add(side)
    sound = all(len(sides) == 1 for sides in sides_of.values()) and {side for *_, side in rows} == set(SPLITS)
    if sound:
        assert len(Split(table).frame) == len(rows)
    else:
        with pytest.raises(DataError, match="split: "):
            Split(table)


def test_digest_follows_the_sides_and_not_the_order_of_the_rows():
    split = Split(frame(*GOOD, ("i4", "p4", "val")))
    assert Split(split.frame.iloc[::-1]).digest == split.digest == split_digest(split.frame)
    assert Split(frame(*GOOD, ("i4", "p4", "test"))).digest != split.digest
    assert Split(frame(*GOOD, ("i5", "p4", "val"))).digest != split.digest


def test_digest_is_that_of_the_sorted_lines():
    # by hand: printf 'i1 train\ni2 val\ni3 test' | sha256sum
    assert Split(frame(*GOOD)).digest == "1113246b2897a3781a006d73bb00bb716585791ba48b2b7f29f874ef9f048abb"


def test_a_split_goes_to_the_manifest_by_image_and_not_by_row(manifest_of):
    manifest = manifest_of(list("abcd"), np.zeros((4, 2)))
    split = split_of(manifest, np.array(["train", "val", "test", "train"], object))
    turned = Split(split.frame.iloc[::-1])
    assert turned.apply(manifest).frame["split"].tolist() == ["train", "val", "test", "train"]


def test_look_alikes_on_two_sides_pass_only_where_that_is_said(manifest_of):
    manifest = manifest_of(list("abc"), np.zeros((3, 2)))
    torn = Manifest(manifest.frame.assign(alike=["x", "", "x"]), manifest.label_names)
    sides = np.array(["train", "val", "test"], object)
    with pytest.raises(DataError, match=r"looks like one on another side.*: a, c$"):
        split_of(torn, sides)
    split = split_of(torn, sides, alike=False)
    assert split.apply(torn).frame["split"].tolist() == sides.tolist()
    assert split.apply(torn).frame["alike"].tolist() == ["x", "", "x"]


@pytest.mark.parametrize("alike", [True, False])
def test_the_same_pixels_on_two_sides_never_pass(manifest_of, alike):
    manifest = manifest_of(list("abc"), np.zeros((3, 2)))
    torn = Manifest(manifest.frame.assign(pixel_sha256=["x", "y", "x"]), manifest.label_names)
    with pytest.raises(DataError, match=r"2 patients share an image with another side: a, c$"):
        split_of(torn, np.array(["train", "val", "test"], object), alike=alike)


def test_a_split_does_not_fit_a_manifest_with_other_images(manifest_of):
    manifest = manifest_of(list("abc"), np.zeros((3, 2)))
    split = split_of(manifest, np.array(["train", "val", "test"], object))
    with pytest.raises(DataError, match="split"):
        split.apply(manifest_of(list("abcd"), np.zeros((4, 2))))


def test_at_most_five_names_go_into_a_message():
    assert named(list("abcde")) == "a, b, c, d, e"
    assert named(np.array(list("abcdef"))) == "a, b, c, d, e ..."
