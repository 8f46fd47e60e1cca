"""A stage without a pipeline: run once, gone on with after an interruption, its folder never shared nor taken over."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest
from filelock import FileLock

from cxr import alone
from cxr.alone import run_alone
from cxr.errors import CxrError, DataError
from cxr.record import ATTEMPT, LOCK, NAME
from cxr.section import Section
from cxr.stage import StageResult
from cxr.tracking.run import Untracked

MODULE = "alone_stage"


class View(Section):
    """A stage's configuration."""

    size: int = 1


class Observer:
    def __init__(self) -> None:
        self.told: list[str] = []

    def skipped(self, state) -> None:
        self.told.append(f"skipped: {state.reason}")

    def started(self, state):
        self.told.append(f"started: {state.reason}")
        return lambda done, total, text="": None

    def finished(self, record) -> None:
        self.told.append(f"finished: {record.headline}")


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """Runs a stage that notes what it found in its folder; `stage.fail` is raised in it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    module = ModuleType(MODULE)
    module.KEPT = ("kept",)

    class Stage:
        def __init__(self) -> None:
            self.fail: BaseException | None = None
            self.found: list[list[str]] = []

        def __call__(self, *, again: bool = False, **view) -> list[str]:
            observer = Observer()
            run_alone(MODULE, "ingest", View(**view), tmp_path / "out", observer, again=again)
            return observer.told

    made = Stage()

    def run(view: View, context) -> StageResult:
        made.found.append(sorted(path.name for path in context.folder.iterdir()))
        assert isinstance(context.run, Untracked)
        (context.folder / "kept").write_text("1")
        (context.folder / "result").write_text(str(view.size))
        if made.fail:
            raise made.fail
        return StageResult({"n": 1}, f"size {view.size}")

    module.run = run
    monkeypatch.setitem(sys.modules, MODULE, module)
    monkeypatch.setattr(alone, "code_digests", lambda name: {name: "0"})
    return made


def test_stage_runs_once_and_again_only_where_asked_for(stage, tmp_path):
    assert stage() == ["started: it has not run yet", "finished: size 1"]
    assert stage() == ["skipped: inputs, configuration and code are unchanged"]
    assert stage(again=True)[-1] == "finished: size 1"
    assert len(stage.found) == 2
    assert (tmp_path / "out" / NAME).is_file()
    assert not (tmp_path / "out" / ATTEMPT).exists()


def test_other_configuration_keeps_only_what_the_stage_says(stage):
    stage()
    told = stage(size=2)
    assert told[0].startswith("started: ")
    assert "size" in told[0]
    assert stage.found == [sorted([LOCK, ATTEMPT]), sorted([LOCK, ATTEMPT, "kept"])]


def test_interrupted_run_is_gone_on_with_where_it_stopped(stage, tmp_path):
    stage.fail = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        stage()
    stage.fail = None
    assert stage()[0] == "started: it was begun and not finished; it goes on"
    assert stage.found[1] == sorted([LOCK, ATTEMPT, "kept", "result"])
    assert json.loads((tmp_path / "out" / NAME).read_text())["headline"] == "size 1"


def test_interrupted_run_of_another_configuration_is_replaced(stage):
    stage.fail = DataError("no image")
    with pytest.raises(DataError):
        stage()
    stage.fail = None
    assert stage(size=2)[0] == "started: it was begun otherwise and not finished; what of that still serves is kept"
    assert stage.found[1] == sorted([LOCK, ATTEMPT, "kept"])


def test_folder_in_use_is_refused(stage, tmp_path):
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / LOCK), pytest.raises(CxrError, match="another cxr command is at work"):
        stage()


def test_folder_of_something_else_is_refused_and_left_as_it_is(stage, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(CxrError, match="which no stage wrote"):
        stage()
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize("place", ["out", "out/deeper"])
def test_folder_that_cannot_be_made_is_one_line(stage, tmp_path, place):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(CxrError, match=r"out.*: cannot be written: "):
        run_alone(MODULE, "ingest", View(), tmp_path / place, Observer())
