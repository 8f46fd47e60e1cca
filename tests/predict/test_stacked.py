"""The predict stage of a stacked model: the table of widths, the chosen width, the cascade."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cxr.config import CascadeConfig, PredictConfig, PredictStage
from cxr.errors import DataError
from cxr.evaluate.auroc import mean_auroc
from cxr.evaluate.undefined import as_float
from cxr.ingest.store import ImageStore
from cxr.manifest import Manifest, label_column, read_manifest
from cxr.model.cost import costs
from cxr.predict import stage
from cxr.predict.cascade import Cascade, goes_on
from cxr.predict.predictor import Predictor
from cxr.predictions import Predictions, read_predictions
from cxr.stage import StageContext, StageResult

CASCADE = PredictConfig(cascade=CascadeConfig(heads=(1, 4), tolerance=0.0))


@pytest.fixture
def stacked(inputs: dict[str, Path], stacked_file: Path) -> dict[str, Path]:
    """The stage's inputs with a stacked model, and with two images of each study."""
    for side in ("development", "test"):
        manifest = read_manifest(inputs[side])
        numbers = manifest.frame["image_id"].str.removeprefix("t:").astype(int)
        studies = manifest.frame["split"] + "-" + (numbers // 2).astype(str)
        Manifest(manifest.frame.assign(study_id=studies), manifest.label_names).write(inputs[side])
    return inputs | {"model": stacked_file}


def _run(
    folder: Path, inputs: dict[str, Path], run: Any, predict: PredictConfig, batch_size: int = 4
) -> tuple[StageResult, Predictions]:
    folder.mkdir(exist_ok=True)
    context = StageContext(folder, inputs, run, lambda *_: None)
    result = stage.run(PredictStage(batch_size=batch_size, device="cpu", predict=predict), context)
    return result, read_predictions(folder / "predictions.parquet")


def _scores_at(inputs: dict[str, Path], predictions: Predictions, heads: int) -> np.ndarray:
    """One image at a time, by a predictor of its own."""
    predictor, store = Predictor(inputs["model"], torch.device("cpu"), heads), ImageStore(inputs["store"])
    numbers = predictions.frame["image_id"].str.removeprefix("t:").astype(int)
    return np.concatenate([predictor.probabilities(store.gather8(np.array([n % 3]), np.array([n // 3]))) for n in numbers])


@pytest.mark.parametrize(("heads", "used"), [(1, 1), (2, 2), (None, 4)])
def test_images_are_scored_with_the_heads_asked_for(
    tmp_path: Path, stacked: dict[str, Path], recording_run: Any, heads: int | None, used: int
) -> None:
    result, predictions = _run(tmp_path / "p", stacked, recording_run, PredictConfig(heads=heads))
    np.testing.assert_allclose(predictions.scores(), _scores_at(stacked, predictions, used), atol=1e-6)
    assert predictions.about["network"] == f"{used} of 4 attention heads"
    assert result.headline == f"14 images scored, 7 of them test images; {used} of 4 attention heads"
    assert dict(result.counts) == {"images": 14, "test_images": 7}
    assert result.highlights == ("widths.csv",)


def test_the_table_of_widths_has_cost_time_and_validation_auroc(
    tmp_path: Path, stacked: dict[str, Path], recording_run: Any
) -> None:
    _, predictions = _run(tmp_path / "p", stacked, recording_run, PredictConfig(heads=2))
    table = pd.read_csv(tmp_path / "p" / "widths.csv")
    card, val = Predictor(stacked["model"], torch.device("cpu")).card, predictions.where("val")
    assert table["heads"].tolist() == [1, 2, 4]
    for row, cost in zip(table.itertuples(), costs(card.model, 32, 3), strict=True):
        assert (row.parameters, row.gmacs) == (cost.parameters, pytest.approx(cost.gmacs))
        truth = card.labels.truth(val.truth_codes())
        expected = as_float(mean_auroc(truth, _scores_at(stacked, val, cost.heads or 0)))
        assert row.auroc_val_macro == pytest.approx(expected)
        assert row.milliseconds > 0
    assert "widths.csv" in recording_run.artifacts
    steps = [step for step, values in recording_run.logged_metrics if "widths/auroc_val" in values]
    assert steps == [1, 2, 4]
    assert set(recording_run.logged_metrics[0][1]) == {"widths/auroc_val", "widths/gmacs", "widths/ms"}


@pytest.mark.parametrize("predict", [PredictConfig(heads=2), CASCADE])
def test_nothing_but_the_test_scores_depends_on_the_test_images(
    tmp_path: Path, stacked: dict[str, Path], recording_run: Any, predict: PredictConfig
) -> None:
    _, first = _run(tmp_path / "first", stacked, recording_run, predict)
    test = read_manifest(stacked["test"])
    other = {name: label_column(1 - (codes == 1)) for name, codes in zip(test.label_names, test.label_codes().T, strict=True)}
    Manifest(test.frame.assign(**other), test.label_names).write(stacked["test"])
    _, second = _run(tmp_path / "second", stacked, recording_run, predict)
    tables = [pd.read_csv(tmp_path / name / "widths.csv").drop(columns="milliseconds") for name in ("first", "second")]
    pd.testing.assert_frame_equal(*tables)
    assert np.array_equal(first.scores(), second.scores())
    if predict.cascade is not None:
        texts = {(tmp_path / name / "cascade.json").read_text() for name in ("first", "second")}
        assert len(texts) == 1


@pytest.mark.parametrize("tolerance", [0.0, 0.02, 0.1, 1.0])
def test_a_cascade_is_fitted_on_validation_images_and_applied_to_both_sides(
    tmp_path: Path, stacked: dict[str, Path], recording_run: Any, tolerance: float
) -> None:
    config = PredictConfig(cascade=CascadeConfig(heads=(1, 4), tolerance=tolerance))
    result, predictions = _run(tmp_path / "p", stacked, recording_run, config)
    cascade = Cascade.model_validate_json((tmp_path / "p" / "cascade.json").read_text())
    narrow, wide = (_scores_at(stacked, predictions, heads) for heads in (1, 4))
    studies = predictions.frame["study_id"].to_numpy(str)
    chosen = goes_on(cascade, narrow, studies)
    np.testing.assert_allclose(predictions.scores(), np.where(chosen[:, None], wide, narrow), atol=1e-6)
    in_test = predictions.frame["split"].to_numpy() == "test"
    share = {name: len(set(studies[side & chosen])) / 4 for name, side in (("val", ~in_test), ("test", in_test))}
    assert cascade.heads == (1, 4)
    assert result.metrics["cascade/share_val"] == share["val"]
    assert result.metrics["cascade/share_test"] == share["test"]
    assert result.metrics in [values for _, values in recording_run.logged_metrics]
    assert result.highlights == ("widths.csv", "cascade.json")
    assert set(recording_run.artifacts) == {"widths.csv", "cascade.json", "predictions.parquet"}
    words = f"cascade of 1 and 4 attention heads: {100 * share['test']:.0f} % of the test studies went on to the wide one"
    assert predictions.about["network"] == f"{words} ({cascade.identity})"
    assert result.headline.endswith(predictions.about["network"])


def test_cost_of_a_cascade_is_the_narrow_network_for_all_and_the_wide_one_for_its_share_of_the_images(
    tmp_path: Path, stacked: dict[str, Path], recording_run: Any
) -> None:
    result, predictions = _run(tmp_path / "p", stacked, recording_run, CASCADE)
    test = predictions.where("test")
    cascade = Cascade.model_validate_json((tmp_path / "p" / "cascade.json").read_text())
    went = goes_on(cascade, _scores_at(stacked, test, 1), test.frame["study_id"].to_numpy(str)).mean()
    gmacs = pd.read_csv(tmp_path / "p" / "widths.csv").set_index("heads")["gmacs"]
    assert result.metrics["cascade/gmacs"] == pytest.approx(gmacs[1] + went * gmacs[4])
    aurocs = [result.metrics[f"cascade/auroc_val_{name}"] for name in ("narrow", "wide", "mixed")]
    table = pd.read_csv(tmp_path / "p" / "widths.csv").set_index("heads")["auroc_val_macro"]
    assert aurocs[:2] == pytest.approx([table[1], table[4]])
    assert aurocs[2] >= aurocs[1]


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_size_does_not_matter_to_a_cascade(
    tmp_path: Path, stacked: dict[str, Path], recording_run: Any, batch_size: int
) -> None:
    _, four = _run(tmp_path / "four", stacked, recording_run, CASCADE)
    _, other = _run(tmp_path / "other", stacked, recording_run, CASCADE, batch_size)
    np.testing.assert_allclose(other.scores(), four.scores(), atol=1e-6)
    rounded = [re.sub(", cascade [0-9a-f]{12}", "", predictions.about["network"]) for predictions in (other, four)]
    assert rounded[0] == rounded[1], "the limit may differ by rounding, and then the digest does"
    assert other.about | {"network": ""} == four.about | {"network": ""}


def test_a_cascade_that_saves_nothing_is_warned_of(
    tmp_path: Path, stacked: dict[str, Path], recording_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxr.predict.cascade._SHARES", (1.0,))
    result, predictions = _run(tmp_path / "p", stacked, recording_run, CASCADE)
    assert result.warnings == ("the cascade saves nothing, since every study goes on from 1 to 4 heads; use predict.heads=4",)
    np.testing.assert_allclose(predictions.scores(), _scores_at(stacked, predictions, 4), atol=1e-6)


def test_validation_images_without_both_kinds_give_no_figure_and_no_cascade(
    tmp_path: Path, stacked: dict[str, Path], recording_run: Any
) -> None:
    development = read_manifest(stacked["development"])
    none = {name: label_column(np.zeros(len(development))) for name in development.label_names}
    Manifest(development.frame.assign(**none), development.label_names).write(stacked["development"])
    _run(tmp_path / "one", stacked, recording_run, PredictConfig())
    assert pd.read_csv(tmp_path / "one" / "widths.csv")["auroc_val_macro"].isna().all()
    with pytest.raises(DataError, match=r"predict\.cascade: .* no limit can be chosen"):
        _run(tmp_path / "two", stacked, recording_run, CASCADE)


def test_another_backbone_has_no_table_of_widths(tmp_path: Path, inputs: dict[str, Path], recording_run: Any) -> None:
    result, predictions = _run(tmp_path / "p", inputs, recording_run, PredictConfig())
    assert "network" not in predictions.about
    assert result.headline == "14 images scored, 7 of them test images"
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["predictions.parquet"]
