"""The picture of one map: both halves as they are, and words that can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from cxr.predict.legend import plate
from cxr.predict.maps import overlay


def picture(size: int, lines: tuple[str, ...] = ("Mass: 0.5", "file 1")) -> np.ndarray:
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (size, size), dtype=np.uint8)
    return plate(image, generator.uniform(0, 6, (size, size)).astype(np.float32), lines)


@pytest.mark.parametrize("size", [512, 700])
def test_left_is_the_radiograph_and_right_the_overlay_where_nothing_is_enlarged(size: int) -> None:
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (size, size), dtype=np.uint8)
    attention = generator.uniform(0, 6, (size, size)).astype(np.float32)
    found = plate(image, attention, ("a",))
    assert (found.dtype, found.shape[1]) == (np.uint8, 2 * size)
    assert np.array_equal(found[:size, :size], np.repeat(image[..., None], 3, axis=2))
    assert np.array_equal(found[:size, size:], overlay(image, attention))


def test_small_images_are_enlarged_so_that_words_fit_below() -> None:
    assert picture(32).shape[1] == 1024
    assert (picture(32)[512:] > 200).sum() > 1000  # white letters


def test_every_line_is_seen_and_another_one_makes_another_picture() -> None:
    one, other, more = (picture(32, lines) for lines in (("a",), ("b",), ("a", "c")))
    assert not np.array_equal(one, other)
    assert more.shape[0] > one.shape[0]
    assert np.array_equal(one[:512], other[:512])


def test_the_scale_goes_from_grey_to_the_last_colour() -> None:
    strip = picture(32, ())[512:].astype(int)
    rows, columns = np.nonzero(np.ptp(strip, axis=2) > 100)  # what is in colour, and strongly
    assert len(rows) > 1000
    assert columns.max() - columns.min() < 300


def test_a_name_in_another_script_is_drawn() -> None:
    boxes = [picture(32, (text,))[512:540] for text in ("Перелом", "Ñódulo", "\ufffe\ufffe\ufffe\ufffe")]
    assert not np.array_equal(boxes[0], boxes[2])
    assert not np.array_equal(boxes[0], boxes[1])
