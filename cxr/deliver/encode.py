"""An object as the bytes of a DICOM file."""

from __future__ import annotations

import io
import warnings

from pydicom import dcmwrite
from pydicom.dataset import Dataset


def encode(item: Dataset) -> bytes:
    """The bytes of a file (PS3.10) that holds the object."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):  # of odd values of the source, which they quote
        dcmwrite(buffer, item, enforce_file_format=True)
    return buffer.getvalue()
