"""One tracked run: its parameters, figures, files, data sets, and the model that it made."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cxr.errors import DataError
from cxr.tracking import model
from cxr.tracking.names import metric_key, param_keys
from cxr.tracking.talking import talking

if TYPE_CHECKING:
    from cxr.tracking.store import Tracking

Status = Literal["FINISHED", "FAILED", "KILLED"]
_SAMPLES = 3  # of the machine's load, 10 seconds apart, that make one point of its curves
_DIGEST_LENGTH = 36  # the longest digest of a data set that MLflow takes


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
        names = param_keys(flat)
        with talking(self.tracking.uri):
            known = self._client.get_run(self.run_id).data.params if self.resumed else {}
            params = [Param(names[name], value) for name, value in flat.items() if names[name] not in known]
            self._client.log_batch(self.run_id, params=params)

    def metrics(self, values: Mapping[str, float], step: int = 0, model_id: str = "") -> None:
        """Log figures of one step; what is not a finite number is named in the tag `undefined` instead.

        Args:
            values: by name; a label at the end of a name stands there by its key, see `cxr.tracking.names`.
            step: of the figures.
            model_id: logged model whose page shows them, too, those named SIDE/... as of the run's data manifest-SIDE.

        Raises:
            DataError: two names become one in MLflow's alphabet.
        """
        from mlflow.entities import Metric

        names = {name: metric_key(name, self.tracking.labels) for name in values}
        if len(set(names.values())) < len(names):
            raise DataError("two metrics have names that MLflow cannot tell apart: " + ", ".join(sorted(names)))
        data = self._data() if model_id else {}
        now = int(time.time() * 1000)

        def metric(name: str) -> Metric:
            subject = data.get(f"manifest-{name.partition('/')[0]}", (None, None))
            return Metric(names[name], float(values[name]), now, step, model_id or None, *subject)

        finite = [metric(name) for name, value in values.items() if math.isfinite(value)]
        undefined = sorted(name for name, value in values.items() if not math.isfinite(value))
        with talking(self.tracking.uri):
            self._client.log_batch(self.run_id, metrics=finite)
        if undefined:
            self.tag("undefined", ", ".join(undefined))

    def _data(self) -> dict[str, tuple[str, str]]:
        """Name and digest of each data set of the run, by its name."""
        with talking(self.tracking.uri):
            inputs = self._client.get_run(self.run_id).inputs.dataset_inputs
        return {entry.dataset.name: (entry.dataset.name, entry.dataset.digest) for entry in inputs}

    def last_step(self, metric: str) -> int:
        """The last step at which a metric was logged, 0 where it was not."""
        if not self.resumed:
            return 0
        key = metric_key(metric, self.tracking.labels)
        with talking(self.tracking.uri):
            return max((entry.step for entry in self._client.get_metric_history(self.run_id, key)), default=0)

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
        with talking(self.tracking.uri):
            self._client.log_artifact(self.run_id, str(path), folder or None)

    def text(self, name: str, content: str) -> None:
        """Make a file of the run's artefacts from a text."""
        with talking(self.tracking.uri):
            self._client.log_text(self.run_id, content, name)

    def log_model(self, folder: Path, name: str) -> str:
        """Make a logged model from a folder that holds an MLmodel file, once: a resumed run goes on with the one it began.

        This run and its parent are linked to it, and get its id as the tag `cxr.model_id`.

        Returns:
            Its id.
        """
        with talking(self.tracking.uri):
            return model.upload(self._client, self.run_id, self.parent, folder, name)

    def link_model(self, model_id: str) -> None:
        """Let the page of the run name a logged model that another run has made."""
        with talking(self.tracking.uri):
            model.link(self._client, self.run_id, model_id)

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
        with talking(self.tracking.uri):
            for run_id in filter(None, (self.run_id, self.parent)):
                self._client.log_inputs(run_id, [entry])

    def share_datasets(self, run_id: str) -> None:
        """Name the data of another run here, too."""
        with talking(self.tracking.uri):
            inputs = self._client.get_run(run_id).inputs.dataset_inputs
            if inputs:
                self._client.log_inputs(self.run_id, inputs)

    def tags(self) -> dict[str, str]:
        """The tags that the run has."""
        with talking(self.tracking.uri):
            return dict(self._client.get_run(self.run_id).data.tags)

    def tag(self, name: str, value: str) -> None:
        """Set a tag."""
        with talking(self.tracking.uri):
            self._client.set_tag(self.run_id, name, value)

    def drop_tag(self, name: str) -> None:
        """Take a tag away that the run has."""
        with talking(self.tracking.uri):
            self._client.delete_tag(self.run_id, name)

    def note(self, markdown: str) -> None:
        """Set the text that the run's page shows first."""
        self.tag("mlflow.note.content", markdown)

    def finish(self, status: Status) -> None:
        """End the run."""
        with talking(self.tracking.uri):
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

    def log_model(self, folder: Path, name: str) -> str:
        """Not kept; there is no id."""
        del folder, name
        return ""

    def dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        """Not kept."""

    def tags(self) -> dict[str, str]:
        """None."""
        return {}

    def note(self, markdown: str) -> None:
        """Not kept."""

    def finish(self, status: Status) -> None:
        """Nothing to end."""


def _flatten(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, str(value)
