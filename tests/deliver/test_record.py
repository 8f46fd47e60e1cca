"""The table that tells which study and which file is which: complete, whole or not at all, for its owner alone."""

from __future__ import annotations

import csv
import os
import stat
from pathlib import Path

import pytest
import torch

from cxr.deliver.deliver import Deliverer, Delivery
from cxr.deliver.inputs import sources
from cxr.deliver.record import COLUMNS, check_record, write_record
from cxr.deliver.study import Given, find_studies
from cxr.errors import ConfigError, CxrError
from cxr.ingest.source.entry import Entry
from tests.deliver.conftest import Kept
from tests.serve.models import chest


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        found = list(rows)
        assert tuple(rows.fieldnames or ()) == COLUMNS
    return found


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """A study that can be delivered, a lateral one, a CT, a letter and an empty file, of which one has an odd name."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    own = {"PatientID": "A"}
    studies = [chest(0, StudyInstanceUID="1.2.1", **own), chest(1, StudyInstanceUID="1.2.2", ViewPosition="LL", **own)]
    for number, content in enumerate([*studies, chest(2, StudyInstanceUID="1.2.3", Modality="CT", **own)]):
        (folder / f"{number}.dcm").write_bytes(content)
    (folder / "sub" / "letter, old.txt").write_bytes(b"Dear colleague")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.dcm")).write_bytes(b"")
    return find_studies(sources([str(folder)], (), None), lambda *_: None)


def test_every_study_and_every_file_of_none_has_a_row(given, model_file, tmp_path):
    done = list(Deliverer(model_file, torch.device("cpu"), ["Mass"]).deliver(given.studies, Kept()))
    write_record(tmp_path / "record.csv", given, done)
    rows = read(tmp_path / "record.csv")
    assert [(row["number"], row["outcome"], row["study_uid"]) for row in rows[:3]] == [
        ("1", "delivered", "1.2.1"),
        ("2", "not delivered", "1.2.2"),
        ("3", "no radiographs", "1.2.3"),
    ]
    assert {name: rows[0][name] for name in ("scored", "left_out", "maps", "reason")} == {
        "scored": "1", "left_out": "0", "maps": "1", "reason": "",
    }  # fmt: skip
    assert (rows[0]["report_uid"], rows[0]["yes"]) == (done[0].report, ", ".join(done[0].yes))
    assert (rows[1]["report_uid"], rows[1]["left_out"]) == ("", "1")
    assert "the view is lateral" in rows[1]["reason"]
    loose = {Path(row["file"]).name: row["reason"] for row in rows[3:]}
    assert loose["letter, old.txt"].startswith("the file cannot be read as an image")
    assert "the file is empty" in loose.values()
    assert {row["outcome"] for row in rows[3:]} == {"of no study"}
    assert Path(rows[3]["file"]).parent in (tmp_path / "in", tmp_path / "in" / "sub")


def test_what_came_to_nothing_and_what_came_in_part_is_told_apart(given, tmp_path):
    partly = Delivery("1.2.1", "2.25.7", 1, 0, ("Mass", "Hernia"), 0, "1 of 1 map refused, and not in the report: no")
    write_record(tmp_path / "record.csv", given, [partly])
    rows = read(tmp_path / "record.csv")[:3]
    assert [(row["number"], row["outcome"], row["study_uid"]) for row in rows] == [
        ("1", "in part", "1.2.1"),
        ("", "not come to", "1.2.2"),
        ("", "not come to", "1.2.3"),
    ]
    assert rows[0]["yes"] == "Mass, Hernia"


def test_it_is_for_its_owner_alone_and_nothing_is_left_beside_it(given, tmp_path):
    path = tmp_path / "record.csv"
    path.write_text("older")
    path.chmod(0o644)
    before = sorted(tmp_path.iterdir())
    write_record(path, given, [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(tmp_path.iterdir()) == before


def test_where_it_cannot_be_written_the_older_one_stays(given, tmp_path, monkeypatch):
    path = tmp_path / "record.csv"
    path.write_text("older")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cxr.deliver.record.os.replace", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CxrError, match=r"record\.csv: cannot be written: No space left on device"):
        write_record(path, given, [])
    assert path.read_text() == "older"
    assert sorted(tmp_path.iterdir()) == before


def test_a_place_that_cannot_be_or_that_the_next_delivery_would_read_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "a.dcm").write_bytes(chest(0))
    given = sources([str(tmp_path / "in"), str(tmp_path / "a.dcm")], (), None)
    (tmp_path / "older.csv").write_text("the studies of yesterday")
    refused = {
        "x.txt": "must end in .csv",
        "no/x.csv": "there is no folder",
        "in/x.csv": "lies in an input",
        "older.csv": "is there already; name a new table",
    }
    for name, problem in refused.items():
        with pytest.raises(ConfigError, match=f"--record: .*{problem}"):
            check_record(tmp_path / name, given)
    check_record(tmp_path / "x.csv", given)


def test_what_a_service_lists_and_does_not_give_or_says_to_be_no_radiograph_is_named_as_the_service_names_it(tmp_path):
    write_record(tmp_path / "record.csv", find_studies([_Service()], lambda *_: None), [])
    assert [(row["outcome"], row["file"], row["reason"]) for row in read(tmp_path / "record.csv")] == [
        ("of no study", "1.2/1.3/1.4", "the DICOMDIR or the PACS lists a file that is not there (404)"),
        ("out of scope", "1.2/1.3/1.5", "the modality is neither CR nor DX (SR)"),
    ]


class _Service:
    """A source that is no folder."""

    def entries(self):
        yield Entry("1.2/1.3/1.4", "", "missing", "404")
        yield Entry("1.2/1.3/1.5", "", "modality", "SR")

    def fetch(self, name):
        raise AssertionError(name)

    head = fetch
