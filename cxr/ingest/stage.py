"""The ingest stage: a source's files and its label table become an image store, a manifest, and a list of every file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from cxr.config import IngestConfig, IngestStage, PhantomSource
from cxr.errors import DataError
from cxr.fingerprint import code_digests, digest_json
from cxr.ingest import journal
from cxr.ingest.audit.counts import AuditCounts, count, metrics
from cxr.ingest.audit.page import write_page
from cxr.ingest.deidentify import Pseudonyms, key_check_value
from cxr.ingest.engine import read_shards
from cxr.ingest.join import Joined, join, to_frame
from cxr.ingest.outcome import PASSING, TAKEN
from cxr.ingest.read import canonical, normalise
from cxr.ingest.read.dicom import ReadOptions
from cxr.ingest.shard import Reading, Record, ShardTask, is_done, quarantine_path, read_records, record_path
from cxr.ingest.source.entry import Entry
from cxr.ingest.source.resolve import ResolvedSource, resolve
from cxr.ingest.store import ImageStore, Preprocessing, describe_store
from cxr.ingest.table.layout import TableFormat, read_format
from cxr.ingest.table.read import LabelTable, read_table
from cxr.labels.label_set import read_label_set
from cxr.profile import log_dataset
from cxr.stage import StageContext, StageResult

KEPT = ("journal.sqlite", "journal.sqlite-journal", "store", "records", "quarantine")
"""What a run leaves for the next one, which decides by its journal what of it is still good."""
_READING_CODE = ("cxr.ingest.read.", "cxr.ingest.shard", "cxr.ingest.deidentify")


@dataclass(frozen=True)
class Labels:
    """What the label table says, if there is one."""

    names: tuple[str, ...] = ()
    layout: TableFormat | None = None
    table: LabelTable | None = None


def run(config: IngestStage, context: StageContext) -> StageResult:
    """Write `store/`, `manifest.parquet`, `files.csv` and `audit.html`.

    Raises:
        DataError: the table breaks its layout, the source cannot be read, or no image is left.
    """
    source = resolve(config.source, context.inputs.get("phantom"))
    labels = _labels(config, source)  # before the pixels: a wrong cell should not cost an hour
    listing = list_files(source)
    plan = _plan(config, source, labels, listing, context.folder)
    _process(config.ingest, _tasks(config, source, labels, listing, plan, context.folder), listing, context)
    joined = _join(source, labels, listing, plan, context.folder / "records")
    _sweep_quarantine(context.folder / "quarantine", joined.files, keep=config.ingest.keep_quarantined)
    joined.files.to_csv(context.folder / "files.csv", index=False)
    _try_again_next_time(joined.files, context.folder)
    _refuse_nothing_left(joined, source, config)
    joined.manifest.write(context.folder / "manifest.parquet")
    return _report(joined, labels, plan, len(listing), context)


def check(config: IngestStage) -> None:
    """Refuse a source that is not there and a table that breaks its layout, before the result of the last run is cleared.

    Raises:
        DataError, ConfigError: as `run` raises them.
    """
    if not isinstance(config.source, PhantomSource):  # which is drawn by the stage before
        source = resolve(config.source, None)
        _labels(config, source)
        _refuse_empty(source, next(iter(source.files.entries()), None))


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
    names = read_label_set(config.labels) if config.labels else None
    if source.table is None or source.format is None:
        return Labels(names.names if names else ())
    if names is None:
        raise DataError("labels: missing, but needed to read the label table")
    layout = read_format(source.format)
    if source.published and not layout.patient:
        raise DataError(f"{source.format}: 'patient' must name a column: without it images of one patient leak over splits")
    return Labels(names.names, layout, read_table(source.table, layout, names, published=source.published))


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


def _join(source: ResolvedSource, labels: Labels, listing: Mapping[str, Listed], plan: journal.Plan, records: Path) -> Joined:
    frame = to_frame(_records(plan, listing, records), {file: listed.number for file, listed in listing.items()})
    of_study = labels.layout is None or labels.layout.of_study
    return join(frame, labels.table, labels.names, source.pseudonyms, published=source.published, row_of_study=of_study)


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


def _report(joined: Joined, labels: Labels, plan: journal.Plan, listed: int, context: StageContext) -> StageResult:
    counts = count(joined.files, joined.manifest, listed)
    warnings = (*plan.reread, *_warnings(joined.files, counts))
    run, folder = context.run, context.folder
    log_dataset(run, "manifest", "ingest", joined.manifest)
    if labels.table is not None:
        run.params({"table_sha256": labels.table.sha256})
    run.metrics(metrics(counts))
    run.artifact(folder / "files.csv")
    store = ImageStore(folder / "store")
    page = partial(write_page, counts=counts, files=joined.files, manifest=joined.manifest, store=store, notes=warnings)
    title = str(joined.manifest.frame["source"].iloc[0])
    page(folder / "audit.html", title=title, sheet=True)
    page(folder / "audit_numbers.html", title=title, sheet=False)  # a tracking server is read by more people
    run.artifact(folder / "audit_numbers.html")
    outcomes: dict[str, int] = {name: number for name, number in counts.outcomes.items() if number}
    shares = ", ".join(f"{number} {name}" for name, number in outcomes.items())
    headline = f"{len(joined.manifest)} images of {counts.patients} patients; {shares}"
    totals = {"files": counts.seen, **outcomes, "rows_without_file": counts.rows_without_file, "images": len(joined.manifest)}
    return StageResult(totals, headline, warnings=warnings, highlights=("audit_numbers.html",))


_COUNTED = {
    "duplicate-other-patient": "files have the pixels of another patient's file: one of the two is under the wrong name",
    "row-shared": "images share a row of the label table with another one; one of them may be mislabelled",
    "instance-shared": "images share their SOPInstanceUID with another one of other pixels",
    "not-read": "files could not be read this time; --again tries them once more",
    "not-fetched": "files were not given by the PACS; --again tries them once more",
    "missing": "files are listed and not there",
}


def _warnings(files: pd.DataFrame, counts: AuditCounts) -> Iterator[str]:
    if counts.outcomes["quarantined"]:
        yield f"{counts.outcomes['quarantined']} files were quarantined; files.csv says why, file by file"
    codes = files["codes"].str.split()
    for code, text in (
        ("reader-died", "a worker process ended twice while it read file {}; the file is left out"),
        ("too-slow", "file {} took longer than ingest.file_seconds; it is left out"),
        ("read-again", "a worker process ended while it read file {}; read again by itself, the file was whole"),
        ("folder-unreadable", "a folder cannot be listed, and what is in it was not seen: number {}"),
    ):
        numbers = files.loc[codes.map(lambda found, code=code: code in found), "number"]
        yield from (text.format(number) for number in numbers.head(3))
    for code, text in _COUNTED.items():
        if number := int(codes.map(lambda found, code=code: code in found).sum()):
            yield f"{number} {text}"
    unlabelled = int(codes.map(lambda found: "not-labelled" in found).sum())
    if unlabelled:
        yield f"{unlabelled} images have no row in the label table, so all their labels are unknown"
    if counts.rows_without_file:
        yield f"{counts.rows_without_file} rows of the label table have no file; files.csv lists them"
