"""`cxr evaluate` and `cxr compare` as a user calls them, on tables of any origin and on pipelines."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.predictions import Predictions

QUICK = ("evaluate.resamples=100", "evaluate.subgroups=[view]")
LABELS = ("A", "B", "C")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cohort: Predictions) -> Path:
    """A current folder with a label set, scores as CSV and as Parquet, and the truth; no tracking server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "set.yaml").write_text("name: set\nlabels: [{name: A}, {name: B, synonyms: [Bee]}, {name: C}]\n")
    scores = cohort.frame[["image_id", *(f"score/{name}" for name in LABELS)]]
    truth = cohort.frame[["image_id", "patient_id", "view", *(f"truth/{name}" for name in LABELS)]]
    scores.columns, truth.columns = ["image_id", *LABELS], ["image_id", "patient_id", "view", *LABELS]
    scores.to_csv("scores.csv", index=False)
    truth.sample(frac=1, random_state=1).to_csv("truth.csv", index=False)
    turned = scores.assign(A=1 - scores["A"])[["C", "image_id", "B", "A"]].sample(frac=1, random_state=2)
    turned.to_parquet("turned.parquet", index=False)
    return tmp_path


def judge(command, *more, scores="scores.csv", out="out"):
    return command("evaluate", "--predictions", scores, "--labels", "set.yaml", "--out", out, *more, *QUICK)


def judged(command, *more, **options):
    done = judge(command, "--truth", "truth.csv", *more, **options)
    assert done.code == 0, done.err
    return done


def compare(command, a, b, *more, out="out"):
    return command("compare", a, b, "--labels", "set.yaml", "--out", out, *more)


def refused(outcome, *words):
    """It ends with one line that a user can act on."""
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    for word in words:
        assert word in outcome.err


def test_a_table_is_judged_by_another_one(here, command):
    told = judged(command).out
    assert "mean AUROC 0." in told
    assert "240 images of 120 patients" in told
    for name in ("report.html", "model_card.md", "metrics.csv"):
        assert f"out/{name}" in told
        assert (here / "out" / name).is_file()
    found = pd.read_csv(here / "out" / "metrics.csv")
    assert found["label"].tolist() == list(LABELS)
    assert {"positives", "negatives", "unknown", "patients", "auroc", "auroc_low", "auroc_high"} <= set(found)


def test_neither_file_kind_nor_order_nor_names_of_columns_change_a_figure(here, command):
    judged(command)
    scores = pd.read_csv("scores.csv")
    other = scores.sample(frac=1, random_state=3)[["C", "B", "image_id", "A"]]
    other.rename(columns={"A": "a_prob", "B": "score/Bee", "C": "c score"}).to_parquet("other.parquet", index=False)
    judged(command, scores="other.parquet", out="other")
    assert (here / "other" / "metrics.csv").read_bytes() == (here / "out" / "metrics.csv").read_bytes()


