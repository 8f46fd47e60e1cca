"""Scoring batch by batch: what is read at a time, and that a cascade scores again exactly the studies that go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from cxr.errors import DataError
from cxr.predict.batches import Batches, score_by_cascade
from cxr.predict.cascade import Cascade, goes_on
from cxr.predict.predictor import Predictor
from cxr.predict.uncertainty import references, uncertainty

COUNT = 20
STUDIES = np.array([f"study {index % 7}" for index in range(COUNT)])
"""Each study is spread over the batches."""


class Reader:
    """Images by their row, which remembers what was asked for."""

    def __init__(self) -> None:
        self.images = np.random.default_rng(4).integers(0, 256, (COUNT, 32, 32), dtype=np.uint8)
        self.asked: list[list[int]] = []
        self.told: list[tuple[int, int, str]] = []

    def __call__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        self.asked.append(rows.tolist())
        return self.images[rows]

    def batches(self, size: int) -> Batches:
        return Batches(self, size, lambda done, total, text="": self.told.append((done, total, text)))


@pytest.fixture
def predictor(stacked_file: Path) -> Predictor:
    return Predictor(stacked_file, torch.device("cpu"))


def _cascade(predictor: Predictor, quantile: float) -> Cascade:
    scores = predictor.at(1).probabilities(Reader().images)
    usual = references(scores, np.tile(np.array([[0], [1]], np.float32), (COUNT // 2, 3)))
    limit = float(np.quantile(uncertainty("entropy", scores, usual), quantile))
    return Cascade(heads=(1, 4), rule="entropy", limit=limit, references=usual)


def test_no_more_than_a_batch_is_read_at_a_time_and_each_row_once(predictor: Predictor) -> None:
    reader = Reader()
    rows = np.array([3, 1, 19, 7, 8])
    scores = reader.batches(2).score(predictor, rows, "scored")
    assert reader.asked == [[3, 1], [19, 7], [8]]
    assert reader.told == [(2, 5, "scored"), (4, 5, "scored"), (5, 5, "scored")]
    np.testing.assert_allclose(scores, predictor.probabilities(reader.images[rows]), atol=1e-6)


def test_no_rows_give_no_scores(predictor: Predictor) -> None:
    reader = Reader()
    assert reader.batches(4).score(predictor, np.array([], np.int64), "").shape == (0, 3)
    assert reader.asked == []


@pytest.mark.parametrize("size", [1, 4, 100])
def test_the_wide_network_scores_the_studies_that_go_on_and_no_others(predictor: Predictor, size: int) -> None:
    reader, cascade = Reader(), _cascade(predictor, 0.8)
    result = score_by_cascade(predictor, cascade, reader.batches(size), np.arange(COUNT), STUDIES)
    narrow = Reader().batches(size).score(predictor.at(1), np.arange(COUNT), "")
    chosen = np.flatnonzero(goes_on(cascade, narrow, STUDIES))
    wide = Reader().batches(size).score(predictor.at(4), chosen, "")
    assert 0 < len(chosen) < COUNT
    assert np.flatnonzero(result.chosen).tolist() == chosen.tolist()
    assert set(STUDIES[result.chosen]).isdisjoint(STUDIES[~result.chosen])
    assert [row for asked in reader.asked for row in asked] == [*range(COUNT), *chosen.tolist()]
    assert np.array_equal(result.scores[result.chosen], wide)
    assert np.array_equal(result.scores[~result.chosen], narrow[~result.chosen])


def test_rows_are_the_readers_and_need_not_start_at_0(predictor: Predictor) -> None:
    cascade, rows = _cascade(predictor, 0.8), np.arange(COUNT)[::-1].copy()
    forward = score_by_cascade(predictor, cascade, Reader().batches(1), rows[::-1].copy(), STUDIES)
    backward = score_by_cascade(predictor, cascade, Reader().batches(1), rows, STUDIES[rows])
    assert np.array_equal(backward.scores[rows], forward.scores)


def test_a_cascade_of_numbers_that_the_model_lacks_is_refused_before_any_image_is_read(predictor: Predictor) -> None:
    reader = Reader()
    cascade = _cascade(predictor, 0.5).model_copy(update={"heads": (1, 3)})
    with pytest.raises(DataError, match="no network with 3 attention heads"):
        score_by_cascade(predictor, cascade, reader.batches(4), np.arange(COUNT), STUDIES)
    assert reader.asked == []
