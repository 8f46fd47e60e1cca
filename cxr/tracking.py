"""The one place that talks to MLflow: where the store is, which runs there are, and what is written to them.

Every call names its run, so that nothing is ever logged to a run that happened to be open. MLflow is imported when the
first run is opened, not before.
"""

from __future__ import annotations

import getpass
import json
import logging
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from cxr.errors import CxrError, DataError

Status = Literal["FINISHED", "FAILED", "KILLED"]
_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]", re.ASCII)
_BATCH = 1000  # metrics that MLflow takes in one call
_SAMPLES = 3  # of the machine's load, 10 seconds apart, that make one point of its curves
_DIGEST_LENGTH = 36  # and the longest dataset digest


def tracking_uri(workspace: Path) -> str:
    """MLFLOW_TRACKING_URI if set, else a store in the workspace, absolute whatever the current directory is."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace.resolve() / 'mlflow.db'}"


def artifact_folder(workspace: Path) -> Path:
    """Where the embedded store keeps artefacts."""
    return workspace.resolve() / "mlartifacts"


def metric_name(name: str) -> str:
    """A name that MLflow takes: letters, digits and _-. :/ of ASCII; anything else becomes _."""
    return _NOT_IN_NAMES.sub("_", name)


@contextmanager
def _talking(uri: str) -> Iterator[None]:
    """Turn what MLflow raises into one line."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise CxrError(_without_password(f"MLflow at {uri}: {str(error).splitlines()[0]}")) from error


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)


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
        with _talking(self.uri):
            return MlflowClient(self.uri)

    @cached_property
    def experiment_id(self) -> str:
        """The experiment, made where it does not exist."""
        with _talking(self.uri):
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
        with _talking(self.uri):
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


@dataclass(frozen=True)
class Run:
    """One tracked run; the `RunLog` of `cxr.stage`."""

    tracking: Tracking
    run_id: str
    parent: str | None = None
    resumed: bool = False

    @property
    def _client(self) -> Any:
        return self.tracking.client

    def params(self, values: Mapping[str, object]) -> None:
        """Log parameters; nested mappings become dotted names. A resumed run keeps what it has."""
        from mlflow.entities import Param

        flat = dict(_flatten(values))
        with _talking(self.tracking.uri):
            if self.resumed:
                known = self._client.get_run(self.run_id).data.params
                flat = {name: value for name, value in flat.items() if name not in known}
            self._client.log_batch(self.run_id, params=[Param(name, value) for name, value in flat.items()])

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log figures of one step; what is not a finite number is named in the tag `undefined` instead.

        Raises:
            DataError: two names become one in MLflow's alphabet.
        """
        from mlflow.entities import Metric

        names = {name: metric_name(name) for name in values}
        if len(set(names.values())) < len(names):
            raise DataError("two metrics have names that MLflow cannot tell apart: " + ", ".join(sorted(names)))
        now = int(time.time() * 1000)
        finite = [Metric(names[n], float(v), now, step) for n, v in values.items() if math.isfinite(v)]
        undefined = sorted(name for name, value in values.items() if not math.isfinite(value))
        with _talking(self.tracking.uri):
            for start in range(0, len(finite), _BATCH):
                self._client.log_batch(self.run_id, metrics=finite[start : start + _BATCH])
        if undefined:
            self.tag("undefined", ", ".join(undefined))

    def last_step(self, metric: str) -> int:
        """The last step at which a metric was logged, 0 where it was not."""
        if not self.resumed:
            return 0
        with _talking(self.tracking.uri):
            return max((entry.step for entry in self._client.get_metric_history(self.run_id, metric_name(metric))), default=0)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Log the load of the machine while a block runs, as MLflow's system metrics."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        made: Any = SystemMetricsMonitor  # MLflow has no types for it
        monitor = made(
            self.run_id, samples_before_logging=_SAMPLES, resume_logging=self.resumed, tracking_uri=self.tracking.uri
        )
        monitor.start()
        try:
            yield
        finally:
            monitor.finish()

    def artifact(self, path: Path, folder: str = "") -> None:
        """Upload a file into a folder of the run's artefacts."""
        with _talking(self.tracking.uri):
            self._client.log_artifact(self.run_id, str(path), folder or None)

    def dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        """Name the data that the run used, here and on the parent run.

        Args:
            name: what the data are called.
            digest: SHA-256 of their content; MLflow keeps its first 36 digits.
            context: what they were used for.
            profile: counts to show.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"manifest_sha256": digest})
        data = Dataset(name, digest[:_DIGEST_LENGTH], "cxr manifest", source, profile=json.dumps(profile))
        entry = DatasetInput(data, [InputTag("mlflow.data.context", context)])
        with _talking(self.tracking.uri):
            for run_id in filter(None, (self.run_id, self.parent)):
                self._client.log_inputs(run_id, [entry])

    def tag(self, name: str, value: str) -> None:
        """Set a tag."""
        with _talking(self.tracking.uri):
            self._client.set_tag(self.run_id, name, value)

    def note(self, markdown: str) -> None:
        """Set the text that the run's page shows first."""
        self.tag("mlflow.note.content", markdown)

    def finish(self, status: Status) -> None:
        """End the run."""
        with _talking(self.tracking.uri):
            self._client.set_terminated(self.run_id, status)


@dataclass(frozen=True)
class Untracked:
    """A run that nobody keeps: of a stage that runs alone where no tracking server is named."""

    run_id: str = ""
    parent: str | None = None

    def params(self, values: Mapping[str, object]) -> None:
        """Not kept."""

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Not kept."""

    def last_step(self, metric: str) -> int:
        """None was kept."""
        del metric
        return 0

    def artifact(self, path: Path, folder: str = "") -> None:
        """Not kept."""

    def dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        """Not kept."""

    def finish(self, status: Status) -> None:
        """Nothing to end."""


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


def _flatten(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield metric_name(prefix + name), str(value)
