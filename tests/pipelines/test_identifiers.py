"""No identifier of a source is in anything that ingest writes or says: every byte of it is searched for every one of them."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from cxr.config import IngestStage
from cxr.config_sources import DicomwebSource
from cxr.fingerprint import config_digests
from cxr.ingest import shard as shard_module
from cxr.ingest.outcome import OUTCOMES
from cxr.ingest.shard import ShardTask
from cxr.ingest.source.folder import files_of


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


identifiers = _load(Path(__file__).parents[1] / "ingest" / "identifiers.py")

KEY = "5a" * 32  # the same in each run, lest a shifted date once in a while be another's
TABLE = ("--table", "labels.csv", "--format", "study")


@dataclass(frozen=True)
class Hospital:
    """A folder full of identifiers, and what an ingest of it needs beside it."""

    folder: Path
    expected: dict[str, str]
    search: Any

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def options(self) -> tuple[str, ...]:
        return ("--key", str(self.folder / "key"), "--labels", str(self.folder / "labels.yaml"))


@dataclass(frozen=True)
class Ended:
    code: int
    said: bytes


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    folder = tmp_path_factory.mktemp("hospital")
    (folder / "source").mkdir()
    expected = identifiers.write_folder(folder / "source")
    (folder / "key").write_text(KEY)
    (folder / "labels.yaml").write_text(yaml.safe_dump({"name": "two", "labels": [{"name": "Mass"}, {"name": "Effusion"}]}))
    return Hospital(folder, expected, identifiers.Search(identifiers.PLANTED))


def cxr(*arguments: object, folder: Path, **environment: str) -> Ended:
    """The real command in a process of its own, and all that it says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    command = [sys.executable, "-m", "cxr", *map(str, arguments)]
    ended = subprocess.run(command, cwd=folder, env=kept | environment, capture_output=True, check=False)
    return Ended(ended.returncode, ended.stdout + ended.stderr)


# the search itself


def test_there_are_more_than_54_identifiers_and_the_search_finds_each_in_the_source(hospital):
    texts = [identifier.text for identifier in identifiers.PLANTED.values()]
    assert len(set(texts)) == len(texts) > 54
    found = set().union(*hospital.search.in_folder(hospital.source).values())
    assert found == set(identifiers.PLANTED)


def _in_sqlite(path: Path, text: str) -> None:
    with sqlite3.connect(path) as store:
        store.execute("create table runs (params text)")
        store.execute("insert into runs values (?)", (f"patient {text}",))


def _in_page(path: Path, text: str) -> None:
    path.write_text(f'<img src="data:image/png;base64,{base64.b64encode(b"PNG" + text.encode("utf-16-le")).decode()}">')


