"""Every transfer syntax comes back exactly; what is damaged, or of another size, never becomes a picture."""

from __future__ import annotations

import struct
import time

import numpy as np
import pytest
from imagecodecs import jpeg2k_encode
from pydicom import uid
from pydicom.encaps import encapsulate, generate_frames

from cxr.ingest import decode as module
from cxr.ingest.decode import decode
from cxr.ingest.outcome import Refused
from cxr.ingest.read import read_dicom

NATIVE = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
)
LOSSLESS = (
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2K,
)
CODESTREAMS = (*LOSSLESS[1:], uid.JPEGBaseline8Bit)


def noise(dtype: type, shape: tuple[int, int] = (21, 33), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def refusal(call, *arguments) -> Refused:
    with pytest.raises(Refused) as refused:
        call(*arguments)
    return refused.value


def code_of(call, *arguments) -> str:
    return refusal(call, *arguments).code


def test_the_tests_cover_every_pinned_syntax():
    assert {*NATIVE, *LOSSLESS, uid.JPEGBaseline8Bit} == set(module._DECODERS)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("syntax", [*NATIVE, *LOSSLESS], ids=lambda syntax: syntax.name)
def test_lossless_syntax_round_trips_exactly(build, reread, syntax, dtype):
    words = noise(dtype)
    frame = decode(reread(build(words, syntax)))
    assert frame.dtype == dtype
    assert np.array_equal(frame, words)


def test_jpeg_baseline_comes_back_within_its_loss(build, reread):
    words = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
    frame = decode(reread(build(words, uid.JPEGBaseline8Bit)))
    assert np.abs(frame.astype(int) - words).max() <= 4


@pytest.mark.parametrize("bits", [12, 16])
def test_signed_jpeg_2000_comes_back_as_the_stored_words(build, reread, bits):
    values = np.random.default_rng(1).integers(-(1 << bits - 1), 1 << bits - 1, (16, 17), np.int16)
    header = build(values.view(np.uint16), encoded=None, syntax=uid.ExplicitVRLittleEndian)
    header.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
    header.PixelData = encapsulate([bytes(jpeg2k_encode(values, level=0, reversible=True, codecformat="j2k"))])
    header["PixelData"].is_undefined_length = True
    header.PixelRepresentation, header.BitsStored, header.HighBit = 1, bits, bits - 1
    frame = decode(reread(header))
    assert frame.dtype == np.uint16
    mask = (1 << bits) - 1
    assert np.array_equal(frame & mask, values.view(np.uint16) & mask)


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.name)
def test_odd_length_of_8_bit_pixels_is_padded_by_one_byte(build, reread, syntax):
    words = noise(np.uint8, (7, 9))
    assert np.array_equal(decode(reread(build(words, syntax))), words)


@pytest.mark.parametrize("change", [-2, -1, 1, 2, 200])
def test_native_data_of_another_length_is_refused(build, change):
    words = noise(np.uint16, (10, 10))
    data = words.tobytes()
    header = build(words, encoded=data[:change] if change < 0 else data + bytes(change))
    assert code_of(decode, header) == "decode-failed"


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("syntax", [*LOSSLESS, uid.JPEGBaseline8Bit], ids=lambda syntax: syntax.name)
def test_truncated_frame_is_refused_and_never_a_picture(build, write, syntax, share):
    words = noise(np.uint8 if syntax == uid.JPEGBaseline8Bit else np.uint16, (40, 50))
    whole = build(words, syntax)
    frame = next(generate_frames(whole.PixelData, number_of_frames=1))
    cut = frame[: int(len(frame) * share)]
    path = write(build(words, syntax, encoded=cut + b"\0" * (len(cut) % 2)))
    assert code_of(read_dicom, path) == "decode-failed"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_rle_segment_that_runs_short_is_refused(build, dtype):
    assert code_of(decode, build(noise(dtype), uid.RLELossless, Rows=22)) == "decode-failed"


def test_rle_with_another_number_of_segments_is_refused(build):
    assert code_of(decode, build(noise(np.uint8), uid.RLELossless, BitsAllocated=16)) == "decode-failed"


