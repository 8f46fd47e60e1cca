"""`cxr predict` on files: never a silent score, the numbers of the pipeline, and the same however the files come."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from cxr.config import IngestConfig
from cxr.ingest.deidentify import make_key
from cxr.ingest.outcome import CODES, TAKEN
from cxr.ingest.store import ImageStore
from cxr.manifest import read_manifest
from cxr.model.card import read_card
from cxr.predict import inputs, reading
from cxr.predict.pictures import Drawing
from cxr.predict.predictor import Predictor
from cxr.predictions import read_predictions
from cxr.tracking.served import write_served
from tests.conftest import SHARED, SMALL_MODEL
from tests.ingest.corpus import CORPUS
from tests.predict.hostile import HostileFiles
from tests.serve.models import NAMES, chest, write_model

YES = [f"yes/{name}" for name in NAMES]


@pytest.fixture(autouse=True)
def _one_thread(one_torch_thread: None) -> None:
    """Every test of this file."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten radiographs."""
    (tmp_path / "in").mkdir()
    for patient in range(10):
        (tmp_path / "in" / f"{patient}.dcm").write_bytes(chest(patient))
    return tmp_path / "in"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(rows: list[dict[str, str]]) -> np.ndarray:
    return np.array([[float(row[name]) for name in NAMES] for row in rows])


def test_of_200_files_20_are_broken_and_listed_and_the_exit_code_says_so(model, folder, tmp_path, command):
    for number in range(10, 200):
        broken = chest(number % 10)[: 40 + number] if number >= 180 else chest(number % 10)
        (folder / f"{number}.dcm").write_bytes(broken)
    out = tmp_path / "answer.csv"
    outcome = command("predict", "--model", model, folder, "--out", out)
    assert outcome.code == 1, outcome.err
    assert re.search(r"^180 +scored", outcome.out, re.MULTILINE)
    assert "20 files are not scored" in outcome.out
    rows = table(out)
    left_out = [row for row in rows if row["outcome"] not in TAKEN]
    assert (len(rows), len(left_out)) == (200, 20)
    assert {int(Path(row["file"]).stem) for row in left_out} == set(range(180, 200))
    assert all(row["codes"] and row["reason"] and not any(row[name] for name in (*NAMES, *YES)) for row in left_out)
    assert len(table(tmp_path / "answer.studies.csv")) == 10


