"""What an ingest tells: its audit pages, its figures, and what its user should mind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from cxr.ingest.audit.counts import AuditCounts, count, metrics
from cxr.ingest.audit.page import write_page
from cxr.ingest.join import Joined
from cxr.ingest.store import ImageStore
from cxr.profile import log_dataset
from cxr.stage import StageContext, StageResult


def report(joined: Joined, reread: Sequence[str], listed: int, context: StageContext) -> StageResult:
    """Write `audit.html`, tell the tracked run, and sum up.

    Args:
        joined: what came of the files.
        reread: why files were read again, a sentence each.
        listed: files of the source.
        context: of the stage.
    """
    counts = count(joined.files, joined.manifest, listed)
    warnings = (*reread, *_warnings(joined.files, counts))
    run, folder = context.run, context.folder
    log_dataset(run, "manifest", "ingest", joined.manifest)
    run.params(dict(joined.manifest.origin))
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
