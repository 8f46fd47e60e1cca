from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from cxr.calibrate.calibration import Calibration, LabelCalibration
from cxr.calibrate.scaling import Platt, Unchanged
from cxr.calibrate.thresholds import Confusion, OperatingPoint
from cxr.config_evaluate import CalibrateConfig, EvaluateConfig, OperatingRule
from cxr.errors import ConfigError, DataError
from cxr.evaluate import bootstrap
from cxr.evaluate.bootstrap import patient_counts, percentile_interval, resample
from cxr.evaluate.cells import Cells
from cxr.evaluate.interval import Interval
from cxr.evaluate.operating import operating_rows
from cxr.evaluate.ratio import ratio_by_patient
from cxr.evaluate.undefined import Undefined

RULES = (OperatingRule(rule="youden"), OperatingRule(rule="sensitivity", target=0.9))
NOWHERE = Confusion(true_positives=0, false_positives=0, false_negatives=0, true_negatives=0)
RATES = ("sensitivity", "specificity", "ppv", "npv")


def cells_of(truth, scores, patients=None):
    truth = np.asarray(truth, np.float32)
    names = tuple(f"label{j}" for j in range(truth.shape[1]))
    patients = np.arange(len(truth)) if patients is None else np.asarray(patients)
    return Cells(names, truth, np.asarray(scores, np.float64), np.zeros(truth.shape, bool), patients)


def calibration_of(*thresholds, scaling=None):
    """A threshold, or a reason, by label and rule."""
    method = "none" if scaling is None else "platt"

    def label(pair):
        points = {
            rule.name: each if isinstance(each, Undefined) else OperatingPoint(threshold=each, validation=NOWHERE)
            for rule, each in zip(RULES, pair, strict=True)
        }
        return LabelCalibration(scaling=scaling or Unchanged(reason="not asked for"), points=points)

    labels = {f"label{j}": label(pair) for j, pair in enumerate(thresholds)}
    config = CalibrateConfig(method=method, points=RULES)
    return Calibration(schema_version=1, config=config, unit="image", combine="mean", images=1, patients=1, labels=labels)


def rows_of(cells, calibration, **config):
    return operating_rows(cells, calibration, EvaluateConfig(**{"resamples": 200, **config}), seed=4)


@st.composite
def drawn_cells(draw):
    images = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth = rng.choice([0.0, 1.0, np.nan], (images, 2), p=[0.5, 0.3, 0.2])
    _, patients = np.unique(rng.integers(0, draw(st.integers(1, 15)), images), return_inverse=True)
    return cells_of(truth, rng.integers(0, 11, (images, 2)) / 10, patients)


def plain(figure):
    return np.nan if isinstance(figure, Undefined) else figure


@settings(max_examples=80, deadline=None, derandomize=True)
@given(drawn_cells())
def test_equals_scikit_learn_and_counts_sum_to_the_known_images(cells):
    calibration = calibration_of((0.5, 0.25), (0.7, 1.0))
    rows = rows_of(cells, calibration, resamples=100)
    assert [(row.label, row.point) for row in rows] == [(name, rule.name) for name in cells.label_names for rule in RULES]
    for row in rows:
        j = cells.label_names.index(row.label)
        known = cells.known(j)
        truth, yes = cells.truth[known, j] == 1, cells.scores[known, j] >= row.figures.threshold
        counts = row.figures.counts
        table = [[counts.true_negatives, counts.false_positives], [counts.false_negatives, counts.true_positives]]
        if known.any():
            np.testing.assert_array_equal(table, confusion_matrix(truth, yes, labels=[False, True]))
            expected = [
                score(truth, yes, pos_label=kind, zero_division=np.nan)
                for score, kind in (
                    (recall_score, True),
                    (recall_score, False),
                    (precision_score, True),
                    (precision_score, False),
                )
            ]
            np.testing.assert_array_equal([plain(getattr(row.figures, name).value) for name in RATES], expected)
        assert sum(map(sum, table)) == known.sum()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(drawn_cells(), st.integers(0, 100))
