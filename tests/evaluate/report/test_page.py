from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from cxr.config_evaluate import EvaluateConfig
from cxr.evaluate.metrics import evaluate
from cxr.evaluate.report import render_report
from tests.evaluate.rich import LABELS, NAMES, rich_evaluation, rich_table, without

LOADING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}
SECTIONS = ("trust", "labels", "curves", "operating", "calibration", "subgroups", "gaps", "weights", "limits", "provenance")


class Page(HTMLParser):
    """Tags, what they would load, headings, and the tables: of each its rows of cells, texts and `data-value`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.headings: list[str] = []
        self.in_cell = False
        self.tables: list[tuple[str, list[list[tuple[str, str | None]]]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.loads += [value for key, value in attrs if key in LOADING]
        if tag in ("h2", "h3") and "id" in found:
            self.headings.append(found["id"])
        if tag == "table":
            self.tables.append((found.get("class", ""), []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][1][-1].append(("", found.get("data-value")))
            self.in_cell = True

    def handle_endtag(self, tag):
        self.in_cell &= tag not in ("th", "td")

    def handle_data(self, data):
        if self.in_cell:
            text, value = self.tables[-1][1][-1][-1]
            self.tables[-1][1][-1][-1] = (f"{text} {data}".strip(), value)

    @property
    def sortable(self) -> list[list[list[tuple[str, str | None]]]]:
        return [rows for kind, rows in self.tables if "sortable" in kind]

    def column(self, table: int, title: str) -> dict[str, str]:
        """A column of a sortable table by its heading: the first texts of its cells by label."""
        rows = self.sortable[table]
        place = [text.replace("\u00ad", "") for text, _ in rows[0]].index(title)
        return {row[0][0]: row[place][0] for row in rows[1:]}


@pytest.fixture
def render(quick):
    def make(table, labels, name="quick-start", description="A first run."):
        return render_report(evaluate(table, labels, quick, 0), labels, name, description, "test")

    return make


@pytest.fixture(scope="module")
def rich():
    return rich_evaluation()


@pytest.fixture(scope="module")
def rich_page(rich):
    return render_report(rich, LABELS, "rich", "", "test")


def pictures(page: Page) -> list[str]:
    return [load for load in page.loads if not load.startswith("#")]


def test_loads_nothing_from_outside(rich_page):
    page = Page(rich_page)
    assert len(pictures(page)) == len(NAMES) + 4  # a label's curves; sex, age, view and manufacturer
    assert all(load.startswith("data:image/svg+xml;base64,") for load in pictures(page))
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest", rich_page)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'" in rich_page
    for load in pictures(page):
        picture = base64.b64decode(load.partition(",")[2]).decode()
        assert not re.search(r'href="(?!#)|url\((?!#)|<image|<script', picture)


def test_links_lead_to_the_sections_which_stand_in_order(rich_page):
    page = Page(rich_page)
    assert tuple(page.headings) == SECTIONS
    assert {load[1:] for load in page.loads if load.startswith("#")} <= set(SECTIONS)


def test_hostile_texts_are_escaped(render, make_table, make_labels):
    hostile = '<script>alert("x")</script>$\\frac{'
    scores = np.linspace(0, 1, 40)
    about = {"<script>alert(1)</script>": '"><script>alert(2)</script>', f"branch weight/{hostile}": "<script>"}
    table = make_table({hostile: (np.tile([0, 1], 20), scores), "'\"><img src=x>": (np.zeros(40, int), scores)}, about=about)
    groups = np.tile(["<script>alert(3)</script>", "$\\frac{"], 20)
    table.frame["manufacturer"] = groups
    page = Page(render(table, make_labels(table.label_names), hostile, hostile))
    assert page.tags.count("script") == 1
    assert page.tags.count("img") == 3
    assert all(load.startswith("data:") for load in pictures(page))


def test_names_no_patient_and_no_image(rich_page):
    words = set(re.findall(r"\w+", rich_page))
    for column in ("image_id", "patient_id", "study_id"):
        assert not words & set(rich_table().frame[column])


def test_says_which_labels_may_be_trusted_and_where_figures_come_from(render, make_table, make_labels):
    rng = np.random.default_rng(0)
    codes = np.tile([0, 1], 40)
    rare = np.array([1, 1, *[0] * 78])
    columns = {"Firm": (codes, 0.3 * codes + 0.6 * rng.random(80)), "Rare": (rare, rng.random(80))}
    table = make_table({**columns, "Absent": (np.zeros(80, int), rng.random(80))}, about={"model_run": "8f2c1d"})
    text = " ".join(render(table, make_labels(table.label_names)).split())
    for wanted in (
        "On the test split (80 images of 80 patients)",
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


def test_each_figure_stands_under_its_own_heading(rich, rich_page):
    page = Page(rich_page)
    row, before, after = rich.rows[0], rich.probabilities[0], rich.probabilities[len(NAMES)]
    point = rich.operating[0].figures
    for table, title, value in (
        (0, "AUROC", row.auroc),
        (0, "Average precision", row.average_precision),
        (0, "Brier, as scored", before.brier.value),
        (0, "Brier, calibrated", after.brier.value),
        (1, "Threshold", point.threshold),
        (1, "Sensitivity", point.sensitivity.value),
        (1, "Specificity", point.specificity.value),
        (1, "PPV", point.ppv.value),
        (1, "NPV", point.npv.value),
        (1, "PPV there", point.at_prevalence.ppv.value),
        (2, "Log loss", after.log_loss),
    ):
        header, *body = page.sortable[table]
        place = [text.replace("\u00ad", "") for text, _ in header].index(title)
        found = body[1 if table == 2 else 0]  # calibrated ones stand below those as scored
        assert (found[place][0].split()[0], found[place][1]) == (f"{value:.3f}", repr(value)), title
    counts = point.counts
    first = dict(zip((text for text, _ in page.sortable[1][0]), (text for text, _ in page.sortable[1][1]), strict=True))
    assert first["Found / missed (TP / FN)"] == f"{counts.true_positives} / {counts.false_negatives}"
    assert first["False alarms / cleared (FP / TN)"] == f"{counts.false_positives} / {counts.true_negatives}"


def test_every_column_that_can_be_sorted_has_keys(rich_page):
    page = Page(rich_page)
    assert len(page.sortable) == 5
    for header, *rows in page.sortable:
        body = [row for row in rows if row[0][1] is not None]  # without the mean
        assert body
        for row in body:
            assert len(row) == len(header)
            bars = [title.endswith(" 1") for title, _ in header]
            assert all(value is not None or bar for (_, value), bar in zip(row, bars, strict=True))


def test_what_is_undefined_says_why(rich_page):
    page = Page(rich_page)
    assert page.column(0, "AUROC")["Never undefined: no positives"] == "undefined no positives"
    text = " ".join(rich_page.split())
    assert "Never, youden: no positives" in text
    assert "Never, sensitivity 0.9: no positives" in text
    assert page.column(2, "Slope")["Never"] == "undefined no positives"
    assert "Scores left as they are" in text
    assert "0 of 2 groups have enough patients to be compared" in text


def test_branch_weights_stand_apart_from_the_provenance(rich_page):
    page = Page(rich_page)
    weights = page.column(4, "Weight of its own branch")
    assert weights == {"Firm": "0.011", "Rare_ Finding": "0.111", "<b>Mass/ Nodule</ b>": "0.211", "Never": "0.311"}
    provenance = {row[0][0]: row[1][0] for row in page.tables[-1][1]}
    assert provenance["model run"] == "8f2c1d"
    assert provenance["split sha256"] == "a3b4"
    assert not any("branch" in key for key in provenance)


def test_groups_with_gaps_and_figures_within_view_are_told(rich_page):
    text = " ".join(rich_page.split())
    assert re.search(r"Groups differ by more than chance explains in \d+ of \d+ comparisons", text)
    assert "between F and M" in text
    assert re.search(
        r"within groups it is lower than pooled, by more than chance explains, for Firm by view \(0\.\d{3}, pooled 0\.\d{3}\)",
        text,
    )
    assert "O&#39;Neill &amp; &lt;Sons&gt;" in text


def test_without_calibration_and_groups_the_page_says_so():
    page = render_report(rich_evaluation(calibrate=False, subgroups=()), LABELS, "x", "", "scores.csv")
    text = " ".join(page.split())
    assert "evaluation on scores.csv" in text
    assert "None: no threshold was chosen on other patients" in text
    assert "No calibration was fitted" in text
    assert "Nothing to compare" in text
    assert "Diamonds" not in text
    assert "calibrated" not in text.replace("a calibrated probability", "")


@pytest.mark.parametrize(
    ("unit", "words"), [("study", "(600 studies (600 images) of 300 patients)"), ("patient", "(300 patients (600 images))")]
)
def test_other_units_are_called_by_their_name(unit, words):
    text = " ".join(render_report(rich_evaluation(unit=unit), LABELS, "x", "", "test").split())
    assert words in text
    visible = re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", text.partition('<h2 id="limits">')[0])
    assert {"study": "studies", "patient": "patients"}[unit] in visible
    assert not re.search(r"\bimages?\b", visible.replace("600 images", ""))


def test_label_without_known_cells_has_no_picture():
    table = without(rich_table(), "Never")
    text = render_report(evaluate(table, LABELS, EvaluateConfig(resamples=100, subgroups=()), 0), LABELS, "x", "", "test")
    assert "No known cell: nothing to draw." in text
    assert len(pictures(Page(text))) == len(NAMES) - 1


def test_same_figures_same_page(render, cohort, make_labels):
    assert render(cohort, make_labels("ABC")) == render(cohort, make_labels("ABC"))
