from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from cxr.calibrate.calibration import Calibration
from cxr.config import EvaluateStage
from cxr.config_evaluate import CalibrateConfig, EvaluateConfig, OperatingRule
from cxr.errors import DataError
from cxr.evaluate.conclude import PAGES
from cxr.evaluate.metrics import evaluate
from cxr.evaluate.outputs import WRITTEN
from cxr.evaluate.stage import run
from cxr.labels.label_set import read_label_set
from cxr.predictions import Predictions
from cxr.stage import StageContext, StageResult

POINTS = {
    "youden": {
        "threshold": 0.5,
        "validation": {"true_positives": 5, "false_positives": 5, "false_negatives": 5, "true_negatives": 15},
    }
}


@dataclasses.dataclass
class Ran:
    result: StageResult
    folder: Path
    artifacts: list[str]
    logged: dict[str, float]
    steps: list[tuple[int, int]]


def fitted(table: Predictions) -> Calibration:
    """A calibration of the labels of a table."""
    labels = {
        name: {"scaling": {"method": "platt", "slope": 1.5, "intercept": -0.2}, "points": POINTS} for name in table.label_names
    }
    config = CalibrateConfig(points=[OperatingRule(rule="youden")])
    return Calibration(schema_version=1, config=config, unit="image", combine="mean", images=60, patients=30, labels=labels)


@pytest.fixture
def run_stage(tmp_path, recording_run):
    def start(table: Predictions) -> Ran:
        table.write(tmp_path / "predictions.parquet")
        names = [{"name": name} for name in table.label_names]
        (tmp_path / "labels.yaml").write_text(yaml.safe_dump({"name": "set", "labels": names}))
        folder = tmp_path / "evaluate"
        folder.mkdir()
        (tmp_path / "calibration.json").write_text(fitted(table).to_json())
        steps = []
        context = StageContext(
            folder,
            {"predictions": tmp_path / "predictions.parquet", "calibration": tmp_path / "calibration.json"},
            recording_run,
            lambda done, total, text="": steps.append((done, total)),
        )
        config = EvaluateStage(
            name="quick",
            description="",
            seed=3,
            labels=tmp_path / "labels.yaml",
            evaluate=EvaluateConfig(resamples=100, confidence=0.9),
        )
        result = run(config, context)
        [(_, logged)] = recording_run.logged_metrics
        return Ran(result, folder, recording_run.artifacts, logged, steps)

    return start


@pytest.fixture
def table(cohort, make_table):
    """The cohort with a label that has no positive, three quarters of it test and the rest validation."""
    frame = cohort.frame.copy()
    frame["split"] = np.where(np.arange(len(frame)) < 180, "test", "val")
    frame["score/Absent"] = 0.1
    frame["truth/Absent"] = frame["truth/A"].where(frame["truth/A"] != "1", "0")
    return Predictions(frame, (*cohort.label_names, "Absent"), cohort.about)


def test_writes_and_logs_what_it_says(run_stage, table, tmp_path):
    ran = run_stage(table)
    expected = evaluate(
        table.where("test"), read_label_set(tmp_path / "labels.yaml"), EvaluateConfig(resamples=100, confidence=0.9), 3
    )
    assert sorted(path.name for path in ran.folder.iterdir()) == sorted((*WRITTEN, *PAGES))
    assert ran.artifacts == [*WRITTEN, *PAGES]
    written = pd.read_csv(ran.folder / "metrics.csv", keep_default_na=False).set_index("label")
    for row in expected.rows[:3]:
        assert float(written.loc[row.label, "auroc"]) == row.auroc == ran.logged[f"test/auroc/{row.label}"]
        assert ran.logged[f"test/auroc_low/{row.label}"] == row.interval.low
        assert ran.logged[f"test/auroc_high/{row.label}"] == row.interval.high
        assert ran.logged[f"test/average_precision/{row.label}"] == row.average_precision
        assert ran.logged[f"test/positives/{row.label}"] == row.counts.positives
        assert ran.logged[f"test/negatives/{row.label}"] == row.counts.negatives
        assert ran.logged[f"test/unknown/{row.label}"] == row.counts.unknown
    assert ran.logged["test/auroc_macro"] == expected.macro.auroc
    assert ran.logged["test/auroc_macro_low"] == expected.macro.interval.low
    assert ran.logged["test/auroc_macro_high"] == expected.macro.interval.high
    assert ran.logged["test/labels_defined"] == 3
    operating = pd.read_csv(ran.folder / "operating.csv").set_index("label")
    for name in "ABC":
        assert ran.logged[f"test/sensitivity_youden/{name}"] == operating.loc[name, "sensitivity"]
        assert ran.logged[f"test/brier_calibrated/{name}"] != ran.logged[f"test/brier/{name}"]
    assert ran.steps[0] == (0, 3)
    assert ran.steps[-1] == (3, 3)


def test_undefined_is_not_logged_and_not_hidden(run_stage, table):
    ran = run_stage(table)
    assert all(math.isfinite(value) for value in ran.logged.values())
    assert "test/auroc/Absent" not in ran.logged
    assert "test/auroc/Absent" not in ran.result.metrics
    assert ran.logged["test/positives/Absent"] == 0
    row = next(row for row in ran.result.table if row[0] == "Absent")
    assert row[1:3] == ("undefined", "undefined")
    assert row[-1] == "undefined: no positives"
    assert any("Absent" in warning and "undefined" in warning for warning in ran.result.warnings)


def test_result_is_of_the_test_split_and_says_how_many_labels_it_averages(run_stage, table):
    result = run_stage(table).result
    assert dict(result.counts) == {"images": 180, "patients": 90, "labels": 4, "labels_defined": 3}
    assert result.headline.startswith(f"mean AUROC {result.metrics['test/auroc_macro']:.3f} (90 % interval ")
    assert result.headline.endswith("over 3 of 4 labels, 180 test images of 90 patients")
    expected = ("label", "AUROC", "90 % interval", "positives", "negatives", "unknown", "patients", "note")
    assert result.table[0] == expected
    assert [row[0] for row in result.table[1:]] == ["A", "B", "C", "Absent", "mean"]
    assert result.table[-1][-1].startswith("over 3 of 4 labels")
    assert {len(row) for row in result.table} == {8}
    assert "test/auroc/A" in result.metrics


def test_json_holds_mean_counts_and_provenance(run_stage, table):
    ran = run_stage(table)
    summary = json.loads((ran.folder / "metrics.json").read_text())
    assert summary["macro"]["auroc_macro"] == ran.logged["test/auroc_macro"]
    assert summary["macro"]["labels_undefined"] == ["Absent"]
    assert summary["counts"]["labels_defined"] == 3
    assert summary["about"] == {"model_run": "8f2c1d", "split_digest": "sha256:a3"}
    assert (summary["seed"], summary["resamples"], summary["confidence"]) == (3, 100, 0.9)


def test_nothing_defined_still_reports(run_stage, make_table):
    ran = run_stage(make_table({"A": ([0, 0, 3], [0.1, 0.2, 0.3])}))
    assert json.loads((ran.folder / "metrics.json").read_text())["macro"]["auroc_macro"] is None
    assert "test/auroc_macro" not in ran.logged
    assert "over 0 of 1 label," in ran.result.headline
    assert "no label has an AUROC" in (ran.folder / "report.html").read_text(encoding="utf-8")


def test_table_without_test_rows_is_refused(run_stage, make_table):
    with pytest.raises(DataError, match="no row has the split 'test'"):
        run_stage(make_table({"A": ([0, 1], [0.1, 0.2])}, split="val"))
