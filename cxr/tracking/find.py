"""What a user's words mean in MLflow: a store, the run of a pipeline, a version in the registry."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cxr.errors import ConfigError
from cxr.tracking.registry import Registry, Version
from cxr.tracking.runs import KeptRun, Runs
from cxr.tracking.store import Tracking, tracking_uri

REGISTRY = "models:/"
"""Begins what means a version: models:/NAME@ALIAS or models:/NAME/NUMBER."""
_DIGITS = re.compile(r"[0-9a-f]{8,32}")
_WHOLE = 32


def open_store(workspace: Path) -> Tracking:
    """The store that MLFLOW_TRACKING_URI names, or the one in a workspace.

    Raises:
        ConfigError: there is none in the workspace.
    """
    if "MLFLOW_TRACKING_URI" not in os.environ and not Path(tracking_uri(workspace).removeprefix("sqlite:///")).is_file():
        raise ConfigError(f"{workspace}: no runs are kept here; name the folder with --workspace, or set MLFLOW_TRACKING_URI")
    return Tracking(workspace, "")


def find_version(registry: Registry, text: str) -> tuple[str, Version]:
    """The name and the version that a text means, see `REGISTRY`.

    Raises:
        ConfigError: there is none.
    """
    name, at, alias = text.removeprefix(REGISTRY).partition("@")
    if not at:
        name, _, alias = name.partition("/")
    model = registry.model(name)
    if model is None:
        raise ConfigError(f"{text}: MLflow at {registry.tracking.uri} has no registered model '{name}'")
    number = model.aliases.get(alias) if at else int(alias) if alias.isdecimal() else None
    version = None if number is None else registry.version(name, number)
    if version is None:
        raise ConfigError(f"{text}: '{name}' has no such version; a version is models:/NAME@ALIAS or models:/NAME/NUMBER")
    return name, version


def find_run(runs: Runs, text: str) -> KeptRun:
    """The run of a pipeline that a text means: its name, its id, or the first digits of that.

    Raises:
        ConfigError: no run, or several, are meant.
    """
    found = {run.run_id: run for run in (*_by_id(runs, text), *runs.named(text))}
    parents = [run for run in found.values() if not run.parent]
    if len(parents) == 1:
        return parents[0]
    if parents:
        several = "; ".join(f"{run.run_id} '{run.name}', {run.begun:%d %b %Y %H:%M} UTC" for run in parents)
        raise ConfigError(f"'{text}' may mean {len(parents)} runs, give more digits of one: {several}")
    if found:
        stage = next(iter(found.values()))
        raise ConfigError(f"'{text}' is the run of a stage, {stage.name}; the pipeline's run is {stage.parent}")
    raise ConfigError(
        f"'{text}': MLflow at {runs.tracking.uri} has no run of this id or name; of an id, 8 digits are needed at least"
    )


def _by_id(runs: Runs, text: str) -> tuple[KeptRun, ...]:
    if not _DIGITS.fullmatch(text):
        return ()
    if len(text) < _WHOLE:
        return runs.begins(text)
    run = runs.run(text)
    return () if run is None else (run,)
