from __future__ import annotations

from dataclasses import replace

import pytest

from cxr.errors import DataError
from cxr.external.sides import divide


def split(table, sides):
    """Each patient of the cohort has two images, so that `sides` says the side of each patient, over and over."""
    patients = table.frame["patient_id"].str[-4:].astype(int)
    return replace(table, frame=table.frame.assign(split=[sides[patient % len(sides)] for patient in patients]))


def test_without_a_side_called_test_all_rows_are_evaluated(cohort):
    sides = divide(split(cohort, ["unknown"]))
    assert (len(sides.test.frame), sides.validation, sides.name, sides.remarks) == (240, None, "table", ())


@pytest.mark.parametrize("sides", [["train", "valid"], ["Training", "other"]])
def test_several_sides_without_a_test_side_are_refused(cohort, sides):
    with pytest.raises(DataError, match="none called 'test': say which rows are to be judged"):
        divide(split(cohort, sides))


def test_rows_that_a_model_was_trained_on_are_refused(cohort):
    with pytest.raises(DataError, match="every row is of the training side"):
        divide(split(cohort, ["Train"]))


def test_rows_of_the_validation_side_alone_are_evaluated_with_a_remark(cohort):
    assert "somewhat too good" in divide(split(cohort, ["VAL"])).remarks[0]


def test_words_that_name_no_side_are_pointed_out(cohort):
    sides = divide(split(cohort, ["ward 1", "ward 2"]))
    assert (len(sides.test.frame), sides.remarks) == (
        240,
        ("The column 'split' was not understood: ward 1, ward 2; all rows are evaluated.",),
    )


@pytest.mark.parametrize(("test", "validation"), [("Test", "Validation"), (" TESTING ", "dev"), ("test", "valid")])
def test_sides_are_known_by_their_usual_names(cohort, test, validation):
    sides = divide(split(cohort, [test, validation, "Train"]))
    assert (len(sides.test.frame), len(sides.validation.frame)) == (80, 80)


def test_the_test_side_is_evaluated_and_the_validation_side_kept_for_calibration(cohort):
    sides = divide(split(cohort, ["test", "val", "val"]))
    assert (len(sides.test.frame), len(sides.validation.frame), sides.name) == (80, 160, "test")
    assert set(sides.test.frame["split"]) == {"test"}
    assert set(sides.validation.frame["split"]) == {"val"}
    assert sides.remarks == ()


def test_a_table_of_test_rows_alone_is_of_the_test_side(cohort):
    sides = divide(cohort)
    assert (len(sides.test.frame), sides.validation, sides.name) == (240, None, "test")


def test_other_rows_are_left_out_and_counted(cohort):
    sides = divide(split(cohort, ["test", "val", "train"]))
    assert (len(sides.test.frame), len(sides.validation.frame)) == (80, 80)
    assert "80 rows are neither" in sides.remarks[0]


def test_a_patient_on_both_sides_is_refused_by_image(cohort):
    table = split(cohort, ["test", "val"])
    table.frame.loc[1, "split"] = "val"  # of the first patient, whose other image is a test image
    with pytest.raises(DataError, match=r"patient of image image0, of the side 'test', is on the side 'val' as well \(1 such"):
        divide(table)
