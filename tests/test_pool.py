"""Worker processes: all results, and a plain word when one dies."""

from __future__ import annotations

import os

import pytest

from cxr.errors import DataError
from cxr.pool import run_tasks


def square(number: int) -> int:
    return number * number


def die(number: int) -> int:
    os._exit(1)


def refuse(number: int) -> int:
    raise DataError(f"task {number}")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_gives_its_result_once(workers):
    assert sorted(run_tasks(square, list(range(7)), workers)) == [0, 1, 4, 9, 16, 25, 36]


def test_death_of_a_worker_is_an_error_not_a_hang():
    with pytest.raises(DataError, match="a worker process died"):
        list(run_tasks(die, [1, 2, 3], 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_error_of_a_task_reaches_the_caller(workers):
    with pytest.raises(DataError, match="task 1"):
        list(run_tasks(refuse, [1, 1], workers))
