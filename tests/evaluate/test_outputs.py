from __future__ import annotations

import json

import pandas as pd
import pytest

from cxr.calibrate.fit import fit_calibration
from cxr.config_evaluate import CalibrateConfig, OperatingRule
from cxr.evaluate.cells import align
from cxr.evaluate.metrics import evaluate
from cxr.evaluate.outputs import WRITTEN, write_tables
from cxr.predictions import Predictions


@pytest.fixture
def written(cohort, make_labels, quick, tmp_path):
    """The tables of an evaluation, calibrated on the same images, for speed; D has no positive."""
    labels = make_labels("ABCD")
    absent = cohort.frame["truth/A"].where(cohort.frame["truth/A"] != "1", "0")
    table = Predictions(cohort.frame.assign(**{"score/D": 0.1, "truth/D": absent}), (*cohort.label_names, "D"), {})
    points = (OperatingRule(rule="youden"), OperatingRule(rule="sensitivity", target=0.8))
    calibration = fit_calibration(align(table, labels), CalibrateConfig(points=points))
    config = quick.model_copy(update={"prevalence": {"A": 0.01}})
    evaluation = evaluate(table, labels, config, 0, calibration)
    write_tables(evaluation, tmp_path, "test")
    return evaluation, tmp_path


def test_every_table_is_written(written):
    _, folder = written
    assert sorted(path.name for path in folder.iterdir()) == sorted(WRITTEN)


def test_operating_points_are_a_row_each_and_those_without_a_threshold_say_why(written):
    evaluation, folder = written
    table = pd.read_csv(folder / "operating.csv", keep_default_na=False).set_index(["label", "point"])
    assert len(table) == 8
    found = next(row.figures for row in evaluation.operating if (row.label, row.point) == ("A", "youden"))
    row = table.loc[("A", "youden")]
    assert float(row["sensitivity"]) == found.sensitivity.value
    assert float(row["sensitivity_low"]) == found.sensitivity.interval.low
    assert (float(row["prevalence_stated"]), float(row["ppv_at_prevalence"])) == (0.01, found.at_prevalence.ppv.value)
    assert int(row["true_positives"]) + int(row["false_negatives"]) == evaluation.rows[0].counts.positives
    assert table.loc[("B", "youden"), "prevalence_stated"] == ""
    assert table.loc[("D", "sensitivity 0.8"), "note"] == "undefined: no positives"


def test_reliability_bins_hold_every_known_image_before_and_after(written):
    evaluation, folder = written
    table = pd.read_csv(folder / "reliability.csv")
    sums = table.groupby(["label", "scores", "bins"])[["images", "positives"]].sum()
    assert len(sums) == 3 * 2 * 2
    for row in evaluation.rows[:3]:
        found = sums.loc[row.label]
        assert set(found["images"]) == {row.counts.positives + row.counts.negatives}
        assert set(found["positives"]) == {row.counts.positives}


def test_the_whole_is_in_json_without_numbers_that_json_has_not(written):
    evaluation, folder = written
    summary = json.loads((folder / "metrics.json").read_text())
    assert summary["macro"]["auroc_micro"] == evaluation.micro.value
    assert summary["macro"]["average_precision_macro"] == evaluation.macro.precision.value
    assert (summary["unit"], summary["counts"]["patients"]) == ("image", 120)


def test_groups_and_their_gaps_are_tables_of_their_own(written):
    evaluation, folder = written
    assert len(pd.read_csv(folder / "subgroups.csv")) == len(evaluation.subgroups.rows)
    assert set(pd.read_csv(folder / "gaps.csv")["column"]) == {"sex", "age_band", "view"}


def test_tables_without_a_row_have_their_header(cohort, make_labels, quick, tmp_path):
    config = quick.model_copy(update={"subgroups": ()})
    write_tables(evaluate(cohort, make_labels("ABC"), config, 0), tmp_path, "table")
    for name, column in (("operating.csv", "threshold"), ("subgroups.csv", "group"), ("gaps.csv", "gap")):
        table = pd.read_csv(tmp_path / name)
        assert table.empty
        assert column in table
