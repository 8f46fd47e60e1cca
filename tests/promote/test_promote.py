from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import cxr.promote.promote
import cxr.promote.settle
from cxr.config_retrain import PromoteConfig
from cxr.errors import CxrError
from cxr.promote.asked import Wish
from cxr.promote.history import History
from cxr.promote.rollback import read_history, roll_back
from cxr.promote.turn import SUFFIX, Turn
from cxr.tracking.registry import Registry
from cxr.tracking.runs import Runs
from cxr.tracking.store import Tracking
from tests.promote.proposals import BAD, OPEN, Lab, said, weights_of


def back(lab: Lab, why: str = "complaints") -> Any:
    return roll_back(lab.tracking, "small", Wish("champion", "bert", why), said)


def chain(lab: Lab, count: int) -> list[str]:
    """Runs of which each was compared with the one before; all promoted."""
    runs = [lab.run(seed, weights_of(seed - 1, lab.folder) if seed > 1 else None) for seed in range(1, count + 1)]
    for run in runs:
        assert lab.promote(run).what == "promoted"
    return runs


def history(lab: Lab) -> History:
    return read_history(lab.registry, "small")


def test_promotion_makes_a_version_of_the_logged_model_and_puts_everything_on_record(lab):
    run = lab.run(1)
    outcome = lab.promote(run)
    assert (outcome.what, outcome.version, lab.champion()) == ("promoted", 1, 1)
    version = lab.registry.version("small", 1)
    model_id = lab.runs.run(run).tags["cxr.model_id"]
    assert version.run_id == run
    assert version.tags["cxr.weights_sha256"] == weights_of(1, lab.folder)
    assert version.tags["cxr.model_id"] == model_id
    assert "promoted: version 1 is champion; by anna" in version.tags["decision.0001"]
    assert "manifest-test: 1,200 images, 900 patients" in version.description
    assert "it is better" in version.description
    assert "by anna" in lab.runs.run(run).tags["cxr.promotion"]
    model = lab.registry.model("small")
    assert "promoted: version 1 is champion" in model.description
    assert json.loads(model.tags["decision.0001"])["done"] is True
    linked = lab.tracking.client.get_logged_model(model_id).tags["mlflow.modelVersions"]
    assert json.loads(linked) == [{"name": "small", "version": 1}]
    assert lab.registry.model("small" + SUFFIX) is None, "its turn is over"


def test_files_of_the_version_are_those_of_the_logged_model(lab, tmp_path, monkeypatch):
    import mlflow

    lab.promote(lab.run(1))
    # not mlflow.set_tracking_uri: it would hold for every test to come
    monkeypatch.setenv("MLFLOW_TRACKING_URI", lab.tracking.uri)
    folder = mlflow.artifacts.download_artifacts("models:/small@champion", dst_path=str(tmp_path / "served"))
    assert (tmp_path / "served" / "artifacts" / "model.safetensors").is_file(), folder


def test_model_that_fails_its_rule_is_refused_and_that_is_on_record(lab):
    good, bad = lab.run(1), lab.run(2, weights_of(1, lab.folder), checks=(BAD,))
    lab.promote(good)
    outcome = lab.promote(bad, why="please")
    assert (outcome.what, outcome.version, lab.champion()) == ("refused", 1, 1)
    assert outcome.entry.failed == (BAD.sentence,)
    assert len(lab.registry.versions("small")) == 1, "no version of a refused model"
    assert "refused as champion, version 1 stays; by anna" in lab.runs.run(bad).tags["cxr.promotion"]
    assert [entry.what for entry in history(lab).entries] == ["promoted", "refused"]
    assert BAD.sentence in lab.registry.model("small").description


