from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from cxr.ingest.outcome import Refused
from cxr.ingest.read import lut
from cxr.ingest.read.lut import Lut, read_lut

EIGHT = np.arange(10, 17)  # seven 8-bit entries
PACKED_WORDS = [10 | 11 << 8, 12 | 13 << 8, 14 | 15 << 8, 16]


def item(descriptor: object, data: object, vr: str = "US") -> Dataset:
    result = Dataset()
    if descriptor is not None:
        result.add_new("LUTDescriptor", "US", descriptor)
    if data is not None:
        result.add_new("LUTData", vr, data)
    return result


@pytest.mark.parametrize(
    ("data", "little_endian"),
    [
        (EIGHT.tolist(), True),
        (PACKED_WORDS, True),
        (np.array(EIGHT, "<u2").tobytes(), True),
        (np.array(EIGHT, ">u2").tobytes(), False),
        (np.array(PACKED_WORDS, "<u2").tobytes(), True),
        (np.array(PACKED_WORDS, ">u2").tobytes(), False),
        (np.append(EIGHT, 0).astype(np.uint8).tobytes(), True),
    ],
)
def test_eight_bit_entries_are_found_in_words_and_packed_in_either_byte_order(data, little_endian):
    lut = read_lut(item([7, 3, 8], data, "OW" if isinstance(data, bytes) else "US"), little_endian=little_endian)
    assert lut.entries.tolist() == EIGHT.tolist()
    assert (lut.first, lut.bits) == (3, 8)


def test_entries_that_were_read_as_signed_are_not():
    lut = read_lut(item([2, 0, 16], [-1, 5], "SS"), little_endian=True)
    assert lut.entries.tolist() == [65535, 5]


@pytest.mark.parametrize(
    ("descriptor", "data"),
    [
        (None, [1, 2]),
        ([2, 0], [1, 2]),
        (2, [1, 2]),
        ([2, 0, 8], None),
        ([3, 0, 8], [1]),
        ([3, 0, 12], [1, 2]),
        ([2, 0, 17], [1, 2]),
        ([2, 0, 0], [1, 2]),
        ([2, 0, 8], [1, 256]),
        ([0, 0, 8], [1, 2]),
    ],
)
def test_tables_that_do_not_hold_what_they_describe_are_refused(descriptor, data):
    with pytest.raises(Refused, match="lut-invalid"):
        read_lut(item(descriptor, data), little_endian=True)


@given(first=st.integers(-32768, 65535), count=st.integers(2, 5000))
def test_the_first_value_gets_the_sign_under_which_the_table_covers_the_values(first, count):
    values = np.arange(first, first + count, dtype=np.float64)
    table = Lut(np.arange(count, dtype=np.float64), first & 0xFFFF, 16)
    if first < 0 or first + count <= 65536:
        assert table.look_up(values).tolist() == list(range(count))


def test_values_outside_get_the_first_or_last_entry():
    table = Lut(np.array([5.0, 6.0, 7.0]), 10, 8)
    assert table.look_up(np.array([-3.0, 9, 10, 11, 12, 13, 99])).tolist() == [5, 5, 5, 6, 7, 7, 7]


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("table", [np.uint8, np.uint16])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_go_through_a_table_with_and_without_wide_ones(monkeypatch, dtype, table, wide):
    monkeypatch.setattr(lut, "_WIDE_TABLES", wide and lut._WIDE_TABLES)
    generator = np.random.default_rng(0)
    words = generator.integers(0, np.iinfo(dtype).max, (13, 17), dtype, endpoint=True)
    entries = generator.integers(0, np.iinfo(table).max, np.iinfo(dtype).max + 1, table, endpoint=True)
    result = lut.looked_up(words, entries)
    assert result.dtype == table
    assert np.array_equal(result, entries[words])
