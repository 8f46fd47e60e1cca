"""MLflow: names, undefined figures, resumed runs, and the one store wherever the command runs."""

from __future__ import annotations

import time

import pandas as pd
import pytest

from cxr.errors import DataError
from cxr.labels.label_set import read_label_set
from cxr.labels.shipped import SHIPPED
from cxr.tracking.names import label_keys
from cxr.tracking.store import RENAMED, Tracking, tracking_uri


@pytest.fixture
def tracking(workspace):
    return Tracking(workspace, "names", "What to look at.")


def test_store_is_absolute_whatever_the_current_directory_is(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    assert tracking_uri(Path("runs")) == f"sqlite:///{tmp_path}/runs/mlflow.db"


def test_environment_names_another_store(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://example.org")
    assert tracking_uri(tmp_path) == "http://example.org"


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/labels.yaml")), ids=lambda path: path.parent.name)
def test_every_label_of_every_shipped_set_is_logged(workspace, path):
    names = read_label_set(path).names
    tracking = Tracking(workspace, "names", labels=names)
    run = tracking.open("run")
    run.metrics({f"val/auroc/{name}": index / 100 for index, name in enumerate(names)}, step=2)
    logged = tracking.client.get_run(run.run_id).data.metrics
    assert logged == {f"val/auroc/{key}": index / 100 for index, key in enumerate(label_keys(names).values())}


@pytest.mark.parametrize(
    "names", [("Lung Opacity (any)", "Nodule & Mass", "Nodule/Mass"), ("Épanchement", "肺炎", "气胸", "x" * 90)]
)
def test_awkward_labels_are_logged_without_loss_and_the_run_tells_their_names(workspace, names):
    tracking = Tracking(workspace, "names", labels=names)
    run = tracking.open("run")
    run.metrics({f"test/auroc/{name}": index for index, name in enumerate(names)})
    run.params({"retrain": {"labels": dict.fromkeys(names)}})
    data = tracking.client.get_run(run.run_id).data
    assert sorted(data.metrics.values()) == list(range(len(names)))
    assert len(data.params) == len(names)
    table = pd.read_csv(tracking.client.download_artifacts(run.run_id, RENAMED))
    assert set(table["label"]) == set(names)
    assert {f"test/auroc/{key}" for key in table["name_in_mlflow"]} == set(data.metrics)


def test_run_of_plain_labels_tells_no_other_names(tracking):
    assert tracking.client.list_artifacts(tracking.open("run").run_id) == []


def test_more_than_mlflow_takes_at_once_is_logged(tracking):
    run = tracking.open("run")
    run.params({f"p{index}": index for index in range(250)})
    run.metrics({f"m{index}": index for index in range(1200)})
    data = tracking.client.get_run(run.run_id).data
    assert (len(data.params), len(data.metrics)) == (250, 1200)


def test_data_of_another_run_are_shown_too(tracking):
    first, second = tracking.open("first"), tracking.open("second")
    first.dataset("manifest", "f" * 64, "ingest", {"images": 3})
    for _ in range(2):
        second.share_datasets(first.run_id)
    (entry,) = tracking.client.get_run(second.run_id).inputs.dataset_inputs
    assert (entry.dataset.name, entry.tags[0].value) == ("manifest", "ingest")


def test_names_that_would_become_one_are_refused(tracking):
    with pytest.raises(DataError, match="cannot tell apart"):
        tracking.open("run").metrics({"a&b": 1.0, "a_b": 2.0})  # P46


def test_undefined_figures_are_named_not_stored(tracking):
    run = tracking.open("run")
    run.metrics({"good": 0.5, "none": float("nan"), "huge": float("inf")})
    data = tracking.client.get_run(run.run_id).data
    assert data.metrics == {"good": 0.5}
    assert data.tags["undefined"] == "huge, none"


def test_resumed_run_keeps_its_parameters_and_tells_its_last_step(tracking):
    first = tracking.open("run")
    first.params({"lr": 0.1, "nested": {"a": [1, 2]}})
    first.metrics({"val/auroc_macro": 0.6}, step=3)
    again = tracking.open("run", resume=first.run_id)
    assert again.run_id == first.run_id
    again.params({"lr": 0.2, "new": 1})  # P51: MLflow itself raises on a changed parameter
    assert tracking.client.get_run(first.run_id).data.params == {"lr": "0.1", "nested.a": "[1, 2]", "new": "1"}
    assert again.last_step("val/auroc_macro") == 3
    assert first.last_step("val/auroc_macro") == 0  # a fresh run never asks the store


def test_crashed_run_is_not_taken_for_another(tracking):
    first, second = tracking.open("run"), tracking.open("run")  # P47
    assert first.run_id != second.run_id
    assert tracking.open("run", resume="0" * 32).run_id not in (first.run_id, second.run_id)


def test_dataset_shows_on_the_run_and_on_its_parent(tracking):
    parent = tracking.open("parent")
    child = tracking.open("child", parent=parent.run_id)
    child.dataset("manifest", "f" * 64, "training", {"images": 3})
    for run in (parent, child):
        entry = tracking.client.get_run(run.run_id).inputs.dataset_inputs[0]
        assert entry.dataset.name == "manifest"
        assert entry.tags[0].value == "training"


def test_artifact_tree_equals_the_local_one(tracking, tmp_path):
    run = tracking.open("run")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "preds.csv").write_text(folder)
        run.artifact(tmp_path / folder / "preds.csv", folder)  # P48
    assert [entry.path for entry in tracking.client.list_artifacts(run.run_id, "a")] == ["a/preds.csv"]
    assert [entry.path for entry in tracking.client.list_artifacts(run.run_id, "b")] == ["b/preds.csv"]


def test_page_opens_in_the_view_for_training(tracking):
    assert tracking.page("abc").endswith("/runs/abc?workflowType=machine_learning")


def test_load_of_the_machine_is_logged_and_goes_on_where_a_run_is_resumed(tracking, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    run = tracking.open("run")
    first = _points_of_load(tracking, run)
    assert min(first) == 0
    again = _points_of_load(tracking, tracking.open("run", resume=run.run_id))
    assert again == list(range(len(again))), "no point twice"
    assert len(again) > len(first)


def _points_of_load(tracking, run):
    """Steps of the memory's curve after a second under watch."""
    with run.watched():
        time.sleep(1)
    history = tracking.client.get_metric_history(run.run_id, "system/system_memory_usage_megabytes")
    return sorted(entry.step for entry in history)
