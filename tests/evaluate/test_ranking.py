from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from cxr.evaluate import ranking
from cxr.evaluate.auroc import auroc, average_precision, micro_auroc
from cxr.evaluate.cells import Cells
from cxr.evaluate.ranking import rank_all, rank_label
from cxr.evaluate.undefined import as_float


def cells_of(truth, scores, patients):
    truth = np.asarray(truth, np.float32)
    names = tuple(f"label{index}" for index in range(truth.shape[1]))
    return Cells(names, truth, np.asarray(scores, np.float64), np.zeros(truth.shape, bool), np.asarray(patients))


def weighted(metric, truth, scores, weights):
    """scikit-learn's figure on the known cells; NaN where there are not both positives and negatives."""
    used = ~np.isnan(truth) & (weights > 0)
    if len(np.unique(truth[used])) < 2:
        return np.nan
    return metric(truth[used], scores[used], sample_weight=weights[used])


@st.composite
def cells_and_counts(draw):
    """Cells with ties and unknown cells, and how often each patient is drawn in five resamples."""
    images, labels = draw(st.integers(1, 30)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.sampled_from([1, 2, 5, 12, 10**6]))
    scores = rng.integers(0, levels, (images, labels)) / levels
    truth = rng.choice([0.0, 1.0, np.nan], (images, labels), p=draw(st.sampled_from([(0.5, 0.4, 0.1), (0.2, 0.1, 0.7)])))
    _, patients = np.unique(rng.integers(0, draw(st.integers(1, 12)), images), return_inverse=True)
    counts = rng.integers(0, 4, (patients.max() + 1, 5)).astype(np.float64)
    return cells_of(truth, scores, patients), counts


@settings(max_examples=80, deadline=None, derandomize=True)
@given(cells_and_counts())
def test_figures_equal_scikit_learn_with_the_counts_as_weights(drawn):
    cells, counts = drawn
    for label in range(len(cells.label_names)):
        side = rank_label(cells, label)
        for figure, metric in ((side.aurocs, roc_auc_score), (side.average_precisions, average_precision_score)):
            slow = [
                weighted(metric, cells.truth[:, label], cells.scores[:, label], weights) for weights in counts[cells.patients].T
            ]
            np.testing.assert_allclose(figure(counts), slow, rtol=0, atol=1e-12)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(cells_and_counts())
def test_micro_figure_is_that_of_all_cells_in_one_pool(drawn):
    cells, counts = drawn
    slow = [
        weighted(roc_auc_score, cells.truth.ravel(), cells.scores.ravel(), np.repeat(weights, len(cells.label_names)))
        for weights in counts[cells.patients].T
    ]
    np.testing.assert_allclose(rank_all(cells).aurocs(counts), slow, rtol=0, atol=1e-12)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(cells_and_counts())
def test_every_patient_once_gives_the_point_figures(drawn):
    cells, _ = drawn
    once = np.ones((cells.patient_count, 1))
    truth, scores = cells.truth[:, 0], cells.scores[:, 0]
    expected = [auroc(truth, scores), average_precision(truth, scores), micro_auroc(cells.truth, cells.scores)]
    side = rank_label(cells, 0)
    found = [figure(once)[0] for figure in (side.aurocs, side.average_precisions, rank_all(cells).aurocs)]
    np.testing.assert_allclose(found, [as_float(figure) for figure in expected], rtol=0, atol=1e-12)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(cells_and_counts())
def test_scores_turned_round_give_what_is_missing_to_one(drawn):
    cells, counts = drawn
    turned = replace(cells, scores=-cells.scores)
    np.testing.assert_allclose(rank_label(turned, 0).aurocs(counts), 1 - rank_label(cells, 0).aurocs(counts), atol=1e-12)


@pytest.mark.parametrize("limit", [1, 40, 100])
def test_small_slices_change_nothing(monkeypatch, limit):
    rng = np.random.default_rng(0)
    cells = cells_of(rng.integers(0, 2, (30, 1)), rng.integers(0, 9, (30, 1)) / 9, np.arange(30) // 2)
    counts = rng.integers(0, 3, (15, 50)).astype(np.float64)
    side = rank_label(cells, 0)
    whole = side.aurocs(counts), side.average_precisions(counts)
    monkeypatch.setattr(ranking, "_SLICE_CELLS", limit)
    np.testing.assert_array_equal(side.aurocs(counts), whole[0])
    np.testing.assert_allclose(side.average_precisions(counts), whole[1], rtol=1e-15)


def test_a_label_without_positives_or_negatives_has_no_figure_on_any_resample():
    cells = cells_of([[0, 1, np.nan], [0, 1, np.nan]], np.full((2, 3), 0.5), [0, 1])
    for label in range(3):
        side = rank_label(cells, label)
        assert np.isnan(side.aurocs(np.ones((2, 4)))).all()
        assert np.isnan(side.average_precisions(np.ones((2, 4)))).all()
