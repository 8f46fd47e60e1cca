from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from cxr.ingest.read.bits import Layout
from cxr.ingest.read.padding import padding_of

TWELVE, SIGNED = Layout(16, 12, 11, False), Layout(16, 12, 11, True)


def header(**values: object) -> Dataset:
    result = Dataset()
    for name, value in values.items():
        result.add_new(name, "OW" if isinstance(value, bytes) else "SS" if value < 0 else "US", value)
    return result


@pytest.mark.parametrize(
    ("layout", "value", "code", "words"),
    [
        (TWELVE, 0, 0, "value 0"),
        (TWELVE, 4095, 4095, "value 4095"),
        (SIGNED, -2048, 2048, "value -2048"),
        (SIGNED, 65536 - 2048, 2048, "value -2048"),
        (SIGNED, 5, 5, "value 5"),
        (TWELVE, b"\x05\x00", 5, "value 5"),
        (SIGNED, b"\x00\xf8", 2048, "value -2048"),
        (TWELVE, 4096, None, "value 4096"),
        (TWELVE, -1, None, "value 65535"),
        (SIGNED, 4095, None, "value 4095"),
    ],
)
def test_a_value_is_the_code_that_stands_for_it(layout, value, code, words):
    padding = padding_of(header(PixelPaddingValue=value), layout, little_endian=True)
    assert padding is not None
    assert np.flatnonzero(padding.codes).tolist() == ([] if code is None else [code])
    assert padding.words == words


def test_bytes_of_a_big_endian_file_are_turned():
    padding = padding_of(header(PixelPaddingValue=b"\x00\x05"), TWELVE, little_endian=False)
    assert padding is not None
    assert padding.words == "value 5"


@pytest.mark.parametrize("ends", [(3, 6), (6, 3)])
def test_a_range_has_both_its_ends(ends):
    padding = padding_of(header(PixelPaddingValue=ends[0], PixelPaddingRangeLimit=ends[1]), TWELVE, little_endian=True)
    assert padding is not None
    assert np.flatnonzero(padding.codes).tolist() == [3, 4, 5, 6]
    assert padding.words == "values 3 to 6"


def test_a_range_across_zero_is_one_of_signed_values():
    padding = padding_of(header(PixelPaddingValue=-2, PixelPaddingRangeLimit=1), SIGNED, little_endian=True)
    assert padding is not None
    assert np.flatnonzero(padding.codes).tolist() == [0, 1, 4094, 4095]


@pytest.mark.parametrize("values", [{}, {"PixelPaddingRangeLimit": 4}])
def test_no_value_means_no_padding(values):
    assert padding_of(header(**values), TWELVE, little_endian=True) is None