def test_the_truth_may_be_a_table_as_it_was_published(here, command):
    found = [("Mass|Effusion", "Mass"), ("No Finding",), ("Effusion",), ("No Finding",)]
    ids = [f"{number:08d}_000.png" for number in range(40)]
    columns = ["Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender", "View Position"]
    rows = [(name, found[number % 4][0], 0, number // 2, 50, "F", "PA") for number, name in enumerate(ids)]
    pd.DataFrame(rows, columns=columns).to_csv("Data_Entry_2017.csv", index=False)
    rng = np.random.default_rng(0)
    scores = {"path": [f"images/{name}" for name in ids[:30]], "Effusion": rng.random(30), "Mass": rng.random(30)}
    pd.DataFrame(scores).to_csv("nih.csv", index=False)
    options = ("--truth", "Data_Entry_2017.csv", "--labels", "nih14", "--out", "out", *QUICK)
    done = command("evaluate", "--predictions", "nih.csv", *options)
    assert done.code == 0, done.err
    assert "10 rows of the truth have no score" in done.out
    assert "30 images of 15 patients" in done.out
    metrics = pd.read_csv(here / "out" / "metrics.csv").set_index("label")
    assert metrics.loc["Mass", ["positives", "negatives"]].tolist() == [8, 22]
    assert metrics.loc["Effusion", ["positives", "negatives"]].tolist() == [15, 15]


@pytest.mark.parametrize("what", ["evaluate", "compare"])
def test_the_same_command_is_not_run_again(here, command, what):
    def call():
        if what == "evaluate":
            return judged(command).out
        return compare(command, "scores.csv", "turned.parquet", "--truth", "truth.csv").out

    assert "not run again" not in call()
    again = call()
    assert "not run again" in again
    assert "AUROC" in again


def logits(scores):
    return scores.assign(B=np.log(scores["B"].clip(0.01, 0.99) / (1 - scores["B"].clip(0.01, 0.99))))


WRONG = {
    "logits": (logits, ("label 'B'", "row ", "logits: apply the sigmoid")),
    "percent": (lambda s: s.assign(A=100 * s["A"]), ("label 'A'", "percentages")),
    "nan": (lambda s: s.assign(C=s["C"].where(s.index != 6)), ("row 8: label 'C': no score (blank or NaN)",)),
    "duplicate": (lambda s: pd.concat([s, s.iloc[[4]]]), ("'image4' stands twice, in rows 6 and 242",)),
    "blank id": (lambda s: s.assign(image_id=s["image_id"].where(s.index != 2, "")), ("row 4", "every row needs an id")),
    "strangers": (lambda s: s.assign(image_id="x" + s["image_id"]), ("no image in common", "'ximage0'", "'image")),
    "two columns of one label": (lambda s: s.assign(Bee=s["B"]), ("label 'B' has 2 columns: 'B', 'Bee'",)),
    "no label": (lambda s: s[["image_id"]], ("no column holds the scores", "A, B, C")),
    "no id": (lambda s: s[["A", "B"]], ("no column is known to name the images", "--id COLUMN")),
    "words": (lambda s: s.assign(A="high"), ("row 2: A ", "is no number")),
}


def test_a_wrong_table_is_refused_by_row_or_label_and_the_last_result_stays(here, command):
    judged(command)
    before = {path.name: path.read_bytes() for path in (here / "out").iterdir()}
    for spoil, words in WRONG.values():
        spoil(pd.read_csv("scores.csv")).to_csv("wrong.csv", index=False)
        refused(judge(command, "--truth", "truth.csv", scores="wrong.csv"), *words)
    assert {path.name: path.read_bytes() for path in (here / "out").iterdir()} == before


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("evaluate.unit=study",), ("study_id is not known", "add a column study_id")),
        (("evaluate.subgroups=[ward]",), ("no column 'ward'",)),
        (("evaluate.unit=hospital",), ("evaluate.unit", "hospital")),
        (("evaluate.unt=study",), ("did you mean evaluate.unit",)),
        (("--format", "nih14"), ("truth.csv", "column 'Finding Labels' is missing")),
        (("--id", "number"), ("no table has the column 'number'",)),
        (("--truth", "truht.csv"), ("no such file", "did you mean", "truth.csv")),
    ],
)
def test_settings_that_fit_nothing_are_refused(here, command, settings, words):
    options = settings if settings[0] == "--truth" else ("--truth", "truth.csv", *settings)
    refused(command("evaluate", "--predictions", "scores.csv", "--labels", "set.yaml", "--out", "out", *options), *words)
    assert not (here / "out" / "metrics.csv").exists()


def test_missing_options_are_named(here, command):
    refused(command("evaluate"), "PIPELINE", "--predictions")
    refused(command("evaluate", "--predictions", "scores.csv", "--out", "out"), "--labels")
    refused(command("evaluate", "--predictions", "scores.csv", "--labels", "set.yaml"), "--out FOLDER")
    refused(judge(command), "no column holds the truth")
    refused(command("evaluate", "my.yaml", "--id", "x"), "--id is for tables")
    refused(command("evaluate", "my.yaml", "--image-table", "x"), "--image-table is for tables")


def test_a_folder_with_the_tables_in_it_is_no_place_for_the_result(here, command):
    refused(judge(command, "--truth", "truth.csv", out="."), "lies in --out")
    assert (here / "scores.csv").is_file()


