from __future__ import annotations

import io
import os
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.source import archive
from cxr.ingest.source.archive import list_archive, looks_like_archive, open_archive
from cxr.ingest.source.entry import Entry
from cxr.ingest.source.name import split

MEBI = 2**20


def packed(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file, warnings.catch_warnings(action="ignore"):
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def central(data: bytes, field: str, value: int, member: int = 0) -> bytes:
    """The archive with a field of one entry of its table of contents changed."""
    offset, form = {"flags": (8, "<H"), "method": (10, "<H"), "crc": (16, "<I"), "size": (24, "<I"), "at": (42, "<I")}[field]
    at = -1
    for _ in range(member + 1):
        at = data.index(b"PK\x01\x02", at + 1)
    changed = bytearray(data)
    struct.pack_into(form, changed, at + offset, value)
    return bytes(changed)


@pytest.fixture
def listed(tmp_path: Path):
    def entries(data: bytes, wanted=lambda path: True) -> list[Entry]:
        path = tmp_path / "a.zip"
        path.write_bytes(data)
        return list(list_archive(str(path), "a.zip", "stamp", wanted))

    return entries


def fetch(folder: Path, name: str) -> bytes:
    first, *chain, key = split(name)
    return open_archive(str(folder / first), tuple(chain)).read(key)


def outcome(folder: Path, name: str) -> str:
    try:
        fetch(folder, name)
    except Refused as refusal:
        return refusal.code
    return ""


def codes(entries: list[Entry]) -> list[tuple[str, str]]:
    return [(entry.name, entry.code) for entry in entries]


def test_members_are_listed_with_checksum_and_size_and_folders_are_not(listed, tmp_path: Path) -> None:
    entries = listed(packed(("in/", b""), ("in/x.dcm", b"123456789"), ("y", b"")))
    assert entries == [Entry("a.zip!/in/x.dcm", "cbf43926:9"), Entry("a.zip!/y", "00000000:0")]
    assert fetch(tmp_path, "a.zip!/in/x.dcm") == b"123456789"
    assert fetch(tmp_path, "a.zip!/y") == b""


def test_archives_inside_archives_are_opened_three_deep_and_no_deeper(listed, tmp_path: Path) -> None:
    third = packed(("x", b"deep"), ("d.zip", packed(("y", b"deeper"))))
    entries = listed(packed(("b.zip", packed(("c.zip", third)))))
    assert codes(entries) == [("a.zip!/b.zip!/c.zip!/x", ""), ("a.zip!/b.zip!/c.zip!/d.zip", "archive-bomb")]
    assert fetch(tmp_path, entries[0].name) == b"deep"


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", "C:/x", "c:x", "..\\x", "a\\..\\..\\x", "\\\\host\\x", ".."])
def test_a_member_whose_path_leads_out_is_an_entry_and_never_read(listed, tmp_path: Path, path: str) -> None:
    entries = listed(packed((path, b"evil"), ("good", b"good")))
    assert codes(entries) == [(f"a.zip!/{path}", "archive-unsafe"), ("a.zip!/good", "")]
    with pytest.raises(Refused) as refusal:
        fetch(tmp_path, entries[0].name)
    assert refusal.value.code == "archive-unsafe"


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [("flags", 1, "encrypted"), ("flags", 0x40, "encrypted"), ("method", 9, "compression method 9")],
)
def test_encrypted_members_and_unknown_methods_are_damaged_and_the_others_are_read(listed, field, value, detail) -> None:
    entries = listed(central(packed(("x", b"1"), ("y", b"2")), field, value))
    assert entries[0].code == "archive-damaged"
    assert entries[0].detail == detail
    assert entries[1].code == ""


def test_what_is_no_archive_or_has_no_whole_table_of_contents_is_one_damaged_entry(listed) -> None:
    good = packed(("x", b"1" * 1000), ("y", b"2"))
    for data in (b"text", good[:-30], good.replace(b"PK\x01\x02", b"PK\x09\x02"), good[:10]):
        assert listed(data) == [Entry("a.zip", "stamp", "archive-damaged", "BadZipFile")]


def test_an_archive_without_files_is_one_empty_entry(listed) -> None:
    for data in (b"", packed(), packed(("only/", b""))):
        assert codes(listed(data)) == [("a.zip", "empty")]
    assert codes(listed(packed(("b.zip", packed())))) == [("a.zip!/b.zip", "empty")]


def test_a_damaged_archive_inside_another_costs_only_itself(listed) -> None:
    assert codes(listed(packed(("b.zip", b"text"), ("x", b"1")))) == [("a.zip!/b.zip", "archive-damaged"), ("a.zip!/x", "")]


def test_flipped_bytes_and_false_sizes_are_found_when_a_member_is_read(listed, tmp_path: Path) -> None:
    good = packed(("x", bytes(range(200))), method=zipfile.ZIP_STORED)
    flipped = good.replace(bytes(range(50, 60)), bytes(10))
    shorter, longer = central(good, "size", 199), central(good, "size", 201)
    for data in (flipped, shorter, longer, central(good, "crc", 1), central(packed(("x", b"1" * 99)), "size", 0)):
        for entry in listed(data):
            with pytest.raises(Refused) as refusal:
                fetch(tmp_path, entry.name)
            assert refusal.value.code == "archive-damaged"


