"""What is no frontal chest radiograph is refused with the most telling reason, and none of its texts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.read.scope import check_scope
from cxr.ingest.read.view import ViewFinding, find_view

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of each odd value

FRONTAL = ViewFinding("PA", "ViewPosition")
SECONDARY = {"SOPClassUID": uid.SecondaryCaptureImageStorage}
RGB = {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}


def header(**attributes) -> Dataset:
    defaults = {
        "SOPClassUID": uid.DigitalXRayImageStorageForPresentation, "Modality": "DX", "BodyPartExamined": "CHEST",
        "PhotometricInterpretation": "MONOCHROME2", "SamplesPerPixel": 1,
    }  # fmt: skip
    dataset = Dataset()
    for name, value in {**defaults, **attributes}.items():
        if value is not None:
            setattr(dataset, name, value)
    return dataset


def refusal(dataset: Dataset, view: ViewFinding = FRONTAL, **options) -> Refused:
    with pytest.raises(Refused) as refused:
        check_scope(dataset, view, **{"pixels": True, **options})
    assert CODES[refused.value.code][0] in ("quarantined", "skipped")
    return refused.value


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"Modality": "CR", "SOPClassUID": uid.ComputedRadiographyImageStorage},
        {"Modality": " dx "},
        {"SOPClassUID": None},
        {"PhotometricInterpretation": "monochrome1 "},
        {"PhotometricInterpretation": "MONOCHROME 2"},
        {"SamplesPerPixel": None},
        {"NumberOfFrames": 1},
        {"NumberOfFrames": None},
        {"BurnedInAnnotation": "NO"},
        {"PresentationIntentType": "FOR PRESENTATION"},
    ],
)
def test_frontal_chest_radiograph_is_taken_without_a_flag(attributes):
    assert check_scope(header(**attributes), FRONTAL, pixels=True) == ()


@pytest.mark.parametrize(
    ("attributes", "code", "detail"),
    [
        ({"Modality": "CT", "SOPClassUID": uid.CTImageStorage}, "modality", "CT"),
        ({"Modality": "MG"}, "modality", "MG"),
        ({"Modality": "DOE"}, "modality", ""),
        ({"Modality": "XY"}, "modality", ""),
        ({"Modality": None}, "modality", ""),
        ({"Modality": ["CR", "DX"]}, "modality", ""),
        ({"SOPClassUID": uid.CTImageStorage}, "modality", "DX, with the SOP class of something else"),
        ({"SOPClassUID": "1.2.3.4"}, "modality", "DX, with the SOP class of something else"),
        ({"Modality": "SR"}, "not-an-image", "SR"),
        ({"Modality": "KO", "SOPClassUID": uid.KeyObjectSelectionDocumentStorage}, "not-an-image", "KO"),
        ({"Modality": "", "SOPClassUID": uid.EncapsulatedPDFStorage}, "not-an-image", ""),
        ({"SOPClassUID": uid.RawDataStorage}, "not-an-image", ""),
        ({"SOPClassUID": uid.GrayscaleSoftcopyPresentationStateStorage}, "not-an-image", ""),
        ({"SOPClassUID": uid.SegmentationStorage}, "not-an-image", ""),
        ({"SOPClassUID": uid.MediaStorageDirectoryStorage, "Modality": None}, "dicomdir", ""),
        ({"BodyPartExamined": "HAND"}, "not-chest", ""),
        ({"PresentationIntentType": "FOR PROCESSING"}, "for-processing", ""),
        ({"SOPClassUID": uid.DigitalXRayImageStorageForProcessing}, "for-processing", ""),
        ({"NumberOfFrames": 2}, "multi-frame", "2 frames"),
        ({"NumberOfFrames": [1, 1]}, "unreadable", "NumberOfFrames is no whole number"),
        ({"BurnedInAnnotation": "yes"}, "burned-in", ""),
        (RGB, "colour", ""),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour", ""),
        ({"PhotometricInterpretation": "MONOCHROME DOE"}, "colour", ""),
        ({"SamplesPerPixel": 3}, "colour", ""),
        ({"PhotometricInterpretation": None}, "unreadable", "PhotometricInterpretation is missing"),
    ],
)
def test_what_is_not_taken_gets_its_code(attributes, code, detail):
    refused = refusal(header(**attributes))
    assert (refused.code, refused.detail) == (code, detail)


def test_dicomdir_is_known_by_its_file_meta_information_alone():
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    assert refusal(dataset).code == "dicomdir"
    dataset = Dataset()
    dataset.DirectoryRecordSequence = []
    assert refusal(dataset).code == "dicomdir"


def test_file_without_pixels_is_quarantined_whether_or_not_the_header_brings_them():
    assert refusal(header(), pixels=False).code == "no-pixels"
    assert refusal(header(PixelData=b"\0\0"), pixels=False).code == "no-pixels"


def test_lateral_view_is_skipped():
    assert refusal(header(), ViewFinding("LATERAL", "ViewPosition")).code == "lateral"


@pytest.mark.parametrize("scope", [{"Modality": "CT"}, {"BodyPartExamined": "HAND"}, {"Modality": "SR"}])
@pytest.mark.parametrize("wrong", [RGB, {"BurnedInAnnotation": "YES"}, {"PresentationIntentType": "FOR PROCESSING"}])
def test_out_of_scope_goes_before_what_is_wrong_with_the_file(scope, wrong):
    assert CODES[refusal(header(**scope, **wrong), pixels=False).code][0] == "skipped"


@pytest.mark.parametrize("modality", ["CR", "DX"])
def test_secondary_capture_that_says_it_is_a_radiograph_is_taken_and_flagged(modality):
    captured = header(**SECONDARY, Modality=modality)
    assert check_scope(captured, FRONTAL, pixels=True) == ("secondary-capture",)


@pytest.mark.parametrize("modality", ["OT", "RG", "", None])
def test_other_secondary_capture_is_taken_only_by_choice_and_flagged(modality):
    captured = header(**SECONDARY, Modality=modality)
    refused = refusal(captured)
    assert (refused.code, refused.detail) == ("modality", "a Secondary Capture")
    assert check_scope(captured, FRONTAL, pixels=True, secondary_capture=True) == ("secondary-capture",)


@pytest.mark.parametrize("choice", [False, True])
def test_screenshot_in_colour_is_quarantined_and_one_of_another_modality_skipped(choice):
    screenshot = header(**SECONDARY, **RGB, BodyPartExamined=None)
    assert refusal(screenshot, secondary_capture=choice).code == "colour"
    screenshot.Modality = "CT"
    assert refusal(screenshot, secondary_capture=choice).code == "modality"
    screenshot.SOPClassUID = uid.MultiFrameTrueColorSecondaryCaptureImageStorage
    screenshot.Modality = "OT"
    assert refusal(screenshot, secondary_capture=choice).code == "colour"


@pytest.mark.parametrize("line", [None, "", "JANE DOE"])
def test_body_part_that_nothing_tells_is_flagged(line):
    assert check_scope(header(BodyPartExamined=line), FRONTAL, pixels=True) == ("body-part-unknown",)


def outcome(dataset: Dataset, view: ViewFinding, pixels: bool) -> tuple[str, str]:
    try:
        flags = check_scope(dataset, view, pixels=pixels, secondary_capture=True)
    except Refused as refused:
        return refused.code, refused.detail
    return next(iter(flags), ""), ""


NAMES = (
    "SOPClassUID", "Modality", "BodyPartExamined", "SeriesDescription", "StudyDescription", "ProtocolName", "ViewPosition",
    "PresentationIntentType", "PhotometricInterpretation", "BurnedInAnnotation",
)  # fmt: skip
TEXTS = st.text(max_size=20) | st.sampled_from(["DX", "OT", "1.2.840.10008.5.1.4.1.1.7", "CHEST", "RGB", "MONOCHROME1"])


@settings(max_examples=300, deadline=None)
@given(
    texts=st.lists(TEXTS, min_size=len(NAMES), max_size=len(NAMES)), kept=st.lists(st.sampled_from(NAMES)), pixels=st.booleans()
)
def test_any_header_is_taken_or_refused_without_its_texts(texts, kept, pixels):
    secret = "ZQXJ"  # no word of the standard holds it
    changed = {name: secret + line + secret for name, line in zip(NAMES, texts, strict=True)} | {"NumberOfFrames": 1}
    changed |= {name: line for name, line in zip(NAMES, texts, strict=True) if name in kept}
    for attributes in (changed, {name: changed[name] for name in kept}):
        dataset = header(**attributes)
        code, detail = outcome(dataset, find_view(dataset), pixels)
        assert code in (*CODES, "")
        assert secret not in detail
