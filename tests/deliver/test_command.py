"""`cxr deliver` as a whole: a folder in, files out, a row per study, and the exit code."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from click.testing import CliRunner, Result

from cxr.cli.group import cli
from cxr.cli.main import main  # noqa: F401 (registers the commands)
from cxr.errors import ConfigError, DataError
from tests.serve.models import chest


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    folder = tmp_path / "studies"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.dcm").write_bytes(chest(0))
    (folder / "sub" / "b.dcm").write_bytes(chest(1))
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["deliver", *map(str, arguments)], standalone_mode=False)


def test_every_study_has_its_files_and_the_code_is_0(studies, model_file, tmp_path):
    done = run(studies, "--model", model_file, "--out", tmp_path / "out", "--maps", "Mass, Hernia")
    assert (done.exception, done.return_value) == (None, 0)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name.partition("-")[0] for name in names] == ["map"] * 4 + ["report"] * 2
    assert "2 of 2 studies with radiographs delivered" in done.output
    again = run(studies, "--model", model_file, "--out", tmp_path / "out", "--maps", "Mass, Hernia")
    assert again.output == done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


def test_the_terminal_names_no_patient(studies, model_file, tmp_path):
    shown = run(studies, "--model", model_file, "--out", tmp_path / "out").output
    assert "PHANTOM" not in shown
    assert str(studies) not in shown


def test_a_pipelines_folder_is_its_model_and_an_exported_file_is_refused(studies, model_file, tmp_path):
    (tmp_path / "chest" / "calibrate").mkdir(parents=True)
    model_file.rename(tmp_path / "chest" / "calibrate" / "model.safetensors")
    done = run(studies, "--model", tmp_path / "chest", "--out", tmp_path / "out")
    assert (done.exception, done.return_value) == (None, 0)
    (tmp_path / "chest.onnx").write_bytes(b"x")
    refused = run(studies, "--model", tmp_path / "chest.onnx", "--out", tmp_path / "out2")
    assert isinstance(refused.exception, ConfigError)
    assert "an exported file" in str(refused.exception)
    assert not (tmp_path / "out2").exists()


def test_the_record_has_what_the_terminal_must_not_show(studies, model_file, tmp_path):
    (studies / "c.dcm").write_bytes(b"a letter")
    record = tmp_path / "record.csv"
    done = run(studies, "--model", model_file, "--out", tmp_path / "out", "--record", record)
    assert done.return_value == 1
    uids = {str(pydicom.dcmread(BytesIO(chest(number))).StudyInstanceUID) for number in range(2)}
    written = record.read_text()
    assert all(uid in written and uid not in done.output for uid in uids)
    assert "c.dcm" in written
    assert "c.dcm" not in done.output
    assert "record.csv" in done.output
    hinted = run(studies, "--model", model_file, "--out", tmp_path / "out")
    assert "--record FILE.csv" in hinted.output


def test_a_delivery_that_is_cut_short_leaves_the_record_of_what_was_delivered(studies, model_file, tmp_path):
    (tmp_path / "out").write_text("no folder")
    record = tmp_path / "record.csv"
    done = run(studies, "--model", model_file, "--out", tmp_path / "out", "--record", record)
    assert isinstance(done.exception, DataError)
    assert record.read_text().count("not come to") == 2
    assert "2 studies were not come to" in done.output


@pytest.mark.parametrize("content", [b"a letter", b"", chest(2, ViewPosition="LL")])
def test_what_cannot_be_reported_is_told_and_the_code_is_1(studies, model_file, tmp_path, content):
    (studies / "c.dcm").write_bytes(content)
    done = run(studies, "--model", model_file, "--out", tmp_path / "out")
    assert done.return_value == 1
    assert "lateral" in done.output or "1 file of no study: " in done.output
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_study_with_a_report_and_a_broken_image_is_not_all_well(studies, model_file, tmp_path):
    own = {"StudyInstanceUID": "1.2.3", "PatientID": "A"}
    (studies / "c.dcm").write_bytes(chest(2, **own))
    (studies / "d.dcm").write_bytes(chest(3, **own, RescaleSlope=0, RescaleIntercept=0))
    record = tmp_path / "record.csv"
    done = run(studies, "--model", model_file, "--out", tmp_path / "out", "--record", record)
    assert done.return_value == 1
    assert "3 of 3 studies with radiographs delivered" in done.output
    assert "1 image of these not scored, since something is wrong there" in done.output
    assert record.read_text().count("1 image not scored, since something is wrong there; the report says what") == 1


def test_a_study_of_another_modality_is_no_failure(studies, model_file, tmp_path):
    (studies / "c.dcm").write_bytes(chest(2, Modality="CT"))
    done = run(studies, "--model", model_file, "--out", tmp_path / "out")
    assert done.return_value == 0
    assert "1 without radiographs" in done.output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "give one of --out FOLDER and --to ADDRESS"),
        (("--out", "o", "--to", "http://h/"), "give one of --out"),
        (("--to", "ftp://h/"), "--to: as in https"),
        (("--out", "o", "--record", "r.txt"), "--record: r.txt: must end in .csv"),
        (("--out", "o", "--query", "PatientID=1"), "--query: it is for the address of a DICOMweb service"),
    ],
)
def test_a_command_that_cannot_be_understood_is_refused_before_anything_is_read(studies, model_file, arguments, problem):
    done = run(studies, "--model", model_file, *arguments)
    assert isinstance(done.exception, ConfigError)
    assert problem in str(done.exception)


def test_no_input_and_no_such_input_are_told(model_file, tmp_path):
    assert "INPUT: missing" in str(run("--model", model_file, "--out", tmp_path / "o").exception)
    missing = run(tmp_path / "none", "--model", model_file, "--out", tmp_path / "o").exception
    assert isinstance(missing, DataError)
    assert str(missing) == f"INPUT: there is no {tmp_path / 'none'}"
