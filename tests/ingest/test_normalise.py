"""Whatever the way in which a ramp is encoded, it is the same ramp: the standard's steps, in its order, polarity once."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cxr.ingest.decode import decode
from cxr.ingest.normalise import normalise, window
from cxr.ingest.outcome import CODES, Refused

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
TRUTH = np.round(RAMP * (255 / 4095)).astype(np.uint8)


def lut(entries: np.ndarray | bytes, count: int, first: int, bits: int, vr: str = "US") -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [count, first, bits])
    item.add_new("LUTData", vr, entries if isinstance(entries, bytes) else [int(entry) for entry in entries])
    return Sequence([item])


def packed(entries: np.ndarray) -> np.ndarray:
    """8-bit entries two to a word, the first in the low byte."""
    return entries.astype(np.uint8).view("<u2")


def signed(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int16).view(np.uint16)


X = RAMP.astype(np.int32)
TWELVE = {"BitsStored": 12}
M1 = {"PhotometricInterpretation": "MONOCHROME1"}
SIGNED = {"BitsStored": 12, "PixelRepresentation": 1}
GREY = TRUTH.ravel()
ENCODINGS = {
    "monochrome2": (RAMP, TWELVE),
    "monochrome1": (4095 - RAMP, TWELVE | M1),
    "identity": (RAMP, TWELVE | {"PresentationLUTShape": "IDENTITY"}),
    "monochrome1 inverse": (4095 - RAMP, TWELVE | M1 | {"PresentationLUTShape": "INVERSE"}),
    "inverse alone": (4095 - RAMP, TWELVE | {"PresentationLUTShape": "INVERSE"}),
    "signed": (signed(X - 2048), SIGNED),
    "signed, masked": (signed(X - 2048) & 0xFFF, SIGNED),
    "signed monochrome1": (signed(2047 - X), SIGNED | M1),
    "signed window": (signed(X - 2048), SIGNED | {"WindowCenter": 0, "WindowWidth": 4096}),
    "slope -1": (4095 - RAMP, TWELVE | {"RescaleSlope": -1, "RescaleIntercept": 4095}),
    "slope -1 below zero": (4095 - RAMP, TWELVE | {"RescaleSlope": -1, "RescaleIntercept": 0}),
    "slope -1 monochrome1": (RAMP, TWELVE | M1 | {"RescaleSlope": -1, "RescaleIntercept": 4095}),
    "slope 1 text with window": (
        RAMP,
        TWELVE | {"RescaleSlope": "1", "RescaleIntercept": "0", "WindowCenter": "2048", "WindowWidth": "4096"},
    ),
    "slope 2": (
        RAMP,
        TWELVE | {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": "3095.5", "WindowWidth": "8191"},
    ),
    "high bit 15": (RAMP << 4, TWELVE | {"HighBit": 15}),
    "high bit 13 and junk around": (RAMP << 2 | 0xC003, TWELVE | {"HighBit": 13}),
    "junk above the high bit": (RAMP | 0xA000, TWELVE),
    "16 bit": (np.round(X * (65535 / 4095)).astype(np.uint16), {}),
    "8 bit": (TRUTH, {}),
    "8 bit in 16": (TRUTH.astype(np.uint16), {"BitsStored": 8}),
    "modality lut": (4095 - RAMP, TWELVE | {"ModalityLUTSequence": lut(np.arange(4096)[::-1], 4096, 0, 12)}),
    "modality lut, signed": (signed(X - 2048), SIGNED | {"ModalityLUTSequence": lut(np.arange(4096), 4096, -2048, 12)}),
    "voi lut": (RAMP, TWELVE | {"VOILUTSequence": lut(np.arange(4096), 4096, 0, 12)}),
    "voi lut before window": (
        RAMP,
        TWELVE | {"VOILUTSequence": lut(np.arange(4096), 4096, 0, 12), "WindowCenter": 9, "WindowWidth": 4},
    ),
    "voi lut of 8 bits": (RAMP, TWELVE | {"VOILUTSequence": lut(GREY, 4096, 0, 8)}),
    "voi lut of 8 bits, packed words": (RAMP, TWELVE | {"VOILUTSequence": lut(packed(GREY), 4096, 0, 8)}),
    "voi lut of 8 bits, packed bytes": (RAMP, TWELVE | {"VOILUTSequence": lut(GREY.tobytes(), 4096, 0, 8, "OW")}),
    "voi lut of words as bytes": (
        RAMP,
        TWELVE | {"VOILUTSequence": lut(np.arange(4096, dtype="<u2").tobytes(), 4096, 0, 12, "OW")},
    ),
    "voi lut on negative values": (
        signed(X - 2048),
        SIGNED | {"VOILUTSequence": lut(np.arange(4096), 4096, 65536 - 2048, 12)},
    ),
    "two windows": (RAMP, TWELVE | {"WindowCenter": [2048, 100], "WindowWidth": [4096, 10]}),
    "linear exact": (RAMP, TWELVE | {"WindowCenter": 2047.5, "WindowWidth": 4095, "VOILUTFunction": "LINEAR_EXACT"}),
    "window monochrome1": (4095 - RAMP, TWELVE | M1 | {"WindowCenter": 2048, "WindowWidth": 4096}),
    "unusable window": (RAMP, TWELVE | {"WindowCenter": 2048, "WindowWidth": 0}),
    "unknown function": (RAMP, TWELVE | {"WindowCenter": 5, "WindowWidth": 9, "VOILUTFunction": "CUBIC"}),
}


def normalised(build, words, **attributes):
    header = build(words, **attributes)
    return normalise(decode(header), header)


@pytest.mark.parametrize("name", ENCODINGS)
def test_one_ramp_in_many_encodings_is_one_picture(build, reread, name):
    words, attributes = ENCODINGS[name]
    header = reread(build(words.astype(words.dtype), **attributes))
    pixels = normalise(decode(header), header).pixels.astype(int)
    assert np.abs(pixels - TRUTH).max() <= 1
    assert np.corrcoef(pixels.ravel(), TRUTH.ravel())[0, 1] > 0.9999


# The cases that PS3.3 C.11.2.1.2.1 (LINEAR) and C.11.2.1.3.2 (LINEAR_EXACT) work out in their notes, for y from 0 to 1.
@pytest.mark.parametrize(
    ("function", "center", "width", "value", "expected"),
    [
        ("LINEAR", 2048, 4096, -1, 0),
        ("LINEAR", 2048, 4096, 0, 0),
        ("LINEAR", 2048, 4096, 4095, 1),
        ("LINEAR", 2048, 4096, 4096, 1),
        ("LINEAR", 2048, 4096, 1000, (1000 - 2047.5) / 4095 + 0.5),
        ("LINEAR", 2048, 1, 2047.5, 0),
        ("LINEAR", 2048, 1, 2047.6, 1),
        ("LINEAR", 0, 100, -50, 0),
        ("LINEAR", 0, 100, 49, 1),
        ("LINEAR", 0, 100, 48, 0.98989899),
        ("LINEAR", 0, 100, 0, (0 + 0.5) / 99 + 0.5),
        ("LINEAR", 0, 1, -0.5, 0),
        ("LINEAR", 0, 1, 0, 1),
        ("LINEAR_EXACT", 2048, 4096, 0, 0),
        ("LINEAR_EXACT", 2048, 4096, 4095, 0.999755859375),
        ("LINEAR_EXACT", 2048, 4096, 4097, 1),
        ("LINEAR_EXACT", 2048, 1, 2047.5, 0),
        ("LINEAR_EXACT", 2048, 1, 2048, 0.5),
        ("LINEAR_EXACT", 0, 100, -50, 0),
        ("LINEAR_EXACT", 0, 100, 25, 0.75),
        ("LINEAR_EXACT", 0, 0.5, 0.125, 0.75),
        ("SIGMOID", 2048, 4096, 2048, 0.5),
        ("SIGMOID", 2048, 4096, 4096, 0.88079708),
        ("SIGMOID", 2048, 4096, 0, 0.11920292),
        ("SIGMOID", 0, 1, 65535, 1),
        ("SIGMOID", 0, 1, -65535, 0),
    ],
)
def test_window_is_the_standards(function, center, width, value, expected):
    assert window(np.array([float(value)]), center, width, function)[0] == pytest.approx(expected, abs=1e-8)


def test_window_without_function_is_linear(build):
    header = {"WindowCenter": 1000, "WindowWidth": 501} | TWELVE
    expected = np.round(255 * np.clip((X - 999.5) / 500 + 0.5, 0, 1))
    assert np.array_equal(normalised(build, RAMP, **header).pixels, expected)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_window_comes_before_the_inversion(build, function):
    values = np.arange(4096, dtype=np.float64)
    shown = 1 - window(-2.0 * values + 100, -1500, 900, function)
    attributes = {"WindowCenter": -1500, "WindowWidth": 900, "VOILUTFunction": function, "RescaleSlope": -2}
    result = normalised(build, RAMP, **TWELVE, **M1, **attributes, RescaleIntercept=100)
    assert np.array_equal(result.pixels.ravel(), np.round(255 * shown))


def test_values_outside_a_lut_get_its_first_or_last_entry(build):
    table = lut(np.linspace(50, 4000, 1000), 1000, 1500, 12)
    pixels = normalised(build, RAMP, **TWELVE, VOILUTSequence=table).pixels.ravel()
    assert set(pixels[:1501]) == {round(50 / 4095 * 255)}
    assert set(pixels[2499:]) == {round(4000 / 4095 * 255)}


def test_one_hot_pixel_does_not_set_the_contrast(build):
    words = (RAMP // 4).copy()
    plain = normalised(build, words, **TWELVE).pixels
    words[0, 0] = 4095
    hot = normalised(build, words, **TWELVE).pixels
    assert hot[0, 0] == 255
    assert np.array_equal(hot.ravel()[1:], plain.ravel()[1:])


@pytest.mark.parametrize(
    ("words", "attributes", "code"),
    [
        (np.full((8, 8), 7, np.uint16), {}, "constant"),
        (RAMP & 0xF000 | 5, TWELVE, "constant"),
        (RAMP, {"WindowCenter": -9000, "WindowWidth": 10, **TWELVE}, "constant"),
        (RAMP, {"RescaleSlope": 0, "RescaleIntercept": 0}, "rescale-invalid"),
        (RAMP, {"RescaleSlope": "nan", "RescaleIntercept": 0}, "rescale-invalid"),
        (RAMP, {"RescaleSlope": 1, "RescaleIntercept": "inf"}, "rescale-invalid"),
        (RAMP, {"RescaleSlope": "1e308", "RescaleIntercept": 0}, "rescale-invalid"),
        (RAMP, {"BitsStored": 17}, "bits-inconsistent"),
        (RAMP, {"BitsStored": 0}, "bits-inconsistent"),
        (RAMP, {"BitsStored": 12, "HighBit": 16}, "bits-inconsistent"),
        (RAMP, {"BitsStored": 12, "HighBit": 7}, "bits-inconsistent"),
        (RAMP, {"VOILUTSequence": lut(np.arange(100), 4096, 0, 12)}, "lut-invalid"),
        (RAMP, {"VOILUTSequence": lut(np.arange(100), 100, 0, 0)}, "lut-invalid"),
        (RAMP, {"ModalityLUTSequence": lut(np.full(100, 3), 100, 0, 12)}, "lut-invalid"),
    ],
)
def test_codes_without_meaning_are_refused(build, words, attributes, code):
    header = build(words, **attributes)
    with pytest.raises(Refused) as refused:
        normalise(words, header)
    assert refused.value.code == code
    assert CODES[code][0] == "quarantined"


@pytest.mark.parametrize("broken", [{"WindowCenter": "nan", "WindowWidth": 100}, {"WindowCenter": 100, "WindowWidth": "inf"}])
def test_window_that_is_no_number_is_not_used(build, reread, broken):
    result = normalised(lambda words, **rest: reread(build(words, **rest)), RAMP, **TWELVE, **broken)
    assert np.array_equal(result.pixels, TRUTH)
    assert "unusable" in result.decisions["voi"]


@pytest.mark.parametrize(
    ("photometric", "shape", "flagged", "inverted"),
    [
        ("MONOCHROME1", "", False, True),
        ("MONOCHROME1", "INVERSE", False, True),
        ("MONOCHROME1", "IDENTITY", True, True),
        ("MONOCHROME2", "", False, False),
        ("MONOCHROME2", "IDENTITY", False, False),
        ("MONOCHROME2", "INVERSE", True, True),
    ],
)
def test_contradiction_of_photometric_and_lut_shape_is_flagged(build, photometric, shape, flagged, inverted):
    result = normalised(build, RAMP, **TWELVE, PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    assert result.flags == (("polarity-contradiction",) if flagged else ())
    assert result.decisions["polarity"].startswith("inverted" if inverted else "kept")
    assert np.array_equal(result.pixels, 255 - TRUTH if inverted else TRUTH)


def test_decisions_say_what_was_done(build):
    result = normalised(
        build, RAMP, **TWELVE, RescaleSlope=2, RescaleIntercept=-10, WindowCenter=[2000, 1], WindowWidth=[900, 1]
    )
    assert result.decisions == {
        "modality": "rescale 2 -10",
        "voi": "window 1 of 2: 2000 / 900 LINEAR",
        "polarity": "kept: MONOCHROME2",
    }


@pytest.mark.parametrize("attribute", ["VOILUTFunction", "PresentationLUTShape"])
def test_free_text_of_the_header_does_not_reach_the_decisions(build, attribute):
    result = normalised(build, RAMP, **TWELVE, WindowCenter=2048, WindowWidth=4096, **{attribute: "DOE JANE"})
    assert "DOE" not in str(result.decisions).upper()
