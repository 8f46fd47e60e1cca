"""`cxr labels` as a user calls it: what a file means, what one set says of another, a table read without its images."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.ingest.deidentify import Pseudonyms, make_key
from cxr.ingest.table.layout import read_format
from cxr.ingest.table.listed import manifest_of_table
from cxr.ingest.table.read import read_table
from cxr.labels.label_set import read_label_set
from cxr.labels.shipped import SHIPPED
from cxr.manifest import read_manifest
from cxr.split.draw import folded_split
from cxr.split.official import OfficialNames, official_split, read_list
from cxr.split.people import people_of

HEADER = "StudyInstanceUID,Effusion,Mass"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a key, a label set and a table of a hospital's own, and no tracking server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    make_key(tmp_path / "key")
    (tmp_path / "set.yaml").write_text(
        "name: ward\nlabels:\n  - {name: Effusion, uncertain: positive}\n  - {name: Mass, blank: negative}\n"
    )
    (tmp_path / "table.csv").write_text(f"{HEADER}\n1.2.77.1,1,\n1.2.77.2,-1,0\n1.2.77.3,,1\n1.2.77.4,0,-1\n")
    return tmp_path


def _import(command, *more: object, table: str = "table.csv"):
    return command("labels", "import", table, "--format", "study", "--labels", "set.yaml", "--out", "out", *more)


def test_check_says_what_each_policy_does(here, command):
    told = command("labels", "check", "set.yaml").out
    assert "An uncertain cell of Effusion counts as positive" in told
    assert "An uncertain cell of Mass is left out" in told
    assert "A blank cell of Effusion is unknown" in told
    assert "A blank cell of Mass counts as negative" in told


def test_check_explains_a_shipped_layout_and_its_label_set(here, command):
    told = command("labels", "check", "padchest")
    assert told.code == 0
    assert "written like ['first', 'second']" in told.out
    assert "hemothorax" in told.out


def test_check_of_what_is_no_such_file_names_what_there_is(here, command):
    told = command("labels", "check", "padchset")
    assert told.code == 2
    assert "padchest" in told.err
    (here / "other.yaml").write_text("colour: blue\n")
    assert "neither a label set" in command("labels", "check", "other.yaml").err


def test_map_shows_what_is_the_same_and_what_stays_unknown(here, command):
    told = command("labels", "map", "nih14", "chexpert").out
    assert re.search(r"Pleural Effusion +the same as Effusion", told)
    assert re.search(r"Support Devices +unknown", told)


def test_a_table_of_ones_own_needs_a_key_and_leaves_no_identifier(here, command):
    refused = _import(command)
    assert refused.code == 2
    assert "--key" in refused.err
    done = _import(command, "--key", "key")
    assert done.code == 0, done.err
    for path in (here / "out").rglob("*"):
        assert not path.is_file() or b"1.2.77" not in path.read_bytes(), path
    assert "1.2.77" not in done.out + done.err


def test_uncertain_and_blank_cells_arrive_as_the_label_set_says(here, command):
    assert _import(command, "--key", "key").code == 0
    frame = read_manifest(here / "out/manifest.parquet").frame
    assert frame["Effusion"].tolist() == ["1", "uncertain", "unknown", "0"]
    assert frame["Mass"].tolist() == ["0", "0", "1", "uncertain"]
    assert (frame["shard"] == -1).all()


def test_the_manifest_remembers_the_table_and_a_changed_one_is_read_again(here, command):
    assert _import(command, "--key", "key").code == 0
    before = read_manifest(here / "out/manifest.parquet").origin
    assert set(before) == {"table_sha256", "label_set_sha256", "format_sha256"}
    assert "not run again" in _import(command, "--key", "key").out
    with (here / "table.csv").open("a") as table:
        table.write("1.2.77.5,1,1\n")
    again = _import(command, "--key", "key")
    assert "table changed" in again.out
    after = read_manifest(here / "out/manifest.parquet")
    assert len(after) == 5
    assert after.origin["table_sha256"] != before["table_sha256"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("1.2.77.5,2,0", "row 6: Effusion '2' is none of"),
        ("1.2.77.5,1", "row 6: 2 cells, but the table has 3 columns"),
        ("1.2.77.2,1,0", "row 6: StudyInstanceUID is the same as in row 3"),
        ("1.2.77.5,DOE^JANE,0", "row 6: Effusion (a text of 8 characters) is none of"),
    ],
)
def test_a_wrong_row_is_refused_by_its_number(here, command, row, told):
    with (here / "table.csv").open("a") as table:
        table.write(row + "\n")
    outcome = _import(command, "--key", "key")
    assert outcome.code == 2
    assert told in outcome.err
    assert "DOE" not in outcome.err


def test_a_misspelt_label_is_refused_with_the_right_one(here, command):
    (here / "table.csv").write_text("StudyInstanceUID,Efusion,Mass\n1.2.77.1,1,0\n")
    outcome = _import(command, "--key", "key")
    assert outcome.code == 2
    assert "label 'Effusion' has no column; did you mean Efusion?" in outcome.err


def test_the_audit_of_an_import_is_a_page_and_tables(here, command):
    assert _import(command, "--key", "key").code == 0
    counts = pd.read_csv(here / "out/labels/label_counts.csv").set_index("label")
    assert counts.loc["Effusion", ["positive", "negative", "uncertain", "blank"]].tolist() == [1, 1, 1, 1]
    assert "Effusion" in (here / "out/labels.html").read_text()


def test_all_112120_official_rows_are_imported_in_seconds_with_exact_counts(here, command, nih_folder):
    table = nih_folder / "Data_Entry_2017_v2020.csv.gz"
    start = time.perf_counter()
    done = command("labels", "import", table, "--format", "nih14", "--labels", "nih14", "--published", "--out", "out")
    took = time.perf_counter() - start
    assert done.code == 0, done.err
    manifest = read_manifest(here / "out/manifest.parquet")
    assert len(manifest) == 112_120
    assert manifest.frame["patient_id"].nunique() == 30_805
    truth = pd.read_csv(table)["Finding Labels"].str.get_dummies("|").sum()
    assert {name: int((manifest.frame[name] == "1").sum()) for name in manifest.label_names} == truth.drop(
        "No Finding"
    ).to_dict()
    record = json.loads((here / "out/stage.json").read_text())
    assert record["counts"]["rows_without_image"] == 0
    assert took < 30  # a busy machine; benchmarks/label_tables.py measures it


@pytest.fixture(scope="module")
def official_rows(nih_folder):
    """All official rows, as `cxr labels import` makes a manifest of them."""
    labels = read_label_set(SHIPPED / "nih14" / "labels.yaml")
    layout = read_format(SHIPPED / "nih14" / "table.yaml")
    table = read_table(nih_folder / "Data_Entry_2017_v2020.csv.gz", layout, labels)
    return manifest_of_table(table, labels, Pseudonyms("nih14", None))


def test_official_lists_give_86524_and_25596_images_and_no_patient_twice(official_rows, nih_folder):
    key_of = read_format(SHIPPED / "nih14" / "table.yaml").key_of
    lists = OfficialNames(*(read_list(nih_folder / f"{name}_list.txt", key_of) for name in ("train_val", "test")))
    frame = official_split(official_rows, people_of(official_rows), lists, 0.15, 1).frame
    test = frame["split"] == "test"
    assert ((~test).sum(), test.sum()) == (86_524, 25_596)
    assert not set(frame.loc[test, "patient_id"]) & set(frame.loc[~test, "patient_id"])


def test_five_folds_of_all_official_rows_have_each_label_alike(official_rows):
    start = time.perf_counter()
    folds = [
        folded_split(official_rows, people_of(official_rows), 5, fold, 0.15, 1).frame["split"] == "test" for fold in (0, 1)
    ]
    assert time.perf_counter() - start < 10
    positive = official_rows.label_codes() == 1
    shares = np.stack([positive[fold.to_numpy()].mean(axis=0) for fold in folds])
    apart = dict(zip(official_rows.label_names, np.ptp(shares, axis=0) / positive.mean(axis=0), strict=True))
    assert apart.pop("Hernia") < 0.1
    assert max(apart.values()) < 0.01
    assert not (folds[0] & folds[1]).any()


def test_a_wrong_table_does_not_cost_the_last_good_result(here, command):
    assert _import(command, "--key", "key").code == 0
    before = {path.name: path.read_bytes() for path in (here / "out").iterdir() if path.is_file()}
    with (here / "table.csv").open("a") as table:
        table.write("1.2.77.5,7,0\n")
    assert _import(command, "--key", "key").code == 2
    assert {path.name: path.read_bytes() for path in (here / "out").iterdir() if path.is_file()} == before


def test_a_file_of_the_users_own_in_the_folder_is_never_deleted(here, command):
    good = (here / "table.csv").read_text()
    with (here / "table.csv").open("a") as table:
        table.write("1.2.77.5,7,0\n")
    assert _import(command, "--key", "key").code == 2
    (here / "out/mended.csv").write_text(good)
    assert "lies in --out" in _import(command, "--key", "key", table="out/mended.csv").err
    (here / "table.csv").write_text(good)
    assert "holds 'mended.csv', which no stage wrote" in _import(command, "--key", "key").err
    assert (here / "out/mended.csv").read_text() == good


def test_rows_lead_from_an_image_of_the_audit_back_to_the_table(here, command):
    assert _import(command, "--key", "key").code == 0
    rows = pd.read_csv(here / "out/rows.csv").set_index("image_id")["table_row"]
    frame = read_manifest(here / "out/manifest.parquet").frame
    uncertain = frame.loc[frame["Effusion"] == "uncertain", "image_id"].item()
    assert rows[uncertain] == 3
