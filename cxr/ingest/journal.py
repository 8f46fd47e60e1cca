"""The journal of an ingest: which file was given to which shard, so that a second run reads only what is new.

Kept in SQLite, under pseudonyms. A shard stays while each of its files is still there and unchanged; a shard of which a
file is gone or changed is dissolved and what is left of it read again, so that nothing of a removed file stays in the store.
The plan is made in one transaction before any file is read: a run that is killed goes on with the same plan.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cxr.errors import DataError

_TABLES = """
create table if not exists meta (key text primary key, value text not null);
create table if not exists files (file text primary key, stamp text not null, shard integer not null, place integer not null);
"""


@dataclass(frozen=True)
class Plan:
    """Which shards there are, and why files are read again.

    Args:
        shards: by number, the files of each, under the pseudonyms of the listing, in their order.
        reread: what is read again although it was read before, a sentence each.
    """

    shards: Mapping[int, tuple[str, ...]]
    reread: tuple[str, ...] = ()


def plan(path: Path, listing: Mapping[str, str], reader: Mapping[str, str], shard_files: int) -> Plan:
    """Give every file a shard, keeping the shards that are still good.

    Args:
        path: the journal; made where there is none.
        listing: the stamps of the files to read, by pseudonym, in the order of the source's listing.
        reader: what decides how a file is read, by name; where it changed, all is read again.
        shard_files: most files of a new shard.

    Raises:
        DataError: the journal cannot be written, or is damaged.
    """
    try:
        with closing(sqlite3.connect(path)) as journal, journal:
            journal.executescript(_TABLES)
            journal.execute("begin immediate")
            return _plan(journal, listing, reader, shard_files)
    except sqlite3.OperationalError as error:
        raise DataError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise DataError(f"{path}: {error}; delete it, and all files are read again") from error


def _plan(journal: sqlite3.Connection, listing: Mapping[str, str], reader: Mapping[str, str], shard_files: int) -> Plan:
    reread = _forget_other_reader(journal, reader)
    stale = _stale(journal, listing)
    if stale:
        reread += _gone(journal, listing)
        journal.executemany("delete from files where shard = ?", [(shard,) for shard in stale])
        reread += (f"{len(stale)} shards are read again, since files of theirs are gone, changed, or could not be read",)
    _assign(journal, listing, shard_files)
    return Plan(_shards(journal), reread)


def _forget_other_reader(journal: sqlite3.Connection, reader: Mapping[str, str]) -> tuple[str, ...]:
    before = dict(journal.execute("select key, value from meta where key like 'reader %'"))
    now = {f"reader {name}": value for name, value in reader.items()}
    if before == now:
        return ()
    count = journal.execute("delete from files").rowcount
    journal.execute("delete from meta where key like 'reader %'")
    journal.executemany("insert into meta values (?, ?)", list(now.items()))
    changed = [
        f"{name.removeprefix('reader ')} changed from {before.get(name, 'none')} to {now.get(name, 'none')}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    return (f"all {count} files are read again: {'; '.join(changed)}",) if count else ()


def _stale(journal: sqlite3.Connection, listing: Mapping[str, str]) -> list[int]:
    rows = journal.execute("select file, stamp, shard from files")
    return sorted({shard for file, stamp, shard in rows if listing.get(file) != stamp})


def _gone(journal: sqlite3.Connection, listing: Mapping[str, str]) -> tuple[str, ...]:
    gone = sum(file not in listing for (file,) in journal.execute("select file from files"))
    return (f"{gone} files that were read before are gone from the source, and their images from the result",) if gone else ()


def _assign(journal: sqlite3.Connection, listing: Mapping[str, str], shard_files: int) -> None:
    """New shards for the files that have none; a number is never given twice, so that no old shard is taken for a new one."""
    known = {file for (file,) in journal.execute("select file from files")}
    new = [file for file in listing if file not in known]
    if not new:
        return
    (first,) = journal.execute("select value from meta where key = 'next'").fetchone() or ("0",)
    rows = [(file, listing[file], int(first) + index // shard_files, index % shard_files) for index, file in enumerate(new)]
    journal.executemany("insert into files values (?, ?, ?, ?)", rows)
    journal.execute("insert or replace into meta values ('next', ?)", (str(int(first) + -(-len(new) // shard_files)),))


def _shards(journal: sqlite3.Connection) -> dict[int, tuple[str, ...]]:
    shards: dict[int, list[str]] = {}
    for file, shard in journal.execute("select file, shard from files order by shard, place"):
        shards.setdefault(shard, []).append(file)
    return {shard: tuple(files) for shard, files in shards.items()}


def try_again(path: Path, files: Sequence[str]) -> None:
    """Have files read again by the next run, changed or not: what failed for want of time, of memory, or of an answer."""
    with closing(sqlite3.connect(path)) as journal, journal:
        journal.executemany("update files set stamp = '' where file = ?", [(file,) for file in files])


def sweep(folders: Sequence[Path], shards: Mapping[int, object]) -> None:
    """Delete what belongs to no shard of the plan: files of dissolved shards, and what a killed worker left half-written."""
    keep = {f"shard-{shard:05d}" for shard in shards}
    for folder in folders:
        for path in folder.iterdir():
            if path.name.endswith(".partial") or (path.name.startswith("shard-") and path.stem not in keep):
                path.unlink()


def describe(values: Mapping[str, object]) -> dict[str, str]:
    """Values as texts that can be compared and shown."""
    return {name: value if isinstance(value, str) else json.dumps(value, sort_keys=True) for name, value in values.items()}
