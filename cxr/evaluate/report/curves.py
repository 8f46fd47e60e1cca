"""Pictures of one label, as SVG text: ROC, precision against recall, reliability, and how the scores are spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from cxr.evaluate.calibration import ReliabilityBin
from cxr.svg import NEGATIVE_COLOUR, POSITIVE_COLOUR, draw_svg

_GREY, _INK = "#767676", "#222222"
_BINS = 24
_RESOLUTION = 1 / 400
"""Of an axis, in which curves are drawn; a third of a pixel on the page."""
_WHOLE = (0.0, 0.5, 1.0)

_Floats = npt.NDArray[np.float64]
Bins = Sequence[ReliabilityBin]


@dataclass(frozen=True)
class Mark:
    """An operating point on the curves; each figure in [0, 1], or NaN where it is undefined.

    Args:
        sensitivity, specificity, ppv: at its threshold.
    """

    sensitivity: float
    specificity: float
    ppv: float


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of one label.

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out); at least one known.
        scores: float64 [images] in [0, 1].
        before: reliability of the scores as they are; empty where it is not measured.
        after: reliability of calibrated ones; empty where there are none.
        marks: the operating points; the first one decides.
        unit: what the rows are, in the plural.
    """

    truth: npt.NDArray[np.float32]
    scores: _Floats
    before: Bins
    after: Bins
    marks: Sequence[Mark]
    unit: str


def label_svg(label: Scores) -> str:
    """Four pictures of one label in a square.

    Returns:
        An SVG document, 4 x 3.9 inches. Where positives or negatives are missing, the place of a curve says so.
    """
    known = ~np.isnan(label.truth)
    positive, scores = label.truth[known] == 1, label.scores[known]

    def draw(figure: Figure) -> None:
        figure.set_layout_engine(None)  # the places are known, and finding them takes as long as drawing
        places = [(x, y, 0.36, 0.35) for y in (0.595, 0.095) for x in (0.115, 0.62)]
        roc, precision, reliability, spread = (figure.add_axes(place) for place in places)
        _draw_curves(roc, precision, positive, scores, label.marks)
        _draw_reliability(reliability, label)
        _draw_spread(spread, positive, scores, label.unit)

    return draw_svg((4.0, 3.9), draw)


def thin(x: _Floats, y: _Floats) -> npt.NDArray[np.intp]:
    """Which points of a curve to draw, so that no other one lies further than `_RESOLUTION` along the curve from a drawn one.

    Args:
        x, y: float64 [points] in [0, 1], in the order of the curve.

    Returns:
        intp [drawn], rising; the first and the last point are among them.
    """
    length = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    first = np.unique((length / _RESOLUTION).astype(np.int64), return_index=True)[1]
    return np.unique(np.append(first, len(x) - 1))


def _draw_curves(roc: Any, precision: Any, positive: npt.NDArray[np.bool_], scores: _Floats, marks: Sequence[Mark]) -> None:
    _whole_axes(roc, "ROC", "1 - specificity", "sensitivity")
    _whole_axes(precision, "precision and recall", "recall (sensitivity)", "precision (PPV)")
    roc.plot((0, 1), (0, 1), color=_GREY, linewidth=0.8, linestyle=":")
    precision.plot((0, 1), (positive.mean(),) * 2, color=_GREY, linewidth=0.8, linestyle=":")
    if positive.all() or not positive.any():
        for axes in (roc, precision):
            axes.text(0.66, 0.2, f"no {'negatives' if positive.all() else 'positives'}:\nno curve", ha="center", color=_GREY)
        return
    false_alarms, found, _ = roc_curve(positive, scores)
    _draw_line(roc, false_alarms, found)
    values, recall, _ = precision_recall_curve(positive, scores, drop_intermediate=True)
    _draw_line(precision, recall, values, drawstyle="steps-post")
    for place, mark in reversed(list(enumerate(marks))):  # the first one on top
        style = {"marker": "D", "color": _INK, "markerfacecolor": "white" if place else _INK, "clip_on": False}
        roc.plot(1 - mark.specificity, mark.sensitivity, markersize=4.5, **style)
        precision.plot(mark.sensitivity, mark.ppv, markersize=4.5, **style)


def _draw_line(axes: Any, x: _Floats, y: _Floats, **style: Any) -> None:
    drawn = thin(x, y)
    axes.plot(x[drawn], y[drawn], color=NEGATIVE_COLOUR, linewidth=1.3, **style)


def _draw_reliability(axes: Any, label: Scores) -> None:
    bins = [*label.before, *label.after]
    top = min(1.0, 1.1 * max((max(each.mean_probability, each.observed) for each in bins), default=1.0)) or 1.0
    _titled(axes, "calibration", "mean probability", "share with the finding")
    axes.set(xlim=(0, top), ylim=(0, top))
    _few_ticks(axes)
    axes.plot((0, top), (0, top), color=_GREY, linewidth=0.8, linestyle=":")
    if not bins:
        axes.text(0.66 * top, 0.2 * top, "not measured", ha="center", color=_GREY)
    _draw_bins(axes, label.before, {"color": _GREY, "marker": "s", "markerfacecolor": "white"})
    _draw_bins(axes, label.after, {"color": NEGATIVE_COLOUR, "marker": "o"})


def _draw_bins(axes: Any, bins: Bins, style: dict[str, str]) -> None:
    x = [each.mean_probability for each in bins]
    low, high = [each.interval.low for each in bins], [each.interval.high for each in bins]
    axes.vlines(x, low, high, color=style["color"], linewidth=1)
    axes.plot(x, [each.observed for each in bins], linestyle="none", markersize=3.5, **style)


def _draw_spread(axes: Any, positive: npt.NDArray[np.bool_], scores: _Floats, unit: str) -> None:
    top = float(scores.max()) or 1.0
    edges = np.linspace(0, top, _BINS + 1)
    for chosen, style in (
        (~positive, {"color": NEGATIVE_COLOUR, "fill": True, "alpha": 0.35}),
        (positive, {"color": POSITIVE_COLOUR, "fill": False, "linewidth": 1.4}),
    ):
        if chosen.any():
            # shares of each kind: with counts, the positives of a rare finding would not be seen
            axes.stairs(100 * np.histogram(scores[chosen], edges)[0] / chosen.sum(), edges, **style)
    _titled(axes, "scores", "score", f"% of {unit} of this kind")
    axes.set_xlim(0, top)
    _few_ticks(axes)


def _whole_axes(axes: Any, title: str, x: str, y: str) -> None:
    _titled(axes, title, x, y)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xticks=_WHOLE, yticks=_WHOLE)


def _titled(axes: Any, title: str, x: str, y: str) -> None:
    # without a height, a place for the title is looked for whenever the picture is drawn
    axes.set_title(title, loc="left", fontsize=8, fontweight="bold", y=1.0, pad=4)
    axes.set_xlabel(x, labelpad=1.5)
    axes.set_ylabel(y, labelpad=2)
    axes.tick_params(length=2.5, pad=2)
    axes.spines[["top", "right"]].set_visible(False)


def _few_ticks(axes: Any) -> None:
    axes.locator_params(nbins=4)
