"""The numbers that decide how an image is changed; all are always drawn, so that one strength does not move the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Draws(NamedTuple):
    """Evenly drawn numbers in [-1, 1), float64 [images] each; -1 and 1 are the two largest changes."""

    shift_x: npt.NDArray[np.float64]
    shift_y: npt.NDArray[np.float64]
    rotate: npt.NDArray[np.float64]
    zoom: npt.NDArray[np.float64]
    flip: npt.NDArray[np.float64]
    gamma: npt.NDArray[np.float64]
    contrast: npt.NDArray[np.float64]
    brightness: npt.NDArray[np.float64]


def draw(generators: Sequence[np.random.Generator]) -> Draws:
    """The first numbers of each image's stream."""
    numbers = np.array([generator.random(len(Draws._fields)) for generator in generators]).reshape(-1, len(Draws._fields))
    return Draws(*(2 * numbers.T - 1))
