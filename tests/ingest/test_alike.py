from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr.errors import DataError
from cxr.ingest.alike import alike_elsewhere, alike_within, mark_alike
from cxr.ingest.store import ImageStore, Preprocessing, describe_store, write_shard
from cxr.manifest import Manifest
from cxr.perceptual import perceptual_hash

SIZE = 64


def picture(seed: int) -> np.ndarray:
    """A picture of its own: smooth shades and sharp edges, as of ribs."""
    generator = np.random.default_rng(seed)
    coarse = cv2.resize(generator.integers(30, 200, (7, 7)).astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(generator.normal(0, 60, (SIZE, SIZE)).astype(np.float32), (0, 0), 1)
    return np.clip(coarse + fine, 0, 255).astype(np.uint8)


def written(image: np.ndarray) -> np.ndarray:
    """The same picture, written anew with loss and another contrast."""
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert ok
    return np.clip(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) * 0.9 + 8, 0, 255).astype(np.uint8)


@pytest.fixture
def ingest(tmp_path, manifest_of):
    """Writes images as an ingest's folder; gives its manifest and store."""

    def write(name: str, images: list[np.ndarray], patients: list[str], fit: str = "pad") -> tuple[Manifest, ImageStore, Path]:
        folder = tmp_path / name
        (folder / "store").mkdir(parents=True)
        preprocessing = Preprocessing(SIZE, fit, 1, 1)
        write_shard(folder / "store", 0, images, preprocessing)
        describe_store(folder / "store", preprocessing)
        manifest = manifest_of(patients, np.zeros((len(images), 2)))
        frame = manifest.frame.assign(
            perceptual_hash=[perceptual_hash(image) for image in images], shard=0, row=range(len(images)), alike="", source=name
        )
        manifest = Manifest(frame, manifest.label_names)
        manifest.write(folder / "manifest.parquet")
        return manifest, ImageStore(folder / "store"), folder

    return write


def test_a_picture_written_anew_is_found_and_others_are_not(ingest):
    images = [picture(seed) for seed in range(6)]
    manifest, store, _ = ingest("a", [*images, written(images[4])], list("abcdefg"))
    pairs = alike_within(manifest, store)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([4], [6])
    alike = mark_alike(manifest, pairs).frame["alike"].tolist()
    assert alike == ["", "", "", "", "t:0004", "", "t:0004"]


def test_a_constant_picture_is_like_no_other(ingest):
    flat = np.full((SIZE, SIZE), 90, np.uint8)
    manifest, store, _ = ingest("a", [flat, flat, picture(1)], list("abc"))
    assert len(alike_within(manifest, store)) == 0


def test_near_hashes_of_unlike_pixels_are_no_pair(ingest):
    """The hash proposes, the pixels decide."""
    manifest, store, _ = ingest("a", [picture(1), picture(2)], list("ab"))
    same_hash = manifest.frame.assign(perceptual_hash=manifest.frame["perceptual_hash"].iloc[0])
    assert len(alike_within(Manifest(same_hash, manifest.label_names), store)) == 0


def test_an_image_that_another_ingest_has_is_found_there(ingest):
    images = [picture(seed) for seed in range(4)]
    ours, store, _ = ingest("ours", [images[0], images[1]], ["a", "b"])
    _, _, folder = ingest("theirs", [images[3], written(images[1]), images[2]], ["x", "y", "z"])
    found = alike_elsewhere(ours, store, folder)
    assert found.source == "theirs"
    assert (found.pairs.first.tolist(), found.pairs.second.tolist()) == ([1], [1])


def test_images_fitted_in_two_ways_are_not_compared(ingest):
    ours, store, _ = ingest("ours", [picture(0)], ["a"])
    _, _, folder = ingest("theirs", [picture(0)], ["b"], fit="crop")
    with pytest.raises(DataError, match="fitted by 'crop', these by 'pad'"):
        alike_elsewhere(ours, store, folder)
