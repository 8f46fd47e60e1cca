from __future__ import annotations

import tracemalloc

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.ingest.outcome import Refused
from cxr.ingest.read.rle import decode_rle


def frame(*segments: bytes, count: int | None = None, offsets: list[int] | None = None) -> bytes:
    header = np.zeros(16, "<u4")
    header[0] = len(segments) if count is None else count
    places = [64 + sum(map(len, segments[:k])) for k in range(len(segments))] if offsets is None else offsets
    header[1 : 1 + len(places)] = places
    return header.tobytes() + b"".join(segments)


def packed(values: bytes) -> bytes:
    data = bytes(imagecodecs.packbits_encode(values))
    return data + b"\0" * (len(data) % 2)


def test_the_first_segment_is_the_high_byte():
    words = decode_rle(frame(packed(bytes([1, 2])), packed(bytes([3, 4]))), (1, 2), 16)
    assert words.tolist() == [[0x0103, 0x0204]]
    assert words.dtype == np.uint16


@given(st.binary(min_size=1, max_size=700), st.integers(1, 2))
def test_what_is_packed_comes_back(values, count):
    planes = [values, values[::-1]][:count]
    words = decode_rle(frame(*map(packed, planes)), (1, len(values)), 8 * count)
    assert (words & 0xFF).astype(np.uint8).tobytes() == planes[-1]
    assert ((words >> 8).astype(np.uint8).tobytes() == planes[0]) or count == 1


def test_an_odd_number_of_pixels_may_be_made_even_before_it_is_packed():
    assert decode_rle(frame(packed(b"abc\0")), (1, 3), 8).tobytes() == b"abc"


LONG, SHORT = packed(b"abcdefgh"), packed(b"abc")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        frame(LONG)[:63],
        frame(LONG)[:64],
        frame(SHORT),
        frame(packed(b"abcdefghi")),
        frame(LONG, count=0),
        frame(LONG, count=2),
        frame(LONG, LONG),
        frame(LONG, offsets=[60]),
        frame(LONG, offsets=[5000]),
        frame(LONG, offsets=[0]),
        frame(b"\x07abc"),
    ],
)
def test_damaged_frames_are_refused(data):
    with pytest.raises(Refused, match="decode-failed"):
        decode_rle(data, (2, 4), 8)


@pytest.mark.parametrize("offsets", [[64, 64], [74, 64]])
def test_segments_out_of_order_are_refused(offsets):
    with pytest.raises(Refused, match="decode-failed"):
        decode_rle(frame(LONG, LONG, offsets=offsets), (2, 4), 16)


def test_a_bomb_takes_no_more_memory_than_the_image():
    bomb = frame(b"\x81\0" * 400_000)  # 51 million bytes, once unpacked
    tracemalloc.start()
    with pytest.raises(Refused, match="decode-failed"):
        decode_rle(bomb, (100, 100), 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000
