"""The hash survives what archives do to a radiograph, tells chests apart, and is the same everywhere."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from cxr.config_sources import PhantomSource
from cxr.duplicates import DEFAULT_LIMIT
from cxr.ingest.read.canonical import canonical
from cxr.perceptual import HASH_BITS, SAME_PICTURE, likeness, perceptual_hash
from cxr.phantom.plan import plan_cohort
from cxr.phantom.render import render

SIDE = 224


def _chest(number: int) -> np.ndarray:
    image = [image for image in plan_cohort(PhantomSource(kind="phantom", patients=60), 7).images if not image.defect][number]
    picture = render(image.anatomy, image.pose, image.severities, (448, 448), image.seed).picture
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def chests() -> list[np.ndarray]:
    return [_chest(number) for number in range(24)]


def _distance(a: np.ndarray, b: np.ndarray) -> int:
    return (int(perceptual_hash(a), 16) ^ int(perceptual_hash(b), 16)).bit_count()


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def _levels(image: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return (np.clip(change(image / 255), 0, 1) * 255).round().astype(np.uint8)


def _letter(image: np.ndarray) -> np.ndarray:
    return cv2.putText(image.copy(), "L", (380, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255,), 3)


DISTURBED = {
    "jpeg 50": lambda image: canonical(_jpeg(image, 50), SIDE, "pad"),
    "half the size": lambda image: canonical(canonical(image, 224, "pad"), SIDE, "pad"),
    "larger canonical image": lambda image: canonical(image, 512, "pad"),
    "smaller canonical image": lambda image: canonical(image, 64, "pad"),
    "16 bit": lambda image: canonical(image.astype(np.uint16) * 257, SIDE, "pad"),
    "darker": lambda image: canonical(_levels(image, lambda grey: grey - 0.1), SIDE, "pad"),
    "less contrast": lambda image: canonical(_levels(image, lambda grey: 0.2 + 0.6 * grey), SIDE, "pad"),
    "gamma": lambda image: canonical(_levels(image, lambda grey: grey**0.7), SIDE, "pad"),
    "letter": lambda image: canonical(_letter(image), SIDE, "pad"),
    "cropped by 2 %": lambda image: canonical(image[4:-4, 4:-4], SIDE, "pad"),
}


@pytest.mark.parametrize("name", DISTURBED)
def test_a_disturbed_radiograph_stays_within_the_limit(chests, name):
    for chest in chests:
        assert _distance(canonical(chest, SIDE, "pad"), DISTURBED[name](chest)) <= DEFAULT_LIMIT


@pytest.mark.parametrize("name", DISTURBED)
def test_a_disturbed_radiograph_is_still_the_same_picture(chests, name):
    for chest in chests[::4]:
        assert likeness(canonical(chest, SIDE, "pad"), DISTURBED[name](chest)) >= SAME_PICTURE


def test_chests_are_told_apart_follow_ups_included(chests):
    hashes = [int(perceptual_hash(chest), 16) for chest in chests]
    distances = [(a ^ b).bit_count() for place, a in enumerate(hashes) for b in hashes[:place]]
    assert min(distances) > DEFAULT_LIMIT
    assert 80 < np.mean(distances) <= HASH_BITS / 2


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64), np.uint8),
        np.full((512, 512), 255, np.uint8),
        np.full((100, 100), 40_000, np.uint16),
        np.full((512, 512), 128, np.uint8) + np.random.default_rng(0).integers(0, 9, (512, 512), np.uint8),
    ],
    ids=["black", "white", "grey", "noise"],
)
def test_a_picture_of_nothing_has_no_hash(image):
    assert perceptual_hash(image) == ""


@pytest.mark.parametrize("side", [32, 33, 50, 224, 320, 2048])
def test_every_side_gives_a_hash_of_one_length(chests, side):
    text = perceptual_hash(canonical(chests[0], side, "pad"))
    assert len(text) == HASH_BITS // 4
    assert set(text) <= set("0123456789abcdef")


def test_bits_of_a_known_picture():
    """Golden value: two waves of the hash's own kind, one bit of each sign, worked out from the formula in floating point."""
    place = (np.arange(32) + 0.5) / 32
    picture = np.clip(128 + 100 * np.outer(np.cos(3 * np.pi * place), np.cos(2 * np.pi * place)), 0, 255).astype(np.uint8)
    fade = np.sin(np.pi * place)
    taper = np.outer(fade, fade)
    centred = picture - (taper * picture).sum() / taper.sum()
    waves = np.cos(np.pi * np.arange(17)[:, None] * place) * fade
    expected = waves[1:] @ centred @ waves[:-1].T
    bits = np.array([int(digit) for digit in f"{int(perceptual_hash(picture), 16):0256b}"]).reshape(16, 16)
    sure = np.abs(expected) > 0.02 * np.abs(expected).max()
    assert sure.sum() >= 4
    assert (bits == 1)[sure].tolist() == (expected > 0)[sure].tolist()


def test_hash_does_not_depend_on_threads(chests):
    before = cv2.getNumThreads()
    hashes = set()
    for threads in (1, 4):
        cv2.setNumThreads(threads)
        hashes.add(tuple(perceptual_hash(canonical(chest, 512, "pad")) for chest in chests[:4]))
    cv2.setNumThreads(before)
    assert len(hashes) == 1


def test_hash_of_a_fixed_picture_never_changes_without_a_new_version():
    """Golden value of version 1: hashes that are written into manifests stay comparable."""
    rows, columns = np.mgrid[:64, :64]
    picture = ((rows * 7 + columns * 3 + rows * columns // 5) % 256).astype(np.uint8)
    assert perceptual_hash(picture) == GOLDEN


GOLDEN = "c3e2c06683ff0f001ccd319e327f24f069034a1e5c39cce6d9cc5993d327d24c"


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 60), np.uint8),
        np.zeros((31, 31), np.uint8),
        np.zeros((64, 64), np.float32),
        np.zeros((3, 64, 64), np.uint8),
    ],
    ids=["not square", "too small", "float", "colour"],
)
def test_what_is_no_canonical_image_is_refused(image):
    with pytest.raises(ValueError, match="canonical image"):
        perceptual_hash(image)
    with pytest.raises(ValueError, match="canonical image"):
        likeness(image, np.zeros((64, 64), np.uint8))


def test_likeness_is_low_between_chests_and_not_fooled_by_nothing(chests):
    assert likeness(chests[0], chests[0]) == pytest.approx(1, abs=1e-4)
    assert (
        np.median([likeness(chests[0], chest) for chest in chests[2:]]) < SAME_PICTURE
    )  # phantoms are smooth, and so more alike
    assert likeness(np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)) == 0
