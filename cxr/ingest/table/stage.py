"""The import of a label table without its images: a manifest of what it lists, and the audit of its labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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
from cxr.profile import log_dataset
from cxr.stage import StageContext, StageResult


def run(config: LabelsStage, context: StageContext) -> StageResult:
    """Write `manifest.parquet`, `labels.html` and the tables of the audit.

    Raises:
        DataError: the table breaks its layout; names row and column.
    """
    labels, layout = read_label_set(config.labels), read_format(config.format)
    names = Pseudonyms(config.name, read_key(config.key_file) if config.key_file else None)
    table = read_table(config.table, layout, labels, images=config.image_table, published=config.published)
    files = {**table.digests, "label_set": digest_file(config.labels), "format": digest_file(config.format)}
    origin = {f"{name}_sha256": digest for name, digest in files.items()}
    manifest = replace(manifest_of_table(table, labels, names), origin=origin)
    manifest.write(context.folder / "manifest.parquet")
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
