"""Whoever tested the older model never trains the new one, and whom it learned from never tests it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.split.draw import drawn_split
from cxr.split.frozen import read_split, write_split
from cxr.split.older import older_split, refuse_known, refuse_seen
from cxr.split.people import people_of
from cxr.split.split import split_of

SHARES = {"train": 0.5, "val": 0.25, "test": 0.25}


def codes(count):
    return (np.random.default_rng(0).random((count, 2)) < 0.3).astype(np.int8)


def sides(split):
    return split.frame.drop_duplicates("patient_id").set_index("patient_id")["split"]


@pytest.fixture
def last_year(manifest_of):
    """The split of 40 images of the patients p0 to p19."""
    owners = [f"p{patient}" for patient in range(20) for _ in range(2)]
    manifest = manifest_of(owners, codes(40))
    return drawn_split(manifest, people_of(manifest), SHARES, 0)


@pytest.fixture
def this_year(manifest_of):
    """Makes a manifest of new images of these patients."""

    def make(owners):
        manifest = manifest_of(owners, codes(len(owners)))
        ids = [f"new:{index:04d}" for index in range(len(owners))]
        columns = dict.fromkeys(("image_id", "pixel_sha256", "alike"), ids)
        return manifest.__class__(manifest.frame.assign(**columns), manifest.label_names)

    return make


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_known_patients_stay_on_their_sides_whatever_comes(manifest_of, this_year_of, data):
    owners = data.draw(st.lists(st.integers(0, 60), min_size=30, max_size=60, unique=True))
    older, manifest = this_year_of([f"p{owner}" for owner in owners])
    split = older_split(manifest, people_of(manifest), older, SHARES, 1)
    before = older.drop_duplicates("patient_id").set_index("patient_id")["split"]
    now = sides(split)
    for patient in set(before.index) & set(now.index):
        assert now[patient] == before[patient]


@pytest.fixture(scope="module")
def this_year_of(manifest_of):
    """Makes last year's split of p0 to p39, and a manifest of new images of the patients given, of whom some are known."""
    owners = [f"p{patient}" for patient in range(40)]
    manifest = manifest_of(owners, codes(40))
    older = drawn_split(manifest, people_of(manifest), SHARES, 0).frame

    def make(patients):
        patients = [*patients, *(older.loc[older["split"] == side, "patient_id"].iloc[0] for side in SHARES)]
        patients = list(dict.fromkeys(patients))
        frame = manifest_of(patients, codes(len(patients)))
        ids = [f"new:{index:04d}" for index in range(len(patients))]
        columns = dict.fromkeys(("image_id", "pixel_sha256", "alike"), ids)
        return older, frame.__class__(frame.frame.assign(**columns), frame.label_names)

    return make


def test_only_new_images_of_known_patients_are_enough(last_year, this_year):
    manifest = this_year([f"p{patient}" for patient in range(20)])
    split = older_split(manifest, people_of(manifest), last_year.frame, SHARES, 1)
    pd.testing.assert_series_equal(sides(split).sort_index(), sides(last_year).sort_index(), check_names=False)


def test_a_split_that_knows_nobody_is_refused_with_what_it_may_mean(last_year, this_year):
    manifest = this_year([f"other{patient}" for patient in range(20)])
    with pytest.raises(DataError, match=r"none of these patients.*same key.*other_patients: true"):
        older_split(manifest, people_of(manifest), last_year.frame, SHARES, 1)


def test_published_lists_that_cross_the_older_split_are_refused(last_year, this_year):
    manifest = this_year([f"p{patient}" for patient in range(20)])
    own = sides(last_year)[manifest.frame["patient_id"]].to_numpy(object)
    people = people_of(manifest)
    refuse_seen(split_of(manifest, own), people, last_year.frame)
    tested = int(np.flatnonzero(own == "test")[0])
    taught = int(np.flatnonzero(own == "train")[0])
    for row, side, problem in (
        (tested, "train", f"tested the older model, and would now train.*p{tested}"),
        (tested, "val", "tested the older model"),
        (taught, "test", f"taught the older model, and would now test.*p{taught}"),
    ):
        moved = own.copy()
        moved[row] = side
        with pytest.raises(DataError, match=problem):
            refuse_seen(split_of(manifest, moved), people, last_year.frame)


def test_patients_of_whom_it_was_wrongly_said_that_they_are_others_are_refused(last_year, this_year):
    refuse_known(this_year([f"other{patient}" for patient in range(9)]), last_year.frame)
    with pytest.raises(DataError, match=r"other_patients: 1 of these patients.*: p3"):
        refuse_known(this_year([*(f"other{patient}" for patient in range(9)), "p3"]), last_year.frame)


def test_a_test_patient_under_a_second_id_does_not_train(last_year, this_year):
    manifest = this_year([*(f"p{patient}" for patient in range(20)), "alias"])
    own = np.append(sides(last_year)[manifest.frame["patient_id"].iloc[:-1]].to_numpy(object), "train")
    tested = int(np.flatnonzero(own == "test")[0])
    manifest.frame.loc[20, "alike"] = manifest.frame.loc[tested, "alike"]  # the same picture
    with pytest.raises(DataError, match=r"tested the older model.*alias"):
        refuse_seen(split_of(manifest, own, alike=False), people_of(manifest), last_year.frame)


def test_the_file_of_the_older_split_serves(last_year, this_year, tmp_path):
    write_split(last_year, tmp_path / "split.csv")
    manifest = this_year([f"p{patient}" for patient in range(20)])
    split = older_split(manifest, people_of(manifest), read_split(tmp_path / "split.csv"), SHARES, 1)
    assert (sides(split) == sides(last_year)).all()
