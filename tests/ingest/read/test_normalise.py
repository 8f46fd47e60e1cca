"""Whatever the way in which a ramp is encoded, it is the same ramp: the standard's steps, in its order, polarity once."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.read import lut as lut_module
from cxr.ingest.read.decode import decode
from cxr.ingest.read.normalise import normalise
from cxr.ingest.read.window import window

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
TRUTH = np.round(RAMP * (255 / 4095)).astype(np.uint8)


def lut(entries: np.ndarray | bytes, count: int, first: int, bits: int, vr: str = "US") -> Sequence:
    item = Dataset()
    descriptor = [count if first >= 0 or count < 1 << 15 else count - (1 << 16), first, bits]
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", descriptor)
    item.add_new("LUTData", vr, entries if isinstance(entries, bytes) else [int(entry) for entry in entries])
    return Sequence([item])


def packed(entries: np.ndarray) -> np.ndarray:
    """8-bit entries two to a word, the first in the low byte."""
    return entries.astype(np.uint8).view("<u2")


def signed(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int16).view(np.uint16)


X = RAMP.astype(np.int32)
OVERLAYS = {"overlays": ((0x6000, 15), (0x6002, 13))}
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
    "high bit 13": (RAMP << 2, TWELVE | {"HighBit": 13}),
    "signed, high bit 15": (signed(X - 2048) << 4, SIGNED | {"HighBit": 15}),
    "signed, high bit 13": (signed((X - 2048) * 4), SIGNED | {"HighBit": 13}),
    "overlays above the high bit": (RAMP | 0xA000, TWELVE | OVERLAYS),
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


def with_overlays(header: Dataset, overlays: tuple[tuple[int, int], ...]) -> Dataset:
    for group, position in overlays:
        header.add_new((group, 0x0100), "US", 16)
        header.add_new((group, 0x0102), "US", position)
    return header


def normalised(build, words, bits=8, **attributes):
    header = build(words, **attributes)
    return normalise(decode(header), header, bits)


@pytest.mark.parametrize("name", ENCODINGS)
def test_one_ramp_in_many_encodings_is_one_picture(build, reread, name):
    words, attributes = ENCODINGS[name]
    overlays = attributes.get("overlays", ())
    attributes = {key: value for key, value in attributes.items() if key != "overlays"}
    header = reread(with_overlays(build(words.astype(words.dtype), **attributes), overlays))
    pixels = normalise(decode(header), header).pixels.astype(int)
    assert np.abs(pixels - TRUTH).max() <= 1
    assert np.corrcoef(pixels.ravel(), TRUTH.ravel())[0, 1] > 0.9999


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("name", [name for name, (_, attributes) in ENCODINGS.items() if "overlays" not in attributes])
def test_ramp_is_the_same_picture_in_every_byte_order_and_vr(build, reread, name, syntax):
    words, attributes = ENCODINGS[name]
    header = reread(build(words.astype(words.dtype), syntax, **big_endian_luts(attributes, syntax)))
    assert np.abs(normalise(decode(header), header).pixels.astype(int) - TRUTH).max() <= 1


def big_endian_luts(attributes, syntax):
    """Tables that are kept as bytes, in the byte order of the file."""
    if syntax != uid.ExplicitVRBigEndian:
        return attributes
    swapped = copy.deepcopy(attributes)
    for sequence in (value for value in swapped.values() if isinstance(value, Sequence)):
        if isinstance(sequence[0].LUTData, bytes):
            sequence[0].LUTData = np.frombuffer(sequence[0].LUTData, "<u2").astype(">u2").tobytes()
    return swapped


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
        (np.where(RAMP < 9, 7, 5).astype(np.uint16), {**TWELVE, "PixelPaddingValue": 7}, "constant"),
        (RAMP, {**TWELVE, "PixelPaddingValue": 0, "PixelPaddingRangeLimit": 4095}, "constant"),
        (RAMP // 4095, {}, "constant"),
        (RAMP, {"RescaleSlope": 0, "RescaleIntercept": 0}, "rescale-invalid"),
        (RAMP, {"RescaleSlope": "nan", "RescaleIntercept": 0}, "rescale-invalid"),
        (RAMP, {"RescaleSlope": 1, "RescaleIntercept": "inf"}, "rescale-invalid"),
        (RAMP, {"RescaleSlope": "1e308", "RescaleIntercept": 0}, "rescale-invalid"),
        (RAMP, {"RescaleSlope": "1e-30", "RescaleIntercept": 1}, "rescale-invalid"),
        (RAMP, {"PhotometricInterpretation": "RGB"}, "colour"),
        (RAMP, {"PixelRepresentation": 2}, "bits-inconsistent"),
        (RAMP, {"BitsAllocated": 8, "BitsStored": 8}, "bits-inconsistent"),
        (RAMP, {"BitsStored": 17}, "bits-inconsistent"),
        (RAMP, {"BitsStored": 0}, "bits-inconsistent"),
        (RAMP, {"BitsStored": 12, "HighBit": 16}, "bits-inconsistent"),
        (RAMP, {"BitsStored": 12, "HighBit": 7}, "bits-inconsistent"),
        (RAMP, {"VOILUTSequence": lut(np.arange(100), 4096, 0, 12)}, "lut-invalid"),
        (RAMP, {"VOILUTSequence": lut(np.arange(100), 100, 0, 0)}, "lut-invalid"),
        (RAMP, {"VOILUTSequence": lut(np.arange(4096), 4096, 0, 8)}, "lut-invalid"),
        (RAMP, {"VOILUTSequence": Sequence([Dataset()])}, "lut-invalid"),
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
    assert result.codes == ("window-unusable",)


@pytest.mark.parametrize("broken", [(2048, 0), (2048, -5), (2048, 0.5)])
def test_a_window_without_width_is_flagged(build, broken):
    result = normalised(build, RAMP, **TWELVE, WindowCenter=broken[0], WindowWidth=broken[1])
    assert np.array_equal(result.pixels, TRUTH)
    assert result.codes == ("window-unusable",)


@pytest.mark.parametrize("window_", [(-9000, 10), (9000, 10), (60000, 2), (2048, 4e6)])
def test_a_window_beside_the_values_gives_way_to_the_whole_range_and_is_flagged(build, window_):
    result = normalised(build, RAMP, **TWELVE, WindowCenter=window_[0], WindowWidth=window_[1])
    assert np.array_equal(result.pixels, TRUTH)
    assert result.codes == ("window-out-of-range",)
    assert "out of range" in result.decisions["voi"]


def test_a_voi_lut_beside_the_values_gives_way_too(build):
    table = lut(np.arange(4096), 4096, 5000, 12)
    result = normalised(build, RAMP, **TWELVE, VOILUTSequence=table)
    assert np.array_equal(result.pixels, TRUTH)
    assert result.codes == ("window-out-of-range",)


def test_a_window_that_fits_an_image_of_few_values_is_kept(build):
    words = (2000 + RAMP // 400).astype(np.uint16)
    result = normalised(build, words, **TWELVE, WindowCenter=2005, WindowWidth=40)
    assert result.codes == ()
    assert result.decisions["voi"].startswith("window 1 of 1")


def test_a_flat_image_that_no_range_would_show_better_keeps_its_window(build):
    words = (2000 + RAMP // 2048).astype(np.uint16)
    result = normalised(build, words, **TWELVE, WindowCenter=2000, WindowWidth=200)
    assert result.codes == ()


def test_padding_outside_the_sample_does_not_hide_a_window_beside_the_values(build):
    words = RAMP.copy()
    words[:, :32] = 4095  # half of the image is padding, and the only part that the window would show
    window_ = {"WindowCenter": 4094, "WindowWidth": 4}
    result = normalised(build, words, **TWELVE, **window_, PixelPaddingValue=4095)
    assert "window-out-of-range" in result.codes


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
    expected = (*(("inverted",) if inverted else ()), *(("polarity-contradiction",) if flagged else ()))
    assert result.codes == expected
    assert result.decisions["polarity"].startswith("inverted" if inverted else "kept")
    assert np.array_equal(result.pixels, 255 - TRUTH if inverted else TRUTH)


def test_decisions_say_what_was_done(build):
    result = normalised(
        build, RAMP, **TWELVE, RescaleSlope=2, RescaleIntercept=-10, WindowCenter=[2000, 1], WindowWidth=[900, 1]
    )
    assert result.decisions == {
        "bits": "12 of 16, high bit 11, unsigned",
        "modality": "rescale 2 -10",
        "voi": "window 1 of 2: 2000 / 900 LINEAR",
        "polarity": "kept: MONOCHROME2",
    }


@pytest.mark.parametrize("attribute", ["VOILUTFunction", "PresentationLUTShape"])
def test_free_text_of_the_header_does_not_reach_the_decisions(build, attribute):
    result = normalised(build, RAMP, **TWELVE, WindowCenter=2048, WindowWidth=4096, **{attribute: "DOE JANE"})
    assert "DOE" not in str(result.decisions).upper()


def test_every_correction_has_its_code(build):
    header = build(RAMP << 4, **TWELVE, HighBit=15, PhotometricInterpretation="monochrome1", RescaleSlope=-1)
    result = normalise(decode(header), header)
    assert result.codes == ("high-bit", "negative-slope", "inverted", "photometric-spelling")
    assert set(result.codes) <= set(CODES)
    assert np.array_equal(result.pixels, TRUTH)


@pytest.mark.parametrize("photometric", ["monochrome2", "Monochrome2", "MONOCHROME 2"])
def test_other_spellings_of_the_photometric_interpretation_are_taken(build, photometric):
    result = normalised(build, RAMP, **TWELVE, PhotometricInterpretation=photometric)
    assert result.codes == ("photometric-spelling",)
    assert np.array_equal(result.pixels, TRUTH)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("attributes", "padded"),
    [
        ({"PixelPaddingValue": 4095}, RAMP == 4095),
        ({"PixelPaddingValue": 3, "PixelPaddingRangeLimit": 100}, (RAMP >= 3) & (RAMP <= 100)),
        ({"PixelPaddingValue": 100, "PixelPaddingRangeLimit": 3}, (RAMP >= 3) & (RAMP <= 100)),
    ],
)
def test_padding_is_black_whatever_the_polarity(build, reread, photometric, attributes, padded):
    header = build(RAMP, uid.ImplicitVRLittleEndian, **TWELVE, PhotometricInterpretation=photometric, **attributes)
    header = reread(header)
    result = normalise(decode(header), header)
    truth = 255 - TRUTH if photometric == "MONOCHROME1" else TRUTH
    assert np.array_equal(result.pixels, np.where(padded, 0, truth))
    assert "padding" in result.codes
    assert result.decisions["padding"].endswith("made black")


def test_signed_padding_has_the_sign_of_the_values(build, reread):
    for vr_value in (-2000, 65536 - 2000):
        header = build(signed(X - 2048), **SIGNED)
        header.add_new("PixelPaddingValue", "SS" if vr_value < 0 else "US", vr_value)
        header = reread(header)
        result = normalise(decode(header), header)
        assert result.decisions["padding"] == "value -2000, made black"
        assert result.pixels.ravel()[48] == 0
        assert np.count_nonzero(result.pixels != TRUTH) <= 1


def test_a_padding_value_that_no_pixel_has_changes_nothing(build):
    words = np.maximum(RAMP, 1)
    result = normalised(build, words, **TWELVE, PixelPaddingValue=0)
    assert result.codes == ()
    assert result.decisions["padding"] == "value 0, not in the image"


def test_a_single_padded_pixel_is_found(build):
    words = np.full((700, 600), 1000, np.uint16) + np.arange(600, dtype=np.uint16)
    words[333, 401] = 0
    assert normalised(build, words, **TWELVE, PixelPaddingValue=0).codes == ("padding",)


def test_a_single_pixel_that_differs_makes_an_image_that_is_not_constant(build):
    words = np.full((700, 600), 1000, np.uint16)
    words[333, 401] = 4000
    assert normalised(build, words, **TWELVE).pixels.max() == 249


@pytest.mark.parametrize("words", [RAMP, TRUTH])
def test_sixteen_bits_keep_what_eight_would_round_away(build, words):
    top = 4095 if words is RAMP else 255
    attributes = {"BitsStored": 12} if words is RAMP else {}
    result = normalised(build, words, bits=16, **attributes)
    assert result.pixels.dtype == np.uint16
    assert np.array_equal(result.pixels, np.round(words * (65535 / top)))
    inverted = normalised(build, words, bits=16, **attributes, **M1)
    assert np.array_equal(inverted.pixels, 65535 - result.pixels)


def test_look_up_without_wide_tables_gives_the_same(build, monkeypatch):
    attributes = TWELVE | {"PixelPaddingValue": 9, "WindowCenter": 2000, "WindowWidth": 3000}
    wide = normalised(build, RAMP, **attributes)
    monkeypatch.setattr(lut_module, "_WIDE_TABLES", False)
    narrow = normalised(build, RAMP, **attributes)
    assert np.array_equal(wide.pixels, narrow.pixels)
    assert wide.codes == narrow.codes


def test_modality_lut_alone_is_shown_over_the_range_of_its_bits(build):
    table = lut(1000 + np.arange(4096) // 4, 4096, 0, 12)
    result = normalised(build, RAMP, **TWELVE, ModalityLUTSequence=table)
    assert np.array_equal(result.pixels, np.round(255 / 4095 * (1000 + X // 4)))


def test_a_table_of_65536_entries_is_described_by_zero(build, reread):
    words = (X * 16).astype(np.uint16)
    entries = np.arange(65536) // 16
    header = reread(build(words, VOILUTSequence=lut(entries, 0, 0, 12)))
    assert np.array_equal(normalise(decode(header), header).pixels, TRUTH)


def test_a_table_longer_than_a_signed_number_can_say_is_read_whole(build):
    values = (X * 16 - 32768).astype(np.int16).view(np.uint16)
    table = lut((np.arange(65000) // 16).astype("<u2").tobytes(), 65000, -32768, 12, "OW")
    header = build(values, PixelRepresentation=1, VOILUTSequence=table)
    assert np.abs(normalise(decode(header), header).pixels.astype(int) - TRUTH)[:62].max() <= 1


def test_no_text_of_a_number_that_is_none_reaches_anything(build):
    header = build(RAMP, **TWELVE)
    header.add_new("WindowCenter", "LO", "DOE^JANE")
    header.add_new("WindowWidth", "LO", "1900")
    result = normalise(decode(header), header)
    assert "window-unusable" in result.codes
    assert "DOE" not in str(result.decisions)
    header.add_new("RescaleSlope", "LO", "DOE^JANE")
    with pytest.raises(Refused) as refused:
        normalise(decode(header), header)
    assert "DOE" not in str(refused.value)


@pytest.mark.parametrize("name", ["BitsAllocated", "BitsStored"])
def test_missing_bits_are_refused(build, name):
    header = build(RAMP, **TWELVE)
    del header[name]
    with pytest.raises(Refused, match="bits-inconsistent"):
        normalise(RAMP, header)
