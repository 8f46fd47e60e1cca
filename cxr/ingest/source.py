"""What a configured source amounts to: the files to read, how to read them, and the table that labels them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from cxr.config import DicomSource, ImagesSource, PhantomSource, Source
from cxr.errors import DataError
from cxr.ingest.deidentify import Pseudonyms, read_key
from cxr.ingest.read import Radiograph, read_dicom, read_image
from cxr.labels import SHIPPED

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class SourceFiles:
    """A source, resolved.

    Args:
        root: the folder of the files.
        table: the label table.
        format: the layout of the table.
        pseudonyms: the names under which patients, studies and files leave.
        read: reads one file.
        published: a public data set, whose table is the list of its images and tells their patients.
    """

    root: Path
    table: Path
    format: Path
    pseudonyms: Pseudonyms
    read: Callable[[Path], Radiograph]
    published: bool

    def paths(self) -> list[str]:
        """The files to read, relative to the root, sorted.

        Raises:
            DataError: there is none.
        """
        wanted = _IMAGE_SUFFIXES if self.published else ("",)
        found = (
            os.path.relpath(os.path.join(folder, name), self.root)
            for folder, _, names in os.walk(self.root)
            for name in names
            if name.lower().endswith(wanted)
        )
        table = os.path.relpath(self.table, self.root)
        paths = sorted(Path(path).as_posix() for path in found if path != table)
        if not paths:
            kinds = "PNG or JPEG files" if self.published else "files"
            raise DataError(f"source.root: no {kinds} in {self.root} or its sub-folders")
        return paths


def resolve(source: Source, phantom: Path | None) -> SourceFiles:
    """The files of a configured source.

    Args:
        source: the configuration.
        phantom: the folder that the phantom stage wrote, where the source is the phantom.
    """
    match source:
        case PhantomSource():
            assert phantom is not None
            layout = SHIPPED / "phantom" / "table.yaml"
            return SourceFiles(
                phantom, phantom / "labels.csv", layout, Pseudonyms("phantom", None), read_dicom, published=False
            )
        case DicomSource():
            names = Pseudonyms(source.name, read_key(source.key_file))
            return SourceFiles(source.root, source.table_file, source.format, names, read_dicom, published=False)
        case ImagesSource():
            names = Pseudonyms(source.name, None)
            return SourceFiles(source.root, source.table_file, source.format, names, read_image, published=True)
        case _:
            assert_never(source)
