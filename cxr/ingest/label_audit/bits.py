"""Which images have something, a bit each: counts of any combination are then counts of bits, however many labels there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxr.errors import DataError
from cxr.labels.values import BLANK, Codes

Bits = npt.NDArray[np.uint64]
"""uint64 [..., words]: image r is bit r of a row of bits, those behind the last image are 0."""

_WORD = 64
_BLOCK_CELLS = 1 << 19
"""Cells that are turned at a time, so that they stay in the processor's cache."""
_BLOCK_WORDS = 1024


@dataclass(frozen=True)
class Table:
    """The cells of a label table: of each label and each code the images that have it.

    Args:
        images: how many.
        bits: uint64 [codes, labels, words]; the codes are those of `cxr.labels.values.VALUES`, and `BLANK`.
    """

    images: int
    bits: Bits

    def has(self, code: int) -> Bits:
        """uint64 [labels, words]: the images with a code."""
        bits: Bits = self.bits[code]
        return bits


def pack_codes(codes: Codes) -> Table:
    """Turn a table of cells into bits.

    Args:
        codes: int8 [images, labels], 0 to 3 as in `cxr.labels.values.VALUES`, or `BLANK`.

    Raises:
        DataError: a cell holds another code; names its row, from 0.
    """
    images, labels = codes.shape
    octets = np.zeros((BLANK + 1, labels, -(-images // _WORD) * 8), np.uint8)
    step = _WORD * max(1, _BLOCK_CELLS // _WORD // max(1, labels))
    for start in range(0, images, step):
        block = np.ascontiguousarray(codes[start : start + step].T)
        for code in range(BLANK + 1):
            packed = np.packbits(block == code, axis=1, bitorder="little")
            octets[code, :, start // 8 : start // 8 + packed.shape[1]] = packed
    table = Table(images, octets.view(np.uint64))
    if int(np.bitwise_count(table.bits).sum(dtype=np.int64)) != images * labels:
        row = int(np.argwhere((codes < 0) | (codes > BLANK))[0][0])
        raise DataError(f"label codes: row {row} holds a code that is none of 0 to {BLANK}")
    return table


def pack_flags(flags: npt.NDArray[np.bool_]) -> Bits:
    """Turn flags into bits.

    Args:
        flags: bool [sets, images].

    Returns:
        uint64 [sets, words]
    """
    sets, images = flags.shape
    octets = np.zeros((sets, -(-images // _WORD) * 8), np.uint8)
    packed = np.packbits(flags, axis=1, bitorder="little")
    octets[:, : packed.shape[1]] = packed
    return octets.view(np.uint64)


def count_bits(bits: Bits) -> npt.NDArray[np.int64]:
    """int64 [...]: the images in each row of bits."""
    return np.asarray(np.bitwise_count(bits).sum(axis=-1, dtype=np.int64), np.int64)


def count_common(first: Bits, second: Bits) -> npt.NDArray[np.int64]:
    """Images in common.

    Args:
        first: uint64 [A, words]
        second: uint64 [B, words]

    Returns:
        int64 [A, B]
    """
    counted = np.zeros((len(first), len(second)), np.int64)
    for start in range(0, first.shape[1], _BLOCK_WORDS):
        words = slice(start, start + _BLOCK_WORDS)
        block = np.ascontiguousarray(second[:, words])
        for row, bits in enumerate(first[:, words]):
            counted[row] += count_bits(bits & block)
    return counted


def images_of(bits: Bits) -> npt.NDArray[np.int64]:
    """int64, rising: the images in one row of bits, uint64 [words]."""
    return np.flatnonzero(np.unpackbits(np.ascontiguousarray(bits).view(np.uint8), bitorder="little"))
