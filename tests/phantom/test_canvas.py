from __future__ import annotations

import numpy as np
import pytest

from cxr.phantom.canvas import Canvas, Pose, Stroke, blur, smoothstep

SQUARE = np.array([(-0.1, -0.1), (0.1, -0.1), (0.1, 0.1), (-0.1, 0.1)])


@pytest.mark.parametrize("shape", [(384, 320), (352, 384), (96, 96)])
def test_an_outline_has_the_same_share_of_the_longer_side_on_every_matrix(shape):
    covered = Canvas(*shape).fill(SQUARE).sum()
    side = 0.2 * max(shape)
    # an anti-aliased fill reaches up to a pixel beyond its outline
    assert side**2 <= covered <= (side + 2) ** 2


def test_the_grid_is_the_inverse_of_the_pixels():
    canvas = Canvas(96, 120, Pose(0.02, -0.01, 3, 1.1))
    x, y = canvas.grid()
    back = canvas.pixels(np.array([[x[40, 70], y[40, 70]]], np.float64))
    assert back[0] == pytest.approx([70, 40], abs=1e-3)


def test_positive_shift_moves_to_the_right_and_down():
    rows, columns = np.nonzero(Canvas(100, 100, Pose(0.1, 0.2)).fill(SQUARE) > 0.5)
    assert (rows.mean(), columns.mean()) == pytest.approx((69.5, 59.5), abs=0.6)


def test_a_thin_line_is_drawn_fainter_and_not_dropped():
    line = np.array([(-0.3, 0.0), (0.3, 0.0)])
    thin, wide = (Canvas(100, 100).strokes([Stroke(line, width, 1.0)]) for width in (0.005, 0.01))
    assert 0 < thin.sum() < wide.sum()


def test_a_wide_blur_keeps_the_sum_and_is_close_to_the_exact_one():
    image = Canvas(128, 128).fill(SQUARE)
    assert blur(image, 9.0).sum() == pytest.approx(image.sum(), rel=0.02)
    assert np.abs(blur(image, 9.0) - blur(blur(image, 5.4), 7.2)).max() < 0.03


def test_smoothstep_rises_or_falls_between_its_ends():
    values = np.array([[-1, 0, 0.5, 1, 2]], np.float32)
    assert smoothstep(values, 0, 1)[0].tolist() == [0, 0, 0.5, 1, 1]
    assert smoothstep(values, 1, 0)[0].tolist() == [1, 1, 0.5, 0, 0]
