"""Stages in their order: which of them belong to a pipeline, which have to run and why, and the running itself.

A stage's folder holds either `stage.json`, then it is whole, or `attempt.json`, then it was interrupted, and what lies
there is gone on with by a run of the same fingerprint and cleared by any other.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from filelock import FileLock, Timeout

from cxr.config import (
    EvaluateStage,
    ImagesSource,
    IngestStage,
    PhantomSource,
    PhantomStage,
    PipelineConfig,
    PredictStage,
    Section,
    SplitStage,
    TrainStage,
)
from cxr.errors import CxrError, DataError
from cxr.fingerprint import code_digests, config_digests, digest_json
from cxr.record import (
    ATTEMPT,
    NAME,
    PIPELINE_RUN,
    Attempt,
    Fingerprint,
    PipelineRun,
    StageRecord,
    describe_outputs,
    environment,
    read_attempt,
    read_pipeline_run,
    read_record,
    write_json,
)
from cxr.stage import Progress, StageContext, StageResult
from cxr.tracking import Run, Tracking


@dataclass(frozen=True)
class Stage:
    """A stage of every pipeline that has a use for it.

    Args:
        name: of its command and its folder.
        view: what it may see of the configuration; None where the pipeline does not have the stage.
        inputs: outputs of earlier stages, by the name under which the stage knows them: (stage, path in its folder).
    """

    name: str
    view: Callable[[PipelineConfig], Section | None]
    inputs: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """The module whose `run` does the work."""
        room = {"split": "data"}.get(self.name, self.name)
        return f"cxr.{room}.stage"


def _phantom_view(config: PipelineConfig) -> PhantomStage | None:
    return PhantomStage(seed=config.seed, source=config.source) if isinstance(config.source, PhantomSource) else None


def _split_view(config: PipelineConfig) -> SplitStage:
    source = config.source
    train_val, test = source.official_files if isinstance(source, ImagesSource) else (None, None)
    return SplitStage(seed=config.seed, train_val_list=train_val, test_list=test, split=config.split)


def _evaluate_view(config: PipelineConfig) -> EvaluateStage:
    return EvaluateStage(
        name=config.name,
        description=config.description,
        seed=config.seed,
        labels=config.labels,
        evaluate=config.evaluate,
    )


STAGES: tuple[Stage, ...] = (
    Stage("phantom", _phantom_view),
    Stage(
        "ingest",
        lambda c: IngestStage(name=c.name, labels=c.labels, source=c.source, ingest=c.ingest),
        {"phantom": ("phantom", "dicom")},
    ),
    Stage("split", _split_view, {"manifest": ("ingest", "manifest.parquet")}),
    Stage(
        "train",  # it has no handle on the test images
        lambda c: TrainStage(seed=c.seed, labels=c.labels, size=c.ingest.size, model=c.model, train=c.train),
        {"development": ("split", "development.parquet"), "store": ("ingest", "store")},
    ),
    Stage(
        "predict",
        lambda c: PredictStage(batch_size=c.train.batch_size, device=c.train.device),
        {
            "development": ("split", "development.parquet"),
            "test": ("split", "test.parquet"),
            "split": ("split", "split.csv"),
            "store": ("ingest", "store"),
            "model": ("train", "model.safetensors"),
        },
    ),
    Stage("evaluate", _evaluate_view, {"predictions": ("predict", "predictions.parquet")}),
)


@dataclass(frozen=True)
class StageState:
    """Whether a stage has to run.

    Args:
        stage: its name.
        state: "done"; "interrupted", to be gone on with; "due"; or "waiting" for an earlier stage.
        reason: in words.
        record: of a stage that is done.
        fingerprint: of the stage as it would run now; None while it waits.
    """

    stage: str
    state: Literal["done", "interrupted", "due", "waiting"]
    reason: str
    record: StageRecord | None = None
    fingerprint: Fingerprint | None = None


class Observer(Protocol):
    """Who is told what happens; the command line prints it."""

    def skipped(self, state: StageState) -> None:
        """A stage is not run again."""

    def started(self, state: StageState) -> Progress:
        """A stage starts; its progress is reported to what is returned."""

    def finished(self, record: StageRecord) -> None:
        """A stage has ended well."""


@dataclass(frozen=True)
class Pipeline:
    """A configured pipeline and what lies in its folder.

    Args:
        config: the definition.
    """

    config: PipelineConfig

    @property
    def folder(self) -> Path:
        """Where the stages' folders lie."""
        return self.config.workspace / self.config.name

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of this pipeline, in order."""
        return tuple(stage for stage in STAGES if stage.view(self.config) is not None)

    def tracking(self) -> Tracking:
        """Where its runs are tracked."""
        return Tracking(self.config.workspace, self.config.name, self.config.description)

    def last_run(self) -> str | None:
        """The tracked run of the pipeline as a whole, None before the first."""
        last = read_pipeline_run(self.folder)
        return last.run_id if last else None

    def states(self) -> list[StageState]:
        """The state of each stage, in order."""
        states: dict[str, StageState] = {}
        for stage in self.stages:
            states[stage.name] = self._state(stage, states)
        return list(states.values())

    def _state(self, stage: Stage, earlier: Mapping[str, StageState]) -> StageState:
        present = {name: path for name, path in stage.inputs.items() if path[0] in earlier}
        late = next((state.stage for state in earlier.values() if _feeds(state, present) and state.state != "done"), None)
        if late is not None:
            return StageState(stage.name, "waiting", f"{late} has to run first")
        upstream = {name: _output_digest(earlier[source], path) for name, (source, path) in present.items()}
        fingerprint = self._fingerprint(stage, upstream)
        folder = self.folder / stage.name
        record, attempt = read_record(folder), read_attempt(folder)
        if record is None:
            if attempt is not None and attempt.digest == fingerprint.digest:
                return StageState(stage.name, "interrupted", "it was interrupted and goes on", fingerprint=fingerprint)
            return StageState(stage.name, "due", "it has not run yet", fingerprint=fingerprint)
        changed = fingerprint.differences(record.fingerprint)
        reason = _summary(changed) or record.damage(folder)
        if reason:
            return StageState(stage.name, "due", reason, fingerprint=fingerprint)
        return StageState(stage.name, "done", "inputs, configuration and code are unchanged", record, fingerprint)

    def _fingerprint(self, stage: Stage, upstream: Mapping[str, str]) -> Fingerprint:
        view = stage.view(self.config)
        assert view is not None
        values, files = config_digests(view)
        return Fingerprint(config=values, inputs={**files, **upstream}, code=code_digests(stage.module))

    def run(self, observer: Observer, only: str | None = None) -> list[StageRecord]:
        """Run what has to run.

        Args:
            observer: told of each stage.
            only: one stage instead of all; the stages before it must be done.

        Returns:
            The records of the stages asked for, in order.

        Raises:
            CxrError: the pipeline is being run by someone else, or a stage says what is wrong.
        """
        chosen = [stage for stage in self.stages if only in (None, stage.name)]
        if not chosen:
            raise CxrError(f"pipeline '{self.config.name}' has no stage '{only}'")
        with self._locked():
            self._check(chosen)
            return self._run(chosen, observer)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise CxrError(f"{self.folder}: another cxr command is running this pipeline; wait for it, or stop it") from error
        try:
            yield
        finally:
            lock.release()

    def _check(self, chosen: Sequence[Stage]) -> None:
        """Let each stage that will run refuse its configuration before any of them has cost an hour."""
        due = {state.stage for state in self.states() if state.state != "done"}
        for stage in chosen:
            check = getattr(importlib.import_module(stage.module), "check", None) if stage.name in due else None
            if check is not None:
                check(stage.view(self.config))

    def _run(self, chosen: Sequence[Stage], observer: Observer) -> list[StageRecord]:
        session = _Session(self)
        records = []
        for stage in chosen:
            state = next(state for state in self.states() if state.stage == stage.name)
            if state.state == "waiting":
                raise CxrError(f"{stage.name}: {state.reason}; run it, or the whole pipeline with `cxr run`")
            if state.record is not None:
                observer.skipped(state)
                records.append(state.record)
                continue
            records.append(session.run(stage, state, observer))
            observer.finished(records[-1])
        session.close(records)
        return records


def _feeds(state: StageState, inputs: Mapping[str, tuple[str, str]]) -> bool:
    return state.stage in (source for source, _ in inputs.values())


def _output_digest(state: StageState, path: str) -> str:
    assert state.record is not None  # only stages that are done are asked
    return state.record.digest(path)


def _summary(changed: Sequence[str], most: int = 3) -> str:
    more = f" and {len(changed) - most} more" if len(changed) > most else ""
    return "; ".join(changed[:most]) + more


class _Session:
    """The tracked run of a pipeline while some of its stages run: opened by the first that has to.

    The run stays the same until all stages are done with one configuration, so that an interrupted pipeline, or stages
    started one by one, end in one parent run.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline, self._parent, self._ended = pipeline, None, False
        self._tracking = pipeline.tracking()

    _parent: Run | None

    def run(self, stage: Stage, state: StageState, observer: Observer) -> StageRecord:
        """Run one stage in a child run."""
        assert state.fingerprint is not None
        folder = self._pipeline.folder / stage.name
        parent = self._open_parent()
        attempt = _prepare(folder, state)
        run = self._tracking.open(stage.name, attempt.run_id if attempt else None, parent.run_id)
        write_json(folder / ATTEMPT, Attempt(digest=state.fingerprint.digest, run_id=run.run_id))
        started = _now()
        with _ending(run, parent):
            inputs = self._inputs(stage)
            context = StageContext(folder, inputs, run, observer.started(state))
            result: StageResult = importlib.import_module(stage.module).run(stage.view(self._pipeline.config), context)
            record = _record(stage, state.fingerprint, folder, run, started, result)
            _log_to_parent(parent, folder, result)
        # last: from here on the stage is done
        write_json(folder / NAME, record)
        (folder / ATTEMPT).unlink()
        run.finish("FINISHED")
        return record

    def _inputs(self, stage: Stage) -> dict[str, Path]:
        names = {stage.name for stage in self._pipeline.stages}
        return {name: self._pipeline.folder / source / path for name, (source, path) in stage.inputs.items() if source in names}

    def _open_parent(self) -> Run:
        if self._parent is None:
            config = self._pipeline.config
            values, _ = config_digests(config)
            digest = digest_json(values)
            folder = self._pipeline.folder
            last = read_pipeline_run(folder)
            unfinished = last is not None and last.digest == digest and not last.complete
            name = f"{config.name} {datetime.now().astimezone():%d %b %H:%M}"
            self._parent = self._tracking.open(name, last.run_id if last and unfinished else None)
            self._parent.params(values)
            write_json(folder / PIPELINE_RUN, PipelineRun(digest=digest, run_id=self._parent.run_id))
        return self._parent

    def close(self, records: Sequence[StageRecord]) -> None:
        """Describe the run, and end it once every stage is done."""
        if self._parent is None:
            return
        done = [state for state in self._pipeline.states() if state.record is not None]
        for state in done:
            if state.record is not None and state.record.parent_run_id != self._parent.run_id:
                self._parent.tag(f"reused.{state.stage}", state.record.run_id)
        self._parent.note(_note(self._pipeline, [state.record for state in done if state.record]))
        self._parent.finish("FINISHED")
        if len(done) == len(self._pipeline.stages):
            last = PipelineRun(digest="", run_id=self._parent.run_id, complete=True)
            write_json(self._pipeline.folder / PIPELINE_RUN, last)


