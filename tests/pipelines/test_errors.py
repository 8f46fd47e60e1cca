"""What a user sees who got something wrong: one clear line, exit code 2, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml


def one_line(outcome, *parts):
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    lines = outcome.err.strip().splitlines()
    assert len(lines) == 1, outcome.err
    for part in parts:
        assert part in lines[0]


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("train.epoch=3", ("command line", "train.epoch", "did you mean train.epochs?")),
        ("trian.epochs=3", ("command line", "trian", "did you mean train")),
        ("train.epochs=many", ("command line", "train.epochs", "integer", "many")),
        ("source.root=dat", ("command line", "source.root", "no such folder")),
        ("source.kind=image", ("source.kind", "did you mean images?")),
        ("labels=nih41", ("labels", "nih41", "nih14")),
        ("epochs", ("'epochs'", "key=value")),
        ("source.table=Data*.xlsx", ("source.table", "no such file")),
        ("source.official.test=test_lists.txt", ("source.official", "did you mean", "test_list.txt")),
        ("model.backbone=vit_tinny_patch16_224", ("model.backbone", "vit_tiny_patch16_224")),
    ],
)
def test_wrong_key_type_or_file_is_one_line_with_the_nearest_right_one(small_pipeline, command, override, parts):
    one_line(command("run", small_pipeline, override), *parts)


def test_missing_pipeline_names_the_nearest_file(small_pipeline, command):
    one_line(command("run", small_pipeline.with_name("smal.yaml")), "no such pipeline file", "did you mean", "small.yaml")


def test_every_problem_of_the_file_is_told_at_once(small_pipeline, command):
    content = yaml.safe_load(small_pipeline.read_text())
    content["train"]["epoch"] = 3
    content["ingest"]["size"] = "large"
    small_pipeline.write_text(yaml.safe_dump(content))
    outcome = command("run", small_pipeline)
    assert outcome.code == 2
    assert len(outcome.err.strip().splitlines()) == 2
    assert "train.epoch" in outcome.err
    assert "ingest.size" in outcome.err


def test_broken_yaml_names_the_line(small_pipeline, command):
    small_pipeline.write_text(small_pipeline.read_text() + "\nname: twice\n")
    one_line(command("run", small_pipeline), "small.yaml: line", "'name' stands twice")


def test_unknown_finding_in_the_table_names_row_and_column(small_pipeline, command):
    table = small_pipeline.parent / "data/Data_Entry_2017.csv"
    table.write_text(table.read_text().replace("Mass", "Maas", 1))
    one_line(command("run", small_pipeline), "Data_Entry_2017.csv", "row ", "Finding Labels", "'Maas'")


def test_image_on_no_official_list_is_named(small_pipeline, command):
    listed = small_pipeline.parent / "data/test_list.txt"
    listed.write_text("\n".join(listed.read_text().split()[1:]))
    one_line(command("run", small_pipeline), "on no official list", "00000004_000")


def test_foreign_files_in_a_stage_folder_are_never_deleted(small_pipeline, command, workspace):
    mine = workspace / "small" / "ingest" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    one_line(command("run", small_pipeline), "which no stage wrote")
    assert mine.read_text() == "precious"


def test_unreachable_tracking_server_is_one_line_and_soon(small_pipeline, command, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    outcome = command("run", small_pipeline)
    assert outcome.code == 2
    assert "MLflow at http://127.0.0.1:9" in outcome.err
    assert "secret" not in outcome.err.splitlines()[-1]


def test_help_and_configuration_errors_do_not_import_the_heavy_libraries(small_pipeline: Path):
    script = """
import sys
from cxr.cli.main import main
sys.argv = ["cxr", "run", sys.argv[1], "train.epoch=1"]
try:
    main()
except SystemExit:
    heavy = [name for name in ("torch", "mlflow", "timm", "monai", "sklearn", "matplotlib") if name in sys.modules]
    sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    ended = subprocess.run([sys.executable, "-c", script, str(small_pipeline)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_workspace_inside_the_source_is_refused(small_pipeline, command):
    one_line(command("run", small_pipeline, f"workspace={small_pipeline.parent / 'data/runs'}"), "lies in source.root")


def test_table_that_names_none_of_the_images_is_an_error(small_pipeline, command):
    table = small_pipeline.parent / "data/Data_Entry_2017.csv"
    table.write_text(table.read_text().replace(".png", "x.png"))
    one_line(command("run", small_pipeline), "no image can be taken", "table has no row for the file")


def test_number_in_files_csv_leads_back_to_the_file(small_pipeline, command):
    told = command("file", small_pipeline, 1).out.splitlines()
    assert told[0] == "1  images/00000001_000.png  'images/00000001_000.png'"
    assert "files.csv" in told[1]  # by the second word a changed source is noticed
    one_line(command("file", small_pipeline, 1, 999), "none with the number 999")
