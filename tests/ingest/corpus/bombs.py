"""Quarantined: small files that promise or unpack to more than there is memory for."""

from __future__ import annotations

import struct
import zlib

from pydicom import uid

from tests.ingest.corpus.dicom_file import dicom
from tests.ingest.corpus.odd_file import Group, Words
from tests.ingest.corpus.pictures import DEFLATED, compressed, rle_frame
from tests.ingest.corpus.raw import PIXEL_DATA, element, meta_and_body

group = Group()
quarantined = group.quarantined

_MEBIBYTE_OF_ZEROS = bytes(1 << 20)


@quarantined("Three megabytes that unpack to three gigabytes.", "too-large")
def deflate_bomb(words: Words) -> bytes:
    meta, _ = meta_and_body(dicom(words, DEFLATED))
    _, header = meta_and_body(dicom(words, without=("PixelData",)))
    return meta + exploding(header + element(PIXEL_DATA, b"OW", b"", 3_000_000_000), -15)


@quarantined("Three megabytes that unpack to three gigabytes.", "too-large")
def gzip_bomb(words: Words) -> bytes:
    header = dicom(words, without=("PixelData",))
    return exploding(header + element(PIXEL_DATA, b"OW", b"", 3_000_000_000), 31)


def exploding(start: bytes, window: int) -> bytes:
    """Deflated: a start, and then 3,000 times a block of zeros that unpacks to a mebibyte."""
    first, block = zlib.compressobj(9, zlib.DEFLATED, window), zlib.compressobj(9, zlib.DEFLATED, -15)
    opening = first.compress(start) + first.flush(zlib.Z_FULL_FLUSH)
    return opening + (block.compress(_MEBIBYTE_OF_ZEROS) + block.flush(zlib.Z_FULL_FLUSH)) * 3000


@quarantined("The header promises 60,000 x 60,000 pixels.", "too-large")
def native_bomb(words: Words) -> bytes:
    return dicom(words, Rows=60_000, Columns=60_000)


@quarantined("The header promises 9,000 x 9,000 pixels, which could be, but the data are not there.", "decode-failed")
def native_bomb_of_possible_size(words: Words) -> bytes:
    return dicom(words, Rows=9_000, Columns=9_000)


@quarantined("The header promises 65,535 x 65,535 pixels.", "too-large")
def rle_bomb(words: Words) -> bytes:
    return dicom(words, uid.RLELossless, Rows=65_535, Columns=65_535)


@quarantined("Segments of 2 MB that unpack to 128 MB each, for a picture of 7,680 pixels.", "decode-failed")
def rle_bomb_of_runs(words: Words) -> bytes:
    return dicom(words, uid.RLELossless, rle_frame([b"\x81\x00" * 1_000_000] * 2))


@quarantined("The codestream says 40,000 x 40,000; every decoder would work on it for most of a minute.", "decode-failed")
def jpeg_2000_bomb(words: Words) -> bytes:
    return dicom(words, uid.JPEG2000Lossless, jpeg_2000_of_size(words, 40_000))


@quarantined("Codestream and header agree on 40,000 x 40,000.", "too-large")
def jpeg_2000_bomb_with_header(words: Words) -> bytes:
    return dicom(words, uid.JPEG2000Lossless, jpeg_2000_of_size(words, 40_000), Rows=40_000, Columns=40_000)


def jpeg_2000_of_size(words: Words, side: int) -> bytes:
    """A codestream whose SIZ segment lies about the size of image and tile."""
    frame = compressed(words, uid.JPEG2000Lossless)
    return frame[:8] + struct.pack(">6I", side, side, 0, 0, side, side) + frame[32:]


@quarantined("The frame header says 60,000 x 60,000.", "decode-failed")
def jpeg_ls_bomb(words: Words) -> bytes:
    return dicom(words, uid.JPEGLSLossless, jpeg_of_size(compressed(words, uid.JPEGLSLossless), b"\xff\xf7", 60_000))


@quarantined("Frame header and header agree on 60,000 x 60,000.", "too-large")
def jpeg_lossless_bomb(words: Words) -> bytes:
    frame = jpeg_of_size(compressed(words, uid.JPEGLosslessSV1), b"\xff\xc3", 60_000)
    return dicom(words, uid.JPEGLosslessSV1, frame, Rows=60_000, Columns=60_000)


def jpeg_of_size(frame: bytes, marker: bytes, side: int) -> bytes:
    at = frame.index(marker) + 5
    return frame[:at] + struct.pack(">HH", side, side) + frame[at + 4 :]
