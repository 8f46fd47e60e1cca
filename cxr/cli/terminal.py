"""What the terminal shows while a stage runs: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from cxr.record import StageRecord
    from cxr.state import StageState


class Terminal:
    """Prints what happens: a bar a stage on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._start = self._printed = 0.0
        self._first: int | None = None
        self._stopped = False

    def __enter__(self) -> Terminal:
        self._previous = signal.signal(signal.SIGINT, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._previous)
        self._close_bar()

    def _stop(self, *_: object) -> None:
        # an interrupt that falls into a callback of a C library is lost there; the next report of progress repeats it
        self._stopped = True
        raise KeyboardInterrupt

    def skipped(self, state: StageState) -> None:
        """A stage is not run again."""
        headline = state.record.headline if state.record else ""
        console().print(f"[bold]{state.stage:9}[/] [dim]not run again: {state.reason}[/]\n          {headline}")

    def started(self, state: StageState) -> Terminal:
        """A stage runs."""
        console().print(f"[bold]{state.stage:9}[/] [dim]runs: {state.reason}[/]")
        return self.open()

    def open(self) -> Terminal:
        """Begin to show progress."""
        self._start = self._printed = time.monotonic()
        self._first = None
        if console().is_terminal:
            self._open_bar()
        return self

    def __call__(self, done: int, total: int, text: str = "") -> None:
        """How far it is; see `cxr.stage.Progress`."""
        if self._stopped:
            raise KeyboardInterrupt
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total, text=text)
            return
        if self._first is None:
            self._first = done  # what is gone on with begins in the middle
        if time.monotonic() - self._printed > 10:
            self._printed = time.monotonic()
            console().print(f"          {done} of {total}, {text}{self._left(done, total)}", highlight=False)

    def _left(self, done: int, total: int) -> str:
        """Like ", about 12 min left"; empty as long as nothing can be said."""
        made = done - (self._first or 0)
        if made <= 0:
            return ""
        minutes = (time.monotonic() - self._start) / made * (total - done) / 60
        return f", about {minutes:.0f} min left" if minutes >= 1 else ", less than a minute left"

    def finished(self, record: StageRecord) -> None:
        """A stage is done."""
        self._close_bar()
        seconds = time.monotonic() - self._start
        console().print(f"          {record.headline} [dim]({seconds:.0f} s)[/]", highlight=False)
        for warning in record.warnings:
            console().print(f"          [yellow]to mind:[/] {warning}", highlight=False)

    def _open_bar(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("         "), BarColumn(24), TimeRemainingColumn(), TextColumn("{task.fields[text]}"))
        self._bar = Progress(*columns, console=console(), transient=True)
        self._bar.add_task("", total=None, text="")
        self._bar.start()

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def short(path: Path) -> str:
    """The path as a user would type it from here."""
    return os.path.relpath(path) if path.absolute().is_relative_to(Path.cwd()) else str(path)


def program() -> str:
    """How this command was called."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m cxr"
    return short(called) if os.sep in sys.argv[0] else "cxr"


def console() -> Any:
    """Where words go."""
    from rich.console import Console

    global _CONSOLE
    if _CONSOLE is None:
        # wide enough for the table where the output goes to a file
        _CONSOLE = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)
    return _CONSOLE


_CONSOLE: Any = None
