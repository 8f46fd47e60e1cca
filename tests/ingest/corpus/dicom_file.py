"""A sound chest radiograph as a DICOM file, of which any attribute and the pixel data can be made other than they should be."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from tests.ingest.corpus.odd_file import Words
from tests.ingest.corpus.pictures import BIG_ENDIAN, CODECS, DEFLATED, EXPLICIT, IMPLICIT, compressed, native, stored

IMAGE_ATTRIBUTES = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PixelData", "PatientOrientation", "ViewPosition", "BurnedInAnnotation", "PresentationIntentType",
)  # fmt: skip
_NATIVE = (EXPLICIT, IMPLICIT, DEFLATED, BIG_ENDIAN)


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
        "SOPClassUID": uid.DigitalXRayImageStorageForPresentation, "StudyDate": "20240301",
        "SOPInstanceUID": f"1.2.3.{zlib.crc32(words.tobytes())}",
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


def coded(value: str, meaning: str) -> list[Dataset]:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SRT", meaning
    return [code]


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


def clean_in(syntax: str, words: Words) -> bytes:
    return dicom(stored(words, syntax), syntax)
