"""The ingest stage: a source's files and its label table become an image store, a manifest, and a list of every file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa

from cxr.config import IngestConfig, IngestStage
from cxr.config_sources import PhantomSource
from cxr.errors import DataError
from cxr.fingerprint import code_digests, digest_file, digest_json
from cxr.ingest import journal
from cxr.ingest.alike import alike_elsewhere, alike_within, check_elsewhere, mark_alike
from cxr.ingest.deidentify import Pseudonyms, key_check_value
from cxr.ingest.engine import read_shards
from cxr.ingest.join import Joined, join, to_frame
from cxr.ingest.label_audit.audit import LabelAudit, audit_labels
from cxr.ingest.label_audit.copies import Duplicates, find_duplicates
from cxr.ingest.label_audit.publish import publish
from cxr.ingest.outcome import PASSING, TAKEN
from cxr.ingest.read import canonical, normalise
from cxr.ingest.read.dicom import ReadOptions
from cxr.ingest.report import report
from cxr.ingest.shard import Reading, Record, ShardTask, is_done, quarantine_path, read_records, record_path
from cxr.ingest.source.entry import Entry
from cxr.ingest.source.resolve import ResolvedSource, resolve
from cxr.ingest.store import ImageStore, Preprocessing, describe_store
from cxr.ingest.table.layout import TableFormat, read_format
from cxr.ingest.table.read import read_table
from cxr.ingest.table.table import LabelTable
from cxr.labels.label_set import LabelSet, read_label_set
from cxr.manifest import refuse_column_names
from cxr.stage import Question, StageContext, StageResult

KEPT = ("journal.sqlite", "journal.sqlite-journal", "store", "records", "quarantine")
"""What a run leaves for the next one, which decides by its journal what of it is still good."""
WRITES = ("manifest.parquet", "files.csv", "audit.html", "audit_numbers.html", "labels.html", "labels")
"""What else a run leaves behind; anything more in its folder is not its own."""
_NAMED = 8
"""Labels that are named where there is one line for all."""
_READING_CODE = ("cxr.ingest.read.", "cxr.ingest.shard", "cxr.ingest.deidentify", "cxr.perceptual")


@dataclass(frozen=True)
class Labels:
    """What the label table says, if there is one."""

    label_set: LabelSet | None = None
    layout: TableFormat | None = None
    table: LabelTable | None = None
    origin: Mapping[str, str] = field(default_factory=dict)


def run(config: IngestStage, context: StageContext) -> StageResult:
    """Write `store/`, `manifest.parquet`, `files.csv` and `audit.html`.

    Raises:
        DataError: the table breaks its layout, the source cannot be read, or no image is left.
    """
    source = resolve(config.source, context.inputs.get("phantom"))
    labels = _labels(config, source)  # before the pixels: a wrong cell should not cost an hour
    joined, reread, listed = _read(config, source, labels, context)
    _sweep_quarantine(context.folder / "quarantine", joined.files, keep=config.ingest.keep_quarantined)
    joined.files.to_csv(context.folder / "files.csv", index=False)
    _try_again_next_time(joined.files, context.folder)
    _refuse_nothing_left(joined, source, config)
    joined, duplicates = _duplicates(joined, config.ingest, ImageStore(context.folder / "store"))
    joined.manifest.write(context.folder / "manifest.parquet")
    if labels.label_set is not None:
        audit = _audit(joined, labels, labels.label_set, duplicates, source)
        publish(audit, context, title=str(joined.manifest.frame["source"].iloc[0]))
    pa.default_memory_pool().release_unused()
    return replace(report(joined, reread, listed, context), answers=_answers(joined, labels))


def _answers(joined: Joined, labels: Labels) -> dict[Question, str]:
    manifest, patients = joined.manifest, joined.manifest.frame["patient_id"].nunique()
    data = f"{len(manifest):,} images of {patients:,} patients from '{manifest.frame['source'].iloc[0]}'"
    if labels.label_set is None:
        return {"data": data, "labels": "none"}
    names = labels.label_set.names
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return {"data": data, "labels": f"{len(names)} of the set '{labels.label_set.name}': {', '.join(names[:_NAMED])}{more}"}


def _read(
    config: IngestStage, source: ResolvedSource, labels: Labels, context: StageContext
) -> tuple[Joined, tuple[str, ...], int]:
    """What came of the files, why some were read again, and how many are listed; nothing else holds the listing any longer."""
    listing = list_files(source)
    plan = _plan(config, source, labels, listing, context.folder)
    _process(config.ingest, _tasks(config, source, labels, listing, plan, context.folder), listing, context)
    joined = _join(source, labels, listing, plan, context.folder)
    pa.default_memory_pool().release_unused()  # what was freed of the frame, else kept for texts to come
    return joined, plan.reread, len(listing)


def _duplicates(joined: Joined, config: IngestConfig, store: ImageStore) -> tuple[Joined, Duplicates]:
    """The images with those marked that show one picture, and all that are there twice."""
    near = alike_within(joined.manifest, store)
    manifest = mark_alike(joined.manifest, near)
    elsewhere = [alike_elsewhere(manifest, store, folder) for folder in config.compare_with]
    return replace(joined, manifest=manifest), find_duplicates(manifest, near, elsewhere)


def _audit(joined: Joined, labels: Labels, label_set: LabelSet, duplicates: Duplicates, source: ResolvedSource) -> LabelAudit:
    taken = joined.files["outcome"].isin(TAKEN)
    ages = int(joined.files.loc[taken, "codes"].str.contains("age-implausible", regex=False).sum())
    notes = labels.table.notes if labels.table else None
    return audit_labels(joined.manifest, joined.codes, label_set, notes, duplicates, ages, published=source.published)


def check(config: IngestStage) -> None:
    """Refuse a source that is not there and a table that breaks its layout, before the result of the last run is cleared.

    Raises:
        DataError, ConfigError: as `run` raises them.
    """
    if not isinstance(config.source, PhantomSource):  # which is drawn by the stage before
        source = resolve(config.source, None)
        _labels(config, source)
        _refuse_empty(source, next(iter(source.files.entries()), None))
    for folder in config.ingest.compare_with:
        check_elsewhere(folder, config.ingest.fit)


def _refuse_empty(source: ResolvedSource, first: Entry | None) -> None:
    if first is None:
        raise DataError(f"source: no {'PNG or JPEG files' if source.kind == 'image' else 'files'} in it or its sub-folders")


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of the listing: its place in it, from 1, and what the source tells."""

    number: int
    entry: Entry


