"""Running one stage without a pipeline, in a folder of its own, with the same records and the same way to go on."""

from __future__ import annotations

import importlib
from pathlib import Path

from cxr.fingerprint import code_digests, config_digests
from cxr.labels.label_set import read_label_set
from cxr.note import stage_note
from cxr.record import ATTEMPT, NAME, Attempt, Fingerprint, StageRecord, write_json
from cxr.section import Section
from cxr.session import Observer, ending, locked, make_record, now, prepare
from cxr.stage import StageContext, StageResult
from cxr.state import state_of
from cxr.tracking.store import open_alone


def run_alone(module: str, name: str, view: Section, folder: Path, observer: Observer, *, again: bool = False) -> StageRecord:
    """Run one stage without a pipeline, in a folder of its own; tracked where MLFLOW_TRACKING_URI says so.

    Args:
        module: whose `check` refuses what cannot be done, and whose `run` does the work.
        name: of the stage and, with the tracking server, of the experiment.
        view: its configuration.
        folder: where it writes; made where there is none.
        observer: told of the stage.
        again: run it although nothing has changed.

    Raises:
        CxrError: the folder is in use or holds something else, or the stage says what is wrong.
    """
    with locked(folder):
        values, files = config_digests(view)
        fingerprint = Fingerprint(config=values, inputs=files, code=code_digests(module))
        state = state_of(name, fingerprint, folder)
        if state.record is not None and not again:
            observer.skipped(state)
            return state.record
        stage = importlib.import_module(module)
        if hasattr(stage, "check"):  # before anything is cleared: what cannot be done must not cost the last result
            stage.check(view)
        attempt = prepare(folder, state, module)
        run = open_alone(folder, name, attempt.run_id if attempt else None, _label_names(view))
        write_json(folder / ATTEMPT, Attempt(digest=fingerprint.digest, run_id=run.run_id))
        started = now()
        with ending(run):
            context = StageContext(folder, {}, run, observer.started(state))
            result: StageResult = stage.run(view, context)
            record = make_record(name, fingerprint, folder, run, started, result)
            run.note(stage_note(record))
        write_json(folder / NAME, record)
        (folder / ATTEMPT).unlink()
        run.finish("FINISHED")
        observer.finished(record)
        return record


def _label_names(view: Section) -> tuple[str, ...]:
    """The labels of a stage whose configuration names a label set."""
    path = getattr(view, "labels", None)
    return read_label_set(path).names if isinstance(path, Path) else ()
