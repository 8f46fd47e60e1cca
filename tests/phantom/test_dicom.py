from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom import uid

from cxr.ingest.read.decode import decode as strictly_decoded
from cxr.phantom.canvas import Pose
from cxr.phantom.dicom import build_dicom, write_dicom
from cxr.phantom.encoding import ENCODINGS, EVERY_SYNTAX, LOSSY_METHODS, stored_values
from cxr.phantom.render import render


@pytest.fixture(scope="module")
def picture(anatomy):
    return render(anatomy, Pose(), {"Nodule": 0.6}, (121, 99), (1,)).picture


@pytest.fixture(params=ENCODINGS, ids=lambda e: f"{uid.UID(e.transfer_syntax).keyword}-{e.photometric}-{e.bits}")
def encoding(request):
    return request.param


@pytest.fixture
def dataset(picture, examination, encoding, tmp_path):
    write_dicom(tmp_path / "image.dcm", build_dicom(picture, examination, encoding))
    return pydicom.dcmread(tmp_path / "image.dcm")


def test_lossless_files_give_the_stored_values_back_exactly(dataset, picture, encoding, decode):
    values = decode(dataset)
    if encoding.lossless:
        assert np.array_equal(values, stored_values(picture, encoding))
    assert values.shape == (dataset.Rows, dataset.Columns) == (121, 99)


def test_every_encoding_displays_the_same_picture(dataset, picture, encoding, display):
    low, high = encoding.stored_range
    error = np.abs(display(dataset) - picture)
    assert error.max() < (0.51 / (high - low) + 1e-6 if encoding.lossless else 0.04)
    assert error.mean() < 0.01


def test_header_keeps_to_what_the_standard_asks(dataset, encoding):
    assert dataset.file_meta.TransferSyntaxUID == encoding.transfer_syntax
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert dataset.BitsAllocated == (8 if encoding.bits == 8 else 16)
    assert dataset.HighBit == dataset.BitsStored - 1 == encoding.bits - 1
    assert all(uid.UID(dataset[name].value).is_valid for name in ("StudyInstanceUID", "SeriesInstanceUID"))
    assert dataset.LossyImageCompression == ("00" if encoding.lossless else "01")
    if encoding.modality == "DX":
        inverse = dataset.PhotometricInterpretation == "MONOCHROME1"
        assert dataset.PresentationLUTShape == ("INVERSE" if inverse else "IDENTITY")
        assert (dataset.RescaleSlope, dataset.RescaleIntercept) == (1, 0)


@pytest.mark.parametrize("encoding", EVERY_SYNTAX, ids=lambda e: uid.UID(e.transfer_syntax).keyword)
def test_files_of_every_syntax_decode_to_what_was_stored(picture, examination, encoding, tmp_path):
    write_dicom(tmp_path / "image.dcm", build_dicom(picture, examination, encoding))
    header = pydicom.dcmread(tmp_path / "image.dcm")
    error = np.abs(strictly_decoded(header).astype(int) - stored_values(picture, encoding))
    assert error.max() <= (0 if encoding.lossless else 2**encoding.bits * 0.02)
    assert header.get("LossyImageCompressionMethod") == LOSSY_METHODS.get(encoding.transfer_syntax)
    assert header.LossyImageCompression == ("00" if encoding.lossless else "01")
