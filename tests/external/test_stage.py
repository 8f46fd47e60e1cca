from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from cxr.calibrate.calibration import read_calibration
from cxr.calibrate.fit import fit_calibration
from cxr.config import TablesStage
from cxr.errors import ConfigError, DataError
from cxr.evaluate.cells import align
from cxr.evaluate.metrics import evaluate
from cxr.external.stage import WRITES, check, run
from cxr.labels.label_set import read_label_set
from cxr.predictions import read_predictions
from cxr.stage import StageContext


@pytest.fixture
def here(tmp_path, cohort):
    """A folder with a label set, and the cohort as a table of scores and one of the truth."""
    (tmp_path / "set.yaml").write_text("name: set\nlabels: [{name: A}, {name: B}, {name: C}]\n")
    names = {f"{kind}/{name}": name for kind in ("score", "truth") for name in "ABC"}
    frame = cohort.frame
    frame[["image_id", "score/C", "score/A", "score/B"]].rename(columns=names).to_csv(tmp_path / "scores.csv", index=False)
    truth = ["image_id", "patient_id", "study_id", "view", "truth/A", "truth/B", "truth/C"]
    frame[truth].sample(frac=1, random_state=1).rename(columns=names).to_csv(tmp_path / "truth.csv", index=False)
    return tmp_path


@pytest.fixture
def sided(here, cohort):
    """The cohort as a prediction table with a side for validation."""
    sides = np.where(cohort.frame["patient_id"] < "patient0060", "val", "test")
    type(cohort)(cohort.frame.assign(split=sides), cohort.label_names, cohort.about).write(here / "own.parquet")
    return here


def configured(here, predictions="scores.csv", truth="truth.csv", evaluate=(), **given):
    settings = {"resamples": 100, "subgroups": ["view"], **dict(evaluate)}
    keys = {"predictions": here / predictions, "labels": here / "set.yaml", "seed": 4, "evaluate": settings, **given}
    return TablesStage(**keys, truth=None if truth is None else here / truth)


def run_in(here, recording_run, *args, **options):
    folder = here / "out"
    folder.mkdir(exist_ok=True)
    return run(configured(here, *args, **options), StageContext(folder, {}, recording_run, lambda *_: None))


def test_two_tables_give_the_figures_of_the_prediction_table(here, cohort, quick, recording_run):
    result = run_in(here, recording_run)
    found = pd.read_csv(here / "out" / "metrics.csv").set_index("label")
    direct = evaluate(cohort, read_label_set(here / "set.yaml"), quick, 4).table().set_index("label")
    for name in ("auroc", "average_precision", "positives", "negatives", "unknown", "patients"):
        np.testing.assert_allclose(found[name], direct[name], rtol=1e-12)
    assert result.counts == {"images": 240, "patients": 120, "labels": 3, "labels_defined": 3}
    written = {path.name for path in (here / "out").iterdir()}
    assert written == set(WRITES) - {"calibration.json"}


def test_without_a_validation_side_nothing_is_calibrated(here, recording_run):
    run_in(here, recording_run)
    assert json.loads((here / "out" / "metrics.json").read_text())["split"] == "table"
    assert len((here / "out" / "operating.csv").read_text().splitlines()) <= 1


def test_thresholds_come_from_the_validation_side_alone(sided, recording_run):
    told = run_in(sided, recording_run, "own.parquet", None).warnings
    assert any(text.startswith("Scores are left as they are") and text.endswith(": B.") for text in told)
    labels = read_label_set(sided / "set.yaml")
    config = configured(sided, "own.parquet", None)
    validation = read_predictions(sided / "own.parquet").where("val").in_order()
    assert read_calibration(sided / "out" / "calibration.json") == fit_calibration(align(validation, labels), config.calibrate)
    summary = json.loads((sided / "out" / "metrics.json").read_text())
    assert (summary["split"], summary["counts"]["patients"]) == ("test", 60)
    points = pd.read_csv(sided / "out" / "operating.csv")
    assert set(points["label"]) == {"A", "B", "C"}


def test_a_table_of_this_project_tells_where_its_scores_come_from(sided, recording_run):
    run_in(sided, recording_run, "own.parquet", None)
    about = json.loads((sided / "out" / "metrics.json").read_text())["about"]
    assert about["model_run"] == "8f2c1d"
    assert about["scores"] == "own.parquet"


@pytest.mark.parametrize("unit", ["study", "patient"])
def test_studies_and_patients_are_counted_where_asked_for(here, recording_run, unit):
    run_in(here, recording_run, evaluate={"unit": unit})
    found = pd.read_csv(here / "out" / "metrics.csv")
    known = found["positives"] + found["negatives"] + found["unknown"]
    assert set(known) == {240 if unit == "study" else 120}


def test_what_was_left_out_is_told(here, recording_run):
    scores = pd.read_csv(here / "scores.csv")
    scores.drop(columns="B").iloc[5:].to_csv(here / "fewer.csv", index=False)
    told = run_in(here, recording_run, "fewer.csv").warnings
    assert any("no column holds their scores: B" in text for text in told)
    assert any("5 rows of the truth have no score" in text for text in told)


def test_check_accepts_what_run_takes(here, sided):
    check(configured(here))
    check(configured(sided, "own.parquet", None, evaluate={"prevalence": {"A": 0.1}}))


def test_check_refuses_a_table_that_cannot_be_read(here):
    scores = pd.read_csv(here / "scores.csv")
    pd.concat([scores, scores.iloc[[3]]]).to_csv(here / "twice.csv", index=False)
    with pytest.raises(DataError, match="'image3' stands twice, in rows 5 and 242"):
        check(configured(here, "twice.csv"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"subgroups": ["ward"]}, "no column 'ward'"),
        ({"prevalence": {"Z": 0.1}}, "no label 'Z'; there are: A, B, C"),
        ({"prevalence": {"A": 0.1}}, "no row has the split 'val'"),
    ],
)
def test_check_refuses_settings_that_fit_nothing(here, settings, words):
    with pytest.raises(ConfigError, match=words):
        check(configured(here, evaluate=settings))


def test_check_refuses_studies_that_are_not_told(here):
    truth = pd.read_csv(here / "truth.csv", dtype=str).drop(columns="study_id")
    truth.to_csv(here / "bare.csv", index=False)
    with pytest.raises(DataError, match="study_id is not known"):
        check(configured(here, truth="bare.csv", evaluate={"unit": "study"}))


def test_a_file_that_has_changed_is_read_again(here, recording_run):
    first = run_in(here, recording_run).counts
    pd.read_csv(here / "scores.csv").iloc[:100].to_csv(here / "scores.csv", index=False)
    assert (first["images"], run_in(here, recording_run).counts["images"]) == (240, 100)
