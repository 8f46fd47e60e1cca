"""One shard of source files, read and written by one worker on its own; doing it twice gives the same.

A shard's images and its records appear by atomic renames, the records last: a shard whose records exist is whole.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cxr.ingest.canonical import canonical
from cxr.ingest.deidentify import Pseudonyms
from cxr.ingest.outcome import Refused
from cxr.ingest.read import Radiograph
from cxr.ingest.source import SourceFiles
from cxr.ingest.store import Preprocessing, write_atomic, write_shard
from cxr.ingest.table import TableFormat


@dataclass(frozen=True)
class ShardTask:
    """What a worker is given.

    Args:
        shard: number of the shard, from 0.
        first: number of its first file in the sorted listing, from 1.
        paths: the files, relative to the source's root.
        source: how to read them.
        layout: which attribute of a file is the key into the label table.
        preprocessing: the canonical image.
        store: folder of the image store.
        records: folder of the records.
    """

    shard: int
    first: int
    paths: tuple[str, ...]
    source: SourceFiles
    layout: TableFormat
    preprocessing: Preprocessing
    store: Path
    records: Path


@dataclass(frozen=True)
class Record:
    """What is kept of one source file: pseudonyms, never the source's own identifiers.

    Args:
        number: position in the sorted listing, from 1.
        file: see `cxr.ingest.deidentify.Pseudonyms.file`.
        codes, detail: see `cxr.ingest.outcome.FileOutcome`.
        image: columns of the manifest, empty where the file was refused.
        key: pseudonym of the key into the label table.
    """

    number: int
    file: str
    codes: tuple[str, ...]
    detail: str = ""
    image: dict[str, Any] = field(default_factory=dict)
    key: str = ""


def record_path(folder: Path, shard: int) -> Path:
    """The file of a shard's records."""
    return folder / f"shard-{shard:05d}.json"


def process_shard(task: ShardTask) -> int:
    """Read the files of a shard and write its images and records, unless that is done already.

    Returns:
        The number of files.
    """
    path = record_path(task.records, task.shard)
    if path.exists():
        return len(task.paths)
    cv2.setNumThreads(1)  # the workers are the parallelism
    images: list[npt.NDArray[np.uint8]] = []
    records = [_process_file(task, task.first + index, name, images) for index, name in enumerate(task.paths)]
    write_shard(task.store, task.shard, images, task.preprocessing.size)
    write_atomic(path, json.dumps([asdict(record) for record in records]).encode())
    return len(task.paths)


def read_records(path: Path) -> list[Record]:
    """The records of a whole shard."""
    return [Record(**{**record, "codes": tuple(record["codes"])}) for record in json.loads(path.read_bytes())]


def _process_file(task: ShardTask, number: int, name: str, images: list[npt.NDArray[np.uint8]]) -> Record:
    names = task.source.pseudonyms
    try:
        radiograph = task.source.read(task.source.root / name)
    except Refused as refused:
        return Record(number, names.file(name), (refused.code,), refused.detail)
    images.append(canonical(radiograph.pixels, task.preprocessing.size, task.preprocessing.fit))
    own = radiograph.identifiers
    key = task.layout.key_of(name) if task.layout.key_is == "file" else own[task.layout.key_is]
    place = {"shard": task.shard, "row": len(images) - 1}
    image = _columns(names, radiograph, name) | place
    return Record(number, names.file(name), radiograph.flags, "", image, names.name("key", key))


def _columns(names: Pseudonyms, radiograph: Radiograph, path: str) -> dict[str, Any]:
    own = radiograph.identifiers
    stem = Path(path).stem
    instance = names.name("instance", own.get("SOPInstanceUID", stem))
    height, width = radiograph.pixels.shape
    return {
        # the name counts too: a published data set may list the same pixels twice
        "image_id": hashlib.sha256(f"{radiograph.pixel_sha256} {instance}".encode()).hexdigest()[:24],
        "patient_id": names.name("patient", own["PatientID"]) if own else "",
        "study_id": names.name("study", own["StudyInstanceUID"]) if own else "",
        "source": names.source,
        "source_name": names.file(stem) if names.key is None else names.file(path),
        "source_sha256": radiograph.source_sha256,
        "pixel_sha256": radiograph.pixel_sha256,
        "manufacturer": radiograph.manufacturer,
        "decisions": json.dumps(radiograph.decisions, sort_keys=True),
        "height": height,
        "width": width,
        "view": radiograph.view,
        "sex": radiograph.sex,
        "age_years": None if np.isnan(radiograph.age_years) else radiograph.age_years,
    }
