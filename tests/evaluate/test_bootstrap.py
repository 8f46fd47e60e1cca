from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from cxr.evaluate import bootstrap
from cxr.evaluate.bootstrap import (
    BootstrapInterval,
    auroc_interval,
    patient_counts,
    percentile_bounds,
    percentile_interval,
    resample,
    resampled_aurocs,
)
from cxr.evaluate.cells import Cells
from cxr.evaluate.interval import Interval
from cxr.evaluate.probability import brier_figure
from cxr.evaluate.ranking import rank_all, rank_label
from cxr.evaluate.undefined import Undefined


def cells_of(truth, scores, patients):
    truth = np.asarray(truth, np.float32)
    names = tuple(f"label{index}" for index in range(truth.shape[1]))
    return Cells(names, truth, np.asarray(scores, np.float64), np.zeros(truth.shape, bool), np.asarray(patients))


def resampled_rows(patients, resamples, seed):
    """The rows of each resample, written out: patients drawn one resample after another, with all images of each."""
    rng = np.random.default_rng(seed)
    count = patients.max() + 1
    for _ in range(resamples):
        yield np.concatenate([np.flatnonzero(patients == patient) for patient in rng.integers(count, size=count)])


def slow(metric, truth, scores):
    """scikit-learn on the known cells; NaN where there are not both positives and negatives."""
    known = ~np.isnan(truth)
    return metric(truth[known], scores[known]) if len(np.unique(truth[known])) == 2 else np.nan


@st.composite
def drawn_cells(draw):
    images, labels = draw(st.integers(1, 25)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.integers(1, 12))
    scores = rng.integers(0, levels, (images, labels)) / levels
    truth = rng.choice([0.0, 1.0, np.nan], (images, labels), p=draw(st.sampled_from([(0.5, 0.4, 0.1), (0.2, 0.1, 0.7)])))
    _, patients = np.unique(rng.integers(0, draw(st.integers(1, 12)), images), return_inverse=True)
    return cells_of(truth, scores, patients)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(drawn_cells(), st.integers(0, 1000))
def test_equals_a_loop_of_scikit_learn_over_resampled_patients_with_the_same_seed(cells, seed):
    fast = resampled_aurocs(cells, 8, seed)
    loop = [
        [slow(roc_auc_score, cells.truth[rows, label], cells.scores[rows, label]) for label in range(len(cells.label_names))]
        for rows in resampled_rows(cells.patients, 8, seed)
    ]
    np.testing.assert_allclose(fast, loop, rtol=0, atol=1e-12)