def digests(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("workers", [0, 2])
def test_odd_files_get_their_documented_codes_and_a_number_only_where_they_are_taken(model, tmp_path, command, workers):
    (tmp_path / "odd").mkdir()
    for file in CORPUS:
        (tmp_path / "odd" / f"{file.name}.dcm").write_bytes(file.build())
    out, before = tmp_path / "answer.csv", digests(tmp_path / "odd")
    outcome = command("predict", "--model", model, tmp_path / "odd", "--out", out, "--workers", workers)
    assert outcome.code == 1, outcome.err
    assert digests(tmp_path / "odd") == before, "the sources are left as they are"
    rows = {Path(row["file"]).stem: row for row in table(out)}
    assert len(rows) == len(CORPUS) > 40
    for file in CORPUS:
        row = rows[file.name]
        assert (row["outcome"], sorted(row["codes"].split())) == (file.outcome, sorted(file.codes)), file.name
        taken = file.outcome in TAKEN
        assert all(bool(row[name]) == taken for name in NAMES), file.name
        assert not taken or all(0 <= float(row[name]) <= 1 for name in NAMES)
        assert not row["yes/Mass"] or taken
        assert row["reason"].startswith(CODES[file.codes[0]][1]) if file.codes else row["reason"] == "taken as it is"


def test_neither_workers_nor_batches_nor_the_order_of_inputs_change_a_number(model, folder, tmp_path, command):
    (folder / "broken").write_bytes(b"")
    found = []
    for place, given in enumerate(([], ["--workers", 2, "--batch", 3], ["--workers", 0, "--batch", 1])):
        inputs = sorted(folder.iterdir())[:: -1 if place else 1]
        out = tmp_path / f"{place}.csv"
        assert command("predict", "--model", model, *inputs, "--out", out, *given).code == 1
        rows = sorted(table(out), key=lambda row: row["file"])
        assert rows.pop()["codes"] == "empty"
        found.append((numbers(rows), [[row[name] for name in ("file", "codes", *YES)] for row in rows]))
    for values, texts in found[1:]:
        np.testing.assert_allclose(values, found[0][0], atol=1e-6)
        assert texts == found[0][1]


def test_a_file_has_the_same_number_in_a_folder_an_archive_and_an_archive_inside_one(model, folder, tmp_path, command):
    with zipfile.ZipFile(folder / "inner.zip", "w") as archive:
        archive.writestr("x/3.dcm", chest(3))
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(folder / "inner.zip", "y/inner.zip")
        archive.writestr("4.dcm", chest(4))
    out = tmp_path / "answer.csv"
    inputs = [folder, tmp_path / "outer.zip", folder / "3.dcm"]
    assert command("predict", "--model", model, *inputs, "--out", out).code == 0
    rows = {row["file"]: row for row in table(out)}
    assert len(rows) == 13  # the file that stands in two inputs once
    inside = f"{tmp_path}/outer.zip!/y/inner.zip!/x/3.dcm"
    alike = [rows[name] for name in (f"{folder}/3.dcm", f"{folder}/inner.zip!/x/3.dcm", inside)]
    assert np.ptp(numbers(alike), axis=0).max() < 1e-6
    studies = {row["study_uid"]: row for row in table(tmp_path / "answer.studies.csv")}
    assert studies[alike[0]["study_uid"]]["files"] == "3"


@pytest.mark.parametrize(("unit", "groups"), [("image", [[0, 1]]), ("study", [[0, 1]]), ("patient", [[0, 1, 2]])])
def test_a_study_has_the_combined_probability_of_its_images(tmp_path, command, unit, groups):
    model = write_model(tmp_path / "m.safetensors", unit=unit)
    (tmp_path / "in").mkdir()
    files = [
        chest(0, PatientID="A", StudyInstanceUID="1.1"),
        chest(1, PatientID="A", StudyInstanceUID="1.1"),
        chest(2, PatientID="A", StudyInstanceUID="1.2"),
        chest(3, PatientID="A", StudyInstanceUID="1.1", ViewPosition="LL"),
        chest(4, PatientID="B", StudyInstanceUID="1.3", ViewPosition="LL"),
    ]
    for number, content in enumerate(files):
        (tmp_path / "in" / f"{number}.dcm").write_bytes(content)
    raw, out = tmp_path / "raw.csv", tmp_path / "answer.csv"
    command("predict", "--model", model, tmp_path / "in", "--out", raw, "--uncalibrated")
    scores = np.array([[float(row[f"score/{name}"] or "nan") for name in NAMES] for row in table(raw)])
    outcome = command("predict", "--model", model, tmp_path / "in", "--out", out)
    assert outcome.code == 1
    assert "2 of 3 studies have a scored file" in outcome.out
    calibration = read_card(model).calibration
    members = groups[0]
    expected = calibration.apply(scores[members].mean(axis=0, keepdims=True), NAMES)
    studies = table(tmp_path / "answer.studies.csv")
    assert [row["study_uid"] for row in studies] == ["1.1", "1.2", "1.3"]
    np.testing.assert_allclose(numbers(studies[:1]), expected, atol=1e-9)
    assert (studies[0]["files"], studies[0]["scored"], studies[2]["scored"]) == ("3", "2", "0")
    assert not any(studies[2][name] for name in (*NAMES, *YES))
    assert "the view is lateral" in studies[2]["reason"]
    rows = table(out)
    own = calibration.apply(scores[:1], NAMES) if unit == "image" else expected
    np.testing.assert_allclose(numbers(rows[:1]), own, atol=1e-9)


def test_a_label_whose_scores_are_left_as_they_are_is_told_in_the_answer_the_terminal_and_the_picture(
    folder, tmp_path, command, monkeypatch
):
    model = write_model(tmp_path / "m.safetensors", unscaled="Mass")
    words = []
    real = Drawing._lines
    monkeypatch.setattr(Drawing, "_lines", lambda *given: words.append(real(*given)[0]) or real(*given))
    asked = ("--out", tmp_path / "a.csv", "--maps", tmp_path / "maps", "--maps-of", "all")
    outcome = command("predict", "--model", model, folder / "0.dcm", *asked)
    assert "the score of 'Mass' is no calibrated probability, but left as it is: only 3 patients" in outcome.out
    assert "'Hernia' is no" not in outcome.out
    about = json.loads((tmp_path / "a.model.json").read_text())["model"]
    assert about["not_calibrated"] == {"Mass": "only 3 patients"}
    assert [text.partition(": ")[2].partition(" 0.")[0] for text in words] == [
        "score, not calibrated,",
        "probability",
        "probability",
    ]


def test_csv_parquet_and_json_say_the_same(folder, tmp_path, command):
    model = write_model(tmp_path / "m.safetensors", unit="study")
    (folder / "lateral.dcm").write_bytes(chest(0, ViewPosition="LL"))
    (folder / "letter.txt").write_bytes(b"a letter")
    for suffix in ("csv", "parquet", "json"):
        assert command("predict", "--model", model, folder, "--out", tmp_path / f"a.{suffix}").code == 1
    rows = table(tmp_path / "a.csv")
    parquet = pq.read_table(tmp_path / "a.parquet")
    assert json.loads(parquet.schema.metadata[b"cxr.model"])["run"] == "train-run"
    for row, same in zip(rows, parquet.to_pylist(), strict=True):
        assert row == {name: "" if value is None else str(value) for name, value in same.items()}
    answer = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    beside = json.loads((tmp_path / "a.model.json").read_text(encoding="utf-8"))
    assert beside["model"] == answer["model"] == json.loads(parquet.schema.metadata[b"cxr.model"])
    tables = {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("a.csv", "a.studies.csv")}
    assert beside["sha256"] == tables
    assert (answer["model"]["unit"], answer["model"]["operating_point"]) == ("study", "youden")
    assert [file["codes"] for file in answer["files_without_study"]] == ["unreadable"]
    studies = table(tmp_path / "a.studies.csv")
    assert [study["study_uid"] for study in answer["studies"]] == [study["study_uid"] for study in studies]
    first = answer["studies"][0]
    assert [file["labels"] is None for file in first["files"]] == [False, True]
    for name in NAMES:
        told = first["labels"][name]
        assert told["probability"] == float(studies[0][name])
        assert str(told["yes"]) == (studies[0][f"yes/{name}"] or "None")
    assert first["labels"][NAMES[0]]["threshold"] == 0.3
    assert first["labels"][NAMES[2]]["threshold"] is None


def test_with_a_key_nothing_of_the_source_is_named(model, folder, tmp_path, command):
    make_key(tmp_path / "key")
    plain, out = tmp_path / "plain.json", tmp_path / "answer.json"
    command("predict", "--model", model, folder, "--out", plain)
    outcome = command("predict", "--model", model, folder, "--out", out, "--key", tmp_path / "key", "--name", "ward")
    assert outcome.code == 0, outcome.err
    text = out.read_text(encoding="utf-8")
    own = json.loads(plain.read_text(encoding="utf-8"))["studies"]
    assert not [s["study_uid"] for s in own if s["study_uid"] in text]
    assert not [f for s in own for f in s["files"] if f["instance_uid"] in text or f["file"] in text]
    assert json.loads(text)["studies"][0]["files"][0]["file"].startswith("ward:")


def test_images_without_header_are_scored_and_studies_are_none(model, tmp_path, command):
    import cv2

    (tmp_path / "in").mkdir()
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 255, (50, 40), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), picture)
    (tmp_path / "in" / "notes.txt").write_text("not looked at")
    out = tmp_path / "answer.csv"
    outcome = command("predict", "--model", model, tmp_path / "in", "--out", out, "--kind", "images")
    assert outcome.code == 0, outcome.err
    assert len(np.unique(numbers(table(out)), axis=0)) == 3
    assert not (tmp_path / "answer.studies.csv").exists()
    assert command("predict", "--model", model, tmp_path / "in", "--out", out).code == 1  # as DICOM files nothing is read


