"""One shard of source files, read and written by one worker on its own; doing it twice gives the same.

A shard's images and its records appear by atomic renames, the records last: a shard whose records exist is whole.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import cv2

from cxr.errors import DataError
from cxr.ingest.deidentify import Pseudonyms
from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.read.canonical import canonical
from cxr.ingest.read.dicom import ReadOptions, read_dicom
from cxr.ingest.read.image import read_image
from cxr.ingest.read.radiograph import Grey, Radiograph
from cxr.ingest.source.entry import Files
from cxr.ingest.store import Preprocessing, write_atomic, write_shard
from cxr.ingest.table.layout import TableFormat
from cxr.perceptual import perceptual_hash
from cxr.pool import At, Death


@dataclass(frozen=True)
class Reading:
    """How the files of a source are read: the same for all its shards.

    Args:
        files: where they come from.
        kind: what each of them is read as.
        pseudonyms: the names under which patients, studies and files leave.
        layout: which attribute of a file is the key into the label table; None without a table.
        options: of the DICOM reader.
        preprocessing: the canonical image.
        store: folder of the image store.
        records: folder of the records.
        quarantine: folder for copies of quarantined files; None to keep none.
    """

    files: Files
    kind: Literal["dicom", "image"]
    pseudonyms: Pseudonyms
    layout: TableFormat | None
    options: ReadOptions
    preprocessing: Preprocessing
    store: Path
    records: Path
    quarantine: Path | None = None


@dataclass(frozen=True, repr=False)
class ShardTask:
    """What a worker is given; it does not show what it holds, since a worker of a cluster logs what it was given.

    Args:
        shard: number of the shard, from 0.
        names: its files; confidential.
        reading: see there.
        deaths: by the place of a file in `names`: why it is left out; "read-again" if it is only to be marked.
    """

    shard: int
    names: tuple[str, ...] = field(repr=False)  # Dask logs the arguments of what fails
    reading: Reading
    deaths: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """What is kept of one source file: pseudonyms, never the source's own identifiers.

    Args:
        file: see `cxr.ingest.deidentify.Pseudonyms.file`.
        codes, detail: see `cxr.ingest.outcome.FileOutcome`.
        key: pseudonym of the key into the label table.
        image: columns of the manifest, empty where the file was refused.
    """

    file: str
    codes: tuple[str, ...]
    detail: str = ""
    key: str = ""
    image: dict[str, Any] = field(default_factory=dict)


def record_path(folder: Path, shard: int) -> Path:
    """The file of a shard's records."""
    return folder / f"shard-{shard:05d}.json"


def is_done(path: Path) -> bool:
    """Whether a shard is whole: its records are written last."""
    return path.exists() and path.stat().st_size > 0


def read_records(path: Path) -> Iterator[Record]:
    """The records of a whole shard."""
    for record in json.loads(path.read_bytes()):
        yield Record(**{**record, "codes": tuple(record["codes"])})


def process_shard(task: ShardTask, at: At) -> int:
    """Read the files of a shard and write its images and records, unless that is done already.

    Args:
        task: the shard.
        at: told of each file that is begun.

    Returns:
        The number of files.

    Raises:
        DataError: the source cannot be reached, or the result cannot be written.
    """
    reading = task.reading
    path = record_path(reading.records, task.shard)
    if is_done(path):
        return len(task.names)
    cv2.setNumThreads(1)  # the workers are the parallelism
    images: list[Grey] = []
    records = [_process_file(task, index, images, at) for index in range(len(task.names))]
    if task.names:
        at(len(task.names) - 1, limited=False)  # a slow disk is no fault of the last file
    with _writing(reading.store):
        write_shard(reading.store, task.shard, images, reading.preprocessing)
        write_atomic(path, json.dumps([asdict(record) for record in records]).encode())
    return len(task.names)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn a full disk and the like into one line."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror or type(error).__name__}") from error


def without_killer(task: ShardTask, death: Death) -> ShardTask:
    """The task to try again with after a worker died of a file: that file is read once more, and left out the next time."""
    last = "too-slow" if death.cause == "slow" else "reader-died"
    code = last if death.cause == "slow" or death.item in task.deaths else "read-again"
    return replace(task, deaths={**task.deaths, death.item: code})


