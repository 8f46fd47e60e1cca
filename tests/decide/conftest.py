"""An older model that ranks well, test images, and new models that are better, worse or equal for each label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import yaml

from cxr.calibrate.calibration import Calibration
from cxr.config import DecideStage
from cxr.config_evaluate import CalibrateConfig, EvaluateConfig, OperatingRule
from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.decide import stage
from cxr.decide.decision import NAME, Decision
from cxr.evaluate.metrics import evaluate
from cxr.evaluate.outputs import write_tables
from cxr.ingest.store import Preprocessing, describe_store, write_shard
from cxr.labels.label_set import Label, LabelSet
from cxr.manifest import Manifest
from cxr.model.build import build_classifier
from cxr.model.card import ModelCard
from cxr.model.card import Preprocessing as ModelPreprocessing
from cxr.model.file import save_model
from cxr.predict.predictor import Predictor
from cxr.predictions import join_predictions
from cxr.stage import StageContext, StageResult

OLDER_NAMES, SIZE, PATIENTS = ("Mass", "Pleural effusion", "Hernia"), 32, 120
IMAGES = 2 * PATIENTS
QUICK = EvaluateConfig(resamples=200, subgroups=("sex",))


def write_model(path: Path, names: tuple[str, ...], run_id: str, *, stacked: bool = False, seed: int = 0) -> Path:
    """An untrained model whose scores differ between images and labels."""
    torch.manual_seed(seed)
    options = {"embed_dim": 32, "num_heads": 2, "depth": 1, "patch_size": 8}
    config = ModelConfig(options=options, head=HeadConfig(hidden=8), stacked=StackedConfig(heads=(1, 2)) if stacked else None)
    classifier = build_classifier(config, SIZE, len(names))
    torch.nn.init.normal_(classifier.head.linear.weight)
    card = ModelCard(
        cxr_version="0",
        labels=LabelSet(name=f"set-{run_id}", labels=tuple(Label(name=name) for name in names)),
        model=config,
        preprocessing=ModelPreprocessing(size=SIZE, fit="pad", normaliser=1, canonical=1),
        run_id=run_id,
        data_sha256="d",
        epoch=3,
    )
    save_model(path, classifier.state_dict(), card)
    return path


@dataclass(frozen=True)
class Site:
    """What all cases share: images and what the older model says of them."""

    store: Path
    older: Path
    scores: Mapping[str, npt.NDArray[np.float64]]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    (folder / "store").mkdir()
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, SIZE, SIZE), dtype=np.uint8)
    for shard in range(IMAGES // 8):
        write_shard(folder / "store", shard, list(images[8 * shard : 8 * shard + 8]), Preprocessing(SIZE, "pad", 1, 1))
    describe_store(folder / "store", Preprocessing(SIZE, "pad", 1, 1))
    older = write_model(folder / "older.safetensors", OLDER_NAMES, "older-run")
    scores = Predictor(older, torch.device("cpu")).probabilities(images)
    return Site(folder / "store", older, dict(zip(OLDER_NAMES, scores.T, strict=True)))


@dataclass(frozen=True)
class Wanted:
    """A label of the new model: how it ranks beside the older label whose scores the truth comes from.

    Args:
        kind: of its scores: those of the older label, or better or worse than these.
        older: the older label.
        patients: with the finding, about.
    """

    kind: str
    older: str = "Mass"
    patients: int = 50


@dataclass(frozen=True)
class Case:
    """A finished decide stage."""

    result: StageResult
    decision: Decision
    folder: Path
    run: Any

    def verdict(self, label: str) -> Any:
        return next(verdict for verdict in self.decision.labels if verdict.label == label)

    def checks(self, part: str) -> dict[str, Any]:
        return {check.label: check for check in self.decision.checks if check.part == part}


def _truth(site: Site, wanted: Wanted, rng: np.random.Generator) -> npt.NDArray[np.int8]:
    """Codes by image: the patients whose images the older label ranks highest, but for some noise, have it."""
    ranks = site.scores[wanted.older].argsort().argsort() / IMAGES
    by_patient = (ranks + 0.35 * rng.random(IMAGES)).reshape(PATIENTS, 2).mean(axis=1)
    found = by_patient.argsort()[::-1][: wanted.patients]
    codes = np.zeros(PATIENTS, np.int8)
    codes[found] = 1
    return np.repeat(codes, 2)


def _scores(site: Site, wanted: Wanted, truth: npt.NDArray[np.int8], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    older = site.scores[wanted.older]
    ranks = older.argsort().argsort() / IMAGES
    noise = rng.random(IMAGES)
    return {
        "equal": older,
        "near": np.clip(older + 1e-4 * (noise - 0.5), 0, 1),
        "better": 0.3 * ranks + 0.4 * truth + 0.2 * noise,
        "a little worse": 0.8 * ranks + 0.2 * noise,
        "worse": noise,
    }[wanted.kind]


Decide = Callable[..., Case]


@pytest.fixture
def decide(tmp_path: Path, site: Site, manifest_of: Any, recording_run: Any, one_torch_thread: None) -> Decide:
    """Runs the stage for a new model with the labels given, in their order."""

    def call(
        labels: Mapping[str, Wanted],
        retrain: Mapping[str, Any] | None = None,
        promote: Mapping[str, Any] | None = None,
        *,
        alone: bool = False,
        store: Path | None = None,
        model: Path | None = None,
    ) -> Case:
        config, inputs = _write_inputs(tmp_path, site, labels, manifest_of)
        given = {"model": site.older, "other_patients": True, **(retrain or {})}
        config = config.model_copy(update={"promote": type(config.promote)(**(promote or {}))})
        if not alone:
            config = DecideStage(**{**config.model_dump(), "retrain": given})
        folder = tmp_path / "decide"
        folder.mkdir(exist_ok=True)
        inputs |= {"store": store or site.store, "model": model or inputs["model"]}
        result = stage.run(config, StageContext(folder, inputs, recording_run, lambda *_: None))
        return Case(result, Decision.read(folder / NAME), folder, recording_run)

    return call


def _write_inputs(
    folder: Path, site: Site, labels: Mapping[str, Wanted], manifest_of: Any
) -> tuple[DecideStage, dict[str, Path]]:
    """What earlier stages have written, drawn label by label so that their order means nothing."""
    generators = {name: np.random.default_rng(list(name.encode())) for name in labels}
    truth = {name: _truth(site, wanted, generators[name]) for name, wanted in labels.items()}
    scores = {name: _scores(site, wanted, truth[name], generators[name]) for name, wanted in labels.items()}
    patients = [f"p{index // 2:03d}" for index in range(IMAGES)]
    manifest: Manifest = manifest_of(patients, np.stack(list(truth.values()), axis=1), tuple(labels))
    manifest = replace(manifest, frame=manifest.frame.assign(split="test", sex=["MF"[i // 2 % 2] for i in range(IMAGES)]))
    manifest.write(folder / "test.parquet")
    predictions = join_predictions(manifest, np.stack(list(scores.values()), axis=1), {"model run": "new-run"})
    predictions.write(folder / "predictions.parquet")
    written = {"name": "new set", "labels": [{"name": name} for name in labels]}
    (folder / "labels.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    label_set = LabelSet(name="new set", labels=tuple(Label(name=name) for name in labels))
    write_tables(evaluate(predictions, label_set, QUICK, 1, calibration_of(tuple(labels))), folder, "test")
    model = write_model(folder / "new.safetensors", tuple(labels), "new-run", seed=1)
    config = DecideStage(
        seed=1,
        labels=folder / "labels.yaml",
        size=SIZE,
        fit="pad",
        batch_size=64,
        device="cpu",
        registry="chest",
        evaluate=QUICK,
        retrain=None,
        promote={},
    )
    names = {"predictions": "predictions.parquet", "test": "test.parquet", "metrics": "metrics.csv", "gaps": "gaps.csv"}
    return config, {**{name: folder / file for name, file in names.items()}, "model": model}


def calibration_of(labels: tuple[str, ...]) -> Calibration:
    """One that leaves scores as they are."""
    point = {"true_positives": 5, "false_positives": 5, "false_negatives": 5, "true_negatives": 15}
    scaling = {"method": "platt", "slope": 1.0, "intercept": 0.0}
    each = {"scaling": scaling, "points": {"youden": {"threshold": 0.5, "validation": point}}}
    config = CalibrateConfig(points=[OperatingRule(rule="youden")])
    return Calibration(
        schema_version=1,
        config=config,
        unit="image",
        combine="mean",
        images=60,
        patients=30,
        labels=dict.fromkeys(labels, each),
    )
