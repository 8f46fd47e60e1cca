"""The import of a table without its images: what it leaves behind, and what it refuses before anything is cleared."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from cxr.config import LabelsStage
from cxr.errors import ConfigError, DataError
from cxr.ingest.deidentify import Pseudonyms, make_key, read_key
from cxr.ingest.table import stage as stage_module
from cxr.ingest.table.stage import WRITES, check, run
from cxr.manifest import read_manifest
from cxr.stage import StageContext

BOXES = "scan,found,who\nDoe7.png,Mass,Doe\nb.png,None,Roe\nDoe7.png,Effusion,Doe\n\na.v1,Effusion,Poe\n"
LABELS = {"name": "two", "labels": [{"name": "Mass"}, {"name": "Effusion"}]}
LAYOUT = {
    "key": "scan", "patient": "who", "several_rows": "boxes",
    "findings": {"layout": "list", "column": "found", "none": ["None"]},
}  # fmt: skip


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., LabelsStage]:
    """Writes a table, its layout and its label set, and gives the import of it."""

    def prepare(text: str = BOXES, labels: object = LABELS, *, own: bool = False) -> LabelsStage:
        for name, content in (
            ("labels.yaml", yaml.safe_dump(labels)),
            ("layout.yaml", yaml.safe_dump(LAYOUT)),
            ("t.csv", text),
        ):
            (tmp_path / name).write_text(content)
        key = tmp_path / "key"
        if own and not key.exists():
            make_key(key)
        return LabelsStage(
            name="set", labels=tmp_path / "labels.yaml", table=tmp_path / "t.csv", format=tmp_path / "layout.yaml",
            published=not own, key_file=key if own else None,
        )  # fmt: skip

    return prepare


@pytest.fixture
def context(tmp_path, recording_run) -> StageContext:
    folder = tmp_path / "out"
    folder.mkdir()
    return StageContext(folder, {}, recording_run, lambda done, total, text="": None)


@pytest.mark.parametrize("own", [False, True])
def test_rows_lead_from_each_image_back_to_its_first_row_in_the_table(stage, context, own):
    config = stage(own=own)
    run(config, context)
    text = (context.folder / "rows.csv").read_text()
    rows = pd.read_csv(context.folder / "rows.csv")
    assert list(rows.columns) == ["table_row", "image_id"]
    frame = read_manifest(context.folder / "manifest.parquet").frame
    assert sorted(rows["image_id"]) == sorted(frame["image_id"])
    names = Pseudonyms("set", read_key(config.key_file) if config.key_file else None)
    written = {2: "Doe7", 3: "b", 6: "a.v1"}  # rows as a spreadsheet shows them; row 4 is another box of row 2
    listed = frame.set_index("image_id")["source_name"]
    found = {row: listed[image] for row, image in rows.itertuples(index=False)}
    assert found == {row: names.name("key", key) if own else key for row, key in written.items()}
    assert "Doe" not in text


def test_a_run_leaves_what_it_says_and_nothing_else(stage, context):
    run(stage(), context)
    assert sorted(path.name for path in context.folder.iterdir()) == sorted(WRITES)


def test_good_table_is_read_once_for_the_check_and_the_run(stage, context, monkeypatch):
    read, seen = stage_module.read_table, []
    monkeypatch.setattr(stage_module, "read_table", lambda *args, **keys: seen.append(1) or read(*args, **keys))
    config = stage()
    check(config)
    result = run(config, context)
    assert len(seen) == 1
    assert result.counts["images"] == 3


def test_table_that_changes_after_the_check_is_read_again(stage, context):
    config = stage()
    check(config)
    config.table.write_text(BOXES + "c,Mass,Poe\n")
    assert run(config, context).counts["images"] == 4
    config.table.write_text(BOXES + "c,Oops,Poe\n")
    status = config.table.stat()
    os.utime(config.table, ns=(status.st_atime_ns, status.st_mtime_ns + 1))  # where the clock of the disk is coarse
    with pytest.raises(DataError, match=r"row 7: found .* holds 'Oops'"):
        check(config)


@pytest.mark.parametrize(
    ("text", "labels", "error", "message"),
    [
        ("scan,found,who\na,Mass|Heart,p\n", LABELS, DataError, "row 2: found .* holds 'Heart'"),
        ("scan,who\na,p\n", LABELS, DataError, "column 'found' is missing"),
        (BOXES, LABELS | {"labels": [{"name": "view"}, {"name": "Mass"}, {"name": "Effusion"}]}, DataError, "label 'view'"),
        (BOXES, LABELS | {"labels": []}, ConfigError, "labels"),
    ],
)
def test_what_a_run_would_refuse_the_check_refuses_before_it(stage, text, labels, error, message):
    with pytest.raises(error, match=message):
        check(stage(text, labels))


def test_check_of_a_table_of_ones_own_quotes_no_cell(stage):
    with pytest.raises(DataError, match="row 2: found") as error:
        check(stage("scan,found,who\na,Doe,p\n", own=True))
    assert "Doe" not in str(error.value)
