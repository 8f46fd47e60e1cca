"""What a DICOMDIR lists but its medium does not hold (PS3.3 F.3.2.2, PS3.10 8.6)."""

from __future__ import annotations

import functools
import io
import os
import re
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom import uid
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset, read_preamble

from cxr.ingest.source.entry import Entry
from cxr.ingest.source.name import escape

LARGEST = 64 * 2**20
"""Bytes of the largest DICOMDIR that is looked into: a record has about 500, and takes ten times that in memory."""

_VERSION = re.compile(r"\.?(;\d+)?\Z")  # what ISO 9660 puts behind a name
# PS3.10 8.6 allows the first alone; the others are met. A deflated one could unpack to any size, so it is not looked into.
_PLAIN = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian)
# What pydicom raises on malformed files.
_MALFORMED = (
    InvalidDicomError, BytesLengthException, ValueError, KeyError, AttributeError, TypeError, IndexError, OverflowError,
    NotImplementedError, EOFError, RecursionError, struct.error,
)  # fmt: skip


def is_named_so(path: str) -> bool:
    """Whether a file is a DICOMDIR by its name."""
    return path.replace("\\", "/").rpartition("/")[2].upper() == "DICOMDIR"


def is_dicomdir(path: Path) -> bool:
    """Whether a file is a DICOMDIR by its file meta information, whatever its name.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return _is_directory(file)


def missing_files(path: Path, root: Path) -> Iterator[Entry]:
    """The files that a DICOMDIR lists and that are not there, each once.

    Names are compared as a reader of media does: upper and lower case are one, and so is what ISO 9660 puts behind a name ("."
    and ";1"). A path that leads out of the medium names nothing that is read, so it is missing. A damaged or unreadable
    DICOMDIR lists nothing here: as a file of the source it has an outcome of its own.

    Args:
        path: the DICOMDIR.
        root: the folder that the names of entries are relative to.
    """
    try:
        status = path.stat()
        with path.open("rb") as file:
            listed = _listed(file) if status.st_size <= LARGEST else []
    except OSError:
        return  # whoever reads it as a file of the source meets the same error, and records it
    folder = os.path.relpath(path.parent, root).replace(os.sep, "/")
    names_in = functools.lru_cache(16)(_names_in)
    for steps in listed:
        if not _leads_to_file(str(path.parent), steps, names_in):
            name = "/".join(steps if folder == "." else (folder, *steps))
            yield Entry(escape(name), f"{status.st_size}:{status.st_mtime_ns}", "missing")


def missing_members(content: bytes, path: str, paths: Iterable[str]) -> Iterator[str]:
    """The same for a DICOMDIR inside an archive: paths that it lists and that the archive does not hold.

    Args:
        content: of the DICOMDIR.
        path: of the DICOMDIR in the archive.
        paths: of all files in the archive.
    """
    held = {tuple(map(_bare, _steps(other))) for other in paths}
    folder = _steps(path)[:-1]
    for steps in _listed(io.BytesIO(content)):
        if not _stays_inside(steps) or tuple(map(_bare, (*folder, *steps))) not in held:
            yield "/".join((*folder, *steps))


def _listed(file: BinaryIO) -> list[tuple[str, ...]]:
    """The paths of a DICOMDIR's records, step by step; none where it is damaged."""
    if not _is_directory(file):
        return []
    file.seek(0)
    try:
        # pydicom warns about each odd value, and quotes it
        with warnings.catch_warnings(action="ignore"):
            records = pydicom.dcmread(file).get("DirectoryRecordSequence") or ()
            values = [record.get("ReferencedFileID") for record in records]
    except _MALFORMED:
        return []  # whoever reads it as a file of the source finds the damage again, and records it
    paths = ([value] if isinstance(value, str) else value for value in values if value)
    return list(dict.fromkeys(tuple(step for part in path for step in _steps(str(part))) for path in paths))


def _is_directory(file: BinaryIO) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):
            if read_preamble(file, force=False) is None:
                return False
            meta = read_dataset(file, False, True, stop_when=lambda tag, *_: int(tag) >> 16 != 2)
            plain = meta.get("TransferSyntaxUID") in _PLAIN
            return plain and meta.get("MediaStorageSOPClassUID") == uid.MediaStorageDirectoryStorage
    except _MALFORMED:
        return False


def _leads_to_file(folder: str, steps: tuple[str, ...], names_in: Callable[[str], dict[str, str]]) -> bool:
    if not _stays_inside(steps):
        return False
    if os.path.isfile(os.path.join(folder, *steps)):
        return True
    for step in steps:
        found = names_in(folder).get(_bare(step))
        if found is None:
            return False
        folder = os.path.join(folder, found)
    return os.path.isfile(folder)


def _names_in(folder: str) -> dict[str, str]:
    try:
        return {_bare(name): name for name in os.listdir(folder)}
    except OSError:
        return {}  # a file, or a folder that the listing of the source reports as unreadable


def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.replace("\\", "/").split("/"))


def _stays_inside(steps: tuple[str, ...]) -> bool:
    return not {"", ".", ".."} & set(steps)


def _bare(step: str) -> str:
    return _VERSION.sub("", step.lower(), count=1)
