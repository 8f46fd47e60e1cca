"""Published lists are honoured to the letter, and where they do not fit the images nothing is guessed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.ingest.table.layout import read_format
from cxr.labels.shipped import SHIPPED
from cxr.manifest import SPLITS, Manifest
from cxr.split.official import OfficialNames, official_split, read_list
from cxr.split.people import people_of


@pytest.fixture
def cohort(manifest_of):
    """60 images of 30 patients."""
    codes = (np.random.default_rng(0).random((60, 2)) < (0.3, 0.1)).astype(np.int8)
    return manifest_of([f"p{index // 2}" for index in range(60)], codes)


def names(start, stop):
    return frozenset(f"{index:04d}" for index in range(start, stop))


def split(manifest, train, test, val=None, fraction=0.25, seed=0, **rest):
    return official_split(manifest, people_of(manifest), OfficialNames(train, test, val), fraction, seed, **rest)


def by_side(found):
    frame = found.frame
    return {side: set(frame.loc[frame["split"] == side, "image_id"].str.partition(":")[2]) for side in SPLITS}


def test_official_lists_are_honoured_and_validation_is_drawn_from_train_alone(cohort):
    sides = by_side(split(cohort, names(0, 40), names(40, 60)))
    assert sides["test"] == names(40, 60)
    assert sides["train"] | sides["val"] == names(0, 40)
    assert len(sides["val"]) == pytest.approx(10, abs=2)


def test_a_published_list_for_validation_is_honoured(cohort):
    sides = by_side(split(cohort, names(0, 40), names(50, 60), names(40, 50), fraction=0.01))
    assert sides == {"train": names(0, 40), "val": names(40, 50), "test": names(50, 60)}


def test_validation_that_is_drawn_repeats_with_its_seed_and_leaves_the_test_set_alone(cohort):
    found = [split(cohort, names(0, 40), names(40, 60), seed=seed) for seed in (1, 1, 2)]
    assert found[0].digest == found[1].digest != found[2].digest
    assert all(by_side(one)["test"] == by_side(other)["test"] for one, other in pairwise(found))


def test_names_on_a_list_without_an_image_are_no_trouble(cohort):
    assert by_side(split(cohort, names(0, 40) | {"9999"}, names(40, 60)))["test"] == names(40, 60)


def test_the_name_of_an_image_is_what_follows_the_name_of_its_source(cohort):
    frame = cohort.frame.assign(source_name=cohort.frame["source_name"].str.replace("t:", "a:b:"))
    assert by_side(split(Manifest(frame, cohort.label_names), names(0, 40), names(40, 60)))["test"] == names(40, 60)


@pytest.mark.parametrize(
    ("lists", "name"),
    [
        ((names(0, 41), names(40, 60), None), "0040"),
        ((names(0, 40), names(50, 60), names(39, 50)), "0039"),
        ((names(0, 40), names(49, 60), names(40, 50)), "0049"),
    ],
)
def test_an_image_on_two_lists_is_refused_by_name(cohort, lists, name):
    with pytest.raises(DataError, match=f"1 images are on more than one official list, the first is {name}$"):
        split(cohort, *lists)


def test_images_on_no_list_are_counted_and_the_first_is_named(cohort):
    with pytest.raises(DataError, match=r"2 images are on no official list, the first is 0000$"):
        split(cohort, names(2, 40), names(40, 60))


def test_lists_that_cut_through_a_patient_are_refused_by_name(cohort):
    with pytest.raises(DataError, match=r"1 patients stand on more than one side: p20$"):
        split(cohort, names(0, 41), names(41, 60))


def test_lists_that_put_one_image_under_two_names_on_two_sides_are_refused_by_name(cohort):
    pixels = cohort.frame["pixel_sha256"].mask(cohort.frame["image_id"] == "t:0050", "t:0003")
    doubled = Manifest(cohort.frame.assign(pixel_sha256=pixels), cohort.label_names)
    with pytest.raises(DataError, match=r"2 patients share an image with another side: p1, p25$"):
        split(doubled, names(0, 40), names(40, 60))


def test_lists_that_tear_pictures_that_look_alike_are_refused_by_name_unless_that_is_allowed(cohort):
    alike = cohort.frame["alike"].mask(cohort.frame["image_id"].isin(["t:0003", "t:0050"]), "one")
    torn = Manifest(cohort.frame.assign(alike=alike), cohort.label_names)
    with pytest.raises(DataError, match=r"looks like one on another side \(see split\.alike\): p1, p25$"):
        split(torn, names(0, 40), names(40, 60))
    sides = by_side(split(torn, names(0, 30), names(40, 60), names(30, 40), alike=False))
    assert sides == {"train": names(0, 30), "val": names(30, 40), "test": names(40, 60)}


def test_validation_that_is_drawn_does_not_tear_a_person_with_two_ids(cohort):
    alike = cohort.frame["alike"].where(~cohort.frame["patient_id"].isin([f"p{index}" for index in range(15)]), "one")
    chained = Manifest(cohort.frame.assign(alike=alike), cohort.label_names)  # half of the list for training
    for seed in range(5):
        frame = split(chained, names(0, 40), names(40, 60), seed=seed).frame
        assert frame["split"].iloc[:30].nunique() == 1


def key_of(layout):
    return read_format(SHIPPED / layout / "table.yaml").key_of


def test_a_list_of_file_names_has_a_name_a_line_without_folder_and_suffix(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffimages/0001.png\r\n0002.v2.jpeg \n\n  0003\n".encode())
    assert read_list(path, key_of("nih14")) == {"0001", "0002.v2", "0003"}


def test_a_list_names_images_as_the_table_of_its_layout_does(tmp_path):
    """CheXpert's images are told apart by their folders; by the file alone nearly all of them are view1_frontal."""
    path = tmp_path / "list.txt"
    path.write_text(
        "CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg\n./train/patient00002/study1/view1_frontal.jpg\n"
    )
    expected = {f"train/patient0000{number}/study1/view1_frontal" for number in (1, 2)}
    assert read_list(path, key_of("chexpert")) == expected


def test_an_empty_list_is_refused(tmp_path):
    (tmp_path / "list.txt").write_text("\n \n")
    with pytest.raises(DataError, match=r"list\.txt: the list is empty"):
        read_list(tmp_path / "list.txt", str.strip)


def test_a_list_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"PAR1\xff\xfe\x00")
    with pytest.raises(DataError, match=r"list\.txt: the list is no text"):
        read_list(tmp_path / "list.txt", str.strip)
