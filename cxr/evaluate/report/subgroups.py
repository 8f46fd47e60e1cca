"""The subgroups on the page: a picture of all groups by column, and which gaps a reader should know of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cxr.evaluate.interval import Interval
from cxr.evaluate.metrics import Evaluation
from cxr.evaluate.report.scale import Scale
from cxr.evaluate.subgroups import Gap, GroupRow, Within
from cxr.evaluate.undefined import Undefined, as_float
from cxr.svg import NEGATIVE_COLOUR, data_uri, draw_svg

LABELS_ACROSS = 7
"""Of one picture, so that it fits a tablet."""
NOTABLE = 0.02
"""An AUROC within groups that is lower than the pooled one by more is named, unless chance explains it."""
_CELL, _ROW = 63 / 96, 18 / 96
"""Inches a label is wide and a group is high; the page makes its table of 5.25 em and 1.5 em, of 12 pixels each."""
_MARGIN = 0.07
_STRIPE, _GREY, _INK = "#f6f6f4", "#767676", "#222222"


@dataclass(frozen=True)
class Panel:
    """Some labels in all groups of a column.

    Args:
        column: its name.
        groups: name and images of each group.
        labels: names, at most `LABELS_ACROSS`.
        picture: data URI: a row per group and one for the axis, a cell per label.
    """

    column: str
    groups: tuple[tuple[str, int], ...]
    labels: tuple[str, ...]
    picture: str


@dataclass(frozen=True)
class GapRow:
    """A column and label: how far groups lie apart, and the AUROC within groups beside the pooled one."""

    gap: Gap
    within: Within


def group_sizes(evaluation: Evaluation) -> dict[str, dict[str, int]]:
    """Images of each group, by column."""
    sizes: dict[str, dict[str, int]] = {}
    for row in evaluation.subgroups.rows:
        sizes.setdefault(row.group.column, {})[row.group.name] = row.group.images
    return sizes


def compared_columns(evaluation: Evaluation) -> tuple[str, ...]:
    """Columns with more than one group; in one alone there is nothing to compare."""
    return tuple(column for column, groups in group_sizes(evaluation).items() if len(groups) > 1)


def gap_rows(evaluation: Evaluation) -> tuple[GapRow, ...]:
    """The gaps of all columns with more than one group."""
    columns = compared_columns(evaluation)
    pairs = zip(evaluation.subgroups.gaps, evaluation.subgroups.within, strict=True)
    return tuple(GapRow(gap, within) for gap, within in pairs if gap.column in columns)


def gaps_apart(rows: Sequence[GapRow]) -> tuple[Gap, ...]:
    """The gaps whose interval leaves out 0, the largest first."""
    apart = [row.gap for row in rows if isinstance(row.gap.bootstrap.interval, Interval) and row.gap.bootstrap.interval.low > 0]
    return tuple(sorted(apart, key=lambda gap: -as_float(gap.gap)))


def gaps_measured(rows: Sequence[GapRow]) -> int:
    """How many gaps have an interval."""
    return sum(isinstance(row.gap.bootstrap.interval, Interval) for row in rows)


def lower_within(rows: Sequence[GapRow]) -> tuple[Within, ...]:
    """Where the AUROC within groups, and its upper bound, lie below the pooled one, by more than `NOTABLE`; largest first."""
    lower = [row.within for row in rows if _lost(row.within) > NOTABLE and _upper(row.within) < as_float(row.within.pooled)]
    return tuple(sorted(lower, key=lambda each: -_lost(each)))


def _lost(within: Within) -> float:
    return as_float(within.pooled) - as_float(within.within)


def _upper(within: Within) -> float:
    interval = within.bootstrap.interval
    return interval.high if isinstance(interval, Interval) else float("nan")


def panels(evaluation: Evaluation, scale: Scale) -> Iterator[Panel]:
    """The pictures of all columns with more than one group, in the order of columns and labels."""
    sizes = group_sizes(evaluation)
    names = evaluation.cells.label_names
    by_column = {column: [row for row in evaluation.subgroups.rows if row.group.column == column] for column in sizes}
    for column in compared_columns(evaluation):
        for start in range(0, len(names), LABELS_ACROSS):
            labels = names[start : start + LABELS_ACROSS]
            rows = {label: [row for row in by_column[column] if row.group.label == label] for label in labels}
            pooled = [row.auroc for row in evaluation.rows[start : start + LABELS_ACROSS]]
            picture = data_uri(_panel_svg(list(rows.values()), pooled, scale))
            yield Panel(column, tuple(sizes[column].items()), labels, picture)


def _panel_svg(labels: Sequence[Sequence[GroupRow]], pooled: Sequence[float | Undefined], scale: Scale) -> str:
    """Rows of each label's groups, the label's AUROC over all images, and the axis."""
    across, down = len(labels), len(labels[0])
    bars = [bar for place, rows in enumerate(labels) for bar in _bars(place, rows, scale)]
    lines = [_x(place, figure, scale) for place, figure in enumerate(pooled) if not isinstance(figure, Undefined)]

    def draw(figure: Figure) -> None:
        figure.set_layout_engine(None)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set(xlim=(0, across), ylim=(down + 1, 0))
        for row in range(0, down, 2):
            axes.axhspan(row, row + 1, color=_STRIPE, linewidth=0)
        _draw_axes(axes, across, down, scale)
        axes.vlines(lines, 0, down, color=NEGATIVE_COLOUR, linewidth=1)
        for compared in (False, True):
            _draw_bars(axes, [bar for bar in bars if bar.compared == compared], compared)

    return draw_svg((across * _CELL, (down + 1) * _ROW), draw)


@dataclass(frozen=True)
class _Bar:
    """A group's AUROC and its bounds, as positions, NaN where undefined; its row; whether it takes part in the gap."""

    low: float
    middle: float
    high: float
    row: int
    compared: bool


