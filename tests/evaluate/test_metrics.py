from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from cxr.calibrate.fit import fit_calibration
from cxr.config_evaluate import CalibrateConfig
from cxr.evaluate.cells import align
from cxr.evaluate.delong import delong_interval
from cxr.evaluate.metrics import evaluate
from cxr.evaluate.undefined import Undefined
from cxr.predictions import Predictions


def by_label(evaluation):
    return evaluation.table().set_index("label").sort_index()


def test_shuffled_label_columns_leave_every_label_unchanged(cohort, make_labels, quick):
    shuffled = Predictions(cohort.frame[cohort.frame.columns[::-1]], ("C", "A", "B"), cohort.about)
    first = evaluate(cohort, make_labels("ABC"), quick, seed=0)
    for table, order in ((shuffled, "ABC"), (cohort, "BCA"), (shuffled, "CBA")):
        other = evaluate(table, make_labels(order), quick, seed=0)
        pd.testing.assert_frame_equal(by_label(other), by_label(first), check_exact=True)
        assert other.macro.auroc == pytest.approx(first.macro.auroc, abs=1e-15)


def test_row_order_changes_nothing(cohort, make_labels, quick):
    shuffled = Predictions(cohort.frame.sample(frac=1, random_state=1), cohort.label_names, cohort.about)
    labels = make_labels("ABC")
    first, other = (evaluate(table, labels, quick, seed=0) for table in (cohort, shuffled))
    pd.testing.assert_frame_equal(other.table(), first.table(), check_exact=True)
    pd.testing.assert_frame_equal(other.subgroups.table(), first.subgroups.table(), check_exact=True)
    assert (other.macro, other.micro, other.probabilities) == (first.macro, first.micro, first.probabilities)


def test_figures_are_scikit_learns_on_known_cells(cohort, make_labels, quick):
    evaluation = evaluate(cohort, make_labels("ABC"), quick, seed=0)
    for row in evaluation.rows:
        known = cohort.frame[f"truth/{row.label}"].isin(["0", "1"])
        truth = (cohort.frame.loc[known, f"truth/{row.label}"] == "1").to_numpy()
        scores = cohort.frame.loc[known, f"score/{row.label}"]
        assert row.auroc == roc_auc_score(truth, scores)
        assert row.average_precision == average_precision_score(truth, scores)
        assert row.interval.low < row.auroc < row.interval.high
    assert evaluation.macro.auroc == pytest.approx(np.mean([row.auroc for row in evaluation.rows]))
    assert evaluation.macro.interval.low < evaluation.macro.auroc < evaluation.macro.interval.high


@pytest.mark.parametrize(
    ("policy", "positives", "negatives", "unknown", "used"),
    [("ignore", 3, 4, 3, 0), ("positive", 5, 4, 1, 2), ("negative", 3, 6, 1, 2), (0.7, 3, 4, 3, 0)],
)
def test_unknown_and_uncertain_cells_are_counted_and_left_out(
    make_table, make_labels, quick, policy, positives, negatives, unknown, used
):
    table = make_table({"A": ([1, 1, 1, 0, 0, 0, 0, 2, 2, 3], np.linspace(1, 0, 10))})
    row = evaluate(table, make_labels(["A"], uncertain=policy), quick, seed=0).rows[0]
    counts = row.counts
    assert (counts.positives, counts.negatives, counts.unknown) == (positives, negatives, unknown)
    assert counts.uncertain == 2
    assert counts.patients == positives + negatives
    assert row.uncertain_used == used
    assert ("2 uncertain counted" in row.note) == (used == 2)


