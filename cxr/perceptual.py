"""A short text that tells one radiograph from another, and hardly changes when a radiograph is written anew.

The signs of 256 low frequencies of the picture, after Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions", 2010 (pHash), with two changes that chests ask for. The picture fades out towards its edges, where letters, shutters
and black padding are and where a small crop is felt most. And there are 256 bits, since in 64 two chests are often the same:
what chests differ in lies above the lowest frequencies.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from cxr.ingest.read.radiograph import Grey

VERSION = 1
"""Raised whenever the same image would give another hash: hashes of two versions cannot be compared."""
HASH_BITS = 256
LEAST_CONTRAST = 1.0
"""Levels of 256, standard deviation inside the taper. A picture of less shows nothing: one in use has ten and more."""
SAME_PICTURE = 0.75
"""The `likeness` from which two pictures of near hashes are taken for one."""

_GRID = 32  # grey values along each axis: twice the highest frequency
_BANDS = 16
_THUMBNAIL = 64
_SHIFT = 8  # of 64: the middle, 48 x 48, is looked for in the whole
_Whole = npt.NDArray[np.int64]
_Real = npt.NDArray[np.float32]


def perceptual_hash(image: Grey) -> str:
    """Hash a canonical radiograph, so that two versions of one radiograph differ in few of 256 bits.

    Everything behind the reduction to 32 x 32 is done in whole numbers: neither threads nor the processor change a bit.

    Hashes are compared between images that were fitted alike: of a radiograph that is not square, the version padded with black
    and the cropped one are two pictures.

    Args:
        image: uint8 or uint16 [side, side], side 32 or more; see `cxr.ingest.read.canonical`.

    Returns:
        64 lower-case hexadecimal digits; or "", which is near to nothing, where the picture has no structure: one grey value
        all over, or nothing but faint noise.

    Raises:
        ValueError: the image is not square, smaller than 32 x 32, or neither uint8 nor uint16.
    """
    grid = _reduced(image)
    vertical, horizontal, taper = _tables()
    centred = grid - int((taper * grid).sum()) // int(taper.sum())
    if float(((taper * centred).astype(np.float64) ** 2).sum()) < (256 * LEAST_CONTRAST) ** 2 * _energy():
        return ""
    return np.packbits(vertical @ centred @ horizontal.T > 0).tobytes().hex()


def likeness(a: Grey, b: Grey) -> float:
    """How much of the finer structure two canonical radiographs share: the second look at two near hashes.

    The largest normalised correlation of the middle of one thumbnail (64 x 64, less its blur with a sigma of 3 pixels) with the
    other one, over shifts of up to 8 pixels.

    Args:
        a, b: uint8 or uint16 [side, side], side 32 or more; the sides may differ.

    Returns:
        -1..1; 1 for equal pictures, 0 for one without structure. See `SAME_PICTURE`.

    Raises:
        ValueError: see `perceptual_hash`.
    """
    first, second = _fine(a), _fine(b)[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
    if min(np.ptp(first), np.ptp(second)) < 1:  # of 65,536: the correlation of nothing is not defined
        return 0.0
    return float(cv2.matchTemplate(first, second, cv2.TM_CCOEFF_NORMED).max())


def _checked(image: Grey) -> Grey:
    square = image.ndim == 2 and image.shape[0] == image.shape[1] >= _GRID
    if not square or image.dtype not in (np.uint8, np.uint16):
        least = f"uint8 or uint16 [side, side] with a side of {_GRID} or more"
        raise ValueError(f"a canonical image is {least}, not {image.dtype} {list(image.shape)}")
    return image


def _sixteen(image: Grey) -> npt.NDArray[np.uint16]:
    """The image in 16 bits, which keep what the averages of 8 bits have behind the point."""
    return image if image.dtype == np.uint16 else np.multiply(image, 256, dtype=np.uint16)  # type: ignore[return-value]


def _reduced(image: Grey) -> _Whole:
    """int64 [32, 32], 0..65,535."""
    return np.asarray(cv2.resize(_sixteen(_checked(image)), (_GRID, _GRID), interpolation=cv2.INTER_AREA), np.int64)


def _fine(image: Grey) -> _Real:
    """float32 [64, 64]: the thumbnail without its coarse shades, which all chests share."""
    way = cv2.INTER_AREA if image.shape[0] >= _THUMBNAIL else cv2.INTER_LINEAR
    small = cv2.resize(_sixteen(_checked(image)), (_THUMBNAIL, _THUMBNAIL), interpolation=way).astype(np.float32)
    return np.asarray(small - cv2.GaussianBlur(small, (0, 0), 3), np.float32)


@cache
def _tables() -> tuple[_Whole, _Whole, _Whole]:
    """The frequencies 1 to 16 downwards and 0 to 15 across, int64 [16, 32] each, and the taper, int64 [32, 32].

    Downwards the frequency 0 is left out, and not across: so the nearest of different chests have the most bits between them.
    """
    place = (np.arange(_GRID) + 0.5) / _GRID
    fade = np.sin(np.pi * place)
    waves = np.cos(np.pi * np.arange(_BANDS + 1)[:, None] * place) * fade
    whole = np.rint(4096 * waves).astype(np.int64)
    return whole[1:], whole[:-1], np.rint(4096 * np.outer(fade, fade)).astype(np.int64)


@cache
def _energy() -> float:
    return float((_tables()[2].astype(np.float64) ** 2).sum())