CASCADE = {"heads": [1, 4], "rule": "entropy", "references": [{"entropy": 0.5, "spread": 1.0, "youden": None}] * len(NAMES)}


@pytest.mark.parametrize(("limit", "heads"), [(1e9, 1), (None, 4)])
def test_a_cascade_scores_sure_studies_by_the_narrow_network_and_unsure_ones_by_the_wide(
    folder, tmp_path, command, limit, heads
):
    model = write_model(tmp_path / "m.safetensors", heads=(1, 2, 4))
    (tmp_path / "cascade.json").write_text(json.dumps({**CASCADE, "limit": limit}))
    (folder / "broken").write_bytes(b"")
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    given = ["predict", "--model", model, folder, "--uncalibrated", "--out"]
    outcome = command(*given, one, "--cascade", tmp_path / "cascade.json", "--batch", 4)
    assert outcome.code == 1, outcome.err
    assert f"{10 if limit is None else 0} of 10 files were scored by the wide network" in outcome.out
    assert command(*given, other, "--heads", heads).code == 1
    left, right = pd.read_csv(one), pd.read_csv(other)
    pd.testing.assert_frame_equal(left, right, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["in"], "--model: missing"),
        (["in", "--model", "model.safetensors"], "--out: missing"),
        (["in", "--model", "model.safetensors", "--out", "x.xlsx"], "must end in .csv, .parquet or .json"),
        (["in", "--model", "model.safetensors", "--out", "folder.csv"], "folder.csv: is a folder; name a file"),
        (["in", "--model", "model.safetensors", "--out", "no/x.csv"], "there is no folder no"),
        (["in", "--model", "model.safetensors", "--out", "in/x.csv"], "lies in an input"),
        (["in", "--model", "none.safetensors", "--out", "x.csv"], "--model: none.safetensors: no such file"),
        (["in", "--model", "none.onnx", "--out", "x.csv"], "--model: none.onnx: no such file"),
        (["in", "--model", "in", "--out", "x.csv"], "--model: "),
        (["in", "--model", "in/0.dcm", "--out", "x.csv"], "not a model file of cxr"),
        (["away", "--model", "model.safetensors", "--out", "x.csv"], "there is no away"),
        (["empty", "--model", "model.safetensors", "--out", "x.csv"], "the inputs hold no file"),
        (["in", "--model", "model.safetensors", "--out", "x.csv", "--name", "a"], "--name: without effect without --key"),
        (["p.yaml", "--heads", "2"], "--heads is for files; in a pipeline the file says it"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_and_nothing_is_written(model, folder, tmp_path, command, monkeypatch, given, problem):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "folder.csv"):
        (tmp_path / name).mkdir()
    outcome = command("predict", *given)
    assert (outcome.code, problem in outcome.err) == (2, True), outcome.err
    assert not (tmp_path / "x.csv").exists()


