from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from cxr.evaluate.calibration import BINS, CalibrationFigures, measure_calibration
from cxr.evaluate.undefined import Undefined


def measure(truth, probabilities, patients=None, confidence=0.95):
    patients = np.arange(len(truth)) if patients is None else patients
    return measure_calibration(np.asarray(truth, np.float32), np.asarray(probabilities, np.float64), patients, confidence)


def drawn(images, slope=1.0, intercept=0.0, seed=0):
    """Truth, and probabilities p of which it follows sigmoid(slope logit(p) + intercept)."""
    rng = np.random.default_rng(seed)
    values = rng.normal(-1, 1.5, images)
    return (rng.random(images) < expit(slope * values + intercept)).astype(np.float32), expit(values)


def newton(truth, offset, design):
    found = np.zeros(design.shape[1])
    for _ in range(50):
        fitted = expit(offset + design @ found)
        found = found + np.linalg.solve((design.T * fitted * (1 - fitted)) @ design, design.T @ (truth - fitted))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_slope_and_intercepts_equal_scikit_learn_and_newtons_steps(seed):
    truth, probabilities = drawn(400, 0.7, 0.4, seed)
    values, ones = logit(probabilities), np.ones((400, 1))
    figures = measure(truth, probabilities)
    own = (figures.slope.value, figures.intercept_beside_slope.value)
    sklearn = LogisticRegression(C=np.inf, solver="lbfgs", tol=1e-10, max_iter=1000).fit(values[:, None], truth)
    assert own == pytest.approx((sklearn.coef_[0, 0], sklearn.intercept_[0]), abs=1e-6)
    assert own == pytest.approx(newton(truth, 0, np.column_stack([values, ones])), abs=1e-9)
    assert figures.intercept.value == pytest.approx(newton(truth, values, ones)[0], abs=1e-9)


def test_probabilities_that_are_what_they_say_have_slope_one_and_intercept_zero():
    figures = measure(*drawn(200_000))
    for coefficient, right in ((figures.slope, 1), (figures.intercept, 0), (figures.intercept_beside_slope, 0)):
        assert coefficient.value == pytest.approx(right, abs=0.02)
        assert coefficient.bounds[0] < right < coefficient.bounds[1]
    assert figures.ece_equal_width < 0.005
    assert figures.ece_equal_mass < 0.005


def test_what_made_the_data_is_found():
    figures = measure(*drawn(200_000, 0.5, -0.8))
    assert figures.slope.value == pytest.approx(0.5, abs=0.02)
    assert figures.intercept_beside_slope.value == pytest.approx(-0.8, abs=0.02)
    assert figures.ece_equal_mass > 0.05


def test_the_intercept_in_the_large_makes_the_mean_probability_that_of_the_truth():
    truth, probabilities = drawn(1000, 0.5, -0.8)
    shift = measure(truth, probabilities).intercept.value
    assert expit(logit(probabilities) + shift).mean() == pytest.approx(truth.mean(dtype=np.float64), abs=1e-10)


