"""The canonical image: square, grey, 8 or 16 bit, aspect kept."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from cxr.ingest.read.radiograph import Grey

VERSION = 2
"""Raised whenever the same grey values would give another canonical image: the filter is part of a model's contract."""


def canonical(pixels: Grey, size: int, fit: Literal["pad", "crop"]) -> Grey:
    """Resize to a square.

    Args:
        pixels: uint8 or uint16 [height, width].
        size: side of the result, in pixels.
        fit: "pad" keeps all and centres it on black; "crop" keeps the central square.

    Returns:
        [size, size], of the dtype of `pixels`.
    """
    if fit == "crop":
        return _resize(_central_square(pixels), size, size)
    scale = size / max(pixels.shape)
    height, width = (max(1, round(side * scale)) for side in pixels.shape)
    result = np.zeros((size, size), pixels.dtype)
    top, left = (size - height) // 2, (size - width) // 2
    result[top : top + height, left : left + width] = _resize(pixels, height, width)
    return result


def _central_square(pixels: Grey) -> Grey:
    side = min(pixels.shape)
    top, left = ((length - side) // 2 for length in pixels.shape)
    return pixels[top : top + side, left : left + side]


def _resize(pixels: Grey, height: int, width: int) -> Grey:
    # area averaging when shrinking, so that no detail aliases; it does not interpolate, so linear when growing
    if height > pixels.shape[0] or width > pixels.shape[1]:
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR))
    # averages of averages of equal areas are averages, and exact halves are a third of the work
    while all(side % 2 == 0 and side >= 2 * least for side, least in zip(pixels.shape, (height, width), strict=True)):
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        pixels = np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))
