from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cxr.compare.align import pair
from cxr.compare.outputs import TABLES, counts, write_tables
from cxr.config_evaluate import EvaluateConfig
from cxr.evaluate.paired import compare
from cxr.labels.values import NEGATIVE
from cxr.manifest import label_column


@pytest.fixture
def written(tmp_path, cohort, rival, make_labels):
    """Writes a comparison in which no image has the labels `none`, and nothing is known of "D"; gives what was written."""

    def write(names=("A", "B", "C"), none=("B",)):
        truth = {f"truth/{name}": label_column(np.full(240, NEGATIVE)) for name in none}
        tables = (replace(table, frame=table.frame.assign(**truth)) for table in (cohort, rival))
        sides = pair(*tables, make_labels([*names, "D"]), EvaluateConfig())
        found = compare(sides.cells, sides.other, 300, 0.95, 1)
        write_tables(found, sides, ("one", "two"), "image", tmp_path)
        table, summary = (tmp_path / name for name in TABLES)
        return pd.read_csv(table).set_index("label"), json.loads(summary.read_text())

    return write


def test_a_row_for_each_label_with_figures_verdict_and_sentence(written):
    table, _ = written(none=())
    assert table.index.tolist() == ["A", "B", "C"]
    assert table["verdict"].tolist() == ["better", "no difference shown", "worse"]
    np.testing.assert_allclose(table["auroc_a"] - table["auroc_b"], table["difference"], atol=1e-12)
    assert (table["low"] <= table["difference"]).all()
    assert (table["p_holm"] >= table["p"]).all()
    assert table.loc["A", "sentence"].startswith("A: A is better than B, by 0.")


def test_what_is_undefined_is_an_empty_cell_with_its_reason(written):
    table, _ = written()
    assert table.loc["B", ["auroc_a", "auroc_b", "difference", "low", "high", "p", "p_holm", "delong_p"]].isna().all()
    assert (table.loc["B", "verdict"], table.loc["B", "positives"], table.loc["B", "negatives"]) == ("undefined", 0, 240)
    assert table.loc["B", "sentence"] == "B: cannot be compared, no positives"


def test_the_whole_names_what_was_averaged_and_what_left_out(written):
    _, summary = written()
    assert (summary["labels_averaged"], summary["left_out"]) == (["A", "C"], ["D"])
    assert (summary["a"], summary["b"], summary["images"], summary["patients"]) == ("one", "two", 240, 120)
    assert summary["macro"]["difference"] == pytest.approx(summary["macro"]["auroc_a"] - summary["macro"]["auroc_b"])


def test_a_mean_that_does_not_exist_is_null(written):
    _, summary = written(none=("A", "B", "C"))
    assert set(summary["macro"].values()) == {None}
    assert summary["macro_verdict"] == "undefined"


def test_patients_are_those_with_a_known_cell(cohort, rival, make_labels):
    sides = pair(cohort, rival, make_labels(["A", "B", "C"]), EvaluateConfig())
    known = ~np.isnan(sides.cells.truth[:, 0])
    assert counts(sides, 0)["patients"] == len(np.unique(sides.cells.patients[known]))
    assert counts(sides, 0)["positives"] + counts(sides, 0)["negatives"] == known.sum()
