"""The canonical image: square, grey, 8 bit, aspect kept."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

VERSION = 1
"""Raised whenever the same grey values would give another canonical image: the filter is part of a model's contract."""


def canonical(pixels: npt.NDArray[np.uint8], size: int, fit: Literal["pad", "crop"]) -> npt.NDArray[np.uint8]:
    """Resize to a square.

    Args:
        pixels: uint8 [height, width].
        size: side of the result, in pixels.
        fit: "pad" keeps all and centres it on black; "crop" keeps the central square.

    Returns:
        uint8 [size, size].
    """
    if fit == "crop":
        return _resize(_central_square(pixels), size, size)
    scale = size / max(pixels.shape)
    height, width = (max(1, round(side * scale)) for side in pixels.shape)
    result = np.zeros((size, size), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    result[top : top + height, left : left + width] = _resize(pixels, height, width)
    return result


def _central_square(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    side = min(pixels.shape)
    top, left = ((length - side) // 2 for length in pixels.shape)
    return pixels[top : top + side, left : left + side]


def _resize(pixels: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    # area averaging when shrinking, so that no detail aliases; it does not interpolate, so linear when growing
    shrinking = height < pixels.shape[0] or width < pixels.shape[1]
    filter_ = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=filter_), np.uint8)
