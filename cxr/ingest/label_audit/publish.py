"""The audit of labels as files of the stage and of its tracked run."""

from __future__ import annotations

from collections.abc import Sequence

from cxr.ingest.label_audit.audit import LabelAudit
from cxr.ingest.label_audit.figures import metrics
from cxr.ingest.label_audit.page import write_page
from cxr.ingest.label_audit.tables import write_tables
from cxr.stage import StageContext


def publish(audit: LabelAudit, context: StageContext, *, title: str, notes: Sequence[str] = ()) -> None:
    """Write `labels.html` and, in `labels/`, its tables as CSV; tell the tracked run.

    Args:
        audit: of the labels.
        context: of the stage.
        title: what was imported.
        notes: warnings to show; they must name no patient.
    """
    page, folder = context.folder / "labels.html", context.folder / "labels"
    write_page(page, audit, title=title, notes=notes)
    folder.mkdir(exist_ok=True)
    write_tables(folder, audit)
    context.run.artifact(page)
    for table in sorted(folder.glob("*.csv")):
        context.run.artifact(table, "labels")
    context.run.metrics(metrics(audit))
