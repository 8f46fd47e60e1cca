from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.ingest.read.canonical import canonical

SIDES = st.integers(1, 300)


@settings(max_examples=60, deadline=None)
@given(height=SIDES, width=SIDES, size=st.integers(1, 130), fit=st.sampled_from(["pad", "crop"]))
def test_size_is_exact_for_any_shape(height, width, size, fit):
    result = canonical(np.full((height, width), 200, np.uint8), size, fit)
    assert result.shape == (size, size)
    assert result.dtype == np.uint8
    assert result.max() == 200
    if fit == "crop":
        assert result.min() == 200


@settings(max_examples=60, deadline=None)
@given(height=SIDES, width=SIDES, size=st.integers(8, 130))
def test_padding_is_black_centred_and_keeps_the_aspect(height, width, size):
    filled = canonical(np.full((height, width), 255, np.uint8), size, "pad") == 255
    for axis, length in ((1, height), (0, width)):
        inside = filled.any(axis)
        extent = max(1, round(length * size / max(height, width)))
        assert inside.sum() == extent
        before, after = np.argmax(inside), np.argmax(inside[::-1])
        assert 0 <= after - before <= 1
    assert filled.sum() == filled.any(0).sum() * filled.any(1).sum()


def test_crop_takes_the_centre():
    pixels = np.zeros((30, 50), np.uint8)
    pixels[:, 10:40] = np.random.default_rng(0).integers(1, 255, (30, 30), np.uint8)
    assert np.array_equal(canonical(pixels, 30, "crop"), pixels[:, 10:40])
    assert np.array_equal(canonical(pixels.T, 30, "crop"), pixels[:, 10:40].T)


@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_image_of_the_right_size_is_not_changed(fit):
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    assert np.array_equal(canonical(pixels, 64, fit), pixels)


def test_shrinking_averages_so_that_no_detail_aliases():
    bars = ((np.arange(128) % 4 == 0) * 200).astype(np.uint8) * np.ones((128, 1), np.uint8)
    assert set(np.unique(canonical(bars, 32, "pad"))) == {50}
    assert set(np.unique(canonical(bars.T, 32, "pad"))) == {50}
    assert set(np.unique(canonical(bars[:1], 32, "pad"))) == {0, 50}


def test_growing_interpolates_between_neighbours():
    result = canonical(np.array([[0, 100], [0, 100]], np.uint8), 8, "pad")
    assert (np.diff(result.astype(int), axis=1) >= 0).all()
    assert len(np.unique(result)) > 2
    assert (result == result[0]).all()


@pytest.mark.parametrize("size", [13, 32, 200])
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_sixteen_bits_give_the_same_image_with_more_levels(size, fit):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 50), np.uint8)
    wide = canonical(pixels.astype(np.uint16) * 257, size, fit)
    assert wide.dtype == np.uint16
    assert np.abs(wide / 257 - canonical(pixels, size, fit)).max() <= 1  # 8 bits are rounded on the way
