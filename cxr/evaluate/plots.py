"""Pictures of one label's scores, as SVG text: the ROC curve and the histogram of scores by truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from cxr.svg import NEGATIVE_COLOUR, POSITIVE_COLOUR, draw_svg

_GREY = "#767676"
_BINS = 24


def label_svg(truth: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> str:
    """ROC curve and histogram of one label, side by side.

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out); at least one known.
        scores: float64 [images] in [0, 1].

    Returns:
        An SVG document, 4.6 x 2.2 inches. Where positives or negatives are missing, the curve's place says so.
    """
    known = ~np.isnan(truth)
    positive = truth[known] == 1

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        _draw_roc(left, positive, scores[known])
        _draw_histogram(right, positive, scores[known])

    return draw_svg((4.6, 2.2), draw)


def _draw_roc(axes: Any, positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.plot((0, 1), (0, 1), color=_GREY, linewidth=0.8, linestyle=":")
    if positive.all() or not positive.any():
        missing = "negatives" if positive.all() else "positives"
        axes.text(0.5, 0.62, f"no {missing}:\nno curve", ha="center", va="center", color=_GREY)
        return
    false_positive_rate, true_positive_rate, _ = roc_curve(positive, scores)
    axes.plot(false_positive_rate, true_positive_rate, color="#222222", linewidth=1.2)


def _draw_histogram(axes: Any, positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> None:
    top = float(scores.max()) or 1.0
    edges = np.linspace(0, top, _BINS + 1)
    for chosen, style in (
        (~positive, {"color": NEGATIVE_COLOUR, "fill": True, "alpha": 0.35}),
        (positive, {"color": POSITIVE_COLOUR, "fill": False, "linewidth": 1.4}),
    ):
        if chosen.any():
            # shares of each kind: with counts, the positives of a rare finding would not be seen
            shares = 100 * np.histogram(scores[chosen], edges)[0] / chosen.sum()
            axes.stairs(shares, edges, **style)
    axes.set(xlim=(0, top), xlabel="score", ylabel="% of images of this kind")
    axes.locator_params(axis="x", nbins=4)
    axes.spines[["top", "right"]].set_visible(False)
