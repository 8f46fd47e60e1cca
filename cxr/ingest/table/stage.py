"""The import of a label table without its images: a manifest of what it lists, and the audit of its labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import pandas as pd

from cxr.config import LabelsStage
from cxr.fingerprint import digest_file
from cxr.ingest.deidentify import Pseudonyms, read_key
from cxr.ingest.label_audit.audit import audit_labels
from cxr.ingest.label_audit.copies import find_duplicates
from cxr.ingest.label_audit.publish import publish
from cxr.ingest.table.layout import read_format
from cxr.ingest.table.listed import manifest_of_table
from cxr.ingest.table.read import read_table
from cxr.ingest.table.table import LabelTable
from cxr.labels.label_set import read_label_set
from cxr.manifest import refuse_column_names
from cxr.profile import log_dataset
from cxr.stage import StageContext, StageResult

WRITES = ("manifest.parquet", "rows.csv", "labels.html", "labels")
"""What a run leaves behind; anything else in its folder is not its own."""


def run(config: LabelsStage, context: StageContext) -> StageResult:
    """Write `manifest.parquet`, `rows.csv`, `labels.html` and the tables of the audit.

    Raises:
        DataError: the table breaks its layout; names row and column.
    """
    labels, layout = read_label_set(config.labels), read_format(config.format)
    names = Pseudonyms(config.name, read_key(config.key_file) if config.key_file else None)
    table = _read(config)
    files = {**table.digests, "label_set": digest_file(config.labels), "format": digest_file(config.format)}
    origin = {f"{name}_sha256": digest for name, digest in files.items()}
    manifest = replace(manifest_of_table(table, labels, names), origin=origin)
    manifest.write(context.folder / "manifest.parquet")
    rows = pd.DataFrame({"table_row": table.images["row"], "image_id": manifest.frame["image_id"]})
    rows.to_csv(context.folder / "rows.csv", index=False)  # leads from an image of the audit back to the table
    implausible = int(table.images["age_implausible"].sum())
    duplicates = find_duplicates(manifest)
    audit = audit_labels(manifest, table.codes, labels, table.notes, duplicates, implausible, published=config.published)
    warnings = tuple(_warnings(table, names_patients=layout.patient is not None))
    publish(audit, context, title=config.name, notes=warnings)
    log_dataset(context.run, "manifest", "labels", manifest)
    context.run.params(origin)
    patients = int(manifest.frame["patient_id"].nunique())
    headline = f"{len(table)} images of {patients} patients, {len(labels.names)} labels"
    counts = {"images": len(table), "patients": patients, "rows_without_image": len(table.notes.without_image)}
    return StageResult(counts, headline, warnings=warnings, highlights=("labels.html",))


def check(config: LabelsStage) -> None:
    """Refuse a table that breaks its layout, before the result of the last run is cleared.

    Raises:
        DataError, ConfigError: as `run` raises them.
    """
    refuse_column_names(read_label_set(config.labels).names)
    _read(config)


def _read(config: LabelsStage) -> LabelTable:
    """The table; `check` has read it already, a moment before."""
    files = filter(None, (config.table, config.image_table, config.labels, config.format))
    return _read_once(config, tuple((path.stat().st_size, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=1)
def _read_once(config: LabelsStage, stamps: tuple[tuple[int, int], ...]) -> LabelTable:
    """Read the files as they are at the `stamps`: size and time of change."""
    labels, layout = read_label_set(config.labels), read_format(config.format)
    return read_table(config.table, layout, labels, images=config.image_table, published=config.published)


def _warnings(table: LabelTable, *, names_patients: bool) -> Iterator[str]:
    if not names_patients:
        yield "the table names no patient: each image is taken for a patient of its own, which is no ground for a split"
    if rows := len(table.notes.without_image):
        yield f"{rows} rows of the label table have no image; labels.html lists them"
    if unlabelled := int((~table.images["labelled"]).sum()):
        yield f"{unlabelled} images have no row in the label table, so all their labels are unknown"
    if others := sum(table.notes.others.values()):
        yield f"{others} entries of the table are no label of the set and were left out; labels.html lists them"
    if implausible := int(table.images["age_implausible"].sum()):
        yield f"{implausible} ages are negative or above 120 years, and are taken for unknown"
