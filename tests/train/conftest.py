"""A small development set and everything that a train stage is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from cxr.config import TrainStage
from cxr.config_model import HeadConfig, ModelConfig
from cxr.config_training import AugmentConfig, TrainConfig
from cxr.data.dataset import Batch
from cxr.ingest.store import Preprocessing, describe_store, write_shard
from cxr.manifest import TEXT_COLUMNS, Manifest, label_column

LABELS, SIZE, IMAGES = ("Mass", "Effusion"), 32, 60


@pytest.fixture(autouse=True)
def _one_thread(one_torch_thread: None) -> None:
    """Every test of this folder."""


@pytest.fixture
def model_config() -> ModelConfig:
    options = {"embed_dim": 32, "depth": 2, "num_heads": 2, "patch_size": 8}
    return ModelConfig(options=options, head=HeadConfig(hidden=8, dropout=0.2))


@pytest.fixture
def train_config() -> TrainConfig:
    return TrainConfig(epochs=4, batch_size=8, warmup_epochs=1, ema_decay=0.8, device="cpu", augment=AugmentConfig(shift=0.1))


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(3)
    targets = torch.randint(0, 2, (8, 2), generator=generator).float()
    targets[0, 1] = torch.nan
    return Batch(torch.randint(0, 256, (8, SIZE, SIZE), dtype=torch.uint8, generator=generator), targets)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    """The train stage's inputs; Mass is a bright middle, Effusion a bright base, some cells are uncertain or unknown."""
    generator = np.random.default_rng(5)
    codes = generator.choice(4, (IMAGES, 2), p=(0.45, 0.45, 0.05, 0.05))
    images = generator.integers(0, 90, (IMAGES, SIZE, SIZE), dtype=np.uint8)
    images[codes[:, 0] == 1, 10:20, 10:20] += 60
    images[codes[:, 1] == 1, 26:] += 60
    folder = tmp_path / "store"
    folder.mkdir()
    write_shard(folder, 0, list(images), Preprocessing(SIZE, "pad", 1, 1))
    describe_store(folder, Preprocessing(SIZE, "pad", 1, 1))
    ids = [f"t:{index:03d}" for index in range(IMAGES)]
    frame = pd.DataFrame(
        {
            **dict.fromkeys(TEXT_COLUMNS, ids),
            "source": "t",
            "manufacturer": "",
            "decisions": "{}",
            "shard": 0,
            "row": np.arange(IMAGES),
            "height": SIZE,
            "width": SIZE,
            "view": "PA",
            "sex": "F",
            "age_years": 50.0,
            "split": np.where(np.arange(IMAGES) % 3 == 0, "val", "train"),
            **{name: label_column(codes[:, j]) for j, name in enumerate(LABELS)},
        }
    )
    Manifest(frame, LABELS).write(tmp_path / "development.parquet")
    return {"development": tmp_path / "development.parquet", "store": folder}


@pytest.fixture
def stage_config(tmp_path: Path, model_config: ModelConfig, train_config: TrainConfig) -> Callable[..., TrainStage]:
    """Makes the stage's configuration, with changes of its `train` section."""
    labels = tmp_path / "labels.yaml"
    labels.write_text(yaml.safe_dump({"name": "two", "labels": [{"name": name} for name in LABELS]}))

    def make(**changes: Any) -> TrainStage:
        return TrainStage(seed=2, labels=labels, size=32, model=model_config, train=train_config.model_copy(update=changes))

    return make


@dataclass
class FakeRun:
    """A `cxr.stage.RunLog` that keeps what it is told and, like a run of MLflow, knows its steps only once it is resumed."""

    run_id: str = "run-1"
    resumed: bool = False
    params_seen: dict[str, object] = field(default_factory=dict)
    logged: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    datasets: list[tuple[str, str]] = field(default_factory=list)

    def params(self, values: Mapping[str, object]) -> None:
        self.params_seen.update(values)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        self.logged.append((step, dict(values)))

    def last_step(self, metric: str) -> int:
        return max((step for step, values in self.logged if metric in values), default=0) if self.resumed else 0

    def artifact(self, path: Path, folder: str = "") -> None:
        assert path.is_file()
        self.artifacts.append(path.name)

    def dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        self.datasets.append((name, context))

    def epochs(self) -> list[int]:
        return [step for step, values in self.logged if "val/auroc_macro" in values]


@pytest.fixture
def run() -> FakeRun:
    return FakeRun()
