"""Whether the coded data of a JPEG lossless frame are exactly as long as the decoded picture needs.

Decoders of JPEG lossless go on in silence where the data end early, and stop in silence where some are left. But the
picture, the predictor and the Huffman table together tell how many bits were read: each difference to its prediction
costs the code of its category and the category's own bits (ISO 10918-1 H.1.2.2). So a cut or shifted frame is found
for the price of a histogram. A flipped bit that leaves all lengths as they were is not. Each restart marker fills up a
byte and starts the prediction anew (H.1.2.1), so the rows between two of them are counted like a frame of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from cxr.ingest.outcome import Refused
from cxr.ingest.read.codestream import Jpeg

Words = npt.NDArray[np.uint16]
_Wide = npt.NDArray[np.int32]
_Costs = npt.NDArray[np.int64]
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_EXACT_IN_FLOAT32 = 1 << 24  # cv2's histograms count in float32

_LEFT = 1
# by selection value: the prediction from the neighbour to the left, above, and above to the left; H.1.2.1
_PREDICTORS: dict[int, Callable[[_Wide, _Wide, _Wide], _Wide]] = {
    2: lambda left, above, corner: above,
    3: lambda left, above, corner: corner,
    4: lambda left, above, corner: left + above - corner,
    5: lambda left, above, corner: left + ((above - corner) >> 1),
    6: lambda left, above, corner: above + ((left - corner) >> 1),
    7: lambda left, above, corner: (left + above) >> 1,
}


def check_length(pixels: npt.NDArray[np.uint8 | np.uint16], data: bytes, jpeg: Jpeg) -> None:
    """Compare the length of the coded data with what the picture needs; one byte more is let pass as padding.

    Args:
        pixels: the decoded frame, uint8 or uint16 [rows, columns].
        data: the codestream, which holds each restart marker that is due; see `Jpeg.check_markers`.
        jpeg: what it states.

    Raises:
        Refused: the lengths differ, or a marker stands inside the coded data.
    """
    costs = _costs(jpeg)
    for words, coded in _intervals(pixels.astype(np.uint16, copy=False), data, jpeg):
        present, needed = _present_bytes(coded), _needed_bytes(words, jpeg, costs)
        if not 0 <= present - needed <= 1:
            raise Refused("decode-failed", f"{present} bytes of coded data, {needed} expected")


def _intervals(words: Words, data: bytes, jpeg: Jpeg) -> Iterator[tuple[Words, bytes]]:
    """The rows up to each restart, and their coded data."""
    if not jpeg.interval:
        yield words, data[jpeg.scan : jpeg.end]
        return
    rows = jpeg.interval // words.shape[1]
    for index, coded in enumerate(_RESTART.split(data[jpeg.scan : jpeg.end])):
        yield words[index * rows : (index + 1) * rows], coded


def _present_bytes(data: bytes) -> int:
    """Bytes of coded data, without the zero that is stuffed behind each FF, and without FF that fill up to the end."""
    coded = np.frombuffer(data.rstrip(b"\xff"), np.uint8)
    escaped = np.flatnonzero(coded == 0xFF) + 1
    if coded[escaped].any():
        raise Refused("decode-failed", "a marker stands inside the coded data")
    return len(coded) - len(escaped)


def _costs(jpeg: Jpeg) -> _Costs:
    """The bits that each difference modulo 2^16 takes: its code's and its own; 0 where it has no code."""
    lengths = np.zeros(256, np.int64)
    for symbol, length in jpeg.code_lengths.get(jpeg.table, {}).items():
        lengths[symbol] = length
    categories = np.frexp(np.abs(np.arange(1 << 16).astype(np.uint16).view(np.int16).astype(np.float64)))[1]
    extra = np.where(categories == 16, 0, categories)  # -32768 needs no bits beside its code
    return np.where(lengths[categories] == 0, 0, lengths[categories] + extra)


def _needed_bytes(words: Words, jpeg: Jpeg, costs: _Costs) -> int:
    differences = _differences(words >> np.uint16(jpeg.shift) if jpeg.shift else words, jpeg)
    if differences.size < len(costs):  # a few rows: cheaper one by one than by a histogram
        bits = costs[differences]
        coded, total = bool(bits.all()), int(bits.sum())
    else:
        counts = _histogram(differences)
        coded, total = not counts[costs == 0].any(), int((counts * costs).sum())
    if not coded:
        raise Refused("decode-failed", "the picture holds a difference that has no code")
    return -(-total // 8)


def _differences(words: Words, jpeg: Jpeg) -> Words:
    """The difference of each pixel to its prediction, modulo 2^16; the first row and column have predictors of their own."""
    result = np.empty_like(words)
    if jpeg.selection == _LEFT:
        np.subtract(words[:, 1:], words[:, :-1], out=result[:, 1:])
    else:
        np.subtract(words[:1, 1:], words[:1, :-1], out=result[:1, 1:])
        wide = words.astype(np.int32)
        prediction = _predictor(jpeg.selection)(wide[1:, :-1], wide[:-1, 1:], wide[:-1, :-1])
        result[1:, 1:] = (wide[1:, 1:] - prediction).astype(np.uint16)
    np.subtract(words[1:, 0], words[:-1, 0], out=result[1:, 0])
    result[0, 0] = (int(words[0, 0]) - (1 << (jpeg.precision - jpeg.shift - 1))) & 0xFFFF
    return result


def _predictor(selection: int) -> Callable[[_Wide, _Wide, _Wide], _Wide]:
    if selection not in _PREDICTORS:
        raise Refused("decode-failed", f"predictor {selection} is none of JPEG lossless")
    return _PREDICTORS[selection]


def _histogram(words: Words) -> npt.NDArray[np.int64]:
    counts = np.zeros(1 << 16, np.int64)
    rows = max(1, _EXACT_IN_FLOAT32 // words.shape[1])
    for start in range(0, len(words), rows):
        part = cv2.calcHist([words[start : start + rows]], [0], None, [1 << 16], [0, 1 << 16])
        counts += part.ravel().astype(np.int64)
    return counts
