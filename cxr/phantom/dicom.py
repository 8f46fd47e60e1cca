"""A radiograph as a DICOM file."""

from __future__ import annotations

from pathlib import Path

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from cxr.phantom.canvas import FloatImage
from cxr.phantom.encoding import LOSSY_METHODS, Encoding, StoredValues, compressed_frame, stored_values
from cxr.phantom.header import DETECTOR_MM, Examination, build_header


def build_dicom(picture: FloatImage, examination: Examination, encoding: Encoding) -> Dataset:
    """A radiograph as a DICOM data set, ready to be saved.

    Args:
        picture: float32 [rows, columns] in 0..1, 1 is white.
        examination: who, when and how.
        encoding: how the picture is stored.
    """
    dataset = build_header(examination, encoding)
    values = stored_values(picture, encoding)
    _add_matrix(dataset, values, encoding)
    _add_display(dataset, encoding)
    _add_pixels(dataset, values, encoding)
    return dataset


def write_dicom(path: Path, dataset: Dataset) -> None:
    """Write a data set as a DICOM file (PS3.10), with preamble and file meta information.

    Raises:
        OSError: the file cannot be written.
    """
    dataset.save_as(path, enforce_file_format=True)


def _add_matrix(dataset: Dataset, values: StoredValues, encoding: Encoding) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = encoding.photometric
    dataset.Rows, dataset.Columns = values.shape
    dataset.BitsAllocated = 8 * values.itemsize
    dataset.BitsStored = encoding.bits
    dataset.HighBit = encoding.bits - 1
    dataset.PixelRepresentation = 0
    spacing = _decimal(DETECTOR_MM / max(values.shape))
    dataset.ImagerPixelSpacing = [spacing, spacing]
    dataset.PixelSpacing = [spacing, spacing]


def _add_display(dataset: Dataset, encoding: Encoding) -> None:
    """Modality LUT, window and polarity; DX requires the first and the last, CR has them where they say something."""
    if encoding.modality == "DX":
        dataset.PixelIntensityRelationship = "LOG"
        dataset.PixelIntensityRelationshipSign = 1 if encoding.photometric == "MONOCHROME1" else -1
        dataset.PresentationLUTShape = "INVERSE" if encoding.photometric == "MONOCHROME1" else "IDENTITY"
    if encoding.modality == "DX" or (encoding.slope, encoding.intercept) != (1.0, 0.0):
        dataset.RescaleSlope, dataset.RescaleIntercept = _decimal(encoding.slope), _decimal(encoding.intercept)
        dataset.RescaleType = "US"
    if encoding.window is None:
        return
    center, width = encoding.window_center_width
    dataset.WindowCenter, dataset.WindowWidth = _decimal(center), _decimal(width)
    if encoding.window != "LINEAR":
        dataset.VOILUTFunction = encoding.window


def _add_pixels(dataset: Dataset, values: StoredValues, encoding: Encoding) -> None:
    frame = compressed_frame(values, encoding)
    dataset.LossyImageCompression = "00" if encoding.lossless else "01"
    if frame is None:
        big_endian = encoding.transfer_syntax == uid.ExplicitVRBigEndian
        raw = values.astype(values.dtype.newbyteorder(">" if big_endian else "<")).tobytes()
        dataset.PixelData = raw + b"\0" * (len(raw) % 2)
        dataset["PixelData"].VR = "OW" if encoding.bits > 8 else "OB"
        return
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    if not encoding.lossless:
        dataset.LossyImageCompressionRatio = _decimal(values.nbytes / len(frame))
        dataset.LossyImageCompressionMethod = LOSSY_METHODS[encoding.transfer_syntax]


def _decimal(value: float) -> str:
    """A number as a DICOM decimal string, at most 16 characters."""
    return f"{value:.8g}"
