"""The audit of the labels in few figures, for the tracking server."""

from __future__ import annotations

import math

from cxr.ingest.label_audit.audit import LabelAudit
from cxr.tracking.names import label_keys


def metrics(audit: LabelAudit) -> dict[str, float]:
    """The figures by the names that they have in MLflow; a label of which nothing is known has no prevalence.

    A prevalence is of the images that are positive or negative in the manifest.
    """
    accounts, broken, copies = audit.accounts, audit.contradictions, audit.duplicates
    counts = {
        "labels/cells/positive": sum(account.cells.positive for account in accounts),
        "labels/cells/negative": sum(account.cells.negative for account in accounts),
        "labels/cells/uncertain": sum(account.cells.uncertain for account in accounts),
        "labels/cells/blank": sum(account.cells.blank for account in accounts),
        "labels/images_without_row": audit.left_out.images_without_row,
        "labels/contradictions": broken.count,
        "labels/contradicting_images": broken.images(),
        "labels/ages_implausible": audit.implausible_ages,
        "labels/duplicates/same_pixels": copies.count("same pixels", within=True),
        "labels/duplicates/near": copies.count("near", within=True),
        "labels/duplicates/other_patient": copies.count(within=True, other_patient=True),
        "labels/duplicates/other_source": copies.count(within=False),
    }
    return {name: float(number) for name, number in counts.items()} | _prevalences(audit)


def _prevalences(audit: LabelAudit) -> dict[str, float]:
    keys = label_keys(account.label.name for account in audit.accounts)
    shares = {keys[account.label.name]: account.prevalence for account in audit.accounts}
    return {f"labels/prevalence/{key}": share for key, share in shares.items() if not math.isnan(share)}
