"""Bytes of DICOM files: elements that may lie, and files in which some are added or damaged."""

from __future__ import annotations

import struct
from collections.abc import Iterator

UNDEFINED = 0xFFFFFFFF
ITEM_END, SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
REFERENCED_IMAGES, PIXEL_DATA = 0x00081140, 0x7FE00010
_LONG = (b"OB", b"OW", b"OF", b"OD", b"SQ", b"UN", b"UT")


def element(tag: int, representation: bytes, value: bytes, length: int | None = None) -> bytes:
    """An element of explicit VR little endian, which may lie about its length."""
    size = len(value) if length is None else length
    form = "<HH2s2xI" if representation in _LONG else "<HH2sH"
    return struct.pack(form, tag >> 16, tag & 0xFFFF, representation, size) + value


def implicit_element(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item(content: bytes, length: int | None = None) -> bytes:
    return implicit_element(0xFFFEE000, content, length)


REFERENCE = element(0x00081155, b"UI", b"1.2.3.4\0")
"""The element that names another image in an item of Referenced Image Sequence."""


def meta_and_body(data: bytes) -> tuple[bytes, bytes]:
    """A file cut behind its file meta information, whose first element tells its length."""
    end = 144 + struct.unpack_from("<I", data, 140)[0]
    return data[:end], data[end:]


def places(data: bytes) -> Iterator[tuple[int, int]]:
    """Tag and offset of the elements of a file of explicit VR little endian up to Pixel Data, file meta information too."""
    offset, tag = 132, 0
    while offset < len(data) and tag != PIXEL_DATA:
        group, number, representation = struct.unpack_from("<HH2s", data, offset)
        tag = group << 16 | number
        yield tag, offset
        long = representation in _LONG
        offset += (
            12 + struct.unpack_from("<I", data, offset + 8)[0] if long else 8 + struct.unpack_from("<H", data, offset + 6)[0]
        )


def offset_of(data: bytes, tag: int) -> int:
    """Where the first element with this tag or a later one begins."""
    return next((offset for found, offset in places(data) if found >= tag), len(data))


def spliced(data: bytes, raw: bytes, before: int | None = None) -> bytes:
    """A file with a further element, in its place or before another one."""
    group, number = struct.unpack_from("<HH", raw)
    at = offset_of(data, group << 16 | number if before is None else before)
    return data[:at] + raw + data[at:]


def before_patient(data: bytes, raw: bytes) -> bytes:
    """A file of implicit VR with something put in front of its PatientID."""
    at = data.index(struct.pack("<HH", 0x0010, 0x0020))
    return data[:at] + raw + data[at:]


def flipped(data: bytes, position: int, bits: int) -> bytes:
    return data[:position] + bytes([data[position] ^ bits]) + data[position + 1 :]


def coded_part(frame: bytes) -> int:
    """Where the coded data of a JPEG or JPEG-LS frame begin: behind the segment of its start of scan."""
    scan = frame.index(b"\xff\xda")
    return scan + 2 + struct.unpack_from(">H", frame, scan + 2)[0]