def test_bounds_hold_the_right_value_as_often_as_they_say_though_patients_have_several_images():
    held = {"patients": 0, "images": 0}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = np.repeat(rng.normal(0, 1.5, 150), 4)  # the images of a patient are the same, and so is the finding
        truth = np.repeat((rng.random(150) < expit(values[::4])).astype(np.float32), 4)
        for unit, patients in (("patients", np.arange(600) // 4), ("images", np.arange(600))):
            low, high = measure(truth, expit(values), patients).slope.bounds
            held[unit] += low < 1 < high
    assert 0.92 < held["patients"] / 200 < 0.98
    assert held["images"] / 200 < 0.8


def test_bounds_equal_the_sandwich_written_out():
    truth, probabilities = drawn(60)
    patients, values = np.arange(60) // 5, logit(probabilities)
    figures = measure(truth, probabilities, patients)
    bread, meat = np.zeros((2, 2)), np.zeros((2, 2))
    for patient in range(12):
        gradient = np.zeros(2)
        for image in np.flatnonzero(patients == patient):
            row = np.array([values[image], 1])
            fitted = expit(row @ [figures.slope.value, figures.intercept_beside_slope.value])
            bread += fitted * (1 - fitted) * np.outer(row, row)
            gradient += (truth[image] - fitted) * row
        meat += 12 / 11 * np.outer(gradient, gradient)
    errors = np.sqrt(np.diag(np.linalg.inv(bread) @ meat @ np.linalg.inv(bread)))
    for coefficient, error in zip((figures.slope, figures.intercept_beside_slope), errors, strict=True):
        bounds = coefficient.value - 1.959964 * error, coefficient.value + 1.959964 * error
        assert coefficient.bounds == pytest.approx(bounds, abs=1e-5)


def test_copies_of_an_image_make_no_interval_narrower():
    truth, probabilities = drawn(300)
    patients = np.repeat(np.arange(300), 5)
    single, copied = measure(truth, probabilities), measure(truth[patients], probabilities[patients], patients)
    assert copied.slope.bounds == pytest.approx(single.slope.bounds, abs=1e-6)
    assert copied.intercept.bounds == pytest.approx(single.intercept.bounds, abs=1e-6)
    for one, five in zip(single.equal_mass, copied.equal_mass, strict=True):
        assert five.images == 5 * one.images
        assert (five.interval.low, five.interval.high) == pytest.approx((one.interval.low, one.interval.high), abs=1e-9)


def test_the_interval_of_a_bin_is_wilsons_where_every_patient_has_one_image():
    truth, probabilities = drawn(500)
    for each in measure(truth, probabilities, confidence=0.9).equal_width:
        wilson = binomtest(each.positives, each.images).proportion_ci(0.9, method="wilson")
        assert (each.interval.low, each.interval.high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_bins_equal_those_of_scikit_learn_where_no_value_lies_on_an_edge(strategy):
    truth, probabilities = drawn(1000)
    observed, predicted = calibration_curve(truth, probabilities, n_bins=BINS, strategy=strategy)
    figures = measure(truth, probabilities)
    bins = figures.equal_width if strategy == "uniform" else figures.equal_mass
    assert [each.observed for each in bins] == pytest.approx(observed)
    assert [each.mean_probability for each in bins] == pytest.approx(predicted)


def test_calibration_errors_of_a_small_table():
    # width: 0 to 0.1 has 3 images, none positive, mean 0.04; 0.9 to 1 has two, one positive, mean 0.95
    figures = measure([0, 0, 0, 0, 1], [0.01, 0.05, 0.06, 0.9, 1.0])
    assert [(each.images, each.positives) for each in figures.equal_width] == [(3, 0), (2, 1)]
    assert figures.ece_equal_width == pytest.approx((3 * 0.04 + 2 * 0.45) / 5)
    assert figures.ece_equal_mass == pytest.approx((0.01 + 0.05 + 0.06 + 0.9 + 0.0) / 5)


def test_the_error_over_equal_width_hides_a_rare_finding_and_slope_does_not():
    rng = np.random.default_rng(0)
    truth = (rng.random(25_000) < 0.01).astype(np.float32)
    figures = measure(truth, np.clip(0.01 + 0.002 * rng.normal(size=25_000), 1e-3, 1))  # says nothing of the finding
    assert figures.ece_equal_width < 0.002
    assert abs(figures.slope.value) < 0.4


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.integers(2, 80), st.integers(1, 20))
def test_every_known_image_is_in_one_bin_and_ties_stay_together(seed, images, levels):
    rng = np.random.default_rng(seed)
    truth = rng.choice([0.0, 1.0, np.nan], images, p=[0.5, 0.4, 0.1])
    truth[:2] = 0, 1
    probabilities = rng.integers(0, levels + 1, images) / levels
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = measure(truth, probabilities, rng.integers(0, 10, images))
    known = ~np.isnan(truth)
    for bins in (figures.equal_width, figures.equal_mass):
        assert sum(each.images for each in bins) == known.sum()
        assert sum(each.positives for each in bins) == (truth == 1).sum()
        assert np.all(np.diff([each.mean_probability for each in bins]) > 0)
        assert len(bins) <= min(BINS, len(np.unique(probabilities[known])))
    assert 0 <= figures.ece_equal_width <= 1
    assert 0 <= figures.ece_equal_mass <= 1


def test_unknown_cells_and_their_patients_have_no_part():
    truth, probabilities = drawn(300)
    patients = np.arange(300) // 2
    more = np.full(40, np.nan), np.linspace(0, 1, 40), 2 * np.arange(40) + 1
    longer = [np.concatenate(pair) for pair in zip((truth, probabilities, 2 * patients), more, strict=True)]
    assert measure(*longer) == measure(truth, probabilities, patients)


@pytest.mark.parametrize(
    ("truth", "reason"), [([0, 0], "no positives"), ([1, 1], "no negatives"), ([np.nan] * 2, "no known cell")]
)
def test_without_both_kinds_there_is_no_calibration_to_measure(truth, reason):
    assert measure(truth, [0.2, 0.7]) == Undefined(reason)


@pytest.mark.parametrize(
    ("probabilities", "reason"),
    [
        ([0.3, 0.3, 0.3, 0.3], "the probabilities hardly differ"),
        ([0.3, 0.3 + 1e-12, 0.3, 0.3 - 1e-12], "the probabilities hardly differ"),
        ([0.1, 0.2, 0.8, 0.9], "the probabilities separate positives from negatives"),
        ([0.1, 0.5, 0.5, 0.9], "the probabilities separate positives from negatives"),
        ([0.9, 0.8, 0.2, 0.1], "the probabilities separate positives from negatives"),
    ],
)
def test_a_slope_that_does_not_exist_says_why_and_the_intercept_in_the_large_still_does(probabilities, reason):
    figures = measure([0, 0, 1, 1], probabilities)
    assert isinstance(figures, CalibrationFigures)
    assert figures.slope == figures.intercept_beside_slope == Undefined(reason)
    assert np.isfinite(figures.intercept.value)


def test_positives_of_one_patient_give_values_without_bounds():
    truth, probabilities = drawn(200)
    figures = measure(truth, probabilities, np.where(truth == 1, 0, np.arange(200)))
    for coefficient in (figures.slope, figures.intercept, figures.intercept_beside_slope):
        assert np.isfinite(coefficient.value)
        assert coefficient.bounds == Undefined("all positives are of one patient")


def test_probabilities_of_exactly_zero_and_one_are_measured():
    truth, probabilities = drawn(500)
    figures = measure(truth, np.round(probabilities, 1))
    assert np.isfinite(figures.slope.value)
    assert np.isfinite(figures.intercept.value)
