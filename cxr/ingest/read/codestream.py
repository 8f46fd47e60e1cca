"""What a codestream of the JPEG family states about itself, read before any decoder sees it.

A small file that states a huge size would take all time and memory, and decoders fill what is cut off with grey; so
size, components, precision and the end marker are looked at first. Sources: ISO 10918-1 Annex B (JPEG), ISO 14495-1
Annex C (JPEG-LS), ISO 15444-1 Annex A (JPEG 2000).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cxr.ingest.outcome import Refused
from cxr.ingest.read.structure import Data

_START, _END = b"\xff\xd8", b"\xff\xd9"
_LAST_OR_NEXT = re.compile(rb"\xff\xd9\0*(?:\Z|(\xff[\xd8\x4f]\xff))")  # an end marker, then nothing or a start marker
_JP2_SIGNATURE = b"\0\0\0\x0cjP  "
_JPEG_2000_SIZE = b"\xff\x4f\xff\x51"
_TABLES, _SCAN, _RESTART = 0xC4, 0xDA, 0xDD
_LOSSLESS = 0xC3
_END_OF_IMAGE = 0xD9
_RESTARTS = bytes(range(0xD0, 0xD8))  # in this order, again and again
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})


@dataclass(frozen=True)
class Stated:
    """What any codestream states.

    Args:
        shape: rows and columns.
        components: 1 for grey.
        precision: bits of a value.
    """

    shape: tuple[int, int]
    components: int
    precision: int

    def check(self, shape: tuple[int, int], allocated: int) -> None:
        """Compare with what the header says.

        Raises:
            Refused: another size, more than one component, or values wider than a word.
        """
        if self.shape != shape:
            raise Refused("decode-failed", f"the codestream states {self.shape}, the header says {shape}")
        if self.components != 1:
            raise Refused("decode-failed", f"the codestream has {self.components} components")
        if not 1 < self.precision <= allocated:
            raise Refused("decode-failed", f"the codestream has {self.precision} bits, the header says {allocated}")


@dataclass(frozen=True)
class Jpeg(Stated):
    """What a JPEG or JPEG-LS codestream states up to its first scan.

    Args:
        process: the marker of its frame header, such as 0xC0 for baseline.
        selection: of the scan: the predictor of JPEG lossless.
        shift: of the scan: the point transform of JPEG lossless.
        interval: how many units of coded data lie between two restart markers; 0 where there are no such markers.
        code_lengths: Huffman code length in bits by symbol, of each table.
        table: the number of the scan's table.
        scan: position of the first coded byte.
        end: position of the end marker.
        escapes: position of each FF between those two: of one that a zero is stuffed behind, of a marker, or that fills up.
    """

    process: int
    selection: int
    shift: int
    interval: int
    table: int
    scan: int
    end: int
    escapes: npt.NDArray[np.int64] = field(compare=False, repr=False)
    code_lengths: dict[int, dict[int, int]] = field(default_factory=dict)

    def check_markers(self, data: Data) -> None:
        """See to it that the coded data hold each restart marker that is due, in order, and no other marker.

        Decoders go on in silence where one is missing, with grey or with what comes next. A unit of coded data is a
        sample of JPEG lossless, otherwise a block of 8 x 8, for one component is not interleaved; ISO 10918-1 A.2.2.

        Raises:
            Refused: they do not, or a restart interval of JPEG lossless is no number of whole rows, as H.1.1 has it.
        """
        rows, columns = self.shape
        lossless = self.process == _LOSSLESS
        units = rows * columns if lossless else -(-rows // 8) * -(-columns // 8)
        if lossless and self.interval and self.interval % columns:
            raise Refused("decode-failed", f"restarts after {self.interval} pixels of rows of {columns}")
        due = -(-units // self.interval) - 1 if self.interval else 0
        behind = np.frombuffer(data, np.uint8)[self.escapes + 1]
        found = behind[(behind != 0) & (behind != 0xFF)].tobytes()
        if len(found) != due:
            raise Refused("decode-failed", f"{len(found)} markers in the coded data, {due} expected")
        if found != (_RESTARTS * (due // 8 + 1))[:due]:
            raise Refused("decode-failed", "the markers in the coded data are not in order")


def read_jpeg(data: Data) -> Jpeg:
    """What a JPEG or JPEG-LS codestream states.

    Raises:
        Refused: it is no such codestream, its header is malformed, it does not reach its end marker, or more follows.
    """
    if data[:2] != _START:
        raise Refused("decode-failed", "the codestream does not begin with its start marker")
    try:
        return _read_jpeg(data)
    except (IndexError, struct.error) as error:
        raise Refused("decode-failed", "the codestream's header is malformed") from error


def _read_jpeg(data: Data) -> Jpeg:
    frame: Data = b""
    process, interval, lengths, position = 0, 0, {}, 2
    while True:
        marker, content, position = _segment(data, position)
        if marker in _FRAMES:
            if frame:
                raise Refused("decode-failed", "the codestream has two frame headers")
            frame, process = content, marker
        elif marker == _TABLES:
            lengths.update(_code_lengths(content))
        elif marker == _RESTART:
            interval = int.from_bytes(content, "big")  # of two bytes, or up to four in JPEG-LS
        elif marker == _SCAN:
            break
    precision, rows, columns, components = struct.unpack_from(">BHHB", frame)
    spectral, approximation = content[1 + 2 * content[0]], content[3 + 2 * content[0]]
    return Jpeg(
        (rows, columns), components, precision, process, spectral, approximation & 15,
        interval, content[2] >> 4, position, *_coded(data, position), lengths,
    )  # fmt: skip


def _segment(data: Data, position: int) -> tuple[int, Data, int]:
    """Marker, content, and position behind it; any number of FF may stand before a marker."""
    if data[position] != 0xFF:
        raise Refused("decode-failed", "the codestream's header is malformed")
    while data[position] == 0xFF:
        position += 1
    length = struct.unpack_from(">H", data, position + 1)[0]
    if length < 2 or position + 1 + length > len(data):
        raise Refused("decode-failed", "the codestream ends inside its header")
    return data[position], data[position + 3 : position + 1 + length], position + 1 + length


def _code_lengths(content: Data) -> dict[int, dict[int, int]]:
    """Code length by symbol for each table of a DHT segment: 16 counts, one for each length, then the symbols."""
    tables: dict[int, dict[int, int]] = {}
    while content:
        counts = content[1:17]
        symbols = iter(content[17 : 17 + sum(counts)])
        tables[content[0]] = {next(symbols, 0): length for length, count in enumerate(counts, 1) for _ in range(count)}
        content = content[17 + sum(counts) :]
    return tables


def _coded(data: Data, scan: int) -> tuple[int, npt.NDArray[np.int64]]:
    """Position of the end marker, and of each FF before it.

    Neither kind of coded data can hold an end marker, so it must be the last thing there is.
    """
    codes = np.frombuffer(data, np.uint8)
    escapes = scan + np.flatnonzero(codes[scan:-1] == 0xFF)
    ends = np.flatnonzero(codes[escapes + 1] == _END_OF_IMAGE)
    if not len(ends):
        raise Refused("decode-failed", "the codestream has no end marker")
    end = int(escapes[ends[0]])
    behind = bytes(data[end + len(_END) :]).strip(b"\0")
    if behind.startswith(_START):
        raise Refused("multi-frame", "a second codestream follows the first")
    if behind:
        raise Refused("decode-failed", "bytes follow the codestream's end marker")
    return end, escapes[: ends[0]]


def read_jpeg_2000(data: Data) -> tuple[Data, Stated]:
    """The bare codestream of JPEG 2000, without a file format around it, and what its SIZ segment states.

    Raises:
        Refused: it is no such codestream, is malformed, has no end marker, or another follows.
    """
    start = bytes(data).find(_JPEG_2000_SIZE) if data[: len(_JP2_SIGNATURE)] == _JP2_SIGNATURE else 0
    data = data[start:] if start > 0 else data
    if data[: len(_JPEG_2000_SIZE)] != _JPEG_2000_SIZE or len(data) < 45:
        raise Refused("decode-failed", "the codestream does not begin with its start marker and size")
    match = _LAST_OR_NEXT.search(data)
    if match is None or (match[1] and not bytes(data).rstrip(b"\0").endswith(_END)):
        raise Refused("decode-failed", "the codestream has no end marker")
    if match[1]:
        raise Refused("multi-frame", "a second codestream follows the first")
    right, bottom, left, top = struct.unpack_from(">4I", data, 8)
    components, depth, *sampling = struct.unpack_from(">H3B", data, 40)
    if sampling != [1, 1]:
        raise Refused("decode-failed", "the codestream is subsampled")
    return data, Stated((bottom - top, right - left), components, (depth & 127) + 1)
