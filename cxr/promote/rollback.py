"""Going back: the alias returns to the version that had it before, by the decisions on record."""

from __future__ import annotations

from collections.abc import Callable

from cxr.errors import CxrError
from cxr.promote.asked import Outcome, Wish, new_entry, outcome_of
from cxr.promote.entry import Entry
from cxr.promote.history import History
from cxr.promote.settle import read_state, record
from cxr.promote.turn import turn
from cxr.tracking.registry import RegisteredModel, Registry
from cxr.tracking.runs import Runs
from cxr.tracking.store import Tracking


def roll_back(tracking: Tracking, name: str, asked: Wish, say: Callable[[str], None]) -> Outcome:
    """Give the alias back to the version that had it before; as `promote`.

    Raises:
        CxrError: there is none to go back to, or somebody has moved the alias by hand.
    """
    registry, runs = Registry(tracking), Runs(tracking)
    last = read_history(registry, name).entries[-1]
    with turn(registry, name, last.run_id, asked.who, say) as mine:
        model, history, finished = read_state(mine, runs, say)
        if finished is not None and _answers(finished, asked):
            return outcome_of(name, finished)
        before, target = _way_back(registry, model, history, asked.alias)
        version = registry.version(name, target)
        if version is None:
            raise CxrError(f"{name}: version {target}, which was the {asked.alias} before, was deleted in MLflow")
        entry = new_entry(history, "rolled back", asked, version.run_id, version=target, before=before)
        return outcome_of(name, record(mine, runs, history, entry))


def _answers(finished: Entry, asked: Wish) -> bool:
    """Whether a decision that was begun by a killed command is the rollback that is asked for again."""
    return finished.what == "rolled back" and finished.alias == asked.alias and finished.gone is None


def read_history(registry: Registry, name: str) -> History:
    """All decisions about a registered model.

    Raises:
        CxrError: there are none.
    """
    model = registry.model(name)
    history = None if model is None else History.read(name, model.tags)
    if history is None or not history.entries:
        raise CxrError(f"{name}: no decision is on record in MLflow at {registry.tracking.uri}")
    return history


def _way_back(registry: Registry, model: RegisteredModel, history: History, alias: str) -> tuple[int, int]:
    """The version that has an alias, and the one that had it before."""
    in_use, champions = model.aliases.get(alias), history.champions(alias)
    if not champions:
        raise CxrError(f"{model.name}: no {alias} is on record; there is none to go back to")
    if in_use != champions[-1]:
        now_on = "no version" if in_use is None else f"version {in_use}"
        raise CxrError(
            f"{model.name}: {alias} is on {now_on}, by the record on version {champions[-1]}: somebody has moved it by hand; "
            "move it in MLflow, or promote a run"
        )
    if len(champions) < 2:
        raise CxrError(f"{model.name}: version {champions[-1]} is the first {alias} on record; there is none to go back to")
    return champions[-1], champions[-2]
