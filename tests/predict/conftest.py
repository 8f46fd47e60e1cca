"""A small model file, and everything that a predict stage is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.ingest.store import Preprocessing, describe_store, write_shard
from cxr.labels.label_set import Label, LabelSet
from cxr.manifest import TEXT_COLUMNS, Manifest, label_column
from cxr.model.build import build_classifier
from cxr.model.card import ModelCard
from cxr.model.card import Preprocessing as ModelPreprocessing
from cxr.model.file import save_model
from cxr.split.frozen import write_split
from cxr.split.split import Split

NAMES, SIZE, IMAGES = ("Mass", "Effusion", "Hernia"), 32, 21


@pytest.fixture(autouse=True)
def _one_thread(one_torch_thread: None) -> None:
    """Every test of this folder."""


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """An untrained model whose scores differ between images and labels."""
    return _write_model(tmp_path / "model.safetensors", {"embed_dim": 32, "num_heads": 2}, None)


@pytest.fixture
def stacked_file(tmp_path: Path) -> Path:
    """The same that runs with 1, 2 or 4 attention heads."""
    stacked = StackedConfig(heads=(1, 2, 4))
    return _write_model(tmp_path / "stacked.safetensors", {"embed_dim": 32, "num_heads": 4}, stacked)


def _write_model(path: Path, options: dict[str, int], stacked: StackedConfig | None) -> Path:
    config = ModelConfig(options=options | {"depth": 2, "patch_size": 8}, head=HeadConfig(hidden=8), stacked=stacked)
    classifier = build_classifier(config, SIZE, len(NAMES))
    torch.nn.init.normal_(classifier.head.linear.weight)
    card = ModelCard(
        cxr_version="0",
        labels=LabelSet(name="three", labels=tuple(Label(name=name) for name in NAMES)),
        model=config,
        preprocessing=ModelPreprocessing(size=SIZE, fit="pad", normaliser=1, canonical=1),
        run_id="train-run",
        data_sha256="d",
        epoch=3,
    )
    save_model(path, classifier.state_dict(), card)
    return path


@pytest.fixture
def inputs(tmp_path: Path, model_file: Path) -> dict[str, Path]:
    """The predict stage's inputs: 21 images, a third of them on each side, label columns in another order than the model's."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "store"
    folder.mkdir()
    for shard in range(3):
        write_shard(
            folder, shard, list(generator.integers(0, 256, (7, SIZE, SIZE), dtype=np.uint8)), Preprocessing(SIZE, "pad", 1, 1)
        )
    describe_store(folder, Preprocessing(SIZE, "pad", 1, 1))
    ids = [f"t:{index:03d}" for index in range(IMAGES)]
    codes = generator.integers(0, 4, (IMAGES, 3))
    frame = pd.DataFrame(
        {
            **dict.fromkeys(TEXT_COLUMNS, ids),
            "source": "t",
            "manufacturer": "",
            "decisions": "{}",
            "shard": np.arange(IMAGES) % 3,
            "row": np.arange(IMAGES) // 3,
            "height": SIZE,
            "width": SIZE,
            "view": "PA",
            "sex": "F",
            "age_years": 50.0,
            "split": np.array(["train", "val", "test"])[np.arange(IMAGES) // 7],
            **{name: label_column(codes[:, j]) for j, name in enumerate(NAMES[::-1])},
        }
    )
    in_test = frame["split"] == "test"
    Manifest(frame[~in_test], NAMES[::-1]).write(tmp_path / "development.parquet")
    Manifest(frame[in_test], NAMES[::-1]).write(tmp_path / "test.parquet")
    write_split(Split(frame), tmp_path / "split.csv")
    tables = {name: tmp_path / f"{name}.parquet" for name in ("development", "test")}
    return {**tables, "split": tmp_path / "split.csv", "store": folder, "model": model_file}
