"""One shard by itself: what is tried again, and what is kept of a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cxr.ingest.deidentify import Pseudonyms
from cxr.ingest.read.dicom import ReadOptions
from cxr.ingest.shard import Reading, ShardTask, process_shard, quarantine_path, read_records, record_path, without_killer
from cxr.ingest.source.folder import FolderFiles
from cxr.ingest.store import Preprocessing
from cxr.pool import Death

NAMES = Pseudonyms("ward", bytes(range(32)))


@pytest.fixture
def task(tmp_path, build, write) -> ShardTask:
    """Three radiographs and a letter."""
    for number in range(3):
        words = np.random.default_rng(number).integers(0, 256, (20, 16), np.uint8)
        attributes = {"StudyDate": "20240229", "PatientAge": "045Y", "Manufacturer": "Philips", "PatientSex": "F"}
        write(build(words, PatientID="DOE", SOPInstanceUID=f"1.2.{number}", **attributes), tmp_path / f"ward/{number}.dcm")
    write(b"a letter", tmp_path / "ward/z.txt")
    reading = Reading(
        files=FolderFiles(tmp_path / "ward"), kind="dicom", pseudonyms=NAMES, layout=None, options=ReadOptions(),
        preprocessing=Preprocessing(32, "pad", 1, 1), store=tmp_path, records=tmp_path,
    )  # fmt: skip
    return ShardTask(7, ("0.dcm", "1.dcm", "2.dcm", "z.txt"), reading)


def process(task: ShardTask) -> list[tuple[int, bool]]:
    told = []
    assert process_shard(task, lambda item, *, limited=True: told.append((item, limited))) == len(task.names)
    return told


def records(task: ShardTask) -> list:
    return list(read_records(record_path(task.reading.records, task.shard)))


def test_images_and_records_lie_where_the_records_say(task):
    process(task)
    made = records(task)
    assert [record.codes for record in made] == [(), (), (), ("unreadable",)]
    assert [(record.image["shard"], record.image["row"]) for record in made[:3]] == [(7, 0), (7, 1), (7, 2)]
    assert np.load(task.reading.store / "shard-00007.npy").shape == (3, 32, 32)
    assert not list(task.reading.store.glob("*.partial"))


def test_each_file_is_told_twice_so_that_its_time_counts_only_when_it_is_there(task):
    told = [(item, limited) for item in range(4) for limited in (False, True)]
    assert process(task) == [*told, (3, False)]  # and no time counts while the shard is written


def test_what_is_kept_of_a_file_has_pseudonyms_for_all_that_identifies(task):
    process(task)
    kept = json.dumps([record.image for record in records(task)])
    for secret in ("DOE", "2024", "1.2.3", '"1.2.', "0.dcm", "patient-1"):
        assert secret not in kept
    image = records(task)[0].image
    assert image["patient_id"] == NAMES.name("patient", "DOE")
    assert image["study_date"] == NAMES.date("DOE", "20240229")
    assert image["study_uid"] == NAMES.uid("1.2.3")
    assert (image["age_years"], image["sex"], image["manufacturer"], image["view"]) == (45, "F", "Philips", "PA")


def test_first_death_is_tried_again_and_the_second_gives_the_file_up(task):
    once = without_killer(task, Death(1, "died"))
    twice = without_killer(once, Death(1, "died"))
    assert (once.deaths, twice.deaths) == ({1: "read-again"}, {1: "reader-died"})
    assert without_killer(once, Death(2, "died")).deaths == {1: "read-again", 2: "read-again"}
    process(twice)
    assert [record.codes for record in records(task)] == [(), ("reader-died",), (), ("unreadable",)]


@pytest.mark.parametrize("deaths", [{}, {1: "read-again"}])
def test_slow_file_is_given_up_at_once(task, deaths):
    assert without_killer(ShardTask(0, task.names, task.reading, deaths), Death(1, "slow")).deaths == {1: "too-slow"}


def test_file_that_is_whole_the_second_time_is_taken_with_a_flag(task):
    process(without_killer(task, Death(0, "died")))
    assert records(task)[0].codes == ("read-again",)
    assert records(task)[0].image["row"] == 0


def test_names_in_quarantine_are_short_and_each_ones_own():
    names = ["a/b.png", "a_b.png", "a:b.png", "x" * 400 + ".png", "x" * 401 + ".png", "../../evil", "\udcfc.png", "ward:0123"]
    paths = [quarantine_path(Path("q"), name) for name in names]
    assert len(set(paths)) == len(names)
    assert all(path.parent == Path("q") and len(path.name) < 120 and path.name.isascii() for path in paths)
    assert paths[-1].name.startswith("ward-0123-")
