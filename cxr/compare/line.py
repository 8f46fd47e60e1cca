"""A row of a page's table about two models: every cell as text, and a picture of the difference."""

from __future__ import annotations

from dataclasses import dataclass

from cxr.compare.strip import COLOURS, draw_strip
from cxr.compare.wording import difference_text, figure_text, interval_text, verdict_text
from cxr.evaluate.paired import Difference, Outcome
from cxr.evaluate.undefined import Undefined


@dataclass(frozen=True)
class Line:
    """A row.

    Args:
        label: what it is about.
        outcome: better or worse, by which it is coloured; empty for anything else.
        verdict: in words, or why there is none.
        caution: why the verdict is to be read with caution.
        picture: of the difference, as an address.
        difference, interval: of A less B.
        a, b: the figures of A and B.
        p: of the difference.
        count: what the row rests on.
    """

    label: str
    outcome: str
    verdict: str
    picture: str
    difference: str
    interval: str
    a: str
    b: str
    p: str
    caution: str = ""
    count: str = ""


def draw_line(
    label: str, gap: Difference, p: float | Undefined, verdict: Outcome | Undefined, limit: float, margin: float = 0
) -> Line:
    """The row of a difference.

    Args:
        label: what it is about.
        gap: the difference.
        p: as it is to be shown, corrected or not.
        verdict: on A.
        limit, margin: see `cxr.compare.strip.draw_strip`.
    """
    return Line(
        label=label,
        outcome=str(verdict) if verdict in COLOURS else "",
        verdict=verdict_text(verdict),
        picture=draw_strip(gap, verdict, limit, margin),
        difference=_short(difference_text(gap)),
        interval="" if isinstance(gap.interval, Undefined) else interval_text(gap),
        a=_short(figure_text(gap.a)),
        b=_short(figure_text(gap.b)),
        p=_short(figure_text(p)),
    )


def _short(text: str) -> str:
    """A figure; a dash where it is undefined, since the verdict beside it says why."""
    return "–" if text == "undefined" else text
