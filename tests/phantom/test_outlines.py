from __future__ import annotations

import numpy as np
import pytest

from cxr.phantom import outlines


def test_a_spline_goes_through_its_points_and_closes():
    points = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    assert outlines.smooth(points, steps=8)[::8] == pytest.approx(points)
    assert len(outlines.smooth(points, closed=False, steps=8)) == 24


def test_heart_is_as_wide_as_its_ratio_says_and_lies_mostly_left(anatomy):
    for ratio in (anatomy.heart_ratio, 0.6):
        x = outlines.heart(anatomy, ratio)[:, 0]
        assert np.ptp(x) / (2 * anatomy.thorax_half_width) == pytest.approx(ratio, abs=0.02)
        assert x.max() > 1.5 * -x.min()


def test_lungs_lie_on_their_sides_within_the_chest_wall(anatomy):
    for side in (-1, 1):
        lung = outlines.lung(anatomy, side)
        assert (lung[:, 0] * side > 0).all()
        assert np.abs(lung[:, 0]).max() == pytest.approx(anatomy.thorax_half_width)


def test_costophrenic_angle_is_the_lowest_point_of_the_lung(anatomy):
    lung = outlines.lung(anatomy, 1)
    lowest = lung[lung[:, 1].argmax()]
    assert lowest == pytest.approx([anatomy.thorax_half_width, anatomy.costophrenic(1)])