WAYS: dict[str, Callable[[Path, str], object]] = {
    "a.csv": lambda path, text: path.write_text(f"1,{text.upper()},accepted"),
    "a.json": lambda path, text: path.write_bytes(f'["{text.lower()}"]'.encode("utf-16-be")),
    "a.npy": lambda path, text: np.save(path, np.frombuffer(text.encode(), np.uint8)),
    "a.parquet": lambda path, text: pd.DataFrame({"x": [f"_{text}_"] * 3}).to_parquet(path, compression="zstd"),
    "a.sqlite": _in_sqlite,
    "a.html": _in_page,
    "a.log": lambda path, text: path.write_text(base64.b64encode(f"by {text}!".encode()).decode()),
    "a.txt": lambda path, text: path.write_text(text.encode().hex().upper()),
    "b": lambda path, text: (path / text).mkdir(parents=True),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_search_finds_an_identifier_that_is_put_into_an_output(hospital, tmp_path, way):
    place = "PatientName"
    WAYS[way](tmp_path / way, identifiers.PLANTED[place].text)
    assert place in set().union(*hospital.search.in_folder(tmp_path).values())


@pytest.mark.parametrize("form", ["%Y%m%d", "%Y-%m-%d", "%d.%m.%Y"])
def test_the_search_finds_a_date_however_it_is_spelt(hospital, form):
    day = pd.Timestamp(identifiers.PLANTED["PatientBirthDate"].text)
    assert hospital.search.in_bytes(f"born {day.strftime(form)}".encode()) == {"PatientBirthDate"}


def test_the_search_finds_a_number_that_was_digested_without_a_key(hospital):
    text = identifiers.PLANTED["PatientID of file 1"].text
    assert hospital.search.in_bytes(hashlib.sha256(text.encode()).hexdigest().encode()) == {"PatientID of file 1"}


# runs that end well


@pytest.fixture(scope="module")
def plain(hospital: Hospital) -> Ended:
    """An ingest of the folder to `out`."""
    return cxr("ingest", hospital.source, "--out", "out", *TABLE, *hospital.options, folder=hospital.folder)


def test_every_file_has_the_fate_that_it_was_made_for(hospital, plain):
    assert plain.code == 0, plain.said.decode()
    files = pd.read_csv(hospital.folder / "out" / "files.csv", keep_default_na=False)
    assert set(files["outcome"]) == set(OUTCOMES)
    names = sorted(entry.name for entry in files_of(hospital.source, (), ("labels.csv",)).entries())
    codes = dict(zip(names, files["codes"].str.split(), strict=False))
    for name, code in hospital.expected.items():
        assert code in codes[name] if code else not set(codes[name]) - {"not-labelled"}, (name, code, codes[name])
    others = {code for name, found in codes.items() if name not in hospital.expected for code in found}
    assert others >= {"archive-damaged", "archive-unsafe", "missing", "dicomdir", "gzip", "unreadable"}


def test_no_identifier_is_in_what_ingest_writes_and_says(hospital, plain):
    assert hospital.search.in_bytes(plain.said) == set()
    assert hospital.search.in_folder(hospital.folder / "out") == {}


def test_no_identifier_is_in_the_store_of_mlflow(hospital, migrated_store, tmp_path):
    shutil.copy(migrated_store, tmp_path / "mlflow.db")
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}"}
    ended = cxr("ingest", hospital.source, "--out", "out", *TABLE, *hospital.options, folder=tmp_path, **store)
    assert ended.code == 0, ended.said.decode()
    assert list(tmp_path.rglob("audit_numbers.html"))[1:], "nothing was tracked"
    assert hospital.search.in_bytes(ended.said) == set()
    assert hospital.search.in_folder(tmp_path) == {}


def test_a_look_before_a_run_tells_no_identifier(hospital):
    ended = cxr("ingest", hospital.source, "--dry-run", *hospital.options[:2], folder=hospital.folder)
    assert ended.code == 0
    assert b"would be read" in ended.said
    assert hospital.search.in_bytes(ended.said) == set()


def test_copies_of_quarantined_files_are_the_only_place_with_identifiers(hospital, tmp_path):
    ended = cxr(
        "ingest", hospital.source, "--out", tmp_path / "out", *hospital.options, "ingest.keep_quarantined=true", folder=tmp_path
    )
    assert ended.code == 0, ended.said.decode()
    hits = hospital.search.in_folder(tmp_path / "out")
    assert hits
    assert all(name.startswith("out/quarantine/") for name in hits)
    names = "\n".join(path.name for path in (tmp_path / "out" / "quarantine").iterdir())
    assert hospital.search.in_bytes(names.encode()) == set()


@pytest.fixture
def pipeline(hospital: Hospital, workspace: Path) -> Path:
    """A pipeline of the folder, with an empty MLflow store in its workspace."""
    source = {
        "kind": "dicom", "name": "ward", "root": str(hospital.source), "table": "labels.csv", "format": "study",
        "key_file": str(hospital.folder / "key"),
    }  # fmt: skip
    definition = {
        "name": "hospital", "workspace": str(workspace), "labels": str(hospital.folder / "labels.yaml"), "source": source,
        "ingest": {"size": 32, "workers": 1, "shard_files": 10},
    }  # fmt: skip
    path = workspace.parent / "hospital.yaml"
    path.write_text(yaml.safe_dump(definition))
    return path


def test_no_identifier_is_in_the_workspace_of_a_pipeline(hospital, pipeline, workspace):
    for command in (("ingest", pipeline), ("ingest", pipeline, "--again"), ("status", pipeline)):
        ended = cxr(*command, folder=workspace)
        assert ended.code == 0, ended.said.decode()
        assert hospital.search.in_bytes(ended.said) == set()
    assert list((workspace / "mlartifacts").rglob("files.csv"))
    assert hospital.search.in_folder(workspace) == {}