def list_files(source: ResolvedSource) -> dict[str, Listed]:
    """The files of a source by pseudonym, sorted by name.

    Raises:
        DataError: the source cannot be listed, or holds no file.
    """
    ordered = sorted(source.files.entries(), key=lambda entry: entry.name)
    _refuse_empty(source, ordered[0] if ordered else None)
    return {source.pseudonyms.file(entry.name): Listed(number, entry) for number, entry in enumerate(ordered, start=1)}


def _labels(config: IngestStage, source: ResolvedSource) -> Labels:
    labels = read_label_set(config.labels) if config.labels else None
    refuse_column_names(labels.names if labels else ())
    if source.table is None or source.format is None:
        return Labels(labels)
    if labels is None:
        raise DataError("labels: missing, but needed to read the label table")
    layout = read_format(source.format)
    if source.published and not layout.patient:
        raise DataError(f"{source.format}: 'patient' must name a column: without it images of one patient leak over splits")
    table = read_table(source.table, layout, labels, images=source.image_table, published=source.published)
    files = {"label_set": config.labels, "format": source.format}
    origin = {**table.digests, **{name: digest_file(path) for name, path in files.items() if path is not None}}
    return Labels(labels, layout, table, {f"{name}_sha256": digest for name, digest in origin.items()})


def _plan(
    config: IngestStage, source: ResolvedSource, labels: Labels, listing: Mapping[str, Listed], folder: Path
) -> journal.Plan:
    store, records = folder / "store", folder / "records"
    for path in (store, records):
        path.mkdir(exist_ok=True)
    if not (folder / "journal.sqlite").exists():  # shards that no journal knows may hold anything
        journal.sweep((store, records), {})
    # keyed: the time of a file's change is often the time of the examination
    stamp = source.pseudonyms.name
    stamps = {name: stamp("stamp", listed.entry.stamp) for name, listed in listing.items() if not listed.entry.code}
    reader = _reader(config, source.pseudonyms, labels.layout)
    plan = journal.plan(folder / "journal.sqlite", stamps, reader, config.ingest.shard_files)
    journal.sweep((store, records), plan.shards)
    describe_store(store, _preprocessing(config.ingest))
    return plan


