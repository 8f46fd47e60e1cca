"""Supervised worker processes: one that dies, hangs or asks for too much memory costs one item of work, which is known by then.

A task is a batch of items. A worker says which item it begins; when it dies or takes too long, the task is given to a
fresh worker once more, changed by `after_death`, which knows the item at hand. Workers are plain child processes and not
of `multiprocessing`, whose pools hang or lose all other work when a process dies, and which daemonic processes may not use.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, cast

from cxr.errors import CxrError, DataError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_Given = TypeVar("_Given", contravariant=True)
_Done = TypeVar("_Done", covariant=True)
_MOST_FALSE_STARTS = 3
_ALARM_AFTER = 2  # times the limit of an item


class At(Protocol):
    """Told by the work which item it begins."""

    def __call__(self, item: int, *, limited: bool = True) -> None:
        """`limited`: whether the time limit counts from here; not while something waits for a network."""


class Work(Protocol[_Given, _Done]):
    """What is done with a task; importable by name, and of the same effect when it is done twice."""

    def __call__(self, task: _Given, at: At, /) -> _Done: ...  # noqa: D102


@dataclass(frozen=True)
class Limits:
    """What one item may take.

    Args:
        seconds: wall-clock time.
        megabytes: address space, beyond what a worker has before its first task.
    """

    seconds: float
    megabytes: int


@dataclass(frozen=True)
class Death:
    """The end of a worker in the middle of a task.

    Args:
        item: what it had at hand.
        cause: "died" of itself, by a signal or a crash; "slow": ended for the time limit.
    """

    item: int
    cause: Literal["died", "slow"]


def run_tasks(
    work: Work[_Task, _Result],
    tasks: Iterable[_Task],
    workers: int,
    limits: Limits,
    after_death: Callable[[_Task, Death], _Task],
) -> Iterator[_Result]:
    """Do some work on each task; results come in the order in which they are done.

    Args:
        work: see `Work`; what it writes must not depend on the order of the tasks.
        tasks: what it is given; taken as workers become free.
        workers: processes; 0 works in this process, without limits.
        limits: of one item.
        after_death: the task to try again with, after a worker died of an item. It must leave out an item that keeps
            killing workers.

    Raises:
        DataError: workers die before they begin an item.
        CxrError: as raised by the work.
    """
    if workers == 0:
        yield from (_result(work, task) for task in tasks)
        return
    pool: _Pool[_Task, _Result] = _Pool(work, limits, after_death)
    try:
        yield from pool.run(tasks, workers)
    finally:
        pool.close()


def _result(work: Work[_Task, _Result], task: _Task) -> _Result:
    kind, content = _outcome(work, task, _unheard)
    if isinstance(content, CxrError) and kind == "error":
        raise content
    return cast(_Result, content)


def _unheard(item: int, *, limited: bool = True) -> None:
    """Nobody is told."""


class _Worker(Generic[_Task]):
    """A child process and what it has at hand."""

    def __init__(self, limits: Limits) -> None:
        self.connection, theirs = Pipe()
        # -P: nothing is imported from the folder that the command runs in, which may be an archive
        numbers = (theirs.fileno(), limits.megabytes, limits.seconds)
        command = [sys.executable, "-P", "-m", "cxr.pool", *map(str, numbers)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        # one thread each: the workers are the parallelism
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment)
        theirs.close()
        self.task: _Task | None = None
        self.item = -1
        self.deadline = float("inf")

    def give(self, work: object, task: _Task) -> None:
        self.task, self.item, self.deadline = task, -1, float("inf")
        with suppress(OSError):  # one that has died meanwhile is heard of, and replaced, like any other
            self.connection.send((work, task))

    def close(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()


class _Pool(Generic[_Task, _Result]):
    def __init__(self, work: Work[_Task, _Result], limits: Limits, after_death: Callable[[_Task, Death], _Task]) -> None:
        self._work, self._limits, self._after_death = work, limits, after_death
        self._workers: list[_Worker[_Task]] = []
        self._false_starts = 0

    def run(self, tasks: Iterable[_Task], workers: int) -> Iterator[_Result]:
        waiting = iter(tasks)
        while True:
            self._hand_out(waiting, workers)
            busy = {worker.connection: worker for worker in self._workers if worker.task is not None}
            if not busy:
                return
            first = min(worker.deadline for worker in busy.values())
            ready = wait(list(busy), None if first == float("inf") else max(0.0, first - time.monotonic()))
            for connection in ready:
                assert isinstance(connection, Connection)
                yield from self._hear(busy[connection])
            # whoever takes the results may be slow himself: a worker that has something to tell is heard first
            for worker in [worker for worker in self._workers if worker.task is not None]:
                if worker.deadline < time.monotonic() and not worker.connection.poll():
                    self._replace(worker, "slow")

    def _hand_out(self, waiting: Iterator[_Task], workers: int) -> None:
        idle = [worker for worker in self._workers if worker.task is None]
        while idle or len(self._workers) < workers:
            try:
                task = next(waiting)
            except StopIteration:
                return
            if not idle:
                self._workers.append(_Worker(self._limits))
            (idle.pop() if idle else self._workers[-1]).give(self._work, task)

    def _hear(self, worker: _Worker[_Task]) -> Iterator[_Result]:
        try:
            kind, content = worker.connection.recv()
        except (EOFError, OSError):
            self._replace(worker, "died")
            return
        if kind == "at":
            worker.item, limited = content
            worker.deadline = time.monotonic() + self._limits.seconds if limited else float("inf")
            self._false_starts = 0
            return
        worker.task, worker.deadline, self._false_starts = None, float("inf"), 0
        if kind == "error":
            raise content
        yield content

    def _replace(self, worker: _Worker[_Task], cause: Literal["died", "slow"]) -> None:
        """Put a fresh worker in the place of one that is dead or has to go, with the same task, changed."""
        task, item = worker.task, worker.item
        assert task is not None
        worker.close()
        self._workers.remove(worker)
        if item < 0:
            self._false_starts += 1
            if self._false_starts >= _MOST_FALSE_STARTS:
                raise DataError("worker processes end before they begin to read; is there too little memory?")
        else:
            task = self._after_death(task, Death(item, cause))
        fresh: _Worker[_Task] = _Worker(self._limits)
        self._workers.append(fresh)
        fresh.give(self._work, task)

    def close(self) -> None:
        for worker in self._workers:
            worker.close()


def _serve(connection: Connection, megabytes: int, seconds: float) -> None:
    """Work on what is sent until the other side closes; in a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which ends the workers

    def at(item: int, *, limited: bool = True) -> None:
        try:
            connection.send(("at", (item, limited)))
        except OSError:  # the main process is gone: what it wanted, nobody waits for
            os._exit(1)
        # the main process ends what is slow; where it is gone itself, the alarm does, whose default is to end the process
        signal.setitimer(signal.ITIMER_REAL, _ALARM_AFTER * seconds if limited else 0)

    limited_yet = False
    while True:
        try:
            work, task = connection.recv()
        except (EOFError, OSError):
            return
        if not limited_yet:  # after the first task has brought its imports
            _limit_memory(megabytes)
            limited_yet = True
        outcome = _outcome(work, task, at)
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.send(outcome)


def _outcome(work: Work[Any, Any], task: object, at: At) -> tuple[str, object]:
    try:
        return "done", work(task, at)
    except CxrError as error:
        return "error", error
    except Exception as error:  # noqa: BLE001 (a fault of ours: told by its place, for its text may hold what a file says)
        place = traceback.extract_tb(error.__traceback__)[-1]
        return "error", DataError(f"a fault in cxr: {type(error).__name__} in {Path(place.filename).name}, line {place.lineno}")


def _limit_memory(megabytes: int) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    limit = now + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3]))
