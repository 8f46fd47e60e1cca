"""One pinned, strict decoder per transfer syntax, so that a damaged frame is an error and never a picture.

pydicom's default chain falls back from strict to lax decoders, which return wrong pixels for truncated frames; hence
none of it is used. What a decoder returns must have exactly the size that the header says.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from cxr.ingest.outcome import Refused

Frame = npt.NDArray[np.uint8 | np.uint16]
_END_OF_IMAGE = b"\xff\xd9"
_NEXT_IMAGE = re.compile(rb"\xff\xd9\0*\xff[\xd8\x4f]\xff")  # an end marker, then a start marker
_JPEG_2000_SIZE = b"\xff\x4f\xff\x51"
_START_OF_FRAME = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7}  # F7: JPEG-LS


def decode(header: Dataset) -> Frame:
    """The one frame of an image, as unsigned words of BitsAllocated bits.

    Args:
        header: a dataset with file meta information and pixel data.

    Returns:
        uint8 or uint16 [Rows, Columns].

    Raises:
        Refused: no pixel data, an unsupported transfer syntax, damaged data, or data of another size.
    """
    if "PixelData" not in header or not header.PixelData:
        raise Refused("no-pixels")
    if header.BitsAllocated not in (8, 16):
        raise Refused("bits-inconsistent", f"BitsAllocated {header.BitsAllocated}")
    syntax = header.file_meta.TransferSyntaxUID
    decoder = _DECODERS.get(syntax)
    if decoder is None:
        raise Refused("syntax-unsupported", syntax.name if syntax.name != syntax else "a private one")
    frame = decoder(header)
    wanted = (int(header.Rows), int(header.Columns))
    if frame.shape != wanted:
        raise Refused("decode-failed", f"decoded {frame.shape}, the header says {wanted}")
    if frame.dtype.itemsize * 8 > header.BitsAllocated:
        raise Refused("decode-failed", f"decoded {frame.dtype}, the header says {header.BitsAllocated} bits")
    return frame


def _native(header: Dataset) -> Frame:
    data = header.PixelData
    word = np.dtype(f"u{header.BitsAllocated // 8}")
    if header.file_meta.TransferSyntaxUID == uid.ExplicitVRBigEndian:
        word = word.newbyteorder(">")
    size = int(header.Rows) * int(header.Columns)
    padded = size * word.itemsize + size * word.itemsize % 2  # an element's length is even
    if len(data) != padded or size == 0:
        raise Refused("decode-failed", f"{len(data)} bytes of pixel data, {padded} expected")
    frame = np.frombuffer(data, word, size).reshape(int(header.Rows), int(header.Columns))
    return frame.astype(word.newbyteorder("="), copy=False)


def _encapsulated(header: Dataset) -> bytes:
    frames = list(generate_frames(header.PixelData, number_of_frames=1))
    if len(frames) != 1:
        raise Refused("multi-frame", f"{len(frames)} frames")
    return bytes(frames[0])


def _rle(header: Dataset) -> Frame:
    """RLE Lossless, PS3.5 Annex G: a header of 16 words, then one packed segment per byte of a pixel, highest first."""
    data = _encapsulated(header)
    count, *offsets = np.frombuffer(data[:64], "<u4").tolist()
    size = int(header.Rows) * int(header.Columns)
    if count != header.BitsAllocated // 8:
        raise Refused("decode-failed", f"{count} RLE segments for {header.BitsAllocated} bits")
    ends = [*offsets[1:count], len(data)]
    planes = [imagecodecs.packbits_decode(data[start:end]) for start, end in zip(offsets, ends, strict=False)]
    if any(len(plane) < size for plane in planes):
        raise Refused("decode-failed", "an RLE segment is too short")
    words = np.zeros(size, "u1" if count == 1 else "u2")
    for plane in planes:
        words = (words << 8 if count > 1 else words) | np.frombuffer(plane, "u1", size)
    return words.reshape(int(header.Rows), int(header.Columns))


def _codestream(read: Callable[[bytes], Frame]) -> Callable[[Dataset], Frame]:
    """A decoder for a codestream of the JPEG family, which must reach its end marker and be of the size the header says."""

    def decoder(header: Dataset) -> Frame:
        data = _encapsulated(header)
        if not data.rstrip(b"\0").endswith(_END_OF_IMAGE):
            raise Refused("decode-failed", "the codestream has no end marker")
        if _NEXT_IMAGE.search(data):
            raise Refused("multi-frame", "a second codestream follows the first")
        # before decoding: a small file that states a huge size would take all time and memory
        stated, wanted = _stated_size(data), (int(header.Rows), int(header.Columns))
        if stated != wanted:
            raise Refused("decode-failed", f"the codestream states {stated}, the header says {wanted}")
        frame = read(data)
        return frame.view(f"u{frame.dtype.itemsize}") if frame.dtype.kind == "i" else frame  # JPEG 2000 may be signed

    return decoder


def _stated_size(data: bytes) -> tuple[int, int]:
    """Rows and columns that a codestream of the JPEG family states: in SIZ for JPEG 2000, else in its frame header."""
    start = data.find(_JPEG_2000_SIZE)
    if start >= 0 and not data.startswith(b"\xff\xd8"):
        right, bottom, left, top = struct.unpack_from(">4I", data, start + 8)
        return bottom - top, right - left
    position = 2
    while data[position] == 0xFF and (marker := data[position + 1]) not in _START_OF_FRAME:
        position += 1 if marker == 0xFF else 2 + struct.unpack_from(">H", data, position + 2)[0]
    rows, columns = struct.unpack_from(">HH", data, position + 5)
    return rows, columns


_JPEG = _codestream(imagecodecs.jpeg8_decode)
_JPEG_LOSSLESS = _codestream(imagecodecs.jpegsof3_decode)
_JPEG_LS = _codestream(imagecodecs.jpegls_decode)
_JPEG_2000 = _codestream(imagecodecs.jpeg2k_decode)

_DECODERS: dict[str, Callable[[Dataset], Frame]] = {
    uid.ImplicitVRLittleEndian: _native,
    uid.ExplicitVRLittleEndian: _native,
    uid.DeflatedExplicitVRLittleEndian: _native,
    uid.ExplicitVRBigEndian: _native,
    uid.RLELossless: _rle,
    uid.JPEGBaseline8Bit: _JPEG,
    uid.JPEGLossless: _JPEG_LOSSLESS,
    uid.JPEGLosslessSV1: _JPEG_LOSSLESS,
    uid.JPEGLSLossless: _JPEG_LS,
    uid.JPEGLSNearLossless: _JPEG_LS,
    uid.JPEG2000Lossless: _JPEG_2000,
    uid.JPEG2000: _JPEG_2000,
    uid.HTJ2KLossless: _JPEG_2000,
    uid.HTJ2K: _JPEG_2000,
}
