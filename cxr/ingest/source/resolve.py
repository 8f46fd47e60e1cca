"""What a configured source amounts to: its files, how to read them, and the table that labels them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

from cxr.config_sources import ConfidentialSource, DicomSource, DicomwebSource, ImagesSource, PhantomSource, Source
from cxr.ingest.deidentify import Pseudonyms, read_key
from cxr.ingest.source.dicomweb import DicomwebFiles
from cxr.ingest.source.entry import Files
from cxr.ingest.source.folder import files_of
from cxr.labels.shipped import SHIPPED

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class ResolvedSource:
    """A source, resolved.

    Args:
        files: where they come from.
        kind: what each of them is read as.
        pseudonyms: the names under which patients, studies and files leave.
        table: the label table, if there is one.
        format: its layout.
        image_table: the table of the images, where the layout asks for a second one.
        published: a public data set, whose table is the list of its images and tells their patients.
    """

    files: Files
    kind: Literal["dicom", "image"]
    pseudonyms: Pseudonyms
    table: Path | None
    format: Path | None
    image_table: Path | None = None
    published: bool = False


def resolve(source: Source, phantom: Path | None) -> ResolvedSource:
    """The files of a configured source.

    Args:
        source: the configuration.
        phantom: the folder that the phantom stage wrote, where the source is the phantom.

    Raises:
        DataError, ConfigError: the source, or the key of its pseudonyms, cannot be read.
    """
    match source:
        case PhantomSource():
            assert phantom is not None
            table = phantom / "labels.csv"
            layout = SHIPPED / "phantom" / "table.yaml"
            return ResolvedSource(files_of(phantom, (), (table.name,)), "dicom", Pseudonyms("phantom", None), table, layout)
        case DicomSource():
            return _confidential(source, files_of(source.root, (), source.tables))
        case DicomwebSource():
            query = tuple(sorted(source.query.items()))
            pacs = DicomwebFiles(
                source.url,
                query,
                timeout_s=source.timeout_seconds,
                patience_s=source.patience_seconds,
                credentials=source.credentials,
            )
            return _confidential(source, pacs)
        case ImagesSource():
            files = files_of(source.root, _IMAGE_SUFFIXES, source.tables)
            names = Pseudonyms(source.name, None)
            return ResolvedSource(
                files, "image", names, source.table_file, source.format, source.image_table_file, published=True
            )
        case _:
            assert_never(source)


def _confidential(source: ConfidentialSource, files: Files) -> ResolvedSource:
    names = Pseudonyms(source.name, read_key(source.key_file))
    return ResolvedSource(files, "dicom", names, source.table_file, source.format, source.image_table_file)
