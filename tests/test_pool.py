"""Worker processes: every result once, and the death of one costs one item, which is named."""

from __future__ import annotations

import importlib
import os
import signal
import time
from pathlib import Path

import pytest

from cxr.errors import ConfigError, DataError
from cxr.pool import Limits, run_tasks

GENEROUS = Limits(seconds=60, megabytes=512)


@pytest.fixture
def poolwork(monkeypatch):
    """The module of the work; workers find it, since the pool hands `sys.path` on."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("poolwork")


@pytest.fixture
def run(poolwork, tmp_path):
    """Runs tasks, given as words of items each; gives what became of them by number, and the deaths by number."""

    def call(*tasks: tuple[str, ...], workers: int = 1, limits: Limits = GENEROUS):
        listed = [poolwork.Task(number, items, scratch=str(tmp_path)) for number, items in enumerate(tasks)]
        results = list(run_tasks(poolwork.work, listed, workers, limits, poolwork.after_death))
        assert sorted(number for number, _, _ in results) == list(range(len(tasks)))
        done = {number: items for number, items, _ in results}
        return done, {number: deaths for number, _, deaths in results if deaths}

    return call


def children() -> set[int]:
    """Workers of this process; other tests may have left helpers of other libraries."""
    own = (int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    return {pid for pid in own if b"cxr.pool" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_every_task_gives_its_result_once(run, workers):
    done, deaths = run(*[("nap", "x")] * 7, workers=workers)
    assert done == dict.fromkeys(range(7), ("done", "done"))
    assert not deaths


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_no_task_gives_no_result_and_starts_no_worker(run, workers):
    assert run(workers=workers) == ({}, {})


def test_more_workers_than_tasks_do_no_harm(run):
    assert run(("x",), ("x",), workers=4)[0] == {0: ("done",), 1: ("done",)}


@pytest.mark.parametrize("word", ["kill", "segfault"])
def test_item_that_kills_its_worker_is_tried_once_more_and_then_given_up(run, word):
    done, deaths = run(("x", word, "x"), ("x",), ("x", "x"), workers=2)
    assert done == {0: ("done", "given up", "done"), 1: ("done",), 2: ("done", "done")}
    assert deaths == {0: ((1, "died"), (1, "died"))}


def test_item_that_kills_its_worker_once_is_done_the_second_time(run):
    done, deaths = run(("x", "exit once"))
    assert (done, deaths) == ({0: ("done", "done")}, {0: ((1, "died"),)})


def test_several_killers_in_one_task_are_each_found(run):
    done, deaths = run(("exit", "x", "segfault"))
    assert done == {0: ("given up", "done", "given up")}
    assert [item for item, _ in deaths[0]] == [0, 0, 2, 2]


def test_item_that_hangs_is_ended_at_the_time_limit_while_others_go_on(run):
    start = time.monotonic()
    done, deaths = run(("hang", "x"), ("x",) * 3, ("x",), workers=2, limits=Limits(0.5, 512))
    assert time.monotonic() - start < 10
    assert done == {0: ("given up", "done"), 1: ("done",) * 3, 2: ("done",)}
    assert deaths == {0: ((0, "slow"),)}


def test_time_limit_is_of_an_item_and_not_of_a_task(run):
    done, deaths = run(("nap",) * 16, limits=Limits(0.6, 512))
    assert done == {0: ("done",) * 16}
    assert not deaths


def test_time_limit_does_not_count_while_the_network_is_waited_for(poolwork):
    results = run_tasks(poolwork.waits_for_a_network, [poolwork.Task(0, ())], 1, Limits(0.3, 512), poolwork.after_death)
    assert list(results) == ["done"]


def test_memory_beyond_the_limit_is_a_memory_error_and_the_pool_goes_on(run):
    done, deaths = run(("allocate", "x"), ("x", "allocate"), limits=Limits(60, 256))
    assert done == {0: ("MemoryError", "done"), 1: ("done", "MemoryError")}
    assert not deaths
    assert run(("allocate",), limits=Limits(60, 2048))[0] == {0: (f"has {2**30} bytes",)}


def test_result_larger_than_a_pipe_holds_comes_whole(run):
    assert len(run(("big",), ("big",), workers=2)[0][1][0]) == 10_000_000


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_error_a_user_can_act_on_reaches_the_caller_as_it_is(run, workers):
    with pytest.raises(ConfigError, match=r"^the user's own words$"):
        run(("x", "config"), ("x",), workers=workers)
    assert not children()


def test_other_error_of_the_work_is_told_by_its_place_and_never_by_its_text(run):
    with pytest.raises(DataError, match=r"a fault in cxr: KeyError in poolwork\.py, line \d+") as error:
        run(("fault",))
    assert "DOE" not in repr(error.value)
    assert error.value.__cause__ is None


def test_memory_error_that_the_work_does_not_catch_is_such_a_fault(run):
    with pytest.raises(DataError, match="MemoryError in poolwork"):
        run(("allocate unguarded",), limits=Limits(60, 256))


def test_workers_that_end_before_they_begin_are_an_error_and_not_a_hang(poolwork):
    with pytest.raises(DataError, match="end before they begin to read"):
        list(run_tasks(poolwork.never_begins, [poolwork.Task(0, ())], 2, GENEROUS, poolwork.after_death))
    assert not children()


def test_workers_that_cannot_start_are_an_error_even_for_a_task_larger_than_a_pipe_holds(poolwork, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    tasks = [poolwork.Task(number, ("a long name" * 50,) * 2000) for number in range(3)]
    with pytest.raises(DataError, match="end before they begin to read"):
        list(run_tasks(poolwork.work, tasks, 2, GENEROUS, poolwork.after_death))


def test_worker_killed_between_two_tasks_costs_nothing(poolwork):
    tasks = [poolwork.Task(number, ()) for number in range(4)]
    pids = []
    for pid in run_tasks(poolwork.silent, tasks, 1, GENEROUS, poolwork.after_death):
        pids.append(pid)
        os.kill(pid, signal.SIGKILL)
        while not gone(pid):
            time.sleep(0.005)
    assert len(set(pids)) == 4


def test_slow_consumer_does_not_make_its_workers_slow_nor_hears_of_a_death_twice(poolwork):
    # while the result of a short task is looked at, the long one comes to an item in time, and a killer ends another
    tasks = [poolwork.Task(number, items) for number, items in enumerate([("doze",) * 4, ("nap",), ("nap", "exit"), ("nap",)])]
    results = {}
    for number, items, deaths in run_tasks(poolwork.work, tasks, 2, Limits(0.6, 512), poolwork.after_death):
        results[number] = (items, deaths)
        time.sleep(0.7)
    assert results == {
        0: (("done",) * 4, ()),
        1: (("done",), ()),
        2: (("done", "given up"), ((1, "died"), (1, "died"))),
        3: (("done",), ()),
    }


def test_no_worker_is_left_after_the_caller_has_stopped_listening(poolwork):
    tasks = [poolwork.Task(number, ("x",) if number == 0 else ("hang",)) for number in range(4)]
    results = run_tasks(poolwork.work, tasks, 2, GENEROUS, poolwork.after_death)
    assert next(results)[0] == 0
    assert children()
    results.close()
    assert not children()


def test_tasks_are_taken_as_workers_become_free(poolwork):
    taken = []

    def tasks():
        for number in range(8):
            taken.append(number)
            yield poolwork.Task(number, ("x",))

    results = run_tasks(poolwork.work, tasks(), 2, GENEROUS, poolwork.after_death)
    next(results)
    assert len(taken) <= 3
    assert len(list(results)) == 7


def test_ctrl_c_is_left_to_the_main_process(poolwork):
    results = run_tasks(
        poolwork.work, [poolwork.Task(0, ("pid",)), poolwork.Task(1, ("pid",))], 1, GENEROUS, poolwork.after_death
    )
    pid = int(next(results)[1][0])
    os.kill(pid, signal.SIGINT)
    assert int(next(results)[1][0]) == pid
