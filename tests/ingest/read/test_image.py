"""One PNG or JPEG file in, one radiograph or one code out."""

from __future__ import annotations

import hashlib
import struct
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.read.image import read_image

GREY = np.random.default_rng(1).integers(0, 256, (24, 20), np.uint8)
SMOOTH = np.add.outer(np.arange(64), 2 * np.arange(60)).astype(np.uint8)


def png(pixels) -> bytes:
    return bytes(imagecodecs.png_encode(pixels))


def jpeg(pixels) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(pixels, level=95))


def refusal(data, bits: int = 8) -> str:
    with pytest.raises(Refused) as refused:
        read_image(data, bits)
    assert CODES[refused.value.code][0] == "quarantined"
    return refused.value.code


@pytest.mark.parametrize(("encode", "error"), [(png, 0), (jpeg, 3)])
def test_grey_image_is_read(encode, error):
    data = encode(SMOOTH)
    radiograph = read_image(data)
    assert np.abs(radiograph.pixels.astype(int) - SMOOTH).max() <= error
    assert radiograph.identifiers == {}
    assert (radiograph.view, radiograph.codes) == ("unknown", ())
    assert radiograph.source_sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_grey_values_repeated_in_channels_are_taken(channels):
    pixels = np.repeat(GREY[..., None], channels, axis=2)
    pixels[..., channels - 1] = 255 if channels in (2, 4) else pixels[..., channels - 1]
    assert np.array_equal(read_image(png(pixels)).pixels, GREY)


def test_coloured_image_is_refused():
    pixels = np.repeat(GREY[..., None], 3, axis=2)
    pixels[3, 4, 2] ^= 1
    assert refusal(png(pixels)) == "colour"


def test_16_bit_png_is_scaled_by_257():
    words = np.array([[0, 128, 129, 257], [32768, 65278, 65406, 65535]], np.uint16)
    assert read_image(png(words)).pixels.tolist() == [[0, 0, 1, 1], [128, 254, 254, 255]]
    assert np.array_equal(read_image(png(words), 16).pixels, words)


def test_8_bits_fill_the_range_of_16():
    pixels = read_image(png(GREY), 16).pixels
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels, GREY.astype(int) * 257)


@pytest.mark.parametrize("data", [b"", b"To whom it may concern\n" * 40, bytes(200), b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_file_of_another_kind_gets_its_code(data):
    assert refusal(data) == ("unreadable" if data else "empty")


@pytest.mark.parametrize("bits", [8, 16])
def test_constant_image_is_refused(bits):
    assert refusal(png(np.full((5, 5), 9, np.uint8)), bits) == "constant"


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def test_small_png_that_states_a_huge_size_is_refused_before_it_is_unpacked():
    header = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    assert refusal(bomb) in ("unreadable", "too-large", "decode-failed")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("encode", ["png", "jpeg", "progressive"])
def test_truncated_image_is_refused_and_never_padded(encode, share):
    noisy = np.random.default_rng(2).integers(0, 256, (64, 64), np.uint8)
    if encode == "png":
        data = png(noisy)
    else:
        options = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(encode == "progressive")]
        data = cv2.imencode(".jpg", noisy, options)[1].tobytes()
    assert read_image(data).pixels.shape == (64, 64)
    assert refusal(data[: int(len(data) * share)]) == "unreadable"


def test_bytes_behind_a_whole_jpeg_do_no_harm():
    assert np.array_equal(read_image(jpeg(SMOOTH) + b"\0trailer").pixels, read_image(jpeg(SMOOTH)).pixels)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([png(SMOOTH), jpeg(SMOOTH)]), st.data())
def test_any_change_of_a_byte_is_read_or_refused_but_never_another_error(whole, data):
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        pixels = read_image(bytes(changed)).pixels
    except Refused as refused:
        assert refused.code in CODES  # noqa: PT017
    else:
        assert pixels.ndim == 2
        assert pixels.dtype == np.uint8
