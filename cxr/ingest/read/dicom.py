"""A DICOM file to one radiograph: taken apart, judged by its header, decoded, normalised, made undistorted and upright, judged.

Whatever is wrong with a file is a `Refused` with a code; nothing else leaves these functions.
"""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Literal

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from cxr.ingest.deidentify import pooled_age
from cxr.ingest.outcome import Refused
from cxr.ingest.read import attributes, normalise, part10, quality
from cxr.ingest.read.aspect import squared
from cxr.ingest.read.decode import decode
from cxr.ingest.read.manufacturer import maker
from cxr.ingest.read.orientation import orient
from cxr.ingest.read.radiograph import Grey, Radiograph, pixel_digest
from cxr.ingest.read.scope import check_scope
from cxr.ingest.read.view import ViewFinding, find_view

MALFORMED = (
    InvalidDicomError,
    BytesLengthException,
    ValueError,
    KeyError,
    AttributeError,
    TypeError,
    IndexError,
    OverflowError,
    EOFError,
    OSError,
    RecursionError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What pydicom and the codecs raise on malformed files. Another exception is a fault of ours: it stops the stage."""

_SEXES = {"M": "M", "F": "F", "O": "O", "MALE": "M", "FEMALE": "F", "OTHER": "O"}


@dataclass(frozen=True)
class ReadOptions:
    """What the configuration says about reading.

    Args:
        bits: of the grey values, 8 or 16.
        secondary_capture: whether Secondary Capture images are taken.
    """

    bits: Literal[8, 16] = 8
    secondary_capture: bool = False


@dataclass(frozen=True)
class Judged:
    """What the header alone tells of a file that may be taken.

    Args:
        identifiers: the source's own.
        view: how the patient stood, and what told it.
        codes: of corrections and flags so far.
    """

    identifiers: dict[str, str]
    view: ViewFinding
    codes: tuple[str, ...]


def parse_sex(text: str | None) -> str:
    """A sex of `cxr.manifest.SEXES` from PatientSex or a table's cell."""
    return _SEXES.get((text or "").strip().upper(), "unknown")


def judge_header(data: bytes, options: ReadOptions) -> Judged:
    """What becomes of a file as far as its header tells: for a look before a run.

    Args:
        data: the file, or its first part, which must reach to the pixel data.
        options: see there.

    Raises:
        Refused: the file would not be taken.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            return _judge(part10.parse(data, header_only=True), options)
    except MALFORMED as error:
        raise Refused("unreadable", type(error).__name__) from error


def read_dicom(data: bytes, options: ReadOptions = ReadOptions()) -> Radiograph:
    """Read a DICOM file.

    Args:
        data: the file.
        options: see there.

    Raises:
        Refused: the file is not taken; the code says why.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # what matters is judged by rule; their words may quote the header
            return _read(data, options)
    except MemoryError as error:
        raise Refused("too-much-memory") from error
    except MALFORMED as error:
        raise Refused("unreadable", type(error).__name__) from error


def _read(data: bytes, options: ReadOptions) -> Radiograph:
    file = part10.parse(data)
    judged = _judge(file, options)
    header = file.header
    normalised = normalise.normalise(_decode(header), header, options.bits)
    square = squared(normalised.pixels, header)  # spacings are those of rows and columns as stored
    oriented = orient(square.pixels, header)
    found = quality.judge(oriented.pixels)
    age, implausible = pooled_age(attributes.text(header, "PatientAge"))
    odd_age = ("age-implausible",) if implausible else ()
    decisions = {"syntax": file.syntax.name, **normalised.decisions, "aspect": square.decision}
    return Radiograph(
        pixels=oriented.pixels,
        source_sha256=hashlib.sha256(data).hexdigest(),
        pixel_sha256=pixel_digest(oriented.pixels),
        identifiers=judged.identifiers,
        study_date=attributes.text(header, "StudyDate"),
        view=judged.view.view,
        sex=parse_sex(attributes.text(header, "PatientSex")),
        age_years=age,
        manufacturer=maker(attributes.text(header, "Manufacturer")),
        decisions=decisions | {"orientation": oriented.decision, "view": judged.view.told_by or "not told"},
        codes=(*judged.codes, *normalised.codes, *square.codes, *oriented.codes, *found.codes, *odd_age),
    )


def _judge(file: part10.DicomFile, options: ReadOptions) -> Judged:
    view = find_view(file.header)
    flags = check_scope(file.header, view, pixels=file.pixels, secondary_capture=options.secondary_capture)
    return Judged(_identifiers(file.header), view, (*file.codes, *view.codes, *flags))


def _decode(header: Dataset) -> Grey:
    try:
        return decode(header)
    except MALFORMED as error:
        raise Refused("decode-failed", type(error).__name__) from error


def _identifiers(header: Dataset) -> dict[str, str]:
    names = ("PatientID", "StudyInstanceUID", "SOPInstanceUID")
    values = {name: attributes.text(header, name) for name in (*names, "AccessionNumber")}
    if not all(values[name] for name in names):
        raise Refused("no-identity", ", ".join(name for name in names if not values[name]))
    return values
