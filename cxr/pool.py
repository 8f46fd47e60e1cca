"""Worker processes for work on many files."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from cxr.errors import DataError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


def run_tasks(function: Callable[[_Task], _Result], tasks: Sequence[_Task], workers: int) -> Iterator[_Result]:
    """Apply a function to each task; results come in the order in which they are done.

    Args:
        function: importable by name; what it writes must not depend on the order of the tasks.
        tasks: what it is given.
        workers: processes; 1 works in this process.

    Raises:
        DataError: a worker process died.
    """
    if workers == 1 or len(tasks) < 2:
        yield from map(function, tasks)
        return
    # spawned, since a fork of a process with threads may hang
    pool = ProcessPoolExecutor(min(workers, len(tasks)), multiprocessing.get_context("spawn"), _ignore_interrupt)
    try:
        for future in as_completed([pool.submit(function, task) for task in tasks]):
            yield future.result()
    except BrokenProcessPool as error:
        raise DataError("a worker process died, for want of memory or by a fault in a codec") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _ignore_interrupt() -> None:
    """Leave Ctrl-C to the main process, which lets the tasks at hand end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
