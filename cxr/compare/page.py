"""The comparison as one self-contained HTML page: a table with a picture of the difference in each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cxr.compare.align import Pair
from cxr.compare.line import Line, draw_line
from cxr.compare.outputs import counts
from cxr.compare.strip import COLOURS, draw_scale, scale_limit
from cxr.compare.style import render
from cxr.compare.wording import OUTCOMES, caution, label_sentence, level_text, macro_sentence
from cxr.config_evaluate import Unit
from cxr.evaluate.paired import Comparison, PairedRow
from cxr.evaluate.undefined import Undefined

_MOST_LISTED = 20


def render_page(found: Comparison, sides: Pair, names: tuple[str, str], unit: Unit, remarks: Sequence[str]) -> str:
    """The page, as HTML.

    Args:
        found: the comparison.
        sides: what was compared.
        names: of A and B; escaped, like every other text.
        unit: what was counted.
        remarks: what the reader must know, a sentence each.
    """
    limit = scale_limit([found.macro.auroc, *(row.auroc for row in found.rows)])
    values = {
        "found": found,
        "sides": sides,
        "names": names,
        "unit": unit,
        "remarks": remarks,
        "sentence": macro_sentence(found),
        "sentences": [label_sentence(row, caution(row, sides)) for row in found.rows],
        "outcomes": _by_outcome(found),
        "lines": [_label_line(row, sides, label, limit) for label, row in enumerate(found.rows)],
        "macro": draw_line("mean", found.macro.auroc, found.macro.auroc.p, found.macro.verdict, limit),
        "scale": draw_scale(limit),
        "level": level_text(found),
        "chance": f"{round(1 - found.confidence, 6):g}",
    }
    return render("cxr.compare", "page.html.j2", values)


def _by_outcome(found: Comparison) -> list[tuple[str, str, str]]:
    """What is said of A, how it is shown, and which labels it holds for; outcomes without a label are left out."""
    texts: dict[str, list[str]] = {outcome: [] for outcome in (*OUTCOMES, "cannot be told")}
    for row in found.rows:
        texts["cannot be told" if isinstance(row.verdict, Undefined) else row.verdict].append(row.label)
    return [(outcome, outcome if outcome in COLOURS else "", _listed(labels)) for outcome, labels in texts.items() if labels]


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels) if len(labels) <= _MOST_LISTED else f"{len(labels)} labels, see the table"


def _label_line(row: PairedRow, sides: Pair, label: int, limit: float) -> Line:
    line = draw_line(row.label, row.auroc, row.p_holm, row.verdict, limit)
    return replace(line, caution=caution(row, sides), count=f"{counts(sides, label)['positives']:,}")
