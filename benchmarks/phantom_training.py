"""Networks trained on one synthetic cohort, with nothing but their configuration different: for the ablations."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cxr.config import TrainStage
from cxr.definition import load_config
from cxr.evaluate.auroc import auroc
from cxr.ingest.store import ImageStore
from cxr.manifest import Manifest, read_manifest
from cxr.predict.predictor import Predictor
from cxr.stage import StageContext
from cxr.train.stage import run

CPU = torch.device("cpu")


@dataclass
class Silent:
    """A run log that keeps nothing."""

    run_id: str = "benchmark"

    def params(self, values: Mapping[str, object]) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None: ...

    def last_step(self, metric: str) -> int:
        return 0

    def artifact(self, path: Path, folder: str = "") -> None: ...

    def dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class Cohort:
    """A pipeline definition of which the first stages were run."""

    pipeline: Path
    folder: Path

    def inputs(self) -> dict[str, Path]:
        return {"development": self.folder / "split" / "development.parquet", "store": self.folder / "ingest" / "store"}

    def train(self, out: Path, seed: int, settings: Sequence[str]) -> Path:
        """Train as the command does; the model file of the best epoch on validation patients."""
        config = load_config(self.pipeline, [*settings, f"seed={seed}"])
        stage = TrainStage(seed=seed, labels=config.labels, size=config.ingest.size, model=config.model, train=config.train)
        out.mkdir(parents=True, exist_ok=True)
        if not (out / "model.safetensors").exists() or not (out / "history.csv").exists():
            run(stage, StageContext(out, self.inputs(), Silent(), lambda *_: None))
        return out / "model.safetensors"

    def scores(self, model: Path, side: str, heads: int | None = None) -> tuple[Manifest, np.ndarray, np.ndarray]:
        """Images of a side, their truth and their scores, float [images, labels]."""
        name = "test" if side == "test" else "development"
        manifest = read_manifest(self.folder / "split" / f"{name}.parquet").where(side)
        predictor, store = Predictor(model, CPU, heads), ImageStore(self.folder / "ingest" / "store")
        shards, rows = (manifest.frame[column].to_numpy(np.int64) for column in ("shard", "row"))
        images = store.gather8(shards, rows)
        scores = np.concatenate([predictor.probabilities(images[at : at + 64]) for at in range(0, len(images), 64)])
        labels = predictor.labels
        return manifest, labels.truth(manifest.label_codes(labels.names)), scores

    def macro(self, model: Path, side: str = "test", heads: int | None = None) -> float:
        """Mean AUROC over the labels."""
        _, truth, scores = self.scores(model, side, heads)
        return float(np.mean([auroc(truth[:, j], scores[:, j]) for j in range(truth.shape[1])]))


def draw_cohort(folder: Path, pipeline: Path, settings: Sequence[str]) -> Cohort:
    """Run a pipeline up to its split, in a folder of its own, unless it was."""
    workspace = folder / "cohort"
    for stage in ("phantom", "ingest", "split"):
        command = [sys.executable, "-m", "cxr", stage, str(pipeline), f"workspace={workspace}", *settings]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    config = load_config(pipeline, settings)
    return Cohort(pipeline, workspace / config.name)
