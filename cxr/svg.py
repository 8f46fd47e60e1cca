"""Pictures as SVG text: the same figures give the same bytes, and each can stand in a page as a data URI.

No text of the user may enter a picture: a `$` would be read as mathematics. No state is shared: each picture is a
`Figure` of its own, drawn without pyplot.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

POSITIVE_COLOUR, NEGATIVE_COLOUR = "#b34700", "#1f5f99"
"""Told apart in any kind of colour vision; pictures tell them apart by line and fill as well."""

# ids from a fixed salt and no date: the same figures give the same bytes
_STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "cxr", "font.size": 8, "axes.linewidth": 0.6}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def draw_svg(size: tuple[float, float], draw: Callable[[Figure], None]) -> str:
    """A picture.

    Args:
        size: width and height in inches.
        draw: draws on an empty figure.

    Returns:
        An SVG document.
    """
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    return buffer.getvalue()


def data_uri(svg: str) -> str:
    """An SVG document as the address of an image: so its ids and styles cannot meet those of another in the page."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