def test_the_numbers_of_test_files_are_those_of_the_pipeline(tmp_path, workspace, command):
    definition: dict[str, Any] = {
        "name": "drawn",
        "workspace": "runs",
        "labels": "phantom",
        "source": {"kind": "phantom", "patients": 40, "matrix": 96},
        "ingest": {"size": 32, "workers": 0},
        "model": SMALL_MODEL,
        "train": {"epochs": 1, "batch_size": 16, "device": "cpu"},
    }
    path = tmp_path / "drawn.yaml"
    path.write_text(yaml.safe_dump(definition))
    for stage in ("phantom", "ingest", "split", "train", "predict", "calibrate"):
        outcome = command(stage, path)
        assert outcome.code == 0, outcome.err
    folder = tmp_path / "runs" / "drawn"
    out = tmp_path / "answer.csv"
    command("predict", "--model", folder, folder / "phantom" / "dicom", "--out", out, "--workspace", tmp_path / "runs")
    answer = pd.read_csv(out).dropna(subset="instance_uid").set_index("instance_uid")
    manifest = read_manifest(folder / "split" / "test.parquet").frame
    predictions = read_predictions(folder / "predict" / "predictions.parquet")
    calibration = read_card(folder / "calibrate" / "model.safetensors").calibration
    expected = pd.DataFrame(calibration.apply(predictions.scores(), predictions.label_names), predictions.frame["image_id"])
    found = answer.loc[manifest["instance_uid"], list(predictions.label_names)].to_numpy()
    assert len(found) > 5
    np.testing.assert_allclose(found, expected.loc[manifest["image_id"]].to_numpy(), atol=1e-6)