def _prepare(folder: Path, state: StageState) -> Attempt | None:
    """Make the folder ready; what an interrupted run left stays where it serves the same fingerprint.

    Raises:
        DataError: the folder holds something that no stage wrote.
    """
    if state.state == "interrupted":
        return read_attempt(folder)
    if folder.exists():
        if any(folder.iterdir()) and not any((folder / name).exists() for name in (NAME, ATTEMPT)):
            raise DataError(f"{folder}: holds files that no stage wrote; move them away, or choose another workspace")
        # a mark that no fingerprint matches: a kill from here on leaves a folder that is known as ours, and not whole
        write_json(folder / ATTEMPT, Attempt(digest="cleared", run_id=""))
        (folder / NAME).unlink(missing_ok=True)
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != ATTEMPT:
                path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    return None


@contextmanager
def _ending(run: Run, parent: Run) -> Iterator[None]:
    """Say in both runs how a stage ended that did not end well."""
    try:
        yield
    except BaseException as error:
        status: Literal["FAILED", "KILLED"] = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        for each in (run, parent):
            each.finish(status)
        raise


def _record(stage: Stage, fingerprint: Fingerprint, folder: Path, run: Run, started: str, result: StageResult) -> StageRecord:
    return StageRecord(
        stage=stage.name,
        fingerprint=fingerprint,
        environment=environment(),
        outputs=describe_outputs(folder),
        run_id=run.run_id,
        parent_run_id=run.parent or "",
        started=started,
        finished=_now(),
        counts=dict(result.counts),
        headline=result.headline,
        metrics=dict(result.metrics),
        table=[list(row) for row in result.table],
        warnings=list(result.warnings),
    )


def _log_to_parent(parent: Run, folder: Path, result: StageResult) -> None:
    parent.metrics(result.metrics)
    for name in result.highlights:
        parent.artifact(folder / name)


def _note(pipeline: Pipeline, records: Sequence[StageRecord]) -> str:
    """Markdown for the parent run, the latest result first, since the page shows the first lines only."""
    lines = [f"**{records[-1].headline}**", "", pipeline.config.description, ""]
    lines += [f"* **{record.stage}**: {record.headline}" for record in records[:-1]]
    for record in records:
        if record.table:
            header, *rows = record.table
            table = [header, ["---"] * len(header), *rows]
            lines += ["", *(f"| {' | '.join(row)} |" for row in table)]
    warnings = [f"* {record.stage}: {warning}" for record in records for warning in record.warnings]
    return "\n".join([*lines, "", *(["**To mind**", "", *warnings] if warnings else [])])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
