"""Look-up tables: those of a header, Modality LUT and VOI LUT, by PS3.3 C.11.1.1 and C.11.2.1.1; and pixels through a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from cxr.ingest.outcome import Refused
from cxr.ingest.read.radiograph import Grey

Values = npt.NDArray[np.float64]
_WIDE_TABLES = int(cv2.__version__.split(".")[0]) >= 5  # whether cv2.LUT takes 16-bit pixels


@dataclass(frozen=True)
class Lut:
    """A look-up table.

    Args:
        entries: float64 [entries].
        first: the value that the first entry is for, as the descriptor has it: its sign may be lost.
        bits: bits of an entry, 8 to 16.
    """

    entries: Values
    first: int
    bits: int

    def look_up(self, values: Values) -> Values:
        """Entries for values; those before the first or behind the last get the first or last entry."""
        index = np.round(values - self._first_for(values))
        return np.asarray(self.entries[np.clip(index, 0, len(self.entries) - 1).astype(np.int64)])

    def _first_for(self, values: Values) -> int:
        """The first value with its sign: the VR often has it wrong, so of both readings the one that covers more values."""
        readings = (self.first, self.first - (1 << 16), self.first + (1 << 16))
        low, high = float(values.min()), float(values.max())

        def covered(first: int) -> float:
            return min(high, first + len(self.entries) - 1) - max(low, first)

        return max((first for first in readings if -(1 << 15) <= first < 1 << 16), key=covered)


def read_lut(item: Dataset, *, little_endian: bool) -> Lut:
    """The table of an item of Modality LUT Sequence or VOI LUT Sequence.

    Args:
        item: with LUTDescriptor and LUTData.
        little_endian: the byte order of the file, for data that are kept as bytes.

    Raises:
        Refused: the descriptor or the data are missing, the table is shorter than described, or entries exceed its bits.
    """
    count, first, bits = _descriptor(item)
    entries = _entries(item.get("LUTData"), count, bits, "<" if little_endian else ">")
    if len(entries) < count:
        raise Refused("lut-invalid", f"LUT of {count} entries of {bits} bits holds {len(entries)}")
    entries = entries[:count]
    if entries.max() >= 1 << bits:
        raise Refused("lut-invalid", f"LUT of {bits} bits holds {entries.max()}")
    return Lut(entries.astype(np.float64), first, bits)


def _descriptor(item: Dataset) -> tuple[int, int, int]:
    """Number of entries, first value, bits. The numbers may have been read as signed; 65,536 entries are written as 0."""
    parts = item.get("LUTDescriptor")
    if parts is None or isinstance(parts, int | bytes | str) or len(parts) != 3 or not all(isinstance(p, int) for p in parts):
        raise Refused("lut-invalid", "a LUT without a descriptor of three numbers")
    count, first, bits = int(parts[0]) & 0xFFFF, int(parts[1]), int(parts[2]) & 0xFFFF
    if not 0 < bits <= 16:
        raise Refused("lut-invalid", f"LUT of {bits} bits")
    return count or 1 << 16, first, bits


def _entries(data: Any, count: int, bits: int, order: str) -> npt.NDArray[np.int64]:
    """The entries, one for each word, or where there are only half as many words, two 8-bit ones, the first in its low byte."""
    if isinstance(data, bytes):
        words = np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2").astype(np.int64)
    elif data is None:
        raise Refused("lut-invalid", "a LUT without data")
    else:
        words = np.atleast_1d(np.asarray(data, np.int64)) & 0xFFFF
    packed = bits <= 8 and (count + 1) // 2 <= len(words) < count
    return np.stack([words & 0xFF, words >> 8], axis=1).ravel() if packed else words


def looked_up(words: Grey, table: Grey) -> Grey:
    """The entry of a table for each pixel.

    Args:
        words: uint8 or uint16 [height, width].
        table: one entry for each word that there can be: [256] or [65536].

    Returns:
        [height, width], of the dtype of `table`.
    """
    if words.itemsize == 1 or _WIDE_TABLES:
        return np.asarray(cv2.LUT(words, table))
    return table[words]
