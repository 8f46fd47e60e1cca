"""A pipeline's model through `cxr export`, and the errors of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr.export.exported import ExportedModel
from cxr.ingest.store import ImageStore
from cxr.manifest import read_manifest
from cxr.predictions import read_predictions
from tests.serve.models import write_model


def test_a_pipelines_model_is_exported_checked_on_its_test_images_and_gives_its_predictions(
    small_pipeline: Path, command: Any
) -> None:
    assert command("run", small_pipeline).code == 0
    folder = small_pipeline.parent / "runs" / "small"
    out = small_pipeline.parent / "small.onnx"
    told = command("export", folder / "calibrate" / "model.safetensors", "--out", out, "--images", folder)
    assert told.code == 0, told.err
    predictions = read_predictions(folder / "predict" / "predictions.parquet").where("test")
    assert f"compared with the model on {len(predictions.frame)} test images" in told.out
    assert "onnx, float32, 2 labels, images of 32 x 32 pixels" in told.out
    assert "largest change of a probability" in told.out
    test = read_manifest(folder / "split" / "test.parquet").frame
    images = ImageStore(folder / "ingest" / "store").gather8(test["shard"].to_numpy(np.int64), test["row"].to_numpy(np.int64))
    assert test["image_id"].tolist() == predictions.frame["image_id"].tolist()
    assert ExportedModel(out).probabilities(images) == pytest.approx(predictions.scores(), abs=1e-6)


def test_the_ending_of_the_file_says_the_format(tmp_path: Path, command: Any) -> None:
    model = write_model(tmp_path / "m.safetensors")
    told = command("export", model, "--out", tmp_path / "m.pt2", "--precision", "bf16")
    assert told.code == 0, told.err
    assert "m.pt2: torch, bf16, 3 labels" in told.out
    assert "change of the AUROC              not known" in told.out


def test_a_network_that_the_calibration_is_not_of_is_pointed_out(tmp_path: Path, command: Any) -> None:
    model = write_model(tmp_path / "m.safetensors", heads=(1, 2), network="2 of 2 attention heads")
    told = command("export", model, "--out", tmp_path / "m.pt2", "--heads", 1)
    assert told.code == 0, told.err
    assert "1 attention heads" in told.out
    assert "the file gives scores, and no yes or no" in told.out


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--precision", "int8"), "--precision int8 is for --format onnx"),
        (("--heads", "3"), "its backbone is not stacked"),
        (("--images", "nowhere"), "give the folder of a pipeline"),
        (("--precision", "bf16", "--tolerance", "1e-9"), "choose a higher precision, or allow more with --tolerance"),
    ],
)
def test_errors_are_told_in_a_line_and_leave_no_file(tmp_path: Path, command: Any, options: Any, problem: str) -> None:
    model = write_model(tmp_path / "m.safetensors")
    told = command("export", model, "--out", tmp_path / "m.pt2", *options)
    assert told.code == 2
    assert problem in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
