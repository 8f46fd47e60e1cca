from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from cxr.calibrate.thresholds import Confusion, OperatingPoint, choose_point, confusion
from cxr.config_evaluate import OperatingRule
from cxr.evaluate.undefined import Undefined

YOUDEN = OperatingRule(rule="youden")
TARGETS = (0.05, 0.3, 0.5, 0.9, 0.999)


def at_least(rule, target):
    return OperatingRule(rule=rule, target=target)


def choose(truth, probabilities, rule):
    return choose_point(np.asarray(truth, np.float32), np.asarray(probabilities, np.float64), rule)


@st.composite
def drawn(draw):
    """Truth with both kinds and unknown cells, and probabilities above 0 with ties, not all the same."""
    images = draw(st.integers(4, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.integers(2, 30))
    truth = rng.choice([0.0, 1.0, np.nan], images, p=[0.6, 0.3, 0.1])
    probabilities = rng.integers(1, levels + 1, images) / levels
    truth[:4], probabilities[:2] = (0, 1, 0, 1), (1 / levels, 1)
    return truth.astype(np.float32), probabilities


RULES = (YOUDEN, *(at_least(rule, target) for rule in ("sensitivity", "ppv") for target in TARGETS))


@pytest.mark.parametrize("rule", [YOUDEN, at_least("sensitivity", 0.9), at_least("ppv", 0.9)], ids=lambda rule: rule.name)
def test_thresholds_of_a_separable_toy_lie_midway_between_the_two_groups(rule):
    """Pitfall: after a second sigmoid they would lie between 0.50 and 0.73, whatever the scores are."""
    truth, scores = np.array([0, 0, 0, 1, 1]), np.array([0.02, 0.05, 0.11, 0.29, 0.41])
    point = choose(truth, scores, rule)
    assert point.threshold == pytest.approx(0.2)
    assert point.validation == confusion(truth, truth == 1)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(drawn(), st.sampled_from(TARGETS))
def test_sensitivity_is_reached_at_the_highest_threshold_that_does(case, target):
    truth, probabilities = case
    known = ~np.isnan(truth)
    point = choose(truth, probabilities, at_least("sensitivity", target))
    _, rates, thresholds = roc_curve(truth[known], probabilities[known], drop_intermediate=False)
    highest = thresholds[rates >= target].max()
    assert point.validation.sensitivity >= target
    assert confusion(truth, probabilities >= highest) == point.validation
    assert point.threshold <= highest
    assert not np.any((probabilities[known] >= point.threshold) & (probabilities[known] < highest))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(drawn(), st.sampled_from(TARGETS))
def test_ppv_is_reached_at_the_lowest_threshold_that_does_whenever_one_does(case, target):
    truth, probabilities = case
    known = ~np.isnan(truth)
    point = choose(truth, probabilities, at_least("ppv", target))
    precision, recall, thresholds = precision_recall_curve(truth[known], probabilities[known])
    reached = precision[:-1] >= target
    if reached.any():
        assert point.validation.ppv >= target
        assert confusion(truth, probabilities >= thresholds[reached].min()) == point.validation
        assert point.validation.sensitivity == recall[:-1][reached].max()
    else:
        assert isinstance(point, Undefined)
        assert f"no threshold has a PPV of {target:g}" in point.reason


@settings(max_examples=150, deadline=None, derandomize=True)
@given(drawn())
def test_youden_has_the_largest_sum_of_sensitivity_and_specificity(case):
    truth, probabilities = case
    known = ~np.isnan(truth)
    point = choose(truth, probabilities, YOUDEN)
    false, true, _ = roc_curve(truth[known], probabilities[known], drop_intermediate=False)
    best = (true - false).max()
    if isinstance(point, Undefined):
        assert best == pytest.approx(0, abs=1e-12)
    else:
        assert point.validation.sensitivity + point.validation.specificity - 1 == pytest.approx(best, abs=1e-12)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(drawn(), st.sampled_from(RULES), st.integers(0, 2**32))
def test_noise_of_scoring_again_changes_no_decision(case, rule, seed):
    truth, probabilities = case
    point = choose(truth, probabilities, rule)
    if isinstance(point, OperatingPoint):
        noise = np.random.default_rng(seed).uniform(-1e-7, 1e-7, len(truth))
        again = (probabilities + noise).clip(0, 1)
        assert confusion(truth, again >= point.threshold) == point.validation
        assert confusion(truth, probabilities.astype(np.float32) >= np.float64(point.threshold)) == point.validation


def test_no_threshold_lies_between_two_probabilities_that_rounding_could_swap():
    truth, probabilities = [0, 1, 1, 0], [0.4, 0.4 + 1e-8, 0.9, 0.1]
    point = choose(truth, probabilities, at_least("sensitivity", 0.9))
    assert point.threshold == pytest.approx(0.25)
    assert point.validation == Confusion(true_positives=2, false_positives=1, false_negatives=0, true_negatives=1)


def test_of_equally_good_thresholds_the_highest_is_taken():
    # youden: 0.5 at 0.8 and at 0.4
    assert choose([1, 0, 1, 0], [0.8, 0.6, 0.4, 0.2], YOUDEN).threshold == pytest.approx(0.7)


def test_a_ppv_that_falls_again_at_a_higher_threshold_does_not_matter():
    truth, probabilities = [0, 1, 1, 1, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.2, 0.1]
    point = choose(truth, probabilities, at_least("ppv", 0.7))
    assert point.threshold == pytest.approx(0.4)
    assert point.validation.ppv == 0.75


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize(
    ("truth", "probabilities", "reason"),
    [
        ([0, 0, 0], [0.1, 0.5, 0.9], "no positives"),
        ([1, 1, np.nan], [0.1, 0.5, 0.9], "no negatives"),
        ([np.nan] * 3, [0.1, 0.5, 0.9], "no known cell"),
        ([0, 1, 1], [0.5, 0.5, 0.5 + 1e-9], "the scores of all images are the same"),
        ([0, 1, np.nan], [0.0, 0.0, 0.9], "the scores of all images are the same"),
    ],
)
def test_undefined_says_why(truth, probabilities, reason, rule):
    assert choose(truth, probabilities, rule) == Undefined(reason)


def test_a_threshold_no_better_than_chance_is_none():
    assert choose([1, 0, 1, 0], [0.1, 0.9, 0.2, 0.8], YOUDEN) == Undefined("no threshold is better than chance")


def test_a_sensitivity_that_takes_a_yes_to_every_image_needs_a_threshold_above_zero():
    rule = at_least("sensitivity", 0.9)
    assert choose([1, 0, 1], [0.0, 0.2, 0.9], rule) == Undefined("only a yes to every image has a sensitivity of 0.9")
    smallest = 5e-324  # half of it is zero
    assert isinstance(choose([1, 0, 1], [smallest, 0.2, 0.9], rule), Undefined)
    assert choose([1, 0, 1], [0.1, 0.2, 0.9], rule).threshold == pytest.approx(0.05)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(drawn(), st.floats(0, 1))
def test_counts_are_those_of_scikit_learn_and_sum_to_the_known_images(case, threshold):
    truth, probabilities = case
    yes, known = probabilities >= threshold, ~np.isnan(truth)
    counts = confusion(truth, yes)
    (tn, fp), (fn, tp) = confusion_matrix(truth[known], yes[known], labels=[0, 1])
    assert counts == Confusion(
        true_positives=tp.item(), false_positives=fp.item(), false_negatives=fn.item(), true_negatives=tn.item()
    )
    assert sum(counts.model_dump().values()) == known.sum()


def test_each_share_is_of_its_own_images():
    counts = Confusion(true_positives=1, false_positives=3, false_negatives=4, true_negatives=12)
    assert (counts.sensitivity, counts.specificity, counts.ppv, counts.npv) == (0.2, 0.8, 0.25, 0.75)
    nothing = Confusion(true_positives=0, false_positives=0, false_negatives=0, true_negatives=0)
    reasons = [share.reason for share in (nothing.sensitivity, nothing.specificity, nothing.ppv, nothing.npv)]
    assert reasons == ["no positives", "no negatives", "no image is called positive", "no image is called negative"]