def _process_file(task: ShardTask, index: int, images: list[Grey], at: At) -> Record:
    reading, name = task.reading, task.names[index]
    file = reading.pseudonyms.file(name)
    data = b""
    try:
        fate = task.deaths.get(index, "")
        if CODES.get(fate, ("flagged",))[0] != "flagged":
            raise Refused(fate)
        at(index, limited=False)  # a source may wait for its server longer than any file takes to read
        data = reading.files.fetch(name)
        at(index)
        if fate and data:  # it may end this process as well, and is kept before
            _keep(reading.quarantine, file, data)
        radiograph = _read(reading, data)
        image = canonical(radiograph.pixels, reading.preprocessing.size, reading.preprocessing.fit)
    except Refused as refused:
        if data and CODES[refused.code][0] == "quarantined":
            _keep(reading.quarantine, file, data)
        return Record(file, (refused.code,), refused.detail)
    except MemoryError:  # while it was fetched or made small
        return Record(file, ("too-much-memory",))
    columns = _columns(reading, radiograph, name) | {"perceptual_hash": perceptual_hash(image)}
    columns |= {"shard": task.shard, "row": len(images)}
    images.append(image)
    codes = (*radiograph.codes, *filter(None, (fate,)))
    return Record(file, codes, "", _key(reading, radiograph, name), columns)


def _read(reading: Reading, data: bytes) -> Radiograph:
    if not data:
        raise Refused("empty")
    return read_image(data, reading.options.bits) if reading.kind == "image" else read_dicom(data, reading.options)


def quarantine_path(folder: Path, file: str) -> Path:
    """Where a quarantined file is kept: a public source's path, too, gives a short name of its own without separators."""
    plain = re.sub(r"[^\w.]+", "-", file, flags=re.ASCII)
    return folder / f"{plain[-100:]}-{hashlib.sha256(os.fsencode(file)).hexdigest()[:12]}"


def _keep(folder: Path | None, file: str, data: bytes) -> None:
    """Keep a quarantined file as it is, for its owner alone to read; without a folder, not at all."""
    if folder is not None:
        with _writing(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            write_atomic(quarantine_path(folder, file), data)


def _key(reading: Reading, radiograph: Radiograph, name: str) -> str:
    if reading.layout is None:
        return ""
    own = radiograph.identifiers
    key = reading.layout.key_of(name) if reading.layout.of_file else own.get(reading.layout.key_is, "")
    return reading.pseudonyms.name("key", key)


def _columns(reading: Reading, radiograph: Radiograph, name: str) -> dict[str, Any]:
    own, names = radiograph.identifiers, reading.pseudonyms
    layout = reading.layout
    # where file names alone repeat, as "view1_frontal", the table compares more of the path
    stem = layout.key_of(name) if layout is not None and layout.of_file else Path(name).stem
    instance = names.name("instance", own.get("SOPInstanceUID", stem))
    height, width = radiograph.pixels.shape
    return {
        # the name counts too: a published data set may list the same pixels twice
        "image_id": hashlib.sha256(f"{radiograph.pixel_sha256} {instance}".encode()).hexdigest()[:24],
        "patient_id": names.name("patient", own["PatientID"]) if own else "",
        "study_id": names.name("study", own["StudyInstanceUID"]) if own else "",
        "source": names.source,
        "source_name": stem if names.key is None else names.file(name),
        "study_uid": names.uid(own.get("StudyInstanceUID", "")),
        "instance_uid": names.uid(own.get("SOPInstanceUID", "")),
        "study_date": names.date(own["PatientID"], radiograph.study_date) if own else "",
        "source_sha256": radiograph.source_sha256,
        "pixel_sha256": radiograph.pixel_sha256,
        "manufacturer": radiograph.manufacturer,
        "decisions": json.dumps(radiograph.decisions, sort_keys=True),
        "height": height,
        "width": width,
        "view": radiograph.view,
        "sex": radiograph.sex,
        "age_years": None if math.isnan(radiograph.age_years) else radiograph.age_years,
    }
