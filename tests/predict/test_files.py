"""Files in, rows of probabilities and decisions out, and never a silent score."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from cxr.calibrate.calibration import Calibration
from cxr.config import PredictConfig, PredictStage
from cxr.errors import DataError
from cxr.ingest.outcome import CODES, Refused
from cxr.labels.values import POSITIVE
from cxr.model.card import read_card
from cxr.predict import stage
from cxr.predict.files import ABOUT, FileScorer, answer_columns, network_of
from cxr.predict.predictor import Predictor
from cxr.predict.read import preprocessing_of, read_picture
from cxr.predictions import read_predictions
from cxr.stage import StageContext
from tests.serve.models import NAMES, chest, write_model

CPU = torch.device("cpu")
FILES = [chest(patient) for patient in range(6)]


@pytest.fixture(autouse=True)
def _one_thread(one_torch_thread: None) -> None:
    """Every test of this file."""


@pytest.fixture
def path(tmp_path):
    return write_model(tmp_path / "model.safetensors")


def raw_scores(path, files, heads=None):
    preprocessing = preprocessing_of(read_card(path))
    images = np.stack([read_picture(file, preprocessing).image for file in files])
    return Predictor(path, CPU, heads).probabilities(images)


def calibration(path) -> Calibration:
    found = read_card(path).calibration
    assert found is not None
    return found


def test_probabilities_and_decisions_are_those_of_predictor_and_calibration(path):
    table = FileScorer(path, CPU).score(FILES)
    expected = calibration(path).apply(raw_scores(path, FILES), NAMES)
    np.testing.assert_allclose(table[list(NAMES)].to_numpy(), expected, atol=1e-6)
    assert np.ptp(expected, axis=0).min() > 1e-3
    decided = calibration(path).decide(expected, NAMES, "youden")
    for place, name in enumerate(NAMES[:2]):
        assert table[f"yes/{name}"].tolist() == (decided[:, place] == POSITIVE).tolist()
    assert set(table["outcome"]) == {"accepted", "corrected"}
    assert tuple(table.columns) == (*ABOUT, *NAMES, *(f"yes/{name}" for name in NAMES))


def test_a_label_without_the_operating_point_is_neither_yes_nor_no(path):
    table = FileScorer(path, CPU).score(FILES)
    assert table[f"yes/{NAMES[2]}"].isna().all()
    assert table[NAMES[2]].notna().all()


def test_what_is_out_of_scope_or_broken_has_a_reason_and_no_number(path):
    cases = {
        chest(0, ViewPosition="LL"): ("skipped", "lateral"),
        chest(1, BodyPartExamined="HAND"): ("skipped", "not-chest"),
        chest(2, Modality="CT"): ("skipped", "modality"),
        b"a letter": ("quarantined", "unreadable"),
        b"": ("quarantined", "empty"),
        Refused("missing"): ("quarantined", "missing"),
    }
    table = FileScorer(path, CPU).score([*cases, FILES[0]])
    for row, (outcome, code) in enumerate(cases.values()):
        assert tuple(table.loc[row, ["outcome", "codes"]]) == (outcome, code)
        assert table.loc[row, "reason"].startswith(CODES[code][1])
        assert table.iloc[row, len(ABOUT) :].isna().all()
    assert table.iloc[-1, len(ABOUT) :].notna().sum() == 5


def test_a_flagged_image_is_scored_and_says_why_it_is_flagged(path):
    row = FileScorer(path, CPU).score([chest(0, BodyPartExamined="", StudyDescription="")]).iloc[0]
    assert (row["outcome"], row["codes"]) == ("flagged", "body-part-unknown")
    assert row["reason"] == CODES["body-part-unknown"][1]
    assert row[NAMES[0]] == FileScorer(path, CPU).score([chest(0)]).loc[0, NAMES[0]]


def test_neither_the_order_nor_the_number_of_files_changes_a_row(path):
    scorer = FileScorer(path, CPU)
    many = [FILES[place % 6] if place % 4 else b"broken" for place in range(37)]  # over the bounds of batches
    together = scorer.score(many)
    alone = pd.concat([scorer.score([file]) for file in many], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone, atol=1e-6)
    turned = scorer.score(many[::-1]).iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(together, turned, atol=1e-6)


@pytest.mark.parametrize("unit", ["image", "study"])
def test_no_file_that_can_be_taken_and_no_file_at_all_give_a_table_all_the_same(tmp_path, unit):
    scorer = FileScorer(write_model(tmp_path / "model.safetensors", unit=unit), CPU)
    assert scorer.score([b"", b"x"]).iloc[:, len(ABOUT) :].isna().all(axis=None)
    empty = scorer.score([])
    assert tuple(empty.columns) == answer_columns(NAMES)
    assert empty.empty


@pytest.mark.parametrize("combine", ["mean", "max"])
@pytest.mark.parametrize(("unit", "groups"), [("study", [[0, 2], [1], [3]]), ("patient", [[0, 1, 2], [3]])])
def test_files_of_a_unit_share_the_probability_of_their_combined_scores(tmp_path, unit, groups, combine):
    path = write_model(tmp_path / "model.safetensors", unit=unit, combine=combine)
    files = [
        chest(0, PatientID="A", StudyInstanceUID="1.1"),
        chest(1, PatientID="A", StudyInstanceUID="1.2"),
        chest(2, PatientID="A", StudyInstanceUID="1.1"),
        chest(3, PatientID="B", StudyInstanceUID="1.1"),  # a study is one of its patient's
    ]
    scores = raw_scores(path, files)
    for group in groups:
        scores[group] = getattr(scores[group], combine)(axis=0)
    expected = calibration(path).apply(scores, NAMES)
    with_noise = [files[0], b"broken", *files[1:], files[2]]  # a copy changes nothing
    table = FileScorer(path, CPU).score(with_noise)
    np.testing.assert_allclose(table.loc[[0, 2, 3, 4, 5], list(NAMES)].to_numpy(float), expected[[0, 1, 2, 3, 2]], atol=1e-6)


def test_a_stacked_model_runs_with_the_width_that_was_calibrated(tmp_path):
    path = write_model(tmp_path / "model.safetensors", heads=(1, 2, 4), network="2 of 4 attention heads")
    expected = calibration(path).apply(raw_scores(path, FILES, 2), NAMES)
    found = FileScorer(path, CPU).score(FILES)[list(NAMES)].to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found - calibration(path).apply(raw_scores(path, FILES), NAMES)).max() > 1e-3
    assert network_of(calibration(path)) == 2


def test_a_cascade_is_refused_with_the_way_out(tmp_path):
    network = "cascade of 1 and 4 attention heads: 20 % of the test studies went on to the wide one (rule: entropy)"
    path = write_model(tmp_path / "model.safetensors", heads=(1, 2, 4), network=network)
    with pytest.raises(DataError, match=r"calibrated as a cascade of 1 and 4 .*set predict.heads instead of predict.cascade"):
        FileScorer(path, CPU)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"calibrated": False}, "has no calibration; give the model file that the stage calibrate writes"),
        ({"normaliser": 0}, "trained on images with normaliser 0"),
        ({"names": ("Mass", "reason")}, "label 'reason' has the name of a column"),
        ({"names": ("Mass", "yes/Mass")}, "label 'yes/Mass' has the name of a column"),
    ],
)
def test_a_model_that_cannot_score_files_is_refused_in_words(tmp_path, options, problem):
    with pytest.raises(DataError, match=problem):
        FileScorer(write_model(tmp_path / "model.safetensors", **options), CPU)


@pytest.mark.parametrize(("predict", "heads"), [({"heads": 2}, 2), ({}, 4), ({"cascade": {"heads": [1, 4]}}, None)])
def test_the_width_is_understood_as_the_predict_stage_says_it(
    tmp_path, inputs, stacked_file, recording_run, path, predict, heads
):
    context = StageContext(tmp_path, inputs | {"model": stacked_file}, recording_run, lambda *_: None)
    stage.run(PredictStage(batch_size=8, device="cpu", predict=PredictConfig.model_validate(predict)), context)
    network = read_predictions(tmp_path / "predictions.parquet").about["network"]
    calibrated = calibration(path).model_copy(update={"network": network})
    if heads is None:
        with pytest.raises(DataError, match="calibrated as a cascade of 1 and 4 attention heads"):
            network_of(calibrated)
    else:
        assert network_of(calibrated) == heads
