"""Where runs are tracked, and opening them."""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cxr.tracking import experiment, views
from cxr.tracking.moved import follow
from cxr.tracking.names import label_keys, renamed_table
from cxr.tracking.run import Run, Untracked
from cxr.tracking.talking import talking

_SQLITE = "sqlite:///"
RENAMED = "label_names.csv"
"""Artefact of a run with the labels that have another name in it than in its files."""
_HERE = "http://127.0.0.1:5000"


def tracking_uri(workspace: Path) -> str:
    """MLFLOW_TRACKING_URI if set, else a store in the workspace, absolute whatever the current directory is."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{workspace.resolve() / 'mlflow.db'}"


def artifact_folder(workspace: Path) -> Path:
    """Where the embedded store keeps artefacts."""
    return workspace.resolve() / "mlartifacts"


class Tracking:
    """An MLflow store and the experiment of one pipeline in it.

    Args:
        workspace: folder of the embedded store, used unless MLFLOW_TRACKING_URI is set.
        experiment: its name.
        description: shown on the experiment's page.
        labels: names of the labels, which stand in names of metrics by their keys; see `cxr.tracking.names`.
    """

    def __init__(self, workspace: Path, experiment: str, description: str = "", labels: Iterable[str] = ()) -> None:
        self.uri = tracking_uri(workspace)
        self.labels = label_keys(labels)
        self._workspace, self._experiment, self._description = workspace, experiment, description

    @cached_property
    def client(self) -> Any:
        """The MLflow client; the store is made when it is first asked for."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # a server that is down is told in seconds
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of each table that it creates
        if self.uri.startswith(_SQLITE):
            database = Path(self.uri.removeprefix(_SQLITE))
            database.parent.mkdir(parents=True, exist_ok=True)
            if self._embedded:
                follow(database, artifact_folder(self._workspace))
        with talking(self.uri):
            return MlflowClient(self.uri)

    @property
    def _embedded(self) -> bool:
        """Whether the store is the workspace's own."""
        return "MLFLOW_TRACKING_URI" not in os.environ

    @cached_property
    def experiment_id(self) -> str:
        """The experiment, made where it does not exist."""
        with talking(self.uri):
            found = self.client.get_experiment_by_name(self._experiment)
            if found is not None:
                return str(found.experiment_id)
            location = artifact_folder(self._workspace).joinpath(self._experiment).as_uri() if self._embedded else None
            return str(self.client.create_experiment(self._experiment, location, {experiment.KIND: experiment.TRAINING}))

    def describe(self) -> None:
        """Bring the page of a pipeline's experiment up to date: what to look at, and the scoreboard to look at it with."""
        with talking(self.uri):
            experiment.describe(self.client, self.experiment_id, self._description, self.labels.values())

    def describe_model(self, model_id: str, markdown: str) -> None:
        """Set the text that the page of a logged model shows first."""
        with talking(self.uri):
            self.client.set_logged_model_tags(model_id, {experiment.NOTE: markdown})

    def open(self, name: str, resume: str | None = None, parent: str | None = None, *, whole: bool = False) -> Run:
        """Open a run.

        Args:
            name: what a person calls it.
            resume: id of a run to go on with; a new one is made where it is gone.
            parent: id of the run that it belongs to.
            whole: whether it is of a whole pipeline, and so a row of the scoreboard.
        """
        if resume and self.has(resume):
            with talking(self.uri):
                self.client.update_run(resume, status="RUNNING")
            return Run(self, resume, parent, resumed=True)
        tags = {"mlflow.source.name": "cxr", "mlflow.source.type": "LOCAL", "mlflow.user": getpass.getuser()}
        tags |= {"mlflow.parentRunId": parent} if parent else {}
        tags |= views.PIPELINE if whole else {}
        with talking(self.uri):
            made = self.client.create_run(self.experiment_id, tags=tags, run_name=name)
        run = Run(self, made.info.run_id, parent)
        if table := renamed_table(self.labels):
            run.text(RENAMED, table)
        return run

    def has(self, run_id: str) -> bool:
        """Whether there is a run, not deleted."""
        from mlflow.exceptions import MlflowException

        try:
            run = self.client.get_run(run_id)
        except MlflowException:
            return False  # the store was deleted or exchanged since
        return bool(run.info.lifecycle_stage == "active")

    def has_model(self, model_id: str) -> bool:
        """Whether there is a logged model, not deleted."""
        from mlflow.exceptions import MlflowException

        try:
            self.client.get_logged_model(model_id)
        except MlflowException:
            return False
        return True

    def page(self, run_id: str, root: str = _HERE) -> str:
        """Address of a run's page in the view for training, under a server's root."""
        return f"{root}/#/experiments/{self.experiment_id}/runs/{quote(run_id)}?workflowType=machine_learning"

    def overview(self, root: str = _HERE) -> str:
        """Address of all runs: the scoreboard where the experiment has it."""
        with talking(self.uri):
            seen = views.TAG in self.client.get_experiment(self.experiment_id).tags
        return root + (views.link(self.experiment_id) if seen else views.plain_link(self.experiment_id))

    def several(self) -> bool:
        """Whether there is more than one run of the whole."""
        with talking(self.uri):
            return len(self.client.search_runs([self.experiment_id], views.ONLY_PIPELINES, max_results=2)) > 1


def open_alone(folder: Path, name: str, resume: str | None = None, labels: Iterable[str] = ()) -> Run | Untracked:
    """The run of a stage without a pipeline: on the server that MLFLOW_TRACKING_URI names, else nowhere.

    Args:
        folder: of the stage.
        name: of the experiment; the run is called after the folder.
        resume: id of a run to go on with.
        labels: names of the labels that metrics end in.
    """
    if "MLFLOW_TRACKING_URI" not in os.environ:
        return Untracked()
    return Tracking(folder, name, labels=labels).open(folder.name, resume)
