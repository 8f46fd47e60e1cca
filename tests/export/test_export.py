from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

import cxr
import cxr.extra
from cxr.errors import CxrError, DataError
from cxr.export.export import Wish, export
from cxr.export.exported import ExportedModel
from cxr.ingest.store import Preprocessing
from cxr.model.card import read_card, weights_digest
from cxr.predict.predictor import Predictor
from tests.export.conftest import IMAGES, LOOSE, MADE, quiet
from tests.serve.models import NAMES, write_model

KINDS = [("onnx", "float32", 1e-6), ("torch", "float32", 1e-6), ("onnx", "int8", 0.1), ("torch", "bf16", 0.02)]
CPU = torch.device("cpu")


@pytest.mark.parametrize(("format", "precision", "tolerance"), KINDS)
def test_an_exported_file_gives_scores_and_maps_of_the_model_for_any_number_of_images(
    exported, model: Path, images: npt.NDArray[np.uint8], format: str, precision: str, tolerance: float
) -> None:
    file, predictor = ExportedModel(exported(format, precision)[0]), Predictor(model, CPU)
    for some in (images, images[:1], images[:4]):
        assert file.probabilities(some) == pytest.approx(predictor.probabilities(some), abs=tolerance)
        assert file.maps(some) == pytest.approx(predictor.maps(some), abs=tolerance)
    assert file.probabilities(images).dtype == np.float64
    assert file.probabilities(images).std(axis=0).min() > 10 * 1e-6  # images differ, so that agreement says something


@pytest.mark.parametrize(("format", "precision"), [("onnx", "int8"), ("torch", "bf16")])
def test_a_reduced_precision_is_no_float32_by_another_name(exported, model: Path, images, format: str, precision: str) -> None:
    found = ExportedModel(exported(format, precision)[0]).probabilities(images)
    assert np.abs(found - Predictor(model, CPU).probabilities(images)).max() > 1e-5
    assert exported(format, precision)[1].size < exported(format, "float32")[1].size


@pytest.mark.parametrize("kind", [("onnx", "float32"), ("onnx", "int8"), ("torch", "float32"), ("torch", "bf16")])
def test_a_file_keeps_the_whole_card_and_how_it_was_checked(exported, model: Path, kind: tuple[str, str]) -> None:
    file = ExportedModel(exported(*kind)[0])
    assert file.card == read_card(model)
    assert file.labels.names == NAMES
    record = file.record
    assert record == exported(*kind)[1].record
    assert record.weights_sha256 == weights_digest(model)
    assert (record.precision, record.heads) == (kind[1], None)
    assert record.check.of == "phantom images"
    assert record.check.images == 16
    assert record.check.furthest <= record.tolerance.probability
    assert record.check.points["youden"].decisions == 2 * 16  # the third label has no such point


@pytest.mark.parametrize("kind", [("onnx", "int8"), ("torch", "float32")])
def test_equal_models_give_equal_bytes(exported, model: Path, tmp_path: Path, kind: tuple[str, str]) -> None:
    export(model, tmp_path / "again", Wish(*kind, probability=LOOSE.get(kind[1])), quiet)
    assert (tmp_path / "again").read_bytes() == exported(*kind)[0].read_bytes()


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_no_path_of_this_machine_is_in_a_file(exported, format: str) -> None:
    content = exported(format, "float32")[0].read_bytes()
    for told in (str(Path(cxr.__file__).parent), str(Path(torch.__file__).parent), "stack_trace", ".py"):
        assert told.encode() not in content


def test_a_file_in_onnx_is_run_without_torch(exported) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path; from cxr.export.exported import ExportedModel\n"
        "file = ExportedModel(Path(sys.argv[1])); size = file.card.preprocessing.size\n"
        "scores = file.probabilities(np.zeros((1, size, size), np.uint8))\n"
        "file.card.calibration.apply(scores, file.labels.names)\n"
        "print([name for name in ('torch', 'timm', 'mlflow', 'onnx') if name in sys.modules])"
    )
    path = str(exported("onnx", "float32")[0])
    ran = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("heads", [None, 2])
def test_of_a_stacked_model_the_calibrated_network_is_exported(
    stacked: Path, tmp_path: Path, images, heads: int | None
) -> None:
    made = export(stacked, tmp_path / "out", Wish(heads=heads), quiet)
    file = ExportedModel(tmp_path / "out")
    assert file.probabilities(images) == pytest.approx(Predictor(stacked, CPU, 2).probabilities(images), abs=1e-6)
    assert file.card == read_card(stacked)
    assert made.record.heads == file.record.heads == 2


def test_another_network_of_a_stacked_model_is_exported_without_the_calibration_that_is_not_its_own(
    stacked: Path, tmp_path: Path, images
) -> None:
    made = export(stacked, tmp_path / "out", Wish("torch", heads=1), quiet)
    file = ExportedModel(tmp_path / "out")
    assert file.probabilities(images) == pytest.approx(Predictor(stacked, CPU, 1).probabilities(images), abs=1e-6)
    assert file.card.calibration is None
    assert made.record.check.probability is None
    assert not made.record.check.points


