"""Square pixels: an image whose rows lie further apart than its columns, or less far, is stretched along that side.

Sources: PS3.3 10.7.1.3 (Pixel Spacing), C.7.6.3.1.7 (Pixel Aspect Ratio): of both values, the first is the vertical one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from pydicom.dataset import Dataset

from cxr.ingest.read.decode import check_matrix
from cxr.ingest.read.numbers import numbers
from cxr.ingest.read.radiograph import Grey

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_RATIO = "PixelAspectRatio"  # counts only where there is no spacing
_SQUARE = 1.01  # up to here it is the rounding of the spacings
_ABSURD = 4.0  # no detector has such pixels


@dataclass(frozen=True)
class Squared:
    """An image with square pixels.

    Args:
        pixels: `Grey` [height, width].
        decision: what was done, in words, such as "height stretched by 1.25: PixelSpacing".
        codes: of what was corrected; see `cxr.ingest.outcome.CODES`.
    """

    pixels: Grey
    decision: str
    codes: tuple[str, ...] = ()


def squared(pixels: Grey, header: Dataset) -> Squared:
    """Stretch the side along which the pixels are longer, so that no detail is lost and nothing is distorted.

    A ratio of up to 1 per cent is let be. Values that are no two positive numbers, or of a ratio above 4, do not count.

    Args:
        pixels: [height, width], as stored: not yet turned.
        header: the attributes of the image.

    Raises:
        Refused: the image would be larger than any radiograph.
    """
    named = [name for name in _SPACINGS if numbers(header, name)] or [name for name in (_RATIO,) if numbers(header, name)]
    if not named:
        return Squared(pixels, "as stored")
    name, ratio = next(((name, ratio) for name in named if (ratio := _ratio(header, name))), ("", 0.0))
    if not ratio:
        return Squared(pixels, "spacing unusable")
    if 1 / _SQUARE <= ratio <= _SQUARE:
        return Squared(pixels, "as stored")
    height, width = pixels.shape
    height, width = round(height * max(1.0, ratio)), round(width * max(1.0, 1 / ratio))
    check_matrix(height, width)
    stretched = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), pixels.dtype)
    side = "height" if ratio > 1 else "width"
    return Squared(stretched, f"{side} stretched by {max(ratio, 1 / ratio):.4g}: {name}", ("not-square",))


def _ratio(header: Dataset, name: str) -> float:
    """Height of a pixel by its width, 0 where the values are unusable."""
    values = numbers(header, name)
    if len(values) != 2 or not all(math.isfinite(value) and value > 0 for value in values):
        return 0.0
    ratio = values[0] / values[1]
    return ratio if 1 / _ABSURD <= ratio <= _ABSURD else 0.0
