"""When a study goes on to the wide network, and how that is learned from validation images."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cxr.errors import DataError
from cxr.evaluate.auroc import auroc
from cxr.predict.cascade import Cascade, fit_cascade, goes_on, mixed
from cxr.predict.uncertainty import RULES, Reference, Rule, Scores, references, uncertainty

SEEDS = st.integers(0, 2**32 - 1)
RULE = pytest.mark.parametrize("rule", RULES)
LABEL = Reference(entropy=0.5, spread=1.0, youden=0.0)


class Drawn(NamedTuple):
    narrow: Scores
    wide: Scores
    truth: npt.NDArray[np.float32]
    studies: npt.NDArray[np.str_]


def _sigmoid(logits: Scores) -> Scores:
    return np.asarray(1 / (1 + np.exp(-logits)))


def _draw(seed: int, narrow: float = 1.5, wide: float = 3.0, images: int = 80) -> Drawn:
    """Two labels, of which the networks see as much as `narrow` and `wide` say; studies of one to three images."""
    generator = np.random.default_rng(seed)
    truth = (generator.random((images, 2)) < [0.3, 0.5]).astype(np.float32)
    truth[:2] = [[0], [1]]
    noise = generator.normal(size=(2, images, 2))
    logits = [seen * (truth - 0.5) + part for seen, part in zip((narrow, wide), noise, strict=True)]
    truth[generator.random(truth.shape) < 0.1] = np.nan
    truth[:2] = [[0], [1]]
    studies = np.array(
        [f"study {number}" for number in np.repeat(np.arange(images), generator.integers(1, 4, images))[:images]]
    )
    return Drawn(_sigmoid(logits[0]), _sigmoid(logits[1]), truth, generator.permutation(studies))


def _cascade(drawn: Drawn, rule: Rule, limit: float | None) -> Cascade:
    fitted = fit_cascade(*drawn, (3, 12), 1.0).cascade
    return fitted.model_copy(update={"rule": rule, "limit": limit})


def _mean_auroc(truth: npt.NDArray[np.float32], scores: Scores) -> float:
    return float(np.mean([auroc(truth[:, j], scores[:, j]) for j in range(truth.shape[1])]))


@RULE
@given(seed=SEEDS, quantile=st.floats(0, 1))
@settings(max_examples=10, deadline=None)
def test_a_study_goes_on_as_a_whole_where_any_of_its_images_is_above_the_limit(rule: Rule, seed: int, quantile: float) -> None:
    drawn = _draw(seed)
    values = uncertainty(rule, drawn.narrow, _cascade(drawn, rule, None).references)
    limit = float(np.quantile(values, quantile))
    chosen = goes_on(_cascade(drawn, rule, limit), drawn.narrow, drawn.studies)
    for study in np.unique(drawn.studies):
        inside = drawn.studies == study
        assert set(chosen[inside]) == {bool((values[inside] > limit).any())}


@RULE
@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_order_of_images_and_names_of_studies_do_not_matter(rule: Rule, seed: int) -> None:
    drawn = _draw(seed)
    order = np.random.default_rng(seed).permutation(len(drawn.narrow))
    cascade = _cascade(drawn, rule, float(np.median(uncertainty(rule, drawn.narrow, _cascade(drawn, rule, None).references))))
    chosen = goes_on(cascade, drawn.narrow, drawn.studies)
    renamed = np.char.add("x", drawn.studies)
    assert np.array_equal(goes_on(cascade, drawn.narrow[order], renamed[order]), chosen[order])


@given(seed=SEEDS)
@settings(max_examples=5, deadline=None)
def test_fitted_cascade_is_the_same_whatever_the_order_of_images_and_labels(seed: int) -> None:
    drawn = _draw(seed)
    generator = np.random.default_rng(seed)
    order, labels = generator.permutation(len(drawn.narrow)), generator.permutation(2)
    narrow, wide, truth = (part[order][:, labels] for part in drawn[:3])
    first, second = fit_cascade(*drawn, (3, 6), 0.01), fit_cascade(narrow, wide, truth, drawn.studies[order], (3, 6), 0.01)
    assert first.cascade.rule == second.cascade.rule
    assert first.share == second.share
    chosen = goes_on(first.cascade, drawn.narrow, drawn.studies)[order]
    assert np.array_equal(goes_on(second.cascade, narrow, drawn.studies[order]), chosen)


@RULE
@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_a_higher_limit_sends_no_other_study_on(rule: Rule, seed: int) -> None:
    drawn = _draw(seed)
    values = uncertainty(rule, drawn.narrow, _cascade(drawn, rule, None).references)
    limits = [None, *np.quantile(values, [0, 0.2, 0.5, 0.9, 1]).tolist()]
    sent = [goes_on(_cascade(drawn, rule, limit), drawn.narrow, drawn.studies) for limit in limits]
    assert sent[0].all()
    assert all((later <= earlier).all() for earlier, later in pairwise(sent))
    assert not sent[-1].any()


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_mixed_scores_are_the_wide_networks_where_a_study_goes_on_and_the_narrow_ones_elsewhere(seed: int) -> None:
    drawn = _draw(seed)
    fitted = fit_cascade(*drawn, (3, 12), 0.02)
    chosen = goes_on(fitted.cascade, drawn.narrow, drawn.studies)
    scores = mixed(drawn.narrow, drawn.wide, chosen)
    assert np.array_equal(scores[chosen], drawn.wide[chosen])
    assert np.array_equal(scores[~chosen], drawn.narrow[~chosen])
    assert fitted.auroc_mixed == _mean_auroc(drawn.truth, scores)


@given(seed=SEEDS, tolerance=st.floats(0, 0.2))
@settings(max_examples=10, deadline=None)
def test_the_loss_on_validation_images_is_within_the_tolerance(seed: int, tolerance: float) -> None:
    drawn = _draw(seed)
    fitted = fit_cascade(*drawn, (3, 12), tolerance)
    assert fitted.auroc_mixed >= fitted.auroc_wide - tolerance
    assert fitted.cascade.references == references(drawn.narrow, drawn.truth)
    assert fitted.auroc_narrow == _mean_auroc(drawn.truth, drawn.narrow)
    assert fitted.auroc_wide == _mean_auroc(drawn.truth, drawn.wide)
    chosen = goes_on(fitted.cascade, drawn.narrow, drawn.studies)
    went = len(np.unique(drawn.studies[chosen])) / len(np.unique(drawn.studies))
    assert fitted.share == pytest.approx(went)


def test_no_limit_that_was_tried_sends_fewer_on_within_the_tolerance() -> None:
    drawn = _draw(5)
    fitted = fit_cascade(*drawn, (3, 12), 0.03)
    assert 0.05 < fitted.share < 0.95  # else this shows nothing
    for rule in RULES:
        values = uncertainty(rule, drawn.narrow, fitted.cascade.references)
        largest = np.sort([values[drawn.studies == study].max() for study in np.unique(drawn.studies)])[::-1]
        for percent in range(0, 100, 5):
            count = round(percent / 100 * len(largest))
            if count >= round(fitted.share * len(largest)):
                break
            chosen = goes_on(_cascade(drawn, rule, float(largest[count])), drawn.narrow, drawn.studies)
            assert len(np.unique(drawn.studies[chosen])) <= count
            assert _mean_auroc(drawn.truth, mixed(drawn.narrow, drawn.wide, chosen)) < fitted.auroc_wide - 0.03


def test_a_large_tolerance_sends_no_validation_study_on_and_the_first_rule_is_taken() -> None:
    drawn = _draw(1)
    fitted = fit_cascade(*drawn, (3, 12), 1.0)
    assert (fitted.share, fitted.cascade.rule) == (0.0, "entropy")
    assert fitted.auroc_mixed == fitted.auroc_narrow
    assert not goes_on(fitted.cascade, drawn.narrow, drawn.studies).any()


def test_a_study_less_certain_than_every_validation_study_goes_on_even_then() -> None:
    drawn = _draw(1)
    fitted = fit_cascade(*drawn, (3, 12), 1.0)
    assert goes_on(fitted.cascade, np.array([[0.5, 0.5]]), ["new"]).all()


def test_rounding_of_scores_moves_no_validation_study_across_the_limit() -> None:
    for tolerance in (0.0, 0.03, 1.0):
        drawn = _draw(5)
        cascade = fit_cascade(*drawn, (3, 12), tolerance).cascade
        rounded = (drawn.narrow * (1 + 1e-9)).clip(0, 1)
        assert np.array_equal(goes_on(cascade, rounded, drawn.studies), goes_on(cascade, drawn.narrow, drawn.studies))


def test_a_narrow_network_that_sees_nothing_sends_almost_all_on() -> None:
    drawn = _draw(2, narrow=0.0, wide=6.0, images=400)
    fitted = fit_cascade(*drawn, (3, 12), 0.002)
    assert fitted.share >= 0.9
    assert goes_on(fitted.cascade, drawn.narrow, drawn.studies).mean() >= 0.9


def test_where_no_smaller_share_reaches_the_wide_network_every_study_of_any_data_goes_on() -> None:
    truth = np.tile(np.array([[0], [1]], np.float32), (30, 1))
    narrow, wide = np.full((60, 1), 0.2), np.where(truth == 1, 0.9, 0.1)
    narrow[:, 0] += np.linspace(0, 0.01, 60)  # half of the pairs in order, and all below the positives of the wide one
    narrow[0] = 0.05
    narrow[1] = 0.01  # the most certain study of all, and wrong
    studies = np.arange(60).astype(str)
    fitted = fit_cascade(narrow, wide, truth, studies, (3, 12), 0.0)
    assert (fitted.share, fitted.cascade.limit, fitted.auroc_mixed) == (1.0, None, 1.0)
    assert goes_on(fitted.cascade, np.array([[0.0], [1.0]]), ["a", "b"]).all()


def test_an_uncertain_band_of_studies_is_found() -> None:
    """A narrow network that is right but for the scores around its threshold needs the wide one there alone."""
    generator = np.random.default_rng(3)
    truth = (generator.random((300, 1)) < 0.5).astype(np.float32)
    logits = 6 * (truth - 0.5) + generator.normal(0, 0.3, truth.shape)
    hard = generator.random(300) < 0.2
    logits[hard] = generator.normal(0, 0.3, (hard.sum(), 1))
    wide = _sigmoid(8 * (truth - 0.5).astype(float))
    fitted = fit_cascade(_sigmoid(logits), wide, truth, np.arange(300).astype(str), (3, 12), 0.0)
    chosen = goes_on(fitted.cascade, _sigmoid(logits), np.arange(300).astype(str))
    assert fitted.share <= hard.mean() + 0.06
    assert chosen[hard].mean() > 0.95


@pytest.mark.parametrize("rounding", [0.0, 1e-11])
def test_studies_that_tie_but_for_rounding_go_on_together_or_not_at_all(rounding: float) -> None:
    truth = np.tile(np.array([[0], [1]], np.float32), (20, 1))
    wide = np.where(truth == 1, 0.9, 0.1)
    narrow = 0.4 + rounding * np.random.default_rng(0).permutation(40)[:, None]
    assert fit_cascade(narrow, wide, truth, np.arange(40).astype(str), (3, 12), 0.1).share == 1
    assert fit_cascade(narrow, wide, truth, np.arange(40).astype(str), (3, 12), 0.5).share == 0


def test_without_positives_and_negatives_the_fit_is_refused_in_words() -> None:
    drawn = _draw(0)
    with pytest.raises(DataError, match=r"predict\.cascade: on the validation images no label has both"):
        fit_cascade(drawn.narrow, drawn.wide, np.ones_like(drawn.truth), drawn.studies, (3, 12), 0.1)


def test_a_label_without_truth_does_not_keep_the_others_from_a_fit() -> None:
    drawn = _draw(4)
    truth = drawn.truth.copy()
    truth[:, 1] = np.nan
    fitted = fit_cascade(drawn.narrow, drawn.wide, truth, drawn.studies, (3, 12), 0.02)
    assert [label.youden is None for label in fitted.cascade.references] == [False, True]
    assert fitted.auroc_wide == _mean_auroc(truth[:, :1], drawn.wide[:, :1])


@RULE
@pytest.mark.parametrize("limit", [None, 0.25])
def test_a_cascade_is_the_same_after_json(rule: Rule, limit: float | None) -> None:
    cascade = _cascade(_draw(0), rule, limit)
    assert Cascade.model_validate_json(cascade.model_dump_json()) == cascade


@pytest.mark.parametrize(
    "change",
    [
        {"heads": (6, 3)},
        {"heads": (0, 3)},
        {"rule": "mood"},
        {"limit": float("nan")},
        {"limit": float("inf")},
        {"references": ()},
        {"rule": "closeness", "references": (LABEL.model_copy(update={"youden": None}),)},
        {"share": 0.5},
    ],
)
def test_a_cascade_that_cannot_run_cannot_be_made(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Cascade.model_validate({"heads": (3, 6), "rule": "entropy", "limit": 0.5, "references": (LABEL,)} | change)