def _bars(place: int, rows: Sequence[GroupRow], scale: Scale) -> Iterator[_Bar]:
    for row, found in enumerate(rows):
        interval = found.bootstrap.interval
        bounds = (interval.low, interval.high) if isinstance(interval, Interval) else (float("nan"),) * 2
        low, middle, high = (_x(place, value, scale) for value in (bounds[0], as_float(found.group.auroc), bounds[1]))
        yield _Bar(low, middle, high, row, not found.group.left_out)


def _draw_bars(axes: Any, bars: Sequence[_Bar], compared: bool) -> None:
    colour, width, face = (_INK, 1.5, _INK) if compared else (_GREY, 0.9, "white")
    rows = [bar.row + 0.5 for bar in bars]
    axes.hlines(rows, [bar.low for bar in bars], [bar.high for bar in bars], color=colour, linewidth=width)
    dots = {"linestyle": "none", "marker": "o", "markersize": 4, "color": colour, "markerfacecolor": face}
    axes.plot([bar.middle for bar in bars], rows, **dots)


def _draw_axes(axes: Any, across: int, down: int, scale: Scale) -> None:
    """The borders of the cells, guessing, and what the ends of the axis mean."""
    axes.vlines(range(across), 0, down + 1, color="#d0d0d0", linewidth=0.6)
    axes.vlines([_x(place, 0.5, scale) for place in range(across)], 0, down, color=_GREY, linewidth=0.7, linestyle=":")
    for place in range(across):
        for x, text, side in ((_x(place, 0.5, scale), "0.5", "center"), (_x(place, 1, scale), "1", "right")):
            axes.text(x, down + 0.62, text, fontsize=7, ha=side, va="center", color="#595959")


def _x(place: int, value: float, scale: Scale) -> float:
    """Position of an AUROC in the cell of the label at this place; what is left of the axis stands at its end."""
    return float(place + _MARGIN + (1 - 2 * _MARGIN) * np.clip(scale.share(value), 0, 1))