@pytest.mark.parametrize("label", ["no positive", "one positive", "constant"])
def test_a_label_that_cannot_be_judged_says_why_and_spares_the_others(here, command, label):
    truth, scores = pd.read_csv("truth.csv", dtype=str), pd.read_csv("scores.csv")
    if label == "constant":
        scores["B"] = 0.5
    else:
        truth["B"] = "0"
        truth.loc[truth.index[:1], "B"] = "1" if label == "one positive" else "0"
    truth.to_csv("truth.csv", index=False)
    scores.to_csv("scores.csv", index=False)
    told = judged(command).out
    found = pd.read_csv(here / "out" / "metrics.csv").set_index("label")
    assert found.loc[["A", "C"], ["auroc", "auroc_low"]].notna().all(axis=None)
    if label == "no positive":
        assert np.isnan(found.loc["B", "auroc"])
        assert "no positives" in found.loc["B", "note"]
        assert "over 2 of 3 labels" in told
    else:
        assert np.isnan(found.loc["B", "auroc_low"])
        assert found.loc["B", "note"]
    if label == "constant":
        assert found.loc["B", "auroc"] == 0.5


def test_two_tables_are_compared(here, command):
    done = compare(command, "scores.csv", "turned.parquet", "--truth", "truth.csv")
    assert done.code == 0, done.err
    assert "A is better" in done.out
    assert "out/comparison.html" in done.out
    found = pd.read_csv(here / "out" / "comparison.csv").set_index("label")
    assert found["verdict"].tolist() == ["better", "no difference shown", "no difference shown"]
    assert found.loc["A", "difference"] == pytest.approx(2 * found.loc["A", "auroc_a"] - 1)
    assert found.loc["B", "difference"] == 0
    assert "scores.csv" in (here / "out" / "comparison.html").read_text()


def test_folders_of_pipelines_are_compared_by_their_predictions(here, command, cohort):
    frame = cohort.frame.assign(**{"score/A": np.random.default_rng(0).random(240)})
    for name, table in (("one", cohort), ("two", replace(cohort, frame=frame))):
        (here / "runs" / name / "predict").mkdir(parents=True)
        table.write(here / "runs" / name / "predict" / "predictions.parquet")
    done = compare(command, "runs/one", "runs/two", "evaluate.unit=patient")
    assert done.code == 0, done.err
    summary = json.loads((here / "out" / "comparison.json").read_text())
    assert (summary["a"], summary["b"], summary["unit"]) == ("one", "two", "patient")
    refused(compare(command, "runs/one", "runs"), "runs: a folder without predict/predictions.parquet")


def test_tables_that_cannot_be_compared_are_refused_and_the_last_result_stays(here, command, cohort):
    cohort.write(here / "own.parquet")
    assert compare(command, "own.parquet", "scores.csv", "--truth", "truth.csv").code == 0
    before = (here / "out" / "comparison.json").read_bytes()
    truth = (
        cohort.frame["truth/A"]
        .cat.rename_categories({"0": "1", "1": "0"})
        .cat.reorder_categories(["0", "1", "uncertain", "unknown"])
    )
    replace(cohort, frame=cohort.frame.assign(**{"truth/A": truth})).write(here / "truth.parquet")
    refused(compare(command, "own.parquet", "truth.parquet"), "'A' is ", "different truths", "--truth")
    sides = np.where(cohort.frame["patient_id"] < "patient0060", "val", "test")
    replace(cohort, frame=cohort.frame.assign(split=sides)).write(here / "split.parquet")
    refused(compare(command, "own.parquet", "split.parquet"), "different splits", "image0")
    refused(compare(command, "own.parquet", "nothing.csv"), "no such file")
    refused(compare(command, "own.parquet", "own.parquet", "evaluate.intervals=delong"), "without effect")
    assert (here / "out" / "comparison.json").read_bytes() == before


def test_a_pipeline_and_its_table_give_the_same_figures(small_pipeline, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    done = command("run", small_pipeline)
    assert done.code == 0, done.err
    folder = tmp_path / "runs" / "small"
    options = ("--labels", "labels.yaml", "--seed", "3", "evaluate.resamples=100")
    table = command("evaluate", "--predictions", folder / "predict" / "predictions.parquet", "--out", "out", *options)
    assert table.code == 0, table.err
    for name in ("metrics.csv", "operating.csv", "reliability.csv", "subgroups.csv", "gaps.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (folder / "evaluate" / name).read_bytes(), name
    assert json.loads((tmp_path / "out" / "calibration.json").read_text()) == json.loads(
        (folder / "calibrate" / "calibration.json").read_text()
    )
    into = command(
        "evaluate", "--predictions", folder / "predict" / "predictions.parquet", "--out", folder / "evaluate", *options
    )
    refused(into, "belongs to a pipeline")
