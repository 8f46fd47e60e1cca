"""The model that a run proposes: its decision and its logged model, from what MLflow keeps and nothing else."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from cxr.decide.decision import NAME, Decision
from cxr.errors import DataError
from cxr.model.card import weights_digest
from cxr.promote.turn import SUFFIX
from cxr.tracking.model import MODEL_ID
from cxr.tracking.runs import KeptRun, LoggedModel, Runs


@dataclass(frozen=True)
class Candidate:
    """A model that may take the place of the one in use.

    Args:
        run: the pipeline's run.
        decision: of its stage decide.
        model: the logged model, with the very weights that were decided about.
    """

    run: KeptRun
    decision: Decision
    model: LoggedModel


def read_candidate(runs: Runs, run: KeptRun) -> Candidate:
    """What a run proposes.

    Raises:
        DataError: the run has not come to its end, or MLflow lacks its decision or its model, or has another model.
    """
    if run.status != "FINISHED":
        raise DataError(
            f"run '{run.name}' ({run.run_id}) has not come to its end ({run.status.lower()}); run its pipeline first"
        )
    with tempfile.TemporaryDirectory() as folder:
        decision = _decision(runs, run, Path(folder))
        model = _model(runs, run)
        _same_weights(runs, model, decision, Path(folder))
    if decision.registry.endswith(SUFFIX):
        raise DataError(f"promote.model: '{decision.registry}': names that end in {SUFFIX} are taken for turns; choose another")
    return Candidate(run, decision, model)


def _decision(runs: Runs, run: KeptRun, folder: Path) -> Decision:
    """The decision of a run, or of the run whose stage it used again."""
    path = runs.fetch(run.run_id, NAME, folder)
    stage = runs.run(run.tags.get("reused.decide", "")) if path is None and "reused.decide" in run.tags else None
    if stage is not None:
        path = runs.fetch(stage.parent, NAME, folder)
    if path is None:
        raise DataError(f"run '{run.name}' ({run.run_id}) has no {NAME}: it ends before the stage decide; run its pipeline")
    return Decision.read(path)


def _model(runs: Runs, run: KeptRun) -> LoggedModel:
    model_id = run.tags.get(MODEL_ID, "")
    if not model_id and "reused.calibrate" in run.tags:
        stage = runs.run(run.tags["reused.calibrate"])
        model_id = "" if stage is None else stage.tags.get(MODEL_ID, "")
    model = runs.logged(model_id) if model_id else None
    if model is None or not model.ready:
        raise DataError(
            f"run '{run.name}' ({run.run_id}) has no logged model that is whole; delete the folder of its stage calibrate, "
            "and run its pipeline again"
        )
    return model


def _same_weights(runs: Runs, model: LoggedModel, decision: Decision, folder: Path) -> None:
    """Make sure that what would be served is what was judged, and that its file can be had."""
    files = runs.fetch_model(model, ".safetensors", folder)
    if not files:
        raise DataError(f"logged model {model.model_id}: its model file is not where MLflow keeps its artefacts")
    if all(weights_digest(file) != decision.model.weights_sha256 for file in files):
        raise DataError(f"logged model {model.model_id}: its weights are not those that {NAME} judges; run the pipeline again")
