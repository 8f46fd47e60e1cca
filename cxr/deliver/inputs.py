"""What a user names on the command line: sources of studies, and the one destination of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cxr.deliver.folder import FolderDestination
from cxr.deliver.receipt import Destination
from cxr.errors import ConfigError, DataError
from cxr.ingest.source.dicomweb import DicomwebFiles
from cxr.ingest.source.entry import Files
from cxr.ingest.source.folder import files_of


def sources(inputs: Sequence[str], query: Sequence[str], credentials: str | None) -> tuple[Files, ...]:
    """The files of folders, files and DICOMweb services.

    Args:
        inputs: paths, and addresses that begin with http:// or https://.
        query: filters of the services as KEY=VALUE, such as StudyInstanceUID=1.2.3.
        credentials: environment variable with those of the services.

    Raises:
        ConfigError: nothing is named, or a filter or an address cannot be understood.
        DataError: there is nothing at a path.
    """
    if not inputs:
        raise ConfigError("INPUT: missing; folders, DICOM files, zip files, or the address of a DICOMweb service")
    wrong = next((each for each in query if "=" not in each), None)
    if wrong is not None:
        raise ConfigError("--query: as in --query StudyInstanceUID=1.2.3")
    services = [each for each in inputs if _is_service(each)]
    if query and not services:
        raise ConfigError("--query: it is for the address of a DICOMweb service, and none is given")
    pairs = tuple((key, value) for key, _, value in (each.partition("=") for each in query))
    return tuple(
        DicomwebFiles(each, pairs, credentials=credentials) if _is_service(each) else _files(Path(each)) for each in inputs
    )


def destination(out: Path | None, to: str | None, credentials: str | None, own_title: str) -> Destination:
    """Where results go.

    Args:
        out: a folder.
        to: the address of a DICOMweb service, or dicom://TITLE@HOST:PORT.
        credentials: environment variable with those of a DICOMweb service.
        own_title: how a PACS knows this sender.

    Raises:
        ConfigError: none or both are given, or the address cannot be understood.
    """
    if (out is None) == (to is None):
        raise ConfigError("give one of --out FOLDER and --to ADDRESS")
    if out is not None:
        return FolderDestination(out)
    assert to is not None
    if _is_service(to):
        from cxr.deliver.stow import StowDestination

        return StowDestination(to, credentials)
    if to.startswith("dicom://"):
        from cxr.deliver.store import StoreDestination

        return StoreDestination.at(to, own_title)
    raise ConfigError("--to: as in https://pacs.example.org/dicom-web or dicom://TITLE@pacs.example.org:104")


def _is_service(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _files(path: Path) -> Files:
    try:
        return files_of(path)
    except DataError as error:
        raise DataError(f"INPUT: {str(error).removeprefix('source.root: ')}") from error
