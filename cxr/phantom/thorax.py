"""The soft parts of a thorax as maps: lungs, heart, trunk, and how much air and tissue the beam crosses."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cxr.phantom import outlines
from cxr.phantom.anatomy import Anatomy
from cxr.phantom.canvas import Canvas, FloatImage, Mask, Stroke, as_float, distance_inside, smoothstep

HEART_FILL = 0.88
"""Share of the lung's depth that the middle of the heart takes up."""


@dataclass(frozen=True)
class Thorax:
    """What findings and the renderer draw on; every map is float32 [height, width].

    Args:
        anatomy: the anatomy in this pose.
        canvas: the matrix and the pose.
        x, y: normalised coordinates of every pixel.
        right_lung, left_lung: coverage 0..1.
        lung_depth: depth of aerated lung without regard to the heart, centimetres.
        heart: share of the lung's depth that the heart takes up, 0..1.
    """

    anatomy: Anatomy
    canvas: Canvas
    x: FloatImage
    y: FloatImage
    right_lung: FloatImage
    left_lung: FloatImage
    lung_depth: FloatImage
    heart: FloatImage

    @property
    def lungs(self) -> FloatImage:
        """Coverage of both lungs, float32 0..1."""
        return np.maximum(self.right_lung, self.left_lung)

    def lung(self, side: int) -> FloatImage:
        """Coverage of one lung, float32 0..1; side -1 is the patient's right, 1 the left."""
        return self.left_lung if side > 0 else self.right_lung

    def hull(self) -> Mask:
        """The convex hull of both lungs and the heart: every finding lies inside it."""
        points = np.concatenate([*(outlines.lung(self.anatomy, side) for side in (-1, 1)), outlines.heart(self.anatomy)])
        hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2)
        return self.canvas.fill(np.asarray(hull, np.float64)) > 0.5


def build_thorax(anatomy: Anatomy, canvas: Canvas) -> Thorax:
    """Lay out the thorax of an anatomy, already posed, on a canvas."""
    x, y = canvas.grid()
    right, left = (canvas.fill(outlines.lung(anatomy, side)) for side in (-1, 1))
    rounded = smoothstep(distance_inside(np.maximum(right, left) > 0.5, canvas.side), -0.035, 0.085)
    depth = np.maximum(right, left) * rounded * np.float32(anatomy.lung_depth_cm)
    return Thorax(anatomy, canvas, x, y, right, left, depth, heart_profile(anatomy, canvas))


def heart_profile(anatomy: Anatomy, canvas: Canvas, ratio: float | None = None) -> FloatImage:
    """Share of the lung's depth that a heart of a cardiothoracic ratio takes up, float32 [height, width] in 0..1."""
    coverage = canvas.fill(outlines.heart(anatomy, ratio))
    thick = smoothstep(distance_inside(coverage > 0.5, canvas.side), -0.06, 0.038)
    return np.asarray(canvas.soften(coverage * thick, 0.0022) * HEART_FILL, np.float32)


def trunk_tissue(thorax: Thorax) -> FloatImage:
    """Soft tissue that the beam would cross if there were no air, float32 [height, width], centimetres."""
    anatomy, canvas = thorax.anatomy, thorax.canvas
    coarse = canvas.coarse()
    x, y = coarse.grid()
    smooth = _trunk_profile(anatomy, coarse, y) * np.float32(anatomy.depth_cm) + _breasts(anatomy, x, y)
    hila = coarse.fill(*(outlines.ellipse(*outlines.hilum(anatomy, side), 0.024, 0.045) for side in (-1, 1)))
    smooth += coarse.soften(hila, 0.016) * np.float32(2.4)
    edge = canvas.soften(canvas.fill(outlines.body(anatomy)), 0.002)
    return canvas.enlarge(as_float(smooth - _airways(anatomy, coarse))) * edge


