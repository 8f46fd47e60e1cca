from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cxr.config_training import AugmentConfig
from cxr.data.draws import Draws
from cxr.data.photometry import change, curves, noise_levels

CONFIG = AugmentConfig(contrast=0.2, gamma=0.3)


def _draws(**changed: float) -> Draws:
    return Draws(**{name: np.array([changed.get(name, 0.0)]) for name in Draws._fields})


def _curve(**changed: float) -> npt.NDArray[np.uint8]:
    return curves(CONFIG, _draws(**changed))[0]


def test_no_change_is_the_identity() -> None:
    assert np.array_equal(_curve(), np.arange(256))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"brightness": 1}, 128 / 255 + 0.2),
        ({"contrast": -1}, 128 / 255 * 0.8),
        ({"gamma": 1}, (128 / 255) ** 1.3),
        ({"gamma": -1, "contrast": 0.5, "brightness": -0.5}, (128 / 255) ** 0.7 * 1.1 - 0.1),
    ],
)
def test_the_middle_grey_becomes_what_the_formula_says(changed: dict[str, float], expected: float) -> None:
    assert _curve(**changed)[128] == round(255 * expected)


def test_no_curve_falls_so_that_nothing_is_inverted() -> None:
    numbers = 2 * np.random.default_rng(0).random((len(Draws._fields), 300)) - 1
    strongest = curves(AugmentConfig(contrast=0.99, gamma=0.99), Draws(*numbers))
    assert (np.diff(strongest.astype(int)) >= 0).all()


@pytest.mark.parametrize("noise", [False, True])
def test_black_padding_stays_black_and_dark_spots_in_the_image_do_not(noise: bool) -> None:
    image = np.full((32, 32), 100, np.uint8)
    image[:5], image[:, 28:], image[29:], image[15, 15] = 0, 0, 0, 0
    added = np.full((32, 32), 3, np.int16) if noise else None
    changed = change(image, _curve(brightness=1), added)
    assert changed[15, 15] == 51 + 3 * noise
    assert changed[20, 20] == 151 + 3 * noise
    assert not changed[:5].any()
    assert not changed[29:].any()
    assert not changed[:, 28:].any()
    assert changed[5:29, :28].all()


def test_an_all_black_image_stays_black() -> None:
    assert not change(np.zeros((8, 8), np.uint8), _curve(brightness=1), None).any()


def test_noise_is_clipped_at_both_ends() -> None:
    image = np.array([[1, 254], [1, 254]], np.uint8)
    changed = change(image, np.arange(256, dtype=np.uint8), np.array([[-9, 9], [9, -9]], np.int16))
    assert changed.tolist() == [[0, 255], [10, 245]]


def test_noise_levels_are_normal_with_the_deviation_asked_for() -> None:
    levels = noise_levels(0.1)
    assert levels.mean() == 0
    assert levels.std() == pytest.approx(25.5, rel=0.01)  # 256 levels have 0.996 of it
    assert np.mean(np.abs(levels) <= 25.5) == pytest.approx(0.683, abs=0.01)  # within one deviation of a normal number
    assert not noise_levels(0).any()
