"""The data of aneurysmal subarachnoid haemorrhage in asah.csv are facts of Turck et al. 2010, doi:10.1007/s00134-009-1641-y:
outcome after six months, WFNS grade, S100 beta and NDKA of 113 patients. The expected figures are those of the R package pROC
on the same patients, as published with it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cxr.evaluate.delong import delong_interval, delong_test, place
from cxr.evaluate.interval import Interval
from cxr.evaluate.undefined import Undefined

NAN = np.nan


def truth_of(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@pytest.fixture(scope="module")
def asah() -> pd.DataFrame:
    return pd.read_csv(Path(__file__).with_name("asah.csv"))


def poor(asah):
    return (asah["outcome"] == "Poor").to_numpy(np.float32)


def scores_of(asah, marker):
    return asah[marker].to_numpy(np.float64)


def by_definition(truth, scores):
    """AUROCs and their covariance from all pairs of a positive and a negative image."""
    positives, negatives = scores[truth == 1], scores[truth == 0]
    above = (positives[:, np.newaxis] > negatives[np.newaxis]) + 0.5 * (positives[:, np.newaxis] == negatives[np.newaxis])
    of_positives, of_negatives = above.mean(axis=1), above.mean(axis=0)
    covariance = np.cov(of_positives, rowvar=False) / len(positives) + np.cov(of_negatives, rowvar=False) / len(negatives)
    return above.mean(axis=(0, 1)), np.atleast_2d(covariance)


def test_wfns_against_s100b_is_as_published(asah):
    found = delong_test(poor(asah), scores_of(asah, "wfns"), scores_of(asah, "s100b"))
    assert found.z == pytest.approx(2.20898359144091, abs=1e-12)
    assert found.p == pytest.approx(0.0271757822291882, abs=1e-12)


def test_interval_of_ndka_is_as_published(asah):
    placements = place(poor(asah), scores_of(asah, "ndka")[:, np.newaxis])
    assert placements.aurocs[0] == pytest.approx(0.611957994579946, abs=1e-12)
    interval = delong_interval(poor(asah), scores_of(asah, "ndka"), 0.95)
    assert interval.low == pytest.approx(0.501244999271703, abs=1e-12)
    assert interval.high == pytest.approx(0.722670989888189, abs=1e-12)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.integers(2, 15), st.integers(2, 15), st.integers(1, 3), st.sampled_from([2, 5, 10**6]))
def test_equals_the_definition_by_all_pairs_with_ties_and_unknown_cells(seed, positives, negatives, sets, levels):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(truth_of(1, 0, NAN), (positives, negatives, 3)))
    scores = rng.integers(0, levels, (len(truth), sets)) / levels
    aurocs, covariance = by_definition(truth, scores)
    placements = place(truth, scores)
    np.testing.assert_allclose(placements.aurocs, aurocs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(placements.covariance(), covariance, rtol=0, atol=1e-12)
    known = ~np.isnan(truth)
    assert placements.aurocs[0] == pytest.approx(roc_auc_score(truth[known], scores[known, 0]), abs=1e-12)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.integers(2, 15), st.integers(2, 15), st.sampled_from([2, 5, 10**6]))
def test_the_test_equals_its_definition_and_turns_its_sign_with_the_order(seed, positives, negatives, levels):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(truth_of(1, 0), (positives, negatives)))
    first, second = rng.integers(0, levels, (2, len(truth))) / levels
    aurocs, covariance = by_definition(truth, np.stack([first, second], axis=1))
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    found, turned = delong_test(truth, first, second), delong_test(truth, second, first)
    if variance < 1e-12:
        assert isinstance(found, Undefined)
        return
    assert found.z == pytest.approx((aurocs[0] - aurocs[1]) / variance**0.5, rel=1e-9, abs=1e-9)
    assert (found.z, found.p) == (-turned.z, turned.p)
    assert 0 <= found.p <= 1


def test_placements_count_the_images_of_the_other_kind_that_score_lower():
    placements = place(truth_of(1, 1, 0, 0, 0), np.array([[0.9], [0.5], [0.5], [0.6], [0.1]]))
    np.testing.assert_array_equal(placements.of_positives[:, 0], [3, 1.5])
    np.testing.assert_array_equal(placements.of_negatives[:, 0], [0.5, 1, 0])


def test_interval_is_cut_at_one():
    truth = truth_of(1, 1, 1, 0, 0, 0)
    interval = delong_interval(truth, np.array([0.9, 0.8, 0.4, 0.5, 0.2, 0.1]), 0.95)
    assert isinstance(interval, Interval)
    assert interval.high == 1
    assert 0.5 < interval.low < 8 / 9


@pytest.mark.parametrize(
    ("truth", "scores", "reason"),
    [
        (truth_of(0, 0, NAN), [0.1, 0.2, 0.3], "no positives"),
        (truth_of(1, 1, NAN), [0.1, 0.2, 0.3], "no negatives"),
        (truth_of(NAN, NAN, NAN), [0.1, 0.2, 0.3], "no known cell"),
        (truth_of(1, 0, 0), [0.2, 0.1, 0.3], "only one positive, DeLong's variance needs two"),
        (truth_of(1, 1, 0), [0.2, 0.1, 0.15], "only one negative, DeLong's variance needs two"),
        (truth_of(1, 1, 0, 0), [0.3, 0.3, 0.3, 0.3], "DeLong's variance is 0, the images do not differ in it"),
        (truth_of(1, 1, 0, 0), [0.9, 0.8, 0.2, 0.1], "DeLong's variance is 0, the images do not differ in it"),
    ],
)
def test_what_has_no_variance_says_why(truth, scores, reason):
    scores = np.array(scores)
    assert delong_interval(truth, scores, 0.95) == Undefined(reason)
    other = scores if len(scores) == 4 else scores[::-1]
    assert delong_test(truth, scores, other) == Undefined(reason)


def test_two_sets_of_scores_that_rank_alike_have_no_test():
    rng = np.random.default_rng(3)
    scores, truth = rng.random(200), rng.integers(0, 2, 200).astype(np.float32)
    # the same order on another scale
    assert isinstance(delong_test(truth, scores, scores**3), Undefined)
