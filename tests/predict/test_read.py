"""Reading a file to be scored: the image that ingest stores, or the code that ingest gives."""

from __future__ import annotations

import os

import numpy as np
import pytest

from cxr.ingest.deidentify import Pseudonyms
from cxr.ingest.outcome import Refused
from cxr.ingest.read.dicom import ReadOptions
from cxr.ingest.shard import Reading, ShardTask, process_shard, read_records, record_path
from cxr.ingest.source.folder import FolderFiles
from cxr.ingest.store import ImageStore, Preprocessing, describe_store
from cxr.model.card import read_card
from cxr.predict import read
from cxr.predict.read import preprocessing_of, read_picture
from tests.serve.models import chest, write_model

PREPROCESSING = Preprocessing(48, "crop", 1, 1)


def ingested(folder, names):
    """What ingest keeps of files: its images, and its codes."""
    store = folder / "store"
    store.mkdir()
    describe_store(store, PREPROCESSING)
    reading = Reading(
        files=FolderFiles(folder / "in"), kind="dicom", pseudonyms=Pseudonyms("ward", bytes(32)), layout=None,
        options=ReadOptions(), preprocessing=PREPROCESSING, store=store, records=store,
    )  # fmt: skip
    process_shard(ShardTask(0, tuple(names), reading), lambda *_, **__: None)
    records = list(read_records(record_path(store, 0)))
    rows = np.array([record.image["row"] for record in records if record.image])
    return ImageStore(store).gather8(np.zeros(len(rows), np.int64), rows), [record.codes for record in records]


def test_images_and_codes_are_those_of_ingest_to_the_bit(tmp_path):
    files = {f"{patient}.dcm": chest(patient) for patient in range(8)}
    files |= {"lateral.dcm": chest(0, ViewPosition="LL"), "letter.txt": b"a letter", "nothing.dcm": b""}
    files |= {
        "hand.dcm": chest(1, BodyPartExamined="HAND"),
        "cut.dcm": chest(2)[:-900],
        "unknown.dcm": chest(2, BodyPartExamined="", StudyDescription=""),
    }
    (tmp_path / "in").mkdir()
    for name, data in files.items():
        (tmp_path / "in" / name).write_bytes(data)
    images, codes = ingested(tmp_path, files)
    found, own = [], []
    for name in files:
        try:
            picture = read_picture(tmp_path / "in" / name, PREPROCESSING)
            found.append(picture.image)
            own.append(picture.origin.codes)
        except Refused as refused:
            own.append((refused.code,))
    assert own == codes
    assert {"lateral", "unreadable", "empty", "not-chest", "body-part-unknown", "inverted"} <= {
        code for each in own for code in each
    }
    assert np.array_equal(np.stack(found), images)


def test_content_and_place_of_a_file_give_the_same(tmp_path):
    (tmp_path / "x.dcm").write_bytes(chest(3))
    one, other = (read_picture(file, PREPROCESSING) for file in (chest(3), tmp_path / "x.dcm"))
    assert np.array_equal(one.image, other.image)
    assert one.origin == other.origin


def test_what_cannot_be_had_is_refused_without_its_path(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(read, "LARGEST_FILE", 1000)
    (tmp_path / "large").write_bytes(bytes(1001))
    cases = {
        tmp_path / "smith.dcm": ("not-read", "No such file or directory"),
        tmp_path / "pipe": ("not-read", "it is no file"),
        tmp_path: ("not-read", "it is no file"),
        tmp_path / "large": ("too-large", "1001 bytes"),
        bytes(1001): ("too-large", "1001 bytes"),
        Refused("missing", "x"): ("missing", "x"),
    }
    for file, expected in cases.items():
        with pytest.raises(Refused) as refused:
            read_picture(file, PREPROCESSING)
        assert (refused.value.code, refused.value.detail) == expected


def test_the_preprocessing_is_the_models(tmp_path):
    made = preprocessing_of(read_card(write_model(tmp_path / "m.safetensors")))
    assert (made.size, made.fit, made.bits) == (32, "pad", 8)
