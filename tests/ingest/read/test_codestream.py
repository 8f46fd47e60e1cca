"""What a codestream says of itself is read from its own markers, whatever else looks like one."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.read.codestream import read_jpeg, read_jpeg_2000

WORDS = np.random.default_rng(0).integers(0, 4096, (21, 33), np.uint16)
LOSSLESS = bytes(imagecodecs.jpeg8_encode(WORDS, lossless=True, predictor=4, bitspersample=12))
LS = bytes(imagecodecs.jpegls_encode(WORDS))
JPEG_2000 = bytes(imagecodecs.jpeg2k_encode(WORDS, level=0, reversible=True, codecformat="j2k", bitspersample=12))


def code_of(read, data: bytes) -> str:
    with pytest.raises(Refused) as refused:
        read(data)
    return refused.value.code


def test_jpeg_states_size_process_predictor_and_tables():
    stated = read_jpeg(LOSSLESS)
    assert (stated.shape, stated.components, stated.precision) == ((21, 33), 1, 12)
    assert (stated.process, stated.selection, stated.shift, stated.interval) == (0xC3, 4, 0, 0)
    assert LOSSLESS[stated.end :] == b"\xff\xd9"
    lengths = stated.code_lengths[stated.table]
    assert sum(2.0**-length for length in lengths.values()) < 1  # Kraft: a code that can be decoded, all ones left out


def test_jpeg_ls_and_jpeg_2000_state_their_sizes():
    assert (read_jpeg(LS).shape, read_jpeg(LS).process) == ((21, 33), 0xF7)
    data, stated = read_jpeg_2000(JPEG_2000)
    assert data == JPEG_2000
    assert (stated.shape, stated.components, stated.precision) == ((21, 33), 1, 12)


def test_only_the_codestream_inside_a_jp2_file_is_handed_on():
    wrapped = bytes(imagecodecs.jpeg2k_encode(WORDS, level=0, reversible=True, codecformat="jp2", bitspersample=12))
    data, stated = read_jpeg_2000(wrapped)
    assert data.startswith(b"\xff\x4f\xff\x51")
    assert stated.shape == (21, 33)


@pytest.mark.parametrize("read", [read_jpeg, read_jpeg_2000])
def test_the_end_marker_must_be_the_end(read):
    whole = LS if read is read_jpeg else JPEG_2000
    read(whole + b"\0\0\0")
    assert code_of(read, whole[:-2]) == "decode-failed"
    assert code_of(read, whole + b"\0more") == "decode-failed"
    assert code_of(read, whole + b"\0" + whole) == "multi-frame"


def test_the_restart_interval_is_read():
    restart = b"\xff\xdd\x00\x04\x01\x21"
    assert read_jpeg(LOSSLESS[:2] + restart + LOSSLESS[2:]).interval == 0x121
    assert read_jpeg(LOSSLESS[:2] + b"\xff\xdd\x00\x04\x00\x00" + LOSSLESS[2:]).interval == 0


def with_markers(process: int, interval: int, coded: bytes) -> bytes:
    """A codestream of 21 x 33 pixels, of which nothing but the markers can be read."""
    frame = b"\xff" + bytes([process]) + b"\x00\x0b\x08\x00\x15\x00\x21\x01\x01\x11\x00"
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    return b"\xff\xd8" + frame + b"\xff\xdd\x00\x04" + struct.pack(">H", interval) + scan + coded + b"\xff\xd9"


def restarts(count: int) -> bytes:
    return b"\x12\xff\x00" + b"".join(b"\xff" + bytes([0xD0 + k % 8]) + b"\x12\xff\x00" for k in range(count))


# 21 x 33 pixels are 3 x 5 blocks
@pytest.mark.parametrize(
    ("process", "interval", "due"),
    [
        (0xC0, 0, 0), (0xC0, 1, 14), (0xC0, 5, 2), (0xC1, 4, 3), (0xC0, 14, 1), (0xC0, 15, 0), (0xC0, 60000, 0),
        (0xC3, 33, 20), (0xC3, 66, 10), (0xC3, 33 * 20, 1), (0xC3, 33 * 21, 0), (0xC3, 0, 0),
    ],
)  # fmt: skip
def test_exactly_the_restart_markers_that_are_due_pass(process, interval, due):
    for count in {0, due - 1, due, due + 1, due + 8} - {-1}:
        data = with_markers(process, interval, restarts(count))
        if count == due:
            read_jpeg(data).check_markers(data)
        else:
            assert code_of(lambda data: read_jpeg(data).check_markers(data), data) == "decode-failed"


@pytest.mark.parametrize(
    "coded",
    [
        restarts(2).replace(b"\xd1", b"\xd2"), restarts(2).replace(b"\xd0", b"\xd7"),
        restarts(2).replace(b"\xff\xd1", b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"),
        restarts(2) + b"\xff\xdc\x00\x04\x00\x15",
    ],
    ids=["skipped", "beginning elsewhere", "another scan", "number of lines"],
)  # fmt: skip
def test_markers_in_another_order_or_of_another_kind_are_refused(coded):
    whole, odd = with_markers(0xC0, 5, restarts(2)), with_markers(0xC0, 5, coded)
    read_jpeg(whole).check_markers(whole)
    assert code_of(lambda data: read_jpeg(data).check_markers(data), odd) == "decode-failed"


def test_fill_bytes_before_a_restart_marker_are_no_markers():
    data = with_markers(0xC0, 5, restarts(2).replace(b"\xff\xd0", b"\xff\xff\xff\xd0"))
    read_jpeg(data).check_markers(data)


def test_a_restart_of_jpeg_lossless_inside_a_row_is_refused():
    data = with_markers(0xC3, 40, restarts(17))
    assert code_of(lambda data: read_jpeg(data).check_markers(data), data) == "decode-failed"


def test_a_second_frame_header_is_refused():
    start = LOSSLESS.index(b"\xff\xc3")
    assert code_of(read_jpeg, LOSSLESS[:start] + LOSSLESS[start : start + 13] + LOSSLESS[start:]) == "decode-failed"


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xff", LS[:20], LS[:45], b"GIF89a" * 20])
def test_malformed_headers_are_refused(data):
    assert code_of(read_jpeg, data) == "decode-failed"
    assert code_of(read_jpeg_2000, data) == "decode-failed"


def test_subsampled_jpeg_2000_is_refused():
    data = bytearray(JPEG_2000)
    data[43] = 2
    assert code_of(read_jpeg_2000, bytes(data)) == "decode-failed"


@pytest.mark.parametrize(("shape", "allocated"), [((21, 32), 16), ((33, 21), 16), ((21, 33), 8)])
def test_what_the_header_says_otherwise_is_refused(shape, allocated):
    stated = read_jpeg(LOSSLESS)
    stated.check((21, 33), 16)
    with pytest.raises(Refused, match="decode-failed"):
        stated.check(shape, allocated)


@settings(max_examples=300)
@given(whole=st.sampled_from([LOSSLESS, LS, JPEG_2000]), data=st.data())
def test_any_damage_to_a_header_gives_a_code_or_a_statement(whole, data):
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, 120))] = data.draw(st.integers(0, 255))
    for read in (read_jpeg, read_jpeg_2000):
        try:
            read(bytes(damaged))
            outcome = "read"
        except Refused as refused:
            outcome = refused.code
        assert outcome in {"read", *CODES}


@given(rows=st.integers(0, 65535), columns=st.integers(0, 65535))
def test_any_stated_size_is_read_without_decoding(rows, columns):
    start = LS.index(b"\xff\xf7") + 5
    assert read_jpeg(LS[:start] + struct.pack(">HH", rows, columns) + LS[start + 4 :]).shape == (rows, columns)
