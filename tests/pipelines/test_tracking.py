"""Whole pipelines and where they are tracked: a server, a moved folder, awkward labels, stages used again, the right page."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.tracking._tracking_service import utils

from cxr.record import read_record
from cxr.tracking.store import Tracking
from tests.pipelines.conftest import Command

QUICK = "train.epochs=1"
LONGER = "train.epochs=2"
PATIENCE = 90
"""Seconds within which a server must have started."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated_store: Path) -> Iterator[str]:
    """The address of a tracking server with a store of its own, which also keeps the artefacts."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "mlflow.db").write_bytes(migrated_store.read_bytes())
    port = free_port()
    places = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")]
    command = [sys.executable, "-m", "mlflow", "server", *places, "--serve-artifacts"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def wait_for(address: str, process: subprocess.Popen[Any]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.skip("the tracking server did not start on this machine")


def parents(client: MlflowClient, name: str) -> list[Any]:
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], "tags.`cxr.kind` = 'pipeline'"))


def embedded(workspace: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{workspace / 'mlflow.db'}")


def test_whole_pipeline_is_tracked_on_a_server_and_nothing_of_it_in_the_folder(
    small_pipeline: Path, command: Command, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    outcome = command("run", small_pipeline, QUICK)
    assert outcome.code == 0, outcome.err
    client = MlflowClient(server)
    (parent,) = parents(client, "small")
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["mlflow.note.content"].startswith("**What data**")
    assert {"report.html", "decision.json"} <= {entry.path for entry in client.list_artifacts(parent.info.run_id)}
    model_id = parent.data.tags["cxr.model_id"]
    assert str(client.get_logged_model(model_id).status) == "READY"
    assert "MLmodel" in [entry.path for entry in client.list_logged_model_artifacts(model_id)]
    own = small_pipeline.parent / "runs"
    assert not (own / "mlartifacts").exists()
    assert [experiment.name for experiment in embedded(own).search_experiments()] == ["Default"]

    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    shown = command("ui", small_pipeline, "--browser")
    assert shown.code == 0
    place = f"experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}"
    assert opened == [f"{server}/#/{place}?workflowType=machine_learning"]
    assert opened[0] in shown.out
    Tracking(small_pipeline.parent / "runs", "small").open("another", whole=True)
    command("ui", small_pipeline, "--browser")
    assert opened[1].endswith("viewStateShareKey=cxr-scoreboard"), "all of them, where there are several"


def test_no_browser_is_opened_without_a_display_and_it_is_said(
    small_pipeline: Path, command: Command, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("webbrowser.open", lambda address: pytest.fail(f"{address} was opened"))
    shown = command("ui", small_pipeline, "name=never-run")
    assert shown.code == 0
    assert "No display here" in shown.out
    assert "The latest run" not in shown.out
    assert "No display" not in command("ui", small_pipeline, "--no-browser").out


AWKWARD = {
    "english": ("Lung Opacity (any)", "Nodule/Mass"),
    "german": ("Überblähung", "Uberblahung"),
    "chinese": ("肺炎", "气胸"),
}


@pytest.mark.parametrize("names", AWKWARD.values(), ids=AWKWARD)
def test_awkward_vocabularies_are_logged_without_loss(small_pipeline: Path, command: Command, names: tuple[str, str]) -> None:
    folder = small_pipeline.parent
    pairs = zip(names, ("Mass", "Effusion"), strict=True)
    labels = [{"name": name, "blank": "negative", "synonyms": [inside]} for name, inside in pairs]
    (folder / "labels.yaml").write_text(yaml.safe_dump({"name": "two", "labels": labels}, allow_unicode=True))
    outcome = command("run", small_pipeline, QUICK)
    assert outcome.code == 0, outcome.err
    client = embedded(folder / "runs")
    (parent,) = parents(client, "small")
    table = pd.read_csv(client.download_artifacts(parent.info.run_id, "label_names.csv"))
    keys = dict(zip(table["label"], table["name_in_mlflow"], strict=True))
    written = pd.read_csv(folder / "runs/small/evaluate/metrics.csv").set_index("label")["auroc"]
    assert set(written.index) == set(names), "files keep the names as they are"
    for name in names:
        assert parent.data.metrics[f"test/auroc/{keys.get(name, name)}"] == pytest.approx(written[name])
    train = read_record(folder / "runs/small/train")
    assert train is not None
    logged = client.get_run(train.run_id).data.metrics
    for group in ("val/auroc", "branch_weight", "loss_weight", "positives_an_epoch"):
        assert {key for key in logged if key.startswith(f"{group}/")} == {f"{group}/{keys.get(name, name)}" for name in names}


def test_moved_working_folder_goes_on_where_it_lies(small_pipeline: Path, command: Command, tmp_path: Path) -> None:
    assert command("run", small_pipeline, QUICK).code == 0
    moved = tmp_path / "another disk"
    (small_pipeline.parent / "runs").rename(moved)
    outcome = command("run", small_pipeline, LONGER, f"workspace={moved}")
    assert outcome.code == 0, outcome.err
    utils._artifact_repos_cache.clear()  # of this process: a moved folder is opened by another one
    client = embedded(moved)
    new, old = parents(client, "small")
    assert not (small_pipeline.parent / "runs").exists()
    for number, run in enumerate((new, old)):
        (tmp_path / str(number)).mkdir()
        page = client.download_artifacts(run.info.run_id, "report.html", str(tmp_path / str(number)))
        assert Path(page).stat().st_size
        assert [entry.path for entry in client.list_logged_model_artifacts(run.data.tags["cxr.model_id"])]


def test_run_that_uses_stages_again_tells_the_whole_answer(small_pipeline: Path, command: Command) -> None:
    assert command("run", small_pipeline, QUICK).code == 0
    assert command("run", small_pipeline, QUICK, "evaluate.resamples=110").code == 0
    client = embedded(small_pipeline.parent / "runs")
    second, first = parents(client, "small")
    assert second.info.run_id != first.info.run_id
    reused = {name for name in second.data.tags if name.startswith("reused.")}
    assert reused == {f"reused.{stage}" for stage in ("ingest", "split", "train", "predict", "calibrate")}
    assert set(second.data.metrics) == set(first.data.metrics)
    assert set(second.data.params) == set(first.data.params)
    files, same = ([entry.path for entry in client.list_artifacts(run.info.run_id)] for run in (first, second))
    assert files == same
    data = [{(e.dataset.name, e.dataset.digest) for e in run.inputs.dataset_inputs} for run in (first, second)]
    assert data[0] == data[1]
    assert second.data.tags["cxr.model_id"] == first.data.tags["cxr.model_id"]
    lines = second.data.tags["mlflow.note.content"].splitlines()
    questions = ("What data", "What labels", "How good", "How sure", "Against what", "What next")
    assert [line.partition(":")[0] for line in lines[:6]] == [f"**{question}**" for question in questions]


def test_stages_run_one_by_one_make_one_run_and_a_stage_run_again_is_no_longer_called_used(
    small_pipeline: Path, command: Command
) -> None:
    assert command("run", small_pipeline, QUICK).code == 0
    assert command("train", small_pipeline, LONGER).code == 0
    client = embedded(small_pipeline.parent / "runs")
    second, _ = parents(client, "small")
    assert "reused.split" in second.data.tags
    (small_pipeline.parent / "runs/small/split/split.csv").unlink()  # damaged, so made again
    for stage in ("split", "train", "predict", "calibrate", "evaluate", "decide"):
        outcome = command(*(("run",) if stage == "decide" else (stage,)), small_pipeline, LONGER)
        assert outcome.code == 0, outcome.err
    assert len(parents(client, "small")) == 2
    again = client.get_run(second.info.run_id)
    assert "reused.split" not in again.data.tags
    assert "reused.ingest" in again.data.tags


def test_run_of_the_whole_shows_what_its_user_has_set_first_and_all_of_it_as_a_file(
    small_pipeline: Path, command: Command
) -> None:
    assert command("run", small_pipeline, QUICK).code == 0
    client = embedded(small_pipeline.parent / "runs")
    (parent,) = parents(client, "small")
    names = list(parent.data.params)
    assert names[0] == "label_set"
    assert names.index("train.epochs") < names.index("train.weight_decay")
    assert names.index("split.val_fraction") < names.index("train.weight_decay")
    whole = yaml.safe_load(Path(client.download_artifacts(parent.info.run_id, "configuration.yaml")).read_text())
    assert whole["train"]["epochs"] == 1
    assert whole["train"]["weight_decay"] == float(parent.data.params["train.weight_decay"])
    assert str(small_pipeline.parent) not in json.dumps(whole), "where files lie is nobody's business"
