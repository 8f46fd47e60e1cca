"""What leads to a new run of a stage, and what must not."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from cxr import fingerprint
from cxr.config_training import TrainConfig
from cxr.fingerprint import code_digests, config_digests, digest_folder, digest_json
from cxr.stages import STAGES


def test_code_of_a_stage_covers_what_it_imports_and_nothing_else():
    train, evaluate = code_digests("cxr.train.stage"), code_digests("cxr.evaluate.stage")
    assert {"cxr.train.stage", "cxr.train.losses", "cxr.model.head", "cxr.data.augment", "cxr.ingest.store"} <= set(train)
    assert "cxr.evaluate.report" in evaluate
    assert not {name for name in evaluate if name.startswith(("cxr.train", "cxr.model", "cxr.ingest"))}
    assert not {"cxr.cli", "cxr.pipeline", "cxr.tracking", "cxr.config"} & {*train, *evaluate}


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_stage_has_code(stage):
    assert stage.module in code_digests(stage.module)


def test_dependencies_point_one_way():
    """evaluate never imports train; model never imports data; nothing imports the command line."""
    assert not {name for name in code_digests("cxr.evaluate.stage") if name.startswith("cxr.train")}
    assert not {name for name in code_digests("cxr.model.file") if name.startswith(("cxr.data", "cxr.train"))}
    for stage in STAGES:
        assert "cxr.cli" not in code_digests(stage.module)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package in the place of cxr, with one module whose text the test sets."""
    monkeypatch.setattr(fingerprint, "_PACKAGE", tmp_path)

    def digest(source: str) -> str:
        (tmp_path / "room.py").write_text(textwrap.dedent(source))
        fingerprint._read_module.cache_clear()
        return code_digests("cxr.room")["cxr.room"]

    yield digest
    fingerprint._read_module.cache_clear()


def test_comments_docstrings_and_layout_are_no_code(package):
    assert package('"""Doc."""\ndef f(x):\n    """Doc."""\n    return x + 1  # why\n') == package(
        "def f(x):\n\n    return (x + 1)\n"
    )


def test_changed_constant_is_code(package):
    assert package("RATE = 1\n") != package("RATE = 2\n")


def test_template_beside_a_module_is_code(package, tmp_path):
    before = package("X = 1\n")
    (tmp_path / "room.html.j2").write_text("<p>")
    assert package("X = 1\n") != before


def test_place_of_a_file_is_no_part_but_its_content_is(tmp_path):
    from cxr.config_model import ModelConfig

    first, second, other = (tmp_path / name for name in ("a", "b", "c"))
    first.write_bytes(b"same")
    second.write_bytes(b"same")
    other.write_bytes(b"other")
    digests = [config_digests(ModelConfig(weights=path)) for path in (first, second, other)]
    assert digests[0] == digests[1]
    assert digests[0][0] == digests[2][0]
    assert digests[0][1] != digests[2][1]
    assert str(tmp_path) not in str(digests)


def test_key_never_enters_a_fingerprint(tmp_path):
    from cxr.config_sources import DicomSource
    from cxr.ingest.deidentify import make_key

    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "labels.csv").write_text("StudyInstanceUID\n")
    key = tmp_path / "key"
    make_key(key)
    source = DicomSource(kind="dicom", root=tmp_path / "dicom", table="labels.csv", format="study", key_file=key)
    values, files = config_digests(source)
    assert files["key_file"]
    assert key.read_text().strip() not in str((values, files))
    key.unlink()
    make_key(key)
    assert config_digests(source)[1]["key_file"] != files["key_file"]


def test_folder_digest_sees_new_changed_and_renamed_files(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_text("1")
    digests = [digest_folder(tmp_path)]
    (tmp_path / "b").write_text("1")
    digests.append(digest_folder(tmp_path))
    (tmp_path / "b").write_text("22")
    digests.append(digest_folder(tmp_path))
    (tmp_path / "b").rename(tmp_path / "c")
    digests.append(digest_folder(tmp_path))
    assert len(set(digests)) == 4


def test_json_digest_ignores_the_order_of_keys():
    assert digest_json({"a": 1, "b": [2]}) == digest_json({"b": [2], "a": 1}) != digest_json({"a": 1, "b": [3]})


def test_what_only_sets_the_pace_is_no_part():
    digests = [config_digests(TrainConfig(workers=n, checkpoint_minutes=n)) for n in (0, 3)]
    assert digests[0] == digests[1] != config_digests(TrainConfig(epochs=3))