def test_real_files_get_the_numbers_of_the_store(model, tmp_path, command):
    files = SHARED / "dicom"
    if not files.is_dir():
        pytest.skip("the real DICOM files are not beside this checkout (../shared/data/dicom)")
    make_key(tmp_path / "key")
    given = [files, "--key", tmp_path / "key", "--name", "ward", "--out"]
    settings = ["ingest.size=32", "ingest.workers=0", "ingest.secondary_capture=false"]
    outcome = command("ingest", *given, tmp_path / "ingested", *settings)
    assert outcome.code == 0, outcome.err
    command("predict", "--model", model, *given, tmp_path / "answer.csv")
    rows = {row["instance_uid"]: row for row in table(tmp_path / "answer.csv") if row["outcome"] in TAKEN}
    frame = read_manifest(tmp_path / "ingested" / "manifest.parquet").frame
    assert len(rows) == len(frame) >= 3
    images = ImageStore(tmp_path / "ingested" / "store").gather8(frame["shard"].to_numpy(), frame["row"].to_numpy())
    expected = read_card(model).calibration.apply(Predictor(model, torch.device("cpu")).probabilities(images), NAMES)
    found = numbers([rows[uid] for uid in frame["instance_uid"]])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_odd_encoding_of_a_picture_gets_the_number_of_the_clean_one(model, tmp_path, command):
    """Polarity, sign, slope, window, bits, byte order, orientation: whatever the file does to a picture, ours is the same."""
    pairs = [file for file in CORPUS if file.twin is not None and file.outcome in TAKEN]
    (tmp_path / "in").mkdir()
    for file in pairs:
        (tmp_path / "in" / f"{file.name}.odd").write_bytes(file.build())
        (tmp_path / "in" / f"{file.name}.twin").write_bytes(file.twin())
    out = tmp_path / "answer.csv"
    assert command("predict", "--model", model, tmp_path / "in", "--out", out, "--workers", 0).code == 0
    rows = {Path(row["file"]).name: row for row in table(out)}
    found, expected = (numbers([rows[f"{file.name}.{kind}"] for file in pairs]) for kind in ("odd", "twin"))
    assert len(pairs) > 40
    stretched = np.array(["not-square" in file.codes for file in pairs])  # which costs a grey value here and there
    np.testing.assert_allclose(found[~stretched], expected[~stretched], atol=1e-6)
    np.testing.assert_allclose(found[stretched], expected[stretched], atol=1e-3)
    assert np.ptp(expected, axis=0).min() > 0.01, "these are different pictures"


def test_odd_things_in_a_folder_that_are_no_files_of_dicom_get_a_reason_each(model, folder, tmp_path, command):
    (folder / "letter").write_bytes(b"a letter")
    os.mkfifo(folder / "pipe")
    (folder / "nowhere").symlink_to("away")
    (folder / "circle").symlink_to(folder)
    (folder / os.fsdecode(b"caf\xe9\n")).write_bytes(b"")
    with zipfile.ZipFile(folder / "unsafe.zip", "w") as archive:
        archive.writestr("../../out.dcm", chest(1))
    whole = (folder / "unsafe.zip").read_bytes()
    (folder / "cut.zip").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "answer.csv"
    outcome = command("predict", "--model", model, folder, "--out", out)
    assert outcome.code == 1, outcome.err
    rows = [row for row in table(out) if not row["file"].endswith(".dcm") or "!/" in row["file"]]
    told = {Path(row["file"].split("!/")[0]).name: row["codes"] for row in rows}
    assert told == {
        "letter": "unreadable",
        "pipe": "unreadable",
        "nowhere": "unreadable",
        "circle": "unreadable",
        "caf\\udce9\n": "empty",
        "unsafe.zip": "archive-unsafe",
        "cut.zip": "archive-damaged",
    }
    assert all(row["reason"] and not any(row[name] for name in (*NAMES, *YES)) for row in rows)
    assert sum(bool(row["Mass"]) for row in table(out)) == 10


