from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from cxr.errors import DataError
from cxr.ingest.store import Preprocessing
from cxr.model.file import load_model
from cxr.predict.predictor import Predictor

CPU = torch.device("cpu")


@pytest.fixture
def images() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (9, 32, 32), dtype=np.uint8)


def test_probabilities_are_one_sigmoid_of_the_combined_logits(model_file: Path, images: npt.NDArray[np.uint8]) -> None:
    with torch.no_grad():
        logits = load_model(model_file, CPU).classifier(torch.from_numpy(images)).combined.double().numpy()
    scores = Predictor(model_file, CPU).probabilities(images)
    assert scores.dtype == np.float64
    assert scores.shape == (9, 3)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_probabilities_do_not_depend_on_the_batch(model_file: Path, images: npt.NDArray[np.uint8], batch: int) -> None:
    predictor = Predictor(model_file, CPU)
    parts = [predictor.probabilities(images[start : start + batch]) for start in range(0, 9, batch)]
    together = predictor.probabilities(images)
    np.testing.assert_allclose(np.concatenate(parts), together, atol=1e-6)
    assert np.ptp(together, axis=0).min() > 1e-3


def test_predicting_twice_gives_the_same(model_file: Path, images: npt.NDArray[np.uint8]) -> None:
    predictor = Predictor(model_file, CPU)
    assert np.array_equal(predictor.probabilities(images), predictor.probabilities(images))


@pytest.mark.parametrize(
    ("preprocessing", "difference"),
    [
        (Preprocessing(64, "pad", 1, 1), "size 32, these have size 64"),
        (Preprocessing(32, "crop", 1, 1), "fit pad, these have fit crop"),
        (Preprocessing(32, "pad", 2, 1), "normaliser 1, these have normaliser 2"),
        (Preprocessing(32, "pad", 1, 2), "canonical 1, these have canonical 2"),
    ],
)
def test_images_made_in_another_way_are_refused(model_file: Path, preprocessing: Preprocessing, difference: str) -> None:
    predictor = Predictor(model_file, CPU)
    predictor.check_preprocessing(Preprocessing(32, "pad", 1, 1))
    with pytest.raises(DataError, match=difference):
        predictor.check_preprocessing(preprocessing)


@pytest.mark.parametrize("heads", [1, 2, 4, None])
def test_a_stacked_model_predicts_with_the_number_of_heads_asked_for(
    stacked_file: Path, images: npt.NDArray[np.uint8], heads: int | None
) -> None:
    with torch.no_grad():
        network = load_model(stacked_file, CPU).classifier.at(heads)
        expected = torch.sigmoid(network(torch.from_numpy(images)).combined.double()).numpy()
    predictor = Predictor(stacked_file, CPU)
    widest = predictor.probabilities(images)
    assert predictor.heads == (1, 2, 4)
    np.testing.assert_allclose(Predictor(stacked_file, CPU, heads).probabilities(images), expected, atol=1e-6)
    np.testing.assert_allclose(predictor.at(heads).probabilities(images), expected, atol=1e-6)
    assert np.array_equal(predictor.probabilities(images), widest)  # `at` leaves the predictor itself as it was


def test_a_number_of_heads_that_the_model_lacks_is_refused_in_words(stacked_file: Path, model_file: Path) -> None:
    with pytest.raises(DataError, match="no network with 3 attention heads: it runs with 1, 2, 4"):
        Predictor(stacked_file, CPU).at(3)
    with pytest.raises(DataError, match="its backbone is not stacked"):
        Predictor(model_file, CPU, 3)
    assert Predictor(model_file, CPU).heads == ()


def test_a_missing_model_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a model file of cxr"):
        Predictor(tmp_path / "none.safetensors", CPU)
