"""Quarantined: what is no DICOM file, or not a whole one."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Callable
from functools import partial

import imagecodecs
import numpy as np
from pydicom import uid

from tests.ingest.corpus.dicom_file import clean, clean_in, dicom
from tests.ingest.corpus.odd_file import Group, Words
from tests.ingest.corpus.pictures import (
    BIG_ENDIAN,
    CODECS,
    DEFLATED,
    baseline_with_restarts,
    compressed,
    in_8_bits,
    lossless_with_restarts,
    native,
    stored,
)
from tests.ingest.corpus.raw import (
    PIXEL_DATA,
    SEQUENCE_END,
    coded_part,
    element,
    flipped,
    item,
    meta_and_body,
    offset_of,
    spliced,
)

group = Group()
quarantined, accepted = group.quarantined, group.accepted


@quarantined("There is nothing in it.", "empty")
def empty(_: Words) -> bytes:
    return b""


@quarantined("A text has no DICOM header; read by force, each text would be a data set.", "unreadable")
def text(_: Words) -> bytes:
    return b"To whom it may concern: the films were sent by post.\n" * 60


@quarantined("A picture of another format in a folder of DICOM files.", "unreadable")
def png(words: Words) -> bytes:
    return bytes(imagecodecs.png_encode(words))


@quarantined("A JPEG that was taken out of its DICOM file.", "unreadable")
def bare_jpeg(words: Words) -> bytes:
    return compressed(in_8_bits(words), uid.JPEGBaseline8Bit)


@quarantined("A file system that lost its content gives zeros.", "unreadable")
def zeros(_: Words) -> bytes:
    return bytes(20_000)


@quarantined("Nothing follows the preamble.", "truncated")
def preamble_alone(_: Words) -> bytes:
    return bytes(128) + b"DICM"


@quarantined("The file ends behind the file meta information.", "truncated")
def file_meta_alone(words: Words) -> bytes:
    return meta_and_body(clean(words))[0]


@quarantined("The file ends inside an element of the file meta information.", "truncated")
def file_meta_cut(words: Words) -> bytes:
    return clean(words)[:190]


@quarantined("The file ends inside an element of the header.", "truncated")
def header_cut(words: Words) -> bytes:
    data = clean(words)
    return data[: offset_of(data, 0x0020000D) + 9]


@quarantined("The file ends between two elements of the header, so it has no pixel data.", "no-pixels")
def header_cut_between_elements(words: Words) -> bytes:
    data = clean(words)
    return data[: offset_of(data, 0x00280010)]


@quarantined("The file ends inside its pixel data.", "truncated")
def native_frame_cut(words: Words) -> bytes:
    data = clean(words)
    return data[: -int(0.4 * words.nbytes)]


@quarantined("The deflated part has no end.", "truncated")
def deflated_frame_cut(words: Words) -> bytes:
    data = dicom(words, DEFLATED)
    return data[: int(0.6 * len(data))]


@quarantined("A byte of the deflated part is another one, so that it cannot be unpacked.", "unreadable")
def deflated_damaged(words: Words) -> bytes:
    meta, body = meta_and_body(dicom(words, DEFLATED))
    return meta + b"\x07" + body[1:]  # block type 3 does not exist


def frame_cut(syntax: str, words: Words) -> bytes:
    """The frame ends early, while all of the container is whole: what a decoder is given to judge."""
    words = stored(words, syntax)
    frame = compressed(words, syntax)
    return dicom(words, syntax, frame[: int(0.6 * len(frame)) // 2 * 2])


def file_cut(syntax: str, words: Words) -> bytes:
    data = clean_in(syntax, words)
    return data[: -(len(data) - offset_of(data, PIXEL_DATA)) // 3]


def frame_of_another_size(syntax: str, words: Words) -> bytes:
    words = stored(words, syntax)
    return dicom(words, syntax, compressed(np.ascontiguousarray(words[:-16]), syntax))


def native_instead(syntax: str, words: Words) -> bytes:
    words = stored(words, syntax)
    return dicom(words, syntax, native(words))


for _name, _syntax in CODECS.items():
    quarantined("The frame ends at 60 per cent.", "decode-failed", name=f"{_name}_frame_cut")(partial(frame_cut, _syntax))
    quarantined("The file ends inside the frame.", "truncated", name=f"{_name}_file_cut")(partial(file_cut, _syntax))
    quarantined("The frame has fewer rows than the header says.", "decode-failed", name=f"{_name}_of_another_size")(
        partial(frame_of_another_size, _syntax)
    )
    quarantined(
        "A device wrote uncompressed words under the name of a compression.", "decode-failed", name=f"native_as_{_name}"
    )(partial(native_instead, _syntax))


def frame_closed(syntax: str, words: Words) -> bytes:
    words = stored(words, syntax)
    frame = compressed(words, syntax)
    return dicom(words, syntax, frame[: int(0.6 * len(frame)) // 2 * 2] + b"\xff\xd9")


for _name in ("jpeg_baseline", "jpeg_extended", "jpeg_lossless", "jpeg_ls", "jpeg_2000", "htj2k"):
    quarantined(
        "The frame ends early, yet somebody put an end marker there.", "decode-failed", name=f"{_name}_frame_cut_and_closed"
    )(partial(frame_closed, CODECS[_name]))


def restart_markers(frame: bytes) -> list[int]:
    return [marker.start() for marker in re.finditer(rb"\xff[\xd0-\xd7]", frame)]


def cut_at_a_restart(frame: bytes) -> bytes:
    markers = restart_markers(frame)
    return frame[: markers[len(markers) * 6 // 10]] + b"\xff\xd9"


def without_eight_intervals(frame: bytes) -> bytes:
    """As many as there are names of markers, so that those that are left follow each other as they should."""
    markers = restart_markers(frame)
    return frame[: markers[2]] + frame[markers[10] :]


def baseline_restarting(damaged: Callable[[bytes], bytes], words: Words) -> bytes:
    words = in_8_bits(words)
    return dicom(words, uid.JPEGBaseline8Bit, damaged(baseline_with_restarts(words, 5)))


def lossless_restarting(damaged: Callable[[bytes], bytes], words: Words) -> bytes:
    return dicom(words, uid.JPEGLosslessSV1, damaged(lossless_with_restarts(words, 4)))


for _name, _file in (("jpeg_baseline", baseline_restarting), ("jpeg_lossless", lossless_restarting)):
    quarantined("The frame ends at a restart marker, and is closed.", "decode-failed", name=f"{_name}_cut_at_a_restart")(
        partial(_file, cut_at_a_restart)
    )
    quarantined(
        "Eight restart intervals were lost, and no gap is seen between those that are left.",
        "decode-failed",
        name=f"{_name}_without_some_restarts",
    )(partial(_file, without_eight_intervals))


@quarantined("The words are not in fragments at all, as the transfer syntax has them.", "decode-failed")
def native_without_fragments(words: Words) -> bytes:
    return meta_and_body(clean_in(uid.JPEGLosslessSV1, words))[0] + meta_and_body(clean(words))[1]


@quarantined("A flipped byte that makes a marker where none may stand; a decoder would stop there.", "decode-failed")
def jpeg_ls_flipped_byte(words: Words) -> bytes:
    return dicom(words, uid.JPEGLSLossless, with_marker(compressed(words, uid.JPEGLSLossless)))


@quarantined("A flipped byte that makes a marker where none may stand; a decoder would stop there.", "decode-failed")
def jpeg_lossless_flipped_byte(words: Words) -> bytes:
    return dicom(words, uid.JPEGLosslessSV1, with_marker(compressed(words, uid.JPEGLosslessSV1)))


def with_marker(frame: bytes) -> bytes:
    """A byte in the middle becomes FF where the next has its top bit set: by both standards that is a marker."""
    middle = coded_part(frame) + (len(frame) - coded_part(frame)) // 2
    position = next(k for k in range(middle, len(frame) - 4) if 0x80 <= frame[k + 1] < 0xFF and frame[k] not in (0, 0xFF))
    return frame[:position] + b"\xff" + frame[position + 1 :]


@quarantined(
    "A flipped bit that changes how long a code is: more or fewer bits are left than the picture needs. A flip that leaves all "
    "lengths as they were cannot be found.",
    "decode-failed",
)
def jpeg_lossless_flipped_bit(words: Words) -> bytes:
    frame = compressed(words, uid.JPEGLosslessSV1)
    return dicom(words, uid.JPEGLosslessSV1, flipped(frame, coded_part(frame) + 1, 0x10))


@quarantined(
    "A flipped bit that leaves the decoder with too many or too few coded bits. Many flips end that way, not all of them.",
    "decode-failed",
)
def jpeg_ls_flipped_bit(words: Words) -> bytes:
    frame = compressed(words, uid.JPEGLSLossless)
    return dicom(words, uid.JPEGLSLossless, flipped(frame, coded_part(frame) + 40, 0x80))


@accepted("A flipped byte inside a code block: no decoder can find it, only a checksum that the source would have to keep.")
def jpeg_2000_flipped_byte(words: Words) -> bytes:
    frame = compressed(words, uid.JPEG2000Lossless)
    return dicom(words, uid.JPEG2000Lossless, flipped(frame, len(frame) * 3 // 4, 0x10))


@quarantined("The frame has no end marker, though nothing else is missing.", "decode-failed")
def no_end_marker(words: Words) -> bytes:
    return dicom(words, uid.JPEGLSLossless, compressed(words, uid.JPEGLSLossless).rstrip(b"\0").removesuffix(b"\xff\xd9"))


@quarantined("Fragments without a delimiter behind the last: the file may have been cut there.", "truncated")
def fragments_without_delimiter(words: Words) -> bytes:
    return clean_in(uid.JPEGLSLossless, words).removesuffix(SEQUENCE_END)


@quarantined("Encapsulated pixel data without a fragment.", "decode-failed")
def no_fragment(words: Words) -> bytes:
    data = clean_in(uid.JPEGLSLossless, words)
    return data[: offset_of(data, PIXEL_DATA) + 12] + item(b"") + SEQUENCE_END


@quarantined("A codestream of one process under the transfer syntax of another.", "decode-failed")
def jpeg_ls_as_jpeg_lossless(words: Words) -> bytes:
    return dicom(words, uid.JPEGLosslessSV1, compressed(words, uid.JPEGLSLossless))


@quarantined("A frame in colour under a header that says monochrome.", "decode-failed")
def jpeg_of_three_components(words: Words) -> bytes:
    grey = in_8_bits(words)
    return dicom(grey, uid.JPEGBaseline8Bit, bytes(imagecodecs.jpeg8_encode(np.dstack([grey] * 3), level=95)))


@quarantined("An RLE header that promises three segments for two bytes.", "decode-failed")
def rle_of_three_segments(words: Words) -> bytes:
    frame = compressed(words, uid.RLELossless)
    return dicom(words, uid.RLELossless, struct.pack("<I", 3) + frame[4:])


@quarantined("An offset of the RLE header leads out of the frame.", "decode-failed")
def rle_offset_outside(words: Words) -> bytes:
    frame = compressed(words, uid.RLELossless)
    return dicom(words, uid.RLELossless, frame[:8] + struct.pack("<I", 1 << 30) + frame[12:])


@quarantined("Written in text mode by a file transfer: each line feed became two bytes.", "unreadable")
def transferred_as_text(words: Words) -> bytes:
    return spliced(clean(words), element(0x00081030, b"LO", b"CHEST\nPA")).replace(b"\n", b"\r\n")


@quarantined("Something that is no element follows the pixel data.", "unreadable")
def text_behind(words: Words) -> bytes:
    return clean(words) + b"</file>\nend of transfer"


@quarantined("Two files written one behind the other.", "unreadable")
def two_files_in_one(words: Words) -> bytes:
    return clean(words) * 2


@quarantined("The file meta information says big endian, the elements are little endian.", "unreadable")
def little_as_big_endian(words: Words) -> bytes:
    return meta_and_body(dicom(words, BIG_ENDIAN))[0] + meta_and_body(clean(words))[1]


@quarantined("A gzip file that ends early.", "truncated")
def gzip_cut(words: Words) -> bytes:
    return gzip.compress(clean(words), mtime=0)[:-2000]


@quarantined("A gzip file whose checksum is not that of its content.", "unreadable")
def gzip_damaged(words: Words) -> bytes:
    packed = gzip.compress(clean(words), mtime=0)
    return flipped(packed, len(packed) - 8, 0x01)


@quarantined("A gzip file of something else.", "unreadable")
def gzip_of_text(_: Words) -> bytes:
    return gzip.compress(b"minutes of the meeting\n" * 90, mtime=0)
