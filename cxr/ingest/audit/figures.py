"""Histograms of the audit page, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cxr.svg import NEGATIVE_COLOUR, draw_svg

_MOST_BINS = 40
_THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")
_WHOLE = FuncFormatter(lambda value, _: f"{value:.0f}")


def whole_edges(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Edges of at most 40 equal bins that hold whole numbers, each bin a whole number wide, centred on whole numbers.

    Args:
        values: float64 [values], whole numbers, at least one.
    """
    low, high = float(values.min()), float(values.max())
    step = np.ceil((high - low + 1) / _MOST_BINS)
    return np.arange(low - 0.5, high + step, step)


def histogram_svg(
    values: npt.NDArray[np.float64],
    edges: npt.NDArray[np.float64],
    axis: str,
    ticks: Sequence[tuple[float, str]] = (),
    *,
    thousands: bool = True,
) -> str:
    """A histogram of images.

    Args:
        values: float64 [images], all between the edges.
        edges: float64 [bins + 1], rising.
        axis: what the values are; one of our own words, never a text of the user.
        ticks: places and names on the axis, where those that are chosen by themselves do not do.
        thousands: whether numbers on the axis are written like 2,500; years are not.

    Returns:
        An SVG document, 4.2 x 1.7 inches.
    """
    heights = np.histogram(values, edges)[0]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.stairs(heights, edges, fill=True, color=NEGATIVE_COLOUR, alpha=0.75, linewidth=0)
        axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None), xlabel=axis, ylabel="images")
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(_THOUSANDS)
        if ticks:
            axes.set_xticks([place for place, _ in ticks], [name for _, name in ticks])
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.xaxis.set_major_formatter(_THOUSANDS if thousands else _WHOLE)
        axes.spines[["top", "right"]].set_visible(False)

    return draw_svg((4.2, 1.7), draw)
