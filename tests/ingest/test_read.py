"""One file in, one radiograph or one code out."""

from __future__ import annotations

import hashlib

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid

from cxr.ingest.outcome import CODES, FileOutcome, Refused
from cxr.ingest.read import parse_sex, parse_view, read_dicom, read_image

WORDS = np.random.default_rng(0).integers(0, 4096, (24, 20), np.uint16)
GREY = np.random.default_rng(1).integers(0, 256, (24, 20), np.uint8)
SMOOTH = np.add.outer(np.arange(64), 2 * np.arange(60)).astype(np.uint8)


def refusal(call, path) -> Refused:
    with pytest.raises(Refused) as refused:
        call(path)
    assert CODES[refused.value.code][0] in ("quarantined", "skipped")
    return refused.value


def png(pixels):
    return bytes(imagecodecs.png_encode(pixels))


def test_dicom_gives_pixels_context_and_digests(build, write):
    header = build(WORDS, BitsStored=12, ViewPosition="PA", PatientSex="F", PatientAge="045Y", Manufacturer=" Maker ")
    path = write(header)
    radiograph = read_dicom(path)
    assert np.array_equal(radiograph.pixels, np.round(WORDS * (255 / 4095)))
    assert (radiograph.view, radiograph.sex, radiograph.age_years) == ("PA", "F", 45)
    assert radiograph.manufacturer == "Maker"
    assert radiograph.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert radiograph.decisions["syntax"] == "Explicit VR Little Endian"
    assert radiograph.flags == ()


def test_pixel_digest_is_of_grey_values_and_shape_alone(build, write):
    base = read_dicom(write(build(WORDS, BitsStored=12))).pixel_sha256
    other_syntax = build(WORDS, uid.JPEGLSLossless, BitsStored=12, PatientID="b")
    assert read_dicom(write(other_syntax)).pixel_sha256 == base
    assert read_dicom(write(build(WORDS.reshape(20, 24), BitsStored=12))).pixel_sha256 != base


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"Modality": "CT"}, "modality"),
        ({"Modality": "SR"}, "modality"),
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
        ({"drop": ("BitsStored",)}, "unreadable"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "rescale-invalid"),
        ({"Rows": 23}, "decode-failed"),
    ],
)
def test_dicom_that_is_not_taken_gets_its_code(build, write, attributes, code):
    assert refusal(read_dicom, write(build(WORDS, **attributes))).code == code


@pytest.mark.parametrize("call", [read_dicom, read_image])
@pytest.mark.parametrize(
    ("content", "code"), [(b"", "empty"), (b"To whom it may concern\n" * 40, "unreadable"), (bytes(200), "unreadable")]
)
def test_file_of_another_kind_gets_its_code(write, call, content, code):
    assert refusal(call, write(content)).code == code


@pytest.mark.parametrize("call", [read_dicom, read_image])
def test_missing_file_and_folder_are_unreadable(tmp_path, call):
    assert refusal(call, tmp_path / "none").code == "unreadable"
    assert refusal(call, tmp_path).code == "unreadable"


def test_dicom_without_its_preamble_is_unreadable(build, write):
    data = write(build(WORDS)).read_bytes()
    assert refusal(read_dicom, write(data[132:])).code == "unreadable"