def test_odd_pictures_get_a_reason_each_and_no_number(model, tmp_path, command):
    import cv2

    (tmp_path / "in").mkdir()
    grey = np.random.default_rng(0).integers(0, 255, (50, 40), dtype=np.uint8)
    png, jpeg = (cv2.imencode(suffix, grey)[1].tobytes() for suffix in (".png", ".jpg"))
    coloured = np.random.default_rng(0).integers(0, 255, (50, 40, 3), dtype=np.uint8)
    huge = png[:16] + (60_000).to_bytes(4, "big") * 2 + png[24:]
    contents = {
        "good.png": (png, ""),
        "empty.png": (b"", "empty"),
        "text.png": (b"a letter", "unreadable"),
        "cut.png": (png[: len(png) // 2], "unreadable"),
        "start.png": (png[:12], "unreadable"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "unreadable"),
        "coloured.png": (cv2.imencode(".png", coloured)[1].tobytes(), "colour"),
        "even.png": (cv2.imencode(".png", np.full((50, 40), 7, np.uint8))[1].tobytes(), "constant"),
        "huge.png": (huge, "too-large"),
        "dicom.png": (chest(0), "unreadable"),
    }
    for name, (content, _) in contents.items():
        (tmp_path / "in" / name).write_bytes(content)
    out = tmp_path / "answer.csv"
    outcome = command("predict", "--model", model, tmp_path / "in", "--out", out, "--kind", "images")
    assert outcome.code == 1, outcome.err
    rows = {Path(row["file"]).name: row for row in table(out)}
    assert {name: row["codes"] for name, row in rows.items()} == {name: code for name, (_, code) in contents.items()}
    assert all(row["reason"] and bool(row["Mass"]) == (name == "good.png") for name, row in rows.items())


def test_files_that_kill_hold_up_or_fill_their_reader_are_listed_and_the_others_scored(
    model, folder, tmp_path, command, monkeypatch
):
    monkeypatch.setattr(inputs, "files_of", lambda path, *_: HostileFiles(path))
    monkeypatch.setattr(reading, "IngestConfig", lambda: IngestConfig(file_seconds=2, file_megabytes=512))
    expected = {"killer": "reader-died", "slow": "too-slow", "greedy": "too-much-memory", "once": "read-again"}
    for name in expected:
        (folder / name).write_bytes(chest(0))
    out = tmp_path / "answer.csv"
    outcome = command("predict", "--model", model, folder, "--out", out, "--workers", 2, "--batch", 3)
    assert outcome.code == 1, outcome.err
    rows = {Path(row["file"]).name: row for row in table(out)}
    assert {name: rows[name]["codes"].split()[-1] for name in expected} == expected
    assert sorted(name for name, row in rows.items() if not row["Mass"]) == ["greedy", "killer", "slow"]
    np.testing.assert_allclose(numbers([rows["once"]]), numbers([rows["0.dcm"]]), atol=1e-6)


def test_maps_of_the_files_scored_are_drawn_and_told(model, folder, tmp_path, command):
    (folder / "letter").write_bytes(b"a letter")
    given = ["predict", "--model", model, folder, "--out", tmp_path / "a.csv", "--maps", tmp_path / "maps"]
    outcome = command(*given, "--maps-of", "Hernia,Mass")
    assert outcome.code == 1, outcome.err
    assert f"maps       {tmp_path}/maps: 20 pictures; index.csv says what each is of" in outcome.out
    assert len(list((tmp_path / "maps").glob("*.png"))) == 20
    again = command(*given)
    assert (again.code, "is there, and not an empty folder" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--maps-of", "Mass"], "--maps-of: without effect without --maps"),
        (["--maps", "maps", "--maps-of", "Hat"], "--maps-of: the model has no label 'Hat'"),
        (["--maps", "maps", "--uncalibrated"], "name the labels with --maps-of"),
        (["--maps", "in/maps"], "--maps: in/maps: lies in an input"),
    ],
)
def test_maps_that_cannot_be_had_are_refused_before_anything_is_read(
    model, folder, tmp_path, command, monkeypatch, given, problem
):
    monkeypatch.chdir(tmp_path)
    outcome = command("predict", "--model", model, "in", "--out", "a.csv", *given)
    assert (outcome.code, problem in outcome.err) == (2, True), outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "model.safetensors"]


