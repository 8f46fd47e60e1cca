"""Whose result it is: patient and study of a source file, taken over as they stand.

This is the only place of cxr that writes what identifies a patient. It is the hospital's own data on the way back to it: a PACS
files an object by exactly these values, so that nothing of them is mended. Texts are written in Unicode (ISO_IR 192), whatever
the source is written in.
"""

from __future__ import annotations

import warnings
from typing import Any

from highdicom import SOPClass
from pydicom import uid
from pydicom.dataset import Dataset

from cxr import __version__
from cxr.deliver.model import ReportedModel
from cxr.deliver.result import Undeliverable

CHARACTERS = "ISO_IR 192"
_LOST = "\N{REPLACEMENT CHARACTER}"
_IMAGES = (
    uid.DigitalXRayImageStorageForPresentation,
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForProcessing,
    uid.SecondaryCaptureImageStorage,
)
_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate", "StudyTime",
    "ReferringPhysicianName",
)  # fmt: skip


def reference_to(header: Dataset) -> Dataset:
    """What a new object needs to know of a source image to refer to it; nothing of the patient.

    Raises:
        Undeliverable: the header does not tell which object it is, or is of a kind that radiographs do not have.
    """
    reference = Dataset()
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        value = str(header.get(name) or "")
        if not value:
            raise Undeliverable(f"an image has no {name}, so that nothing can refer to it")
        setattr(reference, name, value)
    if reference.SOPClassUID not in _IMAGES:
        raise Undeliverable("an image is of a SOP class that is none of radiographs")
    for name in _EMPTY:
        setattr(reference, name, "")
    return reference


def take_over(target: SOPClass, source: Dataset) -> None:
    """Give an object the patient and the study of a source image: all attributes of these modules, as they stand.

    Args:
        target: the new object.
        source: the header of the image.

    Raises:
        Undeliverable: the patient's name or ID cannot be read in the source's character set.
    """
    with warnings.catch_warnings(action="ignore"):  # of texts that cannot be read, which they quote
        texts = [str(source.get(name, "")) for name in ("PatientName", "PatientID")]
    if any(_LOST in text for text in texts):
        raise Undeliverable("the patient's name or ID cannot be read in the character set that its file names")
    target.copy_patient_and_study_information(source)
    for name in _EMPTY:  # each has to be there, if only empty (type 2)
        if name not in target:
            setattr(target, name, "")
    target.SpecificCharacterSet = CHARACTERS


def made_by(model: ReportedModel) -> dict[str, Any]:
    """What every new object says of the program that made it, and how it is written."""
    return {
        "manufacturer": "cxr",
        "manufacturer_model_name": model.name[:64],  # characters of the VR LO
        "software_versions": __version__,
        "specific_character_set": CHARACTERS,
        "transfer_syntax_uid": uid.ExplicitVRLittleEndian,
    }
