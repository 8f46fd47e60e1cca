"""A real exposure passes; a blank one is refused, a pale or narrow one marked."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.config_sources import PhantomSource
from cxr.ingest.outcome import Refused
from cxr.ingest.read.quality import judge
from cxr.phantom.plan import plan_cohort
from cxr.phantom.render import render

DTYPES = pytest.mark.parametrize("dtype", [np.uint8, np.uint16])


def picture(height: int, width: int, low: int = 20, high: int = 230, seed: int = 0) -> np.ndarray:
    """Grey values of 256 spread evenly from low to high."""
    return np.random.default_rng(seed).integers(low, high, (height, width), np.uint8, endpoint=True)


def as_type(pixels: np.ndarray, dtype: type) -> np.ndarray:
    return pixels if dtype == np.uint8 else pixels.astype(np.uint16) * 257


def framed(inner: np.ndarray, top: int, left: int, bottom: int, right: int, grey: int) -> np.ndarray:
    return np.pad(inner, ((top, bottom), (left, right)), constant_values=grey)


def test_rendered_phantoms_get_no_code():
    plan = plan_cohort(PhantomSource(kind="phantom", patients=12, matrix=160, broken_files=0), seed=5)
    for image in plan.good[:20]:
        drawn = render(image.anatomy, image.pose, image.severities, image.shape, image.seed)
        quality = judge((drawn.picture * 255).round().astype(np.uint8))
        assert quality.codes == ()
        assert quality.contrast > 100
        assert quality.border < 0.1


@DTYPES
@pytest.mark.parametrize("shape", [(64, 64), (1, 1000), (257, 800), (2500, 2048)])
def test_even_spread_of_grey_is_good_at_any_size(dtype, shape):
    quality = judge(as_type(picture(*shape), dtype))
    assert quality.codes == ()
    assert quality.exposed == (0, 0, *shape)
    assert quality.border == 0
    assert quality.contrast == pytest.approx(206, abs=3)


@DTYPES
@pytest.mark.parametrize("grey", [0, 5, 128, 255])
def test_exposure_of_nothing_is_blank_even_with_a_marker_in_it(dtype, grey):
    pixels = np.clip(picture(640, 512, 0, 2).astype(int) + grey, 0, 255).astype(np.uint8)
    pixels[20:44, 30:60] = 255 - grey // 2
    with pytest.raises(Refused) as refused:
        judge(as_type(pixels, dtype))
    assert refused.value.code == "blank"


def test_empty_field_inside_a_collimator_is_blank():
    with pytest.raises(Refused) as refused:
        judge(framed(picture(300, 300, 127, 128), 50, 50, 50, 50, 0))
    assert refused.value.code == "blank"


@DTYPES
def test_few_grey_levels_are_low_contrast_and_a_few_more_are_not(dtype):
    assert judge(as_type(picture(300, 300, 100, 112), dtype)).codes == ("low-contrast",)
    assert judge(as_type(picture(300, 300, 100, 130), dtype)).codes == ()


def test_contrast_is_measured_inside_the_border():
    quality = judge(framed(picture(400, 400, 100, 112), 60, 60, 60, 60, 255))
    assert "low-contrast" in quality.codes


@DTYPES
@pytest.mark.parametrize("grey", [0, 6, 250, 255])
@pytest.mark.parametrize("margins", [(100, 0, 0, 0), (0, 100, 0, 0), (0, 0, 100, 0), (0, 0, 0, 100), (60, 30, 40, 20)])
def test_border_is_found_on_each_side(dtype, margins, grey):
    top, left, bottom, right = margins
    quality = judge(as_type(framed(picture(300, 280), *margins, grey), dtype))
    assert quality.exposed == (top, left, top + 300, left + 280)
    assert quality.border == pytest.approx(1 - 300 * 280 / ((300 + top + bottom) * (280 + left + right)), abs=1e-6)


@pytest.mark.parametrize(("margin", "codes"), [(20, ()), (30, ()), (70, ("collimation",)), (150, ("collimation",))])
def test_border_of_more_than_a_third_is_flagged(margin, codes):
    assert judge(framed(picture(300, 300), margin, margin, margin, margin, 0)).codes == codes


def test_letter_in_the_border_does_not_hide_it():
    pixels = framed(picture(250, 250), 0, 100, 0, 100, 0)
    pixels[20:40, 10:40] = 255
    assert judge(pixels).codes == ("collimation",)


def test_black_border_at_the_top_and_a_white_one_at_the_left_are_both_found():
    pixels = framed(framed(picture(200, 200), 0, 100, 0, 0, 255), 80, 0, 0, 0, 0)
    assert judge(pixels).exposed == (80, 100, 280, 300)


def test_border_of_a_large_image_is_found_to_a_step_of_the_sample():
    quality = judge(framed(picture(1500, 1200), 500, 400, 500, 448, 0))
    for found, true in zip(quality.exposed, (500, 400, 2000, 1600), strict=True):
        assert abs(found - true) <= 8
    assert quality.border == pytest.approx(1 - 1500 * 1200 / (2500 * 2048), abs=0.01)


def test_dark_lungs_and_bright_heart_inside_are_no_border():
    pixels = picture(300, 300)
    pixels[50:250, 30:130] = 0
    pixels[100:280, 150:260] = 255
    assert judge(pixels).border == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(12, 600), st.integers(12, 600), st.integers(0, 9), st.sampled_from([np.uint8, np.uint16]))
def test_any_shape_gives_an_area_inside_the_picture(height, width, seed, dtype):
    top, left, bottom, right = judge(as_type(picture(height, width, 0, 255, seed), dtype)).exposed
    assert 0 <= top < bottom <= height
    assert 0 <= left < right <= width


def test_five_megapixels_take_a_few_milliseconds():
    pixels = as_type(picture(2500, 2048), np.uint16)
    durations = []
    for _ in range(9):
        start = time.perf_counter()
        judge(pixels)
        durations.append(time.perf_counter() - start)
    assert min(durations) < 0.003