def test_label_without_positives_is_undefined_and_outside_the_mean(make_table, make_labels, quick):
    scores = np.linspace(0, 1, 40)
    codes = np.tile([0, 1], 20)
    table = make_table({"A": (codes, scores), "B": (np.zeros(40, int), scores), "C": (np.full(40, 3), scores)})
    evaluation = evaluate(table, make_labels("ABC"), quick, seed=0)
    a, b, c = evaluation.rows
    assert (b.auroc, b.interval, b.average_precision) == (Undefined("no positives"),) * 3
    assert (c.auroc, c.counts.prevalence) == (Undefined("no known cell"),) * 2
    assert b.ranking.bootstrap.failed == 200
    assert evaluation.macro.auroc == a.auroc
    assert evaluation.macro.interval == a.interval
    assert evaluation.macro.labels_defined == ("A",)
    assert evaluation.macro.labels_undefined == ("B", "C")
    assert evaluation.table()["note"].tolist() == ["", "undefined: no positives", "undefined: no known cell"]


def test_no_label_defined_gives_no_mean(make_table, make_labels, quick):
    macro = evaluate(make_table({"A": ([0, 0], [0.1, 0.2])}), make_labels("A"), quick, seed=0).macro
    assert macro.auroc == macro.interval == Undefined("no label has an AUROC")


def test_one_positive_has_a_figure_and_no_interval(make_table, make_labels, quick):
    table = make_table({"A": ([1, *[0] * 39], np.linspace(0.8, 0.2, 40))})
    row = evaluate(table, make_labels("A"), quick, seed=0).rows[0]
    assert row.auroc == 1
    assert row.interval == Undefined("all positives are of one patient")
    assert 40 < row.ranking.bootstrap.failed < 110  # the one patient is missing in (39/40)^40 = 36 % of resamples


def test_three_positives_have_a_finite_interval_and_counted_failures(make_table, make_labels, quick):
    rng = np.random.default_rng(0)
    table = make_table({"A": ([1, 1, 1, *[0] * 57], rng.random(60))})
    row = evaluate(table, make_labels("A"), quick, seed=0).rows[0]
    assert 0 <= row.interval.low < row.interval.high <= 1
    assert row.ranking.bootstrap.failed > 0
    assert f"{row.ranking.bootstrap.failed} failed resamples left out" in row.note


def test_a_resample_that_fails_for_one_label_fails_for_the_mean(make_table, make_labels, quick):
    rng = np.random.default_rng(0)
    rare = (np.array([1, 1, 1, *[0] * 57]), rng.random(60))
    table = make_table({"A": (np.tile([0, 1], 30), rng.random(60)), "B": rare})
    evaluation = evaluate(table, make_labels("AB"), quick, seed=0)
    assert evaluation.macro.ranking.bootstrap.failed == evaluation.rows[1].ranking.bootstrap.failed > 0


def test_constant_scores_have_no_interval_of_width_zero(make_table, make_labels, quick):
    row = evaluate(make_table({"A": (np.tile([0, 1], 30), np.full(60, 0.4))}), make_labels("A"), quick, seed=0).rows[0]
    assert row.auroc == 0.5
    assert row.interval == Undefined("resamples do not vary: all give 0.500")


