"""What is kept of files while a command runs, and what is told of them at its end."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from cxr.predict.inputs import open_inputs
from cxr.predict.ledger import Ledger
from cxr.predict.read import Identity, Origin
from cxr.predict.reading import Batch, NotTaken

IMAGE = np.zeros((1, 4, 4), np.uint8)


def keep(
    ledger: Ledger, number: int, found: Origin | NotTaken, scores: list[float] | None = None, *, again: bool = False
) -> None:
    taken = isinstance(found, Origin)
    batch = Batch(((number, found),), IMAGE if taken else IMAGE[:0])
    ledger.keep(batch, np.array([scores]) if taken else np.zeros((0, 2)), again=again)


def origin(study: str, digest: str, patient: str = "A") -> Origin:
    return Origin(digest, Identity(patient, study, f"{study}.{digest}"), ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "edcba":
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_files_wait_in_the_order_of_their_names_until_something_is_known_of_them(folder):
    with closing(Ledger()) as ledger:
        assert ledger.enlist(open_inputs([str(folder), str(folder / "c")], "dicom")) == 5
        first, *_ = ledger.waiting(2)
        assert [file.name for file in first] == ["a", "b"]
        keep(ledger, 1, origin("1", "x"), [0.1, 0.2])
        keep(ledger, 3, NotTaken("lateral"))
        assert [[file.name for file in batch] for batch in ledger.waiting(2)] == [["b", "d"], ["e"]]
        assert ledger.known == 2
        assert [file.name for file in ledger.named([4, 2])] == ["b", "d"]


def test_the_last_word_on_a_file_counts_and_whose_it_is(folder):
    with closing(Ledger()) as ledger:
        ledger.enlist(open_inputs([str(folder)], "dicom"))
        for number in (1, 2, 3):
            keep(ledger, number, origin("1", str(number)), [0.1, 0.2])
        keep(ledger, 2, origin("1", "2"), [0.8, 0.9], again=True)
        keep(ledger, 3, NotTaken("not-read", identity=Identity("A", "1", "1.3")), again=True)
        (rows,) = ledger.combine(None).files(9)
        assert [row.again for row in rows] == [False, True, True]
        assert [None if row.own is None else row.own.tolist() for row in rows] == [[0.1, 0.2], [0.8, 0.9], None]
        assert [row.digest for row in rows] == ["1", "2", ""]
        assert rows[2].combined is None
        np.testing.assert_allclose(rows[0].combined, [0.45, 0.55])


def test_a_study_tells_its_files_its_scores_and_why_some_are_left_out(folder):
    with closing(Ledger()) as ledger:
        ledger.enlist(open_inputs([str(folder)], "dicom"))
        keep(ledger, 1, origin("2", "x"), [0.2, 0.4])
        keep(ledger, 2, origin("1", "y"), [0.3, 0.5])
        keep(ledger, 3, origin("2", "x"), [0.2, 0.4])  # a copy
        keep(ledger, 4, NotTaken("lateral", identity=Identity("A", "2", "2.4")))
        keep(ledger, 5, NotTaken("empty"))
        rows = ledger.combine(None)
        (studies,) = rows.studies(9)
        assert [(study.uid, study.files, study.scored, study.codes) for study in studies] == [
            ("2", 3, 2, ("lateral",)),
            ("1", 1, 1, ()),
        ]
        np.testing.assert_allclose(studies[0].combined, [0.2, 0.4])
        assert [[row.outcome.number for row in of_study] for _, of_study in rows.files_by_study()] == [[1, 3, 4], [2], [5]]
        assert rows.reasons() == {"empty": 1, "lateral": 1}
        assert rows.study_counts() == (2, 2)


def test_one_study_uid_in_files_of_two_patients_is_two_studies_and_told(folder):
    with closing(Ledger()) as ledger:
        ledger.enlist(open_inputs([str(folder)], "dicom"))
        keep(ledger, 1, origin("1", "x", "A"), [0.2, 0.4])
        keep(ledger, 2, origin("1", "y", "B"), [0.6, 0.8])
        rows = ledger.combine(None)
        assert (rows.study_counts(), rows.shared_studies()) == ((2, 2), 1)
        (files,) = rows.files(9)
        np.testing.assert_allclose([row.combined[0] for row in files], [0.2, 0.6])
