"""Flagged: the picture can be used, and something about it cannot be believed."""

from __future__ import annotations

from pydicom import uid

from tests.ingest.corpus.dicom_file import clean, coded, dicom
from tests.ingest.corpus.odd_file import Group, Words
from tests.ingest.corpus.raw import element, spliced

group = Group()
flagged = group.flagged


@flagged("A window without width shows nothing.", "window-unusable", twin=clean)
def window_of_width_0(words: Words) -> bytes:
    return dicom(words, WindowCenter="2048", WindowWidth="0")


@flagged("A window that is no number.", "window-unusable", twin=clean)
def window_in_words(words: Words) -> bytes:
    data = spliced(clean(words), element(0x00281050, b"DS", b"auto"))
    return spliced(data, element(0x00281051, b"DS", b"auto"))


@flagged("A function that the standard does not have.", "window-unusable", twin=clean)
def window_of_unknown_function(words: Words) -> bytes:
    return dicom(words, WindowCenter="2048", WindowWidth="4096", VOILUTFunction="CUBIC")


@flagged("A window far above all values.", "window-out-of-range", twin=clean)
def window_out_of_range(words: Words) -> bytes:
    return dicom(words, WindowCenter="40000", WindowWidth="400")


@flagged("A window for values before they were rescaled.", "window-out-of-range", twin=clean)
def window_before_rescaling(words: Words) -> bytes:
    return dicom(words, RescaleSlope="0.1", RescaleIntercept="-8000", WindowCenter="2048", WindowWidth="2000")


@flagged("Low values are bright, says one attribute alone.", "inverted", "polarity-contradiction", twin=clean)
def monochrome2_inverse(words: Words) -> bytes:
    return dicom(4095 - words, PresentationLUTShape="INVERSE")


@flagged(
    "Low values are bright, says one attribute, and another the contrary.", "inverted", "polarity-contradiction", twin=clean
)
def monochrome1_identity(words: Words) -> bytes:
    return dicom(4095 - words, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY")


@flagged("Letters that stand for no direction.", "orientation-unclear", twin=clean)
def orientation_of_other_letters(words: Words) -> bytes:
    return dicom(words, PatientOrientation=["X", "Y"])


@flagged("One direction of two.", "orientation-unclear", twin=clean)
def orientation_of_rows_alone(words: Words) -> bytes:
    return dicom(words, PatientOrientation="L")


@flagged("PA by its view, lateral by its orientation.", "view-contradiction", "orientation-unclear", twin=clean)
def orientation_of_a_lateral(words: Words) -> bytes:
    return dicom(words, PatientOrientation=["P", "F"])


@flagged("PA by its code, AP by its position.", "view-contradiction", twin=clean)
def view_contradiction(words: Words) -> bytes:
    return dicom(words, ViewCodeSequence=coded("R-10214", "postero-anterior"), ViewPosition="AP")


@flagged("Nothing tells the view.", "view-unknown", twin=clean)
def view_unknown(words: Words) -> bytes:
    return dicom(words, without=("ViewPosition", "PatientOrientation"))


@flagged("Nothing tells the body part.", "body-part-unknown", twin=clean)
def body_part_unknown(words: Words) -> bytes:
    return dicom(words, without=("BodyPartExamined",))


@flagged("Nobody is 148 years old.", "age-implausible", twin=clean)
def age_148(words: Words) -> bytes:
    return dicom(words, PatientAge="148Y")


@flagged("Nobody is younger than nothing.", "age-implausible", twin=clean)
def age_negative(words: Words) -> bytes:
    return dicom(words, PatientAge="-12Y")


@flagged("Half of the picture is the collimator.", "collimation")
def collimation(words: Words) -> bytes:
    words = words.copy()
    words[:24] = words[-24:] = 0
    return dicom(words)


@flagged("All of it in a twentieth of the grey scale.", "low-contrast")
def low_contrast(words: Words) -> bytes:
    return dicom(1500 + words // 20)


@flagged(
    "A radiograph that an archive converted: its modality is still that of how it was taken.", "secondary-capture", twin=clean
)
def converted_radiograph(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="CR")
