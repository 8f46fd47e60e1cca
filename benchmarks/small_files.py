"""Many small DICOM radiographs, quickly: what the benchmarks of ingest read where the number of files is the point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom import uid


def write_files(folder: Path, count: int, size: int = 96) -> None:
    """Write `count` files of `size` x `size` pixels of 12 bits, three to a patient, a hundred to a sub-folder."""
    header = pydicom.Dataset()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = uid.DigitalXRayImageStorageForPresentation
    header.Modality, header.BodyPartExamined, header.ViewPosition = "DX", "CHEST", "PA"
    header.StudyDate, header.PatientSex, header.PatientAge = "20240131", "F", "050Y"
    header.Rows = header.Columns = size
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    generator = np.random.default_rng(0)
    ramp = np.add.outer(np.linspace(300, 3000, size), np.linspace(0, 800, size))
    for number in range(count):
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        header.StudyInstanceUID, header.PatientID = f"1.2.4.{number // 2}", f"p{number // 3}"
        header.PixelData = (ramp + generator.normal(0, 40, ramp.shape)).astype("<u2").tobytes()
        header["PixelData"].VR = "OW"
        path = folder / f"{number // 100:04d}" / f"{number:06d}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        header.save_as(path, enforce_file_format=True)
