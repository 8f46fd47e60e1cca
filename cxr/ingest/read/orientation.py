r"""Upright and with the patient's right on the left, by PatientOrientation, PS3.3 C.7.6.1.1.1.

Its two values say where in the patient the rows and the columns lead: to the left (L) or right (R), to the feet (F) or
the head (H). A frontal radiograph is shown as L\F. The other seven, with what they are made by and how they are called:

    L\F  as it should be                              -
    R\F  left and right exchanged                     mirrored
    R\H  turned by 180 degrees                        rotated
    F\R  turned by 90 degrees                         rotated
    H\L  turned by 90 degrees the other way           rotated
    L\H  upside down, left and right in place         rotated, mirrored
    F\L  rows and columns exchanged                   rotated, mirrored
    H\R  rows and columns exchanged, turned by 180    rotated, mirrored

An odd number of reflections is "mirrored"; an image whose rows run along the body, or whose columns lead to the head,
was "rotated".
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from pydicom.dataset import Dataset

from cxr.ingest.read.radiograph import Grey

_ACROSS, _ALONG, _LETTERS = "LR", "HF", "LRHFAP"
_MIRROR, _UPSIDE_DOWN, _BOTH = 1, 0, -1  # flip codes of cv2


@dataclass(frozen=True)
class Oriented:
    r"""An image turned upright.

    Args:
        pixels: `Grey` [height, width], contiguous.
        decision: what was done, in words, such as "mirrored: R\F".
        codes: of what was corrected or is odd; see `cxr.ingest.outcome.CODES`.
    """

    pixels: Grey
    decision: str
    codes: tuple[str, ...] = ()


def orient(pixels: Grey, header: Dataset) -> Oriented:
    """Turn a frontal radiograph upright, with the patient's right on the left of the image.

    Where PatientOrientation is that of no frontal image, or no orientation at all, the image is left as it is.

    Args:
        pixels: [height, width].
        header: the attributes of the image.
    """
    pixels = np.ascontiguousarray(pixels)
    if not header.get("PatientOrientation"):
        return Oriented(pixels, "no PatientOrientation")
    letters = _letters(header)
    words = "\\".join(letters)
    if not _frontal(letters):
        return Oriented(pixels, f"as stored: {words or 'PatientOrientation'} is unclear", ("orientation-unclear",))
    turned, rotated, mirrored = _upright(pixels, *letters)
    codes = tuple(code for code, holds in (("rotated", rotated), ("mirrored", mirrored)) if holds)
    return Oriented(turned, f"{' and '.join(codes) or 'as stored'}: {words}", codes)


def _letters(header: Dataset) -> tuple[str, ...]:
    """The first letter of both values; none where there are not two of the standard's letters."""
    value = header.PatientOrientation
    parts = value.split("\\") if isinstance(value, str) else list(value)
    letters = tuple(str(part).strip().upper()[:1] for part in parts)
    return letters if len(letters) == 2 and all(letter and letter in _LETTERS for letter in letters) else ()


def _frontal(letters: tuple[str, ...]) -> bool:
    return len(letters) == 2 and sorted(letter in _ALONG for letter in letters if letter in _ACROSS + _ALONG) == [False, True]


def _upright(pixels: Grey, row: str, column: str) -> tuple[Grey, bool, bool]:
    """The image upright, and whether it was rotated and mirrored."""
    exchanged = row in _ALONG
    if exchanged:
        row, column = column, row
        pixels = np.asarray(cv2.transpose(pixels), pixels.dtype)
    backwards, upside_down = row == "R", column == "H"
    if backwards or upside_down:
        axes = _BOTH if backwards and upside_down else _MIRROR if backwards else _UPSIDE_DOWN
        pixels = np.asarray(cv2.flip(pixels, axes), pixels.dtype)
    return pixels, exchanged or upside_down, (exchanged + backwards + upside_down) % 2 == 1
