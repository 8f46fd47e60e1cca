"""Where runs are tracked, and opening them."""

from __future__ import annotations

import getpass
import logging
import os
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cxr.tracking.run import Run, Untracked
from cxr.tracking.talking import talking


def tracking_uri(workspace: Path) -> str:
    """MLFLOW_TRACKING_URI if set, else a store in the workspace, absolute whatever the current directory is."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace.resolve() / 'mlflow.db'}"


def artifact_folder(workspace: Path) -> Path:
    """Where the embedded store keeps artefacts."""
    return workspace.resolve() / "mlartifacts"


class Tracking:
    """An MLflow store and the experiment of one pipeline in it.

    Args:
        workspace: folder of the embedded store, used unless MLFLOW_TRACKING_URI is set.
        experiment: its name.
        description: shown on the experiment's page.
    """

    def __init__(self, workspace: Path, experiment: str, description: str = "") -> None:
        self.uri = tracking_uri(workspace)
        self._workspace, self._experiment, self._description = workspace, experiment, description

    @cached_property
    def client(self) -> Any:
        """The MLflow client; the store is made when it is first asked for."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # a server that is down is told in seconds
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of each table that it creates
        if self.uri.startswith("sqlite:///"):
            Path(self.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        with talking(self.uri):
            return MlflowClient(self.uri)

    @cached_property
    def experiment_id(self) -> str:
        """The experiment, made where it does not exist."""
        with talking(self.uri):
            found = self.client.get_experiment_by_name(self._experiment)
            if found is not None:
                return str(found.experiment_id)
            own = self.uri.startswith("sqlite:") and "MLFLOW_TRACKING_URI" not in os.environ
            location = artifact_folder(self._workspace).joinpath(self._experiment).as_uri() if own else None
            tags = {"mlflow.note.content": self._description} if self._description else {}
            return str(self.client.create_experiment(self._experiment, location, tags))

    def open(self, name: str, resume: str | None = None, parent: str | None = None) -> Run:
        """Open a run.

        Args:
            name: what a person calls it.
            resume: id of a run to go on with; a new one is made where it is gone.
            parent: id of the run that it belongs to.
        """
        run_id = resume if resume and self._exists(resume) else None
        with talking(self.uri):
            if run_id is not None:
                self.client.update_run(run_id, status="RUNNING")
                return Run(self, run_id, parent, resumed=True)
            tags = {"mlflow.runName": name, "mlflow.source.name": "cxr", "mlflow.source.type": "LOCAL"}
            tags["mlflow.user"] = getpass.getuser()
            if parent is not None:
                tags["mlflow.parentRunId"] = parent
            run = self.client.create_run(self.experiment_id, tags=tags, run_name=name)
            return Run(self, run.info.run_id, parent)

    def _exists(self, run_id: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            run = self.client.get_run(run_id)
        except MlflowException:
            return False  # the store was deleted or exchanged since
        return bool(run.info.lifecycle_stage == "active")

    def page(self, run_id: str | None = None, root: str = "http://127.0.0.1:5000") -> str:
        """Address of the experiment's or a run's page in the view for training, under a server's root."""
        run = f"/runs/{quote(run_id)}" if run_id else ""
        return f"{root}/#/experiments/{self.experiment_id}{run}?workflowType=machine_learning"


def open_alone(folder: Path, name: str, resume: str | None = None) -> Run | Untracked:
    """The run of a stage without a pipeline: on the server that MLFLOW_TRACKING_URI names, else nowhere.

    Args:
        folder: of the stage.
        name: of the experiment; the run is called after the folder.
        resume: id of a run to go on with.
    """
    if "MLFLOW_TRACKING_URI" not in os.environ:
        return Untracked()
    return Tracking(folder, name).open(folder.name, resume)
