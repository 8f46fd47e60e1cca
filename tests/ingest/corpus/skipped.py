"""Skipped: sound files that are no frontal chest radiograph."""

from __future__ import annotations

from pydicom import uid

from tests.ingest.corpus.dicom_file import IMAGE_ATTRIBUTES, coded, dataset, dicom, written
from tests.ingest.corpus.odd_file import Group, Words
from tests.ingest.corpus.pictures import EXPLICIT

group = Group()
skipped = group.skipped


@skipped("A report.", "not-an-image")
def report(words: Words) -> bytes:
    return dicom(words, without=IMAGE_ATTRIBUTES, SOPClassUID=uid.ComprehensiveSRStorage, Modality="SR")


@skipped("How an image is to be shown, without the image.", "not-an-image")
def presentation_state(words: Words) -> bytes:
    return dicom(words, without=IMAGE_ATTRIBUTES, SOPClassUID=uid.GrayscaleSoftcopyPresentationStateStorage, Modality="PR")


@skipped("A letter in PDF.", "not-an-image")
def encapsulated_pdf(words: Words) -> bytes:
    return dicom(
        words, without=IMAGE_ATTRIBUTES, SOPClassUID=uid.EncapsulatedPDFStorage, Modality="DOC",
        EncapsulatedDocument=b"%PDF-1.7\n" + bytes(99),
    )  # fmt: skip


@skipped("A selection of images.", "not-an-image")
def key_objects(words: Words) -> bytes:
    return dicom(words, without=IMAGE_ATTRIBUTES, SOPClassUID=uid.KeyObjectSelectionDocumentStorage, Modality="KO")


@skipped("A slice of a CT.", "modality")
def ct(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.CTImageStorage, Modality="CT", RescaleIntercept="-1024", RescaleSlope="1")


@skipped("A slice of an MR.", "modality")
def mr(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.MRImageStorage, Modality="MR")


@skipped("A mammogram.", "modality")
def mammogram(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.DigitalMammographyXRayImageStorageForPresentation, Modality="MG")


@skipped("A digitised film, which only the configuration can ask for.", "modality")
def secondary_capture(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="OT")


@skipped("The table of contents of a medium.", "dicomdir")
def dicomdir(words: Words) -> bytes:
    header = dataset(words, without=(*IMAGE_ATTRIBUTES, "Modality", "SOPClassUID", "PatientID", "StudyInstanceUID"))
    header.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    header.FileSetID, header.DirectoryRecordSequence = "CHEST", []
    return written(header)


@skipped("A hand.", "not-chest")
def hand(words: Words) -> bytes:
    return dicom(words, BodyPartExamined="HAND")


@skipped("A hand, by its code alone.", "not-chest")
def hand_by_its_code(words: Words) -> bytes:
    return dicom(words, without=("BodyPartExamined",), AnatomicRegionSequence=coded("T-D8700", "Hand"))


@skipped("A lateral chest.", "lateral")
def lateral(words: Words) -> bytes:
    return dicom(words, ViewPosition="LL", PatientOrientation=["P", "F"])


@skipped("What is out of scope is said first, whatever else is wrong with it.", "not-chest")
def hand_with_a_damaged_frame(words: Words) -> bytes:
    return dicom(words, EXPLICIT, b"\0\1", BodyPartExamined="HAND", BurnedInAnnotation="YES", NumberOfFrames=3)
