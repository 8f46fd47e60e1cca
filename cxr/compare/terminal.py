"""The table of a comparison for the terminal: all cells as text."""

from __future__ import annotations

from cxr.compare.align import Pair
from cxr.compare.wording import caution, difference_text, figure_text, interval_text, verdict_text
from cxr.evaluate.paired import Comparison, Difference
from cxr.evaluate.undefined import Undefined

Row = tuple[str, ...]


def terminal_rows(found: Comparison, sides: Pair) -> tuple[Row, ...]:
    """Label, AUROC of A, of B, difference, interval, p and verdict: a row per label, then the mean."""
    rows = (_row(row.label, row.auroc, row.p_holm, verdict_text(row.verdict, caution(row, sides))) for row in found.rows)
    macro = found.macro
    return (*rows, _row("mean", macro.auroc, macro.auroc.p, verdict_text(macro.verdict)))


def _row(label: str, gap: Difference, p: float | Undefined, verdict: str) -> Row:
    figures = (figure_text(gap.a), figure_text(gap.b), difference_text(gap), interval_text(gap), figure_text(p))
    return (label, *figures, verdict)
