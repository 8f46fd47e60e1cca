"""Which bits of a word hold the stored value, by PS3.5 8.1.1, and the check that nothing stands in the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from cxr.ingest.outcome import Refused
from cxr.ingest.read.radiograph import Grey

_OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
_OVERLAY_BITS_ALLOCATED, _OVERLAY_BIT_POSITION, _OVERLAY_DATA = 0x0100, 0x0102, 0x3000


@dataclass(frozen=True)
class Layout:
    """Where the stored value lies in its word.

    Args:
        allocated: bits of a word, 8 or 16.
        stored: bits of the value, 1 to `allocated`.
        high: the value's highest bit, counted from 0, `stored` - 1 to `allocated` - 1.
        signed: whether values are two's complement.
    """

    allocated: int
    stored: int
    high: int
    signed: bool

    @property
    def shift(self) -> int:
        """Bits below the value."""
        return self.high + 1 - self.stored

    @property
    def mask(self) -> int:
        """The bits of the value, once shifted to the lowest; also the largest code."""
        return (1 << self.stored) - 1

    @property
    def words(self) -> str:
        """The layout in words."""
        return f"{self.stored} of {self.allocated}, high bit {self.high}, {'signed' if self.signed else 'unsigned'}"

    def codes(self, words: Grey) -> Grey:
        """The bits of the value alone, shifted to the lowest; same shape and dtype as `words`."""
        whole = self.stored == self.allocated
        return words if whole else (words >> words.dtype.type(self.shift)) & words.dtype.type(self.mask)

    def values(self) -> npt.NDArray[np.float64]:
        """The stored value that each code stands for; float64 [2^stored]."""
        codes = np.arange(1 << self.stored, dtype=np.float64)
        return np.where(codes >= 1 << (self.stored - 1), codes - (1 << self.stored), codes) if self.signed else codes


def layout_of(header: Dataset) -> Layout:
    """The layout that BitsAllocated, BitsStored, HighBit and PixelRepresentation describe.

    Raises:
        Refused: one of them is missing, or they contradict each other.
    """
    allocated, stored = _number(header, "BitsAllocated"), _number(header, "BitsStored")
    high = _number(header, "HighBit") if "HighBit" in header else stored - 1
    representation = _number(header, "PixelRepresentation") if "PixelRepresentation" in header else 0
    if allocated not in (8, 16):
        raise Refused("bits-inconsistent", f"BitsAllocated {allocated}")
    if not 0 < stored <= allocated or not stored - 1 <= high < allocated:
        raise Refused("bits-inconsistent", f"BitsStored {stored} and HighBit {high} do not fit {allocated} bits")
    if representation not in (0, 1):
        raise Refused("bits-inconsistent", f"PixelRepresentation {representation}")
    return Layout(allocated, stored, high, bool(representation))


def check_unused_bits(words: Grey, layout: Layout, header: Dataset, *, native: bool) -> None:
    """See to it that no bit stands outside the stored value, before those bits are masked away.

    Two uses of them are known: the sign, repeated upwards, and in native data an old overlay that the header describes
    (PS3.5 8.1.2, retired). Anything else means damaged data or a wrong BitsStored.

    Args:
        words: [height, width], of `layout.allocated` bits.
        layout: where the value lies.
        header: the attributes of the image, for its overlays.
        native: whether the data were stored uncompressed.

    Raises:
        Refused: other bits are set.
    """
    known = layout.mask << layout.shift | (_overlay_bits(header, layout) if native else 0)
    outside = int(np.bitwise_or.reduce(words, axis=None)) & ~known
    if outside and not (layout.signed and _sign_extended(words, layout)):
        raise Refused("bits-inconsistent", f"values use bit {outside.bit_length() - 1}; stored are {layout.words}")


def _sign_extended(words: Grey, layout: Layout) -> bool:
    signed = words.view(f"i{words.itemsize}")
    limit = 1 << layout.high
    below = int(np.bitwise_or.reduce(words, axis=None)) & ((1 << layout.shift) - 1)
    return not below and -limit <= int(signed.min()) and int(signed.max()) < limit


def _overlay_bits(header: Dataset, layout: Layout) -> int:
    """The bits in which overlays lie, by (60xx,0100) and (60xx,0102); one with Overlay Data lies elsewhere."""
    bits = 0
    for group in _OVERLAY_GROUPS:
        position = header.get((group, _OVERLAY_BIT_POSITION))
        allocated = header.get((group, _OVERLAY_BITS_ALLOCATED))
        if position is None or allocated is None or (group, _OVERLAY_DATA) in header:
            continue
        if allocated.value == layout.allocated and position.value in range(layout.allocated):
            bits |= 1 << position.value
    return bits


def _number(header: Dataset, name: str) -> int:
    value = header.get(name)
    # it is quoted: in another representation than the standard's it may be of any length, and somebody's number
    if not isinstance(value, int) or not 0 <= value < 1 << 16:
        raise Refused("bits-inconsistent", f"{name} is missing or not one number of 16 bits")
    return value
