"""Pixels that are no part of the image: Pixel Padding Value and its range, PS3.3 C.7.5.1.1.2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from cxr.ingest.read.bits import Layout


@dataclass(frozen=True)
class Padding:
    """The stored values that mean padding.

    Args:
        codes: bool [2^stored], whether a code means padding.
        words: the values, in words.
    """

    codes: npt.NDArray[np.bool_]
    words: str


def padding_of(header: Dataset, layout: Layout, *, little_endian: bool) -> Padding | None:
    """The padding that a header describes, None where it describes none.

    The values are stored values, with the sign that PixelRepresentation says, whatever the VR. Either end of the range
    may come first.

    Args:
        header: the attributes of the image.
        layout: where the stored value lies.
        little_endian: the byte order of the file, for values that are kept as bytes.
    """
    ends = [_stored(header.get(name), layout, little_endian) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    value, limit = ends
    if value is None:
        return None
    low, high = sorted((value, value if limit is None else limit))
    values = layout.values()
    return Padding((values >= low) & (values <= high), f"value {low}" if low == high else f"values {low} to {high}")


def _stored(value: object, layout: Layout, little_endian: bool) -> int | None:
    if isinstance(value, bytes) and len(value) == 2:
        value = int.from_bytes(value, "little" if little_endian else "big")
    if not isinstance(value, int):
        return None
    number = int(value) & 0xFFFF
    return number - (1 << 16) if layout.signed and number >= 1 << 15 else number
