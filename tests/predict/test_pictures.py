"""Pictures of maps through `predict_files`: of which files and labels they are, whose maps, and what is said of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cxr.export.export import Wish, export
from cxr.model.card import read_card
from cxr.predict import command
from cxr.predict.command import Asked, Summary, predict_files
from cxr.predict.inputs import open_inputs
from cxr.predict.maps import on_image, overlay
from cxr.predict.networks import Wanted, open_networks
from cxr.predict.pictures import picture_words
from cxr.predict.predictor import Predictor
from cxr.predict.read import preprocessing_of, read_picture
from cxr.predict.wanted_maps import WantedMaps
from tests.serve.models import NAMES, chest, write_model

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five radiographs, a lateral one and a letter."""
    (tmp_path / "in").mkdir()
    for patient in range(5):
        (tmp_path / "in" / f"{patient}.dcm").write_bytes(chest(patient))
    (tmp_path / "in" / "lateral.dcm").write_bytes(chest(1, ViewPosition="LL"))
    (tmp_path / "in" / "letter").write_bytes(b"a letter")
    return tmp_path / "in"


def run(model: Path, folder: Path, of: str | None = None, *, workers: int = 0, batch: int = 2, **wanted: Any) -> Summary:
    inputs = open_inputs([str(folder)], "dicom")
    maps = WantedMaps(folder.parent / "maps", of)
    asked = Asked(inputs, "dicom", folder.parent / "a.csv", batch=batch, workers=workers, maps=maps)
    return predict_files(asked, open_networks(model, Wanted(device="cpu", **wanted)), model, lambda *_: None)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def halves(path: Path) -> np.ndarray:
    """The two halves of a picture, without the words: uint8 [2, 512, 512, 3], red first."""
    read = cv2.imread(str(path))[:512, :, ::-1]
    return np.stack([read[:, :512], read[:, 512:]])


def expected(predictor: Predictor, content: bytes, name: str) -> np.ndarray:
    image = read_picture(content, preprocessing_of(predictor.card)).image
    drawn = overlay(image, on_image(predictor.maps(image[None])[0, NAMES.index(name)], len(image)))
    both = (np.repeat(image[..., None], 3, axis=2), drawn)
    return np.stack([cv2.resize(each, (512, 512), interpolation=cv2.INTER_LINEAR) for each in both])


@pytest.mark.parametrize("workers", [0, 2])
def test_there_is_a_picture_of_each_yes_and_of_nothing_else(tmp_path, folder, workers):
    model = write_model(tmp_path / "model.safetensors")
    summary = run(model, folder, workers=workers)
    yes = {(row["number"], name) for row in table(tmp_path / "a.csv") for name in NAMES if row[f"yes/{name}"] == "True"}
    index = table(tmp_path / "maps" / "index.csv")
    assert [(row["number"], row["label"]) for row in index] == sorted(yes, key=lambda each: (each[0], NAMES.index(each[1])))
    assert 0 < len(yes) < 5 * len(NAMES)
    assert (summary.drawn.pictures, summary.drawn.left_out) == (len(yes), 0)
    assert {path.name for path in (tmp_path / "maps").glob("*.png")} == {row["picture"] for row in index}
    predictor = Predictor(model, CPU)
    for row in index:
        content = Path(row["file"]).read_bytes()
        found = halves(tmp_path / "maps" / row["picture"])
        assert np.abs(found.astype(int) - expected(predictor, content, row["label"])).max() <= 2


def test_named_labels_are_drawn_of_each_scored_file_and_of_no_other(tmp_path, folder):
    run(write_model(tmp_path / "model.safetensors"), folder, f"{NAMES[2]}, {NAMES[0]}")
    rows, index = table(tmp_path / "a.csv"), table(tmp_path / "maps" / "index.csv")
    scored = [row["number"] for row in rows if row[NAMES[0]]]
    assert [row["number"] for row in index] == [number for number in scored for _ in range(2)]
    assert {row["label"] for row in index} == {NAMES[0], NAMES[2]}
    by_number = {row["number"]: row for row in rows}
    for row in index:
        of_file = by_number[row["number"]]
        assert row["probability"] == of_file[row["label"]]
        assert (row["file"], row["yes"]) == (of_file["file"], of_file[f"yes/{row['label']}"])
        assert row["threshold"] == ("0.3" if row["label"] == NAMES[0] else "")


def test_no_name_of_a_picture_holds_an_identifier(tmp_path, folder):
    run(write_model(tmp_path / "model.safetensors"), folder, "all")
    assert sorted(path.name for path in (tmp_path / "maps").iterdir())[:4] == [
        "000001_Hernia.png",
        "000001_Lung_Opacity_any.png",
        "000001_Mass.png",
        "000002_Hernia.png",
    ]