def test_promotion_by_another_rule_than_a_refusal_before_says_so_everywhere(lab):
    loose = PromoteConfig(margin=0.2, undecided="accept")
    lab.promote(lab.run(1, checks=(BAD,)))
    outcome = lab.promote(lab.run(1, checks=(OPEN,), rule=loose))
    version = lab.registry.version("small", 1)
    pages = (version.description.partition("## Decisions")[0], version.description.partition("## Decisions")[2])
    run = lab.runs.run(version.run_id).tags["cxr.promotion"]
    for text in (*pages, lab.registry.model("small").description, version.tags["decision.0002"], run, outcome.entry.line):
        assert "margin 0.2, confidence 0.95, open labels accepted" in text
        assert "left open and accepted: Mass" in text
        assert "refused before by another rule: decision 1 (margin 0.05, open labels refused)" in text
    assert "margin 0.05, confidence 0.95, open labels refused" in lab.registry.model("small").description


def test_same_refusal_again_is_told_and_not_put_on_record_twice(lab):
    run = lab.run(1, checks=(BAD,))
    first = lab.promote(run)
    before = lab.registry.model("small")
    second = lab.promote(run)
    assert (second.what, second.again, second.entry) == ("refused", True, first.entry)
    assert lab.registry.model("small") == before
    third = lab.promote(run, why="the board asks for it")
    assert (third.again, third.entry.number, third.entry.why) == (False, 2, "the board asks for it")


def test_first_model_of_all_can_be_refused_without_any_version(lab):
    assert lab.promote(lab.run(1, checks=(BAD,))).version is None
    assert lab.champion() is None
    assert [entry.what for entry in history(lab).entries] == ["refused"]


@pytest.mark.parametrize("older", [None, "9" * 64])
def test_model_that_was_not_compared_with_the_champion_is_refused_with_what_to_do(lab, older):
    first = lab.run(1)
    lab.promote(first)
    failed = lab.promote(lab.run(2, older)).entry.failed
    assert len(failed) == 1
    for part in ("version 1", first, "retrain.model", "models:/small@champion"):
        assert part in failed[0]
    assert lab.champion() == 1


def test_champion_that_was_registered_by_hand_is_not_replaced_unseen(lab):
    lab.promote(lab.run(1))
    other = lab.tracking.client.create_model_version("small", "file:///elsewhere")
    lab.registry.point("small", "champion", int(other.version))
    outcome = lab.promote(lab.run(2, weights_of(1, lab.folder)))
    assert outcome.what == "refused"
    assert "did not make" in outcome.entry.failed[0]


def test_second_promotion_is_judged_against_the_new_champion(lab):
    first, second, rival = lab.run(1), lab.run(2, weights_of(1, lab.folder)), lab.run(3, weights_of(1, lab.folder))
    assert lab.promote(first).what == "promoted"
    assert lab.promote(second).what == "promoted"
    assert lab.promote(rival).what == "refused", "it was compared with the champion of before"
    assert lab.champion() == 2
    assert "no longer champion" in lab.runs.run(first).tags["cxr.promotion"]


def test_same_model_again_is_the_champion_already_and_nothing_is_recorded_twice(lab):
    run = lab.run(1)
    lab.promote(run)
    before = lab.registry.model("small")
    outcome = lab.promote(run)
    assert (outcome.what, outcome.version, outcome.entry) == ("kept", 1, None)
    assert lab.registry.model("small") == before


def test_rollback_goes_back_by_the_record_and_a_second_one_a_further_step(lab):
    runs = chain(lab, 3)
    assert (back(lab).version, lab.champion()) == (2, 2)
    assert (
        "rolled back: version 2 is champion again, in place of version 3; by bert"
        in lab.runs.run(runs[1]).tags["cxr.promotion"]
    )
    assert "no longer champion" in lab.runs.run(runs[2]).tags["cxr.promotion"]
    assert (back(lab).version, lab.champion()) == (1, 1)
    with pytest.raises(CxrError, match="version 1 is the first champion on record"):
        back(lab)
    assert [entry.what for entry in history(lab).entries][-2:] == ["rolled back"] * 2


