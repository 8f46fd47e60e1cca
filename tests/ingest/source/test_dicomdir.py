from __future__ import annotations

import warnings
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from cxr.ingest.source import dicomdir
from cxr.ingest.source.dicomdir import is_dicomdir, missing_files, missing_members


def write_dicomdir(path: Path, *references: object, syntax: str = uid.ExplicitVRLittleEndian) -> Path:
    """A DICOMDIR of a patient and one image record for each path."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    header.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    patient = Dataset()
    patient.DirectoryRecordType = "PATIENT"
    records = [patient]
    with warnings.catch_warnings(action="ignore"):
        for reference in references:
            record = Dataset()
            record.DirectoryRecordType = "IMAGE"
            record.ReferencedFileID = reference
            records.append(record)
        header.DirectoryRecordSequence = records
        pydicom.dcmwrite(path, header, enforce_file_format=True)
    return path


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"1")


def missing(path: Path, root: Path) -> list[str]:
    entries = list(missing_files(path, root))
    assert {entry.code for entry in entries} <= {"missing"}
    return [entry.name for entry in entries]


def test_what_is_listed_and_not_there_is_missing_by_its_path_from_the_root(tmp_path: Path) -> None:
    touch(tmp_path, "cd/IMAGES/IM1")
    path = write_dicomdir(tmp_path / "cd" / "DICOMDIR", ["IMAGES", "IM1"], ["IMAGES", "IM2"], "IM3", ["IMAGES", "IM2"])
    assert missing(path, tmp_path) == ["cd/IMAGES/IM2", "cd/IM3"]
    assert missing(path, tmp_path / "cd") == ["IMAGES/IM2", "IM3"]


def test_case_and_what_a_medium_puts_behind_names_do_not_make_a_file_missing(tmp_path: Path) -> None:
    touch(tmp_path, "images/im1", "images/im2.", "images/im3;1", "images/im4.;1")
    path = write_dicomdir(tmp_path / "dicomdir", *(["IMAGES", f"IM{number}"] for number in range(1, 6)))
    assert missing(path, tmp_path) == ["IMAGES/IM5"]


@pytest.mark.parametrize(
    "steps", [["..", "secret"], ["/etc", "passwd"], "/etc/passwd", "../secret", ["A", "..", "IM1"], ["IM1", ""]]
)
def test_a_path_that_leads_out_of_the_medium_is_missing_though_there_is_a_file(tmp_path: Path, steps: object) -> None:
    touch(tmp_path, "secret", "cd/IM1", "cd/A/IM1")
    path = write_dicomdir(tmp_path / "cd" / "DICOMDIR", steps)
    assert len(missing(path, tmp_path)) == 1


def test_a_folder_where_a_file_should_be_is_missing_and_records_without_file_are_not(tmp_path: Path) -> None:
    (tmp_path / "IM1").mkdir()
    assert missing(write_dicomdir(tmp_path / "DICOMDIR", "IM1", ""), tmp_path) == ["IM1"]


def test_a_damaged_deflated_or_foreign_file_lists_nothing(tmp_path: Path) -> None:
    path = write_dicomdir(tmp_path / "DICOMDIR", "IM1")
    good = path.read_bytes()
    for data in (
        b"",
        b"text",
        good[:140],
        good[: len(good) // 2],
        good.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"),
    ):
        path.write_bytes(data)
        assert missing(path, tmp_path) == []
    assert missing(write_dicomdir(path, "IM1", syntax=uid.DeflatedExplicitVRLittleEndian), tmp_path) == []
    assert missing(tmp_path / "nowhere", tmp_path) == []


def test_one_too_large_to_look_into_lists_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_dicomdir(tmp_path / "DICOMDIR", "IM1")
    monkeypatch.setattr(dicomdir, "LARGEST", path.stat().st_size - 1)
    assert missing(path, tmp_path) == []


def test_inside_an_archive_the_same_holds(tmp_path: Path) -> None:
    content = write_dicomdir(tmp_path / "x", ["IMAGES", "IM1"], ["IMAGES", "IM2"], ["..", "y"]).read_bytes()
    paths = ["cd/DICOMDIR", "cd/images/im1.;1", "y"]
    assert list(missing_members(content, "cd/DICOMDIR", paths)) == ["cd/IMAGES/IM2", "cd/../y"]


def test_a_dicomdir_is_known_under_any_name(tmp_path: Path) -> None:
    path = write_dicomdir(tmp_path / "index.dcm", "IM1")
    assert is_dicomdir(path)
    path.write_bytes(b"text")
    assert not is_dicomdir(path)
    assert dicomdir.is_named_so("a/dicomdir")
    assert not dicomdir.is_named_so("a/DICOMDIR.old")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(132, 10_000), st.integers(0, 255)), min_size=1, max_size=8), st.integers(0, 40))
def test_whatever_is_damaged_no_exception_comes_out(tmp_path: Path, changes, cut: int) -> None:
    path = write_dicomdir(tmp_path / "DICOMDIR", ["IMAGES", "IM1"], ["IMAGES", "IM2"])
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    path.write_bytes(data[: len(data) - cut])
    assert len(missing(path, tmp_path)) <= 3
