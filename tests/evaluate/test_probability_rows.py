from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss as sklearns

from cxr.calibrate.fit import fit_calibration
from cxr.config_evaluate import CalibrateConfig
from cxr.evaluate.cells import align
from cxr.evaluate.probability_rows import probability_rows
from cxr.evaluate.undefined import Undefined


def test_rows_come_as_scored_then_calibrated_in_the_order_of_the_labels(cohort, make_labels, quick):
    cells = align(cohort, make_labels("ABC"))
    rows = probability_rows(cells, fit_calibration(cells, CalibrateConfig()), quick, 0)
    assert [(row.label, row.kind) for row in rows] == [(n, k) for k in ("as scored", "calibrated") for n in "ABC"]
    for label, row in enumerate(rows[:3]):
        known = cells.known(label)
        expected = sklearns(cells.truth[known, label], cells.scores[known, label])
        assert row.log_loss == pytest.approx(expected, abs=1e-12)
        assert row.brier.interval.low < row.brier.value < row.brier.interval.high


def test_without_a_calibration_there_is_a_row_per_label(cohort, make_labels, quick):
    cells = align(cohort, make_labels("ABC"))
    assert [row.kind for row in probability_rows(cells, None, quick, 0)] == ["as scored"] * 3


def test_columns_of_calibrated_figures_have_names_of_their_own(cohort, make_labels, quick):
    cells = align(cohort, make_labels("ABC"))
    rows = probability_rows(cells, fit_calibration(cells, CalibrateConfig()), quick, 0)
    before, after = rows[0].record(), rows[3].record()
    assert {f"{name}_calibrated" for name in before} == set(after)


def test_a_label_without_positives_has_a_brier_score_and_no_calibration(make_table, make_labels, quick):
    cells = align(make_table({"A": (np.zeros(30, int), np.linspace(0, 0.9, 30))}), make_labels("A"))
    (row,) = probability_rows(cells, None, quick, 0)
    assert row.brier.value == pytest.approx((np.linspace(0, 0.9, 30) ** 2).mean())
    assert row.calibration == Undefined("no positives")
    assert np.isnan(row.record()["calibration_slope"])
