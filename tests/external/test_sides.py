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


def test_rows_of_several_sides_that_are_evaluated_together_are_named(cohort):
    sides = divide(split(cohort, ["train", "valid"]))
    assert sides.validation is None
    assert "together: train, valid" in sides.remarks[0]


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
