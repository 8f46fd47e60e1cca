"""One pinned, strict decoder per transfer syntax, so that a damaged frame is an error and never a picture.

pydicom's default chain falls back from strict to lax decoders, which return wrong pixels for truncated frames; hence
none of it is used. What a codestream states is compared with the header before it is decoded, and no decoded value may
use a bit that is not stored. What no decoder can find: a flipped byte in JPEG 2000 or JPEG, or one in JPEG lossless
that changes no length; only a checksum of the source can.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from cxr.ingest.outcome import Refused
from cxr.ingest.read.bits import check_unused_bits, layout_of
from cxr.ingest.read.codestream import Jpeg, read_jpeg, read_jpeg_2000
from cxr.ingest.read.fragments import single_frame
from cxr.ingest.read.huffman import check_length
from cxr.ingest.read.radiograph import Grey
from cxr.ingest.read.rle import decode_rle
from cxr.ingest.read.structure import Data

Frame = Grey
Shape = tuple[int, int]
Codec = Callable[..., Frame]  # of imagecodecs: any buffer will do
_MOST_PIXELS = 100_000_000  # four times the largest detector in use
_CODEC_ERRORS = (RuntimeError, ValueError, TypeError, OverflowError)


def decode(header: Dataset) -> Frame:
    """The one frame of an image, as unsigned words of BitsAllocated bits.

    Args:
        header: a dataset with file meta information and pixel data; of the deflated syntax, inflated.

    Returns:
        uint8 or uint16 [Rows, Columns].

    Raises:
        Refused: no pixel data, an unsupported transfer syntax, an image larger than any radiograph, damaged data, data
            of another size, or values with bits that are not stored.
    """
    if not isinstance(header.get("PixelData"), bytes | memoryview) or not header.PixelData:
        raise Refused("no-pixels")
    layout = layout_of(header)
    syntax = header.file_meta.TransferSyntaxUID
    decoder = _DECODERS.get(syntax)
    if decoder is None:
        raise Refused("syntax-unsupported", syntax.name if syntax.name != syntax else "a private one")
    shape = _shape(header)
    frame = decoder(header, shape, layout.allocated)
    if frame.shape != shape:
        raise Refused("decode-failed", f"decoded {frame.shape}, the header says {shape}")
    check_unused_bits(frame, layout, header, native=decoder is _native)
    return frame


def check_matrix(rows: int, columns: int) -> None:
    """See to it that an image of some size is worth decoding.

    Raises:
        Refused: it has no pixels, or more than any radiograph.
    """
    if rows <= 0 or columns <= 0:
        raise Refused("decode-failed", f"an image of {rows} x {columns} pixels")
    if rows * columns > _MOST_PIXELS:
        raise Refused("too-large", f"{rows} x {columns} pixels")


def _shape(header: Dataset) -> Shape:
    rows, columns = header.get("Rows"), header.get("Columns")
    if not all(isinstance(number, int) and 0 <= number < 1 << 16 for number in (rows, columns)):
        raise Refused("decode-failed", "Rows or Columns is missing or not one number of 16 bits")
    check_matrix(rows, columns)
    return rows, columns


def _native(header: Dataset, shape: Shape, allocated: int) -> Frame:
    data = header.PixelData
    word = np.dtype(f"u{allocated // 8}")
    if header.file_meta.TransferSyntaxUID == uid.ExplicitVRBigEndian:
        word = word.newbyteorder(">")
    size = shape[0] * shape[1]
    padded = size * word.itemsize + size * word.itemsize % 2  # an element's length is even
    if len(data) != padded:
        raise Refused("decode-failed", f"{len(data)} bytes of pixel data, {padded} expected")
    frame = np.frombuffer(data, word, size).reshape(shape)
    return frame.astype(word.newbyteorder("="), copy=False)


def _rle(header: Dataset, shape: Shape, allocated: int) -> Frame:
    return decode_rle(_frame_bytes(header, one_fragment=True), shape, allocated)


def _frame_bytes(header: Dataset, *, one_fragment: bool = False) -> Data:
    offsets = header.get("ExtendedOffsetTable")
    if isinstance(offsets, bytes) and len(offsets) > 8:
        raise Refused("multi-frame", f"{len(offsets) // 8} frames in the offset table")
    return single_frame(header.PixelData, one_fragment=one_fragment)


def _jpeg(codec: Codec, *processes: int) -> Callable[[Dataset, Shape, int], Frame]:
    """A decoder for JPEG and JPEG-LS codestreams whose frame header is of one of some processes."""

    def decoder(header: Dataset, shape: Shape, allocated: int) -> Frame:
        data = _frame_bytes(header)
        stated = read_jpeg(data)
        stated.check(shape, allocated)
        if stated.process not in processes:
            raise Refused("decode-failed", f"a codestream of process {stated.process:X}, not of the transfer syntax")
        if stated.process != _LS:  # whose decoder sees to it by itself
            stated.check_markers(data)
        frame = _decoded(codec, data, allocated)
        if stated.process == _LOSSLESS:
            _check_lossless(frame, data, stated, shape)
        elif stated.process in (_BASELINE, _EXTENDED):
            _check_whole(frame, codec, data, stated)
        return frame

    return decoder


def _check_lossless(frame: Frame, data: Data, stated: Jpeg, shape: Shape) -> None:
    if frame.shape == shape:
        check_length(frame, data, stated)


def _check_whole(frame: Frame, codec: Codec, data: Data, stated: Jpeg) -> None:
    """Refuse a frame of which a part up to a restart or the end was cut off.

    Its decoder fills the missing blocks, with grey or with whatever is put there.
    """
    coded = _RESTART.sub(lambda marker: _FILLING + marker[0], data[stated.scan : stated.end])
    longer = codec(b"".join((data[: stated.scan], coded, _FILLING, data[stated.end :])))
    if not np.array_equal(longer, frame):
        raise Refused("decode-failed", "the codestream ends before the picture does")


def _jpeg_2000(header: Dataset, shape: Shape, allocated: int) -> Frame:
    data, stated = read_jpeg_2000(_frame_bytes(header))
    stated.check(shape, allocated)
    # High-Throughput too: OpenJPH is twice as fast as OpenJPEG, but gives a picture for truncated data
    return _decoded(imagecodecs.jpeg2k_decode, data, allocated)


def _decoded(codec: Codec, data: Data, allocated: int) -> Frame:
    """What a codec gives, as words: those of JPEG 2000 may be signed, and up to 8 bits come as bytes."""
    try:
        frame = np.asarray(codec(data))
    except _CODEC_ERRORS as error:
        raise Refused("decode-failed", type(error).__name__) from error
    if frame.dtype.itemsize * 8 > allocated:
        raise Refused("decode-failed", f"decoded {frame.dtype}, the header says {allocated} bits")
    return frame.astype(f"{frame.dtype.kind}{allocated // 8}", copy=False).view(f"u{allocated // 8}")


_FILLING = 64 * b"\x55"
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_BASELINE, _EXTENDED, _LOSSLESS, _LS = 0xC0, 0xC1, 0xC3, 0xF7
_JPEG = _jpeg(imagecodecs.jpeg8_decode, _BASELINE, _EXTENDED)
_JPEG_LOSSLESS = _jpeg(imagecodecs.jpeg8_decode, _LOSSLESS)
_JPEG_LS = _jpeg(imagecodecs.jpegls_decode, _LS)

_DECODERS: dict[str, Callable[[Dataset, Shape, int], Frame]] = {
    uid.ImplicitVRLittleEndian: _native,
    uid.ExplicitVRLittleEndian: _native,
    uid.DeflatedExplicitVRLittleEndian: _native,
    uid.ExplicitVRBigEndian: _native,
    uid.RLELossless: _rle,
    uid.JPEGBaseline8Bit: _JPEG,
    uid.JPEGExtended12Bit: _JPEG,
    uid.JPEGLossless: _JPEG_LOSSLESS,
    uid.JPEGLosslessSV1: _JPEG_LOSSLESS,
    uid.JPEGLSLossless: _JPEG_LS,
    uid.JPEGLSNearLossless: _JPEG_LS,
    uid.JPEG2000Lossless: _jpeg_2000,
    uid.JPEG2000: _jpeg_2000,
    uid.HTJ2KLossless: _jpeg_2000,
    uid.HTJ2KLosslessRPCL: _jpeg_2000,
    uid.HTJ2K: _jpeg_2000,
}