def test_intervals_are_those_of_a_loop_over_resampled_images(cells, seed):
    calibration = calibration_of((0.5, 0.25), (0.7, 0.95))
    rows = operating_rows(cells, calibration, EvaluateConfig(resamples=100, confidence=0.9), seed)
    counts = np.concatenate(list(patient_counts(cells.patient_count, 100, seed)), axis=1).astype(int)
    for row in rows:
        j = cells.label_names.index(row.label)
        samples = {name: [] for name in RATES}
        for column in counts.T:
            images = np.repeat(np.arange(cells.image_count), column[cells.patients])
            truth, yes = cells.truth[images, j], cells.scores[images, j] >= row.figures.threshold
            for name, kind, of in (
                ("sensitivity", yes, truth == 1),
                ("specificity", ~yes, truth == 0),
                ("ppv", truth == 1, yes & ~np.isnan(truth)),
                ("npv", truth == 0, ~yes & ~np.isnan(truth)),
            ):
                samples[name].append(kind[of].mean() if of.any() else np.nan)
        for name in RATES:
            estimate, expected = getattr(row.figures, name), percentile_interval(np.array(samples[name]), 0.9)
            assert estimate.bootstrap.failed == expected.failed
            if not isinstance(estimate.value, Undefined) and estimate.value in (0, 1):
                continue  # exact bounds in the place of resamples that cannot vary
            if not isinstance(estimate.bootstrap.interval, Undefined):
                bounds = (expected.interval.low, expected.interval.high)
                assert (estimate.bootstrap.interval.low, estimate.bootstrap.interval.high) == pytest.approx(bounds, abs=1e-12)
            elif isinstance(expected.interval, Interval):
                assert "are of one patient" in estimate.bootstrap.interval.reason


