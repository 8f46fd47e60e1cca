from __future__ import annotations

from time import process_time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.evaluate.auroc import auroc
from cxr.evaluate.cells import Cells, align
from cxr.evaluate.units import MIXED, combine_units

NAN = float("nan")


def cells_of(truth, scores, patients, uncertain=None):
    truth = np.array(truth, np.float32).reshape(len(patients), -1)
    scores = np.array(scores, np.float64).reshape(truth.shape)
    uncertain = np.zeros(truth.shape, bool) if uncertain is None else np.array(uncertain, bool).reshape(truth.shape)
    names = tuple("ABC"[: truth.shape[1]])
    return Cells(names, truth, scores, uncertain, np.array(patients, np.int64))


def frame_of(studies, alike=None):
    frame = pd.DataFrame({"image_id": [f"i{index:03d}" for index in range(len(studies))], "study_id": studies})
    return frame if alike is None else frame.assign(alike=alike)


def no_groups(cells):
    return pd.DataFrame(index=range(cells.image_count))


def combined(cells, frame, unit="study", combine="mean"):
    return combine_units(cells, frame, no_groups(cells), unit, combine).cells


def one_study(truth, uncertain):
    cells = cells_of(truth, [0.5] * len(truth), [0] * len(truth), uncertain)
    study = combined(cells, frame_of(["s"] * len(truth)))
    return study.truth[0, 0], bool(study.uncertain[0, 0])


@pytest.mark.parametrize(
    ("truth", "uncertain", "expected", "rests_on_uncertain"),
    [
        ([0, 1], [0, 0], 1, False),
        ([NAN, 1], [0, 0], 1, False),
        ([0, 0], [0, 0], 0, False),
        ([0, NAN], [0, 0], 0, False),
        ([NAN, NAN], [0, 0], NAN, False),
        ([0, NAN], [0, 1], NAN, True),  # the policy leaves uncertain cells out: nobody knows
        ([1, NAN], [0, 1], 1, False),
        ([0, 1], [0, 1], 1, True),  # the policy takes them for positive
        ([1, 1], [0, 1], 1, False),
        ([0, 0], [0, 1], 0, True),  # the policy takes them for negative
        ([NAN, 0], [0, 1], 0, True),
    ],
)
def test_truth_of_a_study_follows_its_images_after_the_policy(truth, uncertain, expected, rests_on_uncertain):
    found, doubtful = one_study(truth, uncertain)
    np.testing.assert_equal(found, np.float32(expected))
    assert doubtful == rests_on_uncertain


def test_images_stay_as_they_are():
    cells = cells_of([0, 1], [0.1, 0.2], [0, 0])
    groups = pd.DataFrame({"view": ["PA", "AP"]})
    units = combine_units(cells, frame_of(["s", "s"]), groups, "image", "max")
    assert units.cells is cells
    assert units.groups is groups


@pytest.mark.parametrize(("combine", "expected"), [("mean", [0.2, 0.4, 0.9]), ("max", [0.3, 0.4, 0.9])])
def test_scores_of_a_study_are_the_mean_or_the_largest(combine, expected):
    cells = cells_of([0, 0, 1, 1], [0.3, 0.9, 0.1, 0.4], [0, 1, 0, 0])
    study = combined(cells, frame_of(["a", "c", "a", "b"]), combine=combine)
    np.testing.assert_allclose(study.scores[:, 0], expected, rtol=1e-15)
    assert study.patients.tolist() == [0, 0, 1]


def test_a_patient_has_one_row_over_all_studies():
    cells = cells_of([0, 0, 1, 1], [0.3, 0.9, 0.1, 0.5], [0, 1, 0, 0])
    patient = combined(cells, frame_of(["a", "c", "a", "b"]), unit="patient")
    np.testing.assert_allclose(patient.scores[:, 0], [0.3, 0.9], rtol=1e-15)
    assert patient.truth[:, 0].tolist() == [1, 0]
    assert patient.patients.tolist() == [0, 1]


def test_studies_of_two_patients_with_one_number_stay_two():
    study = combined(cells_of([0, 1], [0.1, 0.7], [0, 1]), frame_of(["study1", "study1"]))
    assert study.scores[:, 0].tolist() == [0.1, 0.7]


@pytest.mark.parametrize("unknown", ["", "unknown"])
def test_an_image_without_a_study_is_named_where_studies_are_counted(unknown):
    cells = cells_of([0, 1], [0.1, 0.7], [0, 1])
    with pytest.raises(DataError, match=r"image i001: study_id is not known \(1 rows in all\)"):
        combined(cells, frame_of(["s", unknown]))
    assert combined(cells, frame_of(["s", unknown]), unit="patient").image_count == 2


def test_group_is_that_of_all_images_or_mixed():
    cells = cells_of([0, 1, 0, 0], [0.1, 0.7, 0.2, 0.3], [0, 0, 1, 1])
    groups = pd.DataFrame({"sex": ["F", "F", "M", "M"], "view": ["PA", "AP", "PA", "PA"]})
    units = combine_units(cells, frame_of(["a", "a", "b", "b"]), groups, "study", "mean")
    assert units.groups.to_dict("list") == {"sex": ["F", "M"], "view": [MIXED, "PA"]}


