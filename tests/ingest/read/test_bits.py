"""What stands outside the stored bits is either known or a reason to refuse; it is never masked away in silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from cxr.ingest.outcome import Refused
from cxr.ingest.read.bits import Layout, check_unused_bits, layout_of

TWELVE, SIGNED = Layout(16, 12, 11, False), Layout(16, 12, 11, True)


def words(*values: int) -> np.ndarray:
    return np.array([values], np.int64).astype(np.uint16)


def overlay(group: int = 0x6000, position: int = 12, allocated: int = 16) -> Dataset:
    header = Dataset()
    header.add_new((group, 0x0100), "US", allocated)
    header.add_new((group, 0x0102), "US", position)
    return header


def refused(pixels: np.ndarray, layout: Layout, header: Dataset | None = None, native: bool = True) -> bool:
    try:
        check_unused_bits(pixels, layout, header or Dataset(), native=native)
    except Refused as refusal:
        return refusal.code == "bits-inconsistent"
    return False


@pytest.mark.parametrize(
    ("layout", "values", "expected"),
    [
        (TWELVE, (0, 4095), False),
        (TWELVE, (0, 4096), True),
        (TWELVE, (0, 65535), True),
        (SIGNED, (-2048, 2047), False),
        (SIGNED, (0, 4095), False),  # masked: no sign above
        (SIGNED, (-2049, 0), True),
        (SIGNED, (2048, -1), True),
        (SIGNED, (4096, 0), True),
        (Layout(16, 12, 15, False), (0xFFF0,), False),
        (Layout(16, 12, 15, False), (0xFFF1,), True),
        (Layout(16, 12, 15, True), (0x8010,), False),
        (Layout(16, 12, 13, True), (-8192, 8188), False),
        (Layout(16, 12, 13, True), (-8192, 8189), True),
        (Layout(16, 16, 15, True), (-32768, 32767), False),
    ],
)
def test_only_the_stored_bits_and_the_sign_may_be_set(layout, values, expected):
    assert refused(words(*values), layout) == expected
    assert refused(words(*values), layout, native=False) == expected


@pytest.mark.parametrize("group", [0x6000, 0x6002, 0x601E])
def test_an_old_overlay_may_lie_in_its_own_bit_of_native_data_only(group):
    assert not refused(words(4096, 5), TWELVE, overlay(group))
    assert refused(words(8192), TWELVE, overlay(group))
    assert refused(words(4096), TWELVE, overlay(group), native=False)


def test_an_overlay_with_data_of_its_own_uses_no_bits_of_the_pixels():
    header = overlay(position=0, allocated=16)
    header.add_new((0x6000, 0x0102), "US", 12)
    header.add_new((0x6000, 0x3000), "OW", b"\0\0")
    assert refused(words(4096), TWELVE, header)


@pytest.mark.parametrize(("position", "allocated"), [(12, 1), (99, 16), (0, 16)])
def test_an_overlay_that_describes_no_such_bit_excuses_nothing(position, allocated):
    assert refused(words(4096), TWELVE, overlay(position=position, allocated=allocated))


@given(stored=st.integers(1, 16), data=st.data())
def test_codes_and_values_are_those_of_the_words(stored, data):
    high = data.draw(st.integers(stored - 1, 15))
    signed = data.draw(st.booleans())
    layout = Layout(16, stored, high, signed)
    value = data.draw(st.integers(-(1 << stored - 1), (1 << stored - 1) - 1) if signed else st.integers(0, (1 << stored) - 1))
    word = words(value * (1 << layout.shift))
    assert not refused(word, layout)
    assert layout.values()[layout.codes(word)[0, 0]] == value


@pytest.mark.parametrize(
    "attributes",
    [
        {"BitsAllocated": 32}, {"BitsAllocated": 1}, {"BitsStored": 0}, {"BitsStored": 17}, {"HighBit": 16}, {"HighBit": 10},
        {"BitsStored": [12, 12]}, {"PixelRepresentation": 2},
    ],
)  # fmt: skip
def test_layouts_that_contradict_themselves_are_refused(attributes):
    header = Dataset()
    for name, value in ({"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0} | attributes).items():
        setattr(header, name, value)
    with pytest.raises(Refused, match="bits-inconsistent"):
        layout_of(header)


def test_what_a_header_leaves_out_is_the_usual():
    header = Dataset()
    header.BitsAllocated, header.BitsStored = 16, 12
    assert layout_of(header) == TWELVE
