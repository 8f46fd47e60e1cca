"""Bone of a thorax: ribs, clavicles, shoulder blades and spine, as one thickness map."""

from __future__ import annotations

import numpy as np

from cxr.phantom import outlines
from cxr.phantom.anatomy import Anatomy
from cxr.phantom.canvas import FloatImage, Points, Stroke, as_float
from cxr.phantom.thorax import Thorax

_SIDES = (-1, 1)


def bone_thickness(thorax: Thorax) -> FloatImage:
    """Bone that the beam crosses, float32 [height, width], centimetres of dense bone."""
    anatomy, canvas = thorax.anatomy, thorax.canvas
    back = np.concatenate([posterior_ribs(anatomy, side) for side in _SIDES])
    front = np.concatenate([anterior_ribs(anatomy, side) for side in _SIDES])
    # posterior ribs, anterior ribs and the rest lie behind each other, so they add up
    bone = canvas.strokes(_bands(back)) * np.float32(0.82)
    bone += canvas.strokes(_bands(front)) * np.float32(0.40)
    bone += canvas.strokes(_girdle(anatomy)) * np.float32(1.0)
    bone += canvas.soften(_spine(thorax), 0.003) * np.float32(1.25)
    return as_float(bone * np.float32(anatomy.bone_density))


def posterior_ribs(anatomy: Anatomy, side: int) -> Points:
    """Centre lines of one side's posterior ribs, spine to chest wall, from the top: float64 [rib_pairs, 20, 2]."""
    index = np.arange(anatomy.rib_pairs)
    start_y = anatomy.apex_y - 0.012 + index * anatomy.rib_spacing
    start_x = np.array([anatomy.spine_x(y) for y in start_y]) * side + 0.036
    end_y = start_y + anatomy.rib_drop * (0.35 + 0.11 * index)
    end_x = outlines.chest_wall_x(anatomy, side, np.maximum(end_y, anatomy.apex_y + 0.02)) + 0.012
    t = np.linspace(0, 1, 20)
    x = start_x[:, None] + (end_x - start_x)[:, None] * np.sin(t * np.pi / 2) ** 0.9
    arch = -0.022 * np.sin(np.pi * np.minimum(1, t * 1.1))
    y = start_y[:, None] + (end_y - start_y)[:, None] * t**2 + arch
    return np.asarray(np.stack([side * x, y], axis=2), np.float64)


def anterior_ribs(anatomy: Anatomy, side: int) -> Points:
    """The bony parts of one side's anterior ribs, chest wall to cartilage, from the second: float64 [6, 16, 2]."""
    start = posterior_ribs(anatomy, side)[1:7, -1]
    index = np.arange(1, 7)[:, None]
    t = np.linspace(0, 1, 16)
    inner = 0.115 + 0.012 * index
    x = inner + (np.abs(start[:, :1]) - inner) * np.cos(t * np.pi / 2)
    y = start[:, 1:] + (0.085 + 0.004 * index) * np.sin(t * np.pi / 2) ** 1.3
    return np.asarray(np.stack([side * x, y], axis=2), np.float64)


def _bands(centre: Points) -> list[Stroke]:
    """Ribs as a tube shows them: a faint body between two dense margins, the lower one fainter."""
    up = np.array([0.0, -1.0])
    return [
        Stroke(centre, 0.0185, 0.48),
        Stroke(centre + up * 0.0085, 0.0034, 0.85),
        Stroke(centre - up * 0.0085, 0.0034, 0.68),
    ]


def _girdle(anatomy: Anatomy) -> list[Stroke]:
    strokes: list[Stroke] = []
    margin = np.array([0, 0.011])
    for side in _SIDES:
        line = np.array([(0.042, -0.235), (0.12, -0.252), (0.21, -0.288), (0.30, -0.302), (0.36, -0.315)])
        clavicle = outlines.smooth(line * [side, 1], closed=False)
        strokes += [Stroke(clavicle, 0.025, 0.42), Stroke(clavicle - margin, 0.004, 0.8)]
        strokes += [Stroke(clavicle + margin, 0.004, 0.66)]
        edge = anatomy.thorax_half_width
        blade = np.array([(edge - 0.035, -0.3), (edge - 0.012, -0.18), (edge + 0.03, -0.02), (edge + 0.045, -0.16)])
        blade = np.concatenate([blade, [(edge + 0.075, -0.29)]])
        strokes.append(Stroke(outlines.smooth(blade * [side, 1], closed=False), 0.007, 0.3))
        arm = np.array([(0.415, -0.27), (0.445, -0.2), (0.475, -0.05), (0.53, 0.3)])
        strokes.append(Stroke(outlines.smooth(arm * [side, 1], closed=False), 0.044, 0.75))
        strokes.append(Stroke(np.array([(0.408, -0.275), (0.412, -0.262)]) * [side, 1], 0.066, 0.75))
    return strokes


def _spine(thorax: Thorax) -> FloatImage:
    """Vertebral bodies with dense end plates, paler discs and pedicles, 0..1."""
    anatomy, canvas = thorax.anatomy, thorax.canvas
    column = np.array([(anatomy.spine_x(y), y) for y in np.linspace(-0.7, 0.7, 24)])
    levels = np.arange(-0.62, 0.65, anatomy.rib_spacing * 0.86)
    centres = np.array([(anatomy.spine_x(y), y) for y in levels])[:, None]
    plate = centres + np.array([(-0.026, 0.0), (0.026, 0.0)])
    strokes = [Stroke(column, 0.062, 0.62), Stroke(plate, 0.0045, 0.85)]
    strokes.append(Stroke(plate + np.array([0, anatomy.rib_spacing * 0.18]), 0.0045, 0.48))
    for side in _SIDES:
        pedicle = centres + np.array([(side * 0.019, 0.02), (side * 0.019, 0.027)])
        strokes.append(Stroke(pedicle, 0.008, 0.95))
    strokes.append(Stroke(centres + np.array([(0.0, 0.03), (0.0, 0.045)]), 0.006, 0.85))
    return canvas.strokes(strokes)
