"""The published tables, generated in their exact headers: uncertain and blank stay apart from the cell to the manifest."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest

from cxr.ingest.deidentify import Pseudonyms
from cxr.ingest.join import join, to_frame
from cxr.ingest.shard import Record
from cxr.ingest.table import csvfile
from cxr.ingest.table.layout import TableFormat, read_format
from cxr.ingest.table.read import read_table
from cxr.ingest.table.table import LabelTable
from cxr.labels.label_set import LabelSet, read_label_set
from cxr.labels.shipped import SHIPPED, find_format, shipped_formats
from cxr.manifest import read_manifest
from tests.published import BLANK, PUBLISHED, UNKNOWN, UNSURE, Planned, Published

NAMES = Pseudonyms("set", bytes(range(32)))
WRITTEN = {0: "0", 1: "1", 2: "uncertain", 3: "unknown"}
UNCERTAIN_SETS = ("CheXpert", "MIMIC-CXR", "MIMIC-CXR test", "plain", "study")


def layout_of(published: Published) -> TableFormat:
    return read_format(find_format(published.layout, Path()))


def labels_of(published: Published) -> LabelSet:
    return read_label_set(SHIPPED / published.labels / "labels.yaml")


def written(published: Published, folder: Path, shuffle: Random | None) -> tuple[LabelTable, dict[str, int], dict[str, int]]:
    """The table, read, and the first row of each owner in the label table and in the table of images."""
    rows = published.table.write(folder, shuffle)
    images = published.images.write(folder, shuffle) if published.images else {}
    image_table = folder / published.images.file if published.images else None
    return (
        read_table(folder / published.table.file, layout_of(published), labels_of(published), images=image_table),
        rows,
        images,
    )


@pytest.fixture(params=PUBLISHED)
def name(request) -> str:
    return request.param


@pytest.mark.parametrize("order", ["as published", 1, 2])
def test_every_cell_of_a_published_table_says_what_it_was_written_to_say(name, order, tmp_path):
    published = PUBLISHED[name](Random(f"{name} {order}"))
    table, rows, image_rows = written(published, tmp_path, None if order == "as published" else Random(order))
    labels = labels_of(published)
    assert table.codes.dtype == np.int8
    assert table.codes.shape == (len(published.planned), len(labels.names))
    found = {key: place for place, key in enumerate(table.images["key"])}
    assert found.keys() == {planned.key for planned in published.planned}
    for planned in published.planned:
        place = found[planned.key]
        said = dict(zip(labels.names, table.codes[place].tolist(), strict=True))
        assert said == {label: planned.code(label) for label in labels.names}
        row = table.images.iloc[place]
        told = (row["patient"], row["study"], row["view"], row["sex"], row["age_implausible"], row["labelled"])
        assert told == (planned.patient, planned.study, planned.view, planned.sex, planned.implausible, planned.labelled)
        assert row["age_years"] == planned.age or (planned.age is None and np.isnan(row["age_years"]))
        assert row["row"] == (image_rows or rows)[planned.key]
    assert table.notes.without_image == tuple(sorted(rows[owner] for owner in published.without_image))
    assert table.notes.others == published.others


def test_generated_table_has_the_published_header_and_is_compressed_where_that_is(name, tmp_path):
    published = PUBLISHED[name](Random(0))
    for table in filter(None, (published.table, published.images)):
        table.write(tmp_path)
        raw = (tmp_path / table.file).read_bytes()
        assert raw.startswith(b"\x1f\x8b") == table.file.endswith(".gz")
        if not table.file.endswith(".gz"):
            assert raw.decode().splitlines()[0] == table.header
        columns = set(next(csv.reader([table.header])))
        assert all(cells.keys() <= columns for _, cells in table.rows)


def test_no_label_of_the_plan_is_missing_from_the_label_set(name):
    published = PUBLISHED[name](Random(0))
    named = {label for planned in published.planned for label in planned.said}
    assert named <= set(labels_of(published).names)


def test_every_shipped_layout_of_a_published_data_set_is_tested():
    layouts = {PUBLISHED[name](Random(0)).layout for name in PUBLISHED}
    assert layouts == set(shipped_formats()) - {"phantom"}  # the phantom's own tests read its table


@pytest.mark.parametrize("size", [1, 7])
def test_batches_change_nothing(name, size, tmp_path, monkeypatch):
    published = PUBLISHED[name](Random(3))
    whole, _, _ = written(published, tmp_path, None)
    monkeypatch.setattr(csvfile, "BATCH", size)
    parts, _, _ = written(published, tmp_path, None)
    assert parts.images.equals(whole.images)
    assert (parts.codes == whole.codes).all()
    assert repr(parts.notes) == repr(whole.notes)  # kappa may be NaN, which is not equal to itself


def record_of(planned: Planned, number: int) -> Record:
    """A file of the image; where the table tells no patient, the file does."""
    told = bool(planned.patient)
    own = {
        "image_id": f"i{number}", "patient_id": "" if told else "set:p", "study_id": "" if told else "set:s", "source": "set",
        "source_name": planned.key, "pixel_sha256": f"{number}", "decisions": "{}", "height": 9, "width": 8, "shard": 0,
        "row": number, "view": "unknown", "sex": "unknown", "age_years": None, "study_uid": "", "instance_uid": "",
        "study_date": "", "source_sha256": "", "perceptual_hash": "", "manufacturer": "",
    }  # fmt: skip
    return Record(planned.key, (), "", NAMES.name("key", planned.key), own)


def manifest_of(published: Published, folder: Path):
    """The manifest of one file per image, written and read back, by the name of the file."""
    table, _, _ = written(published, folder, Random(5))
    records = [record_of(planned, number) for number, planned in enumerate(published.planned)]
    frame = to_frame([records], {record.file: number for number, record in enumerate(records, start=1)})
    joined = join(frame, table, labels_of(published), NAMES, published=True, row_of_study=layout_of(published).of_study)
    assert joined.codes.shape == (len(joined.manifest), len(labels_of(published).names))
    joined.manifest.write(folder / "manifest.parquet")
    manifest = read_manifest(folder / "manifest.parquet")
    return manifest.frame.set_index("source_name"), joined


def test_manifest_on_disk_keeps_uncertain_and_blank_apart_to_the_last_column(name, tmp_path):
    published, counted = PUBLISHED[name](Random(8)), Counter()
    frame, joined = manifest_of(published, tmp_path)
    kept = [planned for planned in published.planned if planned.view != "LATERAL"]
    assert sorted(frame.index) == sorted(planned.key for planned in kept)
    names = labels_of(published).names
    assert list(frame.columns[-len(names) :]) == list(names)
    for planned in kept:
        row = frame.loc[planned.key]
        expected = {label: published.blank if (code := planned.code(label)) == BLANK else WRITTEN[code] for label in names}
        assert {label: row[label] for label in names} == expected
        counted[expected[names[-1]]] += 1
        assert (row["view"], row["sex"]) == (planned.view, planned.sex)
        assert row["age_years"] == planned.age or (planned.age is None and np.isnan(row["age_years"]))
        assert row["patient_id"] == (NAMES.name("patient", planned.patient) if planned.patient else "set:p")
    if name in UNCERTAIN_SETS:
        assert min(counted[value] for value in ("0", "1", "uncertain", "unknown")) > 0
    by_name = dict(zip(joined.manifest.frame["source_name"], joined.codes.tolist(), strict=True))
    assert by_name == {planned.key: [planned.code(label) for label in names] for planned in kept}


def test_image_without_a_row_is_unknown_whatever_blank_means(tmp_path):
    """P4: what nobody looked for was not found absent."""
    published = PUBLISHED["OpenI"](Random(0))
    frame, joined = manifest_of(published, tmp_path)
    assert published.blank == "0"
    (unlabelled,) = (planned for planned in published.planned if not planned.labelled)
    assert set(frame.loc[unlabelled.key, list(labels_of(published).names)]) == {"unknown"}
    assert joined.files.set_index("file").loc[unlabelled.key, "codes"] == "not-labelled"


def test_uncertain_and_blank_of_every_label_are_both_drawn():
    """Else the tests above would guard nothing."""
    for name in UNCERTAIN_SETS:
        published = PUBLISHED[name](Random(8))
        drawn = Counter((label, code) for planned in published.planned for label, code in planned.said.items())
        for label in labels_of(published).names:
            assert drawn[label, UNSURE] > 0, (name, label)
            assert drawn[label, BLANK] > 0, (name, label)
    for name in ("PadChest", "OpenI"):
        assert {planned.rest for planned in PUBLISHED[name](Random(8)).planned} == {0, BLANK, UNKNOWN}
