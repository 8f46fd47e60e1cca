"""The ingest stage: a source's files and its label table become an image store, a manifest, and a list of every file."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.config import IngestStage
from cxr.errors import DataError
from cxr.ingest import canonical, normalise
from cxr.ingest.deidentify import Pseudonyms, pooled_age
from cxr.ingest.outcome import FileOutcome
from cxr.ingest.read import parse_sex, parse_view
from cxr.ingest.shard import Record, ShardTask, process_shard, read_records, record_path
from cxr.ingest.source import SourceFiles, resolve
from cxr.ingest.store import Preprocessing, describe_store
from cxr.ingest.table import LabelRow, LabelTable, TableFormat, read_format, read_table
from cxr.labels import UNKNOWN, LabelSet, read_label_set
from cxr.manifest import COLUMNS, Manifest, label_column
from cxr.pool import run_tasks
from cxr.profile import log_dataset
from cxr.stage import Progress, StageContext, StageResult


def run(config: IngestStage, context: StageContext) -> StageResult:
    """Write `store/`, `manifest.parquet` and `files.csv`.

    Raises:
        DataError: the table breaks its layout, no image is left, or a worker process died.
    """
    labels = read_label_set(config.labels)
    source = resolve(config.source, context.inputs.get("phantom"))
    layout = read_format(source.format)
    if source.published and not layout.patient:
        raise DataError(f"{source.format}: 'patient' must name a column: without it images of one patient leak over splits")
    table = read_table(source.table, layout, labels)  # before the pixels: a wrong cell should not cost an hour
    tasks = _plan(config, source, layout, context.folder)
    _process(tasks, config.ingest.workers, context.progress)
    records = [record for task in tasks for record in read_records(record_path(task.records, task.shard))]
    images, outcomes = _join(records, table, labels, source)
    if not images:
        raise DataError(_nothing_left(outcomes))
    if not any(row.row for _, row in images):
        raise DataError(f"{source.table}: no row names one of the {len(images)} images; compare its column {layout.key}")
    manifest = _manifest(images, labels)
    manifest.write(context.folder / "manifest.parquet")
    _write_files(outcomes, context.folder / "files.csv")
    return _report(manifest, outcomes, table, context)


def _plan(config: IngestStage, source: SourceFiles, layout: TableFormat, folder: Path) -> list[ShardTask]:
    store, records = folder / "store", folder / "records"
    store.mkdir(exist_ok=True)
    records.mkdir(exist_ok=True)
    preprocessing = Preprocessing(config.ingest.size, config.ingest.fit, normalise.VERSION, canonical.VERSION)
    describe_store(store, preprocessing)
    paths, step = source.paths(), config.ingest.shard_files
    return [
        ShardTask(shard, first + 1, tuple(paths[first : first + step]), source, layout, preprocessing, store, records)
        for shard, first in enumerate(range(0, len(paths), step))
    ]


def _process(tasks: Sequence[ShardTask], workers: int, progress: Progress) -> None:
    total, done = sum(len(task.paths) for task in tasks), 0
    for files in run_tasks(process_shard, tasks, workers):
        done += files
        progress(done, total, "files read")


def _join(
    records: Sequence[Record], table: LabelTable, labels: LabelSet, source: SourceFiles
) -> tuple[list[tuple[Record, LabelRow]], list[FileOutcome]]:
    """The images to take with their labels, and what became of every file and every row of the table."""
    rows = {source.pseudonyms.name("key", key): row for key, row in table.rows.items()}
    unlabelled = LabelRow(np.full(len(labels.names), UNKNOWN, np.int8), "", "", "", "", "")
    images: list[tuple[Record, LabelRow]] = []
    outcomes: list[FileOutcome] = []
    owners: dict[str, str] = {}  # the patients whose pixels were taken, by digest
    taken: set[str] = set()
    for record in records:
        outcome = FileOutcome(record.number, record.file, record.codes, record.detail)
        if record.image:
            row = rows.get(record.key)
            record = _with_row(record, row, source.pseudonyms)
            again = not source.published or record.image["image_id"] in taken  # a data set may list pixels under two names
            outcome = _judge(record, row, owners, "duplicate" if again else "repeated", published=source.published)
            outcome = dataclasses.replace(outcome, table_row=row.row if row else 0)
        outcomes.append(outcome)
        if outcome.image_id:
            owners[record.image["pixel_sha256"]] = record.image["patient_id"]
            taken.add(outcome.image_id)
            images.append((record, row or unlabelled))
    read = {record.key for record in records if record.image}
    left = [(row.row, key) for key, row in rows.items() if key not in read]
    outcomes += [FileOutcome(0, key, ("row-without-file",), table_row=row) for row, key in sorted(left)]
    return images, outcomes


def _with_row(record: Record, row: LabelRow | None, names: Pseudonyms) -> Record:
    """The record, with the context of the table's row where the file itself tells none."""
    if row is None:
        return record
    image, codes = dict(record.image), record.codes
    if row.patient:
        image["patient_id"] = image["patient_id"] or names.name("patient", row.patient)
        # a table without study column: each image stands for a study of its own, as in ChestX-ray14
        image["study_id"] = image["study_id"] or names.name("study", row.study or image["source_name"])
    if image["view"] == "unknown":
        image["view"] = parse_view(row.view)
    if image["sex"] == "unknown":
        image["sex"] = parse_sex(row.sex)
    if image["age_years"] is None and row.age:
        age, implausible = pooled_age(row.age)
        image["age_years"] = None if np.isnan(age) else age
        codes = (*codes, "age-implausible") if implausible else codes
    return dataclasses.replace(record, image=image, codes=codes)


