"""stage.json: outputs that were touched are noticed, differences are told in words."""

from __future__ import annotations

import os

import pytest

from cxr.record import NAME, Fingerprint, StageRecord, describe_outputs, read_record, write_json


def record(folder) -> StageRecord:
    return StageRecord(
        stage="split",
        fingerprint=Fingerprint(config={"seed": 1}, inputs={"manifest": "a"}, code={"cxr.split.split": "b"}),
        environment={},
        outputs=describe_outputs(folder),
        run_id="1",
        parent_run_id="0",
        started="",
        finished="",
        counts={},
        headline="",
        metrics={},
        table=[],
        warnings=[],
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "one.npy").write_bytes(b"1")
    (tmp_path / "store" / "two.npy").write_bytes(b"2")
    (tmp_path / "table.csv").write_text("a\n1\n")
    return tmp_path


def test_untouched_outputs_are_whole(folder):
    assert record(folder).damage(folder) == ""


def test_touched_but_equal_file_is_whole(folder):
    written = record(folder)
    os.utime(folder / "table.csv", (1, 1))
    assert written.damage(folder) == ""


def test_same_size_other_content_is_damage(folder):
    written = record(folder)
    (folder / "table.csv").write_text("a\n2\n")
    os.utime(folder / "table.csv", (1, 1))
    assert written.damage(folder) == "output table.csv was changed"


def test_folder_digest_depends_on_its_own_files_alone(folder):
    written = record(folder)
    (folder / "table.csv").write_text("a\n3\n")
    assert record(folder).digest("store") == written.digest("store")
    assert record(folder).digest("table.csv") != written.digest("table.csv")
    (folder / "store" / "two.npy").write_bytes(b"3")
    assert record(folder).digest("store") != written.digest("store")


def test_differences_are_told_by_key_input_and_module(folder):
    old = record(folder).fingerprint
    new = Fingerprint(config={"seed": 2}, inputs={"manifest": "c"}, code={"cxr.split.split": "d"})
    told = ["seed changed from 1 to 2", "input manifest changed", "code changed: cxr.split.split"]
    assert new.differences(old) == told
    assert old.differences(old) == []


def test_record_round_trip_and_unreadable_record_counts_as_none(folder):
    written = record(folder)
    write_json(folder / NAME, written)
    assert read_record(folder) == written
    (folder / NAME).write_text('{"stage": ')
    assert read_record(folder) is None
    (folder / NAME).unlink()
    assert read_record(folder) is None
