from __future__ import annotations

import io
import os
import pickle
import socket
import tempfile
import zipfile
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from cxr.errors import DataError
from cxr.ingest.outcome import Refused
from cxr.ingest.source import folder
from cxr.ingest.source.entry import Entry, Files
from cxr.ingest.source.folder import FolderFiles, files_of


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def dicomdir(*references: str) -> bytes:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    header.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    header.DirectoryRecordSequence = [Dataset() for _ in references]
    for record, reference in zip(header.DirectoryRecordSequence, references, strict=True):
        record.ReferencedFileID = reference
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, header, enforce_file_format=True)
    return buffer.getvalue()


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def codes(files: Files) -> list[tuple[str, str]]:
    return sorted((entry.name, entry.code) for entry in files.entries())


def names(files: Files) -> list[str]:
    return sorted(entry.name for entry in files.entries())


def test_files_of_all_sub_folders_are_listed_by_path_size_and_time(tmp_path: Path) -> None:
    files = FolderFiles(write(tmp_path, {"x": b"1", "a/b/y.dcm": b"22"}))
    os.utime(tmp_path / "x", ns=(0, 5))
    assert Entry("x", "1:5") in list(files.entries())
    assert names(files) == ["a/b/y.dcm", "x"]
    assert files.fetch("a/b/y.dcm") == b"22"
    assert files.head("a/b/y.dcm", 1) == b"2"


def test_a_source_travels_to_another_process(tmp_path: Path) -> None:
    files: Files = FolderFiles(write(tmp_path, {"a.zip": packed({"x": b"1"})}), (".dcm", ""), ("t.csv",))
    assert list(files.entries())  # what is kept open stays behind
    assert files.fetch("a.zip!/x") == b"1"
    assert pickle.loads(pickle.dumps(files)) == files


def test_suffixes_count_in_any_case_and_archives_are_looked_into(tmp_path: Path) -> None:
    write(tmp_path, {"x.PNG": b"1", "y.txt": b"2", "a.zip": packed({"z.png": b"3", "w.txt": b"4"}), "b/c.ZIP": b"text"})
    assert codes(FolderFiles(tmp_path, (".png", ".JPG"))) == [
        ("a.zip!/z.png", ""),
        ("b/c.ZIP", "archive-damaged"),
        ("x.PNG", ""),
    ]


def test_a_file_left_out_is_left_out_and_its_namesakes_are_not(tmp_path: Path) -> None:
    write(tmp_path, {"labels.csv": b"1", "a/labels.csv": b"2", "a/other.csv": b"3"})
    assert names(FolderFiles(tmp_path, leave_out=("labels.csv", "a/other.csv"))) == ["a/labels.csv"]


def test_an_archive_is_known_by_its_first_bytes_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, {"export": packed({"x": b"1"}), "none": packed({}), "table.xlsx": packed({"sheet": b"2"})})
    assert codes(FolderFiles(tmp_path)) == [("export!/x", ""), ("none", "empty"), ("table.xlsx", "")]


def test_a_folder_called_like_an_archive_and_the_archive_are_told_apart(tmp_path: Path) -> None:
    files = FolderFiles(write(tmp_path, {"a.zip": packed({"x": b"inside"}), "a.zip!/x": b"outside", "y!": b"plain"}))
    assert {files.fetch(name) for name in names(files)} == {b"inside", b"outside", b"plain"}


def test_names_that_are_no_text_are_listed_and_read(tmp_path: Path) -> None:
    name = os.fsdecode(b"M\xfcller")
    files = FolderFiles(write(tmp_path, {f"{name}/{name}.dcm": b"1", f"{name}/{name}.zip": packed({"x": b"2"})}))
    assert names(files) == [f"{name}/{name}.dcm", f"{name}/{name}.zip!/x"]
    assert [files.fetch(entry) for entry in names(files)] == [b"1", b"2"]


def test_links_to_files_are_followed_and_others_are_entries_that_say_why_not(tmp_path: Path) -> None:
    write(tmp_path, {"in/x": b"1"})
    (tmp_path / "link").symlink_to(tmp_path / "in" / "x")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to("loop")
    files = FolderFiles(tmp_path)
    unread = [("broken", "unreadable"), ("circle", "unreadable")]
    assert codes(files) == [*unread, ("in/x", ""), ("link", ""), ("loop", "unreadable")]
    assert files.fetch("link") == b"1"
    assert codes(FolderFiles(tmp_path, (".png",))) == [("circle", "unreadable")]


def test_what_is_neither_file_nor_folder_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server, tempfile.TemporaryDirectory() as short:
        server.bind(f"{short}/s")
        os.rename(f"{short}/s", tmp_path / "socket")
        assert codes(FolderFiles(tmp_path)) == [("pipe", "unreadable"), ("socket", "unreadable")]


def test_a_folder_or_file_that_cannot_be_read_is_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"closed/x": b"1", "open/y": b"2", "open/z": b"3"})
    scandir, start = os.scandir, folder._start

    def refuse(path: str):
        if path.endswith(("closed", "z")):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path) if os.path.isdir(path) else start(path)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(folder, "_start", refuse)
    denied = {entry.name: entry.detail for entry in FolderFiles(tmp_path).entries() if entry.code.endswith("unreadable")}
    assert denied == {"closed": "Permission denied", "open/z": "Permission denied"}
    assert ("open/y", "") in codes(FolderFiles(tmp_path))


