"""Malformed and odd DICOM files, made on the spot, each with the outcome that ingest documents for it.

Every file is derived from a picture of its own, so that none of them is a duplicate of another. `OddFile.twin` is the clean
file that must read as the same picture, where the outcome promises one.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from cxr.ingest.outcome import OutcomeName

Words = npt.NDArray[Any]
Build = Callable[[Words], bytes]

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
UNDEFINED = 0xFFFFFFFF
ITEM_END, SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
REFERENCED_IMAGES, PIXEL_DATA = 0x00081140, 0x7FE00010
IMAGE_ATTRIBUTES = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PixelData", "PatientOrientation", "ViewPosition", "BurnedInAnnotation", "PresentationIntentType",
)  # fmt: skip
_LONG = (b"OB", b"OW", b"OF", b"OD", b"SQ", b"UN", b"UT")
_MEBIBYTE_OF_ZEROS = bytes(1 << 20)


@dataclass(frozen=True)
class OddFile:
    """One file of the corpus.

    Args:
        name: unlike any other's.
        build: its bytes, the same each time.
        outcome: what `files.csv` must say of it.
        codes: exactly those that it must get; see `cxr.ingest.outcome.CODES`.
        note: why this outcome.
        twin: a clean file that reads as the same picture; None where there is no such.
    """

    name: str
    build: Callable[[], bytes]
    outcome: OutcomeName
    codes: tuple[str, ...]
    note: str
    twin: Callable[[], bytes] | None = None


_FILES: list[OddFile] = []


def _register(
    outcome: OutcomeName, note: str, *codes: str, twin: Build | None = None, name: str = ""
) -> Callable[[Build], Build]:
    def register(build: Build) -> Build:
        picture = thorax(len(_FILES))
        clean_twin = None if twin is None else partial(twin, picture)
        called = name or getattr(build, "__name__", "")
        _FILES.append(OddFile(called, partial(build, picture), outcome, codes, note, clean_twin))
        return build

    return register


quarantined, corrected = partial(_register, "quarantined"), partial(_register, "corrected")
flagged, skipped, accepted = partial(_register, "flagged"), partial(_register, "skipped"), partial(_register, "accepted")


# pictures and how they are written


def thorax(number: int) -> Words:
    """Two dark lungs in a bright body, with two squares that make each number another picture: uint16 [96, 80] of 12 bits."""
    rows, columns = np.linspace(-1, 1, 96)[:, None], np.linspace(-1, 1, 80)[None]
    lungs = sum(np.exp(-(((columns - side) / 0.3) ** 2) - ((rows + 0.1) / 0.6) ** 2) for side in (-0.5, 0.45))
    picture = 2600 + 500 * rows + 300 * columns - 1700 * lungs
    picture[8:16, 8:16] = 100 + 240 * (number % 16)
    picture[8:16, 24:32] = 100 + 240 * (number // 16)
    return picture.astype(np.uint16)


def in_8_bits(words: Words) -> Words:
    return (words >> 4).astype(np.uint8)


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


def dataset(
    words: Words,
    syntax: str = EXPLICIT,
    frames: bytes | list[bytes] | None = None,
    without: tuple[str, ...] = (),
    **attributes: Any,
) -> Dataset:
    """A sound frontal chest radiograph, but for the attributes that are given or left out.

    Args:
        words: uint8 or uint16 [rows, columns].
        syntax: transfer syntax.
        frames: the pixel data, or the fragments of them, where they are not those of the picture.
        without: names of attributes that are left out.
        attributes: others, or other values.
    """
    bits = 8 if words.dtype == np.uint8 else 12
    values = {
        "SOPClassUID": uid.DigitalXRayImageStorageForPresentation, "SOPInstanceUID": "1.2.3.4", "StudyDate": "20240301",
        "Modality": "DX", "PresentationIntentType": "FOR PRESENTATION", "PatientID": "patient-1", "PatientSex": "F",
        "PatientAge": "045Y", "BodyPartExamined": "CHEST", "ViewPosition": "PA", "StudyInstanceUID": "1.2.3",
        "PatientOrientation": ["L", "F"], "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "Rows": words.shape[0], "Columns": words.shape[1], "BitsAllocated": 8 * words.itemsize, "BitsStored": bits,
        "HighBit": bits - 1, "PixelRepresentation": 0, "BurnedInAnnotation": "NO",
    }  # fmt: skip
    header = Dataset()
    with pydicom.config.disable_value_validation():
        for name, value in (values | attributes).items():
            if name not in without:
                setattr(header, name, value)
    if "PixelData" not in without:
        _set_pixels(header, words, uid.UID(syntax), frames)
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = uid.UID(syntax)
    header.file_meta.MediaStorageSOPClassUID = header.get("SOPClassUID", uid.DigitalXRayImageStorageForPresentation)
    header.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    return header


def _set_pixels(header: Dataset, words: Words, syntax: uid.UID, frames: bytes | list[bytes] | None) -> None:
    if syntax in CODECS.values() or isinstance(frames, list):
        fragments = frames if isinstance(frames, list) else [compressed(words, syntax) if frames is None else frames]
        header.PixelData = encapsulate(fragments, has_bot=False)
        header["PixelData"].is_undefined_length = True
    else:
        header.PixelData = native(words, syntax) if frames is None else frames
    header["PixelData"].VR = "OW" if words.dtype != np.uint8 and not isinstance(frames, list) and syntax in _NATIVE else "OB"


_NATIVE = (EXPLICIT, IMPLICIT, DEFLATED, BIG_ENDIAN)


def written(header: Dataset) -> bytes:
    """A file with preamble and file meta information."""
    buffer = io.BytesIO()
    with pydicom.config.disable_value_validation():
        pydicom.dcmwrite(buffer, header, enforce_file_format=True)
    return buffer.getvalue()


def dicom(words: Words, *arguments: Any, **attributes: Any) -> bytes:
    """The file of a `dataset`."""
    return written(dataset(words, *arguments, **attributes))


def clean(words: Words) -> bytes:
    return dicom(words)


def clean_in_8_bits(words: Words) -> bytes:
    return dicom(in_8_bits(words))


def clean_in(syntax: str, words: Words) -> bytes:
    return dicom(stored(words, syntax), syntax)


def stored(words: Words, syntax: str) -> Words:
    """The picture in as many bits as the transfer syntax has: baseline JPEG has 8."""
    return in_8_bits(words) if syntax == uid.JPEGBaseline8Bit else words


# bytes of files


def element(tag: int, representation: bytes, value: bytes, length: int | None = None) -> bytes:
    """An element of explicit VR little endian, which may lie about its length."""
    size = len(value) if length is None else length
    form = "<HH2s2xI" if representation in _LONG else "<HH2sH"
    return struct.pack(form, tag >> 16, tag & 0xFFFF, representation, size) + value


def implicit_element(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item(content: bytes, length: int | None = None) -> bytes:
    return implicit_element(0xFFFEE000, content, length)


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


def instead(data: bytes, raw: bytes) -> bytes:
    """A file with an element in the place of one with the same tag."""
    group, number = struct.unpack_from("<HH", raw)
    tag = group << 16 | number
    return spliced(data[: offset_of(data, tag)] + data[offset_of(data, tag + 1) :], raw)


def flipped(data: bytes, position: int, bits: int) -> bytes:
    return data[:position] + bytes([data[position] ^ bits]) + data[position + 1 :]


def coded_part(frame: bytes) -> int:
    """Where the coded data of a JPEG or JPEG-LS frame begin: behind the segment of its start of scan."""
    scan = frame.index(b"\xff\xda")
    return scan + 2 + struct.unpack_from(">H", frame, scan + 2)[0]


# quarantined: no DICOM file, or not a whole one


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


# quarantined: bombs


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


# quarantined: the structure


@quarantined("500 sequences inside one another, each with its length.", "too-deep")
def nested_500(words: Words) -> bytes:
    content = b""
    for _ in range(500):
        content = element(REFERENCED_IMAGES, b"SQ", item(content))
    return spliced(clean(words), content)


@quarantined("500 sequences inside one another, of undefined length.", "too-deep")
def nested_500_undefined(words: Words) -> bytes:
    opening = element(REFERENCED_IMAGES, b"SQ", item(b"", UNDEFINED), UNDEFINED)
    return spliced(clean(words), opening * 500 + (ITEM_END + SEQUENCE_END) * 500)


@quarantined("500 sequences inside one another, implicit, each with its length.", "too-deep")
def nested_500_implicit(words: Words) -> bytes:
    content = b""
    for _ in range(500):
        content = implicit_element(REFERENCED_IMAGES, item(content))
    return before_patient(dicom(words, IMPLICIT), content)


@quarantined("500 sequences inside one another, implicit and of undefined length.", "too-deep")
def nested_500_implicit_undefined(words: Words) -> bytes:
    opening = implicit_element(REFERENCED_IMAGES, item(b"", UNDEFINED), UNDEFINED)
    return before_patient(dicom(words, IMPLICIT), opening * 500 + (ITEM_END + SEQUENCE_END) * 500)


def before_patient(data: bytes, raw: bytes) -> bytes:
    """A file of implicit VR with something put in front of its PatientID."""
    at = data.index(struct.pack("<HH", 0x0010, 0x0020))
    return data[:at] + raw + data[at:]


@quarantined(
    "An element says that it is longer than the file; a lax reader takes the rest of the file for its value.", "truncated"
)
def element_past_the_end(words: Words) -> bytes:
    return spliced(clean(words), element(0x00204000, b"UT", b"a comment ", 1 << 24))


@quarantined("An element of a sequence reaches out of its item.", "truncated")
def element_past_its_item(words: Words) -> bytes:
    inner = element(0x00081155, b"UI", b"1.2.3.4\0", 4_000)
    return spliced(clean(words), element(REFERENCED_IMAGES, b"SQ", item(inner)))


@quarantined("An item reaches out of its sequence.", "truncated")
def item_past_its_sequence(words: Words) -> bytes:
    return spliced(clean(words), element(REFERENCED_IMAGES, b"SQ", item(bytes(8), 800)))


@quarantined("Two patients: of an element that stands twice, libraries take the last without a word.", "duplicate-element")
def element_twice(words: Words) -> bytes:
    return spliced(clean(words), element(0x00100020, b"LO", b"patient-2 "))


@quarantined("Two images: of pixel data that stand twice, libraries take the last without a word.", "duplicate-element")
def pixel_data_twice(words: Words) -> bytes:
    return clean(words) + element(PIXEL_DATA, b"OW", native(words))


@quarantined("Elements out of order: a reader that stops behind the group it looks for misses one.", "duplicate-element")
def elements_out_of_order(words: Words) -> bytes:
    return spliced(clean(words), element(0x00081030, b"LO", b"CHEST PA"), before=0x00280002)


@quarantined("Two transfer syntaxes.", "duplicate-element")
def file_meta_element_twice(words: Words) -> bytes:
    data = clean(words)
    return spliced(data, element(0x00020010, b"UI", b"1.2.840.10008.1.2.4.80"), before=0x00020012)


@quarantined("An element of a value representation that does not exist.", "unreadable")
def unknown_representation(words: Words) -> bytes:
    return spliced(clean(words), element(0x00081030, b"ZZ", b"CHEST PA"))


@quarantined("A sequence that holds text.", "unreadable")
def sequence_of_text(words: Words) -> bytes:
    return spliced(clean(words), element(REFERENCED_IMAGES, b"SQ", b"reference to the earlier film "))


@quarantined("No element but a sequence or pixel data may leave its length open.", "unreadable")
def text_of_undefined_length(words: Words) -> bytes:
    return spliced(clean(words), element(0x00204000, b"UT", b"a comment " + SEQUENCE_END, UNDEFINED))


# quarantined: what the header says


@quarantined("A picture of no rows.", "decode-failed")
def zero_rows(words: Words) -> bytes:
    return dicom(words, Rows=0)


@quarantined("Nothing says how many columns there are.", "decode-failed")
def no_columns(words: Words) -> bytes:
    return dicom(words, without=("Columns",))


@quarantined("A row of pixels is missing, though the element is whole.", "decode-failed")
def too_few_pixels(words: Words) -> bytes:
    return dicom(words, EXPLICIT, native(words[:-1]))


@quarantined("Pixels too many: which rows are the picture's cannot be told.", "decode-failed")
def too_many_pixels(words: Words) -> bytes:
    return dicom(words, EXPLICIT, native(words) + bytes(160))


@quarantined("Two frames, as the header says.", "multi-frame")
def two_frames(words: Words) -> bytes:
    return dicom(words, EXPLICIT, native(words) * 2, NumberOfFrames=2)


@quarantined("Two frames that the header does not mention: the data are twice as long as the picture.", "decode-failed")
def two_frames_untold(words: Words) -> bytes:
    return dicom(words, EXPLICIT, native(words) * 2)


@quarantined("Two codestreams that the header does not mention; decoders would show the first.", "multi-frame")
def two_codestreams_untold(words: Words) -> bytes:
    return dicom(words, uid.JPEGLSLossless, [compressed(words, uid.JPEGLSLossless)] * 2)


@quarantined("Two RLE fragments: each is a frame, by the standard.", "multi-frame")
def two_rle_frames_untold(words: Words) -> bytes:
    return dicom(words, uid.RLELossless, [compressed(words, uid.RLELossless)] * 2)


@quarantined("A number of frames that is no number.", "unreadable")
def frames_in_words(words: Words) -> bytes:
    return spliced(clean(words), element(0x00280008, b"IS", b"ONE "))


@quarantined("Values of 12 bits where 8 are stored: masking them would wrap the bright parts to black.", "bits-inconsistent")
def bits_stored_too_small(words: Words) -> bytes:
    return dicom(words, BitsStored=8, HighBit=7)


@quarantined("A bit above the stored ones is set in one pixel.", "bits-inconsistent")
def stray_bit(words: Words) -> bytes:
    words = words.copy()
    words[50, 40] |= 0x8000
    return dicom(words)


@quarantined("Values of no bits.", "bits-inconsistent")
def bits_stored_0(words: Words) -> bytes:
    return dicom(words, BitsStored=0)


@quarantined("More bits stored than there are.", "bits-inconsistent")
def bits_stored_20(words: Words) -> bytes:
    return dicom(words, BitsStored=20, HighBit=19)


@quarantined("12 bits cannot end at bit 9.", "bits-inconsistent")
def high_bit_too_low(words: Words) -> bytes:
    return dicom(words, HighBit=9)


@quarantined("No radiograph has 32 bits.", "bits-inconsistent")
def bits_allocated_32(words: Words) -> bytes:
    return dicom(words, EXPLICIT, native(words.astype(np.uint32)), BitsAllocated=32)


@quarantined("A picture of single bits.", "bits-inconsistent")
def bits_allocated_1(words: Words) -> bytes:
    return dicom(words, EXPLICIT, bytes(960), BitsAllocated=1, BitsStored=1, HighBit=0)


@quarantined("Nothing says how many bits are stored.", "bits-inconsistent")
def no_bits_stored(words: Words) -> bytes:
    return dicom(words, without=("BitsStored",))


@quarantined("A header without a picture.", "no-pixels")
def no_pixel_data(words: Words) -> bytes:
    return dicom(words, without=("PixelData",))


@quarantined("Pixel data without a byte.", "no-pixels")
def empty_pixel_data(words: Words) -> bytes:
    return dicom(words, EXPLICIT, b"")


@quarantined("Floating point pixels are no radiograph's.", "no-pixels")
def float_pixel_data(words: Words) -> bytes:
    return dicom(words, without=("PixelData",)) + element(0x7FE00008, b"OF", words.astype("<f4").tobytes())


@quarantined("Nothing tells whose image it is.", "no-identity")
def no_patient(words: Words) -> bytes:
    return dicom(words, without=("PatientID",))


@quarantined("A patient of blanks.", "no-identity")
def blank_patient(words: Words) -> bytes:
    return dicom(words, PatientID="    ")


@quarantined("Nothing tells to which study it belongs.", "no-identity")
def no_study(words: Words) -> bytes:
    return dicom(words, without=("StudyInstanceUID",))


@quarantined("Nothing tells which image it is.", "no-identity")
def no_instance(words: Words) -> bytes:
    return dicom(words, without=("SOPInstanceUID",))


@quarantined("A film of another kind: no decoder is pinned.", "syntax-unsupported")
def mpeg_2(words: Words) -> bytes:
    return dicom(words, uid.MPEG2MPML, [b"\0\0\1\xb3" + bytes(400)])


@quarantined("A transfer syntax of a manufacturer.", "syntax-unsupported")
def private_syntax(words: Words) -> bytes:
    meta, body = meta_and_body(clean(words))
    name = element(0x00020010, b"UI", b"1.2.840.113619.5.2")
    old = element(0x00020010, b"UI", EXPLICIT.encode() + b"\0")
    return meta.replace(old, name) + body


@quarantined("All values would become one.", "rescale-invalid")
def slope_0(words: Words) -> bytes:
    return dicom(words, RescaleSlope="0", RescaleIntercept="0")


@quarantined("A slope that is not a number.", "rescale-invalid")
def slope_nan(words: Words) -> bytes:
    return spliced(clean(words), element(0x00281053, b"DS", b"NaN "))


@quarantined("A slope in words.", "rescale-invalid")
def slope_in_words(words: Words) -> bytes:
    return spliced(clean(words), element(0x00281053, b"DS", b"none"))


@quarantined("An intercept without end.", "rescale-invalid")
def intercept_infinite(words: Words) -> bytes:
    return spliced(clean(words), element(0x00281052, b"DS", b"1e999 "))


def look_up_table(entries: Words, count: int, bits: int = 12) -> Dataset:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [count, 0, bits])
    table.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return table


@quarantined("A VOI LUT of 1,000 entries that promises 4,096.", "lut-invalid")
def lut_too_short(words: Words) -> bytes:
    return dicom(words, VOILUTSequence=[look_up_table(np.arange(1000), 4096)])


@quarantined("A Modality LUT of 1,000 entries that promises 4,096.", "lut-invalid")
def modality_lut_too_short(words: Words) -> bytes:
    return dicom(words, ModalityLUTSequence=[look_up_table(np.arange(1000), 4096)])


@quarantined("A look-up table without its descriptor.", "lut-invalid")
def lut_without_descriptor(words: Words) -> bytes:
    table = look_up_table(np.arange(4096), 4096)
    del table.LUTDescriptor
    return dicom(words, VOILUTSequence=[table])


@quarantined("A look-up table that makes all values one.", "lut-invalid")
def modality_lut_flat(words: Words) -> bytes:
    return dicom(words, ModalityLUTSequence=[look_up_table(np.full(4096, 7), 4096)])


@quarantined("One value everywhere.", "constant")
def constant(words: Words) -> bytes:
    return dicom(np.full_like(words, 1500))


@quarantined("Nothing but the noise of the detector, as without exposure.", "blank")
def blank(words: Words) -> bytes:
    return dicom(1500 + words % 10)


@quarantined("Text is burned into the picture, which may be a name.", "burned-in")
def burned_in(words: Words) -> bytes:
    return dicom(words, BurnedInAnnotation="YES")


@quarantined("Raw values, which are shown otherwise, as the intent says.", "for-processing")
def for_processing(words: Words) -> bytes:
    return dicom(words, PresentationIntentType="FOR PROCESSING")


@quarantined("Raw values, which are shown otherwise, as the SOP class says.", "for-processing")
def for_processing_class(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.DigitalXRayImageStorageForProcessing, without=("PresentationIntentType",))


def in_colour(words: Words, **attributes: Any) -> bytes:
    pixels = np.dstack([in_8_bits(words)] * 3)
    return dicom(
        in_8_bits(words), EXPLICIT, pixels.tobytes(), SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
        **attributes,
    )  # fmt: skip


@quarantined("A picture of a screen: worth a look, since a radiograph may be in it.", "colour")
def rgb_screenshot(words: Words) -> bytes:
    return in_colour(words, SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="OT", ConversionType="WSD")


@quarantined("A radiograph in colour.", "colour")
def rgb_radiograph(words: Words) -> bytes:
    return in_colour(words)


@quarantined("Values that stand for colours.", "colour")
def palette_colour(words: Words) -> bytes:
    return dicom(words, PhotometricInterpretation="PALETTE COLOR")


@quarantined("Nothing says whether low values are black or white.", "unreadable")
def no_photometric_interpretation(words: Words) -> bytes:
    return dicom(words, without=("PhotometricInterpretation",))


# corrected


@corrected("It begins with its first element.", "no-preamble", twin=clean)
def no_preamble(words: Words) -> bytes:
    return clean(words)[132:]


@corrected("It begins with its data set, explicit.", "no-preamble", twin=clean)
def no_file_meta(words: Words) -> bytes:
    return meta_and_body(clean(words))[1]


@corrected("It begins with its data set, implicit, as of old.", "no-preamble", twin=clean)
def no_file_meta_implicit(words: Words) -> bytes:
    return meta_and_body(dicom(words, IMPLICIT))[1]


@corrected("Packed by whoever copied it.", "gzip", twin=clean)
def gzipped(words: Words) -> bytes:
    return gzip.compress(clean(words), mtime=0)


@corrected("Packed, and without a preamble.", "gzip", "no-preamble", twin=clean)
def gzipped_without_preamble(words: Words) -> bytes:
    return gzip.compress(no_file_meta_implicit(words), mtime=0)


@corrected("Its elements are implicit, whatever is said of them.", "syntax-mislabelled", twin=clean)
def implicit_as_explicit(words: Words) -> bytes:
    return meta_and_body(clean(words))[0] + meta_and_body(dicom(words, IMPLICIT))[1]


@corrected("Its elements are explicit, whatever is said of them.", "syntax-mislabelled", twin=clean)
def explicit_as_implicit(words: Words) -> bytes:
    return meta_and_body(dicom(words, IMPLICIT))[0] + meta_and_body(clean(words))[1]


@corrected("A sequence ends where an element follows that is no item.", "no-sequence-delimiter", twin=clean)
def no_sequence_delimiter(words: Words) -> bytes:
    return spliced(clean(words), element(REFERENCED_IMAGES, b"SQ", item(_REFERENCE), UNDEFINED))


@corrected("An item ends where its sequence does.", "no-sequence-delimiter", twin=clean)
def no_item_delimiter(words: Words) -> bytes:
    opening = element(REFERENCED_IMAGES, b"SQ", item(_REFERENCE, UNDEFINED), UNDEFINED)
    return spliced(clean(words), opening + SEQUENCE_END)


@corrected("An item ends where the next begins.", "no-sequence-delimiter", twin=clean)
def no_item_delimiter_between(words: Words) -> bytes:
    opening = element(REFERENCED_IMAGES, b"SQ", item(_REFERENCE, UNDEFINED), UNDEFINED)
    return spliced(clean(words), opening + item(_REFERENCE) + SEQUENCE_END)


_REFERENCE = element(0x00081155, b"UI", b"1.2.3.4\0")


@corrected("The value lies in the upper bits.", "high-bit", twin=clean)
def high_bit_15(words: Words) -> bytes:
    return dicom(words << 4, HighBit=15)


@corrected("Low values are white.", "inverted", twin=clean)
def monochrome1(words: Words) -> bytes:
    return dicom(4095 - words, PhotometricInterpretation="MONOCHROME1")


@corrected("Both say the same, so it is turned once.", "inverted", twin=clean)
def monochrome1_inverse(words: Words) -> bytes:
    return dicom(4095 - words, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")


@corrected("The slope turns the values, and they are bright where much was absorbed.", "negative-slope", twin=clean)
def negative_slope(words: Words) -> bytes:
    return dicom(4095 - words, RescaleSlope="-1", RescaleIntercept="4095")


@corrected("A word of the standard in another case.", "photometric-spelling", twin=clean)
def photometric_in_lower_case(words: Words) -> bytes:
    return dicom(words, PhotometricInterpretation="monochrome2")


@corrected(
    "A word of the standard with a blank in it, and low values are white.", "inverted", "photometric-spelling", twin=clean
)
def photometric_with_a_blank(words: Words) -> bytes:
    return dicom(4095 - words, PhotometricInterpretation="Monochrome 1")


def turned(words: Words, row: str, column: str) -> bytes:
    return dicom(np.ascontiguousarray(words), PatientOrientation=[row, column])


@corrected("Stored upside down.", "rotated", twin=clean)
def rotated_180(words: Words) -> bytes:
    return turned(np.rot90(words, 2), "R", "H")


@corrected("Stored on its side.", "rotated", twin=clean)
def rotated_90(words: Words) -> bytes:
    return turned(np.rot90(words, -1), "H", "L")


@corrected("Stored on its other side.", "rotated", twin=clean)
def rotated_270(words: Words) -> bytes:
    return turned(np.rot90(words), "F", "R")


@corrected("Stored as seen from behind.", "mirrored", twin=clean)
def mirrored(words: Words) -> bytes:
    return turned(words[:, ::-1], "R", "F")


@corrected("Stored upside down as seen from behind.", "rotated", "mirrored", twin=clean)
def upside_down(words: Words) -> bytes:
    return turned(words[::-1], "L", "H")


@corrected("Rows stored as columns.", "rotated", "mirrored", twin=clean)
def transposed(words: Words) -> bytes:
    return turned(words.T, "F", "L")


def bordered(words: Words, value: int) -> Words:
    words = words.copy()
    words[:5] = words[-5:] = words[:, :4] = words[:, -4:] = value
    return words


def with_black_border(words: Words) -> bytes:
    return dicom(bordered(words, 0))


@corrected("A white border that the header calls padding.", "padding", twin=with_black_border)
def padding_border(words: Words) -> bytes:
    return dicom(bordered(words, 4095), PixelPaddingValue=4095)


@corrected("Padding of several values.", "padding", twin=with_black_border)
def padding_range(words: Words) -> bytes:
    words = bordered(words, 4095)
    words[:2] = 4080
    return dicom(words, PixelPaddingValue=4095, PixelPaddingRangeLimit=4080)


@corrected("Padding, turned values and a mirrored picture at once.", "padding", "inverted", "mirrored", twin=with_black_border)
def several_corrections(words: Words) -> bytes:
    words = np.ascontiguousarray((4095 - bordered(words, 4095))[:, ::-1])
    return dicom(words, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0, PatientOrientation=["R", "F"])


# flagged


@flagged("A window without width shows nothing.", "window-unusable", twin=clean)
def window_of_width_0(words: Words) -> bytes:
    return dicom(words, WindowCenter="2048", WindowWidth="0")


@flagged("A window that is no number.", "window-unusable", twin=clean)
def window_in_words(words: Words) -> bytes:
    data = spliced(clean(words), element(0x00281050, b"DS", b"auto"))
    return spliced(data, element(0x00281051, b"DS", b"auto"))


@flagged("A function that the standard does not have.", "window-unusable", twin=clean)
def window_of_unknown_function(words: Words) -> bytes:
    return dicom(words, WindowCenter="2048", WindowWidth="4096", VOILUTFunction="CUBIC")


@flagged("A window far above all values.", "window-out-of-range", twin=clean)
def window_out_of_range(words: Words) -> bytes:
    return dicom(words, WindowCenter="40000", WindowWidth="400")


@flagged("A window for values before they were rescaled.", "window-out-of-range", twin=clean)
def window_before_rescaling(words: Words) -> bytes:
    return dicom(words, RescaleSlope="0.1", RescaleIntercept="-8000", WindowCenter="2048", WindowWidth="2000")


@flagged("Low values are bright, says one attribute alone.", "inverted", "polarity-contradiction", twin=clean)
def monochrome2_inverse(words: Words) -> bytes:
    return dicom(4095 - words, PresentationLUTShape="INVERSE")


@flagged(
    "Low values are bright, says one attribute, and another the contrary.", "inverted", "polarity-contradiction", twin=clean
)
def monochrome1_identity(words: Words) -> bytes:
    return dicom(4095 - words, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY")


@flagged("Letters that stand for no direction.", "orientation-unclear", twin=clean)
def orientation_of_other_letters(words: Words) -> bytes:
    return dicom(words, PatientOrientation=["X", "Y"])


@flagged("One direction of two.", "orientation-unclear", twin=clean)
def orientation_of_rows_alone(words: Words) -> bytes:
    return dicom(words, PatientOrientation="L")


@flagged("PA by its view, lateral by its orientation.", "view-contradiction", "orientation-unclear", twin=clean)
def orientation_of_a_lateral(words: Words) -> bytes:
    return dicom(words, PatientOrientation=["P", "F"])


def coded(value: str, meaning: str) -> list[Dataset]:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SRT", meaning
    return [code]


@flagged("PA by its code, AP by its position.", "view-contradiction", twin=clean)
def view_contradiction(words: Words) -> bytes:
    return dicom(words, ViewCodeSequence=coded("R-10214", "postero-anterior"), ViewPosition="AP")


@flagged("Nothing tells the view.", "view-unknown", twin=clean)
def view_unknown(words: Words) -> bytes:
    return dicom(words, without=("ViewPosition", "PatientOrientation"))


@flagged("Nothing tells the body part.", "body-part-unknown", twin=clean)
def body_part_unknown(words: Words) -> bytes:
    return dicom(words, without=("BodyPartExamined",))


@flagged("Nobody is 148 years old.", "age-implausible", twin=clean)
def age_148(words: Words) -> bytes:
    return dicom(words, PatientAge="148Y")


@flagged("Nobody is younger than nothing.", "age-implausible", twin=clean)
def age_negative(words: Words) -> bytes:
    return dicom(words, PatientAge="-12Y")


@flagged("Half of the picture is the collimator.", "collimation")
def collimation(words: Words) -> bytes:
    words = words.copy()
    words[:24] = words[-24:] = 0
    return dicom(words)


@flagged("All of it in a twentieth of the grey scale.", "low-contrast")
def low_contrast(words: Words) -> bytes:
    return dicom(1500 + words // 20)


@flagged(
    "A radiograph that an archive converted: its modality is still that of how it was taken.", "secondary-capture", twin=clean
)
def converted_radiograph(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="CR")


# skipped


@skipped("A report.", "not-an-image")
def report(words: Words) -> bytes:
    return dicom(words, without=IMAGE_ATTRIBUTES, SOPClassUID=uid.ComprehensiveSRStorage, Modality="SR")


@skipped("How an image is to be shown, without the image.", "not-an-image")
def presentation_state(words: Words) -> bytes:
    return dicom(words, without=IMAGE_ATTRIBUTES, SOPClassUID=uid.GrayscaleSoftcopyPresentationStateStorage, Modality="PR")


@skipped("A letter in PDF.", "not-an-image")
def encapsulated_pdf(words: Words) -> bytes:
    return dicom(
        words, without=IMAGE_ATTRIBUTES, SOPClassUID=uid.EncapsulatedPDFStorage, Modality="DOC",
        EncapsulatedDocument=b"%PDF-1.7\n" + bytes(99),
    )  # fmt: skip


@skipped("A selection of images.", "not-an-image")
def key_objects(words: Words) -> bytes:
    return dicom(words, without=IMAGE_ATTRIBUTES, SOPClassUID=uid.KeyObjectSelectionDocumentStorage, Modality="KO")


@skipped("A slice of a CT.", "modality")
def ct(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.CTImageStorage, Modality="CT", RescaleIntercept="-1024", RescaleSlope="1")


@skipped("A slice of an MR.", "modality")
def mr(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.MRImageStorage, Modality="MR")


@skipped("A mammogram.", "modality")
def mammogram(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.DigitalMammographyXRayImageStorageForPresentation, Modality="MG")


@skipped("A digitised film, which only the configuration can ask for.", "modality")
def secondary_capture(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="OT")


@skipped("The table of contents of a medium.", "dicomdir")
def dicomdir(words: Words) -> bytes:
    header = dataset(words, without=(*IMAGE_ATTRIBUTES, "Modality", "SOPClassUID", "PatientID", "StudyInstanceUID"))
    header.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    header.FileSetID, header.DirectoryRecordSequence = "CHEST", []
    return written(header)


@skipped("A hand.", "not-chest")
def hand(words: Words) -> bytes:
    return dicom(words, BodyPartExamined="HAND")


@skipped("A hand, by its code alone.", "not-chest")
def hand_by_its_code(words: Words) -> bytes:
    return dicom(words, without=("BodyPartExamined",), AnatomicRegionSequence=coded("T-D8700", "Hand"))


@skipped("A lateral chest.", "lateral")
def lateral(words: Words) -> bytes:
    return dicom(words, ViewPosition="LL", PatientOrientation=["P", "F"])


@skipped("What is out of scope is said first, whatever else is wrong with it.", "not-chest")
def hand_with_a_damaged_frame(words: Words) -> bytes:
    return dicom(words, EXPLICIT, b"\0\1", BodyPartExamined="HAND", BurnedInAnnotation="YES", NumberOfFrames=3)


# accepted: odd, and harmless


@accepted("The last block of a medium is filled up with zeros.", twin=clean)
def zeros_behind(words: Words) -> bytes:
    return clean(words) + bytes(1000)


@accepted("Padding as the standard has it.", twin=clean)
def trailing_padding(words: Words) -> bytes:
    return clean(words) + element(0xFFFCFFFC, b"OB", bytes(512))


@accepted("A preamble that is a TIFF file's header, as the standard allows.", twin=clean)
def preamble_of_tiff(words: Words) -> bytes:
    return b"II*\0\x08\0\0\0".ljust(128, b"\0") + clean(words)[128:]


@accepted("Elements of a manufacturer.", twin=clean)
def private_elements(words: Words) -> bytes:
    data = spliced(clean(words), element(0x00090010, b"LO", b"MAKER 1.0 "))
    data = spliced(data, element(0x00091001, b"UN", bytes(range(200))))
    return spliced(data, element(0x00091002, b"OB", bytes(1 << 20)))


@accepted("An element of the standard under an unknown representation.", twin=clean)
def unknown_kvp(words: Words) -> bytes:
    return spliced(clean(words), element(0x00180060, b"UN", b"125 "))


@accepted("An unknown element of undefined length holds an implicit sequence.", twin=clean)
def unknown_sequence(words: Words) -> bytes:
    inner = item(implicit_element(0x00081155, b"1.2.3.4\0"), UNDEFINED) + ITEM_END
    return spliced(clean(words), element(REFERENCED_IMAGES, b"UN", inner + SEQUENCE_END, UNDEFINED))


@accepted("A sequence of undefined length that ends as it should.", twin=clean)
def sequence_of_undefined_length(words: Words) -> bytes:
    inner = item(_REFERENCE, UNDEFINED) + ITEM_END
    return spliced(clean(words), element(REFERENCED_IMAGES, b"SQ", inner + SEQUENCE_END, UNDEFINED))


@accepted("Sequences that are implicit.", twin=clean)
def implicit_sequences(words: Words) -> bytes:
    inner = implicit_element(REFERENCED_IMAGES, item(implicit_element(0x00081155, b"1.2.3.4\0")))
    return before_patient(dicom(words, IMPLICIT), implicit_element(REFERENCED_IMAGES, item(inner)))


@accepted("Ten levels of sequences: a structured report has as many.", twin=clean)
def nested_10(words: Words) -> bytes:
    content = b""
    for _ in range(10):
        content = element(REFERENCED_IMAGES, b"SQ", item(content))
    return spliced(clean(words), content)


@accepted("The lengths of groups, as of old.", twin=clean)
def group_lengths(words: Words) -> bytes:
    return spliced(clean(words), element(0x00280000, b"UL", struct.pack("<I", 200)))


@accepted("A text of an odd number of bytes.", twin=clean)
def odd_length(words: Words) -> bytes:
    return spliced(clean(words), element(0x00081030, b"LO", b"CHEST"))


@accepted("A character set that does not exist, and a name in it.", twin=clean)
def unknown_character_set(words: Words) -> bytes:
    data = spliced(clean(words), element(0x00080005, b"CS", b"ISO_IR 999"))
    return spliced(data, element(0x00100010, b"PN", b"D\xf6e^J\xe4ne "))


@accepted("A window element without a value says nothing.", twin=clean)
def empty_window(words: Words) -> bytes:
    return spliced(spliced(clean(words), element(0x00281050, b"DS", b"")), element(0x00281051, b"DS", b""))


@accepted("A rescale element without a value says nothing.", twin=clean)
def empty_rescale(words: Words) -> bytes:
    return spliced(spliced(clean(words), element(0x00281052, b"DS", b"")), element(0x00281053, b"DS", b""))


def in_a_window(words: Words) -> bytes:
    return dicom(words, WindowCenter="2100", WindowWidth="2400")


@accepted("Of two windows, the first.", twin=in_a_window)
def two_windows(words: Words) -> bytes:
    return dicom(words, WindowCenter=["2100", "900"], WindowWidth=["2400", "300"])


@accepted("A window around the values after rescaling.", twin=in_a_window)
def window_after_rescaling(words: Words) -> bytes:
    return dicom(words, RescaleSlope="1", RescaleIntercept="-1000", WindowCenter="1100", WindowWidth="2400")


@accepted("Big endian, which the standard has retired.", twin=clean)
def big_endian(words: Words) -> bytes:
    return dicom(words, BIG_ENDIAN)


@accepted("Deflated as a whole.", twin=clean)
def deflated(words: Words) -> bytes:
    return dicom(words, DEFLATED)


@accepted("Implicit, without a word about anything.", twin=clean)
def implicit(words: Words) -> bytes:
    return dicom(words, IMPLICIT)


def odd_number_in_rle(words: Words) -> bytes:
    return dicom(np.ascontiguousarray(in_8_bits(words)[:95, :79]), uid.RLELossless)


@accepted("An odd number of pixels of 8 bits, and a byte behind them to make it even.", twin=odd_number_in_rle)
def odd_number_of_pixels(words: Words) -> bytes:
    return dicom(np.ascontiguousarray(in_8_bits(words)[:95, :79]))


@accepted("One codestream in three fragments.", twin=clean)
def three_fragments(words: Words) -> bytes:
    frame = compressed(words, uid.JPEGLSLossless)
    third = len(frame) // 6 * 2
    return dicom(words, uid.JPEGLSLossless, [frame[:third], frame[third : 2 * third], frame[2 * third :]])


@accepted("A codestream in the file format that belongs to it, which DICOM does not want.", twin=clean)
def jp2_file_inside(words: Words) -> bytes:
    frame = imagecodecs.jpeg2k_encode(words, level=0, codecformat="jp2", reversible=True, bitspersample=12)
    return dicom(words, uid.JPEG2000Lossless, bytes(frame))


@accepted("Values below zero, whose sign fills all upper bits.", twin=clean)
def signed(words: Words) -> bytes:
    return dicom((words.astype(np.int16) - 2048).view(np.uint16), PixelRepresentation=1)


@accepted("An overlay in an unused bit, as of old, that the header tells of.", twin=clean)
def overlay_in_a_bit(words: Words) -> bytes:
    marked = words.copy()
    marked[70:90, 10:20] |= 0x8000
    header = dataset(marked)
    header.add_new(0x60000010, "US", 96)
    header.add_new(0x60000011, "US", 80)
    header.add_new(0x60000100, "US", 16)
    header.add_new(0x60000102, "US", 15)
    return written(header)


@accepted("No frames, says the header, of the one that is there.", twin=clean)
def number_of_frames_0(words: Words) -> bytes:
    return dicom(words, NumberOfFrames=0)


@accepted("An age in words is unknown.", twin=clean)
def age_in_words(words: Words) -> bytes:
    return spliced(clean(words).replace(element(0x00101010, b"AS", b"045Y"), b""), element(0x00101010, b"AS", b"OLD "))


@accepted("A padding value that no pixel has.", twin=clean)
def padding_nowhere(words: Words) -> bytes:
    return dicom(words, PixelPaddingValue=4095)


@accepted("Several parts, of which the chest is one: a newborn.", twin=clean)
def chest_and_abdomen(words: Words) -> bytes:
    return dicom(words, BodyPartExamined="CHESTABDOMEN", PatientAge="002D")


@accepted("A small picture of the picture, which is not the picture.", twin=clean)
def icon(words: Words) -> bytes:
    small = dataset(np.ascontiguousarray(in_8_bits(words)[::4, ::4]))
    for name in ("SOPClassUID", "SOPInstanceUID", "PatientID"):
        delattr(small, name)
    return dicom(words, IconImageSequence=[small])


@accepted("A device of old: CR, and next to nothing in its header.", twin=clean)
def terse(words: Words) -> bytes:
    gone = ("PresentationIntentType", "BurnedInAnnotation", "PatientAge", "PatientSex", "StudyDate", "PatientOrientation")
    return dicom(words, IMPLICIT, without=gone, Modality="CR", SOPClassUID=uid.ComputedRadiographyImageStorage)


def enlarged(words: Words) -> Words:
    """The picture at the size of a detector, 16 megapixels."""
    return np.kron(words, np.ones((42, 52), np.uint16))


@accepted("As large as they come.")
def large(words: Words) -> bytes:
    return dicom(enlarged(words))


@accepted("As large as they come, and packed to a hundredth: no bomb.")
def large_and_deflated(words: Words) -> bytes:
    return dicom(enlarged(words), DEFLATED)


@quarantined("The end of a large frame is missing.", "decode-failed")
def large_jpeg_ls_frame_cut(words: Words) -> bytes:
    return frame_cut(uid.JPEGLSLossless, enlarged(words))


@quarantined("The end of a large frame is missing, yet somebody put an end marker there.", "decode-failed")
def large_jpeg_lossless_frame_cut_and_closed(words: Words) -> bytes:
    return frame_closed(uid.JPEGLosslessSV1, enlarged(words))


CORPUS: tuple[OddFile, ...] = tuple(_FILES)
