from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxr.compare.align import pair
from cxr.config_evaluate import EvaluateConfig
from cxr.errors import DataError
from cxr.evaluate.cells import align
from cxr.evaluate.paired import compare
from cxr.evaluate.units import combine_units
from cxr.predictions import Predictions

UNITS = ("image", "study", "patient")


@pytest.fixture
def labels(make_labels):
    return make_labels(["A", "B", "C"])


def compared(a, b, labels, unit="image"):
    sides = pair(a, b, labels, EvaluateConfig(unit=unit))
    return compare(sides.cells, sides.other, 300, 0.95, seed=2)


def shuffled(table, seed):
    """Its rows in another order, and its columns, and its labels."""
    rng = np.random.default_rng(seed)
    frame = table.frame.iloc[rng.permutation(len(table.frame))].reset_index(drop=True)
    frame = frame[rng.permutation(frame.columns)]
    return Predictions(frame, tuple(rng.permutation(table.label_names).tolist()), table.about)


def two_images_a_study(table):
    return replace(table, frame=table.frame.assign(study_id=[f"study{index // 2}" for index in range(len(table.frame))]))


@given(seeds=st.tuples(st.integers(0, 1000), st.integers(0, 1000)), unit=st.sampled_from(UNITS))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_rows_and_columns_of_either_table_changes_nothing(cohort, rival, labels, seeds, unit):
    a, b = two_images_a_study(cohort), two_images_a_study(rival)
    assert compared(shuffled(a, seeds[0]), shuffled(b, seeds[1]), labels, unit) == compared(a, b, labels, unit)


@pytest.mark.parametrize("unit", UNITS)
def test_swapping_the_tables_turns_every_sign(cohort, rival, labels, unit):
    tables = [two_images_a_study(cohort), shuffled(two_images_a_study(rival), 3)]
    there, back = compared(*tables, labels, unit), compared(*tables[::-1], labels, unit)
    turned = {"better": "worse", "worse": "better", "no difference shown": "no difference shown"}
    for one, other in zip((*there.rows, there.macro), (*back.rows, back.macro), strict=True):
        assert (one.auroc.a, one.auroc.b) == (other.auroc.b, other.auroc.a)
        assert one.auroc.difference == -other.auroc.difference
        assert one.auroc.interval.low == pytest.approx(-other.auroc.interval.high, abs=1e-12)
        assert one.auroc.p == other.auroc.p
        assert one.verdict == turned[other.verdict]
    assert {row.verdict for row in there.rows} >= {"better", "worse"}


@pytest.mark.parametrize("unit", UNITS)
def test_each_row_holds_the_scores_of_one_image_study_or_patient(cohort, rival, labels, unit):
    a, b = two_images_a_study(cohort), two_images_a_study(rival)
    sides = pair(a, shuffled(b, 1), labels, EvaluateConfig(unit=unit))
    frame = a.frame.sort_values("image_id", ignore_index=True)
    for table, scores in ((a, sides.cells.scores), (b, sides.other)):
        alone = align(replace(table, frame=table.frame.sort_values("image_id", ignore_index=True)), labels)
        np.testing.assert_array_equal(combine_units(alone, frame, frame[[]], unit, "mean").cells.scores, scores)


def test_images_and_labels_of_one_table_alone_are_left_out_and_counted(cohort, rival, labels):
    a = replace(cohort, frame=cohort.frame.iloc[:200].reset_index(drop=True))
    without_c = rival.frame.drop(columns=["score/C", "truth/C"]).iloc[10:].reset_index(drop=True)
    sides = pair(a, Predictions(without_c, ("A", "B"), {}), labels, EvaluateConfig())
    assert (sides.images, sides.only_a, sides.only_b) == (190, 10, 40)
    assert sides.left_out == ("C",)
    assert sides.cells.label_names == ("A", "B")


def test_the_test_side_alone_is_compared(cohort, rival, labels):
    sides = np.where(cohort.frame["patient_id"] < "patient0060", "val", "test")
    a, b = (replace(table, frame=table.frame.assign(split=sides)) for table in (cohort, rival))
    assert pair(a, b, labels, EvaluateConfig()).images == 120


def test_a_copy_of_a_picture_counts_once_in_the_mean_of_both(cohort, rival, labels):
    """Of either table: what one knows of copies holds for both."""
    first = {name: table.frame.iloc[:3].assign(patient_id="p") for name, table in (("a", cohort), ("b", rival))}
    alike = {"alike": ["", "x", "x"]}
    for marked in "ab":
        tables = [replace(cohort, frame=frame.assign(**(alike if name == marked else {}))) for name, frame in first.items()]
        sides = pair(*tables, labels, EvaluateConfig(unit="patient"))
        for found, frame in ((sides.cells.scores, first["a"]), (sides.other, first["b"])):
            scores = frame[["score/A", "score/B", "score/C"]].to_numpy()
            np.testing.assert_allclose(found, [(scores[0] + scores[1:].mean(axis=0)) / 2])


def test_images_named_by_file_and_by_path_are_the_same(cohort, rival, labels):
    named = replace(cohort, frame=cohort.frame.assign(image_id=[f"{name}.png" for name in cohort.frame["image_id"]]))
    paths = replace(rival, frame=rival.frame.assign(image_id=[f"x/{name}.png" for name in rival.frame["image_id"]]))
    sides = pair(named, shuffled(paths, 4), labels, EvaluateConfig())
    assert "path" in sides.way
    plain = pair(cohort, rival, labels, EvaluateConfig())
    np.testing.assert_array_equal(np.sort(sides.other, axis=0), np.sort(plain.other, axis=0))
    assert compare(sides.cells, sides.other, 100, 0.95, 2).rows == compare(plain.cells, plain.other, 100, 0.95, 2).rows


def test_no_image_in_common_is_refused_with_an_id_of_each(cohort, rival, labels):
    other = replace(rival, frame=rival.frame.assign(image_id=[f"x{index}" for index in range(len(rival.frame))]))
    with pytest.raises(DataError, match="no image in common: A has 'image0' and B has 'x0'"):
        pair(cohort, other, labels, EvaluateConfig())


def test_no_label_in_common_is_refused_with_those_of_each(cohort, rival, labels):
    only_a = Predictions(cohort.frame.drop(columns=["score/B", "truth/B", "score/C", "truth/C"]), ("A",), {})
    only_b = Predictions(rival.frame.drop(columns=["score/A", "truth/A", "score/C", "truth/C"]), ("B",), {})
    with pytest.raises(DataError, match="no label of 'set' is scored in both tables: A has A; B has B"):
        pair(only_a, only_b, labels, EvaluateConfig())


def test_studies_that_no_table_names_cannot_be_counted(cohort, rival, labels):
    untold = [replace(table, frame=table.frame.assign(study_id="unknown")) for table in (cohort, rival)]
    with pytest.raises(DataError, match="study_id is not known"):
        pair(*untold, labels, EvaluateConfig(unit="study"))
