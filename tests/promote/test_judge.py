from __future__ import annotations

import pytest

from cxr.promote.judge import TRAINED, WEIGHTS, objections
from cxr.tracking.registry import Version
from tests.promote.proposals import BAD, GOOD, OPEN, decision_of


def champion(weights: str | None) -> Version:
    return Version(4, "3" * 32, 0, "", {} if weights is None else {WEIGHTS: weights})


@pytest.mark.parametrize("older", [None, "b", "c"])
def test_where_nothing_is_in_use_the_rule_alone_decides(older):
    assert objections(decision_of("a", older, (GOOD, OPEN)), None, "champion") == ()
    assert objections(decision_of("a", older, (GOOD, BAD)), None, "champion") == (BAD.sentence,)


def test_model_that_was_compared_with_the_one_in_use_passes():
    assert objections(decision_of("a", "b"), champion("b"), "champion") == ()


@pytest.mark.parametrize("older", [None, "c"])
def test_other_comparison_stands_against_it_and_comes_before_the_rule(older):
    found = objections(decision_of("a", older, (BAD,)), champion("b"), "champion")
    assert len(found) == 2
    assert "the champion is version 4" in found[0]
    assert found[1] == BAD.sentence


def test_refusal_names_both_keys_and_runs_of_the_same_kind():
    version = Version(4, "3" * 32, 0, "", {WEIGHTS: "b" * 64, TRAINED: "4" * 32})
    sentence = objections(decision_of("a", "c" * 64), version, "champion")[0]
    for part in (
        f"pipeline's run {'3' * 32}, trained in run {'4' * 32}, weights bbbbbbbbbbbb)",
        f"another one (trained in run {'2' * 32}, weights cccccccccccc)",
        "retrain.model",
        "retrain.split",
    ):
        assert part in sentence


def test_new_calibration_of_the_same_weights_needs_a_comparison_with_them():
    assert "same weights" in objections(decision_of("b"), champion("b"), "champion")[0]
    assert objections(decision_of("b", "b"), champion("b"), "champion") == ()


def test_version_that_tells_no_weights_is_not_replaced():
    assert WEIGHTS in objections(decision_of("a", "b"), champion(None), "champion")[0]