def test_model_that_was_rolled_back_can_be_promoted_again_in_its_old_version(lab):
    runs = chain(lab, 2)
    back(lab)
    assert lab.promote(runs[1]).version == 2
    assert (len(lab.registry.versions("small")), lab.champion()) == (2, 2)
    assert back(lab).version == 1


def test_rollback_refuses_an_alias_that_was_moved_by_hand(lab):
    chain(lab, 3)
    lab.registry.point("small", "champion", 1)
    with pytest.raises(CxrError, match="on version 1, by the record on version 3"):
        back(lab)


def test_rollback_to_a_deleted_version_is_refused(lab):
    chain(lab, 2)
    lab.registry.delete_version("small", 1)
    with pytest.raises(CxrError, match="version 1, which was the champion before, was deleted"):
        back(lab)
    assert lab.champion() == 2


def test_another_alias_has_a_history_of_its_own(lab):
    runs = chain(lab, 2)
    outcome = cxr.promote.promote.promote(lab.tracking, lab.candidate(runs[0]), Wish("fallback", "anna", "spare"), said)
    assert (outcome.what, outcome.version) == ("promoted", 1)
    assert lab.registry.model("small").aliases == {"champion": 2, "fallback": 1}
    with pytest.raises(CxrError, match="first fallback"):
        roll_back(lab.tracking, "small", Wish("fallback", "anna", "no"), said)


def at_once(*work: Callable[[], Any]) -> list[Any]:
    """What several give that start at the same moment."""
    start = threading.Barrier(len(work))

    def wait_and_do(each: Callable[[], Any]) -> Any:
        start.wait()
        return each()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(wait_and_do, work))


@pytest.mark.parametrize("turned", [False, True])
def test_two_people_who_promote_at_once_end_in_one_recorded_state(lab, turned):
    for number in range(3):
        name = f"round-{number}"
        runs = [lab.run(seed, registry=name) for seed in (1, 2)]
        outcomes = at_once(*(lambda run=run: lab.promote(run) for run in (runs[::-1] if turned else runs)))
        assert sorted(outcome.what for outcome in outcomes) == ["promoted", "refused"]
        record = read_history(lab.registry, name)
        assert [(entry.number, entry.what, entry.done) for entry in record.entries] == [
            (1, "promoted", True),
            (2, "refused", True),
        ]
        assert [version.run_id for version in lab.registry.versions(name)] == [record.entries[0].run_id]
        assert lab.champion(name) == 1
        assert "the champion is version 1" in record.entries[1].failed[0]


def test_same_run_promoted_by_two_people_at_once_is_promoted_once(lab):
    run = lab.run(1)
    outcomes = at_once(*(lambda who=who: lab.promote(run, who=who) for who in ("anna", "bert")))
    assert sorted(outcome.what for outcome in outcomes) == ["kept", "promoted"]
    assert len(history(lab).entries) == len(lab.registry.versions("small")) == 1


def test_promotion_and_rollback_at_once_end_in_one_recorded_state(lab):
    chain(lab, 2)
    third = lab.run(3, weights_of(2, lab.folder))
    outcomes = at_once(lambda: lab.promote(third), lambda: back(lab))
    entries = history(lab).entries[2:]
    assert len(entries) == 2
    assert lab.champion() == history(lab).champions("champion")[-1]
    # promoted first: rolled back to 2; rolled back first: the comparison was with 2, and 1 is in use
    ends = {"promoted": 2, "refused": 1}
    assert lab.champion() == ends[outcomes[0].what]


class Killed(BaseException):
    """As by the machine: no cleaning up."""


WRITES = [
    (Registry, name) for name in ("make_model", "tag", "point", "describe", "make_version", "tag_version", "describe_version")
] + [(Runs, "tag"), (Runs, "link")]


