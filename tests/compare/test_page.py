from __future__ import annotations

import base64
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from cxr.compare.align import pair
from cxr.compare.page import render_page
from cxr.config_evaluate import EvaluateConfig
from cxr.evaluate.paired import compare
from cxr.labels.values import NEGATIVE
from cxr.manifest import label_column
from cxr.predictions import Predictions

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def render(make_labels):
    def page(a, b, names=("one", "two"), remarks=()):
        sides = pair(a, b, make_labels(a.label_names), EvaluateConfig())
        return render_page(compare(sides.cells, sides.other, 300, 0.95, 1), sides, names, "image", remarks)

    return page


def row_of(page, label):
    return re.search(rf'<tr><th scope="row">{re.escape(label)}</th>(.*?)</tr>', page, re.S).group(1)


def renamed(table, label, name):
    columns = {f"{kind}/{label}": f"{kind}/{name}" for kind in ("score", "truth")}
    return Predictions(table.frame.rename(columns=columns), tuple(name if n == label else n for n in table.label_names), {})


def test_the_page_needs_no_network_and_runs_no_script(cohort, rival, render):
    page = render(cohort, rival)
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|<script|<link|@import|url\(", page)


def test_texts_of_the_user_are_escaped(cohort, rival, render):
    page = render(*(renamed(table, "A", f"$x^2 {EVIL}") for table in (cohort, rival)), names=(EVIL, "two"), remarks=(EVIL,))
    assert EVIL not in page
    assert page.count("&lt;script&gt;") >= 4


def test_no_text_of_the_user_enters_a_picture(cohort, rival, render):
    """A $ in it would be read as mathematics."""
    page = render(*(renamed(table, "A", "$x^2 name") for table in (cohort, rival)))
    pictures = [base64.b64decode(code).decode() for code in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)]
    assert len(pictures) == 1 + 3 + 1  # the scale, the labels, the mean
    assert not any("x^2" in picture for picture in pictures)
    for picture in pictures:
        ElementTree.fromstring(picture)


def test_each_label_has_its_verdict_its_figures_and_a_sentence(cohort, rival, render):
    page = render(cohort, rival)
    assert ">better</td>" in row_of(page, "A")
    assert ">no difference shown<span" in row_of(page, "B")  # few patients have it
    assert ">worse</td>" in row_of(page, "C")
    for label in "ABC":
        assert re.search(rf"<li>{label}: ", page)
        assert re.search(r"[+-]0\.\d{3} \([+-]0\.\d{3} to [+-]0\.\d{3}\)", row_of(page, label))
    assert "Mean AUROC over 3 labels: " in page


def test_a_label_without_positives_says_so_in_the_place_of_figures(cohort, rival, render):
    none = label_column(np.full(240, NEGATIVE))
    row = row_of(render(*(replace(table, frame=table.frame.assign(**{"truth/B": none})) for table in (cohort, rival))), "B")
    assert "undefined: no positives" in row
    assert row.count("–") == 4


def test_many_labels_without_a_difference_are_counted_and_not_listed(make_table, render):
    names = [f"Finding {number:02}" for number in range(30)]
    table = make_table({name: ([0, 1] * 20, [0.1, 0.8] * 20) for name in names})
    page = render(table, table)
    assert "<dd>30 labels, see the table</dd>" in page
    assert page.count('<th scope="row">Finding') == 30


def test_the_same_comparison_gives_the_same_bytes(cohort, rival, render):
    assert render(cohort, rival) == render(cohort, rival)
