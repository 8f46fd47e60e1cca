"""Files brought together to studies, as their headers name them: what is reported is a study of one patient."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import MediaStorageDirectoryStorage

from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.read import attributes, part10
from cxr.ingest.read.dicom import MALFORMED
from cxr.ingest.source.entry import Files
from cxr.ingest.source.folder import FolderFiles
from cxr.stage import Progress


@dataclass(frozen=True)
class StudyFile:
    """A file of a study, read again when its turn comes.

    Args:
        files: where it comes from.
        name: its name there.
        digest: SHA-256 of its bytes.
        patient: who its header says it is of, PatientID and its issuer; confidential.
        study: its StudyInstanceUID.
    """

    files: Files
    name: str
    digest: str
    patient: tuple[str, str]
    study: str

    def content(self) -> bytes | Refused:
        """Its bytes, or why they cannot be had: what lies there now may be of another patient."""
        try:
            data = self.files.fetch(self.name)
        except Refused as refused:
            return refused
        if hashlib.sha256(data).hexdigest() != self.digest:
            return Refused("not-read", "it has changed since")
        return data


@dataclass(frozen=True)
class Stray:
    """A file that is brought to no study: it cannot be read so far, or it is no radiograph.

    Args:
        code, detail: as in `cxr.ingest.outcome.Refused`.
        place: its path, or what it is called by the service that gave it; confidential.
    """

    code: str
    detail: str
    place: str

    @property
    def faulty(self) -> bool:
        """Whether something is wrong with it; else it is merely out of scope, as what a service says to be a CT."""
        return CODES[self.code][0] != "skipped"


@dataclass(frozen=True)
class Given:
    """What the inputs hold.

    Args:
        studies: the files of each, without copies.
        strays: the rest.
    """

    studies: tuple[tuple[StudyFile, ...], ...]
    strays: tuple[Stray, ...]

    @property
    def broken(self) -> bool:
        """Whether something is wrong with any file; what is merely out of scope does not count."""
        return any(stray.faulty for stray in self.strays)


def find_studies(sources: Sequence[Files], progress: Progress) -> Given:
    """Read the header of every file.

    Args:
        sources: the files.
        progress: told after each file.

    Returns:
        The studies sorted by their UID, the files of each by digest: the same order wherever the files lie.

    Raises:
        DataError: a source cannot be listed or reached.
    """
    found: dict[str, dict[str, StudyFile]] = defaultdict(dict)
    strays = []
    for number, file in enumerate(_each(sources), start=1):
        if isinstance(file, Stray):
            strays.append(file)
        else:
            found[file.study].setdefault(file.digest, file)
        progress(number, number, "files looked at")
    studies = (tuple(files[digest] for digest in sorted(files)) for _, files in sorted(found.items()))
    return Given(tuple(studies), tuple(strays))


def _each(sources: Sequence[Files]) -> Iterator[StudyFile | Stray]:
    for files in sources:
        for entry in files.entries():
            try:
                if entry.code:
                    raise Refused(entry.code, entry.detail)
                yield _look(files, entry.name)
            except Refused as refused:
                yield Stray(refused.code, refused.detail, _place(files, entry.name))


def _place(files: Files, name: str) -> str:
    return os.path.join(files.root, name) if isinstance(files, FolderFiles) else name


def _look(files: Files, name: str) -> StudyFile:
    data = files.fetch(name)
    header = header_of(data)
    if header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise Refused("dicomdir")
    study = attributes.text(header, "StudyInstanceUID")
    if not study:
        raise Refused("no-identity", "StudyInstanceUID")
    patient = attributes.text(header, "PatientID"), attributes.text(header, "IssuerOfPatientID")
    return StudyFile(files, name, hashlib.sha256(data).hexdigest(), patient, study)


def header_of(data: bytes) -> Dataset:
    """The header of a DICOM file, read as ingest reads it.

    Raises:
        Refused: there is none.
    """
    if not data:
        raise Refused("empty")
    try:
        return part10.parse(data, header_only=True).header
    except MALFORMED as error:
        raise Refused("unreadable", type(error).__name__) from error
