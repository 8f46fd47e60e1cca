"""`cxr localise` on pipelines: published images with boxes, a synthetic cohort with masks, and what goes wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from cxr.manifest import read_manifest
from tests.serve.models import write_model

HEADER = "image,label,x,y,width,height\n"


def boxes_of(folder: Path, path: Path) -> Path:
    """Where the drawn set has its findings, for all test images whether they have them or not."""
    rows = []
    for stem in read_manifest(folder / "split" / "test.parquet").frame["source_name"]:
        rows += [f"{stem}.png,Mass,20,18,24,24", f"{stem}.png,Effusion,0,56,64,16", f"{stem}.png,Fracture,0,0,9,9"]
    path.write_text(HEADER + "\n".join([*rows, "elsewhere.png,Mass,1,1,9,9"]), encoding="utf-8")
    return path


def halve(data: Path) -> None:
    """Every second patient is a test patient, so that there are enough for figures."""
    names = [name for path in data.glob("*_list.txt") for name in path.read_text().split()]
    lists: dict[bool, list[str]] = {True: [], False: []}
    for name in sorted(names):
        lists[int(name[:8]) % 2 == 0].append(name)
    (data / "test_list.txt").write_text("\n".join(lists[True]) + "\n")
    (data / "train_val_list.txt").write_text("\n".join(lists[False]) + "\n")


def test_the_maps_of_a_pipeline_are_judged_against_boxes(small_pipeline: Path, command: Any) -> None:
    base = small_pipeline.parent
    halve(base / "data")
    assert command("run", small_pipeline).code == 0
    folder, out = base / "runs" / "small", base / "out"
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    boxes = boxes_of(folder, base / "boxes.csv")
    told = command("localise", folder, "--boxes", boxes, "--out", out, "--occlusion", 3, "--pictures", 2)
    assert told.code == 0, told.err
    assert "maps of 4 x 4 cells" in told.out
    assert "highest place in the finding" in told.out
    assert "3 images covered by 225 patches each" in told.out
    test = read_manifest(folder / "split" / "test.parquet")
    positive = test.label_codes() == 1
    assert f"left out   {len(test)}: 'Fracture' is no label of the model" in told.out
    assert "left out   1: no image of this side has the name" in told.out
    assert f"left out   {int((~positive).sum())}: the label table does not say that the finding is there" in told.out
    pairs = pd.read_csv(out / "pairs.csv")
    assert len(pairs) == positive.sum()
    assert set(pairs["patient_id"]) <= set(test.frame["patient_id"])
    assert pairs.loc[pairs["label"] == "Mass", "share"].to_numpy() == pytest.approx((24 / 72) ** 2, abs=0.02)
    assert pairs.loc[pairs["label"] == "Effusion", "share"].to_numpy() == pytest.approx(64 * 16 / 72**2, abs=0.02)
    np.testing.assert_allclose(pairs["energy_even"], pairs["share"], atol=1e-6)
    assert pairs["rank_correlation"].notna().sum() >= 3
    labels = pd.read_csv(out / "localisation.csv").set_index("label")
    assert labels.loc["all", "pairs"] == len(pairs)
    assert labels.loc["all", "energy"] == pytest.approx(pairs["energy"].mean())
    assert labels.loc["all", "energy_low"] < labels.loc["all", "energy"] < labels.loc["all", "energy_high"]
    written = json.loads((out / "localisation.json").read_text(encoding="utf-8"))
    assert written["model"]["map_grid"] == [4, 4]
    assert str(base) not in (out / "localisation.json").read_text(encoding="utf-8")
    assert len(list(out.glob("best-*.png"))) == len(list(out.glob("worst-*.png"))) == 2
    assert before == sorted(path.relative_to(folder) for path in folder.rglob("*"))  # the pipeline is only read


@pytest.fixture(scope="module")
def built() -> dict[str, Path]:
    """Keeps the folder of a cohort for the tests of this file, which only read it."""
    return {}


@pytest.fixture
def cohort_folder(built: dict[str, Path], module_workspace: Path, command: Any) -> Path:
    """The folder of a synthetic cohort that is drawn, read and divided; its model has random weights."""
    if built:
        return built["folder"]
    definition = {
        "name": "drawn",
        "workspace": str(module_workspace),
        "labels": "phantom",
        "source": {"kind": "phantom", "patients": 40, "images_per_patient": 1, "matrix": 64},
        "ingest": {"size": 32, "workers": 1},
        "split": {"test_fraction": 0.4, "val_fraction": 0.4, "alike": "allow"},
        "model": {"backbone": "vit_tiny_patch16_224"},
        "train": {"epochs": 1},
    }
    path = module_workspace / "drawn.yaml"
    path.write_text(yaml.safe_dump(definition), encoding="utf-8")
    for stage in ("phantom", "ingest", "split"):
        told = command(stage, path)
        assert told.code == 0, told.err
    folder = module_workspace / "drawn"
    names = read_manifest(folder / "split" / "test.parquet").label_names
    (folder / "calibrate").mkdir()
    write_model(folder / "calibrate" / "model.safetensors", names=names)
    built["folder"] = folder
    return folder


@pytest.mark.parametrize("side", ["test", "validation"])
def test_the_masks_of_a_cohort_are_found_for_both_sides(cohort_folder: Path, tmp_path: Path, command: Any, side: str) -> None:
    out = tmp_path / "out"
    told = command("localise", cohort_folder, "--masks", cohort_folder / "phantom" / "masks", "--out", out, "--side", side)
    assert told.code == 1, told.err  # the cohort is too small for a figure
    assert f"on the {side} side" in told.out
    assert "too few" in told.out
    table = "test.parquet" if side == "test" else "development.parquet"
    manifest = read_manifest(cohort_folder / "split" / table).where("test" if side == "test" else "val")
    assert len(pd.read_csv(out / "pairs.csv")) == (manifest.label_codes() == 1).sum()


def test_images_of_which_no_mask_is_there_are_counted(cohort_folder: Path, tmp_path: Path, command: Any) -> None:
    masks = tmp_path / "masks"
    shutil.copytree(cohort_folder / "phantom" / "masks", masks)
    manifest = read_manifest(cohort_folder / "split" / "test.parquet")
    has = (manifest.label_codes() == 1).sum(axis=1)
    row = int(np.flatnonzero(has)[0])
    (masks / f"{manifest.frame['instance_uid'].iloc[row]}.png").unlink()
    told = command("localise", cohort_folder, "--masks", masks, "--out", tmp_path / "out")
    assert f"left out   {has[row]}: no mask has the name of the image" in told.out


def test_too_few_images_end_with_exit_code_1_and_no_figure(cohort_folder: Path, tmp_path: Path, command: Any) -> None:
    manifest = read_manifest(cohort_folder / "split" / "test.parquet")
    place = int(np.flatnonzero((manifest.label_codes() == 1).any(axis=1))[0])
    label = manifest.label_names[int(np.flatnonzero(manifest.label_codes()[place] == 1)[0])]
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(f"{HEADER}{manifest.frame['instance_uid'].iloc[place]},{label},5,5,40,40\n", encoding="utf-8")
    told = command("localise", cohort_folder, "--boxes", boxes, "--out", tmp_path / "out")
    assert told.code == 1
    assert "too few: 1 image of 1 patient, fewer than 10" in told.out
    labels = pd.read_csv(tmp_path / "out" / "localisation.csv")
    assert labels[["pointing", "energy", "energy_even_gain"]].isna().to_numpy().all()


def test_errors_are_told_in_a_line_and_leave_nothing(cohort_folder: Path, tmp_path: Path, command: Any) -> None:
    masks, out = cohort_folder / "phantom" / "masks", tmp_path / "out"
    other = tmp_path / "boxes.csv"
    other.write_text(f"{HEADER}elsewhere,Edema,5,5,40,40\n", encoding="utf-8")
    cases = [
        ((cohort_folder, "--out", out), "give the truth: --boxes TABLE.csv or --masks FOLDER"),
        ((cohort_folder, "--out", out, "--boxes", other, "--masks", masks), "one of them"),
        ((tmp_path / "none", "--out", out, "--masks", masks), "calibrate/model.safetensors is missing"),
        ((cohort_folder, "--out", out, "--masks", tmp_path / "none"), "none of its 0 files"),
        ((cohort_folder, "--out", out, "--boxes", tmp_path / "none.csv"), "cannot be read as a table"),
        ((cohort_folder, "--out", out, "--boxes", other), "1: no image of this side has the name"),
        ((cohort_folder, "--out", cohort_folder / "maps", "--masks", masks), "--out lies in the folder of the pipeline"),
        ((cohort_folder, "--out", out, "--masks", masks, "--key", other), "cannot be read as a pseudonym key"),
    ]
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    (earlier / "best-01-Mass-t:0001.png").touch()
    cases += [
        ((cohort_folder, "--out", other, "--masks", masks), "is no folder"),
        ((cohort_folder, "--out", earlier, "--masks", masks), "has pictures of an earlier judgement"),
    ]
    for arguments, problem in cases:
        told = command("localise", *arguments)
        assert told.code == 2
        assert problem in told.err
        assert "Traceback" not in told.err
        assert not out.exists()
    assert len(list(earlier.iterdir())) == 1


def test_a_model_without_maps_is_told(cohort_folder: Path, tmp_path: Path, command: Any) -> None:
    folder = tmp_path / "other"
    shutil.copytree(cohort_folder, folder)
    names = read_manifest(folder / "split" / "test.parquet").label_names
    write_model(folder / "calibrate" / "model.safetensors", names=names, head={"pooling": "token"})
    told = command("localise", folder, "--out", tmp_path / "out", "--masks", folder / "phantom" / "masks")
    assert told.code == 2
    assert "no disease maps" in told.err
