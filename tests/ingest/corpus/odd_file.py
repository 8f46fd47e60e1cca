"""One file of the corpus, and the groups in which files are written down with their outcomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy.typing as npt

from cxr.ingest.outcome import OutcomeName

Words = npt.NDArray[Any]
Build = Callable[[Words], bytes]
Register = Callable[[Build], Build]


@dataclass(frozen=True)
class OddFile:
    """One file of the corpus.

    Args:
        name: unlike any other's.
        build: its bytes, the same each time.
        outcome: what `files.csv` must say of it.
        codes: exactly those that it must get; see `cxr.ingest.outcome.CODES`.
        note: why this outcome.
        twin: a clean file that reads as the same picture; None where there is no such.
    """

    name: str
    build: Callable[[], bytes]
    outcome: OutcomeName
    codes: tuple[str, ...]
    note: str
    twin: Callable[[], bytes] | None = None


class Group:
    """Files that belong together, in the order in which they are written down; each is made of a picture that it is given.

    Its methods are decorators of what makes the bytes of a file: `note` says why the file has this outcome, `codes` are those
    that it gets, `twin` makes the clean file of the same picture, and `name` stands in for that of the function.
    """

    def __init__(self) -> None:
        self.recipes: list[Callable[[Words], OddFile]] = []

    def quarantined(self, note: str, *codes: str, name: str = "") -> Register:
        return self._register("quarantined", note, codes, name=name)

    def corrected(self, note: str, *codes: str, twin: Build) -> Register:
        return self._register("corrected", note, codes, twin)

    def flagged(self, note: str, *codes: str, twin: Build | None = None) -> Register:
        return self._register("flagged", note, codes, twin)

    def skipped(self, note: str, *codes: str) -> Register:
        return self._register("skipped", note, codes)

    def accepted(self, note: str, *, twin: Build | None = None) -> Register:
        return self._register("accepted", note, (), twin)

    def _register(
        self, outcome: OutcomeName, note: str, codes: tuple[str, ...], twin: Build | None = None, name: str = ""
    ) -> Register:
        def register(build: Build) -> Build:
            called = name or getattr(build, "__name__", "")

            def recipe(picture: Words) -> OddFile:
                clean_twin = None if twin is None else partial(twin, picture)
                return OddFile(called, partial(build, picture), outcome, codes, note, clean_twin)

            self.recipes.append(recipe)
            return build

        return register