@pytest.mark.parametrize("wrong", [{"Rows": 20}, {"Rows": 22}, {"Columns": 32}, {"Rows": 33, "Columns": 21}, {"Rows": 0}])
@pytest.mark.parametrize("syntax", CODESTREAMS, ids=lambda syntax: syntax.name)
def test_rows_and_columns_that_do_not_fit_the_data_are_refused(build, syntax, wrong):
    assert code_of(decode, build(noise(np.uint8), syntax, **wrong)) == "decode-failed"


@pytest.mark.parametrize("wrong", [{"Rows": 20}, {"Rows": 22}, {"Columns": 32}, {"Rows": 0}])
def test_rows_and_columns_that_do_not_fit_native_data_are_refused(build, wrong):
    assert code_of(decode, build(noise(np.uint16), **wrong)) == "decode-failed"


def test_more_bits_than_the_header_allocates_are_refused(build):
    header = build(noise(np.uint16), uid.JPEG2000Lossless, BitsAllocated=8, BitsStored=8)
    assert code_of(decode, header) == "decode-failed"


def test_bits_allocated_that_are_no_byte_or_word_are_refused(build):
    assert code_of(decode, build(noise(np.uint8), BitsAllocated=1)) == "bits-inconsistent"


@pytest.mark.parametrize("has_offsets", [True, False])
@pytest.mark.parametrize(
    "syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless], ids=lambda syntax: syntax.name
)
def test_two_frames_are_refused(build, reread, syntax, has_offsets):
    words = noise(np.uint16)
    header = build(words, syntax)
    frame = next(generate_frames(header.PixelData, number_of_frames=1))
    header.PixelData = encapsulate([frame, frame], has_bot=has_offsets)
    header["PixelData"].is_undefined_length = True
    assert code_of(decode, reread(header)) == "multi-frame"


@pytest.mark.parametrize("syntax", [uid.JPEGExtended12Bit, uid.MPEG2MPML, uid.UID("1.2.3.4.5")])
def test_unsupported_syntax_is_refused(build, syntax):
    header = build(noise(np.uint8))
    header.file_meta.TransferSyntaxUID = syntax
    assert code_of(decode, header) == "syntax-unsupported"


@pytest.mark.parametrize("data", [b"", None])
def test_empty_pixel_data_is_refused(build, data):
    header = build(noise(np.uint8))
    header["PixelData"].value = data
    assert code_of(decode, header) == "no-pixels"


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.JPEGLosslessSV1, uid.JPEGBaseline8Bit])
def test_frame_split_over_fragments_is_whole_again(build, reread, syntax):
    words = noise(np.uint8)
    header = build(words, syntax)
    whole = decode(header)
    frame = next(generate_frames(header.PixelData, number_of_frames=1))
    header.PixelData = encapsulate([frame], fragments_per_frame=3)
    header["PixelData"].is_undefined_length = True
    assert np.array_equal(decode(reread(header)), whole)


@pytest.mark.parametrize("syntax", CODESTREAMS, ids=lambda syntax: syntax.name)
def test_size_that_the_codestream_states_is_compared_before_it_is_decoded(build, syntax):
    header = build(noise(np.uint8), syntax, Rows=40000)
    assert "the codestream states (21, 33)" in refusal(decode, header).detail


def test_small_file_that_states_a_huge_size_is_refused_at_once(build):
    words = noise(np.uint8)
    header = build(words, uid.JPEG2000Lossless)
    frame = bytearray(next(generate_frames(header.PixelData, number_of_frames=1)))
    frame[8:16] = struct.pack(">2I", 40000, 40000)
    start = time.monotonic()
    assert (
        code_of(decode, build(words, uid.JPEG2000Lossless, encoded=bytes(frame) + b"\0" * (len(frame) % 2))) == "decode-failed"
    )
    assert time.monotonic() - start < 1


def test_marker_of_a_second_size_inside_an_application_segment_is_skipped(build, reread):
    words = noise(np.uint8)
    header = build(words, uid.JPEGLSLossless)
    frame = next(generate_frames(header.PixelData, number_of_frames=1))
    thumbnail = b"\xff\xe1\x00\x0a\xff\xc0\x00\x0b\x08\x00\x01\x00"
    header.PixelData = encapsulate([frame[:2] + b"\xff" + thumbnail + frame[2:]])
    header["PixelData"].is_undefined_length = True
    assert np.array_equal(decode(reread(header)), words)
