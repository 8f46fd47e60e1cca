"""`cxr retrain`: the plan before anything runs, patients on the sides they had, one pipeline file that says all of it."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file

from cxr.model.card import read_card
from cxr.record import read_pipeline_run
from cxr.retrain.find import find_older
from cxr.split.frozen import read_split
from tests.conftest import SMALL_MODEL

SETTINGS = ("train.epochs=2", "train.batch_size=16", "split.alike=allow", "evaluate.resamples=100", "ingest.shard_files=40")


@pytest.fixture
def older(small_pipeline, command):
    """A finished pipeline on two labels, and a table of new labels for the same images."""
    assert command("run", small_pipeline).code == 0
    folder = small_pipeline.parent
    published = pd.read_csv(folder / "data" / "Data_Entry_2017.csv")
    found = published["Finding Labels"]
    table = pd.DataFrame(
        {
            "image": [
                name if (folder / "data" / "images" / name).exists() else f"{name[:-3]}jpg" for name in published["Image Index"]
            ],
            "patient_id": published["Patient ID"],
            "view": published["View Position"],
            "sex": published["Patient Gender"],
            "age": published["Patient Age"],
            "Pleural Effusion": found.str.contains("Effusion").astype(int),
            "Both": found.str.contains("Mass|Effusion", regex=False).astype(int) | (found == "Mass|Effusion").astype(int),
            "Mass": found.str.contains("Mass").astype(int),
        }
    )
    table.to_csv(folder / "data" / "new.csv", index=False)
    labels = [{"name": "Both"}, {"name": "Pleural Effusion", "synonyms": ["Effusion"]}, {"name": "Mass"}]
    (folder / "new_labels.yaml").write_text(yaml.safe_dump({"name": "new", "labels": labels}))
    return folder


@pytest.fixture
def retrain(older, command):
    def call(*more, source="drawn"):
        given = {
            "--from": older / "runs" / "small",
            "--labels": older / "new_labels.yaml",
            "--data": older / "data",
            "--kind": "images",
            "--table": "new.csv",
            "--format": "plain",
            "--name": source,
            "--out": older / "again.yaml",
            "--workspace": older / "runs",
        }
        return command("retrain", *(part for pair in given.items() for part in pair), *more)

    return call


def test_the_plan_is_printed_and_a_pipeline_file_written_before_anything_runs(retrain, older):
    told = retrain("--plan")
    assert told.code == 0, told.err
    for words in ("Mass", "kept", "renamed (Effusion)", "added", "1 kept, 1 renamed, 1 added", "nothing was run"):
        assert words in told.out
    assert not (older / "runs" / "again").exists()
    definition = yaml.safe_load((older / "again.yaml").read_text())
    assert definition["model"]["options"] == SMALL_MODEL["options"]
    assert definition["train"]["epochs"] == 4, "as the older model was trained"


def test_retrained_patients_keep_their_sides_and_the_file_runs_as_any_pipeline(retrain, older, command):
    ended = retrain(*SETTINGS)
    assert ended.code == 0, ended.err
    assert ended.out.index("renamed (Effusion)") < ended.out.index("ingest "), "the plan comes first"
    before, now = (read_split(older / "runs" / name / "split" / "split.csv") for name in ("small", "again"))
    sides = [frame.drop_duplicates("patient_id").set_index("patient_id")["split"] for frame in (before, now)]
    assert sides[0].sort_index().equals(sides[1].sort_index())
    card = read_card(older / "runs" / "again" / "calibrate" / "model.safetensors")
    assert card.labels.names == ("Both", "Pleural Effusion", "Mass")
    assert card.older_run_id == read_card(older / "runs" / "small" / "calibrate" / "model.safetensors").run_id
    again = command("run", older / "again.yaml", *SETTINGS)
    assert again.out.count("not run again") == again.out.count("inputs, configuration and code are unchanged") >= 6


def test_the_older_model_of_a_run_comes_with_its_calibration_and_its_split(older):
    found = find_older(read_pipeline_run(older / "runs" / "small").run_id, older / "runs")
    kept = older / "runs" / "small"
    assert found.model.read_bytes() == (kept / "calibrate" / "model.safetensors").read_bytes()
    assert found.split.read_bytes() == (kept / "split" / "split.csv").read_bytes()


def test_a_frozen_backbone_is_the_older_one_to_the_bit(retrain, older):
    assert retrain("--backbone", "frozen", *SETTINGS, "train.epochs=1", "train.freeze_epochs=1").code == 0
    before, now = (load_file(older / "runs" / name / "calibrate" / "model.safetensors") for name in ("small", "again"))
    backbone = [name for name in before if name.startswith("backbone.")]
    assert backbone
    assert all((before[name] == now[name]).all() for name in backbone)


def test_under_other_pseudonyms_nothing_is_trained(retrain, older):
    refused = retrain(*SETTINGS, source="elsewhere")
    assert refused.code == 2
    assert "has none of these patients" in refused.err
    assert not (older / "runs" / "again" / "train").exists()


def test_another_network_is_refused_before_anything_runs(retrain, older):
    refused = retrain("model.head.hidden=9")
    assert refused.code == 2
    assert "'model.head.hidden' is 9, but 8 in the older model" in refused.err
    assert not (older / "runs" / "again" / "ingest").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--from", "nowhere.safetensors"), "--from: nowhere.safetensors: no such file"),
        (("--from", "."), "a folder without calibrate/model.safetensors"),
        (("--out", "plan.txt"), "a pipeline file ends in .yaml"),
        (("retrain.labels={Masse: Mass}",), "'Masse' is no label of new"),
    ],
)
def test_what_cannot_be_meant_is_told(retrain, tmp_path, monkeypatch, arguments, problem):
    monkeypatch.chdir(tmp_path)
    refused = retrain("--plan", *arguments)
    assert refused.code == 2
    assert problem in refused.err