def test_of_a_cascade_one_network_must_be_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.safetensors", heads=(1, 2), network="cascade of 1 and 2 attention heads")
    with pytest.raises(DataError, match="cascade"):
        export(path, tmp_path / "out", Wish("torch"), quiet)
    export(path, tmp_path / "out", Wish("torch", heads=2), quiet)
    assert ExportedModel(tmp_path / "out").card.calibration is None


def test_test_images_of_a_pipeline_are_compared_with_their_truth(
    model: Path, tmp_path: Path, pipeline_folder: Callable[..., Path]
) -> None:
    wish = Wish(precision="int8", images=pipeline_folder(), probability=0.1, auroc=0.9)
    check = export(model, tmp_path / "out", wish, quiet).record.check
    assert (check.images, check.of) == (IMAGES, "test images")
    assert list(check.auroc) == [NAMES[0]]  # the only one with images on both sides
    assert check.furthest_auroc == NAMES[0]
    assert check.auroc[NAMES[0]] != 0  # random weights do not rank firmly


def test_images_of_another_preprocessing_are_refused(model: Path, tmp_path: Path, pipeline_folder: Callable[..., Path]) -> None:
    other = Preprocessing(MADE.size, "crop", MADE.normaliser, MADE.canonical)
    with pytest.raises(DataError, match="trained on images with fit pad, these have fit crop"):
        export(model, tmp_path / "out", Wish("torch", images=pipeline_folder(other)), quiet)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_no_pipeline_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"split/test\.parquet is missing; give the folder of a pipeline"):
        export(model, tmp_path / "out", Wish("torch", images=tmp_path), quiet)


def test_what_is_too_far_from_the_model_is_not_kept_and_an_older_file_stays(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("older")
    with pytest.raises(CxrError, match=r"not written: on 16 phantom images .* more than 1e-06; .*--tolerance"):
        export(model, tmp_path / "out", Wish("torch", "bf16", probability=1e-6), quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "older"


@pytest.mark.parametrize(
    ("given", "heads", "problem"),
    [
        ({"calibrated": False}, None, "has no calibration; give the model file that the stage calibrate writes"),
        ({"heads": (1, 2), "network": "2 of 2 attention heads"}, 3, "no network with 3 attention heads: it runs with 1, 2"),
        ({}, 2, "no network with 2 attention heads: its backbone is not stacked"),
    ],
)
def test_a_model_that_cannot_be_exported_is_told_apart(tmp_path: Path, given, heads: int | None, problem: str) -> None:
    path = write_model(tmp_path / "m.safetensors", **given)
    with pytest.raises(DataError, match=problem):
        export(path, tmp_path / "out", Wish("torch", heads=heads), quiet)


def test_a_precision_is_offered_by_the_format_that_has_it() -> None:
    with pytest.raises(CxrError, match="--precision int8 is for --format onnx; torch is written in float32 or bf16"):
        Wish("torch", "int8")
    with pytest.raises(CxrError, match="--precision bf16 is for --format torch"):
        Wish("onnx", "bf16")


def test_missing_packages_are_named_with_the_way_out(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cxr.extra.importlib.util, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(CxrError, match=r"onnxscript not installed; run: pip install 'cxr\[export\]'"):
        export(model, tmp_path / "out", Wish(), quiet)


def test_a_missing_folder_is_told_before_the_work(model: Path, tmp_path: Path) -> None:
    with pytest.raises(CxrError, match=r"--out: the folder .*nowhere does not exist"):
        export(model, tmp_path / "nowhere" / "out", Wish(), quiet)
    with pytest.raises(CxrError, match=r"--out: .* is a folder; name the file to write"):
        export(model, tmp_path, Wish(), quiet)


def test_a_folder_that_may_not_be_written_is_told(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(old: Path, new: Path) -> None:
        raise PermissionError(13, "Permission denied", str(new))

    monkeypatch.setattr("cxr.export.export.os.replace", refuse)
    with pytest.raises(CxrError, match=r"--out: .*out cannot be written: Permission denied"):
        export(model, tmp_path / "out", Wish(), quiet)
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize(
    "config",
    [
        {"backbone": "resnet18", "options": {}},
        {
            "backbone": "swin_tiny_patch4_window7_224",
            "options": {"window_size": 4, "embed_dim": 32, "depths": [1, 1], "num_heads": [1, 2]},
        },
    ],
)
def test_other_backbones_are_exported_too(tmp_path: Path, images, config) -> None:
    path = write_model(tmp_path / "m.safetensors", model=config)
    export(path, tmp_path / "out", Wish(), quiet)
    found = ExportedModel(tmp_path / "out").probabilities(images)
    assert found == pytest.approx(Predictor(path, CPU).probabilities(images), abs=1e-5)
