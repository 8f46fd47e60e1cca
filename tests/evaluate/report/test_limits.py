from __future__ import annotations

import numpy as np
import pytest

from cxr.config_evaluate import EvaluateConfig
from cxr.evaluate.metrics import evaluate
from cxr.evaluate.report.limits import column_text, leading, limits, not_measured, share_text
from cxr.labels.label_set import Label, LabelSet
from tests.evaluate.rich import LABELS, rich_evaluation


def text_of(evaluation, labels=LABELS):
    return "\n".join(limits(evaluation, labels))


def test_what_the_data_lack_is_said():
    text = text_of(rich_evaluation(subgroups=("age_band", "source", "manufacturer")))
    assert "Fewer than 20 patients have Rare_Finding" in text
    assert "Never cannot be measured here" in text
    assert "% of the labels' cells are unknown and left out" in text
    assert "Of the labels the label set says: labels from reports." in text
    assert "Labels taken from reports say what a report mentions" in text
    assert "The age of 76 of 600 images is not known." in text
    assert "All images whose source is known are of one group (north)." in text
    assert "manufacturer" not in text
    assert "too narrow" not in text
    assert "No calibration was fitted" not in text


def test_what_nothing_is_known_of_is_said(make_table, make_labels):
    table = make_table({"A": (np.tile([0, 1], 20), np.linspace(0, 1, 40))})
    table.frame["sex"] = "unknown"
    table.frame.drop(columns="age_years")
    evaluation = evaluate(table, make_labels("A"), EvaluateConfig(resamples=100), 0)
    text = text_of(evaluation, make_labels("A"))
    assert "No image has a known sex" in text
    assert "The table does not tell manufacturer and source" in text
    assert "rest on 40 patients, fewer than 100" in text
    assert "each image is of another patient" in text
    assert "No calibration was fitted" in text
    assert "the label set says" not in text


def test_uncertain_cells_that_count_are_said(make_table):
    labels = LabelSet(name="one", labels=(Label(name="A", uncertain="positive"),))
    table = make_table({"A": ([0, 1, 2, 2] * 10, np.linspace(0, 1, 40))})
    evaluation = evaluate(table, labels, EvaluateConfig(resamples=100), 0)
    assert "counted as positive or negative, as the label set says: A 20." in text_of(evaluation, labels)


def test_intervals_that_take_images_for_independent_are_called_too_narrow():
    assert "DeLong's, which take the images of one patient for independent" in text_of(rich_evaluation(intervals="delong"))
    by_patient = text_of(rich_evaluation(intervals="delong", unit="patient"))
    assert "DeLong" not in by_patient


def test_what_was_not_measured_is_listed():
    found = not_measured(rich_evaluation(calibrate=False))
    assert "Never: no positives" in found
    assert "thresholds, and probabilities after calibration: nothing was fitted" in found
    assert "differences by source: one group only" in found
    assert "children: no image is known to be of one" in found
    assert not any(phrase.startswith("thresholds") for phrase in not_measured(rich_evaluation()))


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (1e-5, "less than 0.1 %"), (0.043, "4.3 %"), (0.9999, "more than 99.9 %"), (1, "100 %")]
)
def test_shares_never_pass_for_none_or_all(share, text):
    assert share_text(share) == text


def test_long_lists_are_cut_and_say_so():
    assert leading(["A", "B", "C", "D"], 2) == "A, B and 2 more"
    assert leading(["A", "B"], 2) == "A and B"


def test_columns_are_called_by_words():
    assert [column_text(name) for name in ("age_band", "view", "pixel_spacing")] == ["age", "view", "pixel spacing"]
