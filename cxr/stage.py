"""What a stage is given and what it gives back; `cxr.pipeline` decides when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from cxr.ranks import ALONE, Ranks


class Progress(Protocol):
    """Where a stage tells how far it is; the command line draws it."""

    def __call__(self, done: int, total: int, text: str = "") -> None:
        """`done` of `total` units are finished; `text` is one short line about the present state."""


Question = Literal["data", "labels", "good", "sure", "against", "next"]
"""What the page of a run answers first, in this order: what data, what labels, how good, how sure, against what, what next."""


class RunLog(Protocol):
    """What a stage may write to its tracked run; see `cxr.tracking` for the meaning of each."""

    @property
    def run_id(self) -> str: ...  # noqa: D102
    def params(self, values: Mapping[str, object]) -> None: ...  # noqa: D102
    def metrics(self, values: Mapping[str, float], step: int = 0) -> None: ...  # noqa: D102
    def last_step(self, metric: str) -> int: ...  # noqa: D102
    def artifact(self, path: Path, folder: str = "") -> None: ...  # noqa: D102
    def log_model(self, folder: Path, name: str) -> str: ...  # noqa: D102
    def dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class StageContext:
    """Everything of the outside world that a stage may touch.

    Args:
        folder: the stage's own folder, existing; it may hold what an interrupted run of the same fingerprint left.
        inputs: files and folders written by earlier stages, by the names in `cxr.stages.STAGES`.
        run: the stage's tracked run.
        progress: see `Progress`.
        ranks: the processes that run the stage together; all but the first compute, and write nothing.
    """

    folder: Path
    inputs: Mapping[str, Path]
    run: RunLog
    progress: Progress
    ranks: Ranks = ALONE


@dataclass(frozen=True)
class StageResult:
    """What a finished stage reports.

    Args:
        counts: whole numbers of what went in and out, kept in stage.json.
        headline: one line for the terminal.
        metrics: figures that belong on the pipeline's parent run too.
        table: rows for the terminal, the first of them the header; empty where there is nothing to show.
        warnings: what the user should know before using the result, a sentence each.
        highlights: files of the stage's folder that belong on the pipeline's parent run too.
        answers: what the stage knows of the questions that the page of the pipeline's run answers: plain text, no sentence's
            end; of several stages that answer one they stand one behind the other.
    """

    counts: Mapping[str, int]
    headline: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    table: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    highlights: tuple[str, ...] = ()
    answers: Mapping[Question, str] = field(default_factory=dict)
