"""A finished ingest, made up: its list of files, its manifest and its store."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.ingest.outcome import TAKEN, FileOutcome
from cxr.ingest.store import ImageStore, Preprocessing, describe_store, write_shard
from cxr.manifest import COLUMNS, Manifest, label_column

DECISIONS = {
    "syntax": "JPEG Lossless SV1",
    "bits": "12 of 16, high bit 11, unsigned",
    "modality": "identity",
    "voi": "window 1 of 2: 2048 / 4096 LINEAR",
    "polarity": "inverted: MONOCHROME1",
}


@dataclass(frozen=True)
class Ingest:
    """What the audit is given; `rows` are those of the label table without a file."""

    files: pd.DataFrame
    manifest: Manifest
    store: ImageStore


def _list_files(codes: Sequence[Sequence[str]], rows: int = 0) -> pd.DataFrame:
    """files.csv of files with these codes, and of rows of the label table without a file."""
    outcomes = [FileOutcome(number, f"f{number}", tuple(of)) for number, of in enumerate(codes, start=1)]
    outcomes += [FileOutcome(0, f"k{row}", ("row-without-file",), table_row=row + 2) for row in range(rows)]
    ids = [f"image-{o.number}" if o.outcome in TAKEN else "" for o in outcomes]
    columns = ["number", "file", "outcome", "codes", "sentence", "image_id", "table_row"]
    cells = [
        (o.number, o.file, o.outcome, " ".join(o.codes), o.sentence, image, o.table_row)
        for o, image in zip(outcomes, ids, strict=True)
    ]
    return pd.DataFrame(cells, columns=columns)


def _make_manifest(ids: Sequence[str], labels: Sequence[str] = (), **columns: object) -> Manifest:
    """A manifest of these images, all in shard 0; columns override the defaults."""
    count = len(ids)
    frame = pd.DataFrame({name: pd.Series(["x"] * count, dtype=object) for name in COLUMNS})
    frame["image_id"] = list(ids)
    frame["patient_id"] = [f"p{index // 3}" for index in range(count)]
    frame["study_id"] = [f"s{index // 2}" for index in range(count)]
    frame["decisions"] = json.dumps(DECISIONS)
    frame["view"], frame["sex"], frame["manufacturer"] = "PA", "F", "Maker"
    frame["age_years"] = np.linspace(0, 90, count)
    for name, values in {"shard": 0, "row": np.arange(count), "height": 2500, "width": 2048}.items():
        frame[name] = np.broadcast_to(np.asarray(values, np.int64), count)
    for name, values in columns.items():
        frame[name] = values
    for index, name in enumerate(labels):
        frame[name] = label_column((np.arange(count) + index) % 4)
    return Manifest(frame, tuple(labels))


@pytest.fixture(scope="session")
def list_files() -> Callable[..., pd.DataFrame]:
    """`list_files([(), ("inverted",)], rows=2)`: files.csv."""
    return _list_files


@pytest.fixture(scope="session")
def make_manifest() -> Callable[..., Manifest]:
    """`make_manifest(ids, labels, **columns)`: all images in shard 0."""
    return _make_manifest


@pytest.fixture
def ingest(tmp_path: Path) -> Callable[..., Ingest]:
    """Makes an ingest: `ingest([(), ("inverted",)], rows=2, labels=("Mass",), bits=16, **columns of the manifest)`."""

    def make(
        codes: Sequence[Sequence[str]],
        rows: int = 0,
        labels: Sequence[str] = (),
        bits: int = 8,
        size: int = 112,
        **columns: object,
    ) -> Ingest:
        files = _list_files(codes, rows)
        ids = files["image_id"][files["image_id"] != ""].tolist()
        folder = tmp_path / "store"
        folder.mkdir()
        preprocessing = Preprocessing(size, "pad", 1, 1, bits)
        white = (1 << bits) - 1
        images = [np.full((size, size), white * (index % 3) // 2, preprocessing.dtype) for index in range(len(ids))]
        describe_store(folder, preprocessing)
        write_shard(folder, 0, images, preprocessing)
        return Ingest(files, _make_manifest(ids, labels, **columns), ImageStore(folder))

    return make
