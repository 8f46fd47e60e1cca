"""Small calibrated models, the files that are exported of them, and a folder like a pipeline's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from cxr.export.export import Exported, Wish, export
from cxr.ingest.read import canonical, normalise
from cxr.ingest.store import Preprocessing, describe_store, write_shard
from cxr.manifest import Manifest
from tests.serve.models import NAMES, SIZE, write_model

MADE = Preprocessing(SIZE, "pad", normaliser=normalise.VERSION, canonical=canonical.VERSION)
IMAGES = 40
LOOSE = {"int8": 0.1}
"""Random weights are in no way used to small errors: they move scores further than trained ones."""


@pytest.fixture(autouse=True)
def _one_thread(one_torch_thread: None) -> None:
    """Every test of this folder."""


def quiet(done: int, total: int, text: str = "") -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture(scope="session")
def stacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stacked")
    return write_model(folder / "model.safetensors", heads=(1, 2, 4), network="2 of 4 attention heads")


@pytest.fixture(scope="session")
def exported(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, Exported]]:
    """Exports the model as `exported(FORMAT, PRECISION)`, once."""
    folder, made = tmp_path_factory.mktemp("exported"), {}

    def call(*kind: str) -> tuple[Path, Exported]:
        if kind not in made:
            out = folder / "-".join(kind)
            made[kind] = (out, export(model, out, Wish(*kind, probability=LOOSE.get(kind[1])), quiet))
        return made[kind]

    return call


@pytest.fixture
def images() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (7, SIZE, SIZE), dtype=np.uint8)


@pytest.fixture
def pipeline_folder(tmp_path: Path, manifest_of: Callable[..., Manifest]) -> Callable[..., Path]:
    """Writes a folder with a store and test images; half of them have the first label, none the last."""

    def write(preprocessing: Preprocessing = MADE) -> Path:
        store, size = tmp_path / "ingest" / "store", preprocessing.size
        store.mkdir(parents=True)
        (tmp_path / "split").mkdir()
        drawn = np.random.default_rng(2).integers(0, 256, (IMAGES, size, size), dtype=np.uint8)
        for shard in range(IMAGES // 8):
            write_shard(store, shard, list(drawn[8 * shard : 8 * shard + 8]), preprocessing)
        describe_store(store, preprocessing)
        codes = np.zeros((IMAGES, len(NAMES)), np.int8)
        codes[::2, 0] = 1
        manifest_of([f"p{row}" for row in range(IMAGES)], codes, NAMES).write(tmp_path / "split" / "test.parquet")
        return tmp_path

    return write
