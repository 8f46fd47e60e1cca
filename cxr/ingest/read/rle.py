"""RLE Lossless, PS3.5 Annex G: a header of 16 words, then one packed segment for each byte of a pixel, highest first."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import imagecodecs
import numpy as np

from cxr.ingest.outcome import Refused
from cxr.ingest.read.radiograph import Grey
from cxr.ingest.read.structure import Data

_HEADER_BYTES = 64
_unpack: Callable[..., Any] = imagecodecs.packbits_decode  # any buffer will do


def decode_rle(data: Data, shape: tuple[int, int], allocated: int) -> Grey:
    """The words of a frame.

    Args:
        data: the frame's fragment.
        shape: rows and columns.
        allocated: bits of a word, 8 or 16.

    Returns:
        uint8 or uint16 [rows, columns].

    Raises:
        Refused: the header is malformed, or a segment does not unpack to one byte for each pixel. Never more memory
            than that is taken, whatever a segment would unpack to.
    """
    size, count = shape[0] * shape[1], allocated // 8
    segments = _segments(data, count)
    planes = np.empty((size, count), np.uint8)
    for number, segment in enumerate(segments):
        planes[:, count - 1 - number] = np.frombuffer(_unpacked(segment, size), np.uint8, size)
    return planes.view(f"<u{count}").astype(f"u{count}", copy=False).reshape(shape)


def _segments(data: Data, count: int) -> list[Data]:
    if len(data) < _HEADER_BYTES:
        raise Refused("decode-failed", "the RLE header is cut off")
    stated, *offsets = np.frombuffer(data, "<u4", 16).tolist()
    if stated != count:
        raise Refused("decode-failed", f"{stated} RLE segments for {8 * count} bits")
    bounds = [*offsets[:count], len(data)]
    if bounds[0] < _HEADER_BYTES or any(start >= end for start, end in pairwise(bounds)):
        raise Refused("decode-failed", "the RLE segments are out of order or outside the data")
    return [data[start:end] for start, end in pairwise(bounds)]


def _unpacked(segment: Data, size: int) -> bytes:
    # an odd number of pixels may have been made even before it was packed
    try:
        plane = bytes(_unpack(segment, out=size + size % 2))
    except (RuntimeError, ValueError) as error:
        raise Refused("decode-failed", "an RLE segment is damaged or unpacks to more than the image") from error
    if len(plane) < size:
        raise Refused("decode-failed", f"an RLE segment unpacks to {len(plane)} bytes, {size} expected")
    return plane
