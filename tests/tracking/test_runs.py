from __future__ import annotations

import json
from pathlib import Path

import pytest

from cxr.errors import CxrError
from cxr.tracking.runs import DataUsed, Runs
from cxr.tracking.store import Tracking


@pytest.fixture
def tracking(workspace: Path) -> Tracking:
    return Tracking(workspace, "it's a name")


def test_run_comes_with_what_was_logged(tracking):
    parent = tracking.open("small 23 Nov")
    run = tracking.open("train", parent=parent.run_id)
    run.metrics({"test/auroc_macro": 0.5})
    run.dataset("manifest", "f" * 64, "test", {"images": 3})
    run.finish("FINISHED")
    found = Runs(tracking).run(run.run_id)
    assert (found.name, found.status, found.parent) == ("train", "FINISHED", parent.run_id)
    assert found.metrics == {"test/auroc_macro": 0.5}
    assert found.data == (DataUsed("manifest", "f" * 36, json.dumps({"images": 3})),)


def test_runs_are_found_in_every_experiment(tracking, workspace):
    first, second = tracking.open("same"), Tracking(workspace, "other").open("same")
    found = {run.run_id for run in Runs(tracking).named("same")}
    assert found == {first.run_id, second.run_id}
    assert [run.run_id for run in Runs(tracking).begins(second.run_id[:10])] == [second.run_id]


def test_artefact_is_fetched_or_none(tracking, tmp_path):
    run = tracking.open("run")
    (tmp_path / "a.json").write_text("{}")
    run.artifact(tmp_path / "a.json")
    folder = tmp_path / "here"
    folder.mkdir()
    assert Runs(tracking).fetch(run.run_id, "a.json", folder) == folder / "a.json"
    assert Runs(tracking).fetch(run.run_id, "b.json", folder) is None


def test_files_of_a_logged_model_are_fetched_from_any_depth(tracking, tmp_path):
    run, folder = tracking.open("run"), tmp_path / "model"
    (folder / "a" / "b").mkdir(parents=True)
    for name in ("MLmodel", "a/b/w.safetensors"):
        (folder / name).write_text(name)
    logged = tracking.client.create_logged_model(tracking.experiment_id, "model", run.run_id)
    runs = Runs(tracking)
    assert not runs.logged(logged.model_id).ready
    tracking.client.log_model_artifacts(logged.model_id, str(folder))
    tracking.client.finalize_logged_model(logged.model_id, "READY")
    found = runs.logged(logged.model_id)
    assert found.ready
    (file,) = runs.fetch_model(found, ".safetensors", tmp_path / "here")
    assert file.read_text() == "a/b/w.safetensors"


def test_unknown_ids_are_none_and_other_errors_are_told(tracking):
    runs = Runs(tracking)
    tracking.open("run")
    assert runs.run("0" * 32) is None
    assert runs.logged("m-" + "0" * 32) is None
    with pytest.raises(CxrError, match="MLflow at sqlite"):
        runs.tag("0" * 32, "k", "v")


def test_page_of_a_logged_model_names_each_version_once(tracking):
    run, runs = tracking.open("run"), Runs(tracking)
    model_id = tracking.client.create_logged_model(tracking.experiment_id, "model", run.run_id).model_id
    for number in (1, 1, 2):
        runs.link(model_id, "small", number)
    told = json.loads(tracking.client.get_logged_model(model_id).tags["mlflow.modelVersions"])
    assert told == [{"name": "small", "version": 1}, {"name": "small", "version": 2}]
