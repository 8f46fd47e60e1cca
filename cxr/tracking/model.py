"""A model among MLflow's logged models: made from a folder by one run, and linked to the runs whose pages are to show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

MODEL_ID = "cxr.model_id"
"""Tag of a run: id of the logged model that it made, or whose figures it shows."""


def upload(client: Any, run_id: str, parent: str | None, folder: Path, name: str) -> str:
    """Make a logged model from a folder, or go on with the one that the run has begun.

    Args:
        client: of MLflow.
        run_id: the run that makes it.
        parent: the run that it belongs to; the model's page names this one as its source.
        folder: with an MLmodel file.
        name: of the model.

    Returns:
        Its id.
    """
    run = client.get_run(run_id)
    model_id = run.data.tags.get(MODEL_ID, "")
    if not model_id:
        model_id = client.create_logged_model(run.info.experiment_id, name, source_run_id=parent or run_id).model_id
        client.set_tag(run_id, MODEL_ID, model_id)  # before the upload: a run that is resumed goes on with this model
    if str(client.get_logged_model(model_id).status) != "READY":
        client.log_model_artifacts(model_id, str(folder))
        client.finalize_logged_model(model_id, "READY")
    for each in filter(None, (run_id, parent)):
        link(client, each, model_id)
    return str(model_id)


def link(client: Any, run_id: str, model_id: str) -> None:
    """Let a run's page name a logged model, once."""
    from mlflow.entities import LoggedModelOutput

    run = client.get_run(run_id)
    if model_id not in [output.model_id for output in run.outputs.model_outputs]:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    if run.data.tags.get(MODEL_ID) != model_id:
        client.set_tag(run_id, MODEL_ID, model_id)
