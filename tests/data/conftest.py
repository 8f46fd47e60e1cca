"""Small manifests and image stores for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cxr.ingest.store import ImageStore, Preprocessing, describe_store, write_shard
from cxr.manifest import Manifest

SHARD, SIZE = 8, 32


@pytest.fixture
def manifest(manifest_of: Callable[..., Manifest]) -> Manifest:
    """21 images of 11 patients with all four label values."""
    codes = np.random.default_rng(0).integers(0, 4, (21, 2))
    return manifest_of([f"t:p{index // 2}" for index in range(21)], codes)


@pytest.fixture
def store(tmp_path: Path, manifest: Manifest) -> ImageStore:
    """The images of `manifest`; the first pixel of each is its row in the manifest."""
    generator = np.random.default_rng(1)
    folder = tmp_path / "store"
    folder.mkdir()
    for shard in range(-(-len(manifest) // SHARD)):
        images = generator.integers(0, 256, (min(SHARD, len(manifest) - shard * SHARD), SIZE, SIZE), dtype=np.uint8)
        images[:, 0, 0] = shard * SHARD + np.arange(len(images))
        write_shard(folder, shard, list(images), Preprocessing(SIZE, "pad", 1, 1))
    describe_store(folder, Preprocessing(SIZE, "pad", 1, 1))
    return ImageStore(folder)
