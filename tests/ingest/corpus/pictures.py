"""The pictures of the corpus, and the words or the frame that each becomes under a transfer syntax."""

from __future__ import annotations

import struct

import cv2
import imagecodecs
import numpy as np
from pydicom import uid

from tests.ingest.corpus.odd_file import Words

EXPLICIT, IMPLICIT = uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian
DEFLATED, BIG_ENDIAN = uid.DeflatedExplicitVRLittleEndian, uid.ExplicitVRBigEndian
CODECS: dict[str, uid.UID] = {
    "rle": uid.RLELossless,
    "jpeg_baseline": uid.JPEGBaseline8Bit,
    "jpeg_extended": uid.JPEGExtended12Bit,
    "jpeg_lossless": uid.JPEGLosslessSV1,
    "jpeg_ls": uid.JPEGLSLossless,
    "jpeg_2000": uid.JPEG2000Lossless,
    "htj2k": uid.HTJ2KLossless,
}


def thorax(number: int) -> Words:
    """Two dark lungs in a bright body, with two squares that make each number another picture: uint16 [96, 80] of 12 bits."""
    rows, columns = np.linspace(-1, 1, 96)[:, None], np.linspace(-1, 1, 80)[None]
    lungs = sum(np.exp(-(((columns - side) / 0.3) ** 2) - ((rows + 0.1) / 0.6) ** 2) for side in (-0.5, 0.45))
    picture = 2600 + 500 * rows + 300 * columns - 1700 * lungs
    picture[8:16, 8:16] = 1000 + 140 * (number % 16)  # inside the window of every file that has one
    picture[8:16, 24:32] = 1000 + 140 * (number // 16)
    return picture.astype(np.uint16)


def in_8_bits(words: Words) -> Words:
    return (words >> 4).astype(np.uint8)


def stored(words: Words, syntax: str) -> Words:
    """The picture in as many bits as the transfer syntax has: baseline JPEG has 8."""
    return in_8_bits(words) if syntax == uid.JPEGBaseline8Bit else words


def compressed(words: Words, syntax: str) -> bytes:
    """The frame of a transfer syntax."""
    bits = 8 if words.dtype == np.uint8 else 12
    match syntax:
        case uid.RLELossless:
            return run_length(words)
        case uid.JPEGBaseline8Bit:
            return bytes(imagecodecs.jpeg8_encode(words, level=95))
        case uid.JPEGExtended12Bit:
            return bytes(imagecodecs.jpeg8_encode(words, level=95, bitspersample=bits))
        case uid.JPEGLosslessSV1:
            return bytes(imagecodecs.jpeg8_encode(words, lossless=True, predictor=1, bitspersample=bits))
        case uid.JPEGLSLossless:
            return bytes(imagecodecs.jpegls_encode(words))
        case uid.JPEG2000Lossless:
            return bytes(imagecodecs.jpeg2k_encode(words, level=0, codecformat="j2k", reversible=True, bitspersample=bits))
    return bytes(imagecodecs.htj2k_encode(words, reversible=True))


def baseline_with_restarts(words: Words, blocks: int) -> bytes:
    """A baseline frame of uint8 words with a restart marker behind each so many blocks of 8 x 8."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_RST_INTERVAL, blocks]
    return bytes(cv2.imencode(".jpg", words, options)[1])


def lossless_with_restarts(words: Words, rows: int) -> bytes:
    """A JPEG lossless frame of 12 bits with a restart marker behind each so many rows; ISO 10918-1 Annex H, predictor 1."""
    height, width = words.shape
    frame = struct.pack(">BHHB", 12, height, width, 1) + b"\x01\x11\x00"
    table = b"\0" + bytes([0, 0, 0, 0, 17]) + bytes(11) + bytes(range(17))  # codes of 5 bits: the category itself
    segments = ((0xC3, frame), (0xC4, table), (0xDD, struct.pack(">H", rows * width)), (0xDA, b"\x01\x01\x00\x01\x00\x00"))
    header = b"".join(b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body for marker, body in segments)
    intervals = [_coded_lossless(words[start : start + rows]) for start in range(0, height, rows)]
    markers = [b"\xff" + bytes([0xD0 + k % 8]) for k in range(len(intervals) - 1)]
    coded = b"".join(part + marker for part, marker in zip(intervals, [*markers, b""], strict=True))
    return b"\xff\xd8" + header + coded + b"\xff\xd9"


def _coded_lossless(words: Words) -> bytes:
    left = np.empty(words.shape, int)
    left[:, 1:], left[1:, 0], left[0, 0] = words[:, :-1], words[:-1, 0], 1 << 11
    bits = ""
    for difference in (words - left).ravel().tolist():
        category = abs(difference).bit_length()
        own = difference if difference > 0 else difference + (1 << category) - 1
        bits += f"{category:05b}" + (f"{own:0{category}b}" if category else "")
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def run_length(words: Words) -> bytes:
    """An RLE frame, PS3.5 Annex G: a segment for each byte of a pixel, the high one first."""
    planes = words.astype(words.dtype.newbyteorder(">")).view(np.uint8).reshape(*words.shape, words.itemsize)
    packed = [
        b"".join(bytes(imagecodecs.packbits_encode(row.tobytes())) for row in planes[..., k]) for k in range(words.itemsize)
    ]
    return rle_frame([segment + b"\0" * (len(segment) % 2) for segment in packed])


def rle_frame(segments: list[bytes]) -> bytes:
    header = np.zeros(16, "<u4")
    header[: len(segments) + 1] = [len(segments), *(64 + np.cumsum([0, *map(len, segments[:-1])]))]
    return header.tobytes() + b"".join(segments)


def native(words: Words, syntax: str = EXPLICIT) -> bytes:
    data = words.astype(words.dtype.newbyteorder(">" if syntax == BIG_ENDIAN else "<")).tobytes()
    return data + b"\0" * (len(data) % 2)