def test_no_library_logs_or_warns_with_an_identifier(hospital, pipeline, workspace, command, caplog):
    loggers = [logging.getLogger(name) for name in ("", *logging.root.manager.loggerDict)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    caplog.handler.setLevel(logging.DEBUG)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            outcome = command("ingest", pipeline, "ingest.workers=0")
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    assert outcome.code == 0
    assert caplog.records
    said = [caplog.text, *(str(warning.message) for warning in warned), outcome.out, outcome.err]
    assert hospital.search.in_bytes("\n".join(said).encode()) == set()


# runs that end with an error


def _cell(text: str, place: str) -> str:
    return text.replace(",1,0", f",{identifiers.PLANTED[place].text},0", 1)


BAD_TABLES: dict[str, Callable[[str], str]] = {
    "a name in a finding": lambda text: _cell(text, "a name in the table"),
    "a number in a finding": lambda text: _cell(text, "StudyID"),
    "a row too long": lambda text: text.replace(",1,0", ",1,0,1", 1),
    "a row twice": lambda text: text + text.splitlines()[1] + "\n",
    "another encoding": lambda text: text.replace(",1,0", ",ä,0", 1),
    "no known study": lambda text: text.replace("1.2.276", "1.3.276"),
}


LIST = {"key": "StudyInstanceUID", "key_is": "StudyInstanceUID", "findings": {"layout": "list", "column": "Mass"}}


@pytest.mark.parametrize("layout", ["columns", "list"])
@pytest.mark.parametrize("fault", BAD_TABLES)
def test_an_error_in_the_table_quotes_no_cell(hospital, tmp_path, command, fault, layout):
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(next(hospital.source.glob("*/01 *.dcm")), source)
    text = BAD_TABLES[fault]((hospital.source / "labels.csv").read_text())
    (source / "labels.csv").write_text(text.replace(",1,0", ",Mass,0") if layout == "list" else text, encoding="latin-1")
    (tmp_path / "list.yaml").write_text(yaml.safe_dump(LIST))
    form = "study" if layout == "columns" else tmp_path / "list.yaml"
    out, table = tmp_path / "out", ("--table", "labels.csv", "--format", form)
    outcome = command("ingest", source, "--out", out, *table, *hospital.options, "ingest.workers=0")
    assert outcome.code == 2, outcome.out
    assert "labels.csv" in outcome.err
    assert hospital.search.in_bytes((outcome.out + outcome.err).encode()) == set()
    assert hospital.search.in_folder(out) == {}


def test_an_ingest_of_refused_files_alone_tells_why_without_an_identifier(hospital, pipeline, workspace, command):
    """In this process, since there are as many of them as files; each is the only one of its source."""
    refused = [name for name, code in hospital.expected.items() if code]
    for number, name in enumerate(refused):
        source = workspace.parent / f"source {number}"
        (source / name).parent.mkdir(parents=True)
        shutil.copy(hospital.source / name, source / name)
        shutil.copy(hospital.source / "labels.csv", source)
        outcome = command("ingest", pipeline, f"source.root={source}", "ingest.workers=0")
        assert outcome.code in (0, 2)
        assert "Traceback" not in outcome.err
        assert hospital.search.in_bytes((outcome.out + outcome.err).encode()) == set()
    assert hospital.search.in_folder(workspace) == {}


@pytest.mark.parametrize("error", [ZeroDivisionError, AssertionError, LookupError])
def test_a_fault_of_ours_is_told_by_its_place_and_not_by_its_text(hospital, pipeline, command, monkeypatch, error):
    text = identifiers.PLANTED["PatientName"].text

    def broken(*_: object) -> None:
        raise error(f"cannot read {text}")

    monkeypatch.setattr(shard_module, "read_dicom", broken)
    outcome = command("ingest", pipeline, "ingest.workers=0")
    assert outcome.code == 2
    assert error.__name__ in outcome.err
    assert hospital.search.in_bytes((outcome.out + outcome.err).encode()) == set()


# what other machines are told


def test_a_filter_on_the_patients_of_a_pacs_is_in_no_record(hospital):
    text = identifiers.PLANTED["PatientID of file 1"].text
    key = hospital.folder / "key"
    source = DicomwebSource(kind="dicomweb", url="https://pacs.example/dicom-web", query={"PatientID": text}, key_file=key)
    recorded = config_digests(IngestStage(name="ward", labels=None, source=source))
    assert hospital.search.in_bytes(str(recorded).encode()) == set()
    other = source.model_copy(update={"query": {"PatientID": "another"}})
    assert config_digests(IngestStage(name="ward", labels=None, source=other)) != recorded


def test_a_task_says_no_path_where_a_scheduler_logs_it(hospital):
    name = next(iter(hospital.expected))
    assert hospital.search.in_bytes(name.encode())
    assert hospital.search.in_bytes(repr(ShardTask(0, (name,), reading=None)).encode()) == set()
