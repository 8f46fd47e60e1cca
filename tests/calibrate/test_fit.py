from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from cxr.calibrate.calibration import Calibration
from cxr.calibrate.fit import fit_calibration
from cxr.calibrate.scaling import Platt, Unchanged
from cxr.calibrate.thresholds import OperatingPoint
from cxr.config_evaluate import CalibrateConfig, OperatingRule
from cxr.evaluate.cells import Cells
from cxr.evaluate.undefined import Undefined
from cxr.labels.values import POSITIVE

RULES = (OperatingRule(rule="youden"), OperatingRule(rule="sensitivity", target=0.9), OperatingRule(rule="ppv", target=0.6))
CONFIG = CalibrateConfig(points=RULES)
NAMES, SLOPES, INTERCEPTS = ("Edema", "Effusion"), (0.6, 1.5), (-1.0, 0.5)


def make_cells(images=4000, seed=0):
    """Patients of two images; the finding follows a known line on the logits; one cell in twenty is unknown."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-0.5, 1.5, (images, 2))
    truth = (rng.random(logits.shape) < expit(np.multiply(SLOPES, logits) + INTERCEPTS)).astype(np.float32)
    truth[rng.random(truth.shape) < 0.05] = np.nan
    return Cells(NAMES, truth, expit(logits), np.zeros(truth.shape, bool), np.arange(images) // 2)


def test_each_label_has_its_own_line_and_points():
    fitted = fit_calibration(make_cells(40_000), CONFIG, "study", "max")
    assert (fitted.images, fitted.patients, fitted.config) == (40_000, 20_000, CONFIG)
    assert (fitted.unit, fitted.combine) == ("study", "max")
    for name, slope, intercept in zip(NAMES, SLOPES, INTERCEPTS, strict=True):
        scaling = fitted.labels[name].scaling
        assert isinstance(scaling, Platt)
        assert (scaling.slope, scaling.intercept) == pytest.approx((slope, intercept), abs=0.06)
        assert list(fitted.labels[name].points) == ["youden", "sensitivity 0.9", "ppv 0.6"]


def test_the_order_of_labels_changes_nothing():
    cells = make_cells()
    turned = dataclasses.replace(
        cells, label_names=cells.label_names[::-1], truth=cells.truth[:, ::-1], scores=cells.scores[:, ::-1]
    )
    assert fit_calibration(turned, CONFIG).labels == fit_calibration(cells, CONFIG).labels


@pytest.mark.parametrize("method", ["platt", "temperature", "none"])
def test_saved_and_scored_again_the_thresholds_give_the_decisions_of_validation(method):
    """Pitfall: thresholds chosen on another scale than the one that is served."""
    cells = make_cells()
    saved = fit_calibration(cells, CalibrateConfig(method=method, points=RULES)).to_json()
    served = Calibration.from_json(saved)
    noise = np.random.default_rng(1).uniform(-1e-7, 1e-7, cells.scores.shape)
    again = (cells.scores.astype(np.float32).astype(np.float64) * (1 + noise)).clip(0, 1)
    probabilities = served.apply(again, cells.label_names)
    for rule in RULES:
        yes = served.decide(probabilities, cells.label_names, rule.name) == POSITIVE
        for j, name in enumerate(cells.label_names):
            point = served.labels[name].points[rule.name]
            assert yes[cells.truth[:, j] == 1, j].mean() == point.validation.sensitivity
            assert (~yes[cells.truth[:, j] == 0, j]).mean() == point.validation.specificity


def test_scaling_moves_neither_auroc_nor_what_a_rule_finds():
    cells = make_cells()
    plain, scaled = (fit_calibration(cells, CalibrateConfig(method=method, points=RULES)) for method in ("none", "platt"))
    probabilities = scaled.apply(cells.scores, cells.label_names)
    for j, name in enumerate(cells.label_names):
        known = cells.known(j)
        before, after = (roc_auc_score(cells.truth[known, j], values[known, j]) for values in (cells.scores, probabilities))
        assert before == after
        for rule in RULES:
            one, other = (fitted.labels[name].points[rule.name] for fitted in (plain, scaled))
            assert one.validation == other.validation


def test_calibration_improves_on_other_patients():
    validation, test = make_cells(seed=1), make_cells(seed=2)
    probabilities = fit_calibration(validation, CONFIG).apply(test.scores, test.label_names)
    for j in range(2):
        known = test.known(j)
        before, after = (np.mean((values[known, j] - test.truth[known, j]) ** 2) for values in (test.scores, probabilities))
        assert after < before - 0.005


def test_a_label_without_positives_keeps_its_scores_and_has_no_threshold():
    cells = make_cells()
    truth = cells.truth.copy()
    truth[:, 1] = np.where(np.isnan(truth[:, 1]), np.nan, 0)
    fitted = fit_calibration(dataclasses.replace(cells, truth=truth), CONFIG).labels["Effusion"]
    assert fitted.scaling == Unchanged(reason="only 0 validation patients with the finding, of 10 needed")
    assert set(fitted.points.values()) == {Undefined("no positives")}


def test_few_positives_leave_the_scores_but_still_give_a_threshold():
    cells = make_cells()
    truth = cells.truth.copy()
    positive = np.flatnonzero(truth[:, 0] == 1)
    truth[positive[3:], 0] = np.nan
    fitted = fit_calibration(dataclasses.replace(cells, truth=truth), CONFIG).labels["Edema"]
    assert isinstance(fitted.scaling, Unchanged)
    assert isinstance(fitted.points["youden"], OperatingPoint)