def random_study_cells(rng, images=60, patients=12):
    truth = rng.choice([0, 1, NAN], (images, 2))
    owners = np.append(np.arange(patients), rng.integers(patients, size=images - patients))
    return cells_of(truth, rng.random((images, 2)), np.sort(owners))


def with_copy(cells, frame, row):
    rows = np.append(np.arange(cells.image_count), row)
    copy = Cells(cells.label_names, cells.truth[rows], cells.scores[rows], cells.uncertain[rows], cells.patients[rows])
    copied = frame.iloc[rows].reset_index(drop=True)
    copied.loc[len(rows) - 1, "image_id"] = "copy"
    copied.loc[[row, len(rows) - 1], "alike"] = frame["image_id"].iloc[row]
    return copy, copied


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 59), st.sampled_from(["mean", "max"]), st.sampled_from(["study", "patient"]))
def test_a_copy_of_an_image_changes_no_unit_to_the_last_bit(seed, row, combine, unit):
    rng = np.random.default_rng(seed)
    cells = random_study_cells(rng)
    frame = frame_of([f"s{index}" for index in rng.integers(3, size=60)], alike="")
    before = combined(cells, frame, unit, combine)
    after = combined(*with_copy(cells, frame, row), unit, combine)
    np.testing.assert_array_equal(after.scores, before.scores)
    np.testing.assert_array_equal(after.truth, before.truth)
    np.testing.assert_array_equal(after.patients, before.patients)


def test_without_knowledge_of_copies_the_largest_score_stays_and_the_mean_does_not():
    cells = cells_of([0, 0, 0], [0.1, 0.1, 0.7], [0, 0, 0])
    frame = frame_of(["s", "s", "s"])
    assert combined(cells, frame, combine="max").scores[0, 0] == 0.7
    assert combined(cells, frame, combine="mean").scores[0, 0] == pytest.approx(0.3)
    assert combined(cells, frame.assign(alike=["i000", "i000", ""]), combine="mean").scores[0, 0] == pytest.approx(0.4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["mean", "max"]), st.sampled_from(["study", "patient"]))
def test_the_order_of_rows_changes_nothing_and_scores_stay_within_those_of_the_images(seed, combine, unit):
    rng = np.random.default_rng(seed)
    cells = random_study_cells(rng)
    frame = frame_of([f"s{index}" for index in rng.integers(3, size=60)])
    rows = rng.permutation(60)
    moved = Cells(cells.label_names, cells.truth[rows], cells.scores[rows], cells.uncertain[rows], cells.patients[rows])
    one = combined(cells, frame, unit, combine)
    other = combined(moved, frame.iloc[rows].reset_index(drop=True), unit, combine)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.truth, other.truth)
    keys = frame["study_id"] if unit == "study" else pd.Series("", index=frame.index)
    wanted = pd.DataFrame(cells.scores).groupby([cells.patients, keys]).agg(combine)
    np.testing.assert_allclose(one.scores, wanted.to_numpy(), rtol=1e-14)


def test_scores_of_one_do_not_leave_the_unit_interval():
    cells = cells_of([1] * 7, [1.0] * 6 + [0.1], [0] * 7)
    assert 0 <= combined(cells, frame_of(["s"] * 7)).scores[0, 0] <= 1
    same = cells_of([1] * 3, [0.1] * 3, [0] * 3)
    assert combined(same, frame_of(["s"] * 3)).scores[0, 0] == 0.1


def test_a_metric_by_study_is_not_moved_by_a_copied_image(cohort, make_labels):
    cells = align(cohort, make_labels(["A", "B", "C"]))
    frame = cohort.frame.assign(study_id=cohort.frame["patient_id"], alike="")
    before = combined(cells, frame)
    copies, copied = with_copy(cells, frame, 7)
    after = combined(copies, copied)
    for label in range(3):
        assert auroc(after.truth[:, label], after.scores[:, label]) == auroc(before.truth[:, label], before.scores[:, label])


def test_a_hundred_thousand_images_take_well_under_a_second():
    rng = np.random.default_rng(0)
    size = 100_000
    patients = np.sort(rng.integers(30_000, size=size))
    patients = np.unique(patients, return_inverse=True)[1]
    cells = cells_of(rng.choice([0.0, 1.0, NAN], (size, 3)), rng.random((size, 3)), patients)
    frame = frame_of([f"s{index}" for index in rng.integers(3, size=size)], alike="")
    groups = pd.DataFrame({"sex": rng.choice(["F", "M"], size), "view": rng.choice(["PA", "AP"], size)})
    start = process_time()
    units = combine_units(cells, frame, groups, "study", "mean")
    assert process_time() - start < 3  # 0.4 s where nothing else runs
    assert len(units.groups) == units.cells.image_count
