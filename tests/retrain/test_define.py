"""The definition of a retraining has the older model's network and training, and is a pipeline file as any other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from cxr.config_retrain import PromoteConfig
from cxr.config_training import TrainConfig
from cxr.definition import load_config
from cxr.errors import ConfigError
from cxr.labels.label_set import Label, LabelSet
from cxr.model.card import read_card
from cxr.retrain.define import Wanted, define, write_definition
from cxr.retrain.find import Older
from tests.retrain.conftest import MODELS, PLAIN

OLDER = LabelSet(name="older", labels=(Label(name="Mass"),))


@pytest.fixture
def wanted(tmp_path):
    source = {"kind": "phantom", "patients": "20"}

    def make(**keys):
        values = {"backbone": "train", "split": None, "other_patients": True}
        return Wanted("new", tmp_path / "runs", "nih14", "nih14", source, **(values | keys))

    return make


def written(tmp_path, older, wanted):
    path = tmp_path / "new.yaml"
    write_definition(path, define(older, read_card(older.model), wanted))
    return path


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_network_training_and_images_are_the_older_models(older_model, wanted, tmp_path, model):
    training = TrainConfig.model_validate({"epochs": 7, "loss": {"kind": "asymmetric", "margin": 0.1}, "patience": 3})
    path = older_model(model, OLDER, training=training.model_dump(mode="json"))
    config = load_config(written(tmp_path, Older(path, None, "chest"), wanted()))
    assert config.model == read_card(path).model
    assert config.train == training
    assert (config.ingest.size, config.ingest.fit) == (32, "pad")
    assert config.retrain.model == path
    assert config.promote.model == "chest"


@pytest.mark.parametrize(("backbone", "epochs"), [("train", 0), ("warm-up", 2), ("frozen", "all")])
def test_the_backbone_is_frozen_as_long_as_asked(older_model, wanted, tmp_path, backbone, epochs):
    path = older_model(PLAIN, OLDER, training=TrainConfig(epochs=10).model_dump(mode="json"))
    config = load_config(written(tmp_path, Older(path, None), wanted(backbone=backbone)))
    assert config.train.freeze_epochs == epochs


def test_a_model_of_an_older_format_is_trained_in_the_usual_way(older_model, wanted, tmp_path):
    assert load_config(written(tmp_path, Older(older_model(PLAIN, OLDER), None), wanted())).train == TrainConfig()


def test_patients_that_nothing_tells_of_are_refused(older_model, wanted, tmp_path):
    with pytest.raises(ConfigError, match=r"--split FILE: missing.*--other-patients"):
        written(tmp_path, Older(older_model(PLAIN, OLDER), None), wanted(other_patients=False))


def test_the_split_that_lies_beside_the_model_is_taken_and_another_can_be_named(older_model, wanted, tmp_path):
    model, split, other = older_model(PLAIN, OLDER), tmp_path / "split.csv", tmp_path / "other.csv"
    split.touch()
    other.touch()
    config = load_config(written(tmp_path, Older(model, split), wanted(other_patients=False)))
    assert config.retrain.split == split
    (tmp_path / "new.yaml").unlink()
    config = load_config(written(tmp_path, Older(model, split), wanted(other_patients=False, split=other)))
    assert config.retrain.split == other


def test_a_file_that_says_something_else_is_never_overwritten(older_model, wanted, tmp_path):
    older = Older(older_model(PLAIN, OLDER), None)
    path = written(tmp_path, older, wanted())
    before = path.read_text()
    assert written(tmp_path, older, wanted(backbone="frozen")).read_text() != before, "as written and never run: a draft"
    written(tmp_path, older, wanted())
    (tmp_path / "runs" / "new").mkdir(parents=True)
    with pytest.raises(ConfigError, match="or has run"):
        written(tmp_path, older, wanted(backbone="frozen"))
    (tmp_path / "runs" / "new").rmdir()
    written(tmp_path, older, wanted())  # the same again: nothing to do
    path.write_text(before + "# mine\n")
    with pytest.raises(ConfigError, match="says something else"):
        written(tmp_path, older, wanted())
    assert path.read_text() == before + "# mine\n"


def test_paths_below_the_file_are_written_so_that_the_folder_can_be_moved(older_model, wanted, tmp_path):
    content = yaml.safe_load(written(tmp_path, Older(older_model(PLAIN, OLDER), None), wanted()).read_text())
    assert (content["workspace"], content["retrain"]["model"]) == ("runs", "older.safetensors")
    assert str(tmp_path) not in content["description"]


def test_rule_and_calibration_are_those_of_the_older_model(older_model, wanted, tmp_path):
    rule = PromoteConfig(margin=0.02, gap=0.3, confidence=0.9)
    path = written(tmp_path, Older(older_model(PLAIN, OLDER), None, "chest", rule), wanted())
    config = load_config(path)
    assert config.promote == rule.model_copy(update={"model": "chest"})
    assert config.evaluate.confidence == 0.9


def test_what_is_not_valid_is_told_and_not_written(older_model, wanted, tmp_path):
    older = Older(older_model(PLAIN, OLDER), None)
    content = define(older, read_card(older.model), replace(wanted(), name="no name"))
    with pytest.raises(ConfigError, match="name"):
        write_definition(tmp_path / "new.yaml", content)
    assert not (tmp_path / "new.yaml").exists()


def test_other_patients_are_checked_against_the_split_that_is_found(older_model, wanted, tmp_path):
    (tmp_path / "split.csv").touch()
    config = load_config(written(tmp_path, Older(older_model(PLAIN, OLDER), tmp_path / "split.csv"), wanted()))
    assert config.retrain.other_patients
    assert config.retrain.split == tmp_path / "split.csv"


def test_the_file_says_how_to_run_it(older_model, wanted, tmp_path):
    path = written(tmp_path, Older(older_model(PLAIN, OLDER), None), wanted())
    assert "cxr run new.yaml" in path.read_text()
    assert yaml.safe_load(path.read_text())["name"] == "new"
