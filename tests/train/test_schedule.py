from __future__ import annotations

import math

import pytest

from cxr.train.schedule import cosine_with_warmup


@pytest.mark.parametrize(("total", "warmup"), [(100, 10), (7, 3), (50, 0)])
def test_the_rate_follows_its_closed_form(total: int, warmup: int) -> None:
    for step in range(total):
        cosine = (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2
        expected = (step + 1) / warmup if step < warmup else cosine
        assert cosine_with_warmup(step, total, warmup) == pytest.approx(expected)


def test_the_ends() -> None:
    assert cosine_with_warmup(0, 100, 10) == pytest.approx(0.1)
    assert cosine_with_warmup(9, 100, 10) == cosine_with_warmup(10, 100, 10) == 1
    assert cosine_with_warmup(0, 100, 0) == 1
    assert 0 < cosine_with_warmup(99, 100, 10) < 0.001
    assert cosine_with_warmup(100, 100, 10) == 0


@pytest.mark.parametrize(("total", "warmup"), [(1, 0), (1, 1), (3, 5), (5, 5)])
def test_short_trainings_stay_in_range(total: int, warmup: int) -> None:
    assert all(0 < cosine_with_warmup(step, total, warmup) <= 1 for step in range(total))
