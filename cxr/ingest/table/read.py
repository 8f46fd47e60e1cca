"""Reading a label table: from its files to what is said of each image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cxr.errors import ConfigError, DataError
from cxr.fingerprint import digest_file
from cxr.ingest.table.context import context_of
from cxr.ingest.table.csvfile import Batch, CsvFile
from cxr.ingest.table.findings import FindingsReader, findings_reader
from cxr.ingest.table.layout import TableFormat
from cxr.ingest.table.refuse import listed, refuse
from cxr.ingest.table.rows import Agreement, merge_boxes, merge_readers, refuse_repeats
from cxr.ingest.table.table import LabelTable, TableNotes
from cxr.labels.label_set import LabelSet
from cxr.labels.values import UNKNOWN, Codes


def read_table(
    path: Path, layout: TableFormat, labels: LabelSet, *, images: Path | None = None, published: bool = True
) -> LabelTable:
    """Read a label table.

    Args:
        path: the file.
        layout: how it is laid out.
        labels: what it may say.
        images: the table of the images, where the layout asks for a second one.
        published: whether a message may quote what a cell says; in a hospital's own table it may name a patient.

    Raises:
        DataError: a column is missing, a key stands twice, or a cell means nothing; names row and column.
        ConfigError: the layout asks for a second table, or for none, and there is none, or one.
    """
    if (images is not None) != bool(layout.images_on):
        needed = "needs a table of the images beside the label table" if layout.images_on else "knows no second table"
        raise ConfigError(f"image_table: the layout {needed}")
    table = CsvFile(path)
    reader = findings_reader(table, labels, layout.findings, published=published)
    if images is None:
        return _one_table(table, reader, layout, labels)
    return _two_tables(table, CsvFile(images), reader, layout, labels)


def _one_table(table: CsvFile, reader: FindingsReader, layout: TableFormat, labels: LabelSet) -> LabelTable:
    own = tuple(filter(None, (layout.key, *layout.context_columns, layout.reader)))
    table.require(own)
    used = tuple(dict.fromkeys((*own, *reader.columns)))
    contexts, codes, readers = [], [], []
    for batch in table.batches(used):
        contexts.append(_context(table.path, batch, layout))
        codes.append(reader.codes(batch))
        readers += batch.columns[layout.reader] if layout.reader else []
    context = pd.concat(contexts, ignore_index=True)
    images, said, agreement = _per_image(table.path, context, np.concatenate(codes), readers, layout, labels)
    notes = TableNotes((), _others(reader), table.left(used), agreement)
    return LabelTable(images.assign(labelled=True), said, {"table": digest_file(table.path)}, notes)


def _two_tables(table: CsvFile, images: CsvFile, reader: FindingsReader, layout: TableFormat, labels: LabelSet) -> LabelTable:
    images.require((layout.key, *layout.context_columns, *layout.images_on))
    table.require(layout.images_on)
    contexts, wanted = [], []
    for batch in images.batches(tuple(dict.fromkeys((layout.key, *layout.context_columns, *layout.images_on)))):
        contexts.append(_context(images.path, batch, layout))
        wanted += _joined(batch, layout.images_on)
    context = pd.concat(contexts, ignore_index=True)
    refuse_repeats(images.path, context["key"], context["row"].to_numpy(), layout.key)
    codes, had, rows = [], [], []
    used = tuple(dict.fromkeys((*layout.images_on, *reader.columns)))
    for batch in table.batches(used):
        codes.append(reader.codes(batch))
        had += _joined(batch, layout.images_on)
        rows += batch.rows
    keys = pd.Series(had, dtype="str")
    refuse_repeats(table.path, keys, np.array(rows), " and ".join(layout.images_on))
    places = pd.Index(keys).get_indexer(pd.Index(wanted, dtype="str"))
    said = np.where((places >= 0)[:, None], np.concatenate(codes)[places], np.int8(UNKNOWN))
    without = tuple(rows[place] for place in np.setdiff1d(np.arange(len(keys)), places).tolist())
    digests = {"table": digest_file(table.path), "images": digest_file(images.path)}
    notes = TableNotes(without, _others(reader), table.left(used))
    return LabelTable(context.assign(labelled=places >= 0), said, digests, notes)


def _others(reader: FindingsReader) -> dict[str, int]:
    return dict(reader.others.most_common())


def _joined(batch: Batch, columns: tuple[str, ...]) -> list[str]:
    """The cells that bring two tables together, as one text a row; empty where one of them is."""
    cells = zip(*(batch.columns[column] for column in columns), strict=True)
    return ["\0".join(row) if all(row) else "" for row in cells]


def _context(path: Path, batch: Batch, layout: TableFormat) -> pd.DataFrame:
    context = context_of(batch, layout)
    if layout.patient and (context["patient"] == "").any():
        place = int((context["patient"] == "").argmax())
        refuse(path, batch.rows[place], layout.patient, batch.columns[layout.patient][place], "names no patient")
    return context


def _per_image(
    path: Path, context: pd.DataFrame, codes: Codes, readers: list[str], layout: TableFormat, labels: LabelSet
) -> tuple[pd.DataFrame, Codes, tuple[Agreement, ...]]:
    """One row per image, of a table that may have one per box or per reader."""
    rows, keys = context["row"].to_numpy(np.int64), context["key"]
    if layout.several_rows == "refuse" and layout.reader is None:
        refuse_repeats(path, keys, rows, layout.key)
        return context, codes, ()
    if (keys == "").any():
        raise DataError(f"{path}: row {rows[int((keys == '').argmax())]}: {layout.key} names no image")
    _refuse_two_patients(path, context)
    read_by = keys + "\0" + pd.Series(readers, dtype="str") if readers else keys
    if layout.several_rows == "boxes":
        groups = pd.factorize(read_by)[0]
        codes = merge_boxes(path, groups, rows, codes, labels.names)
        keys = keys[~read_by.duplicated()]
    else:
        refuse_repeats(path, read_by, rows, f"{layout.key} with {layout.reader}")
    agreement: tuple[Agreement, ...] = ()
    if readers:
        codes, agreement = merge_readers(pd.factorize(keys)[0], codes, labels, layout)
    return context[~context["key"].duplicated()].reset_index(drop=True), codes, agreement


def _refuse_two_patients(path: Path, context: pd.DataFrame) -> None:
    """An image is of one patient: rows that say otherwise are of two images, and would be made one."""
    first = context.groupby("key", sort=False)["patient"].transform("first")
    other = context["patient"] != first
    if other.any():
        place = int(other.to_numpy().argmax())
        same = context.loc[context["key"] == context["key"].iloc[place], "row"].tolist()
        raise DataError(f"{path}: {listed(same)}: one image, but more than one patient")
