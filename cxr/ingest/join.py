"""What the files told and what the label table says, brought together: the manifest, and what became of every file and row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cxr.ingest.deidentify import Pseudonyms
from cxr.ingest.outcome import TAKEN, FileOutcome, outcome_of
from cxr.ingest.shard import Record
from cxr.ingest.table.table import LabelTable
from cxr.labels.label_set import LabelSet
from cxr.labels.values import UNKNOWN, Codes
from cxr.manifest import COLUMNS, Manifest, labelled

Texts = pd.Series
_WHOLE = ("shard", "row", "height", "width")
_NUMBERS = (*_WHOLE, "age_years")
_TEXTS = ("file", "codes", "detail", "key", *(c for c in COLUMNS if c not in _NUMBERS))
_SCHEMA = pa.schema({"number": pa.int64(), **dict.fromkeys(_TEXTS, pa.large_string()), **dict.fromkeys(_NUMBERS, pa.float64())})


@dataclass(frozen=True)
class Joined:
    """The result of an ingest.

    Args:
        manifest: the images that are taken; may be empty.
        codes: int8 [images, labels], what the label table says of each: as in the manifest, or `BLANK`.
        files: files.csv: number, file, outcome, codes, sentence, image_id, table_row; see `cxr.ingest.outcome.FileOutcome`.
    """

    manifest: Manifest
    codes: Codes
    files: pd.DataFrame


def to_frame(shards: Iterable[Iterable[Record]], numbers: Mapping[str, int]) -> pd.DataFrame:
    """One row per file, in the order of the listing.

    Args:
        shards: the records of all files, in parts, so that never more than a part is held as objects.
        numbers: the place of each file in the listing, by its pseudonym.

    Returns:
        Columns number, file, codes (separated by spaces), detail, key, and the manifest's, empty where a file was refused.
    """
    frame: pd.DataFrame = pa.Table.from_batches((_part(records, numbers) for records in shards), _SCHEMA).to_pandas()
    # of a first run the shards stand in the order of the listing: no need for a second copy
    return frame if frame["number"].is_monotonic_increasing else frame.sort_values("number", ignore_index=True)


def _part(records: Iterable[Record], numbers: Mapping[str, int]) -> pa.RecordBatch:
    """The rows of some records, by `_SCHEMA`; null where a file was refused."""
    rows = [
        {"number": numbers[r.file], "file": r.file, "codes": " ".join(r.codes), "detail": r.detail, "key": r.key, **r.image}
        for r in records
    ]
    pool = pa.system_memory_pool()  # the default one takes half as much again for many short columns
    columns = [pa.array([row.get(field.name) for row in rows], field.type, memory_pool=pool) for field in _SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def join(
    frame: pd.DataFrame,
    table: LabelTable | None,
    labels: LabelSet | None,
    names: Pseudonyms,
    *,
    published: bool,
    row_of_study: bool = True,
) -> Joined:
    """Label the images, and decide which of them are taken.

    Args:
        frame: see `to_frame`.
        table: the label table, if there is one.
        labels: the label set; None where the manifest is to have no labels.
        names: the pseudonyms of the source.
        published: whether the table is the list of the images, and tells their patients.
        row_of_study: whether a row of the table stands for a study, and so for all of its images, and not for one image.
    """
    frame = frame.assign(place=_places(frame, table, names))
    if table is not None:
        frame = _with_context(frame, table, names)
    frame = _with_codes(frame, has_table=table is not None, published=published)
    frame = _add(frame, _shared(frame, frame["instance_uid"] != "", "instance_uid"), "instance-shared")
    if not row_of_study:
        frame = _add(frame, _shared(frame, frame["place"] >= 0, "place"), "row-shared")
    frame["outcome"] = _per_distinct(frame["codes"], lambda codes: outcome_of(tuple(codes.split())))
    taken = frame["outcome"].isin(TAKEN)
    codes = _codes(frame.loc[taken, "place"].to_numpy(), table, labels)
    files = _files(frame, table, names)
    return Joined(_manifest(frame, taken, codes, labels), codes, files)


def _places(frame: pd.DataFrame, table: LabelTable | None, names: Pseudonyms) -> npt.NDArray[np.int64]:
    """int64 [files]: the place of a file's row in the table, -1 for none."""
    if table is None:
        return np.full(len(frame), -1)
    places = {names.name("key", key): place for place, key in enumerate(table.images["key"])}
    return np.array([places.get(key, -1) if key else -1 for key in frame["key"]], np.int64)


def _with_context(frame: pd.DataFrame, table: LabelTable, names: Pseudonyms) -> pd.DataFrame:
    """The frame, with the context of the table's row where the file itself tells none."""
    frame = frame.copy()
    found = frame["image_id"].notna() & (frame["place"] >= 0)
    context = table.images.iloc[frame.loc[found, "place"]].set_axis(frame.index[found])

    def fill(column: str, empty: pd.Series[bool], values: Texts) -> None:
        frame.loc[found & empty, column] = values[empty[found]]

    patients = context["patient"]
    named = (patients != "").reindex(frame.index, fill_value=False)
    fill("patient_id", (frame["patient_id"] == "") & named, _per_distinct(patients, lambda text: names.name("patient", text)))
    # a table without study column: each image stands for a study of its own, as in ChestX-ray14
    studies = context["study"].where(context["study"] != "", frame.loc[found, "source_name"])
    fill("study_id", (frame["study_id"] == "") & named, _per_distinct(studies, lambda text: names.name("study", text)))
    fill("view", frame["view"] == "unknown", context["view"].astype(str))
    fill("sex", frame["sex"] == "unknown", context["sex"].astype(str))
    without_age = frame["age_years"].isna()
    fill("age_years", without_age, context["age_years"])
    frame = _add(frame, _spread(context["age_implausible"], frame) & without_age, "age-implausible")
    return _add(frame, _spread(~context["labelled"], frame), "not-labelled")


