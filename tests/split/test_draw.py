"""A drawn split keeps persons whole, has the shares asked for, repeats, and gives every image to one test fold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.manifest import SPLITS, Manifest
from cxr.split.draw import divide, drawn_split, folded_split
from cxr.split.people import people_of

SHARES = {"train": 0.65, "val": 0.15, "test": 0.2}


@pytest.fixture(scope="session")
def cohort(manifest_of):
    """Makes a manifest by chance, with labels that have the shares given; every patient has an image."""

    def make(seed, patients, images, prevalence=(0.3, 0.1)):
        generator = np.random.default_rng(seed)
        owners = [f"t:p{patient}" for patient in [*range(patients), *generator.integers(0, patients, images - patients)]]
        codes = (generator.random((images, len(prevalence))) < prevalence).astype(np.int8)
        return manifest_of(owners, codes, [f"label {index}" for index in range(len(prevalence))])

    return make


def drawn(manifest, shares=SHARES, seed=0):
    return drawn_split(manifest, people_of(manifest), shares, seed)


def folded(manifest, folds, fold, val=0.1, seed=0):
    return folded_split(manifest, people_of(manifest), folds, fold, val, seed)


def turned(manifest):
    return Manifest(manifest.frame.iloc[::-1].reset_index(drop=True), manifest.label_names)


def assert_sound(split, manifest):
    """Every image of the manifest once; no patient, pixels or picture on two sides; no side empty."""
    assert sorted(split.frame["image_id"]) == sorted(manifest.frame["image_id"])
    assert set(split.frame["split"]) == set(SPLITS)
    frame = split.apply(manifest).frame
    for column in ("patient_id", "pixel_sha256", "alike"):
        told = frame[frame[column] != ""]
        assert (told.groupby(column)["split"].nunique() == 1).all(), column


PIXELS = st.sampled_from(["", "", "", *"uvwxyz"])
LIKES = st.sampled_from(["", "", *"mnop"])
chained = st.lists(st.tuples(st.integers(0, 14), PIXELS, LIKES), min_size=4, max_size=40)


@st.composite
def chains(draw):
    """Images as (patient, pixels, alike), often enough the same to chain patients together."""
    rows = draw(chained)
    return [f"p{patient}" for patient, _, _ in rows], [row[1] for row in rows], [row[2] for row in rows]


@pytest.fixture(scope="session")
def chained_manifest(manifest_of):
    def make(chain, seed):
        patients, pixels, alike = chain
        codes = np.random.default_rng(seed).integers(0, 4, (len(patients), 2))
        manifest = manifest_of(patients, codes)
        return Manifest(manifest.frame.assign(pixel_sha256=pixels, alike=alike), manifest.label_names)

    return make


@settings(max_examples=50, deadline=None)
@given(chain=chains(), seed=st.integers(0, 99), test=st.floats(0.1, 0.45), val=st.floats(0.1, 0.45))
def test_no_person_is_on_two_sides_whatever_chains_patients_together(chained_manifest, chain, seed, test, val):
    manifest = chained_manifest(chain, seed)
    shares = {"train": 1 - val - test, "val": val, "test": test}
    if people_of(manifest).of_image.max() < 2:
        with pytest.raises(DataError, match="patients cannot be divided into 3 parts"):
            drawn(manifest, shares, seed)
    else:
        assert_sound(drawn(manifest, shares, seed), manifest)


@settings(max_examples=25, deadline=None)
@given(chain=chains(), seed=st.integers(0, 99), folds=st.integers(3, 6))
def test_no_person_is_on_two_sides_of_any_fold_whatever_chains_patients_together(chained_manifest, chain, seed, folds):
    manifest = chained_manifest(chain, seed)
    if people_of(manifest).of_image.max() + 1 < folds:
        with pytest.raises(DataError, match=f"patients cannot be divided into {folds} parts"):
            folded(manifest, folds, 0, seed=seed)
        return
    tested = np.zeros(len(manifest), int)
    for fold in range(folds):
        split = folded(manifest, folds, fold, seed=seed)
        assert_sound(split, manifest)
        tested += (split.frame["split"] == "test").to_numpy()
    assert (tested == 1).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), patients=st.integers(20, 40), extra=st.integers(0, 60))
def test_no_patient_stands_on_two_sides(cohort, seed, patients, extra):
    manifest = cohort(seed, patients, patients + extra, (0.3, 0.05))
    assert_sound(drawn(manifest, seed=seed), manifest)


@pytest.mark.parametrize(("test", "val"), [(0.2, 0.15), (0.4, 0.2), (0.1, 0.4), (0.3, 0.3)])
def test_sides_have_the_shares_asked_for(cohort, test, val):
    manifest = cohort(0, 400, 600)
    shares = drawn(manifest, {"train": 1 - test - val, "val": val, "test": test}).frame["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(test, abs=0.01)
    assert shares["val"] == pytest.approx(val, abs=0.01)


def prevalence(split, manifest):
    """float [sides, labels]: the share of positive images."""
    whole = split.apply(manifest)
    return np.stack([(whole.where(side).label_codes() == 1).mean(axis=0) for side in SPLITS])


def test_labels_are_alike_on_all_sides(cohort):
    manifest = cohort(1, 900, 1200, (0.4, 0.1, 0.03))
    spread = np.ptp(prevalence(drawn(manifest), manifest), axis=0)
    assert (spread < 0.05 * (manifest.label_codes() == 1).mean(axis=0) + 1 / 180).all()  # one image of the smallest side


def test_a_rare_label_is_on_all_sides_of_every_draw(cohort):
    manifest = cohort(2, 400, 500, (0.4, 0.02))
    for seed in range(10):
        assert (prevalence(drawn(manifest, seed=seed), manifest) > 0).all()


def test_a_draw_repeats_with_its_seed_and_changes_with_another(cohort):
    manifest = cohort(2, 50, 80)
    digests = [drawn(manifest, seed=seed).digest for seed in (5, 5, 6)]
    assert digests[0] == digests[1] != digests[2]


def test_a_draw_does_not_depend_on_the_order_of_the_rows(cohort):
    manifest = cohort(3, 50, 80)
    assert drawn(manifest).digest == drawn(turned(manifest)).digest
    assert folded(manifest, 5, 2).digest == folded(turned(manifest), 5, 2).digest


def test_too_few_patients_are_refused_in_words(manifest_of):
    with pytest.raises(DataError, match="2 patients cannot be divided"):
        drawn(manifest_of(["a", "a", "b"], np.zeros((3, 2))))


def test_every_image_is_in_the_test_set_of_exactly_one_fold(cohort):
    manifest = cohort(4, 120, 200)
    sides = np.stack([folded(manifest, 5, fold).frame["split"].to_numpy() for fold in range(5)])
    assert ((sides == "test").sum(axis=0) == 1).all()


def test_folds_are_alike_in_size_and_labels(cohort):
    manifest = cohort(5, 600, 900, (0.3, 0.05))
    codes = manifest.label_codes()
    for fold in range(5):
        here = (folded(manifest, 5, fold).frame["split"] == "test").to_numpy()
        assert here.mean() == pytest.approx(0.2, abs=0.01)
        assert np.abs((codes[here] == 1).mean(axis=0) - (codes == 1).mean(axis=0)).max() < 0.01


@pytest.mark.parametrize("val", [0.05, 0.3])
def test_folds_do_not_depend_on_the_share_for_validation(cohort, val):
    manifest = cohort(6, 120, 200)
    for fold in (0, 3):
        one, other = (folded(manifest, 4, fold, share).frame["split"] == "test" for share in (0.1, val))
        assert one.equals(other)


def test_validation_has_its_share_of_all_images_beside_every_fold(cohort):
    manifest = cohort(7, 400, 600)
    for fold in range(4):
        shares = folded(manifest, 4, fold, 0.15).frame["split"].value_counts(normalize=True)
        assert shares["val"] == pytest.approx(0.15, abs=0.01)
        assert shares["test"] == pytest.approx(0.25, abs=0.01)


def test_folds_change_with_the_seed(cohort):
    manifest = cohort(8, 60, 90)
    assert (
        folded(manifest, 5, 0, seed=1).digest == folded(manifest, 5, 0, seed=1).digest != folded(manifest, 5, 0, seed=2).digest
    )


def test_dividing_some_rows_gives_the_sides_of_these_in_their_order(cohort):
    manifest = cohort(9, 60, 90)
    people = people_of(manifest)
    rows = np.arange(30, 90)
    sides = divide(manifest, people, rows, {"a": 0.75, "b": 0.25}, 0)
    assert sides.shape == rows.shape
    backwards = divide(manifest, people, rows[::-1], {"a": 0.75, "b": 0.25}, 0)
    assert sides.tolist() == backwards[::-1].tolist()
    patients = manifest.frame["patient_id"].to_numpy()[rows]
    assert not set(patients[sides == "a"]) & set(patients[sides == "b"])
    assert (sides == "b").mean() == pytest.approx(0.25, abs=0.04)
