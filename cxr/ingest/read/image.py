"""A PNG or JPEG file of a published data set to one radiograph."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from cxr.ingest.outcome import Refused
from cxr.ingest.read.decode import check_matrix
from cxr.ingest.read.radiograph import Grey, Radiograph, pixel_digest

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_PNG_START = b"\x89PNG\r\n\x1a\n"
# what the codecs raise on malformed files
_MALFORMED = (ValueError, TypeError, OSError, RuntimeError, EOFError, struct.error, zlib.error)


def read_image(data: bytes, bits: int = 8) -> Radiograph:
    """Read a PNG or JPEG file of a grey radiograph; bright must already mean high attenuation.

    Args:
        data: the file.
        bits: of the grey values, 8 or 16.

    Raises:
        Refused: the file is not taken; the code says why.
    """
    if not data:
        raise Refused("empty")
    pixels = _to_bits(_grey(_decode(data)), bits)
    if pixels.min() == pixels.max():
        raise Refused("constant")
    return Radiograph(pixels, hashlib.sha256(data).hexdigest(), pixel_digest(pixels), decisions={"voi": "as published"})


def _decode(data: bytes) -> npt.NDArray[Any]:
    # the decoder fills what is cut off with grey; neither marker can stand inside the compressed data
    if data.startswith(_JPEG_START) and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        raise Refused("unreadable", "the JPEG has no end marker")
    try:
        if data.startswith(_PNG_START):  # a small file may state a huge size
            columns, rows = struct.unpack_from(">II", data, 16)
            check_matrix(rows, columns)
        return np.asarray(imagecodecs.imread(data, codec=["jpeg8", "png"]))
    except _MALFORMED as error:
        raise Refused("unreadable", "neither a whole PNG nor a whole JPEG") from error
    except MemoryError as error:
        raise Refused("too-much-memory") from error


def _grey(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[height, width] of a decoded image; some published PNG files repeat their grey values in RGB(A)."""
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        if (pixels[..., :1] != pixels[..., :3]).any():
            raise Refused("colour")
        pixels = pixels[..., 0]
    if pixels.ndim == 3 and pixels.shape[2] == 2:  # grey and alpha
        pixels = pixels[..., 0]
    if pixels.ndim != 2:
        raise Refused("colour", f"an array of shape {pixels.shape}")
    return pixels


def _to_bits(pixels: npt.NDArray[Any], bits: int) -> Grey:
    """Grey values of 8 or 16 bits; 255 and 65535 are both white."""
    if pixels.dtype not in (np.uint8, np.uint16):
        raise Refused("unreadable", f"pixels of type {pixels.dtype}")
    if pixels.dtype == np.uint16 and bits == 8:
        return np.asarray(np.round(pixels / 257), np.uint8)
    if pixels.dtype == np.uint8 and bits == 16:
        return np.asarray(pixels.astype(np.uint16) * 257)
    return np.ascontiguousarray(pixels)