def cohort(images=600, seed=0):
    rng = np.random.default_rng(seed)
    truth = (rng.random((images, 2)) < (0.3, 0.1)).astype(np.float32)
    truth[rng.random(truth.shape) < 0.1] = np.nan
    scores = np.clip(rng.normal(0.35, 0.15, truth.shape) + 0.3 * (truth == 1), 0, 0.99)
    return cells_of(truth, scores, np.arange(images) // 2)


def test_draws_are_those_of_every_other_figure_with_the_same_seed():
    cells = cohort()
    row = rows_of(cells, calibration_of((0.5, 0.4), (0.5, 0.4)))[0]
    positive = (cells.truth[:, 0] == 1).astype(np.float64)
    figure = ratio_by_patient(positive * (cells.scores[:, 0] >= 0.5), positive, cells.patients, cells.patient_count)
    samples = resample([figure], cells.patient_count, 200, 4)[:, 0]
    assert row.figures.sensitivity.bootstrap == percentile_interval(samples, 0.95)


def test_blocks_change_nothing(monkeypatch):
    calibration = calibration_of((0.5, 0.4), (0.5, 0.4))
    whole = rows_of(cohort(), calibration)
    monkeypatch.setattr(bootstrap, "_BLOCK_CELLS", 300 * 7)
    assert rows_of(cohort(), calibration) == whole


def test_thresholds_are_on_the_calibrated_probability():
    cells, scaling = cohort(), Platt(slope=2.0, intercept=-1.0)
    scaled = rows_of(cells, calibration_of((0.2, 0.5), (0.2, 0.5), scaling=scaling))
    for row in scaled:
        j = cells.label_names.index(row.label)
        yes = scaling(cells.scores[:, j]) >= row.figures.threshold
        assert row.figures.counts.true_positives == (yes & (cells.truth[:, j] == 1)).sum()
    assert scaled[0].figures.counts != rows_of(cells, calibration_of((0.2, 0.5), (0.2, 0.5)))[0].figures.counts


def test_predictive_values_at_a_stated_prevalence_follow_bayes():
    # sensitivity 0.8, specificity 0.9
    truth = np.repeat([1, 1, 0, 0], [40, 10, 90, 10])[:, None]
    cells = cells_of(truth, np.repeat([0.9, 0.1, 0.1, 0.9], [40, 10, 90, 10])[:, None])
    figures = rows_of(cells, calibration_of((0.5, 0.5)), prevalence={"label0": 0.02})[0].figures
    there = figures.at_prevalence
    assert there.prevalence == 0.02
    assert there.ppv.value == pytest.approx(0.8 * 0.02 / (0.8 * 0.02 + 0.1 * 0.98))
    assert there.npv.value == pytest.approx(0.9 * 0.98 / (0.9 * 0.98 + 0.2 * 0.02))
    for estimate in (there.ppv, there.npv):
        assert estimate.bootstrap.interval.low < estimate.value < estimate.bootstrap.interval.high


@settings(max_examples=40, deadline=None, derandomize=True)
@given(drawn_cells())
def test_at_the_prevalence_of_the_test_images_they_are_the_plain_ones(cells):
    counts = rows_of(cells, calibration_of((0.5, 0.25), (0.7, 1.0)), resamples=100)[0].figures.counts
    known = sum(counts.model_dump().values())
    share = (counts.true_positives + counts.false_negatives) / known if known else 0.5
    figures = rows_of(cells, calibration_of((0.5, 0.25), (0.7, 1.0)), resamples=100, prevalence={"label0": share})[0].figures
    if 0 < share < 1 and known:
        for name in ("ppv", "npv"):
            own, there = getattr(figures, name).value, getattr(figures.at_prevalence, name).value
            assert plain(there) == pytest.approx(plain(own), abs=1e-12, nan_ok=True)
    else:
        assert isinstance(figures.at_prevalence.ppv.value, Undefined)


@pytest.mark.parametrize("prevalence", [0.0, 1.0])
def test_where_nobody_or_everybody_has_the_finding(prevalence):
    there = rows_of(cohort(), calibration_of((0.5, 0.4), (0.5, 0.4)), prevalence={"label0": prevalence})[
        0
    ].figures.at_prevalence
    assert (there.ppv.value, there.npv.value) == (prevalence, 1 - prevalence)


def test_only_labels_with_a_stated_prevalence_have_it_and_an_unknown_label_is_refused():
    calibration = calibration_of((0.5, 0.4), (0.5, 0.4))
    rows = rows_of(cohort(), calibration, prevalence={"label1": 0.1})
    assert [row.figures.at_prevalence is None for row in rows] == [True, True, False, False]
    with pytest.raises(ConfigError, match=r"evaluate\.prevalence: no label 'Edema'; there are: label0, label1"):
        rows_of(cohort(), calibration, prevalence={"Edema": 0.1})


def test_a_label_that_was_not_fitted_is_refused():
    with pytest.raises(DataError, match="label 'label1' was not fitted"):
        rows_of(cohort(), calibration_of((0.5, 0.4)))


def test_a_point_that_the_label_does_not_have_says_why():
    nothing = Undefined("no positives")
    rows = rows_of(cohort(), calibration_of((0.5, nothing), (nothing, nothing)))
    assert [row.figures == nothing for row in rows] == [False, True, True, True]


def test_what_does_not_exist_on_the_test_side_says_why():
    truth, scores = np.array([[0], [0], [0], [np.nan]]), np.array([[0.1], [0.2], [0.3], [0.9]])
    figures = rows_of(cells_of(truth, scores), calibration_of((0.5, 0.4)), prevalence={"label0": 0.3})[0].figures
    assert figures.sensitivity.value == figures.sensitivity.bootstrap.interval == Undefined("no positives")
    assert figures.sensitivity.bootstrap.failed == 200
    assert figures.ppv.value == Undefined("no image is called positive")
    assert (figures.specificity.value, figures.npv.value) == (1.0, 1.0)
    # the exact bounds of three of three patients, Clopper and Pearson (1934)
    assert figures.specificity.interval.high == 1
    assert figures.specificity.interval.low == pytest.approx(binomtest(3, 3).proportion_ci(0.95).low)
    assert figures.at_prevalence.ppv.value == figures.at_prevalence.npv.value == Undefined("no positives")


def test_a_threshold_that_calls_nothing_positive_has_no_predictive_value_at_any_prevalence():
    figures = rows_of(cohort(), calibration_of((1.0, 0.4), (0.5, 0.4)), prevalence={"label0": 0.3})[0].figures
    assert figures.counts.true_positives + figures.counts.false_positives == 0
    assert figures.at_prevalence.ppv.value == Undefined("no image is called positive")
    assert figures.at_prevalence.npv.value == pytest.approx(0.7)


def test_images_of_one_patient_give_a_value_without_an_interval():
    truth = np.repeat([1, 1, 0, 0], [3, 3, 20, 20])[:, None]
    scores = np.repeat([0.9, 0.1, 0.1, 0.9], [3, 3, 20, 20])[:, None]
    patients = np.concatenate([np.zeros(6, int), np.arange(1, 41)])
    figures = rows_of(cells_of(truth, scores, patients), calibration_of((0.5, 0.4)), prevalence={"label0": 0.3})[0].figures
    alone = Undefined("all positives are of one patient")
    assert figures.sensitivity.value == 0.5
    assert figures.sensitivity.bootstrap.interval == alone
    assert figures.at_prevalence.ppv.bootstrap.interval == figures.at_prevalence.npv.bootstrap.interval == alone
    assert isinstance(figures.specificity.bootstrap.interval, Interval)
    assert isinstance(figures.ppv.bootstrap.interval, Interval)


def test_predictive_values_need_more_than_one_patient_called_so():
    truth, scores = np.array([1, 0, 1, 0, 1, 0]), np.array([0.9, 0.9, 0.1, 0.1, 0.1, 0.1])
    figures = rows_of(cells_of(truth[:, None], scores[:, None], [0, 0, 1, 2, 3, 4]), calibration_of((0.5, 0.4)))[0].figures
    assert figures.ppv.bootstrap.interval == Undefined("all images called positive are of one patient")
    assert isinstance(figures.npv.bootstrap.interval, Interval)
    turned = rows_of(cells_of(truth[:, None], 1 - scores[:, None], [0, 0, 1, 2, 3, 4]), calibration_of((0.5, 0.4)))[0].figures
    assert turned.npv.bootstrap.interval == Undefined("all images called negative are of one patient")
    assert isinstance(turned.ppv.bootstrap.interval, Interval)
