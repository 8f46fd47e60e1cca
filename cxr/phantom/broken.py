"""Files as they turn up in every archive: cut off, empty, not DICOM, or DICOM without a radiograph in it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

_SECONDARY_CAPTURE = UID("1.2.840.10008.5.1.4.1.1.7")


def file_bytes(dataset: Dataset) -> bytes:
    """A data set as the bytes of a DICOM file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def truncated(dataset: Dataset) -> bytes:
    """The first half of the file."""
    whole = file_bytes(dataset)
    return whole[: len(whole) // 2]


def text(dataset: Dataset) -> bytes:
    """A note that somebody saved under the name of an image."""
    return f"The image {dataset.SOPInstanceUID} could not be exported. Please ask the archive.\n".encode()


def empty(dataset: Dataset) -> bytes:
    """Nothing."""
    del dataset
    return b""


def no_pixel_data(dataset: Dataset) -> bytes:
    """A whole header without its pixels."""
    del dataset.PixelData
    return file_bytes(dataset)


def screenshot(dataset: Dataset) -> bytes:
    """A colour screenshot of the workstation, stored as Secondary Capture under the patient's name."""
    rows, columns = dataset.Rows, dataset.Columns
    colours = np.full((rows, columns, 3), (32, 40, 64), np.uint8)
    colours[rows // 4 : rows // 2, columns // 4 : columns // 2] = (200, 160, 40)
    _replace_pixels(dataset, colours)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = _SECONDARY_CAPTURE
    dataset.Modality, dataset.ConversionType = "OT", "WSD"
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel, dataset.PlanarConfiguration = "RGB", 3, 0
    for attribute in ("PresentationIntentType", "PresentationLUTShape", "WindowCenter", "WindowWidth"):
        if attribute in dataset:
            delattr(dataset, attribute)
    return file_bytes(dataset)


def constant(dataset: Dataset) -> bytes:
    """A radiograph whose every pixel has the same value, as after a failed exposure."""
    _replace_pixels(dataset, np.full((dataset.Rows, dataset.Columns), 128, np.uint8))
    return file_bytes(dataset)


def _replace_pixels(dataset: Dataset, values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    """Put uncompressed 8-bit values in the place of the pixels."""
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = values.tobytes() + b"\0" * (values.size % 2)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = False


DEFECTS: Mapping[str, Callable[[Dataset], bytes]] = MappingProxyType(
    {
        "truncated": truncated,
        "text": text,
        "empty": empty,
        "no_pixel_data": no_pixel_data,
        "screenshot": screenshot,
        "constant": constant,
    }
)
"""The kinds of broken file by name; each takes a good data set, which it may change, and gives the file's bytes."""
