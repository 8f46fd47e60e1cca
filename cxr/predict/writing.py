"""An answer on the disk: CSV or Parquet, a table of files and one of studies, or JSON, a study with its files at a time.

CSV has no place for what scored, so that a file beside the tables says it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cxr.errors import ConfigError, CxrError
from cxr.predict.columns import Columns, Said
from cxr.predict.rows import FileRow, Rows

_ROWS = 1024
"""Rows that are in memory at a time."""
_Cells = Iterable[list[dict[str, Any]]]
_Table = Callable[[IO[bytes], Mapping[str, type], _Cells, Mapping[str, Any]], None]


def check_out(out: Path) -> None:
    """Refuse a place that cannot be written to, before anything is read.

    Raises:
        ConfigError: another kind of file than those below, no folder to put it in, or a folder by this name.
    """
    if out.suffix not in (*_TABLES, ".json"):
        raise ConfigError(f"--out: {out}: must end in .csv, .parquet or .json")
    if not out.parent.is_dir():
        raise ConfigError(f"--out: there is no folder {out.parent}")
    if out.is_dir():
        raise ConfigError(f"--out: {out}: is a folder; name a file")


def write_answer(out: Path, rows: Rows, columns: Columns, about: Mapping[str, Any], *, studies: bool) -> dict[str, Path]:
    """Write the answer; a file appears whole or not at all.

    Args:
        out: of the files; what is told of studies stands beside it, as `out.studies.csv`, or in it, in JSON.
        rows: what became of the files.
        columns: of the tables.
        about: what scored; in Parquet in the metadata, for CSV beside it, as `out.model.json`.
        studies: whether there are any to be told of.

    Returns:
        The files written, by what is in them: files, studies, model; or answer, where all is in one.

    Raises:
        CxrError: they cannot be written.
    """
    if out.suffix == ".json":
        _write(out, lambda file: _write_json(file, rows, columns, about))
        return {"answer": out}
    table = _TABLES[out.suffix]
    files = (columns.file_rows(part) for part in rows.files(_ROWS))
    _write(out, lambda file: table(file, columns.of_files, files, about))
    written = {"files": out}
    if studies:
        written["studies"] = out.with_suffix(f".studies{out.suffix}")
        cells = (columns.study_rows(part) for part in rows.studies(_ROWS))
        _write(written["studies"], lambda file: table(file, columns.of_studies, cells, about))
    if out.suffix == ".csv":
        written["model"] = _write_model(out, about, tuple(written.values()))
    return written


def _write_model(out: Path, about: Mapping[str, Any], tables: tuple[Path, ...]) -> Path:
    """What scored, with the digests of the tables: they tell whether a table found beside it is the one that is meant."""
    place = out.with_suffix(".model.json")
    digests = {}
    for table in tables:
        with table.open("rb") as file:
            digests[table.name] = hashlib.file_digest(file, "sha256").hexdigest()
    text = json.dumps({"model": about, "sha256": digests}, indent=1) + "\n"
    _write(place, lambda file: _write_text(file, text))
    return place


def _write_text(file: IO[bytes], text: str) -> None:
    file.write(text.encode())


def _write(path: Path, fill: Callable[[IO[bytes]], None]) -> None:
    try:
        with _appearing(path) as file:
            fill(file)
    except OSError as error:
        raise CxrError(f"{path}: cannot be written: {error.strerror or type(error).__name__}") from error


@contextmanager
def _appearing(path: Path) -> Iterator[IO[bytes]]:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _write_csv(file: IO[bytes], columns: Mapping[str, type], rows: _Cells, _: Mapping[str, Any]) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="")
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    for part in rows:
        writer.writerows(part)
    text.detach()


def _write_parquet(file: IO[bytes], columns: Mapping[str, type], rows: _Cells, about: Mapping[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()], {"cxr.model": json.dumps(about)})
    with pq.ParquetWriter(file, schema) as writer:
        for part in rows:
            writer.write_table(pa.Table.from_pylist(part, schema))


_TABLES: dict[str, _Table] = {".csv": _write_csv, ".parquet": _write_parquet}


def _write_json(file: IO[bytes], rows: Rows, columns: Columns, about: Mapping[str, Any]) -> None:
    """{"model": ..., "studies": [{..., "labels": ..., "files": [...]}, ...], "files_without_study": [...]}, a study a line."""
    text = io.TextIOWrapper(file, "utf-8", newline="")
    text.write('{"model": ' + json.dumps(about, indent=1) + ',\n"studies": [')
    separator, loose = "\n", "[]"
    studies = (study for part in rows.studies(_ROWS) for study in part)
    for number, of_study in rows.files_by_study():
        files = [_json_file(row, columns) for row in of_study]
        if number is None:
            loose = json.dumps(files)
            continue
        study = next(studies)
        (said,) = columns.say([study.combined])
        labels = None if said is None else _json_labels(said, columns)
        text.write(separator + json.dumps({**columns.study_about(study), "labels": labels, "files": files}))
        separator = ",\n"
    text.write(f'\n],\n"files_without_study": {loose}\n}}\n')
    text.detach()


def _json_file(row: FileRow, columns: Columns) -> dict[str, Any]:
    (said,) = columns.said_of_files([row])
    found: dict[str, Any] = columns.file_about(row)
    found["labels"] = None if said is None else _json_labels(said, columns)
    if columns.own_scores and row.own is not None:
        found["scores"] = dict(zip(columns.names, row.own.tolist(), strict=True))
    return found


def _json_labels(said: Mapping[str, Said], columns: Columns) -> dict[str, dict[str, Any]]:
    if columns.calibration is None:
        return {name: {"score": each.value} for name, each in said.items()}
    thresholds = columns.thresholds
    return {name: {"probability": each.value, "yes": each.yes, "threshold": thresholds[name]} for name, each in said.items()}
