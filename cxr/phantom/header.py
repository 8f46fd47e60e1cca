"""The header of a synthetic examination: made-up people, institutions and dates, in the shape of real ones."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from typing import Literal

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from cxr.phantom.encoding import Encoding

DX_FOR_PRESENTATION = UID("1.2.840.10008.5.1.4.1.1.1.1")
CR_STORAGE = UID("1.2.840.10008.5.1.4.1.1.1")
DETECTOR_MM = 430.0
"""Length of the detector's longer side."""

_DEVICES = (
    ("Phantom Imaging", "Thorax One", "St. Phantom Hospital"),
    ("PhantomRay", "PR-2000", "Phantom General"),
    ("Phantom Medical Systems", "DigitalChest", "University Hospital Phantom"),
)
# SNOMED CT codes of CID 4010, by projection
_VIEW_CODES = {"PA": ("272479007", "postero-anterior"), "AP": ("399348003", "antero-posterior")}


@dataclass(frozen=True)
class Examination:
    """Who was examined, when and how.

    Args:
        patient: number of the patient in the cohort.
        study_uid, series_uid, instance_uid: DICOM UIDs.
        sex: "M" or "F".
        age_years: age on the date of the examination.
        birth_date, date, time: of the patient and of the examination.
        view: projection.
        device: number of the device.
        view_code: whether ViewCodeSequence is written beside ViewPosition.
    """

    patient: int
    study_uid: str
    series_uid: str
    instance_uid: str
    sex: Literal["M", "F"]
    age_years: int
    birth_date: datetime.date
    date: datetime.date
    time: datetime.time
    view: Literal["PA", "AP"]
    device: int
    view_code: bool


def derived_uid(*parts: object) -> str:
    """A DICOM UID (form 2.25) that is the same for the same parts."""
    digest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def build_header(examination: Examination, encoding: Encoding) -> Dataset:
    """Everything of a DICOM file but its pixels."""
    dataset = Dataset()
    dataset.file_meta = _file_meta(examination, encoding)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = examination.instance_uid
    _add_patient(dataset, examination)
    _add_study(dataset, examination)
    _add_series(dataset, examination, encoding)
    _add_projection(dataset, examination)
    return dataset


def _file_meta(examination: Examination, encoding: Encoding) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = DX_FOR_PRESENTATION if encoding.modality == "DX" else CR_STORAGE
    meta.MediaStorageSOPInstanceUID = UID(examination.instance_uid)
    meta.TransferSyntaxUID = UID(encoding.transfer_syntax)
    meta.ImplementationClassUID = UID(derived_uid("cxr phantom"))
    meta.ImplementationVersionName = "CXR_PHANTOM"
    return meta


def _add_patient(dataset: Dataset, examination: Examination) -> None:
    dataset.PatientName = f"PHANTOM^{examination.patient:04d}"
    dataset.PatientID = f"PHANTOM-{examination.patient:04d}"
    dataset.PatientBirthDate = f"{examination.birth_date:%Y%m%d}"
    dataset.PatientSex = examination.sex
    dataset.PatientAge = f"{examination.age_years:03d}Y"


def _add_study(dataset: Dataset, examination: Examination) -> None:
    dataset.StudyInstanceUID = examination.study_uid
    dataset.StudyID = examination.study_uid[-8:]
    dataset.AccessionNumber = f"PH{examination.study_uid[-10:]}"
    dataset.ReferringPhysicianName = "PHANTOM^REFERRER"
    dataset.StudyDescription = "Chest radiograph"
    for attribute in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(dataset, attribute, f"{examination.date:%Y%m%d}")
    for attribute in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"):
        setattr(dataset, attribute, f"{examination.time:%H%M%S}")


def _add_series(dataset: Dataset, examination: Examination, encoding: Encoding) -> None:
    dataset.SeriesInstanceUID = examination.series_uid
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = 1
    dataset.Modality = encoding.modality
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.Manufacturer, dataset.ManufacturerModelName, dataset.InstitutionName = _DEVICES[examination.device % len(_DEVICES)]
    dataset.StationName = f"PHANTOM{examination.device % len(_DEVICES) + 1}"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""] if encoding.modality == "DX" else ["ORIGINAL", "PRIMARY"]
    dataset.BurnedInAnnotation = "NO"


def _add_projection(dataset: Dataset, examination: Examination) -> None:
    dataset.BodyPartExamined = "CHEST"
    dataset.Laterality = ""
    dataset.ImageLaterality = "U"
    dataset.ViewPosition = examination.view
    dataset.PatientOrientation = ["L", "F"]
    if examination.view_code:
        dataset.ViewCodeSequence = [_coded(*_VIEW_CODES[examination.view])]
        dataset.AnatomicRegionSequence = [_coded("51185008", "Chest")]


def _coded(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = "SCT"
    item.CodeMeaning = meaning
    return item
