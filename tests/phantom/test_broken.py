from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from pydicom.errors import InvalidDicomError

from cxr.phantom.broken import DEFECTS, file_bytes
from cxr.phantom.dicom import build_dicom
from cxr.phantom.encoding import ENCODINGS

PICTURE = np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(64, 48)


@pytest.fixture
def dataset(examination):
    return build_dicom(PICTURE, examination, ENCODINGS[0])


def _read(content):
    return pydicom.dcmread(io.BytesIO(content))


def test_truncated_files_have_half_of_the_bytes_and_not_all_pixels(dataset):
    whole = file_bytes(dataset)
    half = DEFECTS["truncated"](dataset)
    assert half == whole[: len(whole) // 2]
    with pytest.raises((ValueError, AttributeError, EOFError)):
        _ = _read(half).pixel_array


@pytest.mark.parametrize("defect", ["text", "empty"])
def test_text_and_nothing_are_no_dicom(dataset, defect):
    with pytest.raises((InvalidDicomError, EOFError)):
        _read(DEFECTS[defect](dataset))


def test_a_header_without_pixels_reads_but_has_none(dataset):
    assert "PixelData" not in _read(DEFECTS["no_pixel_data"](dataset))


def test_a_screenshot_is_a_colour_secondary_capture(dataset):
    read = _read(DEFECTS["screenshot"](dataset))
    assert read.SOPClassUID.name == "Secondary Capture Image Storage"
    assert read.PhotometricInterpretation == "RGB"
    assert read.pixel_array.shape == (64, 48, 3)


def test_a_constant_image_has_one_value(dataset):
    assert len(np.unique(_read(DEFECTS["constant"](dataset)).pixel_array)) == 1