def test_different_figures_stand_on_the_same_resamples():
    rng = np.random.default_rng(4)
    cells = cells_of(rng.integers(0, 2, (60, 2)), rng.integers(1, 9, (60, 2)) / 10, np.arange(60) // 3)
    figures = [rank_label(cells, 0).average_precisions, rank_all(cells).aurocs, brier_figure(cells, 1)]
    loop = [
        [
            slow(average_precision_score, cells.truth[rows, 0], cells.scores[rows, 0]),
            slow(roc_auc_score, cells.truth[rows].ravel(), cells.scores[rows].ravel()),
            brier_score_loss(cells.truth[rows, 1], cells.scores[rows, 1]),
        ]
        for rows in resampled_rows(cells.patients, 20, 5)
    ]
    np.testing.assert_allclose(resample(figures, cells.patient_count, 20, 5), loop, rtol=0, atol=1e-12)


def test_every_resample_draws_as_many_patients_as_there_are_evenly():
    counts = np.concatenate(list(patient_counts(40, 2000, seed=3)), axis=1)
    assert counts.shape == (40, 2000)
    np.testing.assert_array_equal(counts.sum(axis=0), 40)
    assert counts.mean(axis=1) == pytest.approx(np.ones(40), abs=0.1)
    assert counts.var() == pytest.approx(1 - 1 / 40, abs=0.03)  # of a binomial: 40 draws, chance 1/40


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    cells = cells_of(rng.integers(0, 2, (30, 2)), rng.random((30, 2)), np.arange(30) // 2)
    whole = resampled_aurocs(cells, 100, 7)
    monkeypatch.setattr(bootstrap, "_BLOCK_CELLS", 15 * 7)
    np.testing.assert_array_equal(resampled_aurocs(cells, 100, 7), whole)


def test_failed_resamples_are_counted_and_left_out():
    samples = np.array([0.5, 0.6, np.nan, 0.7, np.nan])
    result = percentile_interval(samples, 0.5)
    assert result.failed == 2
    assert result.interval == Interval(*np.quantile([0.5, 0.6, 0.7], [0.25, 0.75]).tolist())


@pytest.mark.parametrize(("failed", "undefined"), [(5, False), (6, True), (10, True)])
def test_interval_needs_half_of_the_resamples(failed, undefined):
    samples = np.linspace(0.5, 0.9, 10)
    samples[:failed] = np.nan
    result = percentile_interval(samples, 0.95)
    assert (result.interval == Undefined(f"{failed} of 10 resamples failed")) == undefined
    assert result.failed == failed


def test_resamples_that_all_agree_give_no_interval_of_width_zero():
    assert percentile_interval(np.ones(100), 0.95).interval == Undefined("resamples do not vary: all give 1.000")


@pytest.mark.parametrize("images_per_patient", [1, 4])
def test_images_of_one_patient_do_not_narrow_the_interval(images_per_patient):
    rng = np.random.default_rng(1)
    truth, scores = rng.integers(0, 2, (80, 1)), rng.random((80, 1))
    single = percentile_interval(resampled_aurocs(cells_of(truth, scores, np.arange(80)), 400, 2)[:, 0], 0.95)
    copies = np.repeat(np.arange(80), images_per_patient)
    copied = percentile_interval(resampled_aurocs(cells_of(truth[copies], scores[copies], copies), 400, 2)[:, 0], 0.95)
    assert copied.interval.low == pytest.approx(single.interval.low, abs=1e-12)
    assert copied.interval.high == pytest.approx(single.interval.high, abs=1e-12)


def test_bounds_of_differences_may_lie_below_zero():
    assert percentile_bounds(np.linspace(-1, 1, 101), 0.5) == (-0.5, 0.5)


def clustered(rng, patients=200, images=5):
    """Patients whose images resemble each other in finding and score; images see AUROC norm.cdf(1 / sqrt(2)) = 0.760."""
    owners = np.repeat(np.arange(patients), images)
    size = len(owners)
    finding = 0.8 * rng.normal(size=patients)[owners] + 0.6 * rng.normal(size=size) > norm.ppf(0.85)
    scores = 0.8 * rng.normal(size=patients)[owners] + 0.6 * rng.normal(size=size) + finding
    return cells_of(finding[:, np.newaxis], scores[:, np.newaxis], owners)


def auroc_of(cells):
    return roc_auc_score(cells.truth[:, 0], cells.scores[:, 0])


def test_interval_by_patient_covers_the_true_auroc_and_that_by_image_does_so_less_often():
    rng = np.random.default_rng(6)
    covered = np.zeros(2)
    for _ in range(250):
        cells = clustered(rng)
        for way, owners in enumerate((cells.patients, np.arange(cells.image_count))):
            as_if = Cells(cells.label_names, cells.truth, cells.scores, cells.uncertain, owners)
            interval = auroc_interval(auroc_of(as_if), resampled_aurocs(as_if, 200, 0)[:, 0], 0.95).interval
            covered[way] += interval.low <= norm.cdf(0.5**0.5) <= interval.high
    by_patient, by_image = covered / 250
    # three standard errors of 250 simulations are 0.04
    assert by_patient == pytest.approx(0.95, abs=0.04)
    assert by_image < 0.85


def test_the_interval_of_an_auroc_is_normal_on_the_logit_scale():
    samples = np.array([0.7, 0.8, 0.9, np.nan])
    found = auroc_interval(0.8, samples, 0.95)
    reach = norm.ppf(0.975) * 0.1 / (0.8 * 0.2)
    assert (found.interval.low, found.interval.high) == pytest.approx(expit([logit(0.8) - reach, logit(0.8) + reach]))
    assert found.failed == 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_auroc_without_a_logit_has_the_percentiles(value):
    samples = np.linspace(0.2, 0.9, 50)
    assert auroc_interval(value, samples, 0.95) == percentile_interval(samples, 0.95)


@given(st.floats(0.01, 0.99), st.integers(0, 10**6))
def test_the_interval_of_an_auroc_holds_it_and_stays_between_0_and_1(value, seed):
    samples = np.clip(np.random.default_rng(seed).normal(value, 0.3, 40), 0, 1)
    interval = auroc_interval(value, samples, 0.95).interval
    assert 0 <= interval.low <= value <= interval.high <= 1


def test_an_auroc_that_is_undefined_or_does_not_vary_has_no_interval():
    nothing = Undefined("no positives")
    assert auroc_interval(nothing, np.array([np.nan, 0.5]), 0.95) == BootstrapInterval(nothing, 1)
    assert auroc_interval(0.5, np.full(9, 0.5), 0.95).interval == Undefined("resamples do not vary: all give 0.500")
