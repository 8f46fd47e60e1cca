from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from cxr.errors import DataError
from cxr.export.export import Wish, export
from cxr.export.exported import ExportedModel
from tests.export.conftest import MADE, quiet
from tests.serve.models import NAMES, SIZE, write_model


def _text(path: Path, good: Path) -> None:
    path.write_text("no model")


def _nothing(path: Path, good: Path) -> None:
    path.write_bytes(b"")


def _half(path: Path, good: Path) -> None:
    path.write_bytes(good.read_bytes()[: good.stat().st_size // 2])


def _archive(path: Path, good: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b", "c")


@pytest.mark.parametrize("write", [_text, _nothing, _half, _archive])
@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_what_is_no_exported_file_is_refused_in_words(exported, tmp_path: Path, write, format: str) -> None:
    write(tmp_path / "file", exported(format, "float32")[0])
    with pytest.raises(DataError, match=r"file: (no exported model that can be run|an archive, but not of torch\.export)"):
        ExportedModel(tmp_path / "file")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        ExportedModel(tmp_path / "file")


def test_a_network_that_says_nothing_of_itself_is_refused(exported, tmp_path: Path) -> None:
    bare = onnx.load(exported("onnx", "float32")[0])
    bare.ClearField("metadata_props")
    onnx.save(bare, tmp_path / "bare.onnx")
    with pytest.raises(DataError, match=r"bare\.onnx: it has no 'cxr\.model' in its metadata; make it with `cxr export`"):
        ExportedModel(tmp_path / "bare.onnx")


def test_images_made_in_another_way_are_refused(exported) -> None:
    file = ExportedModel(exported("onnx", "float32")[0])
    file.check_preprocessing(MADE)
    with pytest.raises(DataError, match=f"normaliser {MADE.normaliser}, these have normaliser {MADE.normaliser + 1}"):
        file.check_preprocessing(replace(MADE, normaliser=MADE.normaliser + 1))


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_no_images_have_no_scores(exported, format: str) -> None:
    none = ExportedModel(exported(format, "float32")[0]).probabilities(np.zeros((0, SIZE, SIZE), np.uint8))
    assert none.shape == (0, len(NAMES))


def test_a_head_without_maps_gives_scores_alone(tmp_path: Path, images) -> None:
    path = write_model(tmp_path / "m.safetensors", head={"pooling": "token"})
    made = export(path, tmp_path / "out", Wish("torch"), quiet)
    file = ExportedModel(tmp_path / "out")
    assert file.probabilities(images).shape == (len(images), len(NAMES))
    assert made.record.check.map is None
    with pytest.raises(DataError, match="out: has no disease maps"):
        file.maps(images)
