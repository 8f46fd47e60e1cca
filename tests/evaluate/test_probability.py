from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from cxr.evaluate.cells import Cells
from cxr.evaluate.probability import SMALLEST, brier_figure, brier_score, log_loss, log_loss_figure
from cxr.evaluate.undefined import Undefined, as_float

NAN = np.nan


def truth_of(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def slow_log_loss(truth, scores, weights=None):
    return sklearn_log_loss(truth, scores, sample_weight=weights, labels=[0, 1])


@st.composite
def drawn_table(draw):
    """Truth with unknown cells, scores of 0 and 1 among them, patients, and how often each of them is drawn."""
    images = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth = rng.choice([0.0, 1.0, NAN], images).astype(np.float32)
    scores = rng.random(images) if draw(st.booleans()) else rng.integers(0, 4, images) / 3
    _, patients = np.unique(rng.integers(0, 8, images), return_inverse=True)
    counts = rng.integers(0, 3, (patients.max() + 1, 4)).astype(np.float64)
    return Cells(("label",), truth[:, None], scores[:, None], np.zeros((images, 1), bool), patients), counts


@settings(max_examples=100, deadline=None, derandomize=True)
@given(drawn_table())
def test_both_equal_scikit_learn_on_known_cells_and_with_counts_as_weights(drawn):
    cells, counts = drawn
    truth, scores = cells.truth[:, 0], cells.scores[:, 0]
    known = ~np.isnan(truth)
    for point, figure, slow in (
        (brier_score, brier_figure, lambda t, s, w: brier_score_loss(t, s, sample_weight=w, labels=[0, 1])),
        (log_loss, log_loss_figure, slow_log_loss),
    ):
        expected = slow(truth[known], scores[known], None) if known.any() else NAN
        np.testing.assert_allclose(as_float(point(truth, scores)), expected, rtol=0, atol=1e-12)
        for found, weights in zip(figure(cells, 0)(counts), counts[cells.patients].T, strict=True):
            used = known & (weights > 0)
            expected = slow(truth[used], scores[used], weights[used]) if used.any() else NAN
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("figure", [brier_score, log_loss])
def test_no_known_cell_is_undefined_and_one_kind_alone_is_not(figure):
    assert figure(truth_of(NAN, NAN), np.array([0.1, 0.9])) == Undefined("no known cell")
    assert figure(truth_of(0, NAN), np.array([0.0, 0.9])) == pytest.approx(0, abs=1e-12)


def test_a_score_of_zero_for_a_positive_image_costs_much_and_not_infinitely():
    assert log_loss(truth_of(1), np.array([0.0])) == -np.log(SMALLEST)
    assert log_loss(truth_of(0), np.array([1.0])) == pytest.approx(36.04, abs=0.01)
    assert log_loss(truth_of(1, 0), np.array([1.0, 0.0])) == pytest.approx(0, abs=1e-12)


def test_brier_score_of_the_prevalence_is_its_variance():
    assert brier_score(truth_of(1, 0, 0, 0), np.full(4, 0.25)) == 0.25 * 0.75
