"""A look before a run says what the headers say, of long and of packed headers too, and writes nothing."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from pydicom import uid

from cxr.config_sources import DicomSource
from cxr.errors import DataError
from cxr.ingest import dry_run
from cxr.ingest.deidentify import make_key
from cxr.ingest.dry_run import forecast

WORDS = np.random.default_rng(0).integers(0, 65536, (300, 300), np.uint16)


@pytest.fixture
def source(tmp_path):
    """An empty folder as a source."""
    (tmp_path / "ward").mkdir()
    make_key(tmp_path / "key")
    return DicomSource.model_validate({"kind": "dicom", "root": str(tmp_path / "ward"), "key_file": str(tmp_path / "key")})


def look(source: DicomSource, *, secondary_capture: bool = False) -> dict[str, tuple[int, ...]]:
    """The numbers of the first files of each kind, by their codes."""
    seen = []
    rows = forecast(source, None, lambda done, total, text="": seen.append((done, total)), secondary_capture=secondary_capture)
    assert sum(row.count for row in rows) == len(seen) == seen[-1][1]
    return {row.code: row.examples for row in rows}


def test_files_are_told_apart_by_their_headers(source, build, write):
    for number, attributes in enumerate(({}, {"ViewPosition": "LL"}, {"Modality": "CT"}, {"ViewPosition": ""}, {}), start=1):
        write(build(WORDS, **attributes), source.root / f"{number}.dcm")
    write(b"DOE^JANE", source.root / "6.txt")
    assert look(source) == {"": (1, 5), "lateral": (2,), "modality": (3,), "view-unknown": (4,), "unreadable": (6,)}


def test_rows_come_in_the_order_of_outcomes_and_say_what_they_mean(source, build, write):
    for number, attributes in enumerate(({"Modality": "CT"}, {"ViewPosition": ""}, {}), start=1):
        write(build(WORDS, **attributes), source.root / f"{number}.dcm")
    rows = forecast(source, None, lambda *_: None, secondary_capture=False)
    assert [(row.outcome, row.taken) for row in rows] == [("accepted", True), ("flagged", True), ("skipped", False)]
    assert rows[2].meaning == "the modality is neither CR nor DX"
    assert all(row.meaning for row in rows)


def test_few_examples_stand_for_many(source, build, write):
    for number in range(9):
        write(build(WORDS[:9, :9], ViewPosition="LL"), source.root / f"{number}.dcm")
    assert look(source) == {"lateral": (1, 2, 3)}


@pytest.mark.parametrize("comment", [60_000, 64_000, 70_000, 200_000])
def test_header_longer_than_the_first_look_is_read_to_its_end(source, build, write, comment):
    header = build(WORDS, ImageComments="x")
    header.add_new(0x00191010, "UN", bytes(comment))
    write(header, source.root / "1.dcm")
    assert look(source) == {"": (1,)}


def test_first_look_that_ends_between_two_elements_is_not_taken_for_a_file_without_pixels(source, build, write, monkeypatch):
    data = write(build(WORDS), source.root / "1.dcm").read_bytes()
    monkeypatch.setattr(dry_run, "_HEAD", data.index(b"\xe0\x7f\x10\x00"))
    assert look(source) == {"": (1,)}


def test_packed_files_are_looked_into(source, build, write):
    write(gzip.compress(write(build(WORDS)).read_bytes()), source.root / "1.dcm.gz")
    write(build(WORDS, uid.DeflatedExplicitVRLittleEndian), source.root / "2.dcm")
    assert look(source) == {"gzip": (1,), "": (2,)}


def test_secondary_captures_are_judged_as_configured(source, build, write):
    write(build(WORDS, SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="OT"), source.root / "1.dcm")
    assert look(source) == {"modality": (1,)}
    assert look(source, secondary_capture=True) == {"secondary-capture": (1,)}


def test_source_that_is_gone_is_an_error(source):
    source.root.rmdir()
    with pytest.raises(DataError, match="there is no"):
        forecast(source, None, lambda *_: None, secondary_capture=False)
