r"""From the pixels of a file as it is stored to the canonical image, for an outline drawn on the one to be laid on the other.

An outline takes the way that ingest took with the image, by the same functions: made square by `cxr.ingest.read.aspect`,
turned upright by `orientation`, resized by `canonical`. What ingest did with an image stands in its row of the manifest.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from cxr.evaluate.undefined import Undefined
from cxr.ingest.read.canonical import canonical
from cxr.ingest.read.orientation import orient
from cxr.ingest.store import Preprocessing

Mask = npt.NDArray[np.bool_]
"""bool [rows, columns], True inside the finding."""

_TURNED = re.compile(r"(?:as stored|(?:rotated)?(?: and )?(?:mirrored)?): ([A-Z])\\([A-Z])")
_UNTURNED = re.compile(r"no PatientOrientation|as stored: .* is unclear")
_STRETCHED = re.compile(r"(height|width) stretched by ([0-9.]+): .*")
_UNSTRETCHED = ("as stored", "spacing unusable")
_ROUNDING = 1e-3  # the manifest says the stretch with four digits


@dataclass(frozen=True)
class Frame:
    """What ingest did with the pixels of one image.

    Args:
        stored: rows and columns of the file; where `stretched`, known to within a pixel or a thousandth.
        square: rows and columns with square pixels, before the image was turned.
        letters: where its rows and columns led, as in PatientOrientation; None where the image was left as it is.
        size, fit: of the canonical image, see `cxr.ingest.read.canonical`.
    """

    stored: tuple[int, int]
    square: tuple[int, int]
    letters: tuple[str, str] | None
    size: int
    fit: Literal["pad", "crop"]

    def has(self, shape: tuple[int, ...]) -> bool:
        """Whether a mask of this shape is one of the file's own pixels."""
        stretched = self.stored != self.square
        return len(shape) == 2 and all(
            abs(given - own) <= (1 + _ROUNDING * own if stretched else 0) for given, own in zip(shape, self.stored, strict=True)
        )

    def lay(self, mask: Mask) -> Mask:
        """The mask on the canonical image.

        Args:
            mask: bool [rows, columns] as stored.

        Returns:
            bool [size, size]: the pixels of which at least half is inside.
        """
        pixels: npt.NDArray[np.uint8] = 255 * mask.astype(np.uint8)
        if pixels.shape != self.square:
            pixels = np.asarray(cv2.resize(pixels, self.square[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
        if self.letters is not None:
            header = Dataset()
            header.PatientOrientation = list(self.letters)
            pixels = np.asarray(orient(pixels, header).pixels, np.uint8)
        return np.asarray(canonical(pixels, self.size, self.fit) > 127)


def frame_of(height: int, width: int, decisions: str, made: Preprocessing) -> Frame | Undefined:
    """What a row of the manifest tells of the way from the file to the canonical image.

    Args:
        height, width: of the image as ingest left it, square and upright.
        decisions: JSON, as in the manifest.
        made: how the canonical images were made.

    Returns:
        The frame, or why an outline cannot be laid on the image.
    """
    told = json.loads(decisions)
    turned = _letters(told)
    if isinstance(turned, Undefined):
        return turned
    exchanged = turned is not None and turned[0] in "HF"
    square = (width, height) if exchanged else (height, width)
    stored = _stored(square, told)
    return stored if isinstance(stored, Undefined) else Frame(stored, square, turned, made.size, made.fit)


def _letters(told: dict[str, str]) -> tuple[str, str] | Undefined | None:
    """PatientOrientation as it was acted on; an image that was no DICOM file has none, and was not turned."""
    words = told.get("orientation", "" if "syntax" in told else "no PatientOrientation")
    found = _TURNED.fullmatch(words)
    if found is not None:
        return found[1], found[2]
    return None if _UNTURNED.fullmatch(words) else Undefined("the manifest does not tell how the image was turned")


def _stored(square: tuple[int, int], told: dict[str, str]) -> tuple[int, int] | Undefined:
    words = told.get("aspect", "" if "syntax" in told else "as stored")
    if words in _UNSTRETCHED:
        return square
    found = _STRETCHED.fullmatch(words)
    if found is None:
        return Undefined("the manifest does not tell how the image was stretched")
    rows, columns = square
    factor = float(found[2])
    return (round(rows / factor), columns) if found[1] == "height" else (rows, round(columns / factor))
