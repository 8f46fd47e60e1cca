"""Running one stage: its folder, its tracked run, its record, in the order that a crash at any moment can be gone on from.

A stage's folder holds either `stage.json`, then it is whole, or `attempt.json`, then it was interrupted, and what lies
there is gone on with by a run of the same fingerprint and cleared by any other.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from filelock import FileLock, Timeout

from cxr.config import PipelineConfig
from cxr.errors import CxrError, DataError
from cxr.fingerprint import config_digests, digest_json
from cxr.note import stage_note
from cxr.parent import ParentPage
from cxr.ranks import ALONE, Crew, Ranks
from cxr.record import (
    ATTEMPT,
    CLEARED,
    LOCK,
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
from cxr.stages import Stage, stages_of
from cxr.state import StageState
from cxr.tracking.model import MODEL_ID
from cxr.tracking.run import Run, Untracked
from cxr.tracking.store import Tracking


class Observer(Protocol):
    """Who is told what happens; the command line prints it."""

    def skipped(self, state: StageState) -> None:
        """A stage is not run again."""

    def started(self, state: StageState) -> Progress:
        """A stage starts; its progress is reported to what is returned."""

    def finished(self, record: StageRecord) -> None:
        """A stage has ended well."""


class Session:
    """The tracked run of a pipeline while some of its stages run: opened by the first that has to.

    The run stays the same until all stages are done with one configuration, so that an interrupted pipeline, or stages
    started one by one, end in one parent run.
    """

    def __init__(self, config: PipelineConfig, folder: Path, tracking: Tracking, crew: Crew | None = None) -> None:
        self._config, self._folder, self._tracking = config, folder, tracking
        self._crew = Crew(ALONE) if crew is None else crew
        self._page: ParentPage | None = None

    def run(self, stage: Stage, state: StageState, observer: Observer) -> StageRecord:
        """Run one stage in a child run."""
        assert state.fingerprint is not None
        folder = self._folder / stage.name
        page, earlier = self._open_page(), self._earlier(stage)
        page.show_reused(earlier)
        page.renew(stage.name)
        attempt = prepare(folder, state, stage.module)
        run = self._tracking.open(stage.name, attempt.run_id if attempt else None, page.run.run_id)
        write_json(folder / ATTEMPT, Attempt(digest=state.fingerprint.digest, run_id=run.run_id))
        started = now()
        with ending(run, page.run), run.watched():
            inputs = stage_inputs(stage, self._config, self._folder)
            context = StageContext(folder, inputs, run, observer.started(state), self._crew.ranks)
            self._crew.call()
            result: StageResult = importlib.import_module(stage.module).run(stage.view(self._config), context)
            record = make_record(stage.name, state.fingerprint, folder, run, started, result)
            page.show(record, earlier)
            run.note(stage_note(record))
        # last: from here on the stage is done
        write_json(folder / NAME, record)
        (folder / ATTEMPT).unlink()
        run.finish("FINISHED")
        return record

    def _earlier(self, stage: Stage) -> list[StageRecord]:
        """The records of the stages before one, which are done when it runs."""
        names = [each.name for each in stages_of(self._config)]
        found = (read_record(self._folder / name) for name in names[: names.index(stage.name)])
        return [record for record in found if record is not None]

    def _open_page(self) -> ParentPage:
        if self._page is None:
            values, files = config_digests(self._config)
            files.pop("workspace")  # what the stages write is no input of them
            digest = digest_json({**values, **files})
            last = read_pipeline_run(self._folder)
            unfinished = last is not None and last.digest == digest and not last.complete
            name = f"{datetime.now().astimezone():%d %b %H:%M} {self._config.name}"  # pages cut off the end
            self._tracking.describe()
            run = self._tracking.open(name, last.run_id if last and unfinished else None, whole=True)
            write_json(self._folder / PIPELINE_RUN, PipelineRun(digest=digest, run_id=run.run_id))
            self._page = ParentPage(run, self._folder)
            self._page.configure(self._config, values, files)
        return self._page

    def close(self, done: Sequence[StageRecord]) -> None:
        """Describe the run by the stages that are done, and end it; the next command opens another once all are."""
        if self._page is None:
            return
        run = self._page.run
        self._page.show_reused(done)
        self._page.describe(self._config.description, done)
        run.finish("FINISHED")
        if len(done) == len(stages_of(self._config)):
            write_json(self._folder / PIPELINE_RUN, PipelineRun(digest="", run_id=run.run_id, complete=True))


def run_beside(stage: Stage, config: PipelineConfig, folder: Path, ranks: Ranks) -> None:
    """Run a stage as another process than the first: nothing is written, tracked or shown here."""
    inputs = stage_inputs(stage, config, folder)
    context = StageContext(folder / stage.name, inputs, Untracked(), lambda *_: None, ranks)
    importlib.import_module(stage.module).run(stage.view(config), context)


def stage_inputs(stage: Stage, config: PipelineConfig, folder: Path) -> dict[str, Path]:
    """Where the inputs of a stage lie, in the folder of its pipeline; without those of stages that the pipeline lacks."""
    names = {stage.name for stage in stages_of(config)}
    return {name: folder / source / path for name, (source, path) in stage.inputs.items() if source in names}


def prepare(folder: Path, state: StageState, module: str) -> Attempt | None:
    """Make the folder ready; what an interrupted run left stays where it serves the same fingerprint.

    Of another run what the stage's module names in `KEPT` stays: the stage itself decides what of it is still good.

    Raises:
        DataError: the folder holds something that no stage wrote, or the work of another stage.
    """
    if state.state == "interrupted":
        return read_attempt(folder)
    stage = importlib.import_module(module)
    keep = getattr(stage, "KEPT", ())
    if folder.exists():
        _refuse_strangers(folder, state.stage, keep, getattr(stage, "WRITES", None))
        # a mark that no fingerprint matches: a kill from here on leaves a folder that is known as ours, and not whole
        write_json(folder / ATTEMPT, Attempt(digest=CLEARED, run_id=""))
        (folder / NAME).unlink(missing_ok=True)
        for path in folder.iterdir():
            if path.name in keep:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in (ATTEMPT, LOCK):
                path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    return None


def _refuse_strangers(folder: Path, stage: str, keep: Sequence[str], writes: Sequence[str] | None) -> None:
    """Refuse a folder with anything in it that this stage has not written, since it would be deleted.

    Args:
        folder: of the stage.
        stage: its name.
        keep: what it keeps.
        writes: what it may have written when it was stopped; None where its folder is not one that a user chose.
    """
    record = read_record(folder)
    if record is not None and record.stage != stage:
        raise DataError(f"{folder}: is the folder of the stage {record.stage}; choose another one")
    own = {NAME, ATTEMPT, LOCK, *keep}
    if record is not None:
        own |= {name.partition("/")[0] for name in record.outputs}
    elif (folder / ATTEMPT).exists():  # begun and not finished: what it wrote, nobody has listed
        if writes is None:
            return
        own |= set(writes)
    # a file that was being written when a run was killed ends in .partial
    found = sorted(path.name for path in folder.iterdir() if not path.match(".*.partial"))
    strange = next((name for name in found if name not in own), None)
    if strange is not None:
        raise DataError(f"{folder}: holds '{strange}', which no stage wrote; move it away, or choose another folder")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other commands out of a folder.

    Raises:
        CxrError: another command is at work in it, or it cannot be written.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise CxrError(f"{folder}: another cxr command is at work here; wait for it, or stop it") from error
    except OSError as error:
        raise CxrError(f"{folder}: cannot be written: {error.strerror or type(error).__name__}") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def ending(*runs: Run | Untracked) -> Iterator[None]:
    """Say in the runs how a stage ended that did not end well."""
    try:
        yield
    except BaseException as error:
        status: Literal["FAILED", "KILLED"] = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        for each in runs:
            each.finish(status)
        raise


def make_record(
    stage: str, fingerprint: Fingerprint, folder: Path, run: Run | Untracked, started: str, result: StageResult
) -> StageRecord:
    """What is remembered of a stage that has just ended well."""
    return StageRecord(
        stage=stage,
        fingerprint=fingerprint,
        environment=environment(),
        outputs=describe_outputs(folder),
        run_id=run.run_id,
        parent_run_id=run.parent or "",
        started=started,
        finished=now(),
        counts=dict(result.counts),
        headline=result.headline,
        metrics=dict(result.metrics),
        table=[list(row) for row in result.table],
        warnings=list(result.warnings),
        highlights=list(result.highlights),
        answers=dict(result.answers),
        model_id=run.tags().get(MODEL_ID, ""),
    )


def now() -> str:
    """The time as records have it: UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
