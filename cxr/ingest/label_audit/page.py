"""The page of the audit of the labels: one self-contained HTML file, read without a network and without a script."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files as resources
from pathlib import Path

import jinja2

from cxr.ingest.audit.page import count_text, percent_text
from cxr.ingest.label_audit.audit import LabelAudit
from cxr.ingest.label_audit.contradictions import KINDS, Broken, Kind, UnderParent
from cxr.ingest.label_audit.grids import MOST_IN_MATRIX, group_grids, matrix, policy_grid
from cxr.ingest.label_audit.subgroups import LEAST_KNOWN
from cxr.ingest.label_audit.together import LEAST_TOGETHER, strongest_pairs
from cxr.ingest.label_audit.wording import (
    BLANK_WORDS,
    UNCERTAIN_WORDS,
    agreement_text,
    findings,
    uncertain_words,
    widest_choice,
)
from cxr.ingest.store import write_atomic

SHOWN = 50
"""Rows of a list; the CSV files have all."""
_EXAMPLES = 3


def write_page(path: Path, audit: LabelAudit, *, title: str, notes: Sequence[str] = ()) -> None:
    """Write the page; it appears whole or not at all, and the same audit gives the same bytes.

    It names images by their pseudonyms and shows none, so that more people may read it than the images.

    Args:
        path: the HTML file.
        audit: of the labels.
        title: what was imported; escaped, like every other text.
        notes: warnings to show; they must name no patient.
    """
    text = _template().render(
        title=title,
        notes=notes,
        audit=audit,
        findings=findings(audit),
        widest=widest_choice(audit.accounts),
        policies=policy_grid(audit.accounts),
        broken={kind: _broken(audit, kind) for kind in KINDS},
        lineage=_lineage(audit),
        matrix=matrix(audit) if len(audit.accounts) <= MOST_IN_MATRIX else (),
        pairs=strongest_pairs(audit.together, audit.label_set, SHOWN),
        grids=group_grids(audit.subgroups, audit.label_set.names),
        twice=audit.duplicates.pairs.head(SHOWN).to_dict("records"),
        shown=SHOWN,
        least_known=LEAST_KNOWN,
        least_together=LEAST_TOGETHER,
    )
    # a folder's name in the title may hold bytes that are no text
    write_atomic(path, text.encode("utf-8", "backslashreplace"))


def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "number": lambda count: f"{count:,}",
        "percent": lambda share: percent_text(share).replace(" ", "\u00a0"),  # no line ends before the sign
        "of": count_text,
        "kappa": agreement_text,
        "blank_words": BLANK_WORDS.__getitem__,
        "uncertain_words": UNCERTAIN_WORDS.__getitem__,
        "uncertain_of": uncertain_words,
    }
    return environment.from_string((resources("cxr.ingest.label_audit") / "page.html.j2").read_text(encoding="utf-8"))


def _broken(audit: LabelAudit, kind: Kind) -> tuple[list[tuple[Broken, list[str]]], int]:
    """The rules of a kind that are broken most often, with the first images of each; and how many rules are broken."""
    found = sorted((one for one in audit.contradictions.broken if one.rule.kind == kind), key=lambda one: -one.images)
    return [(one, audit.contradictions.examples(one, _EXAMPLES)) for one in found[:SHOWN]], len(found)


def _lineage(audit: LabelAudit) -> list[UnderParent]:
    """The labels that are most often positive where one above them is not."""
    open_ends = [one for one in audit.contradictions.hierarchy if one.cells.positive < one.cells.total]
    return sorted(open_ends, key=lambda one: one.cells.positive - one.cells.total)[:SHOWN]
