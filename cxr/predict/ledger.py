"""What becomes of each file while a command runs, kept on the disk, so that memory does not grow with their number.

The file on the disk has no name, and is gone with the process: it holds what headers say of patients.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr.calibrate.calibration import Calibration
from cxr.ingest.outcome import FileOutcome
from cxr.predict.combine import combine
from cxr.predict.inputs import Input
from cxr.predict.read import Identity, Origin
from cxr.predict.reading import Batch, Listed, NotTaken

_Floats = npt.NDArray[np.float64]
_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE listed (source INTEGER, name BLOB, code TEXT, detail TEXT, location BLOB UNIQUE);
CREATE TABLE file (number INTEGER PRIMARY KEY, source INTEGER, name BLOB);
CREATE TABLE study (id INTEGER PRIMARY KEY, patient TEXT, uid TEXT, UNIQUE (patient, uid));
CREATE TABLE outcome (
    number INTEGER PRIMARY KEY, codes TEXT, detail TEXT, instance TEXT, study INTEGER, digest TEXT, scores BLOB
);
CREATE TABLE combined (study INTEGER PRIMARY KEY, scores BLOB);
"""
_FILES = """
SELECT number, source, name, codes, detail, uid, instance, outcome.scores, combined.scores, study
FROM file JOIN outcome USING (number) LEFT JOIN study ON study.id = outcome.study LEFT JOIN combined USING (study)
"""
_FIRST = "(SELECT study, MIN(number) AS first FROM outcome GROUP BY study)"


@dataclass(frozen=True, eq=False)
class FileRow:
    """A file and what became of it.

    Args:
        source, name: see `cxr.predict.reading.Listed`.
        outcome: its number, codes and detail.
        study_uid, instance_uid: as the header says; empty where nothing does.
        own: float64 [labels] in [0, 1], the scores of its image; None if it was not taken.
        combined: the same of its study or patient.
        study: which study it is of; None where nothing tells.
    """

    source: int
    name: str
    outcome: FileOutcome
    study_uid: str
    instance_uid: str
    own: _Floats | None
    combined: _Floats | None
    study: int | None


@dataclass(frozen=True, eq=False)
class StudyRow:
    """A study.

    Args:
        uid: StudyInstanceUID; empty for a plain image.
        files, scored: how many files of it there are, and how many were scored.
        combined: float64 [labels] in [0, 1]; None if none was scored.
        codes: why files were not scored, sorted.
    """

    uid: str
    files: int
    scored: int
    combined: _Floats | None
    codes: tuple[str, ...]


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
            "INSERT INTO outcome SELECT number, code, detail, '', NULL, '', NULL FROM numbered WHERE code <> '';"
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

    def keep(self, batch: Batch, scores: _Floats) -> None:
        """Keep what became of files; float64 [files that are taken, labels] in their order. The last word counts."""
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
                own,
            )
            self._database.execute("INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?)", row)

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

    def combine(self, calibration: Calibration | None) -> None:
        """Combine the scores of the files of each study, or patient, as the calibration was fitted to; copies count once."""
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

    def files(self, size: int) -> Iterator[list[FileRow]]:
        """All files in their order, at most `size` at a time."""
        cursor = self._database.execute(f"{_FILES} ORDER BY number")
        while rows := cursor.fetchmany(size):
            yield [_file_row(row) for row in rows]

    def files_by_study(self) -> Iterator[tuple[int | None, list[FileRow]]]:
        """The files of each study, in the order of `studies`; at last those of none."""
        cursor = self._database.execute(
            f"{_FILES} LEFT JOIN {_FIRST} AS firsts USING (study) ORDER BY study IS NULL, firsts.first, number"
        )
        yield from ((study, list(rows)) for study, rows in groupby(map(_file_row, cursor), lambda row: row.study))

    def studies(self, size: int) -> Iterator[list[StudyRow]]:
        """All studies in the order of their first files, at most `size` at a time."""
        cursor = self._database.execute(
            "SELECT uid, COUNT(*), COUNT(outcome.scores), combined.scores, "
            "GROUP_CONCAT(DISTINCT CASE WHEN outcome.scores IS NULL THEN codes END) "
            "FROM outcome JOIN study ON study.id = outcome.study LEFT JOIN combined USING (study) "
            "GROUP BY study ORDER BY MIN(number)"
        )
        while rows := cursor.fetchmany(size):
            yield [
                StudyRow(uid, files, scored, _array(scores), tuple(sorted(codes.split(","))) if codes else ())
                for uid, files, scored, scores, codes in rows
            ]

    def reasons(self) -> dict[str, int]:
        """How many files were not scored, by code."""
        return dict(
            self._all("SELECT codes, COUNT(*) FROM outcome WHERE scores IS NULL GROUP BY codes ORDER BY COUNT(*) DESC, codes")
        )

    def study_counts(self) -> tuple[int, int]:
        """How many studies there are, and of how many any file was scored."""
        scored = self._all("SELECT COUNT(DISTINCT study) FROM outcome WHERE scores IS NOT NULL")
        return self._count("study"), int(scored[0][0])

    def shared_studies(self) -> int:
        """How many StudyInstanceUID stand in files of more than one patient."""
        rows = self._all("SELECT COUNT(*) FROM (SELECT uid FROM study WHERE uid <> '' GROUP BY uid HAVING COUNT(*) > 1)")
        return int(rows[0][0])

    def _all(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        return self._database.execute(question, values).fetchall()

    def _count(self, table: str) -> int:
        return int(self._all(f"SELECT COUNT(*) FROM {table}")[0][0])


def _file_row(row: tuple[Any, ...]) -> FileRow:
    number, source, name, codes, detail, uid, instance, own, combined, study = row
    outcome = FileOutcome(number, "", tuple(codes.split()), detail)
    taken = own is not None
    return FileRow(
        source, os.fsdecode(name), outcome, uid or "", instance, _array(own), _array(combined) if taken else None, study
    )


def _array(scores: bytes | None) -> _Floats | None:
    return None if scores is None else np.frombuffer(scores)


def _plain(text: str) -> str:
    """A text of a header without what is no character."""
    return text.encode("utf-8", "backslashreplace").decode()
