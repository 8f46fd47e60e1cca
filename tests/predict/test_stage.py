from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cxr.config import PredictStage
from cxr.errors import DataError
from cxr.ingest.store import ImageStore, Preprocessing, describe_store
from cxr.manifest import Manifest, read_manifest
from cxr.predict import stage
from cxr.predict.predictor import Predictor
from cxr.predictions import Predictions, read_predictions
from cxr.stage import StageContext


def _run(folder: Path, inputs: dict[str, Path], run: Any, batch_size: int = 4) -> Predictions:
    folder.mkdir(exist_ok=True)
    context = StageContext(folder, inputs, run, lambda *_: None)
    result = stage.run(PredictStage(batch_size=batch_size, device="cpu"), context)
    assert dict(result.counts) == {"images": 14, "test_images": 7}
    return read_predictions(folder / "predictions.parquet")


def test_validation_and_test_images_are_scored_once_each(tmp_path: Path, inputs: dict[str, Path], recording_run: Any) -> None:
    frame = _run(tmp_path / "predict", inputs, recording_run).frame
    expected = [*read_manifest(inputs["development"]).where("val").frame["image_id"]]
    expected += [*read_manifest(inputs["test"]).frame["image_id"]]
    assert frame["image_id"].tolist() == expected
    assert frame["image_id"].is_unique
    assert frame["split"].tolist() == ["val"] * 7 + ["test"] * 7


def test_scores_stand_beside_their_own_image_and_label(tmp_path: Path, inputs: dict[str, Path], recording_run: Any) -> None:
    predictions = _run(tmp_path / "predict", inputs, recording_run)
    predictor, store = Predictor(inputs["model"], torch.device("cpu")), ImageStore(inputs["store"])
    for row in predictions.frame.to_dict("records"):
        index = int(row["image_id"].removeprefix("t:"))
        expected = predictor.probabilities(store.gather(np.array([index % 3]), np.array([index // 3])))[0]
        for j, name in enumerate(("Mass", "Effusion", "Hernia")):
            assert row[f"score/{name}"] == pytest.approx(expected[j], abs=1e-6)


def test_truth_is_the_manifests_with_all_four_values(tmp_path: Path, inputs: dict[str, Path], recording_run: Any) -> None:
    predictions = _run(tmp_path / "predict", inputs, recording_run)
    test = read_manifest(inputs["test"])
    columns = [test.label_names.index(name) for name in predictions.label_names]
    assert predictions.label_names == ("Mass", "Effusion", "Hernia")
    assert np.array_equal(predictions.where("test").truth_codes(), test.label_codes()[:, columns])
    assert set(np.unique(predictions.truth_codes())) == {0, 1, 2, 3}


@pytest.mark.parametrize("batch_size", [1, 100])
def test_the_batch_size_does_not_matter(tmp_path: Path, inputs: dict[str, Path], recording_run: Any, batch_size: int) -> None:
    four = _run(tmp_path / "four", inputs, recording_run)
    other = _run(tmp_path / "other", inputs, recording_run, batch_size)
    np.testing.assert_allclose(other.scores(), four.scores(), atol=1e-6)


def test_the_table_tells_which_model_and_data_it_comes_from(
    tmp_path: Path, inputs: dict[str, Path], recording_run: Any
) -> None:
    about = _run(tmp_path / "predict", inputs, recording_run).about
    assert about["model run"] == "train-run"
    assert about["model sha256"] == hashlib.sha256(inputs["model"].read_bytes()).hexdigest()
    assert about["test data sha256"] == hashlib.sha256(inputs["test"].read_bytes()).hexdigest()
    assert recording_run.artifacts == ["predictions.parquet"]


def test_images_made_in_another_way_are_refused(tmp_path: Path, inputs: dict[str, Path], recording_run: Any) -> None:
    describe_store(inputs["store"], Preprocessing(32, "pad", 2, 1))
    with pytest.raises(DataError, match="normaliser 1, these have normaliser 2"):
        _run(tmp_path / "predict", inputs, recording_run)


def test_a_manifest_without_one_of_the_models_labels_is_refused(
    tmp_path: Path, inputs: dict[str, Path], recording_run: Any
) -> None:
    for name in ("development", "test"):
        manifest = read_manifest(inputs[name])
        Manifest(manifest.frame.drop(columns="Hernia"), ("Effusion", "Mass")).write(inputs[name])
    with pytest.raises(DataError, match="Hernia"):
        _run(tmp_path / "predict", inputs, recording_run)
