"""A file to the image that a model is shown, by the reader of ingest: serving cannot differ from training."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from cxr.ingest.outcome import Refused
from cxr.ingest.read import attributes, normalise, part10
from cxr.ingest.read.canonical import VERSION, canonical
from cxr.ingest.read.dicom import MALFORMED, read_dicom
from cxr.ingest.read.image import read_image
from cxr.ingest.read.radiograph import Radiograph
from cxr.ingest.source.entry import LARGEST_FILE
from cxr.ingest.store import Preprocessing
from cxr.model.card import ModelCard

File = bytes | Path | Refused
"""The content of a file, where it lies, or why it cannot be had."""
Kind = Literal["dicom", "image"]
_NAMES = ("PatientID", "StudyInstanceUID", "SOPInstanceUID")


@dataclass(frozen=True)
class Identity:
    """Whose a file is, as its header says; empty where it has none. It goes no further than the answer to who asked.

    Args:
        patient: PatientID.
        study: StudyInstanceUID.
        instance: SOPInstanceUID.
    """

    patient: str = ""
    study: str = ""
    instance: str = ""


@dataclass(frozen=True)
class Origin:
    """What is kept of a file that is taken, beside its image.

    Args:
        digest: of the grey values as they left the file: equal for copies.
        identity: see there; empty for a plain image.
        codes: of what was corrected and of what is odd; see `cxr.ingest.outcome.CODES`.
    """

    digest: str
    identity: Identity
    codes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Picture:
    """What is scored of a file.

    Args:
        image: uint8 [size, size], canonical.
        origin: see there.
    """

    image: npt.NDArray[np.uint8]
    origin: Origin


def preprocessing_of(card: ModelCard) -> Preprocessing:
    """How this version of cxr makes the images of a model."""
    return Preprocessing(card.preprocessing.size, card.preprocessing.fit, normalise.VERSION, VERSION)


def read_picture(file: File, preprocessing: Preprocessing, kind: Kind = "dicom") -> Picture:
    """Read one file.

    Args:
        file: see `File`.
        preprocessing: of the canonical image.
        kind: whether it is a DICOM file, or a plain image (PNG or JPEG), which has no header.

    Raises:
        Refused: the file is not taken; the code says why.
    """
    radiograph = _read(_content(file), kind)
    try:
        image = canonical(radiograph.pixels, preprocessing.size, preprocessing.fit)
    except MemoryError as error:
        raise Refused("too-much-memory") from error
    identity = Identity(*(radiograph.identifiers.get(name, "") for name in _NAMES))
    return Picture(np.asarray(image, np.uint8), Origin(radiograph.pixel_sha256, identity, radiograph.codes))


def identity_of(data: bytes) -> Identity:
    """Whose a DICOM file is that was not taken, as far as its header can be read."""
    try:
        header = part10.parse(data, header_only=True).header
        return Identity(*(attributes.text(header, name) for name in _NAMES))
    except (Refused, MemoryError, *MALFORMED):  # it has its reason already
        return Identity()


def _read(data: bytes, kind: Kind) -> Radiograph:
    if kind == "dicom":
        return read_dicom(data)
    return read_image(data)


def _content(file: File) -> bytes:
    if isinstance(file, Refused):
        raise file
    if isinstance(file, Path):
        try:
            return _on_disk(file)
        except OSError as error:  # its words quote the path
            raise Refused("not-read", error.strerror or type(error).__name__) from None
    if len(file) > LARGEST_FILE:
        raise Refused("too-large", f"{len(file)} bytes")
    return file


def _on_disk(path: Path) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
        raise Refused("not-read", "it is no file")
    if status.st_size > LARGEST_FILE:
        raise Refused("too-large", f"{status.st_size} bytes")
    return path.read_bytes()
