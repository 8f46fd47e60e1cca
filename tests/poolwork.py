"""Work and sources of files that misbehave, importable by worker processes: put this folder on `sys.path` to use them."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cxr.errors import ConfigError, DataError
from cxr.ingest.source.entry import Entry
from cxr.ingest.source.folder import FolderFiles
from cxr.pool import At, Death


@dataclass(frozen=True)
class Task:
    """Items, what each does by its word, and what became of it."""

    number: int
    items: tuple[str, ...]
    given_up: tuple[int, ...] = ()
    deaths: tuple[tuple[int, str], ...] = ()
    scratch: str = ""


def after_death(task: Task, death: Death) -> Task:
    """Once more, then without the item."""
    known = death.item in [item for item, _ in task.deaths]
    given_up = (*task.given_up, death.item) if known or death.cause == "slow" else task.given_up
    return replace(task, given_up=given_up, deaths=(*task.deaths, (death.item, death.cause)))


def work(task: Task, at: At) -> tuple[int, tuple[str, ...], tuple[tuple[int, str], ...]]:
    """What became of each item, and of which of them a worker died."""
    done = []
    for index, word in enumerate(task.items):
        if index in task.given_up:
            done.append("given up")
            continue
        at(index)
        done.append(do(word, task))
    return task.number, tuple(done), task.deaths


def do(word: str, task: Task) -> str:
    """One item."""
    match word:
        case "exit":
            os._exit(3)
        case "exit once":
            mark = Path(task.scratch) / f"died-{task.number}"
            if not mark.exists():
                mark.touch()
                os._exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "hang":
            time.sleep(600)
        case "nap":
            time.sleep(0.05)
        case "doze":
            time.sleep(0.15)
        case "allocate":
            try:
                return f"has {len(bytearray(2**30))} bytes"
            except MemoryError:
                return "MemoryError"
        case "allocate unguarded":
            return f"has {len(bytearray(2**30))} bytes"
        case "config":
            raise ConfigError("the user's own words")
        case "fault":
            raise KeyError("DOE^JANE")
        case "pid":
            return str(os.getpid())
        case "big":
            return "x" * 10_000_000
    return "done"


def waits_for_a_network(task: Task, at: At) -> str:
    """Longer than the limit, which does not count meanwhile."""
    at(0, limited=False)
    time.sleep(0.6)
    at(0)
    return "done"


def never_begins(task: Task, at: At) -> None:
    """Ends before it tells of an item, as a process does that is killed while it starts."""
    os._exit(1)


def silent(task: Task, at: At) -> int:
    """Tells of no item."""
    return os.getpid()


class Crashing(bytes):
    """The bytes of a file that kills whoever reads it; `mark`, if there is one, keeps it from doing so twice."""

    mark = ""

    def startswith(self, *arguments: object) -> bool:  # the first thing that is asked of a file
        if not self.mark or not os.path.exists(self.mark):
            if self.mark:
                open(self.mark, "x").close()
            os._exit(139)
        return super().startswith(*arguments)  # type: ignore[arg-type]


class Hanging(bytes):
    """The bytes of a file that is never read to its end."""

    def startswith(self, *arguments: object) -> bool:
        time.sleep(600)
        raise AssertionError(arguments)


@dataclass(frozen=True)
class OddFiles:
    """The files of a folder; what their names begin with says how they misbehave when they are read.

    Args:
        folder: the files.
        scratch: where it is noted which of them were fetched, a line each.
    """

    folder: FolderFiles
    scratch: Path

    def entries(self) -> Iterator[Entry]:
        return self.folder.entries()

    def head(self, name: str, size: int) -> bytes:
        return self.folder.head(name, size)

    def fetch(self, name: str) -> bytes:
        with open(self.scratch / "fetched", "a", encoding="utf-8") as file:
            file.write(name + "\n")
        data = self.folder.fetch(name)
        if "crash-in-fetch" in name:
            os._exit(139)
        if "out-of-memory" in name:
            raise MemoryError
        if "hang" in name:
            return Hanging(data)
        if "crash" in name:
            odd = Crashing(data)
            odd.mark = str(self.scratch / "crashed") if "once" in name else ""
            return odd
        return data


class SilentFiles:
    """A source that cannot be reached."""

    def entries(self) -> Iterator[Entry]:
        raise DataError("the PACS does not answer")

    def fetch(self, name: str) -> bytes:
        raise DataError("the PACS does not answer")

    def head(self, name: str, size: int) -> bytes:
        raise DataError("the PACS does not answer")
