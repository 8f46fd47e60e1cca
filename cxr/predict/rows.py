"""What has become of the files of a command, when all is known: a row per file, a row per study, and how many of each."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr.ingest.outcome import FileOutcome

_Floats = npt.NDArray[np.float64]
_FILES = """
SELECT number, source, name, codes, detail, uid, instance, digest, again, outcome.scores, combined.scores, study
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
        digest: of the grey values of its image, see `cxr.predict.read.Origin`; empty if it was not taken.
        again: whether the wide network of a cascade gave its scores.
    """

    source: int
    name: str
    outcome: FileOutcome
    study_uid: str
    instance_uid: str
    own: _Floats | None
    combined: _Floats | None
    study: int | None
    digest: str
    again: bool


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


class Rows:
    """The rows of a ledger, as long as it is open.

    Args:
        database: of the ledger, with its tables filled.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

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
        return int(self._all("SELECT COUNT(*) FROM study")[0][0]), int(scored[0][0])

    def shared_studies(self) -> int:
        """How many StudyInstanceUID stand in files of more than one patient."""
        rows = self._all("SELECT COUNT(*) FROM (SELECT uid FROM study WHERE uid <> '' GROUP BY uid HAVING COUNT(*) > 1)")
        return int(rows[0][0])

    def _all(self, question: str) -> list[tuple[Any, ...]]:
        return self._database.execute(question).fetchall()


def _file_row(row: tuple[Any, ...]) -> FileRow:
    number, source, name, codes, detail, uid, instance, digest, again, own, combined, study = row
    outcome = FileOutcome(number, "", tuple(codes.split()), detail)
    of_unit = None if own is None else _array(combined)
    return FileRow(source, os.fsdecode(name), outcome, uid or "", instance, _array(own), of_unit, study, digest, bool(again))


def _array(scores: bytes | None) -> _Floats | None:
    return None if scores is None else np.frombuffer(scores)
