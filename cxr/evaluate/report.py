"""The report: one self-contained HTML page, read without a network, that says which figures may be relied on."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from importlib.resources import files

import jinja2
import numpy as np

from cxr.evaluate import trust, wording
from cxr.evaluate.cells import Cells, align
from cxr.evaluate.interval import Interval
from cxr.evaluate.metrics import Evaluation, LabelRow
from cxr.evaluate.plots import label_svg
from cxr.evaluate.trust import Verdict
from cxr.evaluate.undefined import Undefined
from cxr.labels.label_set import LabelSet
from cxr.predictions import Predictions


@dataclass(frozen=True)
class ReportRow:
    """One label as the page shows it.

    Args:
        row: its figures.
        verdict: how far they may be relied on.
        picture: data URI of its curves; empty where no cell is known.
    """

    row: LabelRow
    verdict: Verdict
    picture: str


@dataclass(frozen=True)
class ForestScale:
    """The horizontal axis of the interval bars.

    Args:
        low: AUROC at the left end, in [0, 0.5); the right end is 1.
        width: of the axis, in SVG units.
    """

    low: float
    width: int = 116

    def x(self, value: float) -> str:
        """Position of an AUROC, in SVG units."""
        return f"{4 + (value - self.low) / (1 - self.low) * (self.width - 8):.1f}"


def render_report(
    evaluation: Evaluation, predictions: Predictions, labels: LabelSet, name: str, description: str, split: str
) -> str:
    """The page, as HTML.

    Args:
        evaluation: the figures.
        predictions: the table they were measured on; its scores are drawn.
        labels: the label set they were measured with.
        name: of the pipeline; escaped, like every other text.
        description: a sentence or two about it; may be empty.
        split: the split that `predictions` holds.

    Raises:
        DataError: the labels of the predictions are not those of the label set.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure": wording.figure_text, "interval": wording.interval_text}
    environment.tests |= {"undefined_figure": lambda value: isinstance(value, Undefined)}
    template = environment.from_string((files("cxr.evaluate") / "report.html.j2").read_text(encoding="utf-8"))
    rows = _report_rows(evaluation, align(predictions, labels))
    return template.render(
        evaluation=evaluation,
        rows=rows,
        by_grade={grade: [row for row in rows if row.verdict.grade == grade] for grade in trust.GRADES},
        scale=forest_scale(evaluation),
        name=name,
        description=description,
        split=split,
        labels=labels,
        rule=trust.RULE,
        small=evaluation.patients < trust.SMALL_TEST_SET,
        small_limit=trust.SMALL_TEST_SET,
        wording=wording,
        provenance=_provenance(evaluation, labels, split),
    )


def forest_scale(evaluation: Evaluation) -> ForestScale:
    """The axis that holds every figure and interval, and with them their mean: from 0.4, or from a lower tenth, to 1."""
    figures = [row.auroc for row in evaluation.rows]
    intervals = [row.interval for row in evaluation.rows]
    values = [figure for figure in figures if not isinstance(figure, Undefined)]
    values += [interval.low for interval in intervals if isinstance(interval, Interval)]
    return ForestScale(math.floor(10 * min(0.4, *values, 1)) / 10)


def _report_rows(evaluation: Evaluation, cells: Cells) -> list[ReportRow]:
    return [ReportRow(row, trust.judge(row), _picture(cells, index)) for index, row in enumerate(evaluation.rows)]


def _picture(cells: Cells, label: int) -> str:
    truth = cells.truth[:, label]
    if np.isnan(truth).all():
        return ""
    # as an image of its own, the picture's ids and styles cannot meet those of another
    return f"data:image/svg+xml;base64,{base64.b64encode(label_svg(truth, cells.scores[:, label]).encode()).decode()}"


def _provenance(evaluation: Evaluation, labels: LabelSet, split: str) -> dict[str, str]:
    return {
        **evaluation.about,
        "split evaluated": split,
        "label set": labels.title or labels.name,
        "intervals": evaluation.interval_method,
        "bootstrap resamples": str(evaluation.resamples),
        "confidence": f"{100 * evaluation.confidence:g} %",
        "seed": str(evaluation.seed),
    }