def test_dicom_cut_anywhere_is_refused(build, write):
    data = write(build(WORDS)).read_bytes()
    for length in range(1, len(data), 37):
        assert refusal(read_dicom, write(data[:length])).code


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_byte_in_a_header_is_read_or_refused_but_never_another_error(build, write, data):
    content = bytearray(write(build(WORDS, WindowCenter=100, WindowWidth=20, PatientAge="045Y")).read_bytes())
    position = data.draw(st.integers(128, len(content) - WORDS.nbytes - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    try:
        pixels = read_dicom(write(bytes(content))).pixels
    except Refused as refused:
        assert refused.code in CODES  # noqa: PT017
    else:
        assert pixels.dtype == np.uint8


@pytest.mark.parametrize("name", ["ViewPosition", "PatientAge", "PatientSex", "Manufacturer"])
def test_odd_context_does_not_cost_the_image(build, write, name):
    header = build(WORDS)
    setattr(header, name, ["PA", "PA"] if name != "PatientAge" else ["045Y", "046Y"])
    radiograph = read_dicom(write(header))
    assert (radiograph.view, radiograph.sex) == ("unknown", "unknown")
    assert np.isnan(radiograph.age_years)


def test_implausible_age_is_flagged_and_unknown(build, write):
    radiograph = read_dicom(write(build(WORDS, PatientAge="411Y")))
    assert radiograph.flags == ("age-implausible",)
    assert np.isnan(radiograph.age_years)


def test_details_of_a_refusal_quote_no_free_text_of_the_header(build, write):
    for attributes in ({"Modality": "DOE"}, {"BodyPartExamined": "DOE"}, {"PhotometricInterpretation": "DOE"}):
        assert "DOE" not in str(refusal(read_dicom, write(build(WORDS, **attributes))))
    header = build(WORDS)
    header.file_meta.TransferSyntaxUID = uid.UID("1.2.3.19530412")
    assert "19530412" not in str(refusal(read_dicom, write(header)))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_grey_image_is_read(write, suffix):
    data = png(SMOOTH) if suffix == "png" else bytes(imagecodecs.jpeg8_encode(SMOOTH, level=95))
    radiograph = read_image(write(data, f"a.{suffix}"))
    assert np.abs(radiograph.pixels.astype(int) - SMOOTH).max() <= (0 if suffix == "png" else 3)
    assert radiograph.identifiers == {}
    assert radiograph.view == "unknown"


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_grey_values_repeated_in_channels_are_taken(write, channels):
    pixels = np.repeat(GREY[..., None], channels, axis=2)
    pixels[..., channels - 1] = 255 if channels in (2, 4) else pixels[..., channels - 1]
    assert np.array_equal(read_image(write(png(pixels))).pixels, GREY)


def test_coloured_image_is_refused(write):
    pixels = np.repeat(GREY[..., None], 3, axis=2)
    pixels[3, 4, 2] ^= 1
    assert refusal(read_image, write(png(pixels))).code == "colour"


def test_16_bit_png_is_scaled_by_257(write):
    words = np.array([[0, 128, 129, 257], [32768, 65278, 65406, 65535]], np.uint16)
    assert read_image(write(png(words))).pixels.tolist() == [[0, 0, 1, 1], [128, 254, 254, 255]]


def test_constant_image_is_refused(write):
    assert refusal(read_image, write(png(np.full((5, 5), 9, np.uint8)))).code == "constant"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("encode", ["png", "jpeg", "progressive"])
def test_truncated_image_is_refused_and_never_padded(write, encode, share):
    noisy = np.random.default_rng(2).integers(0, 256, (64, 64), np.uint8)
    if encode == "png":
        data = png(noisy)
    else:
        options = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(encode == "progressive")]
        data = cv2.imencode(".jpg", noisy, options)[1].tobytes()
    assert read_image(write(data)).pixels.shape == (64, 64)
    assert refusal(read_image, write(data[: int(len(data) * share)])).code == "unreadable"


def test_bytes_behind_a_whole_jpeg_do_no_harm(write):
    data = bytes(imagecodecs.jpeg8_encode(SMOOTH, level=95))
    assert np.array_equal(read_image(write(data + b"\0trailer")).pixels, read_image(write(data)).pixels)


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("pa", "PA"),
        (" AP ", "AP"),
        ("LL", "LATERAL"),
        ("RL", "LATERAL"),
        ("", "unknown"),
        (None, "unknown"),
        ("PALL", "unknown"),
    ],
)
def test_views(text, view):
    assert parse_view(text) == view


@pytest.mark.parametrize(("text", "sex"), [("m", "M"), ("Female", "F"), ("O", "O"), ("", "unknown"), (None, "unknown")])
def test_sexes(text, sex):
    assert parse_sex(text) == sex


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ((), "accepted"),
        (("repeated", "not-labelled"), "flagged"),
        (("age-implausible", "duplicate"), "duplicate"),
        (("duplicate", "not-in-table"), "skipped"),
        (("polarity-contradiction", "constant"), "quarantined"),
    ],
)
def test_outcome_is_that_of_the_gravest_code(codes, outcome):
    assert FileOutcome(1, "a", codes).outcome == outcome
    assert FileOutcome(1, "a", codes, "why").sentence.endswith("(why)")
