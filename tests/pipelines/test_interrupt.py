"""Ctrl-C and kill -9 leave a state from which the same command goes on, to the result of an uninterrupted run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from safetensors.numpy import load_file


def start(pipeline: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cxr", "run", str(pipeline), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(condition, process: subprocess.Popen[str], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "ended before it could be interrupted: " + "".join(process.communicate())
        assert time.monotonic() < end, "did not get so far"
        time.sleep(0.02)


def metrics_of_train(folder: Path):
    client = MlflowClient(f"sqlite:///{folder / 'runs' / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("small").experiment_id])
    train = [run for run in runs if run.info.run_name == "train"]
    assert len(train) == 1, "the interrupted run must be gone on with, not followed by another"
    assert sum("mlflow.parentRunId" not in run.data.tags for run in runs) == 1
    history = client.get_metric_history(train[0].info.run_id, "val/auroc_macro")
    return [(entry.step, entry.value) for entry in history]


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_training_stopped_midway_ends_as_an_uninterrupted_one(small_pipeline, command, kind):
    folder = small_pipeline.parent
    process = start(small_pipeline, "train.epochs=12")
    train = folder / "runs/small/train"
    wait_until(lambda: (train / "last.pt").exists(), process)
    time.sleep(0.05)
    process.send_signal(kind)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if kind == signal.SIGINT else -signal.SIGKILL)
    if kind == signal.SIGINT:
        assert err.strip().endswith("stopped; the same command goes on from here")
    assert not (train / "stage.json").exists()

    assert "it was begun and not finished; it goes on" in command("status", small_pipeline, "train.epochs=12").out
    assert command("run", small_pipeline, "train.epochs=12").code == 0
    assert command("run", small_pipeline, "train.epochs=12", "name=whole").code == 0
    stopped, whole = (load_file(folder / f"runs/{name}/train/model.safetensors") for name in ("small", "whole"))
    assert all((stopped[key] == whole[key]).all() for key in whole)
    steps = metrics_of_train(folder)
    assert [step for step, _ in steps] == list(range(1, 13))


def test_stop_before_anything_was_written_goes_on(small_pipeline, command):
    process = start(small_pipeline)
    wait_until(lambda: (small_pipeline.parent / "runs/small/ingest/attempt.json").exists(), process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    outcome = command("run", small_pipeline)
    assert outcome.code == 0, outcome.err


def test_interrupted_attempt_of_another_configuration_is_not_gone_on_with(small_pipeline, command):
    folder = small_pipeline.parent
    process = start(small_pipeline, "train.epochs=40")
    wait_until(lambda: (folder / "runs/small/train/last.pt").exists(), process)
    process.kill()
    process.communicate(timeout=60)
    assert command("run", small_pipeline, "train.epochs=2").code == 0
    record = json.loads((folder / "runs/small/train/stage.json").read_text())
    assert record["counts"]["epochs"] == 2


def test_second_command_on_the_same_pipeline_is_refused_while_the_first_runs(small_pipeline, command):
    process = start(small_pipeline, "train.epochs=200")
    wait_until(lambda: (small_pipeline.parent / "runs/small/train").exists(), process)
    outcome = command("run", small_pipeline, "train.epochs=200")
    process.kill()
    process.communicate(timeout=60)
    assert outcome.code == 2
    assert "another cxr command is at work here" in outcome.err
