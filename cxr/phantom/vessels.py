"""The branching vessels of the lungs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxr.phantom import outlines
from cxr.phantom.anatomy import Anatomy
from cxr.phantom.canvas import FloatImage, Points, Stroke, as_float
from cxr.phantom.thorax import Thorax

_GENERATIONS = 4
_STEPS = 6


@dataclass(frozen=True)
class _Twigs:
    """Branches of one generation: float64 starts [n, 2], directions [n] in radians, lengths [n]."""

    start: Points
    angle: npt.NDArray[np.float64]
    length: npt.NDArray[np.float64]


def vessel_thickness(thorax: Thorax) -> FloatImage:
    """Vessels that the beam crosses within the lungs, float32 [height, width], centimetres of blood."""
    strokes: list[Stroke] = []
    for side in (-1, 1):
        strokes += _tree(thorax.anatomy, side)
    # the fine branches first, so that the wide ones lie over them
    strokes.sort(key=lambda stroke: stroke.level)
    drawn = thorax.canvas.soften(thorax.canvas.strokes(strokes), 0.0022)
    return as_float(drawn * thorax.lungs * np.float32(2.0))


def _tree(anatomy: Anatomy, side: int) -> list[Stroke]:
    generator = np.random.default_rng([anatomy.detail_seed, side + 1])
    twigs = _trunks(anatomy, side, generator)
    strokes: list[Stroke] = []
    for generation in range(_GENERATIONS):
        lines = _curves(twigs, generator)
        strokes.append(Stroke(lines, 0.0105 * 0.68**generation, 0.95 * 0.72**generation))
        twigs = _branch(lines, twigs, generator)
    return strokes


def _trunks(anatomy: Anatomy, side: int, generator: np.random.Generator) -> _Twigs:
    """The first branches, fanned from straight up to straight down; those to the base are the longer and denser ones."""
    count = 11
    fan = np.linspace(-1.25, 1.35, count) + generator.normal(0, 0.09, count)
    angle = fan if side > 0 else np.pi - fan
    start = np.array(outlines.hilum(anatomy, side)) + generator.normal(0, [0.008, 0.022], (count, 2))
    length = generator.uniform(0.07, 0.11, count) * (1 + 0.25 * np.sin(fan))
    return _Twigs(start, angle, length)


def _curves(twigs: _Twigs, generator: np.random.Generator) -> Points:
    """Slightly bent lines, float64 [n, steps, 2]."""
    t = np.linspace(0, 1, _STEPS)
    bend = generator.normal(0, 0.35, len(twigs.angle))
    heading = twigs.angle[:, None] + bend[:, None] * (t - 0.3)
    step = twigs.length[:, None] / (_STEPS - 1)
    moves = np.stack([np.cos(heading) * step, np.sin(heading) * step], axis=2)
    moves[:, 0] = 0
    return np.asarray(twigs.start[:, None] + np.cumsum(moves, axis=1), np.float64)


def _branch(lines: Points, twigs: _Twigs, generator: np.random.Generator) -> _Twigs:
    """Two children at the end of each branch."""
    count = len(lines)
    spread = generator.uniform(0.16, 0.5, (2, count)) * np.array([[1], [-1]])
    last = lines[:, -1] - lines[:, -2]
    angle = (np.arctan2(last[:, 1], last[:, 0]) + spread).ravel()
    length = (twigs.length * generator.uniform(0.55, 0.85, (2, count))).ravel()
    return _Twigs(np.tile(lines[:, -1], (2, 1)), angle, length)
