from __future__ import annotations

from dataclasses import replace

import pytest

from cxr.decide.evaluated import EvaluatedGap, read_gaps, read_labels
from cxr.errors import DataError
from cxr.evaluate.metrics import evaluate
from cxr.evaluate.outputs import write_tables
from cxr.predictions import Predictions
from tests.decide.conftest import QUICK, calibration_of


@pytest.fixture
def evaluation(tmp_path, cohort, make_labels):
    """Three labels, one of them called NA and one without a positive, and two groups of which one is called 1."""
    names = {kind: {"A": "NA", "B": "None"} for kind in ("score", "truth")}
    columns = {f"{kind}/{old}": f"{kind}/{new}" for kind, each in names.items() for old, new in each.items()}
    frame = cohort.frame.rename(columns=columns).assign(sex=["12"[row // 2 % 2] for row in range(240)])
    frame["truth/None"] = frame["truth/None"].where(frame["truth/None"] != "1", "0")
    table = Predictions(frame, ("NA", "None", "C"))
    found = evaluate(table, make_labels(table.label_names), QUICK, 0, calibration_of(table.label_names))
    write_tables(found, tmp_path, "test")
    return found


def test_the_figures_are_those_of_the_evaluation(evaluation, tmp_path):
    found = read_labels(tmp_path / "metrics.csv")
    assert list(found) == ["NA", "None", "C"]
    for row in evaluation.rows:
        if row.label != "None":
            assert found[row.label].auroc == row.auroc
            assert found[row.label].interval == (row.interval.low, row.interval.high)
            assert found[row.label].patients == row.counts.patients_positive
    calibrated = {row.label: row for row in evaluation.probabilities if row.kind == "calibrated"}
    assert found["C"].calibration_error == calibrated["C"].calibration.ece_equal_mass


def test_what_is_undefined_is_none_and_says_why(evaluation, tmp_path):
    found = read_labels(tmp_path / "metrics.csv")["None"]
    assert (found.auroc, found.interval, found.calibration_error, found.patients) == (None, None, None, 0)
    assert found.remark == "undefined: no positives"


def test_why_there_is_no_interval_is_said_once(evaluation, tmp_path):
    found = read_labels(tmp_path / "metrics.csv")["C"]
    told = replace(found, interval=None, note="interval undefined: one patient", caution="caution: no interval (one patient)")
    assert told.remark == "caution: no interval (one patient)"
    assert replace(told, caution="").remark == "interval undefined: one patient"


def test_gaps_that_exist_are_read_and_the_others_counted(evaluation, tmp_path):
    found = read_gaps(tmp_path / "gaps.csv")
    defined = [gap for gap in evaluation.subgroups.gaps if gap.label != "None"]
    assert found.too_small == 1
    assert found.gaps == tuple(
        EvaluatedGap("sex", gap.label, gap.highest, gap.lowest, gap.gap, gap.bootstrap.interval.low) for gap in defined
    )
    assert {gap.highest for gap in found.gaps} <= {"1", "2"}


def test_a_file_that_the_evaluation_did_not_write_is_refused(tmp_path):
    (tmp_path / "metrics.csv").write_text("label,figure\nA,1\n")
    with pytest.raises(DataError, match="column 'auroc' is missing"):
        read_labels(tmp_path / "metrics.csv")
    with pytest.raises(DataError, match=r"gaps\.csv: cannot be read"):
        read_gaps(tmp_path / "gaps.csv")
