"""The audit of the labels as CSV files, for a spreadsheet and the tracking server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cxr.ingest.label_audit.audit import LabelAudit
from cxr.ingest.label_audit.policies import LabelAccount

TABLES = ("label_counts.csv", "cooccurrence.csv", "contradictions.csv", "duplicates.csv", "prevalence.csv")


def write_tables(folder: Path, audit: LabelAudit) -> list[Path]:
    """Write the files; the same audit gives the same bytes.

    * label_counts.csv: a row per label: the table's cells, the policies, and what comes of them and of each other choice
    * cooccurrence.csv: images in which the labels of row and column are both positive
    * contradictions.csv: every one: image_id, label, other, kind; see `cxr.ingest.label_audit.contradictions`
    * duplicates.csv: every pair; see `cxr.ingest.label_audit.copies`
    * prevalence.csv: label, by, group, known, positive

    Args:
        folder: that exists.
        audit: of the labels.

    Returns:
        The files, in the order of `TABLES`.
    """
    names = list(audit.label_set.names)
    together = pd.DataFrame(audit.together, columns=names)
    together.insert(0, "label", names, allow_duplicates=True)  # a label may be called "label"
    parts: dict[str, Iterable[pd.DataFrame]] = {
        "label_counts.csv": [_label_counts(audit)],
        "cooccurrence.csv": [together],
        "contradictions.csv": [pd.DataFrame(columns=["image_id", "label", "other", "kind"]), *audit.contradictions.tables()],
        "duplicates.csv": [audit.duplicates.pairs],
        "prevalence.csv": [_prevalence(audit)],
    }
    return [_write(folder / name, parts[name]) for name in TABLES]


def _write(path: Path, parts: Iterable[pd.DataFrame]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, part in enumerate(parts):
            part.to_csv(file, index=False, header=number == 0, lineterminator="\n")
    return path


def _label_counts(audit: LabelAudit) -> pd.DataFrame:
    return pd.DataFrame([_label_row(account) for account in audit.accounts])


def _label_row(account: LabelAccount) -> dict[str, object]:
    cells, label, own = account.cells, account.label, account.in_force
    row: dict[str, object] = {"label": label.name, "positive": cells.positive, "negative": cells.negative}
    row |= {"uncertain": cells.uncertain, "blank": cells.blank, "unlabelled": cells.unlabelled}
    row |= {"blank_policy": label.blank, "uncertain_policy": label.uncertain, "known": own.known, "prevalence": own.prevalence}
    for blank, uncertain, reading in account.readings():
        row |= {f"known_blank_{blank}_uncertain_{uncertain}": reading.known}
        row |= {f"prevalence_blank_{blank}_uncertain_{uncertain}": reading.prevalence}
    return row


def _prevalence(audit: LabelAudit) -> pd.DataFrame:
    groups, known, positive = audit.subgroups.groups, audit.subgroups.known, audit.subgroups.positive
    count = len(audit.accounts)
    return pd.DataFrame(
        {
            "label": [name for name in audit.label_set.names for _ in groups],
            "by": [group.by for group in groups] * count,
            "group": [group.name for group in groups] * count,
            "known": known.ravel(),
            "positive": positive.ravel(),
        }
    )
