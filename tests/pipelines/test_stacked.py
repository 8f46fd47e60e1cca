"""A stacked model through the command line: trained once, predicted with as a cascade or with one width, evaluated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from cxr.predict.cascade import Cascade
from cxr.predictions import read_predictions

STACKED: dict[str, Any] = {
    "backbone": "vit_tiny_patch16_224",
    "options": {"patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 6},
    "stacked": {"heads": [2, 3, 6]},
    "head": {"hidden": 8},
}


@pytest.fixture
def stacked_pipeline(small_pipeline: Path) -> Path:
    """The small pipeline with a stacked model, predicting as a cascade."""
    content = yaml.safe_load(small_pipeline.read_text())
    cascade = {"heads": [2, 6], "tolerance": 0.01}
    small_pipeline.write_text(yaml.safe_dump(content | {"model": STACKED, "predict": {"cascade": cascade}}))
    return small_pipeline


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("original")


@pytest.fixture
def finished(stacked_pipeline: Path, command: Any, original: Path) -> Path:
    """The pipeline's folder after one run: run by the first test that wants it, copied for the others."""
    if any(original.iterdir()):
        shutil.copytree(original, stacked_pipeline.parent, dirs_exist_ok=True)
    else:
        outcome = command("run", stacked_pipeline)
        assert outcome.code == 0, outcome.err
        shutil.copytree(stacked_pipeline.parent, original, dirs_exist_ok=True)
    return stacked_pipeline.parent / "runs/small"


def test_cascade_and_widths_are_written_tracked_and_told(finished: Path) -> None:
    cascade = Cascade.model_validate_json((finished / "predict/cascade.json").read_text())
    assert cascade.heads == (2, 6)
    table = pd.read_csv(finished / "predict/widths.csv")
    assert table["heads"].tolist() == [2, 3, 6]
    assert table["parameters"].is_monotonic_increasing
    assert table["gmacs"].is_monotonic_increasing
    assert table["auroc_val_macro"].between(0.5, 1).all()  # it has learned something at every width
    told = json.loads((finished / "predict/stage.json").read_text())["headline"]
    about = read_predictions(finished / "predict/predictions.parquet").about["network"]
    assert about.startswith("cascade of 2 and 6 attention heads: ")
    assert f"% of the test studies went on to the wide one ({cascade.identity})" in about
    assert about in told
    assert about in (finished / "evaluate/report.html").read_text()


def test_the_choice_is_drawn_over_the_number_of_heads(finished: Path) -> None:
    client = MlflowClient(f"sqlite:///{finished.parent / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("small").experiment_id])
    predict = next(run for run in runs if run.info.run_name == "predict")
    for metric in ("widths/auroc_val", "widths/gmacs", "widths/ms"):
        assert [entry.step for entry in client.get_metric_history(predict.info.run_id, metric)] == [2, 3, 6]
    figures = predict.data.metrics
    gmacs = pd.read_csv(finished / "predict/widths.csv").set_index("heads")["gmacs"]
    assert gmacs[2] <= figures["cascade/gmacs"] <= gmacs[2] + gmacs[6]
    assert figures["cascade/auroc_val_mixed"] >= figures["cascade/auroc_val_wide"] - 0.01
    assert {"cascade/share_val", "cascade/share_test", "cascade/auroc_val_narrow"} <= set(figures)
    artifacts = {entry.path for entry in client.list_artifacts(predict.info.run_id)}
    assert artifacts == {"widths.csv", "cascade.json", "predictions.parquet"}


def test_a_second_run_does_nothing_and_another_width_only_predicts_and_evaluates(
    finished: Path, stacked_pipeline: Path, command: Any
) -> None:
    again = command("run", stacked_pipeline)
    assert again.code == 0, again.err
    assert again.out.count("not run again: inputs, configuration and code are unchanged") == 7
    other = command("run", stacked_pipeline, "predict.cascade=null", "predict.heads=3")
    assert other.code == 0, other.err
    assert other.out.count("not run again") == 3  # ingest, split, train
    about = read_predictions(finished / "predict/predictions.parquet").about
    assert about["network"] == "3 of 6 attention heads"
    assert not (finished / "predict/cascade.json").exists()


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["predict.cascade=null", "predict.heads=4"], "'predict.heads' names 4, but 'model.stacked.heads' has 2, 3, 6"),
        (["predict.cascade.heads=[2, 5]"], "'predict.cascade.heads' names 5, but 'model.stacked.heads' has 2, 3, 6"),
        (["predict.cascade.heads=[6, 2]"], "'heads' must be two whole numbers from 1, the smaller one first"),
        (["predict.cascade.tolerance=-0.1"], "predict.cascade.tolerance: input should be greater than or equal to 0"),
        (["predict.heads=3"], "'heads' and 'cascade' exclude each other"),
        (["model.stacked=null"], "'predict.cascade.heads' is without effect where there is no 'model.stacked'"),
        (["model.stacked=null", "predict={heads: 3}"], "'predict.heads' is without effect where there is no 'model.stacked'"),
    ],
)
def test_a_width_that_is_not_there_is_refused_in_words_before_anything_runs(
    stacked_pipeline: Path, command: Any, overrides: list[str], told: str
) -> None:
    outcome = command("run", stacked_pipeline, *overrides)
    assert outcome.code == 2
    assert len(outcome.err.strip().splitlines()) == 1, outcome.err
    assert told in outcome.err
    assert not (stacked_pipeline.parent / "runs/small").exists()
