"""Whether a header is one of a frontal chest radiograph that may be taken, and if not, the most telling reason.

What is out of scope is said first and what is wrong with a file in scope after it, so that nobody has to look through a
quarantine for the pictures of hands. A Secondary Capture is taken and flagged where it says that it was acquired as CR or
DX; else only by choice, for nothing in it tells what it is.
"""

from __future__ import annotations

from typing import cast

from pydicom import uid
from pydicom.dataset import Dataset

from cxr.ingest.outcome import Refused
from cxr.ingest.read.attributes import text, words
from cxr.ingest.read.bodypart import shows_chest
from cxr.ingest.read.view import ViewFinding

RADIOGRAPHS = (uid.ComputedRadiographyImageStorage, uid.DigitalXRayImageStorageForPresentation)
"""The SOP classes that are taken."""
_FOR_PROCESSING = uid.DigitalXRayImageStorageForProcessing
_SECONDARY_CAPTURE = f"{uid.SecondaryCaptureImageStorage}."
# branches of the tree of SOP classes: presentation states, raw data with registrations and segmentations, value mappings,
# surfaces, structured reports, waveforms, encapsulated documents, assessments, annotations, displays, protocols, inventories;
# hanging protocols, palettes, implant templates
_WITHOUT_IMAGE = (
    *(f"1.2.840.10008.5.1.4.1.1.{branch}." for branch in (11, 66, 67, 68, 88, 9, 104, 90, 91, 131, 200, 201)),
    *(f"1.2.840.10008.5.1.4.{branch}." for branch in (38, 39, 43, 44, 45)),
)

# Defined terms of Modality, PS3.3 C.7.3.1.1.1: they may be quoted, any other text may not
_IMAGE_MODALITIES = set(
    words("""
    BDUS BI BMD CR CT CFM DG DM DMS DX ES GM HC IO IVOCT IVUS LP LS MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA
    POS PT PX RF RG RTIMAGE SM STAIN TEXTUREMAP TG US XA XC
    """)
)
_OBJECT_MODALITIES = set(
    words("""
    ANN AR ASMT AU CTPROTOCOL DOC ECG EEG EMG EOG EPS FID HD IOL KER KO LEN M3D PLAN PR REG RESP RTDOSE RTINTENT RTPLAN RTRAD
    RTRECORD RTSEGANN RTSTRUCT RWV SEG SMR SR SRF VA XAPROTOCOL
    """)
)
_RADIOGRAPHY = ("CR", "DX")
_COUNTED_FRAMES = 10_000  # a larger number is no count, and may be anybody's
_CAPTURED_MODALITIES = ("CR", "DX", "OT", "RG", "")  # Modality is optional in a Secondary Capture, and OT or RG if digitised


def check_scope(header: Dataset, view: ViewFinding, *, pixels: bool, secondary_capture: bool = False) -> tuple[str, ...]:
    """Refuse what is not to be taken.

    Args:
        header: a dataset, with its file meta information where there is one.
        view: what `cxr.ingest.read.view.find_view` says of it.
        pixels: whether the file has pixel data; `header` may come without them.
        secondary_capture: take monochrome Secondary Captures of other modalities too.

    Returns:
        Codes of flags: "secondary-capture", "body-part-unknown".

    Raises:
        Refused: the file is not taken; of several reasons, what puts it out of scope goes before what is wrong with it.
    """
    captured = _check_kind(header, secondary_capture)
    chest = shows_chest(header)
    if chest is False:
        raise Refused("not-chest")
    if view.view == "LATERAL":
        raise Refused("lateral")
    _check_image(header, pixels)
    flags = {"secondary-capture": captured, "body-part-unknown": chest is None}
    return tuple(code for code, raised in flags.items() if raised)


def _check_kind(header: Dataset, secondary_capture: bool) -> bool:
    """Refuse what is no radiograph; says whether it is a Secondary Capture."""
    classes = _sop_classes(header)
    modality = text(header, "Modality").upper()
    if uid.MediaStorageDirectoryStorage in classes or "DirectoryRecordSequence" in header:
        raise Refused("dicomdir")
    sop_class = next(iter(classes), "")
    if modality in _OBJECT_MODALITIES or f"{sop_class}.".startswith(_WITHOUT_IMAGE):
        raise Refused("not-an-image", modality if modality in _OBJECT_MODALITIES else "")
    captured = f"{sop_class}.".startswith(_SECONDARY_CAPTURE)
    if modality not in (_CAPTURED_MODALITIES if captured else _RADIOGRAPHY):
        raise Refused("modality", modality if modality in _IMAGE_MODALITIES else "")
    if captured:
        if _in_colour(header):  # a screenshot: worth a look, since a radiograph may be in it
            raise Refused("colour", "a Secondary Capture")
        if not (secondary_capture or modality in _RADIOGRAPHY):  # archives convert what was acquired as CR or DX
            raise Refused("modality", "a Secondary Capture")
    elif sop_class not in (*RADIOGRAPHS, _FOR_PROCESSING, ""):
        raise Refused("modality", f"{modality}, with the SOP class of something else")
    return captured


def _sop_classes(header: Dataset) -> tuple[str, ...]:
    """The SOP class of the dataset, then that of the file meta information; a DICOMDIR has only the second."""
    meta = cast("Dataset | None", getattr(header, "file_meta", None))
    told = (text(header, "SOPClassUID"), "" if meta is None else text(meta, "MediaStorageSOPClassUID"))
    return tuple(value for value in told if value)


def _check_image(header: Dataset, pixels: bool) -> None:
    """Refuse an image in scope that would mislead whoever learns from it."""
    processing = text(header, "PresentationIntentType").upper() == "FOR PROCESSING"
    if processing or _FOR_PROCESSING in _sop_classes(header):
        raise Refused("for-processing")
    if not pixels:
        raise Refused("no-pixels")
    if (frames := _frames(header)) != 1:
        raise Refused("multi-frame", f"{frames} frames" if frames < _COUNTED_FRAMES else "")
    if not text(header, "PhotometricInterpretation"):
        raise Refused("unreadable", "PhotometricInterpretation is missing")
    if _in_colour(header):
        raise Refused("colour")
    if text(header, "BurnedInAnnotation").upper() == "YES":
        raise Refused("burned-in")


def _frames(header: Dataset) -> int:
    """NumberOfFrames; one where it is missing, empty or zero."""
    stated = text(header, "NumberOfFrames") or "1"
    if not (stated.isascii() and stated.isdigit()):
        raise Refused("unreadable", "NumberOfFrames is no whole number")
    return int(stated[:20]) or 1


def _in_colour(header: Dataset) -> bool:
    interpretation = "".join(text(header, "PhotometricInterpretation").split()).upper()
    return interpretation not in ("MONOCHROME1", "MONOCHROME2", "") or text(header, "SamplesPerPixel") not in ("", "1")
