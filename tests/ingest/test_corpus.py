"""Every malformed or odd file gets its documented outcome, alone and in a whole ingest, and nothing but an outcome."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid

from cxr.ingest.deidentify import make_key
from cxr.ingest.outcome import CODES, OUTCOMES, Refused, outcome_of
from cxr.ingest.read.dicom import read_dicom
from cxr.ingest.read.radiograph import Radiograph
from tests.ingest.corpus import CORPUS
from tests.ingest.corpus.dicom_file import clean_in
from tests.ingest.corpus.odd_file import OddFile
from tests.ingest.corpus.pictures import thorax

# codes that no DICOM file can get by itself in a worker's hands
NOT_OF_ONE_FILE = {
    "archive-damaged", "archive-unsafe", "archive-bomb", "missing", "not-fetched",  # what an archive, a medium or a PACS says
    "reader-died", "read-again", "too-slow", "too-much-memory",  # what became of the worker
    "duplicate", "duplicate-other-patient", "repeated",  # beside another file
    "not-labelled", "not-in-table", "row-shared", "row-without-file", "instance-shared",  # beside a table, or another file
    "not-read", "folder-unreadable",  # what became of the source
}  # fmt: skip
LONGEST = 5.0
"""Seconds, for the slowest file of the corpus on a busy machine; most take a hundredth."""
LONGEST_INGEST = 240.0
"""Seconds, after which an ingest of the corpus hangs."""
GIBIBYTE = 2**30
SYNTAXES = {
    "native": uid.ExplicitVRLittleEndian,
    "RLE": uid.RLELossless,
    "JPEG lossless": uid.JPEGLosslessSV1,
    "JPEG-LS": uid.JPEGLSLossless,
}

files = pytest.mark.parametrize("file", [pytest.param(file, id=file.name) for file in CORPUS])


def read(data: bytes) -> tuple[Radiograph | None, tuple[str, ...]]:
    try:
        radiograph = read_dicom(data)
    except Refused as refused:
        return None, (refused.code,)
    return radiograph, radiograph.codes


@files
def test_a_file_gets_exactly_its_documented_codes_in_time(file: OddFile) -> None:
    data = file.build()
    start = time.monotonic()
    radiograph, codes = read(data)
    assert time.monotonic() - start < LONGEST
    assert sorted(codes) == sorted(file.codes)
    assert outcome_of(codes) == file.outcome
    assert (radiograph is not None) == (file.outcome in ("accepted", "corrected", "flagged"))


@pytest.mark.parametrize("file", [pytest.param(file, id=file.name) for file in CORPUS if file.twin])
def test_an_odd_file_reads_as_the_picture_of_its_clean_twin(file: OddFile) -> None:
    assert file.twin is not None
    (odd, _), (clean, codes) = read(file.build()), read(file.twin())
    assert odd is not None
    assert clean is not None
    assert codes == ()
    assert odd.pixels.shape == clean.pixels.shape
    assert np.abs(odd.pixels.astype(int) - clean.pixels).max() <= 1
    assert np.ptp(clean.pixels.astype(int)) > 100


def test_the_corpus_has_a_file_for_every_code_that_a_file_can_have() -> None:
    assert {code for file in CORPUS for code in file.codes} == set(CODES) - NOT_OF_ONE_FILE


def test_the_corpus_is_documented() -> None:
    assert len(CORPUS) >= 75
    assert len({file.name for file in CORPUS}) == len(CORPUS)
    assert {file.outcome for file in CORPUS} == set(OUTCOMES) - {"duplicate"}
    assert all(len(file.note) > 5 and file.note.endswith(".") for file in CORPUS)
    assert all(outcome_of(file.codes) == file.outcome for file in CORPUS)


def test_a_file_of_the_corpus_is_the_same_each_time_and_unlike_every_other() -> None:
    contents = [file.build() for file in CORPUS]
    assert contents == [file.build() for file in CORPUS]
    assert len(set(contents)) == len(contents)


# the whole stage


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, subprocess.Popen[str], str, int]]:
    """The corpus, ingested by the command: source, result, process, what it wrote, and the peak of its memory in bytes."""
    folder = tmp_path_factory.mktemp("corpus")
    source, out, key = folder / "source", folder / "out", folder / "key"
    source.mkdir()
    for file in CORPUS:
        (source / f"{file.name}.dcm").write_bytes(file.build())
    make_key(key)
    command = [sys.executable, "-m", "cxr", "ingest", str(source), "--out", str(out), "--key", str(key)]
    command += ["ingest.file_seconds=20", "ingest.file_megabytes=512", "ingest.shard_files=16"]
    with (folder / "log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True, cwd=folder)
        peak = watch(process)
        log.seek(0)
        yield source, out, process, log.read(), peak


def watch(process: subprocess.Popen[str]) -> int:
    """The most that a process and all below it took together: the sum of resident sets, in which shared pages count twice."""
    peak = 0
    deadline = time.monotonic() + LONGEST_INGEST
    while process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
        peak = max(peak, sum(resident(each) for each in family(process.pid)))
        time.sleep(0.05)
    return peak


def family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def test_an_ingest_of_the_corpus_names_every_file_with_its_outcome(ingested) -> None:
    _, out, process, log, _ = ingested
    assert process.returncode == 0, log
    table = pd.read_csv(out / "files.csv", keep_default_na=False)
    documented = sorted(CORPUS, key=lambda file: f"{file.name}.dcm")
    assert table["number"].tolist() == list(range(1, len(CORPUS) + 1))
    told = [(f.name, r.outcome, sorted(r.codes.split())) for f, r in zip(documented, table.itertuples(), strict=True)]
    assert told == [(file.name, file.outcome, sorted(file.codes)) for file in documented]
    assert all(len(sentence) > 10 for sentence in table["sentence"])


def test_an_ingest_of_the_corpus_keeps_the_images_of_the_files_that_are_taken(ingested) -> None:
    _, out, *_ = ingested
    taken = sum(file.outcome in ("accepted", "corrected", "flagged") for file in CORPUS)
    assert len(pd.read_parquet(out / "manifest.parquet")) == taken


def test_an_ingest_of_the_corpus_takes_less_than_two_gibibytes(ingested) -> None:
    *_, peak = ingested
    assert 0 < peak < 2 * GIBIBYTE


def test_an_ingest_of_the_corpus_tells_nothing_of_its_files(ingested) -> None:
    _, out, _, log, _ = ingested
    texts = [log.encode(), *(path.read_bytes() for path in out.rglob("*") if path.is_file())]
    secrets = [
        b"patient-1",
        b"patient-2",
        b"To whom it may",
        b"sent by post",
        b"a comment",
        b"end of transfer",
        b"earlier film",
    ]
    secrets += [b"reference to", b"minutes of the meeting", b"MAKER 1.0", b"Traceback", b"1.2.3.4\0"]
    secrets += [file.name.encode() + b".dcm" for file in CORPUS]
    assert len(texts) > 5
    assert not [secret for secret in secrets for text in texts if secret in text]


# and whatever else happens to a file


@st.composite
def damage(draw: st.DrawFn) -> list[tuple[str, float, bytes]]:
    """What happens to a file, one after the other: kind, place as a share of its length, and bytes."""
    kinds = st.sampled_from(["flip", "flip", "insert", "cut", "remove"])
    return draw(st.lists(st.tuples(kinds, st.floats(0, 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))


def damaged(data: bytes, steps: list[tuple[str, float, bytes]]) -> bytes:
    for kind, place, content in steps:
        at = int(place * len(data))
        end = min(len(data), at + len(content))
        if kind == "flip":
            changed = bytes(old ^ (new or 1) for old, new in zip(data[at:end], content, strict=False))
            data = data[:at] + changed + data[end:]
        else:
            behind = {"insert": data[at:], "cut": b"", "remove": data[end:]}[kind]
            data = data[:at] + (content if kind == "insert" else b"") + behind
    return data


# the first kilobyte is header: half of the damage is aimed at it
@pytest.mark.parametrize("part", ["header", "anywhere"])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_of_a_damaged_file_comes_a_radiograph_or_a_refusal(syntax: str, part: str) -> None:
    whole = clean_in(SYNTAXES[syntax], thorax(0)[20:60, 10:50].copy())
    seen: set[str] = set()

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(steps=damage())
    def check(steps: list[tuple[str, float, bytes]]) -> None:
        cut = 1000 if part == "header" else len(whole)
        radiograph, codes = read(damaged(whole[:cut], steps) + whole[cut:])
        assert all(code in CODES for code in codes)
        assert radiograph is None or (radiograph.pixels.ndim == 2 and radiograph.pixels.dtype == np.uint8)
        seen.add(outcome_of(codes))

    check()
    assert "quarantined" in seen


def test_no_detail_of_a_refusal_quotes_the_file() -> None:
    allowed = re.compile(r"[\w\s.,;:/()+\-'=]*")
    details = {file.name: detail_of(file.build()) for file in CORPUS}
    assert sum(map(bool, details.values())) > 60
    assert not [name for name, detail in details.items() if not allowed.fullmatch(detail) or "patient-" in detail]


def detail_of(data: bytes) -> str:
    try:
        read_dicom(data)
    except Refused as refused:
        return refused.detail
    return ""
