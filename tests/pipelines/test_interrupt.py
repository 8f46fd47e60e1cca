"""Ctrl-C and kill -9 leave a state from which the same command goes on, to the result of an uninterrupted run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
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
    assert_same_training(folder, epochs=12)


KILLER = """
import io, os, signal, sys
import torch
save, calls = torch.save, []
def dying(state, file):
    calls.append(state)
    if len(calls) < {call}:
        return save(state, file)
    whole = io.BytesIO()
    save(state, whole)
    file.write(whole.getvalue()[: whole.tell() // 2])
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
torch.save = dying
from cxr.cli.main import main
main()
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_training_killed_while_it_writes_a_checkpoint_ends_as_an_uninterrupted_one(small_pipeline, command, seed):
    folder = small_pipeline.parent
    settings = (f"seed={seed}", "train.epochs=3", "train.checkpoint_minutes=0")  # a checkpoint after every step
    (folder / "killer.py").write_text(KILLER.format(call=5 * seed))
    arguments = [sys.executable, str(folder / "killer.py"), "run", str(small_pipeline), *settings]
    killed = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (folder / "runs/small/train/.last.pt.partial").exists(), "it died with half a checkpoint written"
    assert command("run", small_pipeline, *settings).code == 0
    assert command("run", small_pipeline, *settings, "name=whole").code == 0
    assert_same_training(folder, epochs=3)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_training_killed_in_the_middle_of_an_epoch_ends_as_an_uninterrupted_one(small_pipeline, command, seed):
    folder = small_pipeline.parent
    settings = (f"seed={seed}", "train.epochs=10", "train.checkpoint_minutes=0.001")
    process = start(small_pipeline, *settings)
    train = folder / "runs/small/train"
    wait_until(lambda: (train / "last.pt").exists(), process)
    time.sleep(0.1 * seed)
    process.kill()
    process.communicate(timeout=60)
    assert not (train / "stage.json").exists()
    assert command("run", small_pipeline, *settings).code == 0
    assert command("run", small_pipeline, *settings, "name=whole").code == 0
    assert_same_training(folder, epochs=10)


def assert_same_training(folder: Path, epochs: int) -> None:
    """The interrupted training `small` and the uninterrupted `whole`: weights, curves and steps, bit for bit."""
    stopped, whole = (load_file(folder / f"runs/{name}/train/model.safetensors") for name in ("small", "whole"))
    assert stopped.keys() == whole.keys()
    assert all((stopped[key] == whole[key]).all() for key in whole)
    curves = [pd.read_csv(folder / f"runs/{name}/train/history.csv") for name in ("small", "whole")]
    timed = [column for column in curves[0] if column.startswith("time/")]
    pd.testing.assert_frame_equal(*(curve.drop(columns=timed) for curve in curves), check_exact=True)
    assert [step for step, _ in metrics_of_train(folder)] == list(range(1, epochs + 1))


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
