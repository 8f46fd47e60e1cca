"""Whether the coded data of a JPEG lossless frame are exactly as long as the decoded picture needs.

Decoders of JPEG lossless go on in silence where the data end early, and stop in silence where some are left. But the
picture, the predictor and the Huffman table together tell how many bits were read: each difference to its prediction
costs the code of its category and the category's own bits (ISO 10918-1 H.1.2.2). So a cut or shifted frame is found
for the price of a table look-up. A flipped bit that leaves all lengths as they were is not. Each restart marker fills up a
byte and starts the prediction anew (H.1.2.1), so the rows between two of them are counted like a frame of their own.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from cxr.ingest.outcome import Refused
from cxr.ingest.read.codestream import Jpeg
from cxr.ingest.read.lut import looked_up
from cxr.ingest.read.structure import Data

Words = npt.NDArray[np.uint16]
_Wide = npt.NDArray[np.int32]
_Costs = npt.NDArray[np.uint8]
_AT_ONCE = 1 << 18  # pixels that are counted at a time: their differences stay in the cache and take no fresh memory
# of each difference modulo 2^16: how many bits it has without its sign
_CATEGORIES = np.frexp(np.abs(np.arange(1 << 16).astype(np.uint16).view(np.int16).astype(np.float64)))[1]

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


def check_length(pixels: npt.NDArray[np.uint8 | np.uint16], data: Data, jpeg: Jpeg) -> None:
    """Compare the length of the coded data with what the picture needs; one byte more is let pass as padding.

    Args:
        pixels: the decoded frame, uint8 or uint16 [rows, columns].
        data: the codestream, which holds each restart marker that is due; see `Jpeg.check_markers`.
        jpeg: what it states.

    Raises:
        Refused: the lengths differ, or a marker stands inside the coded data.
    """
    costs = _costs(jpeg)
    rows = jpeg.interval // pixels.shape[1] if jpeg.interval else len(pixels)
    for index, present in enumerate(_present_bytes(data, jpeg)):
        needed = _needed_bytes(pixels[index * rows : (index + 1) * rows], jpeg, costs)
        if not 0 <= present - needed <= 1:
            raise Refused("decode-failed", f"{present} bytes of coded data, {needed} expected")


def _present_bytes(data: Data, jpeg: Jpeg) -> list[int]:
    """Bytes of coded data up to each restart and the end, without the zero behind each FF and without FF that fill up."""
    behind = np.frombuffer(data, np.uint8)[jpeg.escapes + 1]
    restarts = np.flatnonzero((behind & 0xF8) == 0xD0) if jpeg.interval else np.zeros(0, np.int64)
    known = (behind == 0) | (behind == 0xFF)
    known[restarts] = True
    if not known.all() or ((behind[:-1] == 0xFF) & (behind[1:] == 0)).any():
        raise Refused("decode-failed", "a marker stands inside the coded data")
    starts = np.append(jpeg.scan, jpeg.escapes[restarts] + 2)
    ends = np.append(jpeg.escapes[restarts], jpeg.end)
    left_out = np.diff(restarts, prepend=-1, append=len(behind)) - 1
    return [int(length) for length in ends - starts - left_out]


def _costs(jpeg: Jpeg) -> _Costs:
    """The bits that each difference modulo 2^16 takes: its code's and its own; 0 where it has no code."""
    costs = np.zeros(17, np.uint8)
    for category, length in jpeg.code_lengths.get(jpeg.table, {}).items():
        if category <= 16:
            costs[category] = length + category % 16  # -32768 alone, of category 16, needs no bits beside its code
    return costs[_CATEGORIES]


def _needed_bytes(words: npt.NDArray[np.uint8 | np.uint16], jpeg: Jpeg, costs: _Costs) -> int:
    bits, rows = 0, max(1, _AT_ONCE // words.shape[1])
    for start in range(0, len(words), rows):
        above = min(start, 1)  # the row that the first one is predicted from
        part = words[start - above : start + rows].astype(np.uint16, copy=False)
        differences = _differences(part >> np.uint16(jpeg.shift) if jpeg.shift else part, jpeg)
        taken = looked_up(differences[above:], costs)
        if not taken.all():
            raise Refused("decode-failed", "the picture holds a difference that has no code")
        bits += int(cv2.sumElems(taken)[0])
    return -(-bits // 8)


def _differences(words: Words, jpeg: Jpeg) -> Words:
    """The difference of each pixel to its prediction, modulo 2^16; the first row and column have predictors of their own."""
    result = np.empty(words.shape, np.uint16)
    if jpeg.selection == _LEFT:
        flat = words.ravel()  # twice as fast as row by row; the first column is overwritten below
        np.subtract(flat[1:], flat[:-1], out=result.ravel()[1:])
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
