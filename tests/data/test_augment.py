from __future__ import annotations

import warnings
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.config_training import AugmentConfig
from cxr.data.augment import Augmentation, check_sides
from cxr.data.streams import EpochStreams
from cxr.errors import ConfigError
from cxr.labels.label_set import Label, LabelSet

STILL = AugmentConfig(rotate_degrees=0, shift=0, zoom=0, contrast=0, gamma=0)
STRONG = AugmentConfig(rotate_degrees=20, shift=0.2, zoom=0.3, contrast=0.3, gamma=0.3, noise=0.05, horizontal_flip=True)
STREAMS = EpochStreams(0, 0)
Images = npt.NDArray[np.uint8]


@pytest.fixture
def images() -> Images:
    return np.random.default_rng(0).integers(0, 256, (6, 32, 32), dtype=np.uint8)


def test_range_and_type_stay_those_of_canonical_images(images: Images) -> None:
    changed = Augmentation(STRONG)(images, STREAMS, 0)
    assert changed.dtype == np.uint8
    assert changed.shape == images.shape
    assert changed.max() > 200  # a rescaling to [0, 1] would leave nothing above 1


def test_all_off_gives_the_images_back_untouched(images: Images) -> None:
    assert Augmentation(STILL)(images, STREAMS, 0) is images


def test_changes_of_strength_almost_zero_are_the_identity(images: Images) -> None:
    barely = AugmentConfig(rotate_degrees=0, shift=0, zoom=0, contrast=1e-6, gamma=1e-6, noise=1e-6)
    assert np.array_equal(Augmentation(barely)(images, STREAMS, 0), images)


@given(cuts=st.lists(st.integers(1, 9), max_size=4), first=st.integers(0, 1000))
def test_an_image_looks_the_same_however_an_epoch_is_cut_into_batches(cuts: list[int], first: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 16, 16), dtype=np.uint8)
    whole = Augmentation(STRONG)(images, STREAMS, first)
    used = Augmentation(STRONG)
    bounds = [0, *sorted(set(cuts)), 10]
    parts = [used(images[a:b], EpochStreams(0, 0), first + a) for a, b in pairwise(bounds)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_seed_epoch_and_position_each_change_what_is_drawn(images: Images) -> None:
    augmentation = Augmentation(STRONG)
    first = augmentation(images, EpochStreams(1, 2), 0)
    np.random.seed(5)  # noqa: NPY002 (global state must not matter)
    cv2.setRNGSeed(5)
    assert np.array_equal(first, augmentation(images, EpochStreams(1, 2), 0))
    for streams, position in ((EpochStreams(0, 2), 0), (EpochStreams(1, 3), 0), (EpochStreams(1, 2), 1)):
        assert not np.array_equal(first, augmentation(images, streams, position))


def test_images_of_a_batch_get_draws_of_their_own(images: Images) -> None:
    changed = Augmentation(STRONG)(np.repeat(images[:1], 6, axis=0), STREAMS, 0)
    assert len({image.tobytes() for image in changed}) == 6


def test_one_strength_does_not_move_the_others() -> None:
    """Switching the photometric changes on leaves a bright square where it was."""
    images = np.zeros((8, 64, 64), np.uint8)
    images[:, 20:40, 10:30] = 200
    still = Augmentation(STILL.model_copy(update={"rotate_degrees": 20.0, "shift": 0.2}))
    changed = Augmentation(AugmentConfig(rotate_degrees=20, shift=0.2, zoom=0))(images, STREAMS, 0)
    same, others = still(images, STREAMS, 0), still(images, STREAMS, 8)
    assert not np.array_equal(same, changed)
    assert ((same > 100) != (changed > 100)).mean(axis=(1, 2)).max() < 0.012  # a square and its edge: 0.1 and 0.02
    assert ((others > 100) != (changed > 100)).mean(axis=(1, 2)).max() > 0.1


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_padding_and_what_a_shift_brings_in_stay_black(noise: float) -> None:
    images = np.full((30, 64, 64), 120, np.uint8)
    images[:, :16], images[:, 48:] = 0, 0
    config = AugmentConfig(rotate_degrees=0, shift=0.1, zoom=0, contrast=0.2, noise=noise)
    changed = Augmentation(config)(images, STREAMS, 0)
    assert not changed[:, :9].any()
    assert not changed[:, 56:].any()
    lit = changed[:, 32] > 0
    assert 0.85 < lit.mean() < 1  # columns that the shift brought in are black, all others are not
    assert (np.abs(np.diff(lit.astype(int), axis=1)).sum(axis=1) <= 1).all()


def test_noise_has_the_deviation_asked_for() -> None:
    images = np.full((4, 128, 128), 128, np.uint8)
    changed = Augmentation(STILL.model_copy(update={"noise": 0.04}))(images, STREAMS, 0).astype(float) - 128
    assert changed.std() == pytest.approx(0.04 * 255, rel=0.02)
    assert abs(changed.mean()) < 0.2
    assert abs(np.corrcoef(changed[0].ravel(), changed[1].ravel())[0, 1]) < 0.05


def test_building_raises_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Augmentation(STRONG)


def test_images_given_are_not_written_to(images: Images) -> None:
    before = images.copy()
    Augmentation(STRONG)(images, STREAMS, 0)
    assert np.array_equal(images, before)


def test_zoom_keeps_the_ratio_of_width_and_height() -> None:
    disc = np.zeros((20, 128, 128), np.uint8)
    y, x = np.mgrid[:128, :128]
    disc[:, (y - 64) ** 2 + (x - 64) ** 2 < 900] = 255
    changed = Augmentation(STILL.model_copy(update={"zoom": 0.3}))(disc, STREAMS, 0) > 127
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


def test_half_of_the_images_are_mirrored_exactly_and_none_unless_asked_for(images: Images) -> None:
    many = np.repeat(images[:1], 60, axis=0)
    flipped = Augmentation(STILL.model_copy(update={"horizontal_flip": True}))(many, STREAMS, 0)
    mirrored = [np.array_equal(image, images[0, :, ::-1]) for image in flipped]
    assert 15 < sum(mirrored) < 45
    assert sum(np.array_equal(image, images[0]) for image in flipped) == 60 - sum(mirrored)
    left = np.zeros((40, 32, 32), np.uint8)
    left[:, :, :8] = 255
    assert Augmentation(AugmentConfig())(left, STREAMS, 0)[:, :, :16].mean(axis=(1, 2)).min() > 50


def test_no_strength_mirrors_top_and_bottom() -> None:
    top = np.zeros((60, 32, 32), np.uint8)
    top[:, :8] = 255
    changed = Augmentation(STRONG)(top, STREAMS, 0).astype(float)
    assert (changed[:, :16].mean(axis=(1, 2)) > changed[:, 16:].mean(axis=(1, 2))).all()
