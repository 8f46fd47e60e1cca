"""What is to be promoted, by the words of a user: a pipeline, a run of one, a name in the registry."""

from __future__ import annotations

from cxr.errors import ConfigError, CxrError, DataError
from cxr.pipeline import Pipeline
from cxr.promote.candidate import Candidate, read_candidate
from cxr.promote.entry import is_entry
from cxr.record import read_pipeline_run
from cxr.tracking.find import find_run
from cxr.tracking.registry import Registry
from cxr.tracking.runs import Runs
from cxr.tracking.store import Tracking


def find_candidate(tracking: Tracking, text: str) -> Candidate:
    """What the run proposes that a text means.

    Raises:
        ConfigError: no run, or several, are meant.
        DataError: the run proposes nothing.
    """
    runs = Runs(tracking)
    return read_candidate(runs, find_run(runs, text))


def pipeline_candidate(pipeline: Pipeline) -> Candidate:
    """What the last run of a pipeline proposes.

    Raises:
        DataError: it has not come to its end, or by another rule than the pipeline's file has now.
    """
    name, last = pipeline.config.name, read_pipeline_run(pipeline.folder)
    if last is None or not last.complete:
        raise DataError(f"{name}: its stages have not all run to their end; `cxr run` goes on with them")
    runs = Runs(pipeline.tracking())
    run = runs.run(last.run_id)
    if run is None:
        raise DataError(f"{name}: MLflow at {runs.tracking.uri} does not have its run {last.run_id}")
    candidate = read_candidate(runs, run)
    if candidate.decision.rule != pipeline.config.promote:
        raise DataError(f"{name}: its rule, `promote`, has changed since its last run; `cxr run` decides by the new one")
    return candidate


def find_model(registry: Registry, name: str | None) -> str:
    """The registered model that is meant: by its name, or the only one with decisions.

    Raises:
        CxrError: there is none, or there are several.
    """
    if name is not None:
        return name
    decided = [model.name for model in registry.models() if any(map(is_entry, model.tags))]
    if not decided:
        raise CxrError(f"no decision is on record in MLflow at {registry.tracking.uri}")
    if len(decided) > 1:
        raise ConfigError(f"several models have decisions on record, name one of them: {', '.join(decided)}")
    return decided[0]
