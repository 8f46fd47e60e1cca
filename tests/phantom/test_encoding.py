from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from pydicom import uid

from cxr.phantom.encoding import ENCODINGS, EVERY_SYNTAX, compressed_frame, stored_values

RAMP = np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(64, 48)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_stored_values_span_the_range_and_follow_the_polarity(encoding):
    values = stored_values(RAMP, encoding)
    assert (values.min(), values.max()) == encoding.stored_range
    assert values.dtype == (np.uint8 if encoding.bits == 8 else np.uint16)
    assert (values[0, 0] > values[-1, -1]) == (encoding.photometric == "MONOCHROME1")


def test_encodings_cover_both_polarities_all_depths_and_nine_transfer_syntaxes():
    assert {encoding.photometric for encoding in ENCODINGS} == {"MONOCHROME1", "MONOCHROME2"}
    assert {encoding.bits for encoding in ENCODINGS} == {8, 12, 16}
    assert {encoding.modality for encoding in ENCODINGS} == {"DX", "CR"}
    assert len({encoding.transfer_syntax for encoding in ENCODINGS}) == 9
    assert sum(encoding.window is None for encoding in ENCODINGS) < len(ENCODINGS) / 2


def test_jpeg_baseline_is_kept_to_8_bits():
    every = (*ENCODINGS, *EVERY_SYNTAX)
    assert all(encoding.bits == 8 for encoding in every if encoding.transfer_syntax == uid.JPEGBaseline8Bit)


def test_jpeg_lossless_sv1_really_uses_selection_value_1():
    for encoding in (encoding for encoding in ENCODINGS if encoding.transfer_syntax == uid.JPEGLosslessSV1):
        frame = compressed_frame(stored_values(RAMP, encoding), encoding)
        scan = frame.index(b"\xff\xda")
        assert frame[scan + 7] == 1
        assert frame[frame.index(b"\xff\xc3") + 4] == encoding.bits


def test_uncompressed_syntaxes_have_no_frame():
    assert compressed_frame(stored_values(RAMP, ENCODINGS[0]), ENCODINGS[0]) is None


def frame_of(syntax: str) -> bytes:
    encoding = next(encoding for encoding in EVERY_SYNTAX if encoding.transfer_syntax == syntax)
    return compressed_frame(stored_values(RAMP, encoding), encoding)


def test_every_syntax_is_there_once():
    assert len({encoding.transfer_syntax for encoding in EVERY_SYNTAX}) == len(EVERY_SYNTAX) == 16
    assert {encoding.transfer_syntax for encoding in ENCODINGS} <= {encoding.transfer_syntax for encoding in EVERY_SYNTAX}


def test_jpeg_extended_has_12_bits_in_its_own_process():
    frame = frame_of(uid.JPEGExtended12Bit)
    assert frame[frame.index(b"\xff\xc1") + 4] == 12


def test_jpeg_lossless_uses_a_predictor_that_sv1_does_not_allow():
    frame = frame_of(uid.JPEGLossless)
    assert frame[frame.index(b"\xff\xda") + 7] == 7


@pytest.mark.parametrize(("syntax", "lossless"), [(uid.JPEGLSLossless, True), (uid.JPEGLSNearLossless, False)])
def test_jpeg_ls_states_whether_it_is_near_lossless(syntax, lossless):
    frame = frame_of(syntax)
    assert (frame[frame.index(b"\xff\xda") + 7] == 0) == lossless


@pytest.mark.parametrize(
    ("syntax", "reversible"),
    [(uid.JPEG2000Lossless, True), (uid.JPEG2000, False), (uid.HTJ2KLossless, True), (uid.HTJ2K, False)],
)
def test_jpeg_2000_uses_the_wavelet_of_its_syntax(syntax, reversible):
    frame = frame_of(syntax)
    assert frame[frame.index(b"\xff\x52") + 13] == (1 if reversible else 0)
    assert (frame.find(b"\xff\x50") > 0) == (syntax in (uid.HTJ2KLossless, uid.HTJ2K))  # CAP: High-Throughput


def test_the_rpcl_syntax_has_its_progression_and_its_tile_part_lengths():
    frame = frame_of(uid.HTJ2KLosslessRPCL)
    assert frame[frame.index(b"\xff\x52") + 5] == 2  # RPCL
    assert b"\xff\x55" in frame[:300]  # TLM
    encoding = next(encoding for encoding in EVERY_SYNTAX if encoding.transfer_syntax == uid.HTJ2KLosslessRPCL)
    assert np.array_equal(imagecodecs.jpeg2k_decode(frame), stored_values(RAMP, encoding))