def count_writes(monkeypatch, work: Callable[[], object], limit: int | None) -> int:
    """Do some work; stop it for good before its write number `limit`, from 0. Gives how many were made."""
    made = 0

    def counted(original):
        def write(self, *arguments, **named):
            nonlocal made
            if limit is not None and made >= limit:
                raise Killed
            made += 1
            return original(self, *arguments, **named)

        return write

    with monkeypatch.context() as patched:
        for owner, name in WRITES:
            patched.setattr(owner, name, counted(getattr(owner, name)))
        if limit is not None:  # a command that is killed gives no turn back
            patched.setattr(Turn, "give_back", lambda _: None)
        with contextlib.suppress(Killed):
            work()
    return made


def strike_turns(lab: Lab) -> None:
    for version in lab.registry.versions("small" + SUFFIX):
        lab.registry.delete_version("small" + SUFFIX, version.number)


def state(lab: Lab) -> Any:
    """Everything on record, without times and ids."""
    entries = [(entry.number, entry.what, entry.version, entry.before, entry.done) for entry in history(lab).entries]
    pages = [(version.number, sorted(version.tags), len(version.description)) for version in lab.registry.versions("small")]
    return entries, pages, lab.champion(), lab.registry.model("small").description.count("\n")


def copy_of(lab: Lab, name: str) -> Lab:
    """The same store once more, to be changed."""
    store = Path(lab.tracking.uri.removeprefix("sqlite:///"))
    folder = lab.folder / name
    folder.mkdir()
    shutil.copy(store, folder / store.name)
    return Lab(Tracking(folder, "small"), lab.folder)


@pytest.mark.parametrize("what", ["promoted", "refused", "rolled back"])
def test_kill_before_any_write_leaves_a_state_from_which_the_same_command_comes_to_the_same_end_once(lab, monkeypatch, what):
    run = chain(lab, 2)[-1]
    if what != "rolled back":
        run = lab.run(3, weights_of(2, lab.folder), checks=(BAD,) if what == "refused" else ())

    candidate, asked = lab.candidate(run), Wish("champion", "anna", "it is better")

    def command(base: Lab) -> Any:
        if what == "rolled back":
            return back(base)
        return cxr.promote.promote.promote(base.tracking, candidate, asked, said)

    whole = copy_of(lab, "whole")
    writes = count_writes(monkeypatch, lambda: command(whole), None)
    expected = state(whole)
    assert writes >= 6
    for limit in range(writes):
        base = copy_of(lab, f"killed-{limit}")
        assert count_writes(monkeypatch, lambda base=base: command(base), limit) == limit
        strike_turns(base)
        assert command(base).what in (what, "kept")
        assert state(base) == expected, f"killed before write {limit}"


@pytest.mark.parametrize(("moment", "recorded"), [("link", 1), ("tag", 2)])
def test_command_that_has_lost_its_turn_changes_nothing_that_is_in_use(lab, monkeypatch, moment, recorded):
    chain(lab, 1)
    second = lab.run(2, weights_of(1, lab.folder))
    owner, original = {"link": (Runs, Runs.link), "tag": (Registry, Registry.tag)}[moment]

    def asleep(self: Any, *given: Any) -> None:
        original(self, *given)
        strike_turns(lab)

    with monkeypatch.context() as patched:
        patched.setattr(owner, moment, asleep)
        with pytest.raises(CxrError, match="stood still"):
            lab.promote(second)
    assert lab.champion() == 1
    assert len(history(lab).entries) == recorded
    assert lab.promote(second).version == 2
    assert [entry.what for entry in history(lab).entries] == ["promoted", "promoted"]


