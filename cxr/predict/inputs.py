"""What is to be scored: files, folders, zip archives and DICOMDIR, listed by the code that lists them for ingest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cxr.errors import ConfigError, DataError
from cxr.ingest.source.folder import FolderFiles, files_of
from cxr.predict.read import Kind

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Input:
    """One input.

    Args:
        files: what it holds.
        prefix: what stands before the names of `files` to lead there from where the user is.
        inside: whether `files` is a whole folder, so that what is written there would be read the next time.
    """

    files: FolderFiles
    prefix: str
    inside: bool

    def shown(self, name: str) -> str:
        """A file's name as a user would type it; what is no text in it is spelt out."""
        return os.path.join(self.prefix, name).encode("utf-8", "backslashreplace").decode()

    def location(self, name: str) -> bytes:
        """The same for two inputs that lead to one file."""
        return os.fsencode(os.path.join(os.path.realpath(self.files.root), name))


def open_inputs(given: Sequence[str], kind: Kind) -> tuple[Input, ...]:
    """The inputs that texts mean.

    Args:
        given: files, folders, zip archives, DICOMDIR.
        kind: of images, those that a folder or archive holds are told by their suffix.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    return tuple(_open(text, kind) for text in given)


def refuse_place(out: Path, inputs: Sequence[Input], option: str = "--out") -> None:
    """Refuse to write where the inputs are: the next run would read it.

    Args:
        out: the place.
        inputs: what is read.
        option: which names the place.

    Raises:
        ConfigError: it lies in an input, or is one.
    """
    place = out.resolve()
    for each in inputs:
        root = each.files.root.resolve()
        if place.is_relative_to(root) if each.inside else place == root / each.files.only:
            raise ConfigError(f"{option}: {out}: lies in an input, or is one; choose another place")


def _open(text: str, kind: Kind) -> Input:
    path = Path(text)
    suffixes = _IMAGE_SUFFIXES if kind == "image" and (path.is_dir() or path.suffix.lower() == ".zip") else ()
    try:
        files = files_of(path, suffixes)
    except DataError as error:
        raise DataError(str(error).removeprefix("source.root: ")) from error
    return Input(files, text if path.is_dir() else os.path.dirname(text), not files.only)
