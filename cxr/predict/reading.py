"""Files to images, batch by batch: in this process, or in workers that a bad file costs no more than itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from cxr.config import IngestConfig
from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.source.entry import Files
from cxr.ingest.store import Preprocessing
from cxr.pool import At, Death, Limits, run_tasks
from cxr.predict.read import Identity, Kind, Origin, identity_of, read_picture


@dataclass(frozen=True)
class Reading:
    """How files are read: the same for all of them.

    Args:
        files: the inputs that they come from.
        kind: what each of them is read as.
        preprocessing: of the canonical images.
    """

    files: tuple[Files, ...]
    kind: Kind
    preprocessing: Preprocessing


@dataclass(frozen=True)
class Listed:
    """A file to be read.

    Args:
        number: from 1, in the order of the answer.
        source: which of the inputs it comes from, from 0.
        name: its name there; confidential.
    """

    number: int
    source: int
    name: str = field(repr=False)


@dataclass(frozen=True)
class NotTaken:
    """A file that is not scored.

    Args:
        code, detail: as in `cxr.ingest.outcome.Refused`.
        identity: whose it is, as far as its header can be read.
    """

    code: str
    detail: str = ""
    identity: Identity = field(default_factory=Identity)


@dataclass(frozen=True, eq=False)
class Batch:
    """Files that were read.

    Args:
        read: of each file its number and what became of it.
        images: uint8 [files that are taken, size, size], in their order.
    """

    read: tuple[tuple[int, Origin | NotTaken], ...]
    images: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ReadTask:
    """What a worker is given.

    Args:
        files: to read.
        reading: see there.
        deaths: by the place of a file in `files`: why it is left out; "read-again" if it is only to be marked.
    """

    files: tuple[Listed, ...]
    reading: Reading
    deaths: Mapping[int, str] = field(default_factory=dict)


def read_batches(files: Iterable[tuple[Listed, ...]], reading: Reading, workers: int) -> Iterator[Batch]:
    """Read batches of files; they come in the order in which they are done.

    Args:
        files: the batches.
        reading: see there.
        workers: processes, each file within ingest's limits of time and memory; 0: this process, without limits.

    Raises:
        DataError: an input cannot be reached any more, or workers do not start.
    """
    usual = IngestConfig()
    limits = Limits(usual.file_seconds, usual.file_megabytes)
    return run_tasks(read_batch, (ReadTask(batch, reading) for batch in files), workers, limits, _after_death)


def read_batch(task: ReadTask, at: At) -> Batch:
    """Read a batch of files.

    Raises:
        DataError: an input cannot be reached any more.
    """
    cv2.setNumThreads(1)  # the workers are the parallelism
    images: list[npt.NDArray[np.uint8]] = []
    read = tuple((file.number, _read_one(task, index, images, at)) for index, file in enumerate(task.files))
    size = task.reading.preprocessing.size
    return Batch(read, np.stack(images) if images else np.zeros((0, size, size), np.uint8))


def _read_one(task: ReadTask, index: int, images: list[npt.NDArray[np.uint8]], at: At) -> Origin | NotTaken:
    reading, file, data = task.reading, task.files[index], b""
    fate = task.deaths.get(index, "")
    try:
        if CODES.get(fate, ("flagged",))[0] != "flagged":
            raise Refused(fate)
        at(index)
        data = reading.files[file.source].fetch(file.name)
        picture = read_picture(data, reading.preprocessing, reading.kind)
    except Refused as refused:
        known = identity_of(data) if data and reading.kind == "dicom" else Identity()
        return NotTaken(refused.code, refused.detail, known)
    except MemoryError:  # while it was fetched
        return NotTaken("too-much-memory")
    images.append(picture.image)
    return replace(picture.origin, codes=(*picture.origin.codes, *filter(None, (fate,))))


def _after_death(task: ReadTask, death: Death) -> ReadTask:
    """The task to try again with: a file that ended its worker is read once more, and left out the next time."""
    last = "too-slow" if death.cause == "slow" else "reader-died"
    code = last if death.cause == "slow" or death.item in task.deaths else "read-again"
    return replace(task, deaths={**task.deaths, death.item: code})
