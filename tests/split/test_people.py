"""One person is a patient, and all patients who hang together through images that are the same, however long the chain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.manifest import Manifest
from cxr.split.people import people_of


@pytest.fixture(scope="session")
def linked(manifest_of):
    """Makes a manifest of patients, whose images have the pixels and the likes given."""

    def make(patients, pixels=None, alike=None):
        manifest = manifest_of(patients, np.zeros((len(patients), 2)))
        nothing = [""] * len(patients)
        frame = manifest.frame.assign(pixel_sha256=pixels or nothing, alike=alike or nothing)
        return Manifest(frame, manifest.label_names)

    return make


def test_a_patient_is_one_person_and_without_shared_images_nobody_is_united(linked):
    people = people_of(linked(list("abacb")))
    assert people.of_image.tolist() == [0, 1, 0, 2, 1]
    assert people.united == ()


@pytest.mark.parametrize("column", ["pixels", "alike"])
def test_patients_who_share_an_image_are_one_person(linked, column):
    people = people_of(linked(["b", "c", "a", "b", "d"], **{column: ["x", "y", "x", "", ""]}))
    assert people.of_image.tolist() == [0, 1, 0, 0, 2]
    assert people.united == (("a", "b"),)


def test_a_chain_of_both_kinds_of_sharing_makes_one_person(linked):
    people = people_of(linked(list("abbccde"), pixels=["1", "1", "", "", "9", "9", "8"], alike=["", "", "2", "2", "", "", ""]))
    assert people.of_image.tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert people.united == (("a", "b", "c", "d"),)


def test_pixels_and_likes_are_no_names_of_one_kind(linked):
    people = people_of(linked(list("ab"), pixels=["b", ""], alike=["", "b"]))
    assert people.of_image.tolist() == [0, 1]


def test_images_that_were_not_read_make_nobody_one_person(linked):
    assert people_of(linked([f"p{index}" for index in range(50)])).of_image.tolist() == list(range(50))


def test_two_images_of_one_patient_that_are_the_same_unite_nobody(linked):
    assert people_of(linked(list("aab"), pixels=["x", "x", ""])).united == ()


def by_hand(columns):
    """The person of each image, by uniting until nothing changes."""
    person = list(range(len(columns[0])))
    changed = True
    while changed:
        changed = False
        for texts in columns:
            for one, text in enumerate(texts):
                for other in range(one):
                    if text and text == texts[other] and person[one] != person[other]:
                        person[one] = person[other] = min(person[one], person[other])
                        changed = True
    return person


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["", "", "", *"uvwxyz"]), st.sampled_from(["", "", "r", "s"]))
    )
)
def test_people_are_what_hangs_together(linked, rows):
    columns = [list(texts) for texts in zip(*rows, strict=True)] or [[], [], []]
    people = people_of(linked(*columns))
    expected = by_hand(columns)
    assert np.array_equal(np.equal.outer(people.of_image, people.of_image), np.equal.outer(expected, expected))
    groups = {person: {columns[0][row] for row, other in enumerate(expected) if other == person} for person in expected}
    assert sorted(people.united) == sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)
