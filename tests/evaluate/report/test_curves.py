from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, roc_curve

from cxr.evaluate.calibration import measure_calibration
from cxr.evaluate.report.curves import _RESOLUTION, Mark, Scores, label_svg, thin

SCORES = np.array([0.1, 0.9, 0.3, 0.4])


def scores_of(truth, scores=SCORES, before=(), after=(), marks=(), unit="images"):
    return Scores(np.array(truth, np.float32), np.asarray(scores, np.float64), before, after, marks, unit)


@pytest.mark.parametrize(
    ("truth", "text"),
    [([0, 1, 0, 1], None), ([0, 0, 0, np.nan], "no positives:"), ([1, 1, np.nan, 1], "no negatives:")],
)
def test_picture_is_drawn_and_says_what_is_missing(truth, text):
    picture = label_svg(scores_of(truth))
    ElementTree.fromstring(picture)
    assert "not measured" in picture
    assert text is None or text in picture


def test_scores_of_zero_can_be_drawn():
    assert "<svg" in label_svg(scores_of([0, 1, 0, 1], np.zeros(4)))


def test_bins_marks_and_unit_are_drawn():
    rng = np.random.default_rng(0)
    truth = (rng.random(400) < 0.3).astype(np.float32)
    scores = np.clip(0.3 * truth + 0.6 * rng.random(400), 0, 1)
    found = measure_calibration(truth, scores, np.arange(400), 0.95)
    plain = label_svg(scores_of(truth, scores, found.equal_mass))
    assert "not measured" not in plain
    nowhere = Mark(float("nan"), float("nan"), float("nan"))
    full = label_svg(scores_of(truth, scores, found.equal_mass, found.equal_mass, [Mark(0.8, 0.7, 0.5), nowhere], "studies"))
    assert "% of studies of this kind" in full
    # a tenth of the images each, once more with the calibrated ones, and a diamond in each of two curves
    assert full.count("<use ") - plain.count("<use ") == len(found.equal_mass) + 2


def test_same_figures_same_bytes():
    assert label_svg(scores_of([0, 1, 0, 1])) == label_svg(scores_of([0, 1, 0, 1]))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=300))
def test_no_point_lies_far_from_the_drawn_ones(points):
    x, y = np.array(points).T
    drawn = thin(x, y)
    assert (np.diff(drawn) > 0).all()
    assert drawn[0] == 0
    assert drawn[-1] == len(x) - 1
    before = drawn[np.searchsorted(drawn, np.arange(len(x)), side="right") - 1]
    length = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    assert (length - length[before]).max() <= _RESOLUTION + 1e-9


def test_a_long_curve_becomes_short_and_keeps_its_area():
    rng = np.random.default_rng(0)
    truth = rng.random(50_000) < 0.1
    x, y, _ = roc_curve(truth, rng.normal(size=50_000) + truth, drop_intermediate=False)
    drawn = thin(x, y)
    assert len(drawn) <= 2 / _RESOLUTION + 2
    assert auc(x[drawn], y[drawn]) == pytest.approx(auc(x, y), abs=_RESOLUTION)
