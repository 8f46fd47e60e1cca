"""An embedded store that was moved: MLflow keeps where artefacts lie as absolute addresses, which then lead nowhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

_ADDRESSES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
"""Columns that hold addresses of artefacts, by table."""


def follow(database: Path, artifacts: Path) -> None:
    """Let the addresses in an embedded store lead to where its artefacts lie now, all of them or none.

    Args:
        database: of the store; nothing is done where there is none.
        artifacts: the folder of its artefacts; one of the same name anywhere else is taken for where they were before.
    """
    if not database.is_file() or not artifacts.is_dir():
        return
    with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as store:
        columns = list(_columns(store))
        if not any(_roots(store, columns, artifacts)):  # the usual case takes no lock
            return
        store.execute("BEGIN IMMEDIATE")
        with store:  # commits, or takes all back
            for root in set(_roots(store, columns, artifacts)):
                _replace(store, columns, root, artifacts.as_uri())


def _columns(store: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """The columns of `_ADDRESSES` that this store has."""
    for table, names in _ADDRESSES.items():
        present = {row[1] for row in store.execute(f"PRAGMA table_info({table})")}
        yield from ((table, name) for name in names if name in present)


def _roots(store: sqlite3.Connection, columns: list[tuple[str, str]], artifacts: Path) -> Iterator[str]:
    """Where experiments have their artefacts that is another folder of the same name: its address."""
    if ("experiments", "artifact_location") not in columns:
        return
    for (location,) in store.execute("SELECT artifact_location FROM experiments WHERE artifact_location LIKE 'file:%'"):
        root = str(location).rpartition("/")[0]
        if root.endswith(f"/{artifacts.name}") and root != artifacts.as_uri():
            yield root


def _replace(store: sqlite3.Connection, columns: list[tuple[str, str]], old: str, new: str) -> None:
    for table, column in columns:
        # compared by length and not by LIKE, for which _ and % stand for other characters
        store.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
            (new, len(old) + 1, len(old) + 1, f"{old}/"),
        )
