from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cxr.calibrate.calibration import read_calibration
from cxr.calibrate.fit import fit_calibration
from cxr.calibrate.stage import run
from cxr.config import CalibrateStage
from cxr.config_evaluate import CalibrateConfig
from cxr.config_model import ModelConfig
from cxr.errors import DataError
from cxr.evaluate.cells import align
from cxr.evaluate.units import combine_units
from cxr.labels.label_set import read_label_set
from cxr.model.build import build_classifier
from cxr.model.card import ModelCard, Preprocessing, read_card
from cxr.model.file import load_model, save_model
from cxr.stage import StageContext
from tests.conftest import SMALL_MODEL


@pytest.fixture
def inputs(tmp_path, cohort, one_torch_thread):
    """A trained model, and predictions of which the first half of the patients are for validation."""
    (tmp_path / "set.yaml").write_text("name: set\nlabels: [{name: A}, {name: B}, {name: C}]\n")
    labels = read_label_set(tmp_path / "set.yaml")
    model = ModelConfig.model_validate(SMALL_MODEL)
    preprocessing = Preprocessing(size=32, fit="pad", normaliser=1, canonical=1)
    card = ModelCard(
        cxr_version="0", labels=labels, model=model, preprocessing=preprocessing, run_id="r", data_sha256="", epoch=1
    )
    save_model(tmp_path / "model.safetensors", build_classifier(model, 32, 3).state_dict(), card)
    sides = np.where(cohort.frame["patient_id"] < "patient0060", "val", "test")
    replace(cohort, frame=cohort.frame.assign(split=sides)).write(tmp_path / "predictions.parquet")
    return {"predictions": tmp_path / "predictions.parquet", "model": tmp_path / "model.safetensors"}


@pytest.fixture
def calibrate(inputs, tmp_path, recording_run):
    def call(unit="image", **settings):
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        config = CalibrateConfig.model_validate(settings)
        view = CalibrateStage(labels=tmp_path / "set.yaml", unit=unit, combine="max", calibrate=config)
        return run(view, StageContext(folder, inputs, recording_run, lambda *_: None))

    return call


def test_the_calibration_is_that_of_the_validation_side_alone(calibrate, tmp_path, cohort):
    result = calibrate()
    frame = cohort.frame[cohort.frame["patient_id"] < "patient0060"].reset_index(drop=True)
    cells = align(replace(cohort, frame=frame).in_order(), read_label_set(tmp_path / "set.yaml"))
    assert read_calibration(tmp_path / "out" / "calibration.json") == fit_calibration(cells, CalibrateConfig(), "image", "max")
    assert result.counts == {"images": 120, "patients": 60, "labels": 3, "labels_calibrated": 2}


def test_the_test_side_has_no_part_in_it(calibrate, tmp_path, cohort, inputs):
    calibrate()
    first = (tmp_path / "out" / "calibration.json").read_bytes()
    test = cohort.frame["patient_id"] >= "patient0060"
    frame = cohort.frame.assign(split=np.where(test, "test", "val"))
    frame.loc[test, "score/A"] = 1 - frame.loc[test, "score/A"]
    replace(cohort, frame=frame).write(inputs["predictions"])
    calibrate()
    assert (tmp_path / "out" / "calibration.json").read_bytes() == first


def test_the_model_carries_its_calibration_and_is_otherwise_the_same(calibrate, tmp_path, inputs):
    calibrate(method="temperature")
    calibrated = tmp_path / "out" / "model.safetensors"
    before, after = (load_model(path, torch.device("cpu")) for path in (inputs["model"], calibrated))
    assert after.card.calibration == read_calibration(tmp_path / "out" / "calibration.json")
    assert after.card.model_copy(update={"calibration": None}) == before.card
    weights = after.classifier.state_dict()
    for name, tensor in before.classifier.state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_a_model_file_read_again_calibrates_to_the_bit(calibrate, tmp_path, cohort):
    calibrate()
    kept = read_card(tmp_path / "out" / "model.safetensors").calibration
    fresh = read_calibration(tmp_path / "out" / "calibration.json")
    np.testing.assert_array_equal(kept.apply(cohort.scores(), "ABC"), fresh.apply(cohort.scores(), "ABC"))


def test_studies_or_patients_are_calibrated_where_they_are_counted(calibrate, tmp_path, cohort):
    assert calibrate("patient").counts["images"] == 60
    found = read_calibration(tmp_path / "out" / "calibration.json")
    assert (found.unit, found.combine) == ("patient", "max")
    frame = cohort.frame[cohort.frame["patient_id"] < "patient0060"].reset_index(drop=True)
    cells = align(replace(cohort, frame=frame).in_order(), read_label_set(tmp_path / "set.yaml"))
    patients = combine_units(cells, frame, frame[[]], "patient", "max").cells
    assert found == fit_calibration(patients, CalibrateConfig(), "patient", "max")


def test_files_and_settings_are_logged(calibrate, recording_run):
    calibrate()
    assert recording_run.artifacts == ["calibration.json"]
    assert recording_run.models == ["model"]  # the file is inside
    assert recording_run.logged_params["method"] == "platt"


def test_a_model_that_cannot_score_files_by_itself_is_kept_as_a_file_and_said_to_be_no_more(
    calibrate, recording_run, cohort, inputs
):
    sides = np.where(cohort.frame["patient_id"] < "patient0060", "val", "test")
    table = replace(cohort, frame=cohort.frame.assign(split=sides), about={"network": "cascade of 3 and 12"})
    table.write(inputs["predictions"])
    result = calibrate()
    assert recording_run.artifacts == ["calibration.json", "model.safetensors"]
    assert not recording_run.models
    assert any("nothing that can be loaded, served or promoted" in text and "cascade" in text for text in result.warnings)


def test_a_rare_label_keeps_its_scores_and_says_so(calibrate):
    result = calibrate()
    assert "2 of 3 labels calibrated" in result.headline
    assert any("Scores are left as they are" in text and text.endswith(": B.") for text in result.warnings)


def test_predictions_without_a_validation_side_are_refused(calibrate, cohort, inputs):
    cohort.write(inputs["predictions"])
    with pytest.raises(DataError, match="no row has the split 'val'"):
        calibrate()
