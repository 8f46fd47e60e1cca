"""The shipped quick start, on a cohort small enough for a test: phantom to report, and what became of every file and cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.manifest import read_manifest
from cxr.phantom.cohort import read_masks

PIPELINE = Path(__file__).parent.parent.parent / "pipelines" / "quickstart.yaml"


@pytest.fixture
def finished(module_workspace, command):
    overrides = ["source.patients=240", "source.matrix=192", "train.epochs=14"]
    outcome = command("run", PIPELINE, f"workspace={module_workspace}", *overrides)
    assert outcome.code == 0, outcome.err
    return module_workspace / "quickstart"


def test_a_small_cohort_is_learned_far_better_than_guessing(finished):
    metrics = pd.read_csv(finished / "evaluate/metrics.csv").set_index("label")
    assert metrics["auroc"].mean() > 0.7
    assert metrics.loc["Cardiomegaly", "auroc"] > 0.85  # of few patients: where all are told apart there is no interval


def test_every_good_file_is_taken_and_every_broken_one_listed_with_its_reason(finished):
    files = pd.read_csv(finished / "ingest/files.csv").set_index("file")
    truth = pd.read_csv(finished / "phantom/truth.csv")
    good = files.loc[truth["file"]].fillna({"codes": ""})
    inverted = (truth["photometric"] == "MONOCHROME1").to_numpy()
    assert (good["codes"] == np.where(inverted, "inverted", "")).all()
    assert (good["outcome"] == np.where(inverted, "corrected", "accepted")).all()
    broken = pd.read_csv(finished / "phantom/broken.csv").set_index("defect")["file"]
    codes = files.loc[broken, "codes"].set_axis(broken.index)
    expected = {
        "truncated": "truncated",
        "text": "unreadable",
        "empty": "empty",
        "no_pixel_data": "no-pixels",
        "screenshot": "colour",
        "constant": "constant",
    }
    assert codes.to_dict() == expected


def test_cohort_has_the_encodings_of_a_hospital(finished):
    truth = pd.read_csv(finished / "phantom/truth.csv")
    assert truth["transfer_syntax"].nunique() >= 8
    assert set(truth["photometric"]) == {"MONOCHROME1", "MONOCHROME2"}
    assert set(truth["bits"]) == {8, 12, 16}
    assert truth.groupby("patient").size().max() > 1


def test_uncertain_and_blank_cells_stay_apart_to_the_last_column(finished):
    table = pd.read_csv(finished / "phantom/dicom/labels.csv", dtype=str, keep_default_na=False).set_index("SOPInstanceUID")
    manifest = read_manifest(finished / "ingest/manifest.parquet")
    files = pd.read_csv(finished / "ingest/files.csv").set_index("image_id")["file"]
    truth = pd.read_csv(finished / "phantom/truth.csv").set_index("file")["SOPInstanceUID"]
    rows = table.loc[truth.loc[files.loc[manifest.frame["image_id"]]]]
    meaning = {"1": "1", "0": "0", "-1": "uncertain", "": "unknown"}
    for name in manifest.label_names:
        assert rows[name].map(meaning).tolist() == manifest.frame[name].astype(str).tolist()
        assert {"uncertain", "unknown"} <= set(manifest.frame[name])


def test_true_masks_are_kept_for_every_image(finished):
    truth = pd.read_csv(finished / "phantom/truth.csv").set_index("SOPInstanceUID")
    for uid in truth.index[:20]:
        masks = read_masks(finished / "phantom/masks" / f"{uid}.png")
        assert {name for name, mask in masks.items() if mask.any()} == {name for name in masks if truth.loc[uid, name] == 1}