def _trunk_profile(anatomy: Anatomy, canvas: Canvas, y: FloatImage) -> FloatImage:
    """Thickness of the body as a share of its depth: an ellipse in cross-section, thinner at the neck."""
    coverage = (canvas.fill(outlines.body(anatomy)) > 0.5).astype(np.uint8)
    # the body goes on beyond the edges of the field
    wide = canvas.side // 8
    padded = cv2.copyMakeBorder(coverage, wide, wide, wide, wide, cv2.BORDER_REPLICATE)
    inside = distance_inside(padded > 0, canvas.side)[wide : wide + canvas.height, wide : wide + canvas.width]
    round_off = 1 - np.clip(inside / np.float32(0.12 * canvas.pose.zoom), 0, 1)
    profile = canvas.soften(as_float(0.2 + 0.8 * np.sqrt(np.clip(1 - round_off * round_off, 0, 1))), 0.012)
    return as_float(profile * (0.45 + 0.55 * smoothstep(y, -0.5, -0.25)))


def _breasts(anatomy: Anatomy, x: FloatImage, y: FloatImage) -> FloatImage:
    """Breasts, their lower border sharper than the upper, centimetres on the given grid."""
    thickness = np.zeros_like(x)
    if anatomy.breast_cm == 0:
        return thickness
    for side in (-1, 1):
        across = (x - side * 0.2) / 0.145
        down = (y - 0.115) / np.where(y > 0.115, np.float32(0.10), np.float32(0.24))
        thickness += smoothstep(as_float(1 - across * across - down * down), 0, 0.9)
    return as_float(thickness * np.float32(anatomy.breast_cm))


def _airways(anatomy: Anatomy, canvas: Canvas) -> FloatImage:
    """Tissue that the air of the windpipe and the main bronchi replaces, centimetres."""
    lean = [anatomy.spine_x(y) for y in (-0.6, -0.35, -0.13)]
    carina = (lean[2] + 0.004, -0.13)
    windpipe = np.array([(lean[0], -0.6), (lean[1], -0.35), carina])
    airways = [Stroke(outlines.smooth(windpipe, closed=False), 0.034, 1.0)]
    for side in (-1, 1):
        airways.append(Stroke(np.array([carina, (side * 0.045 + carina[0], -0.065 + 0.01 * side)]), 0.02, 0.6))
    return canvas.soften(canvas.strokes(airways), 0.005) * np.float32(2.3)


def aorta_fill(thorax: Thorax) -> FloatImage:
    """Share of the lung's depth that the aortic knob and the descending aorta take up, float32 [height, width] in 0..1."""
    anatomy, canvas = thorax.anatomy, thorax.canvas
    radius, edge = anatomy.aortic_knob, anatomy.mediastinum_half_width
    knob = outlines.ellipse(edge - 0.4 * radius + 0.006, -0.145, radius, radius * 1.05)
    descending = np.array([(0.0, -0.15), (edge + 0.012, -0.12), (edge - 0.002, 0.0), (0.048, 0.22), (0.0, 0.22)])
    trunk = outlines.ellipse(edge - 0.002, -0.075, 0.02, 0.03)
    shape = canvas.fill(knob) * np.float32(0.55)
    return as_float(canvas.soften(np.maximum(shape, canvas.fill(descending, trunk) * np.float32(0.35)), 0.003))


def gastric_bubble(thorax: Thorax) -> FloatImage:
    """Tissue that the stomach's air replaces under the left dome, float32 [height, width], centimetres."""
    anatomy, canvas = thorax.anatomy, thorax.canvas
    radius = anatomy.gastric_bubble
    if radius == 0:
        return np.zeros_like(thorax.x)
    centre = 0.5 * anatomy.thorax_half_width, anatomy.dome(1) + 0.016 + radius
    bubble = canvas.fill(outlines.ellipse(*centre, radius * 1.5, radius))
    return as_float(canvas.soften(bubble, 0.004) * 5.0 * (1 - thorax.lungs))
