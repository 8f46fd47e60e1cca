from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.manifest import SPLITS, Manifest
from cxr.split.split import Split, drawn_split, hold_out, official_split, rarest_label

ManifestOf = Callable[..., Manifest]


def _random(manifest_of: ManifestOf, seed: int, patients: int, images: int, shares: tuple[float, ...]) -> Manifest:
    generator = np.random.default_rng(seed)
    owners = [f"t:p{patient}" for patient in [*range(patients), *generator.integers(0, patients, images - patients)]]
    codes = (generator.random((images, len(shares))) < shares).astype(np.int8)
    return manifest_of(owners, codes, [f"label {index}" for index in range(len(shares))])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    patients=st.integers(20, 40),
    extra=st.integers(0, 60),
    test=st.floats(0.1, 0.45),
    val=st.floats(0.1, 0.45),
)
def test_no_patient_stands_on_two_sides(
    manifest_of: ManifestOf, seed: int, patients: int, extra: int, test: float, val: float
) -> None:
    manifest = _random(manifest_of, seed, patients, patients + extra, (0.3, 0.05))
    split = drawn_split(manifest, test, val, seed)
    sides: dict[str, set[str]] = {}
    for patient, side in zip(split.frame["patient_id"], split.frame["split"], strict=True):
        sides.setdefault(patient, set()).add(side)
    assert all(len(seen) == 1 for seen in sides.values())
    assert set.union(*sides.values()) == set(SPLITS)
    assert sorted(split.frame["image_id"]) == sorted(manifest.frame["image_id"])


@pytest.mark.parametrize(("test", "val"), [(0.2, 0.15), (0.4, 0.2), (0.1, 0.4), (0.3, 0.3)])
def test_sides_have_the_shares_asked_for(manifest_of: ManifestOf, test: float, val: float) -> None:
    manifest = _random(manifest_of, 0, 400, 600, (0.3, 0.1))
    shares = drawn_split(manifest, test, val, 0).frame["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(test, abs=0.03)
    assert shares["val"] == pytest.approx(val, abs=0.03)


def test_labels_are_alike_on_all_sides(manifest_of: ManifestOf) -> None:
    manifest = _random(manifest_of, 1, 900, 1200, (0.4, 0.1, 0.03))
    sides = drawn_split(manifest, 0.2, 0.15, 0).apply(manifest)
    shares = np.stack([(sides.where(side).label_codes() == 1).mean(axis=0) for side in SPLITS])
    assert np.ptp(shares, axis=0).max() < 0.03


def test_a_draw_repeats_with_its_seed_and_changes_with_another(manifest_of: ManifestOf) -> None:
    manifest = _random(manifest_of, 2, 50, 80, (0.3, 0.1))
    digests = [drawn_split(manifest, 0.2, 0.2, seed).digest for seed in (5, 5, 6)]
    assert digests[0] == digests[1] != digests[2]


def test_a_draw_does_not_depend_on_the_order_of_the_rows(manifest_of: ManifestOf) -> None:
    manifest = _random(manifest_of, 3, 50, 80, (0.3, 0.1))
    turned = Manifest(manifest.frame.iloc[::-1].reset_index(drop=True), manifest.label_names)
    assert drawn_split(manifest, 0.2, 0.2, 0).digest == drawn_split(turned, 0.2, 0.2, 0).digest


def _frame(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["image_id", "patient_id", "split"])


GOOD = (("i1", "p1", "train"), ("i2", "p2", "val"), ("i3", "p3", "test"))


def test_a_leaking_split_cannot_be_made_and_names_the_patients() -> None:
    with pytest.raises(DataError, match=r"2 patients stand on more than one side: p1, p3$"):
        Split(_frame(*GOOD, ("i4", "p1", "test"), ("i5", "p3", "val"), ("i6", "p2", "val")))


def test_an_empty_side_is_refused() -> None:
    with pytest.raises(DataError, match="no image in 'val'"):
        Split(_frame(GOOD[0], GOOD[2]))


def test_an_image_that_stands_twice_is_refused() -> None:
    with pytest.raises(DataError, match="twice"):
        Split(_frame(*GOOD, GOOD[0]))


def test_too_few_patients_are_refused_in_words(manifest_of: ManifestOf) -> None:
    with pytest.raises(DataError, match="2 patients cannot be divided"):
        drawn_split(manifest_of(["a", "a", "b"], np.zeros((3, 2))), 0.2, 0.2, 0)


def test_digest_follows_the_sides_and_not_the_order_of_the_rows() -> None:
    split = Split(_frame(*GOOD, ("i4", "p4", "val")))
    assert Split(split.frame.iloc[::-1]).digest == split.digest
    assert Split(_frame(*GOOD, ("i4", "p4", "test"))).digest != split.digest


def _official(manifest_of: ManifestOf) -> tuple[Manifest, list[str], list[str]]:
    manifest = _random(manifest_of, 4, 40, 60, (0.3, 0.1))
    names = manifest.frame["source_name"].str.partition(":")[2]
    in_test = manifest.frame["patient_id"].isin([f"t:p{patient}" for patient in range(10)])
    return manifest, list(names[~in_test]), list(names[in_test])


def test_official_lists_are_honoured(manifest_of: ManifestOf) -> None:
    manifest, train_val, test = _official(manifest_of)
    frame = official_split(manifest, train_val, test, 0.25, 0).frame
    by_side = {side: set(frame.loc[frame["split"] == side, "image_id"].str.partition(":")[2]) for side in SPLITS}
    assert by_side["test"] == set(test)
    assert by_side["train"] | by_side["val"] == set(train_val)
    assert len(by_side["val"]) / len(train_val) == pytest.approx(0.25, abs=0.06)


def test_an_image_on_both_official_lists_is_refused(manifest_of: ManifestOf) -> None:
    manifest, train_val, test = _official(manifest_of)
    with pytest.raises(DataError, match=f"1 images are on both official lists, the first is {test[0]}"):
        official_split(manifest, [*train_val, test[0]], test, 0.25, 0)


def test_an_image_on_no_official_list_is_refused(manifest_of: ManifestOf) -> None:
    manifest, train_val, test = _official(manifest_of)
    with pytest.raises(DataError, match=f"1 images are on no official list, the first is {train_val[0]}"):
        official_split(manifest, train_val[1:], test, 0.25, 0)


def test_official_lists_that_cut_through_a_patient_are_refused(manifest_of: ManifestOf) -> None:
    manifest = manifest_of(["a", "a", "b", "c", "d"], np.zeros((5, 2)))
    with pytest.raises(DataError, match="1 patients stand on more than one side: a"):
        official_split(manifest, ["0000", "0002", "0003"], ["0001", "0004"], 0.33, 0)


def test_rarest_label_is_the_one_with_fewest_positives(manifest_of: ManifestOf) -> None:
    codes = [[1, 0], [1, 1], [1, 2], [0, 3], [2, 1]]
    assert rarest_label(manifest_of(list("abcde"), codes)).tolist() == [0, 1, 0, -1, 1]


def test_hold_out_gives_positions_in_the_rows_it_was_given(manifest_of: ManifestOf) -> None:
    manifest = _random(manifest_of, 6, 40, 60, (0.3, 0.1))
    rows = np.arange(30, 60)
    held_out = hold_out(manifest, rows, 0.25, 0)
    patients = manifest.frame["patient_id"].to_numpy()[rows]
    assert held_out.max() < len(rows)
    assert not set(patients[held_out]) & set(np.delete(patients, held_out))
