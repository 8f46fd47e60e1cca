from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cxr.compare.agree import agreed_context, refuse_other_split, refuse_other_truth
from cxr.errors import DataError
from cxr.labels.values import UNCERTAIN
from cxr.manifest import label_column


def context(patients, studies="unknown", alike=None):
    images = [f"image{index}" for index in range(len(patients))]
    frame = pd.DataFrame({"image_id": images, "patient_id": patients, "study_id": studies})
    return frame if alike is None else frame.assign(alike=alike)


def agreed(a, b, name="patient_id", *, studies=False):
    return agreed_context(a, b, studies=studies)[name].tolist()


def test_one_side_of_a_split_for_both_is_accepted(cohort, rival):
    refuse_other_split(cohort, rival)


def test_a_patient_tested_in_one_table_and_validated_on_in_the_other_is_refused(cohort):
    sides = np.where(cohort.frame["patient_id"] < "patient0060", "val", "test")
    a, b = (replace(cohort, frame=cohort.frame.assign(split=each)) for each in ("test", sides))
    for tables, tested in (((a, b), "A"), ((b, a), "B")):
        with pytest.raises(DataError, match=f"different splits.*image0, a test image of {tested}.*60 such patients"):
            refuse_other_split(*tables)


def test_a_table_that_names_no_sides_has_no_other_split(cohort):
    unnamed = replace(cohort, frame=cohort.frame.assign(split="unknown"))
    refuse_other_split(cohort, unnamed)
    refuse_other_split(unnamed, cohort)


def test_patients_of_one_name_that_differ_are_refused_by_image():
    with pytest.raises(DataError, match=r"image1 is of different patients.*1 such"):
        agreed(context(["p", "p", "q"]), context(["p", "q", "q"]))


def test_patients_of_other_names_are_the_same_if_the_same_images_stand_together():
    assert agreed(context(["p", "p", "q"]), context(["1", "1", "2"])) == ["p", "p", "q"]
    with pytest.raises(DataError, match="image0 is of different patients"):
        agreed(context(["p", "p", "q"]), context(["1", "2", "2"]))


@pytest.mark.parametrize("turned", [False, True])
def test_the_table_that_tells_the_patients_counts(turned):
    untold = context([f"image{index}" for index in range(3)])
    tables = (untold, context(["p", "p", "q"]))
    assert agreed(*(tables[::-1] if turned else tables)) == ["p", "p", "q"]


@pytest.mark.parametrize("turned", [False, True])
def test_studies_and_copies_are_taken_from_the_table_that_tells_them(turned):
    tables = (context("pqr"), context("pqr", ["s", "s", "t"], ["", "x", "x"]))
    tables = tables[::-1] if turned else tables
    assert agreed(*tables, "study_id", studies=True) == ["s", "s", "t"]
    assert agreed(*tables, "alike") == ["", "x", "x"]


def test_studies_that_differ_are_refused_only_where_studies_are_counted():
    tables = (context("ppp", ["s", "s", "t"]), context("ppp", ["s", "t", "t"]))
    assert agreed(*tables, "study_id") == ["s", "s", "t"]
    with pytest.raises(DataError, match="image1 is of different studies"):
        agreed(*tables, studies=True)


def test_another_truth_is_refused_by_image_and_label(cohort):
    codes = cohort.truth_codes()[:, 1].copy()
    codes[7] = UNCERTAIN
    other = replace(cohort, frame=cohort.frame.assign(**{"truth/B": label_column(codes)}))
    refuse_other_truth(cohort, cohort)
    with pytest.raises(DataError, match=r"image7: 'B' is \w+ in A and uncertain in B \(1 such cells\).*--truth"):
        refuse_other_truth(cohort, other)
