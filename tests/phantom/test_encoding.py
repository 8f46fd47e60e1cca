from __future__ import annotations

import numpy as np
import pytest
from pydicom import uid

from cxr.phantom.encoding import ENCODINGS, compressed_frame, stored_values

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
    assert all(encoding.bits == 8 for encoding in ENCODINGS if not encoding.lossless)


def test_jpeg_lossless_sv1_really_uses_selection_value_1():
    for encoding in (encoding for encoding in ENCODINGS if encoding.transfer_syntax == uid.JPEGLosslessSV1):
        frame = compressed_frame(stored_values(RAMP, encoding), encoding)
        scan = frame.index(b"\xff\xda")
        assert frame[scan + 7] == 1
        assert frame[frame.index(b"\xff\xc3") + 4] == encoding.bits


def test_uncompressed_syntaxes_have_no_frame():
    assert compressed_frame(stored_values(RAMP, ENCODINGS[0]), ENCODINGS[0]) is None
