"""Pixels become square by the header's spacing, on the side where they are long; odd spacings change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.read import aspect as module
from cxr.ingest.read.aspect import squared

PIXELS = np.add.outer(np.arange(40) * 3, np.arange(30) * 4).astype(np.uint8)


def header_of(**attributes: list[float]) -> Dataset:
    header = Dataset()
    for name, value in attributes.items():
        setattr(header, name, value)
    return header


def disc(height: int, width: int, high: float, wide: float) -> np.ndarray:
    """A disc as a detector with pixels of such a size sees it."""
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot((rows - (height - 1) / 2) * high, (columns - (width - 1) / 2) * wide)
    return (255 * np.clip(30 - distance, 0, 1)).astype(np.uint8)


@pytest.mark.parametrize(("high", "wide", "side"), [(1.25, 1.0, "height"), (1.0, 1.25, "width"), (0.5, 1.0, "width")])
@pytest.mark.parametrize("name", ["PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"])
def test_a_disc_becomes_round_whichever_spacing_tells(name, high, wide, side):
    result = squared(disc(140, 130, high, wide), header_of(**{name: [high, wide]}))
    seen = result.pixels > 127
    assert abs(int(seen.any(axis=1).sum()) - int(seen.any(axis=0).sum())) <= 2
    assert result.decision == f"{side} stretched by {max(high / wide, wide / high):g}: {name}"
    assert result.codes == ("not-square",)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_longer_side_of_a_pixel_is_stretched_and_the_other_kept(dtype):
    pixels = PIXELS.astype(dtype)
    high = squared(pixels, header_of(PixelAspectRatio=[5, 4])).pixels
    wide = squared(pixels, header_of(PixelAspectRatio=[4, 5])).pixels
    assert (high.shape, wide.shape) == ((50, 30), (40, 38))
    assert high.dtype == wide.dtype == dtype
    assert high.flags.c_contiguous


def test_the_code_is_listed_as_a_correction():
    assert CODES["not-square"][0] == "corrected"


@pytest.mark.parametrize(
    "attributes",
    [
        {}, {"PixelSpacing": [0.143, 0.143]}, {"ImagerPixelSpacing": [0.1435, 0.1425]}, {"PixelAspectRatio": [1, 1]},
        {"PixelSpacing": []}, {"PixelSpacing": [0.2, 0.2], "PixelAspectRatio": [2, 1]},
        {"ImagerPixelSpacing": [0.2, 0.2], "PixelAspectRatio": [2, 1]},
        {"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.1, 0.2]},
    ],
)  # fmt: skip
def test_square_pixels_are_left_as_they_are(attributes):
    result = squared(PIXELS, header_of(**attributes))
    assert result.pixels is PIXELS
    assert (result.decision, result.codes) == ("as stored", ())


@pytest.mark.parametrize(
    "attributes",
    [
        {"PixelSpacing": [0, 0.1]}, {"PixelSpacing": [0.1, 0]}, {"PixelSpacing": [-0.1, 0.2]}, {"PixelSpacing": [0.1]},
        {"PixelSpacing": [0.1, 0.2, 0.3]}, {"PixelSpacing": [1, 0.1]}, {"PixelSpacing": [0.1, 1]},
        {"PixelAspectRatio": [1000, 1]}, {"PixelSpacing": [0, 0], "PixelAspectRatio": [2, 1]},
    ],
)  # fmt: skip
def test_absurd_spacings_change_nothing(attributes):
    result = squared(PIXELS, header_of(**attributes))
    assert result.pixels is PIXELS
    assert (result.decision, result.codes) == ("spacing unusable", ())


@pytest.mark.parametrize("values", [[float("nan"), 1.0], [float("inf"), 1.0], [1.0, float("inf")], [1e308, 1e-308]])
def test_spacings_that_are_no_numbers_change_nothing(monkeypatch, values):
    monkeypatch.setattr(module, "numbers", lambda header, name: values)
    assert squared(PIXELS, Dataset()).decision == "spacing unusable"


def test_a_usable_spacing_stands_in_for_an_unusable_one():
    result = squared(PIXELS, header_of(PixelSpacing=[0, 0], ImagerPixelSpacing=[0.2, 0.1]))
    assert result.decision == "height stretched by 2: ImagerPixelSpacing"


def test_an_image_that_would_become_larger_than_any_radiograph_is_refused():
    pixels = np.zeros((8000, 8000), np.uint8)
    with pytest.raises(Refused, match="too-large"):
        squared(pixels, header_of(PixelSpacing=[0.2, 0.1]))
