"""stage.json: what a finished stage was made from and what it wrote. It is written last."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cxr.fingerprint import digest_file, digest_json

NAME = "stage.json"
ATTEMPT = "attempt.json"
CLEARED = "cleared"
"""Digest of an attempt that no fingerprint matches: of a folder that is known as ours, and not whole."""
PIPELINE_RUN = "run.json"
LOCK = ".lock"
_LIBRARIES = ("torch", "timm", "numpy", "pandas", "scikit-learn", "pydicom", "imagecodecs", "albumentations", "mlflow")


_Model = TypeVar("_Model", bound=BaseModel)


class _Json(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Fingerprint(_Json):
    """What a stage depends on.

    Args:
        config: plain values by dotted key.
        inputs: digests by name, of earlier stages' outputs and of files that the configuration names.
        code: digests of the modules that do the work.
    """

    config: dict[str, Any]
    inputs: dict[str, str]
    code: dict[str, str]

    @property
    def digest(self) -> str:
        """One digest of all."""
        return digest_json(self.model_dump())

    def differences(self, old: Fingerprint) -> list[str]:
        """What changed since `old`, in words."""
        changed = []
        for key in sorted({*self.config, *old.config}):
            now, then = self.config.get(key, "nothing"), old.config.get(key, "nothing")
            if now != then:
                changed.append(f"{key} changed from {then} to {now}")
        changed += [f"input {name} changed" for name in _changed(self.inputs, old.inputs)]
        return changed + [f"code changed: {name}" for name in _changed(self.code, old.code)]


def _changed(now: Mapping[str, str], then: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*now, *then} if now.get(name) != then.get(name))


class OutputFile(_Json):
    """One written file: its digest, and what tells quickly whether it was touched since."""

    sha256: str
    size: int
    mtime_ns: int


class StageRecord(_Json):
    """The content of stage.json.

    Args:
        stage: its name.
        fingerprint: what it was made from.
        environment: versions of Python and of the libraries, for the record; they do not lead to a new run.
        outputs: every file, by its path inside the stage's folder.
        run_id, parent_run_id: the tracked runs.
        started, finished: UTC, ISO 8601.
        counts, headline, metrics, table, warnings, highlights, answers: as in `cxr.stage.StageResult`.
        model_id: the logged model that the stage made; empty where it made none.
    """

    stage: str
    fingerprint: Fingerprint
    environment: dict[str, str]
    outputs: dict[str, OutputFile]
    run_id: str
    parent_run_id: str
    started: str
    finished: str
    counts: dict[str, int]
    headline: str
    metrics: dict[str, float]
    table: list[list[str]]
    warnings: list[str]
    highlights: list[str] = []
    answers: dict[str, str] = {}
    model_id: str = ""

    def digest(self, path: str) -> str:
        """Digest of an output file, or of a folder of output files."""
        inside = {name: file.sha256 for name, file in self.outputs.items() if f"{name}/".startswith(f"{path}/")}
        return inside[path] if list(inside) == [path] else digest_json(inside)

    def damage(self, folder: Path) -> str:
        """What is wrong with the outputs in `folder`, in words; empty where all are as they were written."""
        for name, written in self.outputs.items():
            try:
                stat = (folder / name).stat()
            except OSError:
                return f"output {name} is missing"
            if stat.st_size != written.size:
                return f"output {name} was changed"
            if stat.st_mtime_ns != written.mtime_ns and digest_file(folder / name) != written.sha256:
                return f"output {name} was changed"
        return ""


class Attempt(_Json):
    """attempt.json: a stage that began and has not ended; what lies there serves the same fingerprint only."""

    digest: str
    run_id: str


class PipelineRun(_Json):
    """run.json in the pipeline's folder: the tracked run that the stages belong to.

    Args:
        digest: of the configuration it was opened with.
        run_id: the run.
        complete: whether every stage was done when it ended.
    """

    digest: str
    run_id: str
    complete: bool = False


def read_record(folder: Path) -> StageRecord | None:
    """The record of a finished stage; None where there is none that can be read."""
    return _read(folder / NAME, StageRecord)


def read_attempt(folder: Path) -> Attempt | None:
    """The mark of an unfinished stage; None where there is none that can be read."""
    return _read(folder / ATTEMPT, Attempt)


def read_pipeline_run(folder: Path) -> PipelineRun | None:
    """The tracked run of a pipeline; None where there is none that can be read."""
    return _read(folder / PIPELINE_RUN, PipelineRun)


def _read(path: Path, model: type[_Model]) -> _Model | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None  # absent, or of another version: the stage counts as not run


def write_json(path: Path, content: BaseModel) -> None:
    """Write a file that appears whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(content.model_dump_json(indent=1), encoding="utf-8")
    os.replace(partial, path)


def describe_outputs(folder: Path) -> dict[str, OutputFile]:
    """Digest every file of a stage's folder, but its own records."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (NAME, ATTEMPT, LOCK))
    return {path.relative_to(folder).as_posix(): _describe(path) for path in files}


def _describe(path: Path) -> OutputFile:
    stat = path.stat()
    return OutputFile(sha256=digest_file(path), size=stat.st_size, mtime_ns=stat.st_mtime_ns)


def environment() -> dict[str, str]:
    """Versions of what the results may depend on."""
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": str(os.cpu_count()),
        **versions,
    }
