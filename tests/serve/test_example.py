from __future__ import annotations

from io import BytesIO

import pydicom

from cxr.ingest.read.dicom import read_dicom
from cxr.serve.example import example_dicom


def test_the_example_is_a_small_phantom_that_is_taken_as_it_is():
    data = example_dicom()
    assert len(data) < 20_000
    assert read_dicom(data).codes == ()
    assert pydicom.dcmread(BytesIO(data)).PatientID.startswith("PHANTOM")


def test_the_example_is_always_the_same():
    assert example_dicom() == example_dicom()
