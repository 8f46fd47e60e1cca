"""The bits that a picture needs are the bits that are there, for every predictor and depth, and for no other picture."""

from __future__ import annotations

import re

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cxr.ingest.outcome import Refused
from cxr.ingest.read import huffman
from cxr.ingest.read.codestream import read_jpeg
from cxr.ingest.read.huffman import check_length
from tests.ingest.corpus.pictures import lossless_with_restarts

NOISE = np.random.default_rng(0).integers(0, 60, (60, 50))
SMOOTH = (np.add.outer(np.arange(60), np.arange(50)) * 30 + NOISE).astype(np.uint16)


def encoded(words: np.ndarray, predictor: int, bits: int) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(words, lossless=True, predictor=predictor, bitspersample=bits))


@pytest.mark.parametrize("predictor", range(1, 8))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whole_frames_pass(predictor, data):
    bits = data.draw(st.integers(2, 16))
    dtype = np.uint8 if bits <= 8 else np.uint16
    shape = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    words = data.draw(arrays.arrays(dtype, shape, elements=st.integers(0, (1 << bits) - 1)))
    frame = encoded(words, predictor, bits)
    assert np.array_equal(imagecodecs.jpeg8_decode(frame), words)
    check_length(words, frame, read_jpeg(frame))


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("lost", [5, 40, 900])
def test_lost_bytes_are_noticed_where_the_decoder_keeps_silent(predictor, lost):
    frame = encoded(SMOOTH, predictor, 12)
    start = read_jpeg(frame).scan
    for damaged in (frame[: -2 - lost] + frame[-2:], frame[: start + 700] + frame[start + 700 + lost :]):
        picture = imagecodecs.jpeg8_decode(damaged)
        with pytest.raises(Refused, match="decode-failed"):
            check_length(picture, damaged, read_jpeg(damaged))


def test_surplus_bytes_are_noticed_but_one_may_be_padding():
    frame = encoded(SMOOTH, 1, 12)
    for surplus, fits in ((b"\x7f", True), (b"\xff\xff\xff", True), (b"\x7f\x7f", False)):
        longer = frame[:-2] + surplus + frame[-2:]
        if fits:
            check_length(SMOOTH, longer, read_jpeg(longer))
        else:
            with pytest.raises(Refused, match="decode-failed"):
                check_length(SMOOTH, longer, read_jpeg(longer))


def test_a_marker_inside_the_coded_data_is_noticed():
    frame = encoded(SMOOTH, 1, 12)
    position = read_jpeg(frame).scan + 500
    damaged = frame[:position] + b"\xff\xd3" + frame[position + 2 :]
    with pytest.raises(Refused, match="a marker"):
        check_length(SMOOTH, damaged, read_jpeg(damaged))


@pytest.mark.parametrize("rows", [1, 7, 59, 60, 100])
def test_frames_with_restarts_pass_and_an_end_lost_before_one_of_them_is_noticed(rows):
    frame = lossless_with_restarts(SMOOTH, rows)
    assert np.array_equal(imagecodecs.jpeg8_decode(frame), SMOOTH)
    check_length(SMOOTH, frame, read_jpeg(frame))
    for end in (re.search(rb"\xff[\xd0-\xd7]|\xff\xd9", frame).start(), len(frame) - 2):
        damaged = frame[: end - 4] + frame[end:]
        with pytest.raises(Refused, match="expected"):
            check_length(imagecodecs.jpeg8_decode(damaged), damaged, read_jpeg(damaged))


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_few_and_many_rows_between_restarts_are_counted_alike(data):
    words = data.draw(arrays.arrays(np.uint16, (9, 8), elements=st.integers(0, 4095)))
    frame = lossless_with_restarts(words, data.draw(st.integers(1, 9)))
    assert np.array_equal(imagecodecs.jpeg8_decode(frame), words)
    check_length(words, frame, read_jpeg(frame))


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("at_once", [1, 50, 51, 500, 2950, 3000])
def test_a_picture_counted_in_parts_takes_as_many_bits_as_in_one(monkeypatch, predictor, at_once):
    jpeg = read_jpeg(encoded(SMOOTH, predictor, 12))
    whole = huffman._costs(jpeg)[huffman._differences(SMOOTH, jpeg)].sum(dtype=int)
    monkeypatch.setattr(huffman, "_AT_ONCE", at_once)
    assert huffman._needed_bytes(SMOOTH, jpeg, huffman._costs(jpeg)) == -(-whole // 8)


@pytest.mark.parametrize("predictor", [1, 4, 7])
def test_large_images_and_their_point_transform_are_counted(predictor):
    words = np.random.default_rng(3).integers(0, 1024, (700, 430), np.uint16) << 2
    assert words.size > huffman._AT_ONCE
    frame = bytearray(encoded(words >> 2, predictor, 10))
    frame[read_jpeg(bytes(frame)).scan - 1] = 2  # of the scan: the point transform; the differences are those of 10 bits
    frame[frame.index(b"\xff\xc3") + 4] = 12
    whole = bytes(frame)
    assert np.array_equal(imagecodecs.jpeg8_decode(whole), words)
    check_length(words, whole, read_jpeg(whole))
    with pytest.raises(Refused, match="expected"):
        check_length(words[:-1], whole, read_jpeg(whole))


def test_what_a_difference_costs_is_its_code_and_its_own_bits():
    jpeg = read_jpeg(encoded(SMOOTH, 1, 16))
    costs, lengths = huffman._costs(jpeg), jpeg.code_lengths[jpeg.table]
    for difference in (*range(-300, 300), -32768, -32767, 32767):
        category = abs(difference).bit_length()
        own = 0 if category == 16 else category
        assert costs[difference & 0xFFFF] == (lengths[category] + own if category in lengths else 0)


def test_a_difference_without_a_code_is_refused():
    flat = np.full((20, 30), 2048, np.uint16)
    jpeg = read_jpeg(encoded(flat, 1, 12))
    huffman._needed_bytes(flat, jpeg, huffman._costs(jpeg))
    jpeg.code_lengths[jpeg.table].pop(4, None)
    flat[19, 29] += 9
    with pytest.raises(Refused, match="no code"):
        huffman._needed_bytes(flat, jpeg, huffman._costs(jpeg))


def test_fill_bytes_are_let_pass_before_a_marker_only():
    words = np.random.default_rng(5).integers(0, 4096, (60, 50), np.uint16)
    frame = lossless_with_restarts(words, 20)
    marker = re.search(rb"\xff[\xd0-\xd7]", frame).start()
    filled = frame[:marker] + b"\xff\xff" + frame[marker:]
    check_length(words, filled, read_jpeg(filled))
    stuffed = frame.index(b"\xff\0", read_jpeg(frame).scan)
    inside = frame[:stuffed] + b"\xff" + frame[stuffed:]
    with pytest.raises(Refused, match="a marker"):
        check_length(words, inside, read_jpeg(inside))
