"""One DICOM file in, one radiograph or one code out."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid

from cxr.ingest.outcome import CODES, FileOutcome, Refused
from cxr.ingest.read import dicom
from cxr.ingest.read.dicom import ReadOptions, judge_header, parse_sex, read_dicom

WORDS = np.random.default_rng(0).integers(0, 4096, (24, 20), np.uint16)
SMOOTH = np.add.outer(40 * np.arange(64), 20 * np.arange(60)).astype(np.uint16)


def refusal(call, *arguments) -> Refused:
    with pytest.raises(Refused) as refused:
        call(*arguments)
    assert CODES[refused.value.code][0] in ("quarantined", "skipped")
    return refused.value


@pytest.fixture
def content(build, write):
    """The bytes of a file: `content(words, syntax, **attributes)`."""
    return lambda *arguments, **attributes: write(build(*arguments, **attributes)).read_bytes()


def test_dicom_gives_pixels_context_and_digests(content):
    data = content(
        WORDS, BitsStored=12, PatientSex="F", PatientAge="045Y", Manufacturer=" AGFA HealthCare ", StudyDate="20240229",
        AccessionNumber="A1",
    )  # fmt: skip
    radiograph = read_dicom(data)
    assert np.array_equal(radiograph.pixels, np.round(WORDS * (255 / 4095)))
    assert (radiograph.view, radiograph.sex, radiograph.age_years) == ("PA", "F", 45)
    assert (radiograph.manufacturer, radiograph.study_date) == ("Agfa", "20240229")
    assert radiograph.identifiers == {
        "PatientID": "patient-1", "StudyInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.4", "AccessionNumber": "A1",
    }  # fmt: skip
    assert radiograph.source_sha256 == hashlib.sha256(data).hexdigest()
    assert radiograph.decisions["syntax"] == "Explicit VR Little Endian"
    assert radiograph.decisions["view"] == "ViewPosition"
    assert radiograph.codes == ()


def test_16_bits_are_read_as_the_configuration_says(content):
    radiograph = read_dicom(content(WORDS, BitsStored=12), ReadOptions(bits=16))
    assert radiograph.pixels.dtype == np.uint16
    assert np.array_equal(radiograph.pixels, np.round(WORDS * (65535 / 4095)))


def test_pixel_digest_is_of_grey_values_and_shape_alone(content):
    base = read_dicom(content(WORDS, BitsStored=12)).pixel_sha256
    assert read_dicom(content(WORDS, uid.JPEGLSLossless, BitsStored=12, PatientID="b")).pixel_sha256 == base
    assert read_dicom(content(WORDS.reshape(20, 24), BitsStored=12)).pixel_sha256 != base
    assert read_dicom(content(WORDS, BitsStored=12), ReadOptions(bits=16)).pixel_sha256 != base


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"Modality": "CT"}, "modality"),
        ({"Modality": "SR"}, "not-an-image"),
        ({"drop": ("Modality",)}, "modality"),
        ({"BodyPartExamined": "HAND"}, "not-chest"),
        ({"ViewPosition": "LL"}, "lateral"),
        ({"ViewPosition": "lateral"}, "lateral"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "for-processing"),
        ({"NumberOfFrames": 2}, "multi-frame"),
        ({"drop": ("PixelData",)}, "no-pixels"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour"),
        ({"PhotometricInterpretation": "MONOCHROME DOE"}, "colour"),
        ({"PatientID": ""}, "no-identity"),
        ({"drop": ("PatientID",)}, "no-identity"),
        ({"drop": ("StudyInstanceUID",)}, "no-identity"),
        ({"SOPInstanceUID": ""}, "no-identity"),
        ({"BurnedInAnnotation": "YES"}, "burned-in"),
    ],
)
def test_header_that_is_not_taken_gets_its_code_before_and_in_a_run(content, attributes, code):
    data = content(WORDS, **attributes)
    assert refusal(read_dicom, data).code == code
    assert refusal(judge_header, data, ReadOptions()).code == code


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"drop": ("BitsStored",)}, "bits-inconsistent"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "rescale-invalid"),
        ({"Rows": 23}, "decode-failed"),
    ],
)
def test_pixels_that_are_not_taken_get_their_code(content, attributes, code):
    assert refusal(read_dicom, content(WORDS, **attributes)).code == code


def test_constant_image_is_refused(content):
    assert refusal(read_dicom, content(np.full((24, 20), 7, np.uint16))).code == "constant"


def test_secondary_capture_is_taken_only_where_the_configuration_says_so(content):
    data = content(SMOOTH, BitsStored=12, SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="OT")
    assert refusal(read_dicom, data).code == "modality"
    assert read_dicom(data, ReadOptions(secondary_capture=True)).codes == ("secondary-capture",)


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "empty"), (b"To whom it may concern\n" * 40, "unreadable"), (bytes(200), "unreadable")]
)
def test_file_of_another_kind_gets_its_code(data, code):
    assert refusal(read_dicom, data).code == code
    assert refusal(judge_header, data, ReadOptions()).code == code


def test_dicom_cut_anywhere_is_refused(content):
    data = content(WORDS)
    for length in range(1, len(data), 37):
        assert refusal(read_dicom, data[:length]).code


def test_header_is_judged_without_the_pixels(content):
    data = content(SMOOTH, BitsStored=12, ViewPosition="")
    judged = judge_header(data[: -SMOOTH.nbytes], ReadOptions())
    assert (judged.identifiers, judged.view.view) == (read_dicom(data).identifiers, "unknown")
    assert "view-unknown" in judged.codes


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_byte_in_a_header_is_read_or_refused_but_never_another_error(content, data):
    file = bytearray(content(WORDS, WindowCenter=100, WindowWidth=20, PatientAge="045Y", PatientOrientation=["L", "F"]))
    position = data.draw(st.integers(128, len(file) - WORDS.nbytes - 1))
    file[position] ^= data.draw(st.integers(1, 255))
    for call in (read_dicom, lambda file: judge_header(file, ReadOptions())):
        try:
            found = call(bytes(file))
        except Refused as refused:
            assert refused.code in CODES  # noqa: PT017
        else:
            assert set(found.codes) <= set(CODES)


@pytest.mark.parametrize("name", ["ViewPosition", "PatientAge", "PatientSex", "Manufacturer"])
def test_odd_context_does_not_cost_the_image(build, write, name):
    header = build(SMOOTH, BitsStored=12)
    setattr(header, name, ["PA", "PA"] if name != "PatientAge" else ["045Y", "046Y"])
    radiograph = read_dicom(write(header).read_bytes())
    assert radiograph.sex == "unknown"
    assert np.isnan(radiograph.age_years)


def test_implausible_age_is_flagged_and_unknown(content):
    radiograph = read_dicom(content(SMOOTH, BitsStored=12, PatientAge="148Y"))
    assert radiograph.codes == ("age-implausible",)
    assert np.isnan(radiograph.age_years)


def test_memory_that_does_not_suffice_costs_one_file(content, monkeypatch):
    def too_much(*_):
        raise MemoryError

    monkeypatch.setattr(dicom.normalise, "normalise", too_much)
    assert refusal(read_dicom, content(WORDS)).code == "too-much-memory"


def test_details_of_a_refusal_quote_no_free_text_of_the_header(build, write, content):
    for attributes in ({"Modality": "DOE"}, {"BodyPartExamined": "DOE"}, {"PhotometricInterpretation": "DOE"}):
        data = content(WORDS, **attributes)
        assert "DOE" not in repr([_told(read_dicom, data), _told(judge_header, data, ReadOptions())])
    header = build(WORDS)
    header.file_meta.TransferSyntaxUID = uid.UID("1.2.3.19530412")
    assert "19530412" not in str(refusal(read_dicom, write(header).read_bytes()))


def _told(call, *arguments) -> object:
    """All that leaves of a header but the identifiers, which get pseudonyms."""
    try:
        found = call(*arguments)
    except Refused as refused:
        return refused
    return found.codes, found.view, getattr(found, "decisions", None), getattr(found, "manufacturer", None)


@pytest.mark.parametrize(
    ("text", "sex"), [("m", "M"), ("Female", "F"), (" O ", "O"), ("", "unknown"), (None, "unknown"), ("DOE", "unknown")]
)
def test_sexes(text, sex):
    assert parse_sex(text) == sex


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ((), "accepted"),
        (("inverted", "gzip"), "corrected"),
        (("inverted", "collimation"), "flagged"),
        (("repeated", "not-labelled"), "flagged"),
        (("age-implausible", "duplicate"), "duplicate"),
        (("duplicate", "not-in-table"), "skipped"),
        (("polarity-contradiction", "constant"), "quarantined"),
    ],
)
def test_outcome_is_that_of_the_gravest_code(codes, outcome):
    assert FileOutcome(1, "a", codes).outcome == outcome
    assert FileOutcome(1, "a", codes, "why").sentence.endswith("(why)")


def test_every_code_has_a_sentence_for_people():
    assert all(len(text.split()) >= 4 and not text.endswith(".") for _, text in CODES.values())
    assert len({text for _, text in CODES.values()}) == len(CODES)


@pytest.mark.parametrize("charset", [b"DOE^JANE10", b"ISO IR 100", b"ISO_IR 6\\D"])
def test_no_library_warns_in_words_of_the_header(content, charset, recwarn):
    data = content(SMOOTH, BitsStored=12, SpecificCharacterSet="ISO_IR 100", SeriesDescription="Thorax \xfc")
    data = data.replace(b"ISO_IR 100", charset).replace(b"Thorax \xfc", b"Thorax\x1b\xfc")
    recwarn.clear()
    _told(read_dicom, data)
    _told(judge_header, data, ReadOptions())
    assert not [str(warning.message) for warning in recwarn.list]
