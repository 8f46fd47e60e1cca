from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pytest

from cxr.config import AugmentConfig
from cxr.data import augment
from cxr.data.augment import Augmentation, check_sides
from cxr.errors import ConfigError
from cxr.labels.label_set import Label, LabelSet

STILL = AugmentConfig(rotate_degrees=0, shift=0, zoom=0, contrast=0)
STRONG = AugmentConfig(rotate_degrees=20, shift=0.2, zoom=0.3, contrast=0.3, horizontal_flip=True)


@pytest.fixture
def images() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (6, 32, 32), dtype=np.uint8)


def test_range_and_type_stay_those_of_canonical_images(images: npt.NDArray[np.uint8]) -> None:
    changed = Augmentation(STRONG)(images, 1)
    assert changed.dtype == np.uint8
    assert changed.shape == images.shape
    assert changed.max() > 200  # a rescaling to [0, 1] would leave nothing above 1


def test_all_off_gives_the_image_back(images: npt.NDArray[np.uint8]) -> None:
    assert np.array_equal(Augmentation(STILL)(images, 1), images)


def test_strength_zero_of_every_transform_is_the_identity(images: npt.NDArray[np.uint8]) -> None:
    compose = augment._build(STILL)
    assert np.array_equal(np.stack([compose(image=image)["image"] for image in images]), images)


def test_a_seed_fixes_the_result_whatever_was_drawn_before(images: npt.NDArray[np.uint8]) -> None:
    fresh, used = Augmentation(STRONG), Augmentation(STRONG)
    used(images[:3], 99)
    np.random.seed(5)  # noqa: NPY002 (global state must not matter)
    first = fresh(images, 7)
    assert np.array_equal(first, used(images, 7))
    assert not np.array_equal(first, fresh(images, 8))


def test_images_of_a_batch_get_draws_of_their_own(images: npt.NDArray[np.uint8]) -> None:
    changed = Augmentation(STRONG)(np.repeat(images[:1], 6, axis=0), 3)
    assert len({image.tobytes() for image in changed}) == 6


@pytest.mark.parametrize("config", [AugmentConfig(), STRONG, STILL])
def test_building_raises_no_warning(config: AugmentConfig) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        augment._build(config)


def test_images_given_are_not_written_to(images: npt.NDArray[np.uint8]) -> None:
    before = images.copy()
    Augmentation(STRONG)(images, 1)
    assert np.array_equal(images, before)


def test_zoom_keeps_the_ratio_of_width_and_height() -> None:
    disc = np.zeros((20, 128, 128), np.uint8)
    y, x = np.mgrid[:128, :128]
    disc[:, (y - 64) ** 2 + (x - 64) ** 2 < 900] = 255
    changed = Augmentation(AugmentConfig(rotate_degrees=0, shift=0, zoom=0.3, contrast=0))(disc, 0) > 127
    widths, heights = changed.any(axis=1).sum(axis=1), changed.any(axis=2).sum(axis=1)
    assert np.abs(widths - heights).max() <= 2
    assert np.ptp(widths) > 10


def _labels(*, sided: bool) -> LabelSet:
    return LabelSet(name="two", labels=(Label(name="Mass"), Label(name="Dextrocardia", sided=sided)))


def test_a_flip_is_refused_where_a_label_has_a_side() -> None:
    with pytest.raises(ConfigError, match=r"horizontal_flip.*Dextrocardia"):
        check_sides(STRONG, _labels(sided=True))
    check_sides(STRONG, _labels(sided=False))
    check_sides(AugmentConfig(), _labels(sided=True))


def test_no_flip_unless_asked_for() -> None:
    marked = np.zeros((40, 32, 32), np.uint8)
    marked[:, :, :8] = 255
    left_of_all = Augmentation(AugmentConfig())(marked, 0)[:, :, :16].mean(axis=(1, 2))
    flipped = Augmentation(STILL.model_copy(update={"horizontal_flip": True}))(marked, 0)[:, :, :16].mean(axis=(1, 2))
    assert left_of_all.min() > 50
    assert 5 < (flipped == 0).sum() < 35
