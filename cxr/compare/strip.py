"""Pictures of differences on one scale: a line from the interval's one end to the other, and a mark where the figure is."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxr.evaluate.paired import Difference, Outcome
from cxr.evaluate.undefined import Undefined
from cxr.svg import data_uri, draw_svg

COLOURS = {"better": "#1d6b3a", "worse": "#a11d1d"}
"""Of the outcomes that are called; each has a mark of its own, too."""
_MARKS = {"better": "^", "worse": "v"}
_MARGIN_COLOUR = "#8a5a00"
_LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
"""Ends of the scale of differences; the least one that holds all intervals is taken."""


def scale_limit(gaps: Iterable[Difference], margin: float = 0) -> float:
    """The end of the scale that holds all differences with their intervals, and the margin."""
    ends = [margin]
    for gap in gaps:
        ends += [] if isinstance(gap.difference, Undefined) else [abs(gap.difference)]
        ends += [] if isinstance(gap.interval, Undefined) else [abs(gap.interval.low), abs(gap.interval.high)]
    return next(limit for limit in _LIMITS if limit >= max(ends))


def draw_strip(gap: Difference, verdict: Outcome | Undefined, limit: float, margin: float = 0) -> str:
    """The difference with its interval, as the address of a picture.

    Args:
        gap: the difference.
        verdict: chooses colour and mark.
        limit: end of the scale; see `scale_limit`.
        margin: a dashed line stands at this loss; 0 for none.
    """

    def draw(figure: Figure) -> None:
        axes = _axes(figure, limit)
        axes.axvline(0, color="#767676", linewidth=0.8)
        if margin:
            axes.axvline(-margin, color=_MARGIN_COLOUR, linewidth=1.2, linestyle=(0, (2, 1.5)))
        colour = COLOURS.get(str(verdict), "#444444")
        if not isinstance(gap.interval, Undefined):
            axes.plot((gap.interval.low, gap.interval.high), (0, 0), color=colour, linewidth=1.8, solid_capstyle="butt")
        if not isinstance(gap.difference, Undefined):
            axes.plot(gap.difference, 0, _MARKS.get(str(verdict), "o"), color=colour, markersize=5)

    return data_uri(draw_svg((2.2, 0.24), draw))


def draw_scale(limit: float) -> str:
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
