"""Networks trained on one cohort from several seeds, with nothing but their configuration different: for the ablations."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cxr.config import TrainStage
from cxr.definition import load_config
from cxr.evaluate.auroc import mean_auroc
from cxr.evaluate.undefined import as_float
from cxr.ingest.store import ImageStore
from cxr.manifest import Manifest, read_manifest
from cxr.predict.predictor import Predictor
from cxr.stage import StageContext
from cxr.stages import stages_of
from cxr.train.stage import run

CPU = torch.device("cpu")
PIPELINES = Path(__file__).parent.parent / "pipelines"
PHANTOMS = ["source.patients=1200", "split.test_fraction=0.45"]
"""As many patients for the test as for training: the noise of it counts."""


@dataclass
class Silent:
    """A run log that keeps nothing."""

    run_id: str = "benchmark"

    def params(self, values: Mapping[str, object]) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None: ...

    def last_step(self, metric: str) -> int:
        return 0

    def artifact(self, path: Path, folder: str = "") -> None: ...

    def log_model(self, folder: Path, name: str) -> str:
        return ""

    def dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class Cohort:
    """A pipeline definition of which the first stages were run.

    Args:
        pipeline: its file.
        settings: keys that are set for all trainings.
        folder: of the pipeline's stages.
        models: where trained models go.
    """

    pipeline: Path
    settings: Sequence[str]
    folder: Path
    models: Path

    def inputs(self) -> dict[str, Path]:
        return {"development": self.folder / "split" / "development.parquet", "store": self.folder / "ingest" / "store"}

    def train(self, name: str, seed: int, settings: Sequence[str]) -> Path:
        """Train as the command does, unless it was; the model file of the best epoch on validation patients."""
        config = load_config(self.pipeline, [*self.settings, *settings, f"seed={seed}"])
        stage = TrainStage(seed=seed, labels=config.labels, size=config.ingest.size, model=config.model, train=config.train)
        out = self.models / f"{name.replace(' ', '_').replace(',', '')}-{seed}"
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
        return as_float(mean_auroc(truth, scores))


def parse(text: str | None, variants: Mapping[str, object]) -> argparse.Namespace:
    """The arguments that the ablations have in common; `settings` are keys as on the command line, as train.epochs=8."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", default=list(variants), choices=list(variants), help="of the variants")
    parser.add_argument(
        "--folder", type=Path, help="where cohort and models are kept; a model that is there is not trained again"
    )
    parser.add_argument("settings", nargs="*")
    return parser.parse_args()


@contextmanager
def drawn_cohort(pipeline: Path, settings: Sequence[str], folder: Path | None = None) -> Iterator[Cohort]:
    """A pipeline run up to its split, unless it was, in a folder of its own or in one that goes again."""
    with tempfile.TemporaryDirectory() as temporary:
        within = folder or Path(temporary)
        config = load_config(pipeline, settings)
        for stage in [stage.name for stage in stages_of(config) if stage.name in ("phantom", "ingest", "split")]:
            command = [sys.executable, "-m", "cxr", stage, str(pipeline), f"workspace={within / 'cohort'}", *settings]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        yield Cohort(pipeline, settings, within / "cohort" / config.name, within)


def train_variants(
    cohort: Cohort,
    variants: Mapping[str, Sequence[str]],
    seeds: Sequence[int],
    measure: Callable[[Path], Mapping[str, float]],
) -> dict[str, dict[str, np.ndarray]]:
    """Train each variant from each seed, printing what is measured; each figure as float [seeds], by variant and name."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in variants}
    for seed in seeds:
        for name, settings in variants.items():
            start = time.perf_counter()
            figures = measure(cohort.train(name, seed, settings))
            for what, value in figures.items():
                found[name].setdefault(what, []).append(value)
            shown = "  ".join(f"{what} {value:.4f}" for what, value in figures.items())
            print(f"seed {seed}  {name:24} {shown}  {time.perf_counter() - start:5.0f} s", flush=True)
    return {name: {what: np.array(values) for what, values in figures.items()} for name, figures in found.items()}


def print_paired(found: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """The mean of each figure over the seeds, and how far it is from the first variant's, seed by seed."""
    first = next(iter(found.values()))
    print("means over the seeds, and differences to the first, seed by seed")
    for name, figures in found.items():
        for what, values in figures.items():
            difference = values - first[what]
            each = " ".join(f"{value:+.4f}" for value in difference)
            print(f"{name:24} {what:16} {values.mean():.4f}  {difference.mean():+.4f}  {each}")
