"""Zip archives as folders: their members are listed and read where they lie, and nothing is ever unpacked under a name.

An archive is written by somebody else. So nothing that it says of itself is believed further than it can be checked: sizes
bound what is read, and are compared with what was read; paths are keys and never lead to a place on the disk.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Self

from cxr.errors import DataError
from cxr.ingest.outcome import Refused
from cxr.ingest.source import dicomdir
from cxr.ingest.source.entry import LARGEST_FILE, Entry
from cxr.ingest.source.name import escape, join

DEEPEST = 3
"""Archives inside one another that are opened."""
LARGEST_NESTED = 8 * 2**30
"""Bytes of the largest archive inside another one."""
LARGEST_DIRECTORY = 96 * 2**20
"""Bytes of the largest table of contents: half a million members with long names. It takes up to 13 times that in memory."""
LARGEST_NESTED_DIRECTORY = 16 * 2**20
"""The same for an archive inside another one, whose table of contents is in memory too."""
BOMB_RATIO = 100
"""An archive that says it unpacks to more than this many times its own size, and to more than `HARMLESS`, is not opened."""
HARMLESS = 256 * 2**20

_OPENED = 4  # archives that a process keeps open: a chain of DEEPEST, and the next
_PIECE = 8 * 2**20
_LOCAL_HEADER = 30  # bytes, without name and extra field
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_DOCUMENTS = (".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".jar", ".epub", ".npz")  # zip inside, one file outside
_ENCRYPTED = 0x1 | 0x40  # flag bits 0 and 6
# A few bytes of the other methods unpack to gigabytes in one step, before anything can stop them.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DRIVE = re.compile(r"[A-Za-z]:")
# What zipfile raises on malformed archives. An exception of another type is a fault of ours: it stops the stage.
_MALFORMED = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OverflowError, IndexError, struct.error,
    zlib.error,
)  # fmt: skip


def looks_like_archive(name: str, start: bytes) -> bool:
    """Whether a file is to be opened as an archive: by its name, or by its first 132 bytes.

    A DICOM file whose free preamble begins like a zip archive is a DICOM file, and an office document is one file.
    """
    lower = name.lower()
    if lower.endswith(".zip"):
        return True
    return start[:4] in _MAGIC and start[128:132] != b"DICM" and not lower.endswith(_DOCUMENTS)


def list_archive(path: str, name: str, stamp: str, wanted: Callable[[str], bool]) -> Iterator[Entry]:
    """The members of an archive on disk, those of archives inside it in their place.

    Whatever hinders that is an entry with a code, for the member or for the archive as a whole. Archives inside archives are
    known by their name, ".zip": to look into each member would take as long as to read a small one.

    Args:
        path: where the archive lies.
        name: of the archive in the source.
        stamp: of the archive.
        wanted: tells from a member's path whether it is a file of the source.

    Raises:
        DataError: there is no room to unpack an archive that lies inside another.
    """
    try:
        archive = Archive.on_disk(path)
    except Refused as problem:
        yield Entry(name, stamp, problem.code, problem.detail)
        return
    with archive:
        yield from _Listing(wanted, max(HARMLESS, BOMB_RATIO * archive.size)).entries(archive, [name], stamp)


def open_archive(path: str, chain: tuple[str, ...]) -> Archive:
    """An archive on disk, or one inside it; the last few stay open, so that reading member after member is cheap.

    Args:
        path: where the outermost archive lies.
        chain: keys of `Archive.members` that lead from there inwards.

    Raises:
        Refused: it is not there, or damaged.
        DataError: there is no room to unpack an archive that lies inside another.
    """
    with _translated():
        status = os.stat(path)
    # the process is part of the key, since a process and its fork would move one and the same position in the file
    return _open(os.getpid(), path, f"{status.st_size}:{status.st_mtime_ns}", chain)


@functools.lru_cache(_OPENED)
def _open(process: int, path: str, stamp: str, chain: tuple[str, ...]) -> Archive:
    return _open(process, path, stamp, chain[:-1]).nested(chain[-1]) if chain else Archive.on_disk(path)


class _Reader(io.BufferedReader):
    """A file that refuses to be read in one piece larger than its table of contents may be."""

    def __init__(self, raw: io.FileIO, largest: int) -> None:
        super().__init__(raw)
        self._largest = largest

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._largest:
            raise Refused("archive-bomb", f"a table of contents of {size} bytes")
        return super().read(size)


@dataclass(frozen=True, eq=False)
class Archive:
    """An open zip archive.

    Args:
        members: its files, without folders, by the escaped path that is their name in the source; where a path stands twice,
            the second is called "path#2".
        size: its own bytes.
        zip: the archive as zipfile reads it.
        file: the bytes that it is read from.
    """

    members: dict[str, zipfile.ZipInfo]
    size: int
    zip: zipfile.ZipFile
    file: io.BufferedReader

    @classmethod
    def on_disk(cls, path: str) -> Self:
        """Open an archive on disk.

        Raises:
            Refused: it cannot be read, is damaged, or its members lie over one another.
        """
        with _translated():
            return cls._over(io.FileIO(path), LARGEST_DIRECTORY)

    @classmethod
    def _over(cls, raw: io.FileIO, directory: int) -> Self:
        with ExitStack() as undo:
            file = _Reader(raw, directory)
            undo.callback(file.close)
            size = file.seek(0, os.SEEK_END)
            if not size:
                raise Refused("empty")
            archive = zipfile.ZipFile(file)
            _check_overlap(archive.infolist())
            opened = cls(_named(archive.infolist()), size, archive, file)
            undo.pop_all()
        return opened

    def read(self, key: str) -> bytes:
        """The bytes of a member: as many as its entry says, and with the checksum that its entry says.

        Raises:
            Refused: the member cannot be read, or is larger than `LARGEST_FILE`.
        """
        info = self._sound(key, LARGEST_FILE)
        with _translated(), self.zip.open(info) as member:
            return b"".join(_pieces(member, info.file_size))

    def head(self, key: str, size: int) -> bytes:
        """The first bytes of a member, fewer than `size` where there are no more.

        Raises:
            Refused: the member cannot be read.
        """
        info = self._sound(key, LARGEST_FILE)
        with _translated(), self.zip.open(info) as member:
            return member.read(min(size, _PIECE))

    def nested(self, key: str) -> Self:
        """Open a member that is an archive; it is unpacked to a file without a name, for what it holds is confidential.

        Raises:
            Refused: the member cannot be read, or is no archive.
            DataError: there is no room to unpack it.
        """
        info = self._sound(key, LARGEST_NESTED)
        with _translated(), tempfile.TemporaryFile(buffering=0) as spool, self.zip.open(info) as member:
            for piece in _pieces(member, info.file_size):
                spool.write(piece)
            return self._over(io.FileIO(os.dup(spool.fileno())), LARGEST_NESTED_DIRECTORY)

    def _sound(self, key: str, largest: int) -> zipfile.ZipInfo:
        info = self.members.get(key)
        if info is None:
            raise Refused("not-read", os.strerror(errno.ENOENT))
        code, detail = _fault(info, largest)
        if code:
            raise Refused(code, detail)
        return info

    def close(self) -> None:
        """Close the file; one in memory only is gone then."""
        self.zip.close()
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


@dataclass
class _Listing:
    """The listing of one archive on disk: `allowance` is how many bytes all that lies inside it may still unpack to."""

    wanted: Callable[[str], bool]
    allowance: int

    def entries(self, archive: Archive, parts: list[str], stamp: str) -> Iterator[Entry]:
        declared = sum(info.file_size for info in archive.members.values())
        if declared > min(self.allowance, max(HARMLESS, BOMB_RATIO * archive.size)):
            yield Entry(join(*parts), stamp, "archive-bomb", f"{declared} bytes in {archive.size}")
        elif not archive.members:
            yield Entry(join(*parts), stamp, "empty", "an archive without files")
        else:
            self.allowance -= declared
            for key, info in archive.members.items():
                yield from self._member(archive, key, info, [*parts, key])
            yield from self._missing(archive, parts, stamp)

    def _member(self, archive: Archive, key: str, info: zipfile.ZipInfo, parts: list[str]) -> Iterator[Entry]:
        inner = info.filename.lower().endswith(".zip")
        if not inner and not self.wanted(info.filename):
            return
        stamp = f"{info.CRC:08x}:{info.file_size}"
        code, detail = _fault(info, LARGEST_NESTED if inner else LARGEST_FILE)
        if inner and not code and len(parts) > DEEPEST:
            code, detail = "archive-bomb", f"more than {DEEPEST} archives inside one another"
        if inner and not code:
            yield from self._nested(archive, key, parts, stamp)
        else:
            yield Entry(join(*parts), stamp, code, detail)

    def _nested(self, archive: Archive, key: str, parts: list[str], stamp: str) -> Iterator[Entry]:
        try:
            inner = archive.nested(key)
        except Refused as problem:
            yield Entry(join(*parts), stamp, problem.code, problem.detail)
            return
        with inner:
            yield from self.entries(inner, parts, stamp)

    def _missing(self, archive: Archive, parts: list[str], stamp: str) -> Iterator[Entry]:
        """What the DICOMDIR of a medium that was packed into an archive lists, and the archive does not hold."""
        paths = [info.filename for info in archive.members.values()]
        found: set[str] = set()
        for key, info in archive.members.items():
            if dicomdir.is_named_so(info.filename) and self.wanted(info.filename) and info.file_size <= dicomdir.LARGEST:
                found.update(dicomdir.missing_members(_content(archive, key), info.filename, paths))
        yield from (Entry(join(*parts, escape(path)), stamp, "missing") for path in sorted(found))


def _content(archive: Archive, key: str) -> bytes:
    try:
        return archive.read(key)
    except Refused:
        return b""  # whoever reads it as a file of the source is refused for the same reason, and records it


def _named(infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    named: dict[str, zipfile.ZipInfo] = {}
    again = []
    for info in infos:
        key = escape(info.filename)
        if info.filename.endswith("/") and not info.file_size:
            continue
        if key in named:
            again.append((key, info))
        else:
            named[key] = info
    numbers: dict[str, int] = {}
    for key, info in again:
        number = numbers.get(key, 1) + 1
        while f"{key}#{number}" in named:
            number += 1
        numbers[key] = number
        named[f"{key}#{number}"] = info
    return named


def _check_overlap(infos: list[zipfile.ZipInfo]) -> None:
    """Members that share their bytes are how a small archive says that it holds much.

    Raises:
        Refused: there are such.
    """
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise Refused("archive-damaged", "its members lie over one another")
        end = info.header_offset + _LOCAL_HEADER + info.compress_size


def _fault(info: zipfile.ZipInfo, largest: int) -> tuple[str, str]:
    """Code and detail of what its entry alone tells against reading a member; empty if nothing."""
    steps = info.filename.replace("\\", "/").split("/")
    if not steps[0] or ".." in steps or _DRIVE.match(info.filename):
        return "archive-unsafe", ""
    if not steps[-1]:
        return "archive-damaged", "a folder with content"
    if info.flag_bits & _ENCRYPTED:
        return "archive-damaged", "encrypted"
    if info.compress_type not in _METHODS:
        return "archive-damaged", f"compression method {info.compress_type}"
    if info.file_size > largest:
        return "too-large", f"{info.file_size} bytes"
    return "", ""


def _pieces(member: IO[bytes], size: int) -> Iterator[bytes]:
    """What a member holds, `size` bytes and no more; read to past its end, where zipfile compares the checksum."""
    left = size + 1
    while piece := member.read(min(left, _PIECE)):
        left -= len(piece)
        yield piece
    if left != 1:
        raise zipfile.BadZipFile


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _MALFORMED as error:
        raise Refused("archive-damaged", type(error).__name__) from None  # zipfile's words quote names of members
    except OSError as error:
        if error.errno == errno.ENOSPC:
            folder = tempfile.gettempdir()
            raise DataError(
                f"no room in {folder} to unpack an archive inside another: set TMPDIR to a folder with more"
            ) from error
        if error.errno == errno.EINVAL:  # a place before the start of the file
            raise Refused("archive-damaged", "a place outside the archive") from None
        raise Refused("not-read", error.strerror or type(error).__name__) from None  # its words quote the path