def test_a_root_that_is_gone_stops_the_listing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be listed"):
        list(FolderFiles(tmp_path / "nowhere").entries())


def test_a_file_larger_than_any_radiograph_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LARGEST_FILE", 10)
    files = FolderFiles(write(tmp_path, {"x": bytes(10), "y": bytes(11)}))
    assert codes(files) == [("x", ""), ("y", "too-large")]
    assert len(files.fetch("x")) == 10
    with pytest.raises(Refused) as refusal:
        files.fetch("y")
    assert refusal.value.code == "too-large"


@pytest.mark.parametrize(
    "name", ["gone", "gone.zip!/x", "a.zip!/gone", "a.zip!/b.zip!/x", "../beside", "in/../../beside", "/etc/passwd"]
)
def test_what_is_not_there_or_leads_out_is_refused_without_a_path(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"beside": b"1", "root/in/x": b"2", "root/a.zip": packed({"x": b"3"})})
    for read in (FolderFiles(tmp_path / "root").fetch, lambda name: FolderFiles(tmp_path / "root").head(name, 4)):
        with pytest.raises(Refused) as refusal:
            read(name)
        assert (refusal.value.code, refusal.value.detail) == ("not-read", "No such file or directory")


def test_what_a_dicomdir_lists_and_is_not_there_is_an_entry_once(tmp_path: Path) -> None:
    inside = packed({"DICOMDIR": dicomdir("IM1", "IM2"), "IM1": b"1"})
    write(
        tmp_path,
        {"DICOMDIR": dicomdir("CD\\IM1", "CD\\IM2"), "CD/dicomdir": dicomdir("IM1", "IM2"), "CD/IM1": b"1", "a.zip": inside},
    )
    missing = [name for name, code in codes(FolderFiles(tmp_path)) if code == "missing"]
    assert missing == ["CD/IM2", "a.zip!/IM2"]
    assert {"DICOMDIR", "CD/dicomdir", "a.zip!/DICOMDIR", "CD/IM1", "a.zip!/IM1"} <= set(names(FolderFiles(tmp_path)))


def test_a_path_stands_for_a_folder_a_medium_an_archive_or_one_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"in/DICOMDIR": dicomdir("IM1"), "in/y": b"1", "a.zip": packed({"x": b"2"}), "z": b"3", "cd/index": dicomdir("IM1")},
    )
    assert names(files_of(tmp_path / "in")) == ["DICOMDIR", "IM1", "y"]
    assert names(files_of(tmp_path / "in" / "DICOMDIR")) == ["DICOMDIR", "IM1", "y"]
    assert names(files_of(tmp_path / "cd" / "index")) == ["IM1", "index"]
    assert names(files_of(tmp_path / "a.zip")) == ["a.zip!/x"]
    assert names(files_of(tmp_path / "z")) == ["z"]
    assert files_of(tmp_path / "a.zip").fetch("a.zip!/x") == b"2"


def test_a_path_that_stands_for_nothing_is_an_error_a_person_understands(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="there is no"):
        files_of(tmp_path / "nowhere")
    with pytest.raises(DataError, match="neither a folder nor a file"):
        files_of(tmp_path / "pipe")


content = st.binary(max_size=40).filter(lambda data: not data.startswith(b"PK"))
part = st.text("aB!.#é\udcfc", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
member = part.filter(lambda name: name.isprintable())
Tree = dict[str, object]


def trees(parts: st.SearchStrategy[str], leaf: st.SearchStrategy[object]) -> st.SearchStrategy[Tree]:
    return st.recursive(
        st.dictionaries(parts, leaf, max_size=4), lambda inner: st.dictionaries(parts, leaf | inner, max_size=4), max_leaves=6
    )


archives = trees(member, content | st.tuples(trees(member, content)))
"""A folder is a dictionary, a file its bytes, an archive a tuple of one dictionary."""


def paths(tree: Tree, ahead: str = "") -> list[tuple[str, object]]:
    found = [(ahead + name, inside) for name, inside in tree.items() if not isinstance(inside, dict)]
    return found + [
        pair for name, inside in tree.items() if isinstance(inside, dict) for pair in paths(inside, f"{ahead}{name}/")
    ]


def leaves(tree: Tree) -> list[bytes]:
    """The bytes of every file, and None for each archive without files."""
    found: list[bytes] = []
    for _, inside in paths(tree):
        found += [inside] if isinstance(inside, bytes) else leaves(inside[0]) if paths(inside[0]) else [b"empty"]
    return found


def packed_tree(tree: Tree) -> bytes:
    return packed({name + ".zip" * isinstance(inside, tuple): as_bytes(inside) for name, inside in paths(tree)})


def as_bytes(inside: object) -> bytes:
    return inside if isinstance(inside, bytes) else packed_tree(inside[0])


@settings(max_examples=150, deadline=None)
@given(trees(part, content | st.tuples(archives)))
def test_the_entries_are_exactly_the_files_each_once_and_fetch_gives_their_bytes(tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as root:
        write(Path(root), {name: as_bytes(inside) for name, inside in paths(tree)})
        files = FolderFiles(Path(root))
        entries = list(files.entries())
        assert len({entry.name for entry in entries}) == len(entries)
        assert {entry.code for entry in entries} <= {"", "empty"}
        assert sorted(entry.code.encode() or files.fetch(entry.name) for entry in entries) == sorted(leaves(tree))
        assert all(files.fetch(entry.name).startswith(files.head(entry.name, 3)[:3]) for entry in entries if not entry.code)
