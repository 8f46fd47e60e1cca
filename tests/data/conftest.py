"""Small manifests and image stores for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from cxr.ingest.store import ImageStore, Preprocessing, describe_store, write_shard
from cxr.manifest import TEXT_COLUMNS, Manifest, label_column

SHARD, SIZE = 8, 32


def _manifest_of(patients: Sequence[str], codes: npt.ArrayLike, names: Sequence[str] = ("Mass", "Effusion")) -> Manifest:
    count = len(patients)
    ids = [f"t:{index:04d}" for index in range(count)]
    frame = pd.DataFrame(
        {
            **dict.fromkeys(TEXT_COLUMNS, ids),
            "patient_id": list(patients),
            "source": "t",
            "manufacturer": "",
            "decisions": "{}",
            "shard": np.arange(count) // SHARD,
            "row": np.arange(count) % SHARD,
            "height": 40,
            "width": 40,
            "view": "PA",
            "sex": "F",
            "age_years": 50.0,
        }
    )
    columns = np.asarray(codes, np.int8).reshape(count, len(names)).T
    labels = {name: label_column(column) for name, column in zip(names, columns, strict=True)}
    return Manifest(frame.assign(**labels), tuple(names))


@pytest.fixture(scope="session")
def manifest_of() -> Callable[..., Manifest]:
    """Makes a manifest of the patients, int8 codes [images, labels] and label names given."""
    return _manifest_of


@pytest.fixture
def manifest() -> Manifest:
    """21 images of 11 patients with all four label values."""
    codes = np.random.default_rng(0).integers(0, 4, (21, 2))
    return _manifest_of([f"t:p{index // 2}" for index in range(21)], codes)


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