def test_a_run_and_a_name_in_the_registry_lead_to_the_model(small_pipeline, command, monkeypatch):
    home = small_pipeline.parent
    monkeypatch.chdir(home)
    assert command("run", small_pipeline).code == 0
    run = json.loads((home / "runs" / "small" / "run.json").read_text(encoding="utf-8"))["run_id"]
    told = command("promote", run, "--why", "the first one")
    assert told.code == 0, told.out + told.err
    found = []
    for number, text in enumerate(("runs/small", run, "models:/small@champion", "models:/small/1")):
        out = home / f"{number}.csv"
        outcome = command("predict", "--model", text, "data/images", "--kind", "images", "--out", out)
        assert outcome.code == 0, outcome.err
        found.append(pd.read_csv(out))
        beside = json.loads(out.with_suffix(".model.json").read_text(encoding="utf-8"))["model"]
        assert beside["run"] == read_card(home / "runs/small/train/model.safetensors").run_id
    for answer in found[1:]:
        pd.testing.assert_frame_equal(answer, found[0])
    for text, problem in {"models:/small@older": "older", "models:/small/7": "7", "0123456789": "no run"}.items():
        outcome = command("predict", "--model", text, "data/images", "--kind", "images", "--out", home / "x.csv")
        assert outcome.code == 2
        assert "--model: " in outcome.err
        assert problem in outcome.err


@pytest.mark.parametrize("suffix", ["onnx", "pt2"])
def test_an_exported_file_gives_the_answer_of_its_model(model, folder, tmp_path, command, suffix):
    (folder / "letter").write_bytes(b"a letter")
    assert command("export", model, "--out", tmp_path / f"model.{suffix}").code == 0
    for path, out in ((model, "one.csv"), (tmp_path / f"model.{suffix}", "other.csv")):
        outcome = command("predict", "--model", path, folder, "--out", tmp_path / out)
        assert outcome.code == 1, outcome.err
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "one.csv"), pd.read_csv(tmp_path / "other.csv"), atol=1e-5)


SERVED = """
import json, sys
import mlflow.pyfunc, pandas as pd
answer = mlflow.pyfunc.load_model(sys.argv[1]).predict(pd.DataFrame({"path": sys.argv[2:]}))
print(answer.to_json(orient="records", double_precision=15))
"""


def test_real_files_get_one_number_by_store_command_served_model_onnx_and_torch_export(model, tmp_path, command):
    files = SHARED / "dicom"
    if not files.is_dir():
        pytest.skip("the real DICOM files are not beside this checkout (../shared/data/dicom)")
    make_key(tmp_path / "key")
    settings = ["ingest.size=32", "ingest.workers=0", "ingest.secondary_capture=false"]
    given = [files, "--key", tmp_path / "key", "--name", "ward", "--out"]
    assert command("ingest", *given, tmp_path / "ingested", *settings).code == 0
    frame = read_manifest(tmp_path / "ingested" / "manifest.parquet").frame
    images = ImageStore(tmp_path / "ingested" / "store").gather8(frame["shard"].to_numpy(), frame["row"].to_numpy())
    scores = Predictor(model, torch.device("cpu")).probabilities(images)
    expected = read_card(model).calibration.apply(scores, NAMES)
    assert np.isfinite(expected).all()
    assert np.abs(expected - scores).min() > 1e-3, "calibration changes every one of these"
    for suffix in ("safetensors", "onnx", "pt2"):
        path, out = tmp_path / f"model.{suffix}", tmp_path / f"{suffix}.csv"
        assert path == model or command("export", model, "--out", path).code == 0
        command("predict", "--model", path, *given, out)
        rows = {row["instance_uid"]: row for row in table(out) if row["outcome"] in TAKEN}
        assert len(rows) == len(frame) >= 3
        np.testing.assert_allclose(numbers([rows[uid] for uid in frame["instance_uid"]]), expected, atol=1e-4, err_msg=suffix)
    write_served(tmp_path / "served", model)
    paths = sorted(path for path in files.iterdir() if path.suffix == ".dcm")
    call = [sys.executable, "-c", SERVED, tmp_path / "served", *paths]
    served = json.loads(subprocess.run(call, check=True, capture_output=True, text=True, cwd=tmp_path).stdout)
    command("predict", "--model", model, *paths, "--out", tmp_path / "by_path.csv")
    by_path = table(tmp_path / "by_path.csv")
    assert [row["codes"] for row in served] == [row["codes"] for row in by_path]
    for row, same in zip(served, by_path, strict=True):
        assert [row[name] for name in NAMES] == pytest.approx([float(same[name] or "nan") for name in NAMES], abs=1e-4)
