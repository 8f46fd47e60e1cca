"""Promoting: a run's model takes the place of the one in use, if nothing stands against it."""

from __future__ import annotations

from collections.abc import Callable

from cxr.promote.asked import Outcome, Wish, new_entry, outcome_of
from cxr.promote.candidate import Candidate
from cxr.promote.describe import describe_facts
from cxr.promote.entry import Entry
from cxr.promote.grounds import Grounds, grounds_of
from cxr.promote.history import History
from cxr.promote.judge import TRAINED, WEIGHTS, objections
from cxr.promote.settle import read_state, record
from cxr.promote.turn import Turn, turn
from cxr.tracking.model import MODEL_ID
from cxr.tracking.registry import Registry, Source, Version
from cxr.tracking.runs import Runs
from cxr.tracking.store import Tracking


def promote(tracking: Tracking, candidate: Candidate, asked: Wish, say: Callable[[str], None]) -> Outcome:
    """Let a model take the place of the one in use if nothing stands against it, and put the decision on record.

    Args:
        tracking: the store.
        candidate: the model.
        asked: by whom and why.
        say: told what is waited for, and what had to be finished.

    Raises:
        CxrError: MLflow does not answer, or somebody else is deciding.
    """
    registry, runs, name = Registry(tracking), Runs(tracking), candidate.decision.registry
    with turn(registry, name, candidate.run.run_id, asked.who, say) as mine:
        model, history, finished = read_state(mine, runs, say)
        if finished is not None and _answers(finished, candidate, asked):
            return outcome_of(name, finished)
        before = model.aliases.get(asked.alias)
        champion = None if before is None else registry.version(name, before)
        if champion is not None and _is_of(champion, candidate):
            return Outcome("kept", name, asked.alias, before, None)
        failed = objections(candidate.decision, champion, asked.alias)
        grounds = _grounds(history, candidate, bool(failed))
        version = None if failed else _version(mine, runs, candidate, grounds)
        entry = new_entry(
            history,
            "refused" if failed else "promoted",
            asked,
            candidate.run.run_id,
            version=version,
            before=before,
            failed=failed,
            grounds=grounds,
        )
        known = history.same_as(entry) if failed else None
        return outcome_of(name, known or record(mine, runs, history, entry), again=known is not None)


def _grounds(history: History, candidate: Candidate, refused: bool) -> Grounds:
    """By what it is decided; a promotion tells by which other rules the same weights were refused."""
    grounds = grounds_of(candidate.decision)
    return grounds if refused else grounds_of(candidate.decision, history.refusals(grounds.weights, grounds.rule))


def _answers(finished: Entry, candidate: Candidate, asked: Wish) -> bool:
    """Whether a decision that was begun by a killed command is the promotion that is asked for again."""
    same = finished.run_id == candidate.run.run_id and finished.alias == asked.alias
    return same and finished.what == "promoted" and finished.gone is None


def _version(mine: Turn, runs: Runs, candidate: Candidate, grounds: Grounds) -> int:
    """The version of the logged model; it is made where there is none, and has no alias before the decision is on record."""
    made = (version.number for version in mine.registry.versions(mine.name) if _is_of(version, candidate))
    number = next(made, None) or _make_version(mine, candidate, grounds)
    runs.link(candidate.model.model_id, mine.name, number)
    return number


def _make_version(mine: Turn, candidate: Candidate, grounds: Grounds) -> int:
    model, decision = candidate.model, candidate.decision
    tags = {WEIGHTS: decision.model.weights_sha256, TRAINED: decision.model.run_id}
    tags |= {MODEL_ID: model.model_id, "cxr.run": candidate.run.name}
    if decision.older is not None:
        tags["cxr.compared_with_sha256"] = decision.older.weights_sha256
    mine.check()
    source = Source(model.location, candidate.run.run_id, model.model_id)
    return mine.registry.make_version(mine.name, source, tags, describe_facts(candidate, grounds)).number


def _is_of(version: Version, candidate: Candidate) -> bool:
    return version.tags.get(MODEL_ID) == candidate.model.model_id