def test_a_member_that_lies_about_its_size_is_never_unpacked_beyond_it(listed, tmp_path: Path) -> None:
    entries = listed(central(packed(("x", bytes(64 * MEBI))), "size", 1000))
    tracemalloc.start()
    with pytest.raises(Refused):
        fetch(tmp_path, entries[0].name)
    assert tracemalloc.get_traced_memory()[1] < MEBI
    tracemalloc.stop()


def test_a_folder_that_holds_bytes_does_not_pass_for_a_folder(listed) -> None:
    assert codes(listed(packed(("in/", b"1")))) == [("a.zip!/in/", "archive-damaged")]


def test_a_member_larger_than_any_radiograph_is_too_large(listed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST_FILE", 1000)
    assert codes(listed(packed(("x", bytes(1000)), ("y", bytes(1001))))) == [("a.zip!/x", ""), ("a.zip!/y", "too-large")]


def test_an_archive_that_unpacks_to_far_more_than_it_holds_is_a_bomb(listed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "HARMLESS", 100_000)
    bomb = packed(("x", bytes(MEBI)), ("y", b"1"))
    assert codes(listed(bomb)) == [("a.zip", "archive-bomb")]
    assert codes(listed(packed(("b.zip", bomb), ("z", b"1")))) == [("a.zip!/b.zip", "archive-bomb"), ("a.zip!/z", "")]
    monkeypatch.setattr(archive, "HARMLESS", 2 * MEBI)
    assert codes(listed(bomb)) == [("a.zip!/x", ""), ("a.zip!/y", "")]


def test_many_harmless_archives_together_are_a_bomb_from_where_they_pass_the_limit(
    listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "HARMLESS", 250_000)
    inner = packed(("x", bytes(100_000)))
    entries = listed(packed(*((f"{number}.zip", inner) for number in range(4))))
    assert [entry.code for entry in entries] == ["", "", "archive-bomb", "archive-bomb"]


def test_members_that_share_their_bytes_are_refused(listed) -> None:
    assert codes(listed(central(packed(("x", b"1"), ("x", b"1")), "at", 0, member=1))) == [("a.zip", "archive-damaged")]


def test_a_table_of_contents_that_would_fill_memory_is_refused(listed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST_DIRECTORY", 1000)
    assert codes(listed(packed(*((f"{number}", b"") for number in range(100))))) == [("a.zip", "archive-bomb")]


def test_members_of_one_name_are_all_listed_and_read(listed, tmp_path: Path) -> None:
    entries = listed(
        packed(
            ("x", b"1"), ("x", b"2"), ("x#2", b"3"), ("x", b"4"), ("b.zip", packed(("y", b"5"))), ("b.zip", packed(("y", b"6")))
        )
    )
    assert sorted(fetch(tmp_path, entry.name) for entry in entries) == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert len({entry.name for entry in entries}) == 6


def test_names_are_filtered_inside_archives_too(listed) -> None:
    data = packed(("x.PNG", b"1"), ("notes.txt", b"2"), ("../out.txt", b"3"), ("b.zip", packed(("y.png", b"4"), ("z", b"5"))))
    entries = listed(data, lambda path: path.lower().endswith(".png"))
    assert codes(entries) == [("a.zip!/x.PNG", ""), ("a.zip!/b.zip!/y.png", "")]


def test_an_archive_inside_another_leaves_no_file_behind(listed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spool))
    (entry,) = listed(packed(("b.zip", packed(("x", b"1")))))
    opened = open_archive(str(tmp_path / "a.zip"), ("b.zip",))
    assert opened.read("x") == b"1"
    assert list(spool.iterdir()) == []
    assert entry.name == "a.zip!/b.zip!/x"


def test_no_room_to_unpack_stops_the_ingest_and_says_what_to_do(listed, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(DataError, match="TMPDIR"):
        listed(packed(("b.zip", packed(("x", b"1")))))


def test_an_archive_stays_open_and_is_opened_anew_when_it_changes(listed, tmp_path: Path) -> None:
    listed(packed(("x", b"1")))
    path = str(tmp_path / "a.zip")
    assert open_archive(path, ()) is open_archive(path, ())
    listed(packed(("x", b"22")))
    assert open_archive(path, ()).read("x") == b"22"


def test_a_fork_does_not_share_the_position_in_the_file(listed, tmp_path: Path) -> None:
    listed(packed(("x", b"1")))
    path = str(tmp_path / "a.zip")
    before = open_archive(path, ())
    child = os.fork()
    if child == 0:
        os._exit(0 if open_archive(path, ()) is not before else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_dicom_file_or_a_document_that_begins_like_an_archive_is_none() -> None:
    start = b"PK\x03\x04" + bytes(124) + b"DICM"
    assert not looks_like_archive("x", start)
    assert looks_like_archive("x", start[:100])
    assert looks_like_archive("X.ZIP", b"")
    assert not looks_like_archive("x.xlsx", start[:100])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 60))
def test_whatever_is_damaged_nothing_but_entries_and_refusals_comes_out(listed, tmp_path: Path, changes, cut: int) -> None:
    inner = packed(("y", b"2" * 50), ("DICOMDIR", b"3"))
    data = bytearray(packed(("x", b"1" * 99), ("d/é", b"4"), ("b.zip", inner), method=zipfile.ZIP_STORED))
    for at, value in changes:
        data[at % len(data)] = value
    entries = listed(bytes(data[: len(data) - cut]))
    assert entries
    assert len({entry.name for entry in entries}) == len(entries)
    for entry in entries:
        assert not entry.code or entry.code in CODES
        if not entry.code:
            assert outcome(tmp_path, entry.name) in {"", *CODES}
