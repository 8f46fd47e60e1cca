"""The three rules against figures worked out by hand, and what must not change them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cxr.errors import DataError
from cxr.predict.uncertainty import RULES, Reference, Rule, Scores, references, uncertainty

H_TENTH = -0.1 * math.log(0.1) - 0.9 * math.log(0.9)
"""Binary entropy of 0.1 and of 0.9, in nats: 0.3251; that of 0.5 is ln 2."""
TWO = (Reference(entropy=math.log(2), spread=2.0, youden=0.0), Reference(entropy=H_TENTH, spread=0.5, youden=None))
RULE = pytest.mark.parametrize("rule", RULES)


def _drawn(seed: int, images: int = 30, labels: int = 4) -> tuple[Scores, Any]:
    generator = np.random.default_rng(seed)
    truth = generator.choice(np.array([0, 1, np.nan], np.float32), (images, labels), p=[0.5, 0.3, 0.2])
    truth[:2] = [[0], [1]]
    return 1 / (1 + np.exp(-2 * np.nan_to_num(truth) - generator.normal(-1, 1, truth.shape))), truth


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # label 1 at its mean entropy, label 2 at its own: both 1; then both labels certain
        ("entropy", [1.0, (H_TENTH / math.log(2) + 1) / 2, 0.0]),
        ("largest entropy", [1.0, 1.0, 0.0]),
        # label 1 alone has a Youden point: at it; ln 9 / 2 from it; probability 1 is cut to 1 - 1e-12
        ("closeness", [0.0, -math.log(9) / 2, -math.log(1e12) / 2]),
    ],
)
def test_rules_are_their_formulas(rule: Rule, expected: list[float]) -> None:
    probabilities = np.array([[0.5, 0.1], [0.9, 0.9], [1.0, 0.0]])
    np.testing.assert_allclose(uncertainty(rule, probabilities, TWO), expected, rtol=1e-5, atol=1e-12)


def test_references_are_mean_entropy_spread_and_youden_point_of_each_label() -> None:
    probabilities = np.array([[0.1, 0.5], [0.5, 0.5], [0.9, 0.5], [0.9, 0.5]])
    truth = np.array([[0, 1], [1, 1], [0, np.nan], [1, 1]], np.float32)
    first, second = references(probabilities, truth)
    assert first.entropy == pytest.approx((3 * H_TENTH + math.log(2)) / 4)
    assert first.spread == pytest.approx(np.std([-math.log(9), 0, math.log(9), math.log(9)]))
    # 0.5 and more called positive: sensitivity 1, specificity 1/2; with 0.9 and more 1/2 and 1/2
    assert first.youden == pytest.approx((0 - math.log(9)) / 2)
    assert second.youden is None
    assert second.spread == 0.01  # a constant score must not divide by zero


def test_the_youden_point_weighs_specificity_as_much_as_sensitivity() -> None:
    probabilities = np.array([[0.9], [0.8], [0.5], [0.4], [0.2]])
    (label,) = references(probabilities, np.array([[1], [1], [0], [0], [1]], np.float32))
    assert label.youden == pytest.approx((math.log(4) + 0) / 2)  # between 0.8 and 0.5: two of three, and all negatives


@RULE
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_order_of_labels_and_of_images_does_not_matter(rule: Rule, seed: int) -> None:
    probabilities, truth = _drawn(seed)
    generator = np.random.default_rng(seed)
    images, labels = generator.permutation(30), generator.permutation(4)
    usual = references(probabilities, truth)
    moved = references(probabilities[images][:, labels], truth[images][:, labels])
    expected = uncertainty(rule, probabilities, usual)[images]
    np.testing.assert_allclose(uncertainty(rule, probabilities[images][:, labels], moved), expected, rtol=1e-9)


@RULE
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 30))
@settings(max_examples=20, deadline=None)
def test_uncertainty_of_an_image_does_not_depend_on_the_others_beside_it(rule: Rule, seed: int, rows: int) -> None:
    probabilities, truth = _drawn(seed)
    usual = references(probabilities, truth)
    together, alone = uncertainty(rule, probabilities, usual), uncertainty(rule, probabilities[:rows], usual)
    assert np.array_equal(together[:rows], alone)


@RULE
def test_certain_scores_of_0_and_1_give_finite_figures(rule: Rule) -> None:
    truth = np.array([[0, 1], [1, 0], [1, 1]], np.float32)
    usual = references(truth.astype(float), truth)
    values = uncertainty(rule, np.array([[0.0, 1.0], [0.5, 1.0], [1e-300, 1.0]]), usual)
    assert np.isfinite(values).all()
    assert values.argmax() == 1


@RULE
@pytest.mark.parametrize("score", [np.nan, -0.1, 1.1])
def test_a_score_that_is_no_probability_is_refused_instead_of_called_certain(rule: Rule, score: float) -> None:
    with pytest.raises(DataError, match="not a number from 0 to 1"):
        uncertainty(rule, np.array([[0.5, 0.5], [0.5, score]]), TWO)


def test_scores_of_another_number_of_labels_are_refused() -> None:
    with pytest.raises(DataError, match="scores of 3 labels, but the cascade knows 2"):
        uncertainty("entropy", np.full((2, 3), 0.5), TWO)


@pytest.mark.parametrize(
    "change", [{"entropy": 0.0}, {"spread": 0.0}, {"spread": float("inf")}, {"youden": float("nan")}, {"threshold": 0.5}]
)
def test_a_reference_that_nothing_can_be_measured_by_cannot_be_made(change: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Reference.model_validate({"entropy": 1.0, "spread": 1.0, "youden": 0.0} | change)
