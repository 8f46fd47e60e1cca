"""Training in several processes gives what one process gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from safetensors.numpy import load_file

SETTINGS = ("model.head.dropout=0", "train.batch_size=8", "train.epochs=3")  # what is dropped at random depends on the process


def torchrun(processes: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "cxr"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launch, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def compare(folder: Path, one: str, other: str) -> None:
    """Weights, curves and steps of two trainings; AUROCs are counts of pairs, of which rounding may turn one."""
    weights = [load_file(folder / f"{name}/train/model.safetensors") for name in (one, other)]
    assert weights[0].keys() == weights[1].keys()
    for key in weights[0]:
        np.testing.assert_allclose(weights[0][key], weights[1][key], atol=1e-5, err_msg=key)
    curves = [pd.read_csv(folder / f"{name}/train/history.csv") for name in (one, other)]
    assert list(curves[0]) == list(curves[1])
    for name in ("epoch", "train/loss", "train/objective", "train/gradient_norm", "train/ema_distance"):
        np.testing.assert_allclose(curves[0][name], curves[1][name], rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(curves[0]["val/auroc_macro"], curves[1]["val/auroc_macro"], atol=0.01)


@pytest.fixture
def prepared(small_pipeline, command) -> Path:
    """The pipeline definition, split and trained by one process as `whole`."""
    for stage in ("ingest", "split"):
        assert command(stage, small_pipeline, *SETTINGS).code == 0
    for stage in ("ingest", "split", "train"):
        assert command(stage, small_pipeline, *SETTINGS, "name=whole").code == 0
    return small_pipeline


def test_two_processes_give_the_result_of_one(prepared, command):
    runs = prepared.parent / "runs"
    outcome = torchrun(2, "train", prepared, *SETTINGS)
    assert outcome.returncode == 0, outcome.stderr
    compare(runs, "whole", "small")
    assert outcome.stdout.count("best validation AUROC") == 1, "only the first process tells"
    client = MlflowClient(f"sqlite:///{runs / 'mlflow.db'}")
    tracked = client.search_runs([client.get_experiment_by_name("small").experiment_id], "attributes.run_name = 'train'")
    assert len(tracked) == 1, "only the first process tracks"
    assert tracked[0].data.params["processes"] == "2"
    # what one process has trained, another number of them need not train again
    again = torchrun(2, "train", prepared, *SETTINGS)
    assert again.returncode == 0, again.stderr
    assert "not run again" in again.stdout


def test_stage_that_several_processes_have_no_use_for_is_refused(small_pipeline):
    outcome = torchrun(2, "split", small_pipeline)
    assert outcome.returncode != 0
    assert "of all stages `cxr train` alone has a use for the processes of torchrun" in outcome.stderr


def test_what_the_first_process_refuses_ends_the_others(small_pipeline):
    outcome = torchrun(2, "train", small_pipeline)
    assert outcome.returncode != 0
    assert outcome.stderr.count("error: train: ingest has to run first") == 1


def test_batch_too_small_for_the_processes_is_refused(prepared):
    outcome = torchrun(2, "train", prepared, *SETTINGS, "train.batch_size=1")
    assert outcome.returncode != 0
    assert "raise train.batch_size to at least 4, or start fewer processes" in outcome.stderr
    assert not (prepared.parent / "runs/small/train/stage.json").exists()


def test_training_killed_in_two_processes_goes_on_in_one(prepared, command):
    runs = prepared.parent / "runs"
    killer = prepared.parent / "killer.py"
    killer.write_text(
        "import os, signal, sys\n"
        "import cxr.train.stage as stage\n"
        "save, calls = stage.save_state, []\n"
        "def dying(path, state):\n"
        "    save(path, state)\n"
        "    calls.append(path)\n"
        "    if len(calls) == 2:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "stage.save_state = dying\n"
        "from cxr.cli.main import main\n"
        "main()\n"
    )
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(killer), "train", str(prepared)]
    killed = subprocess.run([sys.executable, *launch, *SETTINGS], capture_output=True, text=True, timeout=300)
    assert killed.returncode != 0
    assert json.loads((runs / "small/train/attempt.json").read_text())
    assert command("train", prepared, *SETTINGS).code == 0
    compare(runs, "whole", "small")


DELAY = """
import os, sys, time
import cxr.train.stage as stage
if os.environ["RANK"] == "1":
    {late}
from cxr.cli.main import main
main()
"""


def run_changed(folder: Path, late: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Two processes of which the second is changed by a line of code."""
    (folder / "changed.py").write_text(DELAY.format(late=late))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(folder / "changed.py")]
    command = [sys.executable, *launch, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_a_process_that_ends_late_changes_nothing_that_was_recorded(prepared, command):
    late = "finish = stage._finish; stage._finish = lambda *a: (time.sleep(3), finish(*a))[1]"
    outcome = run_changed(prepared.parent, late, "train", prepared, *SETTINGS)
    assert outcome.returncode == 0, outcome.stderr
    assert "Warning" not in outcome.stderr
    assert "train      done" in command("status", prepared, *SETTINGS).out.replace("train     done", "train      done")


def test_a_process_that_does_not_see_the_saved_state_stops_all(prepared):
    dying = "import signal; save = stage.save_state; stage.save_state = lambda *a: (save(*a), os.kill(os.getpid(), 9))"
    (prepared.parent / "dies.py").write_text(DELAY.format(late="pass").replace("from cxr.cli", f"{dying}\nfrom cxr.cli"))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(prepared.parent / "dies.py")]
    killed = subprocess.run([sys.executable, *launch, "train", str(prepared), *SETTINGS], capture_output=True, timeout=300)
    assert killed.returncode != 0
    assert (prepared.parent / "runs/small/train/last.pt").exists()
    outcome = run_changed(prepared.parent, "stage.load_state = lambda path: None", "train", prepared, *SETTINGS)
    assert outcome.returncode != 0
    assert "1 of 2 processes see other images or another saved state than the first" in outcome.stderr
    assert not (prepared.parent / "runs/small/train/stage.json").exists()


def test_fewer_images_at_a_time_than_processes_are_validated(prepared):
    outcome = torchrun(2, "train", prepared, *SETTINGS, "train.micro_batch=1", "train.epochs=1")
    assert outcome.returncode == 0, outcome.stderr
