"""From normalised coordinates of the body to pixels: anti-aliased fills and strokes on any matrix.

Coordinates are shares of the longer side of the radiograph. The origin is the centre of the field, x grows towards the
image's right (the patient's left), y grows downwards; so the longer side spans -0.5 to 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]
"""float32 [height, width]."""
Mask = npt.NDArray[np.bool_]
"""bool [height, width]."""
Points = npt.NDArray[np.float64]
"""float64 [points, 2], normalised (x, y)."""

_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Pose:
    """How a patient stands before the detector on one radiograph.

    Args:
        shift_x: shift to the image's right, share of the longer side.
        shift_y: shift downwards, share of the longer side.
        rotation: clockwise rotation in the image plane, degrees.
        zoom: magnification.
        inspiration: how far the diaphragm stands below its usual height, share of the longer side.
        anteroposterior: an AP projection, which magnifies the heart.
    """

    shift_x: float = 0.0
    shift_y: float = 0.0
    rotation: float = 0.0
    zoom: float = 1.0
    inspiration: float = 0.0
    anteroposterior: bool = False


@dataclass(frozen=True)
class Canvas:
    """A matrix of `height` x `width` pixels that shows the body in one pose."""

    height: int
    width: int
    pose: Pose = Pose()

    @property
    def side(self) -> int:
        """The longer side, in pixels; the unit of normalised coordinates."""
        return max(self.height, self.width)

    @cached_property
    def _axes(self) -> Points:
        """The 2 x 2 matrix that takes normalised coordinates to pixels, without the shift."""
        angle = np.deg2rad(self.pose.rotation)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.asarray(turn * self.pose.zoom * self.side, np.float64)

    @cached_property
    def _centre(self) -> Points:
        shift = np.array([self.pose.shift_x, self.pose.shift_y]) * self.side
        return np.asarray(np.array([self.width - 1, self.height - 1]) / 2 + shift, np.float64)

    def pixels(self, points: Points) -> Points:
        """Pixel coordinates (column, row) of normalised points; float64, any leading axes."""
        return np.asarray(points @ self._axes.T + self._centre, np.float64)

    def grid(self) -> tuple[FloatImage, FloatImage]:
        """Normalised x and y of every pixel centre, float32 [height, width] each."""
        inverse = np.linalg.inv(self._axes).astype(np.float32)
        centre = self._centre.astype(np.float32)
        column = np.arange(self.width, dtype=np.float32)[None, :] - centre[0]
        row = np.arange(self.height, dtype=np.float32)[:, None] - centre[1]
        return inverse[0, 0] * column + inverse[0, 1] * row, inverse[1, 0] * column + inverse[1, 1] * row

    def fill(self, *outlines: Points) -> FloatImage:
        """Coverage of the union of closed outlines, float32 [height, width] in 0..1."""
        image = np.zeros((self.height, self.width), np.uint8)
        for outline in outlines:
            cv2.fillPoly(image, [self._fixed(outline)], (255,), cv2.LINE_AA, _SUBPIXEL_BITS)
        return to_share(image)

    def strokes(self, lines: Sequence[Stroke]) -> FloatImage:
        """Lines drawn one over the other, float32 [height, width] in 0..1."""
        image = np.zeros((self.height, self.width), np.uint8)
        for line in lines:
            width = line.width * self.side * self.pose.zoom
            # no line is thinner than a pixel, so a thinner one is drawn fainter
            level = round(255 * line.level * min(1.0, max(width, 0.25)))
            paths = self._fixed(line.points)
            parts = [paths] if paths.ndim == 2 else list(paths)
            cv2.polylines(image, parts, False, (level,), max(1, round(width)), cv2.LINE_AA, _SUBPIXEL_BITS)
        return to_share(image)

    def _fixed(self, points: Points) -> npt.NDArray[np.int32]:
        return np.rint(self.pixels(points) * (1 << _SUBPIXEL_BITS)).astype(np.int32)

    def coarse(self) -> Canvas:
        """The same view on a quarter of the matrix, for what is smooth; `enlarge` brings its maps back."""
        return replace(self, height=-(-self.height // 4), width=-(-self.width // 4))

    def enlarge(self, image: FloatImage) -> FloatImage:
        """A map of `coarse` on this matrix, float32 [height, width]."""
        return as_float(cv2.resize(image, (self.width, self.height), interpolation=cv2.INTER_LINEAR))

    def soften(self, image: FloatImage, sigma: float) -> FloatImage:
        """Gaussian blur.

        Args:
            image: float32 [height, width].
            sigma: standard deviation, share of the longer side.
        """
        return blur(image, sigma * self.side)


@dataclass(frozen=True)
class Stroke:
    """Open lines of one width and one level.

    Args:
        points: float64 [points, 2], or [lines, points, 2] for several lines, normalised.
        width: width, share of the longer side.
        level: level of the line, 0..1.
    """

    points: Points
    width: float
    level: float


def to_share(image: npt.NDArray[np.uint8]) -> FloatImage:
    """uint8 0..255 as float32 0..1."""
    return np.multiply(image, np.float32(1 / 255), dtype=np.float32)


def as_float(image: Any) -> FloatImage:
    """An array of OpenCV, which has no exact type, as float32."""
    return np.asarray(image, np.float32)


def blur(image: FloatImage, sigma: float) -> FloatImage:
    """Gaussian blur of `sigma` pixels; a wide one is computed on a smaller matrix, which it cannot tell apart."""
    factor = int(min(8, sigma // 2.5))
    if sigma <= 0.2:
        return image
    if factor < 2:
        return as_float(cv2.GaussianBlur(image, (0, 0), sigma))
    height, width = image.shape
    small = cv2.resize(image, (max(1, width // factor), max(1, height // factor)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor)
    return as_float(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def smoothstep(image: FloatImage, low: float, high: float) -> FloatImage:
    """0 below `low`, 1 above `high`, a smooth rise between; `high` may be the smaller one for a fall."""
    share = np.subtract(image, low, dtype=np.float32)
    share *= 1 / (high - low)
    np.clip(share, 0, 1, out=share)
    rise = 3 - 2 * share
    rise *= share
    rise *= share
    return rise


def distance_inside(mask: Mask, side: int) -> FloatImage:
    """Distance of every pixel of `mask` to the nearest pixel outside it, share of `side` pixels; 0 outside."""
    return as_float(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)) / np.float32(side)
