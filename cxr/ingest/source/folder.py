"""A folder tree as a source: every file below it, those inside zip archives too, as a stream of entries."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cxr.errors import DataError
from cxr.ingest.outcome import Refused
from cxr.ingest.source import dicomdir
from cxr.ingest.source.archive import list_archive, looks_like_archive, open_archive
from cxr.ingest.source.entry import LARGEST_FILE, Entry
from cxr.ingest.source.name import escape, split, unescape

_START = 132  # bytes that tell an archive, and a DICOM file that begins like one


@dataclass(frozen=True)
class FolderFiles:
    """The files of a folder and its sub-folders.

    A zip archive, told by its first bytes or its name, stands for its members ("a.zip!/b.zip!/x.dcm"). Symbolic links to files
    are followed; one to a folder is not, since it may lead in a circle: it is an entry with a code. The files that a DICOMDIR
    lists and that are not there are entries too.

    Args:
        root: the folder.
        suffixes: ends of names, in any case, of the files that count; none for all files. Archives are looked into always.
        leave_out: paths relative to the root that are no files of the source, such as the label table.
        only: the one file of the root that counts; empty for all. As a zip archive it stands for its members.
        medium: a file of the root that is a DICOMDIR under another name; empty for none.
    """

    root: Path
    suffixes: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    only: str = ""
    medium: str = ""

    def entries(self) -> Iterator[Entry]:
        """Every file once, in no particular order; `Entry.name` is made by `cxr.ingest.source.name` from posix paths.

        Raises:
            DataError: the root cannot be listed, or there is no room to unpack an archive that lies inside another.
        """
        if self.only:
            yield from self._file(os.path.join(self.root, self.only), self.only)
            return
        folders = [""]
        missing: set[str] = set()
        while folders:
            for entry in self._folder(folders.pop(), folders):
                # two DICOMDIR, one in the other's folder, may both list a file that is not there
                if entry.code != "missing" or entry.name not in missing:
                    yield entry
                if entry.code == "missing":
                    missing.add(entry.name)

    def fetch(self, name: str) -> bytes:
        """The bytes of one file; see `Files.fetch`."""
        path, inside = self._locate(name)
        try:
            return open_archive(path, inside[:-1]).read(inside[-1]) if inside else _read(path)
        except Refused as refused:
            if refused.code == "not-read":
                self._check_root()
            raise

    def _check_root(self) -> None:
        """Tell a file that is gone from a source that is gone, as a share that is no longer mounted.

        Raises:
            DataError: there is nothing in the root, or no root.
        """
        if next((child for child in _children(str(self.root)) if not isinstance(child, OSError)), None) is None:
            raise DataError(f"source.root: {self.root} has dropped away; once it is back, the same command goes on from here")

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of one file; see `Files.head`."""
        path, inside = self._locate(name)
        return open_archive(path, inside[:-1]).head(inside[-1], size) if inside else _read(path, size)

    def _locate(self, name: str) -> tuple[str, tuple[str, ...]]:
        """Where a file, or its outermost archive, lies on disk, and the keys that lead on from there."""
        first, *inside = split(name)
        relative = unescape(first)
        if os.path.isabs(relative) or ".." in relative.split("/"):  # of a DICOMDIR's making, never of a listing's
            raise Refused("not-read", os.strerror(errno.ENOENT))
        return os.path.join(self.root, relative), tuple(inside)

    def _folder(self, folder: str, folders: list[str]) -> Iterator[Entry]:
        """The entries of the files of one folder; its sub-folders are added to `folders`."""
        for child in _children(os.path.join(self.root, folder)):
            if isinstance(child, OSError):
                if not folder:
                    raise DataError(f"source.root: {self.root} cannot be listed: {_reason(child)}")
                yield Entry(escape(folder), "", "folder-unreadable", _reason(child))
                continue
            path = f"{folder}/{child.name}" if folder else child.name
            if child.is_dir(follow_symlinks=False):
                folders.append(path)
            elif path not in self.leave_out:
                yield from self._file(child.path, path)

    def _file(self, path: str, relative: str) -> Iterator[Entry]:
        """The entries that one file stands for: itself or its members, and what it lists and is not there."""
        name, looked_at = escape(relative), self._wanted(relative) or relative.lower().endswith(".zip")
        try:
            status = os.stat(path)
            start = _start(path) if looked_at and stat.S_ISREG(status.st_mode) else b""
        except OSError as error:
            if looked_at:
                yield Entry(name, "", "unreadable", _reason(error))
            return
        stamp = f"{status.st_size}:{status.st_mtime_ns}"
        if stat.S_ISDIR(status.st_mode):
            yield Entry(name, stamp, "unreadable", "a symbolic link to a folder, which is not followed")
        elif not looked_at:
            return
        elif not stat.S_ISREG(status.st_mode):
            yield Entry(name, stamp, "unreadable", "neither a file nor a folder")
        elif looks_like_archive(relative, start):
            yield from list_archive(path, name, stamp, self._wanted)
        else:
            yield from self._plain(path, relative, Entry(name, stamp), status.st_size)

    def _plain(self, path: str, relative: str, entry: Entry, size: int) -> Iterator[Entry]:
        medium = dicomdir.is_named_so(relative) or relative == self.medium
        if size > (dicomdir.LARGEST if medium else LARGEST_FILE):
            yield replace(entry, code="too-large", detail=f"{size} bytes")
            return
        yield entry
        if medium:
            yield from dicomdir.missing_files(Path(path), self.root)

    def _wanted(self, path: str) -> bool:
        return not self.suffixes or path.lower().endswith(tuple(suffix.lower() for suffix in self.suffixes))


def files_of(path: Path, suffixes: tuple[str, ...] = (), leave_out: tuple[str, ...] = ()) -> FolderFiles:
    """The files that a path stands for: those of a folder, of the medium of a DICOMDIR, of a zip archive, or the one file.

    Args:
        path: a folder or a file.
        suffixes, leave_out: see `FolderFiles`; `leave_out` is relative to the folder, or to the folder of the file.

    Raises:
        DataError: there is nothing there, or it cannot be read.
    """
    try:
        if path.is_dir():
            os.scandir(path).close()
            return FolderFiles(path, suffixes, leave_out)
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"source.root: {path} is neither a folder nor a file")
        medium = dicomdir.is_dicomdir(path)
    except FileNotFoundError as error:
        raise DataError(f"source.root: there is no {path}") from error
    except OSError as error:
        raise DataError(f"source.root: {path} cannot be read: {_reason(error)}") from error
    if medium or dicomdir.is_named_so(path.name):
        return FolderFiles(path.parent, suffixes, leave_out, medium=path.name)
    return FolderFiles(path.parent, suffixes, leave_out, only=path.name)


def _children(folder: str) -> Iterator[os.DirEntry[str] | OSError]:
    """What lies in a folder; last an error, where it can be listed in part only or not at all."""
    try:
        with os.scandir(folder) as children:
            yield from children
    except OSError as error:
        yield error


def _read(path: str, most: int | None = None) -> bytes:
    """A file, or its first bytes: what it holds as it is opened, for a file may be growing."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if most is None and size > LARGEST_FILE:
                raise Refused("too-large", f"{size} bytes")
            return file.read(size if most is None else min(size, most))
    except OSError as error:
        raise Refused("not-read", _reason(error)) from None  # its words quote the path


def _start(path: str) -> bytes:
    # half the time of `open`, for each of a million files
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, _START)
    finally:
        os.close(file)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
