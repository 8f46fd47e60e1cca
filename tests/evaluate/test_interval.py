from __future__ import annotations

import pytest

from cxr.evaluate.interval import Interval, Span


@pytest.mark.parametrize(("low", "high"), [(0.6, 0.5), (-0.1, 0.5), (0.5, 1.1), (float("nan"), 0.5)])
def test_no_interval_that_is_not_one(low, high):
    with pytest.raises(ValueError, match="no interval"):
        Interval(low, high)


def test_width():
    assert Interval(0.25, 0.75).width == 0.5


def test_a_difference_may_lie_below_zero_and_not_beyond_one():
    assert Span(-1, 0.5).width == 1.5
    with pytest.raises(ValueError, match="no interval within -1 to 1"):
        Span(-1.1, 0)