def _with_codes(frame: pd.DataFrame, *, has_table: bool, published: bool) -> pd.DataFrame:
    read = frame["image_id"].notna()
    if has_table:
        frame = _add(frame, read & (frame["place"] < 0), "not-in-table" if published else "not-labelled")
    known = (frame["view"] == "LATERAL") & ~frame["codes"].str.contains("lateral", regex=False)
    frame = _add(frame, read & known, "lateral")
    outcomes = _per_distinct(frame["codes"], lambda codes: outcome_of(tuple(codes.split())))
    fit = frame.loc[read & outcomes.isin(TAKEN), ["image_id", "patient_id", "pixel_sha256"]]
    # the first file with some pixels is taken; a published set may list one patient's pixels under two names
    again = fit["pixel_sha256"].duplicated()
    same = fit["patient_id"] == fit.groupby("pixel_sha256", sort=False)["patient_id"].transform("first")
    repeated = again & same & ~fit["image_id"].duplicated() & published
    frame = _add(frame, _spread(again & ~same, frame), "duplicate-other-patient")
    frame = _add(frame, _spread(repeated, frame), "repeated")
    return _add(frame, _spread(again & same & ~repeated, frame), "duplicate")


def _shared(frame: pd.DataFrame, told: pd.Series[bool], column: str) -> pd.Series[bool]:
    """Which of the images that are taken have something in common with another one that should be theirs alone."""
    outcomes = _per_distinct(frame["codes"], lambda codes: outcome_of(tuple(codes.split())))
    return _spread(frame.loc[outcomes.isin(TAKEN) & told, column].duplicated(keep=False), frame)


def _spread(flags: pd.Series[bool], frame: pd.DataFrame) -> pd.Series[bool]:
    return flags.reindex(frame.index, fill_value=False).astype(bool)


def _add(frame: pd.DataFrame, where: pd.Series[bool], code: str) -> pd.DataFrame:
    """The frame, with a code added to some rows."""
    codes = frame["codes"].where(~where, (frame["codes"] + " " + code).str.strip())
    return frame.assign(codes=codes)


def _per_distinct(texts: Texts, function: Callable[[str], str]) -> Texts:
    """A function of each text, called once for each distinct one."""
    return texts.map({text: function(text) for text in texts.unique()}).astype(str)


def _codes(places: npt.NDArray[np.int64], table: LabelTable | None, labels: LabelSet | None) -> Codes:
    """What the table says of the images that are taken; an image without a row is unknown, whatever blank cells mean.

    Args:
        places: int64 [images], see `_places`.
        table, labels: see `join`.
    """
    codes = np.full((len(places), len(labels.names) if labels else 0), UNKNOWN, np.int8)
    if table is not None:
        codes[places >= 0] = table.codes[places[places >= 0]]
    return codes


def _manifest(frame: pd.DataFrame, taken: pd.Series[bool], codes: Codes, labels: LabelSet | None) -> Manifest:
    """The manifest of the images that are taken; its columns leave the frame one by one, so that no two copies are held."""
    everything = bool(taken.all())
    columns = {name: frame.pop(name) if everything else frame.pop(name)[taken] for name in COLUMNS}
    manifest = pd.DataFrame(columns).reset_index(drop=True).astype(dict.fromkeys(_WHOLE, np.int64)).assign(alike="")
    return labelled(manifest, labels.settle(codes), labels.names) if labels else Manifest(manifest, ())


def _files(frame: pd.DataFrame, table: LabelTable | None, names: Pseudonyms) -> pd.DataFrame:
    rows = np.zeros(len(frame), np.int64)
    if table is not None and len(table):
        spreadsheet = table.images["row"].to_numpy(np.int64)
        rows = np.where(frame["place"] >= 0, spreadsheet[np.maximum(frame["place"].to_numpy(), 0)], 0)
    files = frame[["number", "file", "outcome", "codes"]].assign(
        sentence=_sentences(frame),
        image_id=frame["image_id"].where(frame["outcome"].isin(TAKEN), "").astype(str),
        table_row=rows,
    )
    return files if table is None else pd.concat([files, _rows_left(frame, table, names)], ignore_index=True)


def _sentences(frame: pd.DataFrame) -> Texts:
    """The sentence of each file, made once for each distinct pair of codes and detail."""
    pairs = frame[["codes", "detail"]]
    which = pairs.groupby(["codes", "detail"], sort=False).ngroup()
    distinct = pairs.drop_duplicates().itertuples(index=False)
    texts = [FileOutcome(0, "", tuple(codes.split()), detail).sentence for codes, detail in distinct]
    return pd.Series(texts, dtype="str").take(which.to_numpy()).set_axis(frame.index)


def _rows_left(frame: pd.DataFrame, table: LabelTable, names: Pseudonyms) -> pd.DataFrame:
    """A row for each row of the table for which no readable file was found."""
    left = np.setdiff1d(np.arange(len(table)), frame.loc[frame["image_id"].notna(), "place"])
    outcome = FileOutcome(0, "", ("row-without-file",))
    return pd.DataFrame(
        {
            "number": 0,
            "file": [names.name("key", key) for key in table.images["key"].iloc[left]],
            "outcome": outcome.outcome,
            "codes": "row-without-file",
            "sentence": outcome.sentence,
            "image_id": "",
            "table_row": table.images["row"].to_numpy(np.int64)[left],
        }
    )
