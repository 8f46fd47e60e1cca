"""`cxr bundle`, and MONAI's own runner on what it writes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cxr
from tests.serve.models import NAMES, chest, write_model

ROOT = str(Path(cxr.__file__).parents[1])
_BUNDLE = [sys.executable, "-m", "monai.bundle"]


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    folder = tmp_path / "studies"
    (folder / "one").mkdir(parents=True)
    for number in range(3):
        (folder / "one" / f"chest{number}.dcm").write_bytes(chest(number))
    (folder / "lateral.dcm").write_bytes(chest(4, ViewPosition="LL"))
    (folder / "broken.dcm").write_bytes(chest(5)[:-300])
    (folder / "notes.txt").write_text("no image")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("inside.dcm", chest(6))
    return folder


def test_monai_runs_the_bundle_and_says_what_cxr_predict_says(tmp_path: Path, studies: Path, command: Any) -> None:
    model = write_model(tmp_path / "m.safetensors")
    told = command("bundle", model, "--out", tmp_path / "chest_classification")
    assert told.code == 0, told.err
    assert "chest_classification: MONAI bundle, 3 labels, images of 32 x 32 pixels" in told.out
    assert "compared with the model on 16 phantom images" in told.out
    assert "MONAI Label" not in told.out
    run = [
        *_BUNDLE,
        "run",
        "--config_file",
        "configs/inference.json",
        "--dataset_dir",
        studies,
        "--output_dir",
        tmp_path / "out",
    ]
    environment = {**os.environ, "PYTHONPATH": ROOT, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(run, cwd=tmp_path / "chest_classification", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "4 of 7 files scored" in done.stdout
    assert "lateral.dcm" not in done.stdout + done.stderr  # names stay in the answer
    found = pd.read_csv(tmp_path / "out" / "answer.csv")
    assert command("predict", "--model", model, studies, "--out", tmp_path / "cxr.csv").code == 1
    expected = pd.read_csv(tmp_path / "cxr.csv")
    assert (f"{studies}/" + found["file"]).tolist() == expected["file"].tolist()
    for column in ("outcome", "codes", "reason", *(f"yes/{name}" for name in NAMES)):
        assert found[column].astype(str).tolist() == expected[column].astype(str).tolist(), column
    scores = found[list(NAMES)].to_numpy()
    assert np.isnan(scores).all(axis=1).sum() == 3
    assert scores == pytest.approx(expected[list(NAMES)].to_numpy(), abs=1e-6, nan_ok=True)
    assert np.nanstd(scores, axis=0).min() > 1e-4  # files differ, so that agreement says something


def test_a_network_that_the_calibration_is_not_of_is_pointed_out(tmp_path: Path, command: Any) -> None:
    model = write_model(tmp_path / "m.safetensors", heads=(1, 2), network="2 of 2 attention heads")
    told = command("bundle", model, "--out", tmp_path / "chest", "--heads", 1)
    assert told.code == 0, told.err
    assert "MONAI bundle, 1 attention heads, 3 labels" in told.out
    assert "the bundle gives scores, and no yes or no" in told.out
    assert 'for Label put "classification" into its name' in told.out


def test_errors_are_told_in_a_line(tmp_path: Path, command: Any) -> None:
    model = write_model(tmp_path / "m.safetensors")
    for options, problem in (
        (("--out", tmp_path), "no bundle that could be replaced"),
        (("--out", tmp_path / "no" / "where"), "does not exist"),
        (("--out", tmp_path / "new", "--images", "nowhere"), "give the folder of a pipeline"),
    ):
        told = command("bundle", model, *options)
        assert told.code == 2
        assert problem in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