def _reader(config: IngestStage, names: Pseudonyms, layout: TableFormat | None) -> dict[str, str]:
    """Everything that decides what is kept of a file."""
    ingest = config.ingest
    code = {module: digest for module, digest in code_digests("cxr.ingest.shard").items() if module.startswith(_READING_CODE)}
    return journal.describe(
        {
            "the normaliser": f"version {normalise.VERSION}",
            "the filter": f"version {canonical.VERSION}",
            "the code that reads": digest_json(code)[:8],
            "ingest.size": ingest.size,
            "ingest.fit": ingest.fit,
            "ingest.bits": ingest.bits,
            "ingest.secondary_capture": ingest.secondary_capture,
            "ingest.keep_quarantined": ingest.keep_quarantined,
            "source.kind": config.source.kind,
            "source.name": names.source,
            "the key's check value": key_check_value(names.key) if names.key else "none",
            "the key of the table": [layout.key_is, layout.key_parts] if layout else "none",
        }
    )


def _preprocessing(config: IngestConfig) -> Preprocessing:
    return Preprocessing(config.size, config.fit, normalise.VERSION, canonical.VERSION, config.bits)


def _tasks(
    config: IngestStage,
    source: ResolvedSource,
    labels: Labels,
    listing: Mapping[str, Listed],
    plan: journal.Plan,
    folder: Path,
) -> Iterator[ShardTask]:
    ingest = config.ingest
    reading = Reading(
        files=source.files,
        kind=source.kind,
        pseudonyms=source.pseudonyms,
        layout=labels.layout,
        options=ReadOptions(ingest.bits, ingest.secondary_capture),
        preprocessing=_preprocessing(ingest),
        store=folder / "store",
        records=folder / "records",
        quarantine=folder / "quarantine" if ingest.keep_quarantined else None,
    )
    for shard, files in plan.shards.items():
        if not is_done(record_path(reading.records, shard)):
            yield ShardTask(shard, tuple(listing[file].entry.name for file in files), reading)


def _process(config: IngestConfig, tasks: Iterator[ShardTask], listing: Mapping[str, Listed], context: StageContext) -> None:
    waiting = list(tasks)
    total, done = sum(len(task.names) for task in waiting), 0
    for files in read_shards(waiting, config):
        done += files
        context.progress(done, total, f"files read{f', {len(listing) - total} known' if len(listing) > total else ''}")


def _join(source: ResolvedSource, labels: Labels, listing: Mapping[str, Listed], plan: journal.Plan, folder: Path) -> Joined:
    records = _records(plan, listing, folder / "records")
    numbers = {file: listed.number for file, listed in listing.items()}
    of_study = labels.layout is None or labels.layout.of_study
    names, published = source.pseudonyms, source.published
    # no name for the frame: `join` gives its columns up as it makes the manifest of them
    joined = join(to_frame(records, numbers), labels.table, labels.label_set, names, published=published, row_of_study=of_study)
    return replace(joined, manifest=replace(joined.manifest, origin=labels.origin))


def _records(plan: journal.Plan, listing: Mapping[str, Listed], folder: Path) -> Iterator[Iterator[Record]]:
    """What is known of every file, shard by shard, and last of those that the listing alone settles."""
    yield from (read_records(record_path(folder, shard)) for shard in plan.shards)
    settled = ((file, listed.entry) for file, listed in listing.items() if listed.entry.code)
    yield (Record(file, (entry.code,), entry.detail) for file, entry in settled)


def _sweep_quarantine(folder: Path, files: pd.DataFrame, *, keep: bool) -> None:
    """Delete the copies of files that are gone, or refused no more: they hold all there is to know of a patient."""
    refused = files.loc[files["outcome"] == "quarantined", "file"] if keep else ()
    wanted = {quarantine_path(folder, file) for file in refused}
    for path in folder.glob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()


def _try_again_next_time(files: pd.DataFrame, folder: Path) -> None:
    failed = files.loc[files["codes"].isin(PASSING), "file"]
    journal.try_again(folder / "journal.sqlite", failed.tolist())


def _refuse_nothing_left(joined: Joined, source: ResolvedSource, config: IngestStage) -> None:
    files = joined.files[joined.files["number"] > 0]
    if not len(joined.manifest):
        reasons = files["sentence"].value_counts()
        raise DataError(f"no image can be taken: {reasons.iloc[0]} of {len(files)} files: {reasons.index[0]}")
    taken = files["outcome"].isin(TAKEN)
    if source.table is not None and not (files["table_row"] > 0)[taken].any():
        column = read_format(source.format).key if source.format else ""
        raise DataError(f"{source.table}: no row names one of the {taken.sum()} images; compare its column {column}")
