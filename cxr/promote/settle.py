"""Everything that follows from a decision, in an order in which a kill at any moment leaves a state to go on from.

The decision itself comes first, marked as not done; then the alias, the pages and the tags, each of which may be written
twice without harm; then the mark. Whoever decides next finishes what is not done, before anything else.
"""

from __future__ import annotations

from collections.abc import Callable

from cxr.promote.describe import describe_decisions
from cxr.promote.entry import Entry
from cxr.promote.history import History
from cxr.promote.turn import Turn
from cxr.tracking.registry import RegisteredModel
from cxr.tracking.runs import Runs

RUN_TAG = "cxr.promotion"
"""The tag of a run with the last decision about it."""


def read_state(turn: Turn, runs: Runs, say: Callable[[str], None]) -> tuple[RegisteredModel, History, Entry | None]:
    """The registered model and its history, with nothing unfinished in them; and the decision that had to be finished.

    Where the version of that was deleted since, it comes to nothing: the alias stays as it is.
    """
    turn.registry.make_model(turn.name)
    model, history = _read(turn)
    unfinished = history.unfinished
    if unfinished is None:
        return model, history, None
    finished = settle(turn, runs, history, _as_it_can_be(turn, unfinished))
    word = "finished" if finished.gone is None else "closed"
    say(f"decision {finished.number} was begun and not finished; it is {word} now: {finished.line}")
    return *_read(turn), finished


def record(turn: Turn, runs: Runs, history: History, entry: Entry) -> Entry:
    """Put a decision on record, and bring about what follows from it.

    Args:
        turn: of this command.
        runs: of the same store.
        history: so far.
        entry: the decision, not done.

    Returns:
        The decision, done.
    """
    turn.check()
    turn.registry.tag(turn.name, entry.key, entry.dump())
    return settle(turn, runs, history.with_entry(entry), entry)


def settle(turn: Turn, runs: Runs, history: History, entry: Entry) -> Entry:
    """Bring about what follows from a decision on record; parts of it may be there."""
    registry, done = turn.registry, entry.model_copy(update={"done": True})
    history = history.with_entry(done)
    model = registry.model(turn.name)
    if entry.version is not None:
        turn.check()
        registry.point(turn.name, entry.alias, entry.version)
    turn.check()
    registry.describe(turn.name, history.describe("" if model is None else model.description))
    for number in _concerned(entry):
        _mark_version(turn, runs, history, done, number)
    if runs.run(entry.run_id) is not None:  # it may have been deleted since
        turn.check()
        runs.tag(entry.run_id, RUN_TAG, entry.line)
    turn.check()
    registry.tag(turn.name, done.key, done.dump())
    return done


def _as_it_can_be(turn: Turn, entry: Entry) -> Entry:
    """A decision, or, where its version was deleted, that it came to nothing."""
    if entry.version is None or turn.registry.version(turn.name, entry.version) is not None:
        return entry
    return entry.model_copy(update={"version": None, "gone": entry.version})


def _read(turn: Turn) -> tuple[RegisteredModel, History]:
    model = turn.registry.model(turn.name)
    assert model is not None  # made before it is read
    return model, History.read(turn.name, model.tags)


def _concerned(entry: Entry) -> tuple[int, ...]:
    """The versions that come into use and go out of use by a decision."""
    return () if entry.version is None else tuple(sorted({entry.version} | ({entry.before} if entry.before else set())))


def _mark_version(turn: Turn, runs: Runs, history: History, entry: Entry, number: int) -> None:
    """Tell on the page of a version, and of its run where it goes out of use, what was decided."""
    version = turn.registry.version(turn.name, number)
    if version is None:  # deleted by hand since
        return
    turn.check()
    turn.registry.tag_version(turn.name, number, entry.key, entry.line)
    turn.registry.describe_version(turn.name, number, describe_decisions(version.description, history.about(number)))
    if version.run_id != entry.run_id and runs.run(version.run_id) is not None:
        turn.check()
        runs.tag(version.run_id, RUN_TAG, f"no longer {entry.alias}: {entry.line}")