def _judge(record: Record, row: LabelRow | None, owners: dict[str, str], same_patient: str, *, published: bool) -> FileOutcome:
    """What becomes of a readable image.

    Args:
        record: the image.
        row: its row of the table.
        owners: the patients whose pixels were taken before, by digest.
        same_patient: the code for pixels that were taken from the same patient before.
        published: whether the table is the list of the images.
    """
    codes, pixels = record.codes, record.image["pixel_sha256"]
    if row is None:
        codes = (*codes, "not-in-table" if published else "not-labelled")
    if pixels in owners:
        same = owners[pixels] == record.image["patient_id"]
        codes = (*codes, same_patient if same else "duplicate-other-patient")
    if record.image["view"] == "LATERAL":
        codes = (*codes, "lateral")
    outcome = FileOutcome(record.number, record.file, codes, record.detail, record.image["image_id"])
    return outcome if outcome.outcome in ("accepted", "flagged") else dataclasses.replace(outcome, image_id="")


def _nothing_left(outcomes: Sequence[FileOutcome]) -> str:
    reasons = Counter(outcome.sentence for outcome in outcomes if outcome.number)
    reason, count = reasons.most_common(1)[0]
    return f"no image can be taken: {count} of {reasons.total()} files: {reason}"


def _manifest(images: Sequence[tuple[Record, LabelRow]], labels: LabelSet) -> Manifest:
    frame = pd.DataFrame([record.image for record, _ in images])[list(COLUMNS)]
    frame["age_years"] = frame["age_years"].astype(np.float64)
    codes = np.stack([row.codes for _, row in images])
    for index, name in enumerate(labels.names):
        frame[name] = label_column(codes[:, index])
    return Manifest(frame, labels.names)


def _write_files(outcomes: Sequence[FileOutcome], path: Path) -> None:
    columns = ["number", "file", "outcome", "codes", "sentence", "image_id", "table_row"]
    rows = [(o.number, o.file, o.outcome, " ".join(o.codes), o.sentence, o.image_id, o.table_row) for o in outcomes]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)


def _report(manifest: Manifest, outcomes: Sequence[FileOutcome], table: LabelTable, context: StageContext) -> StageResult:
    files: Counter[str] = Counter(outcome.outcome for outcome in outcomes if outcome.number)
    rows_left = sum(outcome.number == 0 for outcome in outcomes)
    counts: dict[str, int] = {"files": files.total(), **files, "rows_without_file": rows_left, "images": len(manifest)}
    log_dataset(context.run, "manifest", "ingest", manifest)
    context.run.params({"table_sha256": table.sha256})
    context.run.metrics({f"files/{name}": count for name, count in counts.items()})
    context.run.artifact(context.folder / "files.csv")
    warnings = []
    if files["quarantined"]:
        warnings.append(f"{files['quarantined']} files were quarantined; files.csv says why, file by file")
    unlabelled = sum("not-labelled" in outcome.codes for outcome in outcomes)
    if unlabelled:
        warnings.append(f"{unlabelled} images have no row in the label table, so all their labels are unknown")
    if rows_left:
        warnings.append(f"{rows_left} rows of the label table have no file; files.csv lists them")
    patients = manifest.frame["patient_id"].nunique()
    shares = ", ".join(f"{count} {name}" for name, count in files.items())
    return StageResult(counts, f"{len(manifest)} images of {patients} patients; {shares}", warnings=tuple(warnings))
