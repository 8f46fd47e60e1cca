"""Whether the grey values look like an exposure at all: enough contrast, and most of the picture inside the collimation.

All of it is judged on about 256 rows and 256 columns, evenly spaced: an image of 5 megapixels then takes less than a
millisecond, and areas and grey levels are known to half a percent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxr.ingest.outcome import Refused
from cxr.ingest.read.radiograph import Grey

BLANK_LEVELS = 2
"""Of 256. A picture whose grey values lie within so few levels shows nothing: the noise of an exposure alone covers more."""
LOW_CONTRAST_LEVELS = 16
"""Of 256. A displayed chest covers 100 levels and more from the lungs to the spine; so few mean that the window is wrong."""
BORDER_LEVELS = 8
"""Of 256. How far from black or from white the border of a collimator is, with what lossy compression adds to it."""
BORDER_SHARE = 0.9
"""Of a row or column. The rest may be the letter of the side, or an annotation, in the border."""
COLLIMATION_SHARE = 1 / 3
"""Of the area. So much border leaves the chest too small a part of a canonical image; 99 chests in 100 have below a fifth."""
_SAMPLES = 256
_TAILS = (0.01, 0.99)  # an annotation, a pacemaker or a dead line is no contrast


@dataclass(frozen=True)
class Quality:
    """What the grey values of a radiograph say about it.

    Args:
        codes: "low-contrast", "collimation"; see `cxr.ingest.outcome.CODES`.
        exposed: top, left, bottom, right of the area inside a black or white border, in pixels, to one step of the sample.
        border: share of the area outside of it, in 0..1.
        contrast: grey levels of 256 between the 1st and the 99th percentile inside of it.
    """

    codes: tuple[str, ...]
    exposed: tuple[int, int, int, int]
    border: float
    contrast: int


def judge(pixels: Grey) -> Quality:
    """Judge the grey values of a radiograph.

    Args:
        pixels: uint8 or uint16 [height, width] with at least one pixel, before it is fitted into a canonical image.

    Raises:
        Refused: blank.
    """
    height, width = pixels.shape
    step = max(1, min(height, width) // _SAMPLES)
    sample = pixels[::step, ::step]
    levels = np.ascontiguousarray(sample if sample.dtype == np.uint8 else sample >> 8, np.uint8)
    top, left, bottom, right = _inside(levels)
    contrast = _contrast(levels[top:bottom, left:right])
    if contrast <= BLANK_LEVELS:
        raise Refused("blank", f"{contrast} of 256 grey levels")
    border = 1 - (bottom - top) * (right - left) / levels.size
    found = {"low-contrast": contrast <= LOW_CONTRAST_LEVELS, "collimation": border > COLLIMATION_SHARE}
    exposed = (top * step, left * step, min(height, bottom * step), min(width, right * step))
    return Quality(tuple(code for code, yes in found.items() if yes), exposed, border, contrast)


def _inside(levels: npt.NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right inside rows and columns at the edge that are nearly all black or nearly all white.

    Rows and columns take turns, since a border at the left may keep a row at the top from being uniform. A picture that is
    all border is returned whole.
    """
    box = whole = (0, 0, *levels.shape)
    for _ in range(2):
        top, left, bottom, right = box
        rows = np.flatnonzero(~_uniform(levels[top:bottom, left:right], axis=1))
        if not len(rows):
            return whole
        top, bottom = top + int(rows[0]), top + int(rows[-1]) + 1
        columns = np.flatnonzero(~_uniform(levels[top:bottom, left:right], axis=0))
        if not len(columns):
            return whole
        box = (top, left + int(columns[0]), bottom, left + int(columns[-1]) + 1)
    return box


def _uniform(levels: npt.NDArray[np.uint8], axis: int) -> npt.NDArray[np.bool_]:
    """Which lines along an axis are nearly all black, or nearly all white."""
    black = (levels <= BORDER_LEVELS).mean(axis) >= BORDER_SHARE
    white = (levels >= 255 - BORDER_LEVELS).mean(axis) >= BORDER_SHARE
    return np.asarray(black | white)


def _contrast(levels: npt.NDArray[np.uint8]) -> int:
    reached = np.cumsum(np.bincount(levels.ravel(), minlength=256)) / levels.size
    low, high = np.searchsorted(reached, _TAILS)
    return int(high - low)
