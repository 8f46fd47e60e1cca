"""Runs and logged models as MLflow keeps them: found by id or name, with their tags, figures, data sets and files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cxr.tracking.registry import or_none, paged
from cxr.tracking.store import Tracking
from cxr.tracking.talking import talking

_PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class DataUsed:
    """A data set that a run has used.

    Args:
        name: what it is called.
        digest: of its content.
        profile: counts as JSON; see `cxr.profile.profile`.
    """

    name: str
    digest: str
    profile: str


@dataclass(frozen=True)
class KeptRun:
    """A run.

    Args:
        run_id: of 32 digits.
        name: what a person calls it.
        status: "FINISHED", or what else MLflow says.
        begun: when, UTC.
        parent: id of the run that it belongs to; empty where there is none.
        tags, metrics, data: what was logged.
    """

    run_id: str
    name: str
    status: str
    begun: datetime
    parent: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    data: tuple[DataUsed, ...]


@dataclass(frozen=True)
class LoggedModel:
    """A logged model.

    Args:
        model_id: its id.
        location: where its files lie.
        ready: whether all of them are there.
    """

    model_id: str
    location: str
    ready: bool


@dataclass(frozen=True)
class Runs:
    """The runs of a store. Every method raises `CxrError` where MLflow does not answer, or refuses."""

    tracking: Tracking

    def run(self, run_id: str) -> KeptRun | None:
        """A run; None where there is none of that id."""
        with talking(self.tracking.uri):
            found = or_none(lambda: self._client.get_run(run_id))
        return None if found is None or found.info.lifecycle_stage != "active" else _run(found)

    def begins(self, digits: str) -> tuple[KeptRun, ...]:
        """The runs whose id begins with some digits."""
        return tuple(self._search(f"attributes.run_id LIKE '{digits}%'"))

    def named(self, name: str) -> tuple[KeptRun, ...]:
        """The runs of a name."""
        # _ stands for any character: no text can end the quotation, and what is too much is left out here
        pattern = name.replace("'", "_").replace("\\", "_")
        return tuple(run for run in self._search(f"attributes.run_name LIKE '{pattern}'") if run.name == name)

    def stage(self, run: KeptRun, name: str) -> KeptRun | None:
        """The run of a stage of a pipeline's run: one of its own, or the one that it used again; None where there is none."""
        if reused := run.tags.get(f"reused.{name}"):
            return self.run(reused)
        own = self._search(f"attributes.run_name = '{name}' and tags.`{_PARENT}` = '{run.run_id}'")
        return next(iter(own), None)

    def tag(self, run_id: str, key: str, value: str) -> None:
        """Set a tag of a run."""
        with talking(self.tracking.uri):
            self._client.set_tag(run_id, key, value)

    def fetch(self, run_id: str, artifact: str, folder: Path) -> Path | None:
        """Fetch an artefact of a run into a folder; None where the run has none of that name."""
        with talking(self.tracking.uri):
            if artifact not in (entry.path for entry in self._client.list_artifacts(run_id)):
                return None
            return Path(self._client.download_artifacts(run_id, artifact, str(folder)))

    def logged(self, model_id: str) -> LoggedModel | None:
        """A logged model; None where there is none of that id."""
        with talking(self.tracking.uri):
            found = or_none(lambda: self._client.get_logged_model(model_id))
        return None if found is None else LoggedModel(model_id, str(found.artifact_location), str(found.status) == "READY")

    def fetch_model(self, model: LoggedModel, suffix: str, folder: Path) -> tuple[Path, ...]:
        """Fetch the files of a logged model whose names end in `suffix` into a folder."""
        from mlflow.artifacts import download_artifacts

        with talking(self.tracking.uri):
            paths = [path for path in self._files(model.model_id, None) if path.endswith(suffix)]
            uris = [f"{model.location.rstrip('/')}/{path}" for path in paths]
            uri = self.tracking.uri
            return tuple(Path(download_artifacts(each, dst_path=str(folder), tracking_uri=uri)) for each in uris)

    def link(self, model_id: str, registry: str, number: int) -> None:
        """Let the page of a logged model name a version that was made from it, as a tracking server does by itself."""
        key, entry = "mlflow.modelVersions", {"name": registry, "version": number}
        with talking(self.tracking.uri):
            known = json.loads(self._client.get_logged_model(model_id).tags.get(key, "[]"))
            if (registry, str(number)) not in {(one["name"], str(one["version"])) for one in known}:
                self._client.set_logged_model_tags(model_id, {key: json.dumps([*known, entry])})

    @property
    def _client(self) -> Any:
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # files of some megabytes need none
        return self.tracking.client

    def _search(self, where: str) -> Iterator[KeptRun]:
        with talking(self.tracking.uri):
            found = paged(lambda token: self._client.search_experiments(page_token=token))
            ids = [experiment.experiment_id for experiment in found]
            yield from map(_run, paged(lambda token: self._client.search_runs(ids, where, page_token=token)))

    def _files(self, model_id: str, folder: str | None) -> Iterator[str]:
        for entry in self._client.list_logged_model_artifacts(model_id, folder):
            if entry.is_dir:
                yield from self._files(model_id, entry.path)
            else:
                yield entry.path


def _run(found: Any) -> KeptRun:
    begun = datetime.fromtimestamp(found.info.start_time / 1000, UTC)
    used = [entry.dataset for entry in found.inputs.dataset_inputs] if found.inputs else []
    data = tuple(DataUsed(each.name, each.digest, each.profile or "{}") for each in used)
    tags = dict(found.data.tags)
    name, status = str(found.info.run_name), str(found.info.status)
    return KeptRun(found.info.run_id, name, status, begun, tags.get(_PARENT, ""), tags, dict(found.data.metrics), data)
