"""The report: one self-contained HTML page, read without a network, that says which figures may be relied on."""

from __future__ import annotations

import re
from dataclasses import dataclass

import jinja2
import numpy as np
from markupsafe import Markup, escape

from cxr.calibrate.scaling import Unchanged
from cxr.evaluate import trust, wording
from cxr.evaluate.calibration import CalibrationFigures
from cxr.evaluate.label_rows import LabelRow
from cxr.evaluate.metrics import Evaluation
from cxr.evaluate.operating import OperatingRow
from cxr.evaluate.probability_rows import ProbabilityRow
from cxr.evaluate.report import limits, provenance, subgroups
from cxr.evaluate.report.curves import Bins, Mark, Scores, label_svg
from cxr.evaluate.report.scale import auroc_scale
from cxr.evaluate.trust import Verdict
from cxr.evaluate.undefined import Undefined, as_float
from cxr.labels.label_set import LabelSet
from cxr.svg import data_uri


@dataclass(frozen=True)
class LabelPart:
    """One label as the page shows it.

    Args:
        row: how well its scores rank.
        verdict: how far that may be relied on.
        before: its scores as probabilities.
        after: calibrated ones; None without a calibration.
        picture: data URI of its curves; empty where no cell is known.
    """

    row: LabelRow
    verdict: Verdict
    before: ProbabilityRow
    after: ProbabilityRow | None
    picture: str


def render_report(evaluation: Evaluation, labels: LabelSet, name: str, description: str, side: str) -> str:
    """The page, as HTML.

    Args:
        evaluation: the figures.
        labels: the label set they were measured with.
        name: of the pipeline or table; escaped, like every other text.
        description: a sentence or two about it; may be empty.
        side: what was evaluated: a side of the split, or a table.
    """
    parts, scale = label_parts(evaluation), auroc_scale(evaluation)
    gaps = subgroups.gap_rows(evaluation)
    return _template().render(
        evaluation=evaluation,
        unit=evaluation.config.unit,
        units=wording.plural(evaluation.config.unit),
        parts=parts,
        by_grade={grade: [part for part in parts if part.verdict.grade == grade] for grade in trust.GRADES},
        scale=scale,
        name=name,
        description=description,
        side=side,
        wording=wording,
        limits=limits,
        subgroups=subgroups,
        rule=trust.RULE,
        small_limit=trust.SMALL_TEST_SET,
        points=_points(evaluation),
        pointless=pointless(evaluation),
        prevalences=bool(evaluation.config.prevalence),
        fitted_on=provenance.fitted_on(evaluation),
        unscaled=unscaled(evaluation),
        gaps=gaps,
        panels=list(subgroups.panels(evaluation, scale)),
        limit_sentences=limits.limits(evaluation, labels),
        weights=provenance.branch_weights(evaluation),
        provenance=provenance.provenance(evaluation, labels, side),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cxr.evaluate.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": wording.figure_text,
        "interval": wording.interval_text,
        "breakable": _breakable,
        "number": lambda count: f"{count:,}",
        "sort_key": lambda figure: "" if isinstance(figure, Undefined) else repr(figure),
    }
    environment.tests |= {"undefined_figure": lambda value: isinstance(value, Undefined)}
    return environment.get_template("page.html.j2")


def _breakable(text: str) -> Markup:
    """A name that may go on in the next line behind an underscore or slash."""
    return Markup(re.sub("([_/])(?=.)", r"\1<wbr>", str(escape(text))))


def label_parts(evaluation: Evaluation) -> list[LabelPart]:
    """The labels as the page shows them, in the order of the evaluation."""
    kinds = {(row.label, row.kind): row for row in evaluation.probabilities}
    parts = []
    for place, row in enumerate(evaluation.rows):
        before, after = kinds[row.label, "as scored"], kinds.get((row.label, "calibrated"))
        picture = _picture(evaluation, place, before, after)
        parts.append(LabelPart(row, trust.judge(row), before, after, picture))
    return parts


def _picture(evaluation: Evaluation, label: int, before: ProbabilityRow, after: ProbabilityRow | None) -> str:
    cells = evaluation.cells
    if np.isnan(cells.truth[:, label]).all():
        return ""
    scores = Scores(
        truth=cells.truth[:, label],
        scores=cells.scores[:, label],
        before=_bins(before),
        after=() if after is None else _bins(after),
        marks=[_mark(row) for row in evaluation.operating if row.label == cells.label_names[label]],
        unit=wording.plural(evaluation.config.unit),
    )
    # as an image of its own, the picture's ids and styles cannot meet those of another
    return data_uri(label_svg(scores))


def _bins(row: ProbabilityRow) -> Bins:
    return row.calibration.equal_mass if isinstance(row.calibration, CalibrationFigures) else ()


def _mark(row: OperatingRow) -> Mark:
    if isinstance(row.figures, Undefined):
        return Mark(*(float("nan"),) * 3)
    return Mark(*(as_float(each.value) for each in (row.figures.sensitivity, row.figures.specificity, row.figures.ppv)))


def _points(evaluation: Evaluation) -> list[OperatingRow]:
    return [row for row in evaluation.operating if not isinstance(row.figures, Undefined)]


def pointless(evaluation: Evaluation) -> list[str]:
    """Why labels do not have an operating point, like "Hernia, youden: no positives"."""
    return [
        f"{row.label}, {row.point}: {row.figures.reason}" for row in evaluation.operating if isinstance(row.figures, Undefined)
    ]


def unscaled(evaluation: Evaluation) -> list[str]:
    """Why labels' scores were left as they are, like "Hernia: no positives"; none where that is the method."""
    fitted = evaluation.calibration
    if fitted is None or fitted.config.method == "none":
        return []
    scalings = {name: fitted.labels[name].scaling for name in evaluation.cells.label_names}
    return [f"{name}: {each.reason}" for name, each in scalings.items() if isinstance(each, Unchanged)]
