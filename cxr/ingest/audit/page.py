"""The audit page: one self-contained HTML file, read without a network and without a script, made after each ingest."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from importlib.resources import files as resources
from pathlib import Path

import jinja2
import pandas as pd

from cxr.ingest.audit.counts import AuditCounts
from cxr.ingest.audit.panels import context_panels, pixel_panels
from cxr.ingest.audit.prevalence import label_counts
from cxr.ingest.audit.sheet import contact_sheet
from cxr.ingest.store import ImageStore, write_atomic
from cxr.manifest import Manifest

_LEAST_SHARE = 0.001  # that is written with one decimal of a per cent


def write_page(
    path: Path,
    counts: AuditCounts,
    files: pd.DataFrame,
    manifest: Manifest,
    store: ImageStore,
    *,
    title: str,
    notes: Sequence[str] = (),
    sheet: bool,
) -> None:
    """Write the page; it appears whole or not at all, and the same ingest gives the same bytes.

    Args:
        path: the HTML file.
        counts: of these files, see `cxr.ingest.audit.counts.count`.
        files: files.csv, with at least number, outcome, codes, image_id.
        manifest: the images that were taken; it may hold none, and have no label.
        store: where they lie.
        title: what was ingested; escaped, like every other text.
        notes: warnings to show; they must name no patient.
        sheet: whether thumbnails are shown. A page that more people may read than the images goes without.

    Raises:
        DataError: the manifest's decisions, the store or a code cannot be understood.
    """
    text = _template().render(
        title=title,
        notes=notes,
        counts=counts,
        not_taken=[(name, counts.outcomes[name]) for name in ("quarantined", "skipped", "duplicate")],
        groups=[("Pixels", pixel_panels(manifest)), ("Devices and patients", context_panels(manifest))],
        labels=label_counts(manifest),
        kinds=contact_sheet(files, manifest, store) if sheet else [],
        sheet=sheet,
        preprocessing=dataclasses.asdict(store.preprocessing),
    )
    # a folder's name in the title may hold bytes that are no text
    write_atomic(path, text.encode("utf-8", "backslashreplace"))


def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": lambda count: f"{count:,}", "percent": percent_text, "of": count_text}
    return environment.from_string((resources("cxr.ingest.audit") / "page.html.j2").read_text(encoding="utf-8"))


def count_text(count: int, thing: str) -> str:
    """Like "1 image" or "2,500 images"; "study" becomes "studies"."""
    plural = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return f"{count:,} {thing if count == 1 else plural}"


def percent_text(share: float) -> str:
    """A share, 0 to 1, like "12.5 %"; what is not zero is not written as zero, nor what is not all as all."""
    if math.isnan(share):
        return "–"
    if 0 < share < _LEAST_SHARE:
        return "< 0.1 %"
    if 1 - _LEAST_SHARE < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %" if 0 < share < 1 else f"{100 * share:.0f} %"
