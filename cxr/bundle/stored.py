"""The files that a bundle is run on, listed and fetched by the code that lists them for ingest."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cxr.errors import ConfigError, DataError
from cxr.ingest.outcome import Refused
from cxr.ingest.source.folder import FolderFiles, files_of
from cxr.predict.read import File


@dataclass(frozen=True)
class StoredFile:
    """A file of a folder, or of a zip archive in it.

    Args:
        files: what it was listed in.
        name: its name there; confidential.
        code, detail: why it cannot be had; empty where it can, as in `cxr.ingest.outcome.Refused`.
    """

    files: FolderFiles
    name: str = field(repr=False)
    code: str = ""
    detail: str = ""

    def content(self) -> File:
        """Its bytes, or why they cannot be had.

        Raises:
            DataError: what it was listed in cannot be reached any more.
        """
        if self.code:
            return Refused(self.code, self.detail)
        try:
            return self.files.fetch(self.name)
        except Refused as refused:
            return refused


def list_files(folder: str, answer: str) -> list[dict[str, StoredFile]]:
    """What MONAI's data set is made of: every file below a folder as an item with the key "image", sorted by name.

    Args:
        folder: a folder, a zip archive or a single file.
        answer: where the answer goes, so that the next run does not read it.

    Raises:
        ConfigError: the answer lies in the folder.
        DataError: there is no such folder, it cannot be read, or it holds no file.
    """
    path = Path(folder)
    if path.is_dir() and Path(answer).resolve().is_relative_to(path.resolve()):
        raise ConfigError(f"output_dir: the answer would lie in {folder}, and be read the next time; choose another folder")
    try:
        files = files_of(path)
        stored = [StoredFile(files, entry.name, entry.code, entry.detail) for entry in files.entries()]
    except DataError as error:
        raise DataError(f"dataset_dir: {str(error).removeprefix('source.root: ')}") from error
    if not stored:
        raise DataError(f"dataset_dir: {folder} holds no file")
    return [{"image": each} for each in sorted(stored, key=lambda each: os.fsencode(each.name))]
