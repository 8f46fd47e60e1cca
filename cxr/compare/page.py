"""The comparison as one self-contained HTML page: a table with a picture of the difference in each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

import jinja2
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxr.compare.align import Pair
from cxr.compare.outputs import counts
from cxr.compare.wording import (
    OUTCOMES,
    caution,
    difference_text,
    figure_text,
    interval_text,
    label_sentence,
    level_text,
    macro_sentence,
    verdict_text,
)
from cxr.config_evaluate import Unit
from cxr.evaluate.paired import Comparison, Difference, Outcome, PairedRow
from cxr.evaluate.undefined import Undefined, as_float
from cxr.svg import data_uri, draw_svg

_COLOURS = {"better": "#1d6b3a", "worse": "#a11d1d"}
_MARKS = {"better": "^", "worse": "v"}
_MOST_LISTED = 20
_LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
"""Ends of the scale of differences; the least one that holds all intervals is taken."""


@dataclass(frozen=True)
class _Line:
    """A row of the table: all as text."""

    label: str
    outcome: str
    verdict: str
    caution: str
    picture: str
    difference: str
    a: str
    b: str
    p: str
    positives: str


def render_page(found: Comparison, sides: Pair, names: tuple[str, str], unit: Unit, remarks: Sequence[str]) -> str:
    """The page, as HTML.

    Args:
        found: the comparison.
        sides: what was compared.
        names: of A and B; escaped, like every other text.
        unit: what was counted.
        remarks: what the reader must know, a sentence each.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files("cxr.compare") / "page.html.j2").read_text(encoding="utf-8"))
    limit = _limit(found)
    macro = _line("mean", found.macro.auroc, found.macro.auroc.p, found.macro.verdict, limit)
    return template.render(
        found=found,
        sides=sides,
        names=names,
        unit=unit,
        remarks=remarks,
        sentence=macro_sentence(found),
        sentences=[label_sentence(row, caution(row, sides)) for row in found.rows],
        outcomes=_by_outcome(found),
        lines=[_label_line(row, sides, label, limit) for label, row in enumerate(found.rows)],
        macro=macro,
        scale=_scale(limit),
        level=level_text(found),
        chance=f"{round(1 - found.confidence, 6):g}",
    )


def _by_outcome(found: Comparison) -> list[tuple[str, str, str]]:
    """What is said of A, how it is shown, and which labels it holds for; outcomes without a label are left out."""
    texts: dict[str, list[str]] = {outcome: [] for outcome in (*OUTCOMES, "cannot be told")}
    for row in found.rows:
        texts["cannot be told" if isinstance(row.verdict, Undefined) else row.verdict].append(row.label)
    return [(outcome, outcome if outcome in _COLOURS else "", _listed(labels)) for outcome, labels in texts.items() if labels]


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels) if len(labels) <= _MOST_LISTED else f"{len(labels)} labels, see the table"


def _label_line(row: PairedRow, sides: Pair, label: int, limit: float) -> _Line:
    line = _line(row.label, row.auroc, row.p_holm, row.verdict, limit)
    return replace(line, caution=caution(row, sides), positives=f"{counts(sides, label)['positives']:,}")


def _line(label: str, gap: Difference, p: float | Undefined, verdict: Outcome | Undefined, limit: float) -> _Line:
    return _Line(
        label=label,
        outcome=str(verdict) if verdict in _COLOURS else "",
        verdict=verdict_text(verdict),
        caution="",
        picture=_strip(gap, verdict, limit),
        difference=_short(difference_text(gap)) + ("" if isinstance(gap.interval, Undefined) else f" ({interval_text(gap)})"),
        a=_short(figure_text(gap.a)),
        b=_short(figure_text(gap.b)),
        p=_short(figure_text(p)),
        positives="",
    )


def _short(text: str) -> str:
    """A figure; a dash where it is undefined, since the verdict beside it says why."""
    return "–" if text == "undefined" else text


def _limit(found: Comparison) -> float:
    gaps = [found.macro.auroc, *(row.auroc for row in found.rows)]
    ends = [abs(as_float(gap.difference)) for gap in gaps if not isinstance(gap.difference, Undefined)]
    ends += [
        abs(end) for gap in gaps if not isinstance(gap.interval, Undefined) for end in (gap.interval.low, gap.interval.high)
    ]
    return next(limit for limit in _LIMITS if limit >= max(ends, default=0))


def _strip(gap: Difference, verdict: Outcome | Undefined, limit: float) -> str:
    """The difference with its interval, as the address of a picture."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure, limit)
        axes.axvline(0, color="#767676", linewidth=0.8)
        colour = _COLOURS.get(str(verdict), "#444444")
        if not isinstance(gap.interval, Undefined):
            axes.plot((gap.interval.low, gap.interval.high), (0, 0), color=colour, linewidth=1.8, solid_capstyle="butt")
        if not isinstance(gap.difference, Undefined):
            axes.plot(gap.difference, 0, _MARKS.get(str(verdict), "o"), color=colour, markersize=5)

    return data_uri(draw_svg((2.2, 0.24), draw))


def _scale(limit: float) -> str:
    """The scale of all strips, as the address of a picture."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure, limit)
        for value in (-limit, 0, limit):
            align = {-limit: "left", 0: "center", limit: "right"}[value]
            axes.text(value, 0, f"{value:+g}" if value else "0", ha=align, va="center", color="#444444", fontsize=14)

    return data_uri(draw_svg((2.2, 0.26), draw))


def _axes(figure: Figure, limit: float) -> Axes:
    """The whole of a picture, so that all strips have one scale."""
    figure.set_layout_engine("none")
    figure.set_facecolor("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(-1.05 * limit, 1.05 * limit), ylim=(-1, 1))
    return axes