@pytest.mark.parametrize("suffix", ["onnx", "pt2"])
def test_an_exported_file_draws_what_the_model_draws(tmp_path, folder, suffix):
    model = write_model(tmp_path / "model.safetensors")
    exported = tmp_path / f"model.{suffix}"
    export(model, exported, Wish("onnx" if suffix == "onnx" else "torch"), lambda *_: None)
    run(exported, folder, "Mass")
    predictor = Predictor(model, CPU)
    for row in table(tmp_path / "maps" / "index.csv"):
        found = halves(tmp_path / "maps" / row["picture"]).astype(int)
        assert np.abs(found - expected(predictor, Path(row["file"]).read_bytes(), "Mass")).max() <= 2


def test_under_a_cascade_a_map_is_of_the_network_that_gave_the_score(tmp_path, folder):
    model = write_model(tmp_path / "model.safetensors", heads=(1, 2, 4))
    cascade = {"heads": [1, 4], "rule": "entropy", "references": [{"entropy": 0.5, "spread": 1.0, "youden": None}] * 3}
    predictor = Predictor(model, CPU)
    path = tmp_path / "cascade.json"
    images = np.stack([read_picture(chest(patient), preprocessing_of(predictor.card)).image for patient in range(5)])
    from cxr.predict.cascade import Cascade
    from cxr.predict.uncertainty import uncertainty

    values = uncertainty("entropy", predictor.at(1).probabilities(images), Cascade(**cascade, limit=0).references)
    path.write_text(json.dumps({**cascade, "limit": float(np.median(values))}))
    run(model, folder, "Mass", cascade=path, uncalibrated=True)
    index = table(tmp_path / "maps" / "index.csv")
    assert sorted(row["network"] for row in index) == ["narrow"] * 3 + ["wide"] * 2
    for row in index:
        own = predictor.at({"narrow": 1, "wide": 4}[row["network"]])
        content = Path(row["file"]).read_bytes()
        found = halves(tmp_path / "maps" / row["picture"]).astype(int)
        assert np.abs(found - expected(own, content, "Mass")).max() <= 2
        assert float(row["score"]) == pytest.approx(own.probabilities(images[[int(Path(row["file"]).stem)]])[0, 0], abs=1e-6)


def test_a_file_that_changed_since_it_was_scored_has_no_picture_and_is_named(tmp_path, folder, monkeypatch):
    combined = command.Ledger.combine

    def meddle(*arguments: Any) -> Any:
        (folder / "0.dcm").write_bytes(chest(7))
        (folder / "1.dcm").unlink()
        return combined(*arguments)

    monkeypatch.setattr(command.Ledger, "combine", meddle)
    summary = run(write_model(tmp_path / "model.safetensors"), folder, "Mass")
    assert (summary.drawn.pictures, summary.drawn.left_out) == (3, 2)
    assert not summary.complete
    index = table(tmp_path / "maps" / "index.csv")
    assert [row["picture"] == "" for row in index] == [True, True, False, False, False]
    assert ["not the one that was scored" in row["reason"] for row in index] == [True, True, False, False, False]
    assert not {"000001_Mass.png", "000002_Mass.png"} & {path.name for path in (tmp_path / "maps").iterdir()}


def test_a_yes_of_the_whole_study_is_drawn_on_each_of_its_images(tmp_path):
    model = write_model(tmp_path / "model.safetensors", unit="study")
    (tmp_path / "in").mkdir()
    for number in range(2):
        (tmp_path / "in" / f"{number}.dcm").write_bytes(chest(number, PatientID="A", StudyInstanceUID="1.1"))
    assert read_card(model).calibration.unit == "study"
    run(model, tmp_path / "in")
    index = table(tmp_path / "maps" / "index.csv")
    labels = {number: [row["label"] for row in index if row["number"] == number] for number in "12"}
    assert labels["1"] == labels["2"] != []
    assert len({row["probability"] for row in index}) == len(labels["1"])


def test_no_folder_is_left_of_an_answer_that_cannot_be_written(tmp_path, folder, monkeypatch):
    def fail(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "write_answer", fail)
    with pytest.raises(KeyboardInterrupt):
        run(write_model(tmp_path / "model.safetensors"), folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "model.safetensors"]


@given(st.lists(st.text(max_size=80), min_size=1, max_size=6, unique=True))
def test_words_for_labels_differ_also_where_case_does_not_count_and_are_plain(names):
    words = picture_words(names)
    assert list(words) == names
    assert len({word.lower() for word in words.values()}) == len(names)
    assert all(word.isascii() and word.replace("_", "").isalnum() and len(word) < 70 for word in words.values())
