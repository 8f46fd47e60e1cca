from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cxr.bundle.stored import StoredFile, list_files
from cxr.errors import ConfigError, DataError
from cxr.ingest.outcome import Refused


def test_files_of_a_folder_and_of_archives_in_it_are_listed_by_name(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "z.dcm").write_bytes(b"z")
    (tmp_path / "c.dcm").write_bytes(b"c")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.dcm", b"x")
    found = [each["image"] for each in list_files(str(tmp_path), "elsewhere")]
    assert [each.name for each in found] == ["a.zip!/x.dcm", "b/z.dcm", "c.dcm"]
    assert [each.content() for each in found] == [b"x", b"z", b"c"]


def test_a_file_that_cannot_be_had_has_its_reason(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "b.dcm").write_bytes(b"b")
    damaged, gone = (each["image"] for each in list_files(str(tmp_path), "elsewhere"))
    (tmp_path / "b.dcm").unlink()
    codes = [content.code for content in (damaged.content(), gone.content()) if isinstance(content, Refused)]
    assert codes == ["archive-damaged", "not-read"]


def test_an_answer_among_the_files_is_refused_since_the_next_run_would_read_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the answer would lie in"):
        list_files(str(tmp_path), str(tmp_path / "answer"))


def test_nothing_to_score_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset_dir: .* holds no file"):
        list_files(str(tmp_path), "elsewhere")
    with pytest.raises(DataError, match=r"^dataset_dir: there is no "):
        list_files(str(tmp_path / "nowhere"), "elsewhere")


def test_names_of_files_do_not_show_in_messages(tmp_path: Path) -> None:
    (tmp_path / "Doe^John.dcm").write_bytes(b"x")
    (item,) = list_files(str(tmp_path), "elsewhere")
    assert isinstance(item["image"], StoredFile)
    assert "Doe" not in repr(item)
