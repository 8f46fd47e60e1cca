from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.read.fragments import single_frame

DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def item(value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value) if length is None else length) + value


def code_of(data: bytes, *, one_fragment: bool = False) -> str:
    with pytest.raises(Refused) as refused:
        single_frame(data, one_fragment=one_fragment)
    return refused.value.code


@pytest.mark.parametrize("end", [b"", DELIMITER, DELIMITER + b"\0\0"])
@pytest.mark.parametrize("table", [b"", bytes(4)])
def test_fragments_are_joined(end, table):
    assert single_frame(item(table) + item(b"abcd") + item(b"") + item(b"ef") + end, one_fragment=False) == b"abcdef"


def test_a_second_rle_fragment_is_a_second_frame():
    data = item(b"") + item(b"abcd")
    assert single_frame(data, one_fragment=True) == b"abcd"
    assert code_of(data + item(b"ef"), one_fragment=True) == "multi-frame"


def test_a_frame_of_one_fragment_is_not_copied():
    file = item(b"") + item(b"abcd") + DELIMITER
    frame = single_frame(memoryview(file), one_fragment=False)
    assert isinstance(frame, memoryview)
    assert frame.obj is file
    assert frame == b"abcd"
    assert single_frame(memoryview(item(b"") + item(b"ab") + item(b"cd")), one_fragment=False) == b"abcd"


def test_an_offset_table_of_two_entries_means_two_frames():
    assert code_of(item(bytes(8)) + item(b"ab") + item(b"cd")) == "multi-frame"


@pytest.mark.parametrize(
    "data",
    [
        b"\x01\x02\x03\x04" * 9,
        item(b"")[:5],
        item(b""),
        item(b"") + item(b""),
        item(b"") + item(b"ab", 3),
        item(b"") + item(b"ab", 0xFFFFFFFF),
        item(b"") + item(b"ab") + b"\xfe\xff",
        item(b"") + item(b"ab") + DELIMITER + b"more",
        item(b"") + DELIMITER + item(b"ab"),
        DELIMITER,
        item(b"abc") + item(b"ab"),
    ],
)
def test_malformed_items_are_refused(data):
    assert code_of(data) == "decode-failed"


@given(st.binary(max_size=60))
def test_any_bytes_give_a_frame_or_a_code(data):
    for whole in (data, item(b"") + data, item(b"") + item(data)):
        try:
            outcome = type(single_frame(whole, one_fragment=False)).__name__
            assert single_frame(memoryview(whole), one_fragment=False) == single_frame(whole, one_fragment=False)
        except Refused as refused:
            outcome = refused.code
        assert outcome in {"bytes", *CODES}
