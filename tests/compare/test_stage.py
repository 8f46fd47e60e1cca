from __future__ import annotations

import json

import pandas as pd
import pytest

from cxr.compare.stage import WRITES, check, run
from cxr.config import CompareStage
from cxr.errors import ConfigError, DataError
from cxr.evaluate.cells import align
from cxr.evaluate.delong import delong_test
from cxr.evaluate.metrics import evaluate
from cxr.labels.label_set import read_label_set
from cxr.stage import StageContext


@pytest.fixture
def here(tmp_path, cohort, rival):
    cohort.write(tmp_path / "a.parquet")
    rival.write(tmp_path / "b.parquet")
    (tmp_path / "set.yaml").write_text("name: set\nlabels: [{name: A}, {name: B}, {name: C}]\n")
    return tmp_path


def configured(here, a="a.parquet", b="b.parquet", **evaluate):
    settings = {"resamples": 300, **evaluate}
    return CompareStage(a=here / a, b=here / b, labels=here / "set.yaml", seed=4, evaluate=settings)


def compared(here, recording_run, **options):
    folder = here / "out"
    folder.mkdir(exist_ok=True)
    return run(configured(here, **options), StageContext(folder, {}, recording_run, lambda *_: None))


def test_every_file_is_written_and_logged(here, recording_run):
    result = compared(here, recording_run)
    assert sorted(path.name for path in (here / "out").iterdir()) == sorted(WRITES)
    assert sorted(recording_run.artifacts) == sorted(WRITES)
    assert result.counts == {"images": 240, "patients": 120, "labels": 3}
    logged = recording_run.logged_metrics[0][1]
    assert set(logged) == {f"difference/{name}" for name in ("auroc/A", "auroc/B", "auroc/C", "auroc_macro")}


def test_the_figures_are_those_of_either_table_evaluated_alone(here, cohort, rival, recording_run, quick):
    compared(here, recording_run)
    found = pd.read_csv(here / "out" / "comparison.csv").set_index("label")
    labels = read_label_set(here / "set.yaml")
    for side, table in (("auroc_a", cohort), ("auroc_b", rival)):
        alone = evaluate(table, labels, quick, 0).table().set_index("label")
        pd.testing.assert_series_equal(found[side], alone["auroc"], check_names=False, rtol=1e-12)
        pd.testing.assert_frame_equal(
            found[["positives", "negatives", "patients"]], alone[["positives", "negatives", "patients"]]
        )
    a, b = align(cohort, labels), align(rival, labels)
    delong = [delong_test(a.truth[:, label], a.scores[:, label], b.scores[:, label]).p for label in range(3)]
    assert found["delong_p"].tolist() == pytest.approx(delong, rel=1e-9)


def test_the_summary_says_what_was_compared(here, recording_run):
    compared(here, recording_run, unit="patient")
    summary = json.loads((here / "out" / "comparison.json").read_text())
    assert (summary["a"], summary["b"]) == ("a.parquet", "b.parquet")
    assert (summary["unit"], summary["patients"], summary["resamples"], summary["seed"]) == ("patient", 120, 300, 4)
    assert summary["macro_sentence"].startswith("mean AUROC over 3 labels: ")


def test_the_terminal_has_a_row_for_each_label_and_the_mean(here, recording_run):
    header, *rows = compared(here, recording_run).table
    assert [row[0] for row in rows] == ["A", "B", "C", "mean"]
    assert all(len(row) == len(header) for row in rows)


def test_more_resamples_are_drawn_where_fewer_could_show_nothing(here, recording_run):
    """Three labels at 95 % need 119 for the smallest p value, three times the resamples 100 times over."""
    result = compared(here, recording_run, resamples=100)
    assert json.loads((here / "out" / "comparison.json").read_text())["resamples"] == 180
    assert any("180 resamples were drawn" in warning for warning in result.warnings)
    assert "undefined" not in {row[-1] for row in result.table}


def test_what_both_tables_lack_is_said_once(here, cohort, rival, recording_run):
    (here / "set.yaml").write_text("name: set\nlabels: [{name: A}, {name: B}, {name: C}, {name: D}]\n")
    warnings = compared(here, recording_run).warnings
    assert [text for text in warnings if text.startswith("A and B: Not evaluated, since no column holds their scores: D")]
    assert len(warnings) == len(set(warnings))


def test_check_refuses_what_run_refuses(here, rival):
    check(configured(here))
    rival.frame.assign(image_id=[f"x{index}" for index in range(240)]).to_csv(here / "other.csv", index=False)
    with pytest.raises(DataError, match="no image in common"):
        check(configured(here, b="other.csv"))


@pytest.mark.parametrize("keys", [{"subgroups": ["sex"]}, {"intervals": "delong"}, {"prevalence": {"A": 0.1}}])
def test_keys_that_a_comparison_has_no_use_for_are_refused(here, keys):
    with pytest.raises(ConfigError, match=f"evaluate.{next(iter(keys))}: without effect"):
        check(configured(here, **keys))


def test_a_table_that_has_changed_is_read_again(here, rival, recording_run):
    first = compared(here, recording_run)
    rival.where("test").write(here / "a.parquet")
    assert compared(here, recording_run).table != first.table
