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
    assert (stated.process, stated.selection, stated.shift, stated.restarts) == (0xC3, 4, 0, False)
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


def test_restarts_are_noticed():
    restart = b"\xff\xdd\x00\x04\x00\x21"
    assert read_jpeg(LOSSLESS[:2] + restart + LOSSLESS[2:]).restarts
    assert not read_jpeg(LOSSLESS[:2] + b"\xff\xdd\x00\x04\x00\x00" + LOSSLESS[2:]).restarts


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
