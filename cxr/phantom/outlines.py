"""The outlines of a thorax, as points in normalised coordinates; side -1 is the patient's right, 1 the left."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cxr.phantom.anatomy import Anatomy
from cxr.phantom.canvas import Points

_Values = npt.NDArray[np.float64]
APEX_X = 0.125
"""Distance of the lung apices from the midline."""


def smooth(points: Points, closed: bool = True, steps: int = 8) -> Points:
    """A Catmull-Rom spline through points.

    Args:
        points: float64 [points, 2].
        closed: whether the last point is followed by the first.
        steps: points drawn from one given point to the next.

    Returns:
        float64 [points * steps, 2] when closed, one stretch fewer when open.
    """
    ends = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate([ends[0], points, ends[1]])
    a, b, c, d = (padded[k : len(padded) - 3 + k, None] for k in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.asarray(curve.reshape(-1, 2), np.float64)


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> Points:
    """A closed ellipse of 48 points."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([x + radius_x * np.cos(angle), y + radius_y * np.sin(angle)], axis=1)


def chest_wall_x(anatomy: Anatomy, side: int, y: _Values) -> _Values:
    """Distance from the midline of the inner chest wall at heights y, float64 of the same shape."""
    down = (y - anatomy.apex_y) / (anatomy.costophrenic(side) - anatomy.apex_y)
    rise = np.clip(down / 0.85, 0, 1)
    bulge = (1 - (1 - rise) ** 2.2) ** 0.62
    return np.asarray(APEX_X + (anatomy.thorax_half_width - APEX_X) * bulge, np.float64)


def diaphragm_y(anatomy: Anatomy, side: int, x: _Values) -> _Values:
    """Height of a hemidiaphragm at distances x from the midline, float64 of the same shape."""
    top, edge = 0.5 * anatomy.thorax_half_width, anatomy.thorax_half_width
    lateral = np.clip((x - top) / (edge - top), 0, 1) ** 2.4
    medial = np.clip((top - x) / top, 0, 1) ** 2
    return np.asarray(anatomy.dome(side) + anatomy.dome_height * lateral + 0.045 * medial, np.float64)


def lung(anatomy: Anatomy, side: int) -> Points:
    """A lung, as far as the mediastinum and the diaphragm let it be seen; the heart is not cut out of it."""
    top, bottom = anatomy.apex_y, anatomy.costophrenic(side)
    y = top + (bottom - top) * np.linspace(0, 1, 30) ** 1.6
    lateral = np.stack([chest_wall_x(anatomy, side, y), y], axis=1)
    x = np.linspace(anatomy.thorax_half_width, 0.045, 24)
    base = np.stack([x, diaphragm_y(anatomy, side, x)], axis=1)
    outline = np.concatenate([lateral, base[1:], _mediastinal_border(anatomy, base[-1, 1])])
    return np.asarray(outline * [side, 1], np.float64)


def _mediastinal_border(anatomy: Anatomy, base_y: float) -> Points:
    """The medial border of a lung from the diaphragm up to the apex."""
    width, top = anatomy.mediastinum_half_width, anatomy.apex_y
    knots = [(0.045, base_y), (0.05, 0.1), (0.058, 0.02), (width, -0.08), (width, -0.16), (width, -0.24)]
    knots += [(width + 0.008, top + 0.04), (width + 0.03, top + 0.008), (APEX_X, top)]
    return smooth(np.array(knots), closed=False)[1:]


def heart(anatomy: Anatomy, ratio: float | None = None) -> Points:
    """The heart's outline, for the anatomy's cardiothoracic ratio or another one."""
    width = (ratio or anatomy.heart_ratio) * 2 * anatomy.thorax_half_width
    left, right = width * anatomy.heart_left_share, -width * (1 - anatomy.heart_left_share)
    # a larger heart does not reach higher in proportion, it lies on the diaphragm
    low = anatomy.dome(1)
    high = low - 0.19 - 0.22 * width
    span = low - high
    knots = [(0.01, high), (0.05, high + 0.1 * span), (0.50 * left, high + 0.42 * span)]
    knots += [(0.84 * left, high + 0.70 * span), (left, high + 0.92 * span), (0.90 * left, low + 0.022)]
    knots += [(0.4 * left, low + 0.055), (0.2 * right, low + 0.05), (0.82 * right, high + 0.92 * span)]
    knots += [(right, high + 0.68 * span), (0.86 * right, high + 0.45 * span), (-0.04, high + 0.18 * span)]
    return smooth(np.array(knots))


def body(anatomy: Anatomy) -> Points:
    """Neck, shoulders, upper arms and trunk, beyond the edges of the field."""
    trunk = anatomy.thorax_half_width + anatomy.wall
    half = [(0.0, -0.8), (0.095, -0.8), (0.1, -0.46), (0.135, -0.405), (0.3, -0.355), (0.42, -0.31), (0.53, -0.2)]
    half += [(0.62, 0.3), (0.56, 0.3), (0.46, 0.08), (trunk + 0.03, -0.03), (trunk + 0.008, 0.1), (trunk - 0.004, 0.3)]
    right_half = smooth(np.array([*half, (trunk - 0.015, 0.8), (0.0, 0.8)]), closed=False)
    return np.concatenate([right_half, right_half[::-1] * [-1, 1]])


def hilum(anatomy: Anatomy, side: int) -> tuple[float, float]:
    """Where a lung's vessels enter it; the left hilum stands higher."""
    return side * (anatomy.mediastinum_half_width + 0.022), -0.035 if side > 0 else -0.015
