"""Small DICOM files, made with pydicom and encoded with imagecodecs: what the tests of ingest read."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

Build = Callable[..., Dataset]


def _jpeg_2000(words: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(words, level=0, reversible=True, codecformat="j2k"))


def _high_throughput(words: np.ndarray) -> bytes:
    return bytes(imagecodecs.htj2k_encode(words, reversible=True))


def _jpeg_lossless(words: np.ndarray) -> bytes:
    return bytes(imagecodecs.ljpeg_encode(words, bitspersample=8 * words.itemsize))


def _jpeg_ls(words: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpegls_encode(words))


def _jpeg(words: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(words, level=95))


def _packbits(words: np.ndarray) -> bytes:
    """RLE Lossless by PS3.5 Annex G: literal runs of 128 bytes, the highest byte's segment first."""
    planes = words[..., None].view(np.uint8).reshape(*words.shape, -1)[..., ::-1]  # little endian: the high byte is last
    segments = []
    for index in range(planes.shape[-1]):
        plane = planes[..., index].tobytes()
        runs = [plane[start : start + 128] for start in range(0, len(plane), 128)]
        segment = b"".join(bytes([len(run) - 1]) + run for run in runs)
        segments.append(segment + b"\x80" * (len(segment) % 2))  # 128: no operation
    offsets = np.zeros(16, "<u4")
    offsets[0] = len(segments)
    offsets[1 : len(segments) + 1] = 64 + np.cumsum([0, *map(len, segments[:-1])])
    return offsets.tobytes() + b"".join(segments)


ENCODERS: dict[str, Callable[[np.ndarray], bytes]] = {
    uid.RLELossless: _packbits,
    uid.JPEGBaseline8Bit: _jpeg,
    uid.JPEGLossless: _jpeg_lossless,
    uid.JPEGLosslessSV1: _jpeg_lossless,
    uid.JPEGLSLossless: _jpeg_ls,
    uid.JPEGLSNearLossless: _jpeg_ls,
    uid.JPEG2000Lossless: _jpeg_2000,
    uid.JPEG2000: _jpeg_2000,
    uid.HTJ2KLossless: _high_throughput,
    uid.HTJ2K: _high_throughput,
}


def _build(
    words: np.ndarray,
    syntax: str = uid.ExplicitVRLittleEndian,
    encoded: bytes | None = None,
    drop: tuple[str, ...] = (),
    **attributes: Any,
) -> Dataset:
    """A chest radiograph whose stored words are `words` (uint8 or uint16); attributes override the defaults."""
    syntax = uid.UID(syntax)
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.file_meta.MediaStorageSOPClassUID = uid.DigitalXRayImageStorageForPresentation
    header.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    bits = 8 * words.itemsize
    defaults = {
        "PatientID": "patient-1", "StudyInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.4", "Modality": "DX",
        "Rows": words.shape[0], "Columns": words.shape[1], "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": bits, "BitsStored": bits, "PixelRepresentation": 0, "BodyPartExamined": "CHEST", "ViewPosition": "PA",
    }  # fmt: skip
    values = {**defaults, "HighBit": attributes.get("BitsStored", bits) - 1, **attributes}
    for name, value in values.items():
        if name not in drop:
            setattr(header, name, value)
    header.file_meta.MediaStorageSOPInstanceUID = values["SOPInstanceUID"] or "1.2"
    if encoded is None:
        encoded = ENCODERS[syntax](words) if syntax in ENCODERS else _native(words, syntax)
    if syntax.is_encapsulated:
        header.PixelData = encapsulate([encoded])
        header["PixelData"].is_undefined_length = True
    else:
        header.PixelData = encoded
    header["PixelData"].VR = "OB" if bits == 8 or syntax.is_encapsulated else "OW"
    if "PixelData" in drop:
        del header.PixelData
    return header


def _native(words: np.ndarray, syntax: uid.UID) -> bytes:
    data = words.astype(words.dtype.newbyteorder("<" if syntax.is_little_endian else ">")).tobytes()
    return data + b"\0" * (len(data) % 2)


def _bytes(header: Dataset) -> bytes:
    buffer = io.BytesIO()
    private = {} if header.file_meta.TransferSyntaxUID.is_transfer_syntax else {"implicit_vr": False, "little_endian": True}
    pydicom.dcmwrite(buffer, header, enforce_file_format=True, **private)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def build() -> Build:
    """Makes a dataset in memory: `build(words, syntax, **attributes)`."""
    return _build


@pytest.fixture(scope="session")
def reread() -> Callable[[Dataset], Dataset]:
    """The dataset as it comes back from a file."""
    return lambda header: pydicom.dcmread(io.BytesIO(_bytes(header)))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a dataset, or bytes, as a file and gives its path."""

    def save(content: Dataset | bytes, path: Path | str = "image.dcm") -> Path:
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else _bytes(content))
        return path

    return save