def test_what_a_killed_command_began_is_finished_by_whoever_decides_next(lab, monkeypatch):
    runs = chain(lab, 2)
    third = lab.run(3, weights_of(2, lab.folder))
    with monkeypatch.context() as patched:
        patched.setattr(Registry, "point", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            lab.promote(third, who="carl")
    assert lab.champion() == 2
    heard: list[str] = []
    asked = Wish("champion", "dora", "x")
    outcome = cxr.promote.promote.promote(lab.tracking, lab.candidate(runs[0]), asked, heard.append)
    assert any("begun and not finished" in text and "carl" in text for text in heard)
    assert outcome.what == "refused", "judged against the champion that is one by now"
    assert lab.champion() == 3
    assert [entry.who for entry in history(lab).entries][-2:] == ["carl", "dora"]


def stop_at(lab: Lab, monkeypatch, owner: type, method: str, work: Callable[[], object]) -> None:
    """Kill a command where it first calls a method."""
    with monkeypatch.context() as patched:
        patched.setattr(owner, method, lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            work()
    strike_turns(lab)


def test_unfinished_promotion_of_a_version_that_was_deleted_is_closed_and_blocks_nobody(lab, monkeypatch):
    runs = chain(lab, 2)
    third, fourth = (lab.run(seed, weights_of(2, lab.folder)) for seed in (3, 4))
    stop_at(lab, monkeypatch, Registry, "point", lambda: lab.promote(third, who="carl"))
    lab.registry.delete_version("small", 3)
    heard: list[str] = []
    asked = Wish("champion", "dora", "x")
    outcome = cxr.promote.promote.promote(lab.tracking, lab.candidate(fourth), asked, heard.append)
    assert (outcome.what, outcome.version, lab.champion()) == ("promoted", 4, 4)
    assert "closed now" in heard[0]
    closed = history(lab).entries[2]
    assert (closed.done, closed.version, closed.gone) == (True, None, 3)
    assert "version 3 was deleted before it came into use" in lab.registry.model("small").description
    assert "came to nothing" in lab.runs.run(third).tags["cxr.promotion"]
    assert history(lab).champions("champion") == (1, 2, 4)
    assert (back(lab).version, runs[1]) == (2, lab.registry.version("small", 2).run_id)


def test_run_whose_deleted_version_was_never_in_use_is_decided_anew(lab, monkeypatch):
    run = chain(lab, 1) and lab.run(2, weights_of(1, lab.folder))
    stop_at(lab, monkeypatch, Registry, "point", lambda: lab.promote(run))
    lab.registry.delete_version("small", 2)
    assert (lab.promote(run).version, lab.champion()) == (3, 3)


def test_unfinished_rollback_to_a_version_that_was_deleted_is_closed(lab, monkeypatch):
    chain(lab, 2)
    stop_at(lab, monkeypatch, Registry, "point", lambda: back(lab))
    lab.registry.delete_version("small", 1)
    for _ in range(2):
        with pytest.raises(CxrError, match="version 1, which was the champion before, was deleted"):
            back(lab)
    assert (history(lab).entries[-1].gone, history(lab).champions("champion"), lab.champion()) == (1, (1, 2), 2)


def test_nothing_is_called_finished_before_it_is(lab, monkeypatch):
    run = chain(lab, 1) and lab.run(2, weights_of(1, lab.folder))
    stop_at(lab, monkeypatch, Registry, "point", lambda: lab.promote(run))
    heard: list[str] = []
    asked = Wish("champion", "dora", "x")

    def again() -> object:
        return cxr.promote.promote.promote(lab.tracking, lab.candidate(run), asked, heard.append)

    stop_at(lab, monkeypatch, Registry, "point", again)
    assert heard == []
    again()
    assert "finished now" in heard[0]


def test_new_request_is_not_answered_by_an_unfinished_refusal(lab, monkeypatch):
    run = lab.run(1, checks=(BAD,))
    stop_at(lab, monkeypatch, Registry, "describe", lambda: lab.promote(run))
    assert lab.promote(run, why="second thoughts").entry.why == "second thoughts"
    assert [(entry.why, entry.done) for entry in history(lab).entries] == [("it is better", True), ("second thoughts", True)]
