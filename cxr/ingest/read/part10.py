"""A DICOM file (PS3.10) taken apart: container, file meta information, header, pixel data, with what had to be corrected."""

from __future__ import annotations

import io
import warnings
import zlib
from dataclasses import dataclass

from pydicom import config as pydicom_config
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset

from cxr.ingest.outcome import Refused
from cxr.ingest.read.structure import PIXEL_DATA, VALUE_REPRESENTATIONS, Encoding, Structure, read_element, walk
from cxr.ingest.source.entry import LARGEST_FILE

_EXPLICIT, _IMPLICIT = Encoding(implicit=False), Encoding(implicit=True)
_TRANSFER_SYNTAX = 0x00020010
_GZIP = b"\x1f\x8b\x08"
_HARMLESS, _RATIO = 64 * 2**20, 32
"""What compressed data may always unpack to, in bytes, and in proportion: a radiograph deflates to a fifth, seldom a tenth."""

# Values that break their VR are common and mostly harmless; reading must not warn or raise on them before the rules see them.
pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
# Its log lines quote such values, which may name a patient. A filter: whoever sets up logging resets a level, or `disabled`.
pydicom_config.logger.addFilter(lambda _: False)


@dataclass(frozen=True)
class DicomFile:
    """A file, taken apart.

    Args:
        header: the elements before Pixel Data, with `file_meta`; and `PixelData` as it stands in the file, inflated
            where the syntax is deflated, if the whole file was asked for.
        codes: of what was corrected; see `cxr.ingest.outcome.CODES`.
        pixels: whether the file has Pixel Data.
    """

    header: Dataset
    codes: tuple[str, ...]
    pixels: bool

    @property
    def syntax(self) -> uid.UID:
        """The transfer syntax."""
        return uid.UID(self.header.file_meta.TransferSyntaxUID)


def parse(data: bytes, *, header_only: bool = False) -> DicomFile:
    """Take a file apart.

    Args:
        data: its bytes; for `header_only`, at least those before Pixel Data.
        header_only: leave the pixel data out.

    Raises:
        Refused: no DICOM file, or one whose structure is broken; the code says how.
    """
    codes: list[str] = []
    if data.startswith(_GZIP):
        data, codes = _inflate(data, 31, partial=header_only), ["gzip"]
    meta, body = _open(data, codes)
    syntax = uid.UID(str(meta.get("TransferSyntaxUID", "") or uid.ImplicitVRLittleEndian))
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        body = _inflate(body, -15, partial=header_only)
    if not body:
        raise Refused("truncated", "nothing follows the file meta information")
    encoding = _encoding(body, syntax, codes)
    structure = walk(body, encoding, header_only=header_only)
    if structure.mended:
        codes.append("no-sequence-delimiter")
    header = _dataset(structure.header(body), encoding)
    meta.TransferSyntaxUID = _true_syntax(syntax, encoding)
    header.file_meta = meta
    if structure.pixels is not None:
        start, end = structure.pixels
        header.PixelData = memoryview(body)[start:end]
    return DicomFile(header, tuple(codes), _has_pixels(structure))


def _has_pixels(structure: Structure) -> bool:
    return any(element.tag == PIXEL_DATA for element in structure.elements)


def _inflate(data: bytes | memoryview, window: int, *, partial: bool) -> bytes:
    """Unpack, never much more than a radiograph would give: three megabytes of a bomb become three gigabytes."""
    stream = zlib.decompressobj(window)
    most = min(LARGEST_FILE, max(_HARMLESS, _RATIO * len(data)))
    try:
        unpacked = stream.decompress(data, most)
    except zlib.error as error:
        raise Refused("unreadable", "the compressed data are damaged") from error
    if stream.unconsumed_tail:
        raise Refused("too-large", f"unpacks to more than {most} bytes")
    if not stream.eof and not partial:
        raise Refused("truncated", "the compressed data have no end")
    return unpacked


def _open(data: bytes, codes: list[str]) -> tuple[FileMetaDataset, bytes | memoryview]:
    """File meta information, and the data set behind it."""
    if data[128:132] == b"DICM":
        start = 132
    elif (
        _first_is(data, (0x0002,), _EXPLICIT) or _first_is(data, (0x0008,), _EXPLICIT) or _first_is(data, (0x0008,), _IMPLICIT)
    ):
        start = 0
        codes.append("no-preamble")
    else:
        raise Refused("empty" if not data else "unreadable", "" if not data else "no DICOM header")
    offset, last = start, 0
    while data[offset : offset + 2] == b"\x02\x00":
        element = read_element(data, offset, _EXPLICIT)
        if element.tag <= last or element.length is None:
            raise Refused("duplicate-element", "in the file meta information")
        offset, last = element.value + element.length, element.tag
    meta = FileMetaDataset(_dataset(data[start:offset], _EXPLICIT))
    if offset == start:
        explicit = _first_is(data[offset:], (0x0008,), _EXPLICIT)
        meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian if explicit else uid.ImplicitVRLittleEndian
    return meta, memoryview(data)[offset:]  # not a copy: it may have ten million bytes


def _first_is(data: bytes, groups: tuple[int, ...], encoding: Encoding) -> bool:
    """Whether data begin with an element of one of the groups; a text does not."""
    if int.from_bytes(data[:2], "little") not in groups or len(data) < 16:
        return False
    if not encoding.implicit:
        return data[4:6] in VALUE_REPRESENTATIONS
    return int.from_bytes(data[4:8], "little") <= min(len(data) - 8, 1 << 16)


def _encoding(body: bytes | memoryview, syntax: uid.UID, codes: list[str]) -> Encoding:
    """How the elements are written: as the syntax says, unless the first of them shows otherwise."""
    stated = Encoding(implicit=syntax == uid.ImplicitVRLittleEndian, little=syntax != uid.ExplicitVRBigEndian)
    if len(body) >= 8 and stated.little and (bytes(body[4:6]) in VALUE_REPRESENTATIONS) == stated.implicit:
        codes.append("syntax-mislabelled")
        return Encoding(implicit=not stated.implicit)
    return stated


def _true_syntax(syntax: uid.UID, encoding: Encoding) -> uid.UID:
    """The transfer syntax that the elements are written in; compressed pixel data stay what they are."""
    if syntax == uid.ImplicitVRLittleEndian and not encoding.implicit:
        return uid.ExplicitVRLittleEndian
    if syntax == uid.ExplicitVRLittleEndian and encoding.implicit:
        return uid.ImplicitVRLittleEndian
    return syntax


def _dataset(data: bytes, encoding: Encoding) -> Dataset:
    # pydicom warns about each odd value; what matters of them is judged later, by rule
    with warnings.catch_warnings(action="ignore"):
        return read_dataset(io.BytesIO(data), encoding.implicit, encoding.little)
