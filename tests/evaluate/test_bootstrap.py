from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cxr.evaluate import bootstrap
from cxr.evaluate.bootstrap import patient_counts, percentile_interval, resampled_aurocs
from cxr.evaluate.cells import Cells
from cxr.evaluate.interval import Interval
from cxr.evaluate.undefined import Undefined


def cells_of(truth, scores, patients):
    truth = np.asarray(truth, np.float32)
    names = tuple(f"label{index}" for index in range(truth.shape[1]))
    return Cells(names, truth, np.asarray(scores, np.float64), np.zeros(truth.shape, bool), np.asarray(patients))


def slow_auroc(truth, scores, repeats):
    """scikit-learn on the rows written out as often as their patient was drawn; NaN where it is undefined."""
    known = ~np.isnan(truth)
    truth, scores = np.repeat(truth[known], repeats[known]), np.repeat(scores[known], repeats[known])
    return roc_auc_score(truth, scores) if len(np.unique(truth)) == 2 else np.nan


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
def test_equals_a_loop_of_scikit_learn_with_ties_and_unknown_cells(cells, seed):
    fast = resampled_aurocs(cells, 8, seed)
    counts = np.concatenate(list(patient_counts(cells.patient_count, 8, seed)), axis=1).astype(int)
    slow = [
        [
            slow_auroc(cells.truth[:, label], cells.scores[:, label], counts[cells.patients, resample])
            for label in range(len(cells.label_names))
        ]
        for resample in range(8)
    ]
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)


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
