"""What became of each study by its StudyInstanceUID, and of each file of no study by its place: for who has to look one up.

The terminal tells numbers only; this table names patients' studies, and stays with who may see them.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from cxr.deliver.deliver import Delivery
from cxr.deliver.study import Given, Stray
from cxr.errors import ConfigError, CxrError
from cxr.evaluate.wording import count_text
from cxr.ingest.outcome import FileOutcome
from cxr.ingest.source.entry import Files
from cxr.ingest.source.folder import FolderFiles

COLUMNS = ("number", "outcome", "study_uid", "report_uid", "scored", "left_out", "yes", "maps", "reason", "file")


def check_record(path: Path, sources: Sequence[Files]) -> None:
    """Refuse a place that cannot be written to, or that the next delivery would read, before anything is read.

    Args:
        path: of the table.
        sources: of the files.

    Raises:
        ConfigError: it does not end in .csv, there is no folder to put it in, something is there already, which may be all that
            tells an earlier delivery's studies, or it lies in a source.
    """
    if path.suffix != ".csv":
        raise ConfigError(f"--record: {path}: must end in .csv")
    if not path.parent.is_dir():
        raise ConfigError(f"--record: there is no folder {path.parent}")
    if path.exists():
        raise ConfigError(f"--record: {path}: is there already; name a new table for each delivery")
    folders = [files.root.resolve() for files in sources if isinstance(files, FolderFiles) and not files.only]
    if any(path.resolve().is_relative_to(folder) for folder in folders):
        raise ConfigError(f"--record: {path}: lies in an input; choose another place")


def write_record(path: Path, given: Given, done: Sequence[Delivery]) -> None:
    """Write the table: a row for each study and for each file of no study. It appears whole, and for its owner alone.

    Args:
        path: of the table; what is there is replaced.
        given: what the inputs hold.
        done: what became of studies, in the order in which the terminal numbers them.

    Raises:
        CxrError: it cannot be written.
    """
    try:
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            partial = Path(folder) / path.name
            partial.touch(mode=0o600)
            with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as table:
                writer = csv.DictWriter(table, COLUMNS, restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(_rows(given, done))
            os.replace(partial, path)
    except OSError as error:
        raise CxrError(f"{path}: cannot be written: {error.strerror or type(error).__name__}") from error


def _rows(given: Given, done: Sequence[Delivery]) -> Iterator[dict[str, object]]:
    for number, each in enumerate(done, start=1):
        yield {"number": number, **_delivered(each)}
    seen = {each.study for each in done}
    for study in given.studies:
        if study[0].study not in seen:
            yield {"outcome": "not come to", "study_uid": study[0].study}
    yield from map(_stray, given.strays)


def _delivered(delivery: Delivery) -> dict[str, object]:
    if not delivery.radiographs:
        return {"outcome": "no radiographs", "study_uid": delivery.study}
    lacking = "in part" if delivery.report else "not delivered"
    return {
        "outcome": lacking if delivery.problem else "delivered",
        "study_uid": delivery.study,
        "report_uid": delivery.report,
        "scored": delivery.scored,
        "left_out": delivery.left_out,
        "yes": ", ".join(delivery.yes),
        "maps": delivery.maps,
        "reason": delivery.problem or _faulty(delivery),
    }


def _faulty(delivery: Delivery) -> str:
    told = f"{count_text(delivery.faulty, 'image')} not scored, since something is wrong there; the report says what"
    return told if delivery.faulty else ""


def _stray(stray: Stray) -> dict[str, object]:
    why = FileOutcome(1, "", (stray.code,), stray.detail).sentence
    return {"outcome": "of no study" if stray.faulty else "out of scope", "reason": why, "file": stray.place}
