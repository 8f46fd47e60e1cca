"""A whole pipeline through the command line, and what happens when it is run again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from safetensors.numpy import load_file

from cxr.predictions import read_predictions


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("original")


@pytest.fixture
def finished(small_pipeline, command, original, printed):
    """A pipeline that has run once: run by the first test that wants it, copied for the others."""
    if not printed:
        outcome = command("run", small_pipeline)
        assert outcome.code == 0, outcome.err
        printed["out"] = outcome.out
        shutil.copytree(small_pipeline.parent, original, dirs_exist_ok=True)
    else:
        shutil.copytree(original, small_pipeline.parent, dirs_exist_ok=True)
    return printed["out"]


def runs_of(folder: Path):
    client = MlflowClient(f"sqlite:///{folder / 'runs' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("small")
    return client, client.search_runs([experiment.experiment_id])


def test_learns_and_ends_with_table_report_and_the_command_for_mlflow(finished, small_pipeline):
    metrics = pd.read_csv(small_pipeline.parent / "runs/small/evaluate/metrics.csv").set_index("label")
    assert metrics.loc["Effusion", "auroc"] > 0.95
    assert {"Mass", "Effusion"} <= set(metrics.index)
    for text in ("AUROC", "95 % interval", "report.html", "cxr ui ", "small.yaml"):
        assert text in finished


def test_published_split_is_honoured_to_the_image(finished, small_pipeline):
    folder = small_pipeline.parent
    predictions = read_predictions(folder / "runs/small/predict/predictions.parquet")
    test = predictions.where("test").frame["source_name"].str.removeprefix("drawn:")
    assert sorted(test) == [Path(name).stem for name in (folder / "data/test_list.txt").read_text().split()]


def test_second_run_repeats_no_stage_and_says_why(finished, small_pipeline, command):
    before = {path: path.stat().st_mtime_ns for path in (small_pipeline.parent / "runs/small").rglob("*.*")}
    again = command("run", small_pipeline)
    assert again.code == 0
    assert again.out.count("not run again: inputs, configuration and code are unchanged") == 7
    assert "mean" in again.out  # the table of results is shown all the same
    after = {path: path.stat().st_mtime_ns for path in (small_pipeline.parent / "runs/small").rglob("*.*")}
    assert {path for path in after if after[path] != before.get(path)} <= {small_pipeline.parent / "runs/small/.lock"}


def test_changed_key_runs_its_stage_and_those_behind_it(finished, small_pipeline, command):
    status = command("status", small_pipeline, "train.learning_rate=0.002")
    assert "train.learning_rate changed from 0.001 to 0.002" in status.out
    again = command("run", small_pipeline, "train.learning_rate=0.002")
    assert again.code == 0, again.err
    assert again.out.count("not run again") == 2  # ingest and split
    assert again.out.count(" runs: ") == 5


def test_changed_or_missing_output_is_noticed(finished, small_pipeline, command):
    stage = small_pipeline.parent / "runs/small/split"
    (stage / "test.parquet").write_bytes(b"")
    assert "output test.parquet was changed" in command("status", small_pipeline).out
    (stage / "test.parquet").unlink()
    assert "output test.parquet is missing" in command("status", small_pipeline).out


def test_new_source_file_leads_to_a_new_ingest(finished, small_pipeline, command):
    (small_pipeline.parent / "data/images/extra.txt").write_text("a note")
    status = command("status", small_pipeline)
    assert "input source.root changed" in status.out


def test_one_parent_run_with_a_child_per_stage(finished, small_pipeline):
    _, runs = runs_of(small_pipeline.parent)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.info.run_name: run for run in runs if run not in parents}
    assert len(parents) == 1
    assert set(children) == {"ingest", "split", "train", "predict", "calibrate", "evaluate", "decide"}
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {parents[0].info.run_id}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert "test/auroc/Effusion" in parents[0].data.metrics
    assert parents[0].data.params["train.batch_size"] == "16"
    assert parents[0].inputs.dataset_inputs
    assert "Effusion" in parents[0].data.tags["mlflow.note.content"]


def test_report_and_metrics_hang_on_the_parent_run(finished, small_pipeline):
    client, runs = runs_of(small_pipeline.parent)
    parent = next(run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    assert {"report.html", "metrics.csv"} <= {entry.path for entry in client.list_artifacts(parent.info.run_id)}


def test_curves_per_label_are_grouped_on_the_train_run(finished, small_pipeline):
    client, runs = runs_of(small_pipeline.parent)
    train = next(run for run in runs if run.info.run_name == "train")
    for metric in ("val/auroc/Mass", "val/auroc/Effusion", "val/auroc_macro", "branch_weight/Mass"):
        assert [entry.step for entry in client.get_metric_history(train.info.run_id, metric)] == [1, 2, 3, 4], metric


def test_stages_one_by_one_give_the_same_in_one_parent_run(small_pipeline, command):
    for name in ("ingest", "split", "train", "predict", "calibrate", "evaluate", "decide"):
        outcome = command(name, small_pipeline)
        assert outcome.code == 0, outcome.err
    _, runs = runs_of(small_pipeline.parent)
    assert sum("mlflow.parentRunId" not in run.data.tags for run in runs) == 1
    assert command("run", small_pipeline).out.count("not run again") == 7


def test_stage_before_its_turn_names_what_has_to_run_first(small_pipeline, command):
    outcome = command("train", small_pipeline)
    assert outcome.code == 2
    assert outcome.err.startswith("error: train: ingest has to run first")


def test_two_fresh_runs_give_the_same_weights(finished, small_pipeline, command):
    outcome = command("run", small_pipeline, "name=again")
    assert outcome.code == 0, outcome.err
    first, second = (load_file(small_pipeline.parent / f"runs/{name}/train/model.safetensors") for name in ("small", "again"))
    assert first.keys() == second.keys()
    assert all((first[key] == second[key]).all() for key in first)


def test_record_names_environment_counts_and_outputs(finished, small_pipeline):
    record = json.loads((small_pipeline.parent / "runs/small/ingest/stage.json").read_text())
    assert {"python", "torch", "timm"} <= set(record["environment"])
    assert record["counts"]["images"] == 90
    assert {"manifest.parquet", "files.csv", "store/shard-00000.npy"} <= set(record["outputs"])


def test_no_absolute_path_of_this_machine_is_logged(finished, small_pipeline):
    _, runs = runs_of(small_pipeline.parent)
    for run in runs:
        logged = {**run.data.params, **{k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.user")}}
        assert not [key for key, value in logged.items() if str(small_pipeline.parent) in value]
