from __future__ import annotations

import base64
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from cxr.config_evaluate import EvaluateConfig
from cxr.evaluate.interval import Interval
from cxr.evaluate.metrics import evaluate
from cxr.evaluate.report import subgroups
from cxr.evaluate.report.scale import auroc_scale
from tests.evaluate.rich import NAMES, rich_evaluation


@pytest.fixture(scope="module")
def rich():
    return rich_evaluation()


def test_columns_of_one_group_are_left_out(rich):
    assert subgroups.group_sizes(rich)["source"] == {"north": 600}
    assert subgroups.compared_columns(rich) == ("sex", "age_band", "view", "manufacturer")
    rows = subgroups.gap_rows(rich)
    assert len(rows) == 4 * len(NAMES)
    assert all((row.gap.column, row.gap.label) == (row.within.column, row.within.label) for row in rows)


def test_gaps_that_leave_out_0_come_largest_first(rich):
    rows = subgroups.gap_rows(rich)
    apart = subgroups.gaps_apart(rows)
    assert ("Firm", "sex", "F", "M") in {(gap.label, gap.column, gap.highest, gap.lowest) for gap in apart}
    assert all(gap.bootstrap.interval.low > 0 for gap in apart)
    assert [gap.gap for gap in apart] == sorted((gap.gap for gap in apart), reverse=True)
    assert subgroups.gaps_measured(rows) == sum(isinstance(row.gap.bootstrap.interval, Interval) for row in rows) < len(rows)


def test_a_score_that_tells_views_apart_is_found_out(rich):
    lower = subgroups.lower_within(subgroups.gap_rows(rich))
    assert ("Firm", "view") in {(each.label, each.column) for each in lower}
    assert all(each.pooled - each.within > subgroups.NOTABLE for each in lower)
    assert all(each.bootstrap.interval.high < each.pooled for each in lower)
    assert "Rare_Finding" not in {each.label for each in lower}  # too few to tell


def test_panels_hold_every_label_once_per_column(make_table, make_labels):
    names = [f"L{place}" for place in range(subgroups.LABELS_ACROSS + 2)]
    rng = np.random.default_rng(0)
    table = make_table({name: (rng.random(200) < 0.4, rng.random(200)) for name in names})
    table.frame["sex"] = np.tile(["F", "M"], 100)
    evaluation = evaluate(table, make_labels(names), EvaluateConfig(resamples=100), 0)
    first, second = subgroups.panels(evaluation, auroc_scale(evaluation))
    assert [*first.labels, *second.labels] == names
    assert first.groups == second.groups == (("F", 100), ("M", 100))
    for panel in (first, second):
        picture = ElementTree.fromstring(base64.b64decode(panel.picture.partition(",")[2]))
        wide, high = (float(picture.get(side).removesuffix("pt")) for side in ("width", "height"))
        # a row more than groups, for the axis; the page makes the picture as large: 63 by 18 pixels of 3/4 point
        assert (wide, high) == pytest.approx((len(panel.labels) * 63 * 0.75, 3 * 18 * 0.75), abs=1e-3)


def test_same_figures_same_pictures(rich):
    scale = auroc_scale(rich)
    assert list(subgroups.panels(rich, scale)) == list(subgroups.panels(rich, scale))
