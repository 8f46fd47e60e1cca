"""A disease map as a picture for a reader: the radiograph, beside it the same with the map in colour, and words below."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cxr.predict.maps import FULL, overlay

_SIDE = 512
"""Least side of each of the two, in pixels: the words below are as wide as both."""
_LINE, _LETTERS, _MARGIN = 26, 16, 10  # height of a line and of its letters, and the space around them, in pixels
_GREY = 128
"""Grey value on which the scale shows the colours."""
_ABOUT = (
    "Left: the radiograph as the model sees it. Right: where this label's branch looked; it is not the outline of a finding."
)
_BAR = 300  # pixels

Picture = npt.NDArray[np.uint8]


def plate(image: npt.NDArray[np.uint8], attention: npt.NDArray[np.float32], lines: Sequence[str]) -> Picture:
    """The picture of one map.

    Args:
        image: uint8 [size, size], canonical.
        attention: float32 [size, size] in multiples of the average, from `cxr.predict.maps.on_image`.
        lines: what it is of; a line that does not fit is cut off. What the two halves and the colours are is said below them.

    Returns:
        uint8 [height, width, 3], red, green, blue.
    """
    plain = np.repeat(image[..., np.newaxis], 3, axis=2)
    both = np.concatenate([_enlarged(each) for each in (plain, overlay(image, attention))], axis=1)
    return np.concatenate([both, _words((*lines, _ABOUT), float(attention.max()), both.shape[1])])


def _enlarged(picture: Picture) -> Picture:
    side = max(_SIDE, len(picture))
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def _words(lines: Sequence[str], most: float, width: int) -> Picture:
    """Lines of text, and the scale of the colours as the last one, with the most attention that there is."""
    strip = Image.new("RGB", (width, _LINE * (len(lines) + 1) + 2 * _MARGIN))
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        draw.text((_MARGIN, _MARGIN + number * _LINE), line, font=_font(), fill="white")
    left, top = _MARGIN, _MARGIN + len(lines) * _LINE
    for part in ("Attention: average", None, f"{FULL:g} times the average, or more. Here at most {most:.1f} times."):
        if part is None:
            strip.paste(Image.fromarray(_scale()), (left, top))
            left += _BAR + _MARGIN
        else:
            draw.text((left, top), part, font=_font(), fill="white")
            left += round(draw.textlength(part, font=_font())) + _MARGIN
    return np.asarray(strip, np.uint8)


def _scale() -> Picture:
    attention = np.geomspace(1, FULL, _BAR, dtype=np.float32)
    height = _LINE - _MARGIN // 2
    return overlay(np.full((height, _BAR), _GREY, np.uint8), np.tile(attention, (height, 1)))


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The one that matplotlib brings: it has the letters of most languages' label names."""
    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), _LETTERS)
