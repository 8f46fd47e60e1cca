from __future__ import annotations

import numpy as np

from cxr.calibrate.fit import fit_calibration
from cxr.calibrate.wording import headline, table, warnings
from cxr.config_evaluate import CalibrateConfig, OperatingRule
from cxr.evaluate.cells import Cells

POINTS = (OperatingRule(rule="youden"), OperatingRule(rule="ppv", target=0.999))


def fitted(positives, method="platt", points=POINTS[:1], patients=60):
    """A label for each number of positive patients, found by its scores in most cases."""
    rng = np.random.default_rng(0)
    truth = np.stack([np.arange(patients) < count for count in positives], axis=1).astype(np.float32)
    scores = np.clip(0.3 * truth + 0.7 * rng.random(truth.shape), 0.01, 0.99)
    names = tuple(f"L{number:02}" for number in range(len(positives)))
    cells = Cells(names, truth, scores, np.zeros(truth.shape, bool), np.arange(patients))
    return fit_calibration(cells, CalibrateConfig(method=method, points=points))


def test_the_headline_says_how_many_labels_and_what_a_yes_is():
    told = headline(fitted([30, 20, 2]))
    assert told == (
        "2 of 3 labels calibrated on 60 validation patients; a yes is said at the threshold with the highest sum of "
        "sensitivity and specificity"
    )
    assert headline(fitted([30], "none", POINTS[::-1])) == (
        "thresholds of 1 label chosen on 60 validation patients, scores left as they are; a yes is said at the threshold with "
        "a positive predictive value of 0.999"
    )


def test_a_row_has_the_line_and_each_threshold_with_what_it_did():
    calibration = fitted([30, 2, 0], points=POINTS)
    header, *rows = table(calibration)
    assert header[0] == "label"
    assert [row[0] for row in rows] == ["L00", "L01", "L02"]
    point = calibration.labels["L00"].points["youden"]
    sides = f"{point.validation.sensitivity:.3f}, {point.validation.specificity:.3f}"
    assert rows[0][2] == f"{point.threshold:.3f} ({sides})"
    assert rows[0][1].startswith(f"{calibration.labels['L00'].scaling.slope:.2f} x logit ")
    assert rows[1][1] == "as they are"
    assert rows[2][2] == "none"
    assert {len(row) for row in rows} == {len(header)}


def test_labels_with_one_reason_stand_in_one_sentence():
    told = warnings(fitted([30, 2, 2, 0]))
    assert told == (
        "Scores are left as they are, only 2 validation patients with the finding, of 10 needed: L01, L02.",
        "Scores are left as they are, only 0 validation patients with the finding, of 10 needed: L03.",
        "There is no threshold with the highest sum of sensitivity and specificity, and so no yes or no, no positives: L03.",
    )


def test_many_labels_with_many_reasons_do_not_flood():
    told = warnings(fitted([0, 1, 2, 3, 4, 5, 6, 7] * 8))
    assert len(told) == 2
    assert "of 64 labels for the reasons in calibration.json: L00, L01" in told[0]
    assert told[0].endswith(" and 52 more.")


def test_what_was_not_asked_for_is_no_warning():
    assert warnings(fitted([30, 2], "none")) == ()
