"""A configured pipeline: which of its stages have to run and why, and running them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cxr.config import PipelineConfig
from cxr.errors import CxrError
from cxr.fingerprint import code_digests, config_digests
from cxr.labels.label_set import read_label_set
from cxr.ranks import Crew
from cxr.record import Fingerprint, StageRecord, read_pipeline_run
from cxr.session import Observer, Session, locked, run_beside
from cxr.stages import Stage, stages_of
from cxr.state import StageState, state_of
from cxr.tracking.store import Tracking


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
        return stages_of(self.config)

    def tracking(self) -> Tracking:
        """Where its runs are tracked."""
        labels = read_label_set(self.config.labels).names
        return Tracking(self.config.workspace, self.config.name, self.config.description, labels)

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
        return state_of(stage.name, fingerprint, self.folder / stage.name)

    def _fingerprint(self, stage: Stage, upstream: Mapping[str, str]) -> Fingerprint:
        view = stage.view(self.config)
        assert view is not None
        values, files = config_digests(view)
        return Fingerprint(config=values, inputs={**files, **upstream}, code=code_digests(stage.module))

    def run(
        self, observer: Observer, only: str | None = None, *, again: bool = False, crew: Crew | None = None
    ) -> list[StageRecord]:
        """Run what has to run.

        Args:
            observer: told of each stage.
            only: one stage instead of all; the stages before it must be done.
            again: run it although nothing that is known of has changed: a PACS may have grown.
            crew: the processes that run it together, this one the first of them.

        Returns:
            The records of the stages asked for, in order.

        Raises:
            CxrError: the pipeline is being run by someone else, or a stage says what is wrong.
        """
        chosen = [stage for stage in self.stages if only in (None, stage.name)]
        if not chosen:
            raise CxrError(f"pipeline '{self.config.name}' has no stage '{only}'")
        with locked(self.folder):
            self._check(chosen)
            return self._run(chosen, observer, again=again, crew=crew)

    def run_beside(self, only: str, crew: Crew) -> None:
        """As another process than the first: run a stage with it, once it is called."""
        if crew.called():
            stage = next(stage for stage in self.stages if stage.name == only)
            run_beside(stage, self.config, self.folder, crew.ranks)

    def _check(self, chosen: Sequence[Stage]) -> None:
        """Let each stage that will run refuse its configuration before any of them has cost an hour."""
        due = {state.stage for state in self.states() if state.state != "done"}
        for stage in chosen:
            check = getattr(importlib.import_module(stage.module), "check", None) if stage.name in due else None
            if check is not None:
                check(stage.view(self.config))

    def _run(self, chosen: Sequence[Stage], observer: Observer, *, again: bool, crew: Crew | None) -> list[StageRecord]:
        session = Session(self.config, self.folder, self.tracking(), crew)
        states: dict[str, StageState] = {}
        for stage in self.stages:
            state = self._state(stage, states)
            if stage in chosen:
                if again and state.state == "done":
                    state = replace(state, state="due", reason="asked for again", record=None)
                state = self._bring_about(stage, state, session, observer)
            states[stage.name] = state
        done = {name: state.record for name, state in states.items() if state.record is not None}
        session.close(list(done.values()))
        return [done[stage.name] for stage in chosen]

    def _bring_about(self, stage: Stage, state: StageState, session: Session, observer: Observer) -> StageState:
        if state.state == "waiting":
            raise CxrError(f"{stage.name}: {state.reason}; run it, or the whole pipeline with `cxr run`")
        if state.record is not None:
            observer.skipped(state)
            return state
        record = session.run(stage, state, observer)
        observer.finished(record)
        return StageState(stage.name, "done", "it has just run", record, state.fingerprint)


def _feeds(state: StageState, inputs: Mapping[str, tuple[str, str]]) -> bool:
    return state.stage in (source for source, _ in inputs.values())


def _output_digest(state: StageState, path: str) -> str:
    assert state.record is not None  # only stages that are done are asked
    return state.record.digest(path)
