"""The older model that a text means: a file, the folder of a pipeline, a run in MLflow, a name in its registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxr.config_retrain import PromoteConfig
from cxr.decide.decision import NAME, Decision
from cxr.errors import ConfigError
from cxr.tracking.model import MODEL_ID

if TYPE_CHECKING:
    from cxr.tracking.runs import KeptRun, Runs

_MODELS = ("calibrate/model.safetensors", "train/model.safetensors")
_SPLIT = "split/split.csv"


@dataclass(frozen=True)
class Older:
    """An older model.

    Args:
        model: its file.
        split: the split.csv that it was made with; None where nothing has it.
        registry: the name under which the registry has it, or would; empty where nothing tells.
        rule: by which it was decided about; None where nothing tells.
    """

    model: Path
    split: Path | None
    registry: str = ""
    rule: PromoteConfig | None = None


def find_older(text: str, workspace: Path) -> Older:
    """The older model that a text means.

    Args:
        text: a model file; the folder of a pipeline; the name or id of a run; models:/NAME@ALIAS or models:/NAME/VERSION.
        workspace: whose MLflow store is looked into, and below which the files of a run are kept.

    Raises:
        ConfigError: nothing is meant by it, or there is no model.
        CxrError: MLflow does not know it.
    """
    path = Path(text)
    if path.is_file():
        return Older(path.resolve(), None)
    if path.is_dir():
        return _in_folder(path.resolve())
    if path.suffix == ".safetensors" or ("/" in text and not text.startswith("models:/")):
        raise ConfigError(f"{text}: no such file or folder")
    return _in_mlflow(text, workspace)


def _in_folder(folder: Path) -> Older:
    model = next((folder / name for name in _MODELS if (folder / name).is_file()), None)
    if model is None:
        raise ConfigError(f"{folder}: a folder without {' or '.join(_MODELS)}; name a model file, or a pipeline's folder")
    split = folder / _SPLIT
    path = folder / "decide" / NAME
    decision = Decision.read(path) if path.is_file() else None
    kept = split if split.is_file() else None
    if decision is None:
        return Older(model, kept, folder.name)
    return Older(model, kept, decision.registry, decision.rule)


def _in_mlflow(text: str, workspace: Path) -> Older:
    from cxr.tracking.find import REGISTRY, find_run, find_version, open_store
    from cxr.tracking.registry import Registry
    from cxr.tracking.runs import Runs

    tracking = open_store(workspace)
    runs, registry = Runs(tracking), ""
    if text.startswith(REGISTRY):
        registry, version = find_version(Registry(tracking), text)
        text = version.run_id
    run = find_run(runs, text)
    folder = workspace / "older" / run.run_id[:8]
    folder.mkdir(parents=True, exist_ok=True)
    model = _model_of(runs, run, folder)
    if model is None:
        raise ConfigError(f"{text}: run '{run.name}' has no model")
    split, path = _split_of(runs, run, folder), runs.fetch(run.run_id, NAME, folder)
    decision = None if path is None else Decision.read(path)
    if decision is None:
        return Older(model.resolve(), split, registry)
    return Older(model.resolve(), split, registry or decision.registry, decision.rule)


def _model_of(runs: Runs, run: KeptRun, folder: Path) -> Path | None:
    """The model file of a run: inside its logged model; of a model that MLflow cannot load, beside the run of the stage."""
    logged = runs.logged(run.tags.get(MODEL_ID, "")) if MODEL_ID in run.tags else None
    if logged is not None and logged.ready:
        return next(iter(runs.fetch_model(logged, ".safetensors", folder)), None)
    stage = runs.stage(run, "calibrate")
    return None if stage is None else runs.fetch(stage.run_id, "model.safetensors", folder)


def _split_of(runs: Runs, run: KeptRun, folder: Path) -> Path | None:
    stage = runs.stage(run, "split")
    return None if stage is None else runs.fetch(stage.run_id, "split.csv", folder)