def test_the_seed_decides_the_interval(cohort, make_labels, quick):
    labels = make_labels("ABC")
    first, again, other = (evaluate(cohort, labels, quick, seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(again.table(), first.table(), check_exact=True)
    assert first.rows[0].interval != other.rows[0].interval


def test_every_figure_stands_under_its_own_column(make_table, make_labels, quick):
    # 5 positives, 12 negatives, 3 uncertain, 1 unknown: no two figures of the row are alike
    codes = [1] * 5 + [0] * 12 + [2] * 3 + [3]
    patients = [0, 0, 1, 2, 3, *[4, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 13], 20, 21, 22, 23]
    scores = [0.9, 0.8, 0.7, 0.35, 0.2, *np.linspace(0.05, 0.6, 12), 0.5, 0.5, 0.5, 0.5]
    table = evaluate(make_table({"A": (codes, scores)}, patients), make_labels("A"), quick, seed=0).table()
    record = pd.read_csv(io.StringIO(table.to_csv(index=False))).iloc[0].to_dict()
    truth = np.array(codes[:17])
    expected = {"label": "A", "positives": 5, "negatives": 12, "unknown": 4, "uncertain": 3, "patients": 14}
    expected |= {"patients_positive": 4, "patients_negative": 10, "prevalence": 5 / 17}
    expected["auroc"] = roc_auc_score(truth, scores[:17])
    expected["average_precision"] = average_precision_score(truth, scores[:17])
    for column, value in expected.items():
        assert record[column] == pytest.approx(value), column
    assert record["auroc_low"] < record["auroc"] < record["auroc_high"]
    assert record["interval_method"] == "bootstrap of patients, 200 resamples, normal on the logit scale, 95 %"


def test_undefined_is_an_empty_cell_in_csv(make_table, make_labels, quick):
    table = evaluate(make_table({"A": ([0, 0], [0.1, 0.2])}), make_labels("A"), quick, seed=0).table()
    record = pd.read_csv(io.StringIO(table.to_csv(index=False)), dtype=str, keep_default_na=False).iloc[0]
    assert (record["auroc"], record["auroc_low"], record["auroc_high"], record["average_precision"]) == ("",) * 4
    assert record["prevalence"] == "0.0"


def test_delongs_intervals_are_taken_where_they_are_asked_for(cohort, make_labels, quick):
    evaluation = evaluate(cohort, make_labels("ABC"), quick.model_copy(update={"intervals": "delong"}), seed=0)
    for label, row in enumerate(evaluation.rows):
        expected = delong_interval(evaluation.cells.truth[:, label], evaluation.cells.scores[:, label], 0.95)
        assert row.interval == expected
    assert evaluation.interval_method == "DeLong, each image taken for independent, 95 %"


def test_calibrated_probabilities_stand_beside_those_as_scored(cohort, make_labels, quick):
    labels = make_labels("ABC")
    calibration = fit_calibration(align(cohort, labels), CalibrateConfig())
    evaluation = evaluate(cohort, labels, quick, seed=0, calibration=calibration)
    table = evaluation.table().set_index("label")
    for label, name in enumerate("ABC"):
        known = evaluation.cells.known(label)
        truth = evaluation.cells.truth[known, label]
        for column, scores in (("brier", evaluation.cells.scores), ("brier_calibrated", evaluation.calibrated)):
            assert table.loc[name, column] == pytest.approx(brier_score_loss(truth, scores[known, label]), abs=1e-12)
        # fitted to these very images, so that they can only come out closer
        assert table.loc[name, "log_loss_calibrated"] <= table.loc[name, "log_loss"]
    assert table.loc["A", "log_loss_calibrated"] < table.loc["A", "log_loss"]
    assert {row.label for row in evaluation.operating} == set("ABC")


def test_studies_are_counted_where_they_are_the_unit(cohort, make_labels, quick):
    both = cohort.frame.assign(study_id=cohort.frame["patient_id"])
    table = Predictions(both, cohort.label_names, cohort.about)
    evaluation = evaluate(table, make_labels("ABC"), quick.model_copy(update={"unit": "study"}), seed=0)
    assert (evaluation.units, evaluation.images, evaluation.patients) == (120, 240, 120)
    assert set(evaluation.table()["unit"]) == {"study"}
    assert evaluation.rows[0].counts.patients == evaluation.rows[0].counts.positives + evaluation.rows[0].counts.negatives


def test_a_label_of_one_patient_leaves_the_mean_without_an_interval(make_table, make_labels, quick):
    rng = np.random.default_rng(0)
    table = make_table({"A": (np.tile([0, 1], 30), rng.random(60)), "B": ([1, *[0] * 59], rng.random(60))})
    macro = evaluate(table, make_labels("AB"), quick, seed=0).macro
    assert macro.labels_defined == ("A", "B")
    assert macro.interval == macro.precision.interval == Undefined("B: all positives are of one patient")
