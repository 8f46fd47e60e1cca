from __future__ import annotations

from cxr.evaluate.report.provenance import branch_weights, fitted_on, provenance
from tests.evaluate.rich import LABELS, NAMES, rich_evaluation


def test_tells_where_figures_come_from_and_how_they_were_made():
    evaluation = rich_evaluation(unit="study", combine="max")
    told = provenance(evaluation, LABELS, "test")
    assert told == {
        "model run": "8f2c1d",
        "split sha256": "a3b4",
        "evaluated": "the test split",
        "counted": "study, max of the scores of its images",
        "label set": "Four findings - labels from reports",
        "calibration": "platt, fitted on 600 studies of 300 patients",
        "intervals": "bootstrap of patients, 100 resamples, normal on the logit scale, 95 %",
        "bootstrap resamples": "100",
        "seed": "0",
    }
    assert list(branch_weights(evaluation)) == list(NAMES)


def test_nothing_fitted_is_told():
    evaluation = rich_evaluation(calibrate=False)
    assert provenance(evaluation, LABELS, "table")["calibration"] == "none"
    assert provenance(evaluation, LABELS, "table")["evaluated"] == "the table"
    assert fitted_on(evaluation) == ""
    assert fitted_on(rich_evaluation(unit="patient")) == "300 patients"
