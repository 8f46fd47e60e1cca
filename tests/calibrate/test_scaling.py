from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import minimize
from scipy.special import expit, logit

from cxr.calibrate.scaling import FEWEST_PATIENTS, Platt, Temperature, Unchanged, fit_line, fit_scaling, logits

UNIT = st.floats(0, 1)


def drawn(images, slope, intercept, seed=0):
    """Scores whose finding follows the line."""
    rng = np.random.default_rng(seed)
    values = rng.normal(-1, 1.5, images)
    return (rng.random(images) < expit(slope * values + intercept)).astype(np.float32), expit(values)


def fit(method, truth, scores):
    return fit_scaling(method, np.asarray(truth, np.float32), np.asarray(scores, np.float64), np.arange(len(truth)))


def newton(values, targets, design):
    """The greatest likelihood, by another way: Newton's steps from zero."""
    found = np.zeros(design.shape[1])
    for _ in range(50):
        fitted = expit(design @ found)
        found = found + np.linalg.solve((design.T * fitted * (1 - fitted)) @ design, design.T @ (targets - fitted))
    return found


def test_the_line_that_made_the_data_is_found():
    scaling = fit("platt", *drawn(200_000, 0.5, -1.2))
    assert (scaling.slope, scaling.intercept) == pytest.approx((0.5, -1.2), abs=0.02)
    assert fit("temperature", *drawn(200_000, 0.5, 0)).slope == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("through_zero", [False, True])
def test_equals_newtons_steps_on_platts_targets(through_zero):
    truth, scores = drawn(500, 0.7, 0.4)
    positives, negatives = int(truth.sum()), int((truth == 0).sum())
    targets = np.where(truth == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    values = logit(scores)
    design = values[:, None] if through_zero else np.stack([values, np.ones_like(values)], axis=1)
    scaling = fit("temperature" if through_zero else "platt", truth, scores)
    found = [scaling.slope] if through_zero else [scaling.slope, scaling.intercept]
    assert found == pytest.approx(newton(values, targets, design), abs=1e-9)


def test_scores_are_taken_for_probabilities_and_not_put_through_a_sigmoid_again():
    truth, scores = drawn(100_000, 1, 0)
    for method in ("platt", "temperature"):
        np.testing.assert_allclose(fit(method, truth, scores)(scores), scores, atol=0.01)
    np.testing.assert_allclose(Platt(slope=1, intercept=0)(scores), scores, rtol=1e-12)


@pytest.mark.parametrize("method", ["platt", "temperature"])
def test_scores_that_separate_positives_from_negatives_have_a_finite_line(method):
    truth = np.repeat([0, 1], 12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaling = fit(method, truth, np.linspace(0.2, 0.8, 24))
    assert 0 < scaling.slope < 100
    assert np.all((scaling(np.linspace(0.2, 0.8, 24)) > 0.5) == truth)


@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.parametrize("count", [0, 1, FEWEST_PATIENTS - 1])
def test_too_few_patients_leave_the_scores_alone(missing, count):
    truth = np.full(100, 1 - missing)
    truth[:count] = missing
    scores = np.linspace(0, 1, 100)
    scaling = fit("platt", truth, scores)
    assert isinstance(scaling, Unchanged)
    assert f"only {count} validation patient" in scaling.reason
    assert ("without" in scaling.reason) == (missing == 0)
    assert scaling(scores) is scores


def test_many_images_of_few_patients_are_few_patients():
    truth, scores = drawn(2000, 1, 0)
    few = np.where(truth == 1, np.arange(2000) % (FEWEST_PATIENTS - 1), np.arange(2000))
    assert isinstance(fit_scaling("platt", truth, scores, few), Unchanged)


def test_a_falling_line_is_refused_as_it_would_turn_the_order_round():
    truth, scores = drawn(2000, 1, 0)
    for method in ("platt", "temperature"):
        scaling = fit(method, truth, 1 - scores)
        assert isinstance(scaling, Unchanged)
        assert "the fitted slope is -" in scaling.reason


def test_scores_without_spread_leave_the_scores_alone():
    truth = np.arange(100) % 2
    assert fit("platt", truth, np.full(100, 0.3)) == Unchanged(reason="the scores hardly differ")
    assert fit("platt", truth, 0.3 + 1e-9 * np.arange(100)) == Unchanged(reason="the scores hardly differ")


def test_nothing_asked_for_nothing_done():
    assert fit("none", *drawn(100, 1, 0)) == Unchanged(reason="no calibration was asked for")


def test_unknown_cells_have_no_part():
    truth, scores = drawn(1000, 0.8, 0.3)
    more = np.concatenate([truth, np.full(500, np.nan)]), np.concatenate([scores, np.random.default_rng(1).random(500)])
    assert fit("platt", *more) == fit("platt", truth, scores)


def test_a_score_of_exactly_zero_does_not_outweigh_the_others():
    truth, scores = drawn(4000, 1, 0)
    rounded = np.where(scores < 0.01, 0.0, scores)
    assert fit("platt", truth, rounded).slope == pytest.approx(1, abs=0.4)
    assert np.all(np.isfinite(logits(np.array([0.0, 1.0]))))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(UNIT, min_size=2, max_size=50), st.floats(1e-3, 20), st.floats(-10, 10))
@example([0.3, np.nextafter(0.3, 1), 0.65, np.nextafter(0.65, 1)], 0.7, -1.3)
def test_scaling_keeps_the_order_of_scores(scores, slope, intercept):
    rising = np.sort(np.array(scores))
    for scaling in (Platt(slope=slope, intercept=intercept), Temperature(slope=slope)):
        probabilities = scaling(rising)
        assert np.all((probabilities >= 0) & (probabilities <= 1))
        assert np.all(np.diff(probabilities) >= -1e-15)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(1, 12))
def test_a_line_is_fitted_to_anything_without_a_warning(seed, images, levels):
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit("platt", np.repeat(rng.integers(0, 2, images), 10), np.repeat(rng.integers(0, levels + 1, images) / levels, 10))


def test_a_line_equals_a_general_optimiser_where_targets_are_soft():
    rng = np.random.default_rng(3)
    values, targets = rng.normal(size=60), rng.random(60)

    def loss(line):
        return -np.sum(
            targets * np.log(expit(line[0] * values + line[1])) + (1 - targets) * np.log(expit(-line[0] * values - line[1]))
        )

    line = fit_line(values, targets)
    assert (line.slope, line.intercept) == pytest.approx(minimize(loss, [0, 0], tol=1e-12).x, abs=1e-5)


@pytest.mark.parametrize("slope", [0.0, -1.0, np.inf, np.nan, True, "1"])
def test_no_scaling_that_is_flat_falls_or_is_no_number(slope):
    for make in (lambda: Temperature(slope=slope), lambda: Platt(slope=slope, intercept=0.0)):
        with pytest.raises(ValidationError):
            make()
