"""What becomes of each file while a command runs, kept on the disk, so that memory does not grow with their number.

The file on the disk has no name, and is gone with the process: it holds what headers say of patients.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr.calibrate.calibration import Calibration
from cxr.predict.combine import combine
from cxr.predict.inputs import Input
from cxr.predict.read import Identity, Origin
from cxr.predict.reading import Batch, Listed, NotTaken
from cxr.predict.rows import Rows

_Floats = npt.NDArray[np.float64]
_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE listed (source INTEGER, name BLOB, code TEXT, detail TEXT, location BLOB UNIQUE);
CREATE TABLE file (number INTEGER PRIMARY KEY, source INTEGER, name BLOB);
CREATE TABLE study (id INTEGER PRIMARY KEY, patient TEXT, uid TEXT, UNIQUE (patient, uid));
CREATE TABLE outcome (
    number INTEGER PRIMARY KEY, codes TEXT, detail TEXT, instance TEXT, study INTEGER, digest TEXT, again INTEGER, scores BLOB
);
CREATE TABLE combined (study INTEGER PRIMARY KEY, scores BLOB);
"""


class Ledger:
    """See the module's text."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # no name: a file without one
        self._database.executescript(_TABLES)

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def enlist(self, inputs: Sequence[Input]) -> int:
        """List the files of inputs, each once, sorted by name within their input; how many there are.

        Raises:
            DataError: an input cannot be listed.
        """
        for source, each in enumerate(inputs):
            rows = (
                (source, os.fsencode(entry.name), entry.code, _plain(entry.detail), each.location(entry.name))
                for entry in each.files.entries()
            )
            self._database.executemany("INSERT OR IGNORE INTO listed VALUES (?, ?, ?, ?, ?)", rows)
        numbered = "SELECT ROW_NUMBER() OVER (ORDER BY source, name) AS number, * FROM listed"
        self._database.executescript(
            f"CREATE TEMP TABLE numbered AS {numbered};"
            "INSERT INTO file SELECT number, source, name FROM numbered;"
            "INSERT INTO outcome SELECT number, code, detail, '', NULL, '', 0, NULL FROM numbered WHERE code <> '';"
            "DROP TABLE numbered; DROP TABLE listed;"
        )
        return self._count("file")

    def waiting(self, size: int) -> Iterator[tuple[Listed, ...]]:
        """The files of which nothing is known yet, in their order, `size` at a time."""
        last = 0
        while rows := self._all(
            "SELECT number, source, name FROM file WHERE number > ? "
            "AND NOT EXISTS (SELECT 1 FROM outcome WHERE outcome.number = file.number) "
            f"ORDER BY number LIMIT {size}",
            last,
        ):
            last = rows[-1][0]
            yield tuple(Listed(number, source, os.fsdecode(name)) for number, source, name in rows)

    def named(self, numbers: Sequence[int]) -> tuple[Listed, ...]:
        """Files by their numbers."""
        marks = ", ".join("?" * len(numbers))
        rows = self._all(f"SELECT number, source, name FROM file WHERE number IN ({marks}) ORDER BY number", *numbers)
        return tuple(Listed(number, source, os.fsdecode(name)) for number, source, name in rows)

    @property
    def known(self) -> int:
        """Of how many files it is known what became of them."""
        return self._count("outcome")

    def keep(self, batch: Batch, scores: _Floats, *, again: bool = False) -> None:
        """Keep what became of files; the last word counts.

        Args:
            batch: the files.
            scores: float64 [files that are taken, labels] in [0, 1], in their order.
            again: whether these are of the wide network of a cascade.
        """
        rest = iter(scores)
        for number, found in batch.read:
            taken = isinstance(found, Origin)
            codes = " ".join(found.codes) if isinstance(found, Origin) else found.code
            detail = _plain(found.detail) if isinstance(found, NotTaken) else ""
            digest, own = (found.digest, next(rest).tobytes()) if isinstance(found, Origin) else ("", None)
            row = (
                number,
                codes,
                detail,
                _plain(found.identity.instance),
                self._study(number, found.identity, taken),
                digest,
                again,
                own,
            )
            self._database.execute("INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _study(self, number: int, identity: Identity, taken: bool) -> int | None:
        """The study of a file; a plain image is one by itself."""
        if not identity.study and not taken:
            return None
        key = (_plain(identity.patient), _plain(identity.study)) if identity.study else (f"file {number}", "")
        self._database.execute("INSERT OR IGNORE INTO study (patient, uid) VALUES (?, ?)", key)
        return int(self._all("SELECT id FROM study WHERE patient = ? AND uid = ?", *key)[0][0])

    def scores(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], _Floats]:
        """Number, study and scores of all files that are taken: int64 [files] twice, float64 [files, labels]."""
        rows = self._all("SELECT number, study, scores FROM outcome WHERE scores IS NOT NULL ORDER BY number")
        numbers, studies = (np.array([row[place] for row in rows], np.int64) for place in (0, 1))
        return numbers, studies, np.array([np.frombuffer(row[2]) for row in rows])

    def combine(self, calibration: Calibration | None) -> Rows:
        """Combine the scores of the files of each study, or patient, as the calibration was fitted to; copies count once.

        Returns:
            What has become of the files. They are to be scored before.
        """
        of_patients = calibration is not None and calibration.unit == "patient"
        how = "mean" if calibration is None else calibration.combine
        key = "patient" if of_patients else "study"
        rows = self._database.execute(
            f"SELECT {key}, study, digest, outcome.scores FROM outcome JOIN study ON study.id = outcome.study "
            f"WHERE outcome.scores IS NOT NULL ORDER BY {key}, digest, number"
        )
        for _, group in groupby(rows, lambda row: row[0]):
            members = list(group)
            distinct = {digest: np.frombuffer(scores) for _, _, digest, scores in reversed(members)}
            ordered = np.array([distinct[digest] for digest in sorted(distinct)])
            result = combine(ordered, how).tobytes()
            studies = {(row[1], result) for row in members}
            self._database.executemany("INSERT INTO combined VALUES (?, ?)", sorted(studies))
        return Rows(self._database)

    def _all(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        return self._database.execute(question, values).fetchall()

    def _count(self, table: str) -> int:
        return int(self._all(f"SELECT COUNT(*) FROM {table}")[0][0])


def _plain(text: str) -> str:
    """A text of a header without what is no character."""
    return text.encode("utf-8", "backslashreplace").decode()
