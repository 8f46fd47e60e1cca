"""What several rooms' tests need: a fake run, an MLflow store, and a small published data set drawn on the spot."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml

from cxr.manifest import TEXT_COLUMNS, Manifest, label_column
from tests.tables import cohort, make_labels, make_table, quick  # noqa: F401 (fixtures of several rooms)

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


@dataclass
class RecordingRun:
    """A `cxr.stage.RunLog` that keeps what it is told."""

    run_id: str = "run-1"
    logged_params: dict[str, object] = field(default_factory=dict)
    logged_metrics: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    datasets: list[tuple[str, str, str]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)

    def params(self, values: Mapping[str, object]) -> None:
        self.logged_params.update(values)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        self.logged_metrics.append((step, dict(values)))

    def last_step(self, metric: str) -> int:
        return max((step for step, values in self.logged_metrics if metric in values), default=0)

    def artifact(self, path: Path, folder: str = "") -> None:
        assert path.is_file()
        self.artifacts.append(f"{folder}/{path.name}" if folder else path.name)

    def log_model(self, folder: Path, name: str) -> str:
        assert (folder / "MLmodel").is_file()
        self.models.append(name)
        return f"m-{len(self.models)}"

    def dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        self.datasets.append((name, digest, context))


@pytest.fixture
def recording_run() -> RecordingRun:
    return RecordingRun()


@pytest.fixture(autouse=True)
def _no_tracking_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test logs to a server that its user, or a test before it, has named in the environment."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """torch on one thread and from one seed: small tensors are slower on two."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def migrated_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow store; making one costs seconds, so it is made once and copied."""
    from cxr.tracking.store import Tracking

    folder = tmp_path_factory.mktemp("mlflow")
    tracking = Tracking(folder, "unused")
    tracking.client.search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def workspace(tmp_path: Path, migrated_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with an empty MLflow store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "runs"
    folder.mkdir()
    shutil.copy(migrated_store, folder / "mlflow.db")
    return folder


IMAGES_PER_SHARD = 8


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
            "shard": np.arange(count) // IMAGES_PER_SHARD,
            "row": np.arange(count) % IMAGES_PER_SHARD,
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


def draw_published_set(folder: Path, patients: int = 60, seed: int = 0) -> Path:
    """Images and a table in the NIH's layout: Mass is a disc in the middle, Effusion a bright base; both are learnable."""
    generator = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows, lists = [], {"train_val_list.txt": [], "test_list.txt": []}
    for patient in range(1, patients + 1):
        for follow_up in range(1 + patient % 2):
            found = [name for name, share in (("Mass", 0.4), ("Effusion", 0.5)) if generator.random() < share]
            stem = f"{patient:08d}_{follow_up:03d}"
            image = generator.integers(40, 90, (72, 64), dtype=np.uint8)
            if "Mass" in found:
                cv2.circle(image, (32, 30), 12, 220, -1)
            if "Effusion" in found:
                image[56:] = 200
            cv2.imwrite(str(folder / "images" / f"{stem}.{'png' if patient % 3 else 'jpg'}"), image)
            sex, view = "MF"[patient % 2], ("PA", "AP")[patient % 2]
            rows.append((f"{stem}.png", "|".join(found) or "No Finding", follow_up, patient, 30 + patient, sex, view))
            lists["test_list.txt" if patient % 4 == 0 else "train_val_list.txt"].append(f"{stem}.png")
    columns = ["Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender", "View Position"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "Data_Entry_2017.csv", index=False)
    for name, names in lists.items():
        (folder / name).write_text("\n".join(names) + "\n")
    return folder


SMALL_MODEL: dict[str, Any] = {
    "backbone": "vit_tiny_patch16_224",
    "options": {"patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2},
    "head": {"hidden": 8},
}


@pytest.fixture
def small_pipeline(tmp_path: Path, workspace: Path) -> Path:
    """A pipeline definition that trains a small model on a small published set, in seconds."""
    draw_published_set(tmp_path / "data")
    labels = {"name": "two", "labels": [{"name": name, "blank": "negative"} for name in ("Mass", "Effusion")]}
    (tmp_path / "labels.yaml").write_text(yaml.safe_dump(labels))
    definition = {
        "name": "small",
        "description": "Two findings on drawn images.",
        "workspace": "runs",
        "labels": "labels.yaml",
        "seed": 3,
        "source": {
            "kind": "images",
            "name": "drawn",
            "root": "data",
            "table": "Data_Entry*.csv",
            "format": "nih14",
            "official": {"train_val": "train_val_list.txt", "test": "test_list.txt"},
        },
        "ingest": {"size": 32, "workers": 1, "shard_files": 40},
        "split": {"val_fraction": 0.25, "alike": "allow"},  # discs on noise all look alike
        "model": SMALL_MODEL,
        "train": {"epochs": 4, "batch_size": 16, "warmup_epochs": 1},
        "evaluate": {"resamples": 100},
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(definition, sort_keys=False))
    return path


@pytest.fixture(scope="session")
def nih_folder() -> Path:
    """The official NIH files, where they are beside the checkout."""
    if not (SHARED / "nih").is_dir():
        pytest.skip("the NIH files are not beside this checkout (../shared/data/nih)")
    return SHARED / "nih"
