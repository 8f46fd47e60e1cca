"""One source file to one radiograph: canonical pixels and the allow-list of its header. The reader of ingest and prediction.

Whatever is wrong with a file is a `Refused` with a code; nothing else leaves these functions.
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import config as pydicom_config
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from cxr.ingest import decode, normalise
from cxr.ingest.deidentify import pooled_age
from cxr.ingest.outcome import Refused

# What pydicom and the codecs raise on malformed files. An exception of another type is a fault of ours: it stops the stage.
_MALFORMED = (
    InvalidDicomError, BytesLengthException, ValueError, KeyError, AttributeError, TypeError, IndexError, OverflowError,
    EOFError, OSError, RecursionError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_VIEWS = {"PA": "PA", "AP": "AP", "LL": "LATERAL", "RL": "LATERAL", "LATERAL": "LATERAL", "LAT": "LATERAL"}
_SEXES = {"M": "M", "F": "F", "O": "O", "MALE": "M", "FEMALE": "F", "OTHER": "O"}
_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
_CHEST = ("", "CHEST", "THORAX", "LUNG", "LUNGS", "PORT CHEST", "PORTABLE CHEST")


@dataclass(frozen=True)
class Radiograph:
    """A radiograph as it left its file. The identifiers are the source's own: they go no further than ingest.

    Args:
        pixels: uint8 [height, width] at full resolution, high attenuation bright.
        source_sha256: hexadecimal digest of the file's bytes.
        pixel_sha256: hexadecimal digest of the grey values and their shape.
        identifiers: patient, study, instance and accession as the header has them; empty for plain images.
        view, sex, age_years, manufacturer: context; see `cxr.manifest.COLUMNS`.
        decisions: what was done to the pixels, in words, by step.
        flags: codes of what is odd; see `cxr.ingest.outcome.CODES`.
    """

    pixels: npt.NDArray[np.uint8]
    source_sha256: str
    pixel_sha256: str
    identifiers: dict[str, str]
    view: str
    sex: str
    age_years: float
    manufacturer: str
    decisions: dict[str, str]
    flags: tuple[str, ...]


def parse_view(text: str | None) -> str:
    """A view of `cxr.manifest.VIEWS` from ViewPosition or a table's cell."""
    return _VIEWS.get((text or "").strip().upper(), "unknown")


def parse_sex(text: str | None) -> str:
    """A sex of `cxr.manifest.SEXES` from PatientSex or a table's cell."""
    return _SEXES.get((text or "").strip().upper(), "unknown")


def read_dicom(path: Path) -> Radiograph:
    """Read a DICOM file.

    Raises:
        Refused: the file is not taken; the code says why.
    """
    data = _read_bytes(path)
    try:
        # pydicom warns about each odd value; what matters of them is judged here, by rule
        with warnings.catch_warnings(action="ignore"):
            return _interpret(pydicom.dcmread(io.BytesIO(data)), data)
    except InvalidDicomError as error:
        raise Refused("unreadable", "no DICOM header") from error
    except _MALFORMED as error:
        raise Refused("unreadable", type(error).__name__) from error


def read_image(path: Path) -> Radiograph:
    """Read a PNG or JPEG file of a grey radiograph; bright must already mean high attenuation.

    Raises:
        Refused: the file is not taken; the code says why.
    """
    data = _read_bytes(path)
    # the decoder fills what is cut off with grey; neither marker can stand inside the compressed data
    if data.startswith(_JPEG_START) and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        raise Refused("unreadable", "the JPEG has no end marker")
    try:
        pixels = np.asarray(imagecodecs.imread(data, codec=["jpeg8", "png"]))
    except _MALFORMED as error:
        raise Refused("unreadable", "neither a whole PNG nor a whole JPEG") from error
    pixels = _grey(pixels)
    if pixels.min() == pixels.max():
        raise Refused("constant")
    decisions = {"voi": "as published"}
    return Radiograph(pixels, _sha256(data), _pixel_digest(pixels), {}, "unknown", "unknown", np.nan, "", decisions, ())


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refused("unreadable", error.strerror or type(error).__name__) from error
    if not data:
        raise Refused("empty")
    return data


def _interpret(header: FileDataset, data: bytes) -> Radiograph:
    _check_scope(header)
    identifiers = _identifiers(header)
    normalised = normalise.normalise(_decode(header), header)
    age, implausible = pooled_age(_text(header, "PatientAge"))
    return Radiograph(
        pixels=normalised.pixels,
        source_sha256=_sha256(data),
        pixel_sha256=_pixel_digest(normalised.pixels),
        identifiers=identifiers,
        view=parse_view(_text(header, "ViewPosition")),
        sex=parse_sex(_text(header, "PatientSex")),
        age_years=age,
        manufacturer=_text(header, "Manufacturer"),
        decisions={"syntax": header.file_meta.TransferSyntaxUID.name, **normalised.decisions},
        flags=(*normalised.flags, *(("age-implausible",) if implausible else ())),
    )


def _decode(header: FileDataset) -> decode.Frame:
    try:
        return decode.decode(header)
    except _MALFORMED as error:
        raise Refused("decode-failed", type(error).__name__) from error


def _check_scope(header: Dataset) -> None:
    modality = _text(header, "Modality").upper()
    if modality not in ("CR", "DX"):
        raise Refused("modality", modality if modality.isalpha() and len(modality) == 2 else "")
    if _text(header, "BodyPartExamined").upper() not in _CHEST:
        raise Refused("not-chest")
    if parse_view(_text(header, "ViewPosition")) == "LATERAL":
        raise Refused("lateral")
    if _text(header, "PresentationIntentType").upper() == "FOR PROCESSING":
        raise Refused("for-processing")
    if int(header.get("NumberOfFrames", 1) or 1) != 1:
        raise Refused("multi-frame", f"{header.NumberOfFrames} frames")
    if "PixelData" not in header:
        raise Refused("no-pixels")
    if header.SamplesPerPixel != 1 or _text(header, "PhotometricInterpretation").upper() not in _MONOCHROME:
        raise Refused("colour")


def _text(header: Dataset, name: str) -> str:
    """An attribute as text, empty where there is none; one with several values is none of the texts that are looked for."""
    value = header.get(name)
    return "" if value is None else str(value).strip()


def _identifiers(header: Dataset) -> dict[str, str]:
    names = ("PatientID", "StudyInstanceUID", "SOPInstanceUID")
    values = {name: _text(header, name) for name in (*names, "AccessionNumber")}
    if not all(values[name] for name in names):
        raise Refused("no-identity", ", ".join(name for name in names if not values[name]))
    return values


def _grey(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """uint8 [height, width] of a decoded image; some published PNG files repeat their grey values in RGB(A)."""
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        if (pixels[..., :1] != pixels[..., :3]).any():
            raise Refused("colour")
        pixels = pixels[..., 0]
    if pixels.ndim == 3 and pixels.shape[2] == 2:  # grey and alpha
        pixels = pixels[..., 0]
    if pixels.ndim != 2:
        raise Refused("colour", f"an array of shape {pixels.shape}")
    if pixels.dtype == np.uint16:
        return np.asarray(np.round(pixels / 257), np.uint8)
    if pixels.dtype != np.uint8:
        raise Refused("unreadable", f"pixels of type {pixels.dtype}")
    return pixels


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _pixel_digest(pixels: npt.NDArray[np.uint8]) -> str:
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


# Values that break their VR are common and mostly harmless; reading must not warn or raise on them before the rules see them.
pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
