from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cxr.config_training import StackedTraining
from cxr.train.regime import Regime

HEADS = tuple(range(3, 13))
UNIFORM = StackedTraining(regime="uniform")
DRAWS = 4000


def _weighted(*weights: float) -> StackedTraining:
    return StackedTraining(regime="weighted", weights=weights)


def _counts(regime: Regime, draws: int = DRAWS) -> Counter[Any]:
    return Counter(regime.draw(step) for step in range(draws))


@pytest.mark.parametrize(
    "config", [UNIFORM, _weighted(*range(1, 11)), StackedTraining()], ids=["uniform", "weighted", "sandwich"]
)
def test_a_draw_depends_on_seed_and_step_alone(config: StackedTraining) -> None:
    steps = [0, 1, 7, 1000, 10**9]
    expected = [Regime(config, HEADS, 3).draw(step) for step in steps]
    np.random.seed(5)  # noqa: NPY002 (the global state must not matter)
    torch.manual_seed(5)
    regime = Regime(config, HEADS, 3)
    torch.rand(10)
    assert [regime.draw(step) for step in reversed(steps)] == expected[::-1]
    draws = [Regime(config, HEADS, seed).draw(step) for seed in range(5) for step in range(20)]
    assert len(set(draws)) > 3


def test_another_process_draws_the_same() -> None:
    program = (
        "from cxr.config import StackedTraining; from cxr.train.regime import Regime\n"
        f"regime = Regime(StackedTraining(regime='uniform'), {HEADS}, 11)\n"
        "print([regime.draw(step)[0] for step in range(30)])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    regime = Regime(UNIFORM, HEADS, 11)
    assert done.stdout.strip() == str([regime.draw(step)[0] for step in range(30)])


def test_seeds_and_steps_are_drawn_apart() -> None:
    by_seed = [tuple(Regime(UNIFORM, HEADS, seed).draw(step) for step in range(20)) for seed in range(20)]
    assert len(set(by_seed)) == 20
    # a step later is not the next seed
    assert [Regime(UNIFORM, HEADS, 1).draw(step) for step in range(20)] != [
        Regime(UNIFORM, HEADS, 0).draw(step + 1) for step in range(20)
    ]


def test_uniform_draws_every_number_equally_often() -> None:
    counts = _counts(Regime(UNIFORM, HEADS, 0))
    assert set(counts) == {(heads,) for heads in HEADS}
    assert stats.chisquare([counts[(heads,)] for heads in HEADS]).pvalue > 0.001


def test_weights_are_respected_in_proportion() -> None:
    weights = (1, 2, 3, 4, 10, 1, 1, 1, 1, 1)
    counts = _counts(Regime(_weighted(*weights), HEADS, 0))
    expected = np.array(weights) / sum(weights) * DRAWS
    assert stats.chisquare([counts[(heads,)] for heads in HEADS], expected).pvalue > 0.001


def test_the_sandwich_has_the_widest_first_the_narrowest_last_and_one_strictly_between() -> None:
    counts = _counts(Regime(StackedTraining(), HEADS, 0))
    assert {(draw[0], draw[-1], len(draw)) for draw in counts} == {(12, 3, 3)}
    assert {draw[1] for draw in counts} == set(range(4, 12))
    assert stats.chisquare(list(counts.values())).pvalue > 0.001


@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=8, unique=True),
    st.sampled_from(["uniform", "sandwich"]),
    st.integers(0, 99),
)
def test_a_draw_is_of_what_there_is_and_falls(heads: list[int], regime: Any, step: int) -> None:
    draw = Regime(StackedTraining(regime=regime), sorted(heads), 0).draw(step)
    assert set(draw) <= set(heads)
    assert list(draw) == sorted(set(draw), reverse=True)  # type: ignore[type-var]
    assert all(type(number) is int for number in draw)


def test_the_sandwich_of_two_has_nothing_between() -> None:
    assert set(_counts(Regime(StackedTraining(), (3, 12), 0), 50)) == {(12, 3)}


@pytest.mark.parametrize("config", [UNIFORM, StackedTraining()], ids=["uniform", "sandwich"])
def test_without_a_choice_a_step_trains_what_there_is(config: StackedTraining) -> None:
    assert Regime(config, (), 0).draw(5) == (None,)
