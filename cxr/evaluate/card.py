"""The model card in Markdown: what was evaluated on whom, with which figures, and what they do not say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import jinja2

from cxr.evaluate import trust, wording
from cxr.evaluate.calibration import CalibrationFigures, Coefficient
from cxr.evaluate.estimate import Estimate
from cxr.evaluate.interval import Interval
from cxr.evaluate.metrics import Evaluation
from cxr.evaluate.operating import OperatingRow
from cxr.evaluate.report import limits, provenance, subgroups
from cxr.evaluate.report.page import pointless, unscaled
from cxr.evaluate.undefined import Undefined, as_float
from cxr.labels.label_set import LabelSet

_SPECIAL = re.compile(r"([\\`*\[\]|~#$]|(?<![^\W_])_|_(?![^\W_]))")
"""Characters with a meaning in Markdown; an underscore has one only at the edge of a word."""
_BLOCK = re.compile(r"^(\d+(?=[.)])|(?=[-+=]))([-+=.)])(?=[\s=-]|$)")
"""What at the start of a text would begin a list, a heading or a rule."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MOST_GAPS = 20


class Markdown(str):
    """Text that is Markdown already; any other text is escaped."""

    __slots__ = ()


def render_card(evaluation: Evaluation, labels: LabelSet, name: str, description: str, side: str) -> str:
    """The card, as Markdown.

    Args:
        evaluation: the figures.
        labels: the label set they were measured with.
        name: of the pipeline or table; escaped, like every other text.
        description: a sentence or two about it; may be empty.
        side: what was evaluated: a side of the split, or a table.
    """
    gaps = subgroups.gap_rows(evaluation)
    return _template().render(
        evaluation=evaluation,
        labels=labels,
        name=name,
        description=description,
        place=wording.place_text(side),
        units=wording.plural(evaluation.config.unit),
        wording=wording,
        rule=trust.RULE,
        figures=_figures(evaluation),
        points=_points(evaluation),
        pointless=pointless(evaluation),
        fitted_on=provenance.fitted_on(evaluation),
        calibration=_calibration(evaluation),
        unscaled=unscaled(evaluation),
        gap_count=len(gaps),
        measured=subgroups.gaps_measured(gaps),
        apart=len(subgroups.gaps_apart(gaps)),
        gaps=_gaps(gaps),
        lower=subgroups.lower_within(gaps),
        column_text=limits.column_text,
        groups=_groups(evaluation),
        weights=table(("label", "weight of its own branch"), provenance.branch_weights(evaluation).items()),
        limits=(*limits.limits(evaluation, labels), *limits.GENERAL),
        not_measured=limits.not_measured(evaluation),
        provenance=table(("what", "value"), provenance.provenance(evaluation, labels, side).items()),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cxr.evaluate", ""),
        autoescape=False,
        finalize=lambda value: value if isinstance(value, Markdown) else escape(str(value)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["figure"] = wording.figure_text
    return environment.get_template("card.md.j2")


def escape(text: str) -> Markdown:
    """Plain text as Markdown that shows it, on one line."""
    line = " ".join(text.split())
    entities = "".join(_ENTITIES.get(character, character) for character in line)
    return Markdown(_BLOCK.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", entities)))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Markdown:
    """A table whose columns stand below each other in the text, too.

    Args:
        header: plain texts.
        rows: plain texts, as many each; empty where there is none.
    """
    cells = [[escape(text) for text in row] for row in (header, *rows)]
    if len(cells) == 1:
        return Markdown("")
    widths = [max(3, *(_width(text) for text in column)) for column in zip(*cells, strict=True)]
    lines = [" | ".join(text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)) for row in cells]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return Markdown("\n".join(f"| {line} |" for line in lines))


def _width(text: str) -> int:
    """Places that a text takes where all letters are equally wide; those of East Asia take two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def _with_interval(value: float | Undefined, interval: Interval | Undefined) -> str:
    if isinstance(value, Undefined):
        return f"undefined: {value.reason}"
    bounds = f"no interval: {interval.reason}" if isinstance(interval, Undefined) else wording.interval_text(interval)
    return f"{value:.3f} ({bounds})"


def _estimate(estimate: Estimate) -> str:
    return _with_interval(estimate.value, estimate.interval)


def _groups(evaluation: Evaluation) -> list[str]:
    """Who was evaluated, like "sex: F 1,339, M 1,661"."""
    sizes = subgroups.group_sizes(evaluation).items()
    return [
        f"{limits.column_text(name)}: {', '.join(f'{group} {size:,}' for group, size in groups.items())}"
        for name, groups in sizes
    ]


def _figures(evaluation: Evaluation) -> Markdown:
    units = wording.plural(evaluation.config.unit)
    header = ("label", "verdict", "AUROC", "average precision", f"positive {units}", f"negative {units}", "unknown", "patients")
    rows = [
        (
            row.label,
            trust.judge(row).grade,
            _estimate(row.ranking),
            _estimate(row.precision),
            f"{row.counts.positives:,}",
            f"{row.counts.negatives:,}",
            f"{row.counts.unknown:,}",
            f"{row.counts.patients:,}",
        )
        for row in evaluation.rows
    ]
    macro = evaluation.macro
    mean = (f"mean of {wording.labels_text(evaluation)}", "", _estimate(macro.ranking), _estimate(macro.precision))
    return table(header, [*rows, (*mean, "", "", "", f"{evaluation.patients:,}")])


def _points(evaluation: Evaluation) -> Markdown:
    header = ["label", "point", "threshold", "sensitivity", "specificity", "PPV", "NPV", "TP", "FN", "FP", "TN"]
    if evaluation.config.prevalence:
        header += ["prevalence stated", "PPV there", "NPV there"]
    return table(header, filter(None, (_point(row, len(header)) for row in evaluation.operating)))


def _point(row: OperatingRow, columns: int) -> list[str]:
    found = row.figures
    if isinstance(found, Undefined):
        return []
    estimates = [_estimate(each) for each in (found.sensitivity, found.specificity, found.ppv, found.npv)]
    counts = found.counts
    sides = (counts.true_positives, counts.false_negatives, counts.false_positives, counts.true_negatives)
    there = found.at_prevalence
    stated = [] if there is None else [f"{there.prevalence:g}", _estimate(there.ppv), _estimate(there.npv)]
    texts = [row.label, row.point, f"{found.threshold:.3f}", *estimates, *(f"{count:,}" for count in sides), *stated]
    return [*texts, *[""] * (columns - len(texts))]


def _calibration(evaluation: Evaluation) -> Markdown:
    header = ("label", "probabilities", "Brier", "slope", "intercept", "ECE, equal width", "ECE, equal size")
    ordered = sorted(evaluation.probabilities, key=lambda row: evaluation.cells.label_names.index(row.label))
    rows = []
    for row in ordered:
        found = row.calibration
        rows.append([row.label, row.kind, _estimate(row.brier), *_calibration_texts(found)])
    return table(header, rows)


def _calibration_texts(found: CalibrationFigures | Undefined) -> list[str]:
    if isinstance(found, Undefined):
        return [f"undefined: {found.reason}", *["undefined"] * 3]
    errors = [f"{error:.3f}" for error in (found.ece_equal_width, found.ece_equal_mass)]
    return [_coefficient(found.slope), _coefficient(found.intercept), *errors]


def _coefficient(found: Coefficient | Undefined) -> str:
    if isinstance(found, Undefined):
        return f"undefined: {found.reason}"
    if isinstance(found.bounds, Undefined):
        return f"{found.value:.2f} (no interval: {found.bounds.reason})"
    low, high = found.bounds
    return f"{found.value:.2f} ({low:.2f} to {high:.2f})"


def _gaps(rows: Sequence[subgroups.GapRow]) -> Markdown:
    """The gaps between groups, the largest first."""
    measured = [row for row in rows if not isinstance(row.gap.gap, Undefined)]
    header = ("label", "by", "gap", "highest", "lowest", "groups compared", "AUROC within", "AUROC pooled")
    return table(
        header,
        [
            (
                row.gap.label,
                limits.column_text(row.gap.column),
                _with_interval(row.gap.gap, row.gap.bootstrap.interval),
                row.gap.highest,
                row.gap.lowest,
                str(row.gap.compared),
                _with_interval(row.within.within, row.within.bootstrap.interval),
                wording.figure_text(row.within.pooled),
            )
            for row in sorted(measured, key=lambda row: -as_float(row.gap.gap))[:_MOST_GAPS]
        ],
    )
