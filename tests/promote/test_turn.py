from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import cxr.promote.turn
from cxr.errors import CxrError
from cxr.promote.turn import SUFFIX, Turn, turn
from cxr.tracking.registry import Registry, Source
from tests.promote.proposals import Lab, said

RUN = "0" * 32


def numbers(lab: Lab) -> list[int]:
    return [version.number for version in lab.registry.versions("small" + SUFFIX)]


def leave_number(lab: Lab, who: str = "carl") -> int:
    """What a killed command leaves."""
    lab.registry.make_model("small" + SUFFIX)
    tags = {"cxr.token": "lost", "cxr.who": who}
    return lab.registry.make_version("small" + SUFFIX, Source(f"runs:/{RUN}", RUN), tags).number


def test_number_and_queue_are_given_back_also_after_an_error(lab):
    with pytest.raises(ZeroDivisionError), turn(lab.registry, "small", RUN, "anna", said) as mine:
        mine.check() or 1 / 0
    assert lab.registry.model("small" + SUFFIX) is None


def test_queue_stays_while_somebody_waits_in_it(lab):
    with turn(lab.registry, "small", RUN, "anna", said) as mine:
        waiting = Turn(lab.registry, "small", "bert", RUN)
        waiting.draw()
        with pytest.raises(CxrError):
            waiting.check()
        mine.check()
    assert numbers(lab) == [2]
    waiting.check()


def test_only_one_decides_at_a_time_and_all_come_to_decide(lab):
    inside, start = threading.Semaphore(1), threading.Barrier(4)

    def decide(index: int) -> None:
        start.wait()
        for _ in range(3):
            with turn(lab.registry, "small", RUN, f"user {index}", said) as mine:
                assert inside.acquire(blocking=False), "two at once"
                mine.check()
                time.sleep(0.02)
                mine.check()
                inside.release()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decide, range(4)))
    assert lab.registry.model("small" + SUFFIX) is None


def test_number_that_went_with_its_queue_is_drawn_anew(lab, monkeypatch):
    original = Registry.make_version
    lost: list[int] = []

    def lose(self: Registry, name: str, *given: Any) -> Any:
        if len(lost) < 2:
            lost.append(0)
            self.delete_model(name)
        made = original(self, name, *given)
        if len(lost) == 2:
            lost.append(0)
            self.delete_model(name)
        return made

    monkeypatch.setattr(Registry, "make_version", lose)
    with turn(lab.registry, "small", RUN, "anna", said) as mine:
        mine.check()
    assert len(lost) == 3


def test_number_is_given_back_although_the_queue_cannot_be_deleted_while_somebody_draws_in_it(lab, monkeypatch):
    original, waiting = Registry.delete_model, Turn(lab.registry, "small", "bert", RUN)

    def disturbed(self: Registry, name: str) -> None:
        monkeypatch.setattr(Registry, "delete_model", original)
        waiting.draw()
        raise CxrError("FOREIGN KEY constraint failed")

    monkeypatch.setattr(Registry, "delete_model", disturbed)
    with turn(lab.registry, "small", RUN, "anna", said):
        pass
    assert numbers(lab) == [2]
    waiting.check()


def test_two_models_are_decided_about_at_the_same_time(lab):
    with turn(lab.registry, "small", RUN, "anna", said), turn(lab.registry, "other", RUN, "bert", said) as mine:
        mine.check()


def test_who_waits_too_long_is_told_for_whom_and_leaves_no_number(lab, monkeypatch):
    left = leave_number(lab)
    monkeypatch.setattr(cxr.promote.turn, "PATIENCE", 0.3)
    heard: list[str] = []
    with pytest.raises(CxrError, match="others are deciding"), turn(lab.registry, "small", RUN, "anna", heard.append):
        pass
    assert heard == ["waiting for carl, who is deciding"]
    assert numbers(lab) == [left]


def test_number_of_a_killed_command_is_deleted_with_a_word_after_a_while(lab, monkeypatch):
    leave_number(lab)
    monkeypatch.setattr(cxr.promote.turn, "STALE", 0.5)
    heard: list[str] = []
    with turn(lab.registry, "small", RUN, "anna", heard.append) as mine:
        mine.check()
    assert "carl" in heard[-1]
    assert "counts as killed" in heard[-1]


def test_several_that_find_a_killed_command_still_decide_one_at_a_time(lab, monkeypatch):
    leave_number(lab)
    monkeypatch.setattr(cxr.promote.turn, "STALE", 6.0)
    time.sleep(6.2)  # stale when they come: who waits must be far from counting as killed, as 20 s are from 120 s
    inside, start = threading.Semaphore(1), threading.Barrier(3)

    def decide(_: int) -> None:
        start.wait()
        with turn(lab.registry, "small", RUN, "anna", said) as mine:
            assert inside.acquire(blocking=False), "two at once"
            mine.check()
            inside.release()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(decide, range(3)))
    assert numbers(lab) == []


def test_who_was_taken_for_killed_writes_nothing_any_more(lab):
    with turn(lab.registry, "small", RUN, "anna", said) as mine:
        lab.registry.delete_version("small" + SUFFIX, 1)
        with pytest.raises(CxrError, match="stood still"):
            mine.check()


def test_request_that_was_sent_twice_leaves_no_second_number(lab, monkeypatch):
    original = Registry.make_version

    def twice(self: Registry, *given: Any) -> Any:
        original(self, *given)
        return original(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "make_version", twice)
        first = Turn(lab.registry, "small", "anna", RUN)
        first.draw()
    Turn(lab.registry, "small", "bert", RUN).draw()
    assert numbers(lab) == [1, 2, 3]
    first.give_back()
    assert numbers(lab) == [3]
