from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from cxr.evaluate.metrics import evaluate
from cxr.evaluate.report import forest_scale, render_report

LOADING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}


class Page(HTMLParser):
    """Tags, what they would load, and the cells of the first table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for key, value in attrs if key in LOADING]


@pytest.fixture
def render(quick):
    def make(table, labels, name="quick-start", description="A first run."):
        return render_report(evaluate(table, labels, quick, 0), table, labels, name, description, "test")

    return make


def test_loads_nothing_from_outside(render, cohort, make_labels):
    text = render(cohort, make_labels("ABC"))
    page = Page(text)
    assert len(page.loads) == 3
    assert all(load.startswith("data:image/svg+xml;base64,") for load in page.loads)
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest", text)
    for load in page.loads:
        picture = base64.b64decode(load.partition(",")[2]).decode()
        assert not re.search(r'href="(?!#)|url\((?!#)|<image|<script', picture)


def test_hostile_texts_are_escaped(render, make_table, make_labels):
    hostile = '<script>alert("x")</script>$\\frac{'
    scores = np.linspace(0, 1, 40)
    about = {"<script>alert(1)</script>": '"><script>alert(2)</script>'}
    table = make_table({hostile: (np.tile([0, 1], 20), scores), "'\"><img src=x>": (np.zeros(40, int), scores)}, about=about)
    page = Page(render(table, make_labels(table.label_names), hostile, hostile))
    assert page.tags.count("script") == 1
    assert page.tags.count("img") == 2
    assert all(load.startswith("data:") for load in page.loads)


def test_says_which_labels_may_be_trusted_and_where_figures_come_from(render, make_table, make_labels):
    rng = np.random.default_rng(0)
    codes = np.tile([0, 1], 40)
    rare = np.array([1, 1, *[0] * 78])
    columns = {"Firm": (codes, 0.3 * codes + 0.6 * rng.random(80)), "Rare": (rare, rng.random(80))}
    table = make_table({**columns, "Absent": (np.zeros(80, int), rng.random(80))}, about={"model_run": "8f2c1d"})
    text = " ".join(render(table, make_labels(table.label_names)).split())
    for wanted in (
        "80 images of 80 patients",
        "over 2 of 3 labels",
        "leaves out Absent",
        "only 2 patients with the finding",
        "no positives",
        "1 supported",
        "1 with caution",
        "1 undefined",
        "test set is small",
        "at least 20 patients have the finding",
        "not a medical device",
        "8f2c1d",
        "A first run.",
    ):
        assert wanted in text, wanted


def test_label_without_known_cells_has_no_picture(render, make_table, make_labels):
    text = render(make_table({"A": ([3, 3, 2], [0.1, 0.2, 0.3])}), make_labels("A"))
    assert "No known cell: nothing to draw." in text
    assert "<img" not in text


def test_same_figures_same_page(render, cohort, make_labels):
    assert render(cohort, make_labels("ABC")) == render(cohort, make_labels("ABC"))


def test_axis_of_the_bars_holds_every_figure(make_table, make_labels, quick):
    # a score that ranks the wrong way round: AUROC 0
    evaluation = evaluate(make_table({"A": (np.tile([0, 1], 20), np.tile([0.9, 0.1], 20))}), make_labels("A"), quick, 0)
    assert forest_scale(evaluation).low == 0
    assert float(forest_scale(evaluation).x(0)) < float(forest_scale(evaluation).x(1)) <= forest_scale(evaluation).width
