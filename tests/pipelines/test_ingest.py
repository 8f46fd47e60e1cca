"""`cxr ingest` as a user calls it: on a folder without a pipeline, looked at before, stopped at any moment, grown, misused."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pydicom
import pytest
from mlflow import MlflowClient
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from cxr.ingest import engine
from cxr.ingest.deidentify import make_key
from cxr.manifest import read_manifest

ROWS, COLUMNS = 48, 40


def write_dicom(path: Path, number: int, **attributes) -> None:
    """A chest radiograph of 12 bits, unlike that of any other number."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    values = {
        "SOPClassUID": uid.DigitalXRayImageStorageForPresentation, "SOPInstanceUID": f"1.2.3.{number}", "Modality": "DX",
        "PatientID": f"DOE-{number // 3}", "StudyInstanceUID": f"1.2.4.{number // 3}", "BodyPartExamined": "CHEST",
        "ViewPosition": "PA", "PresentationIntentType": "FOR PRESENTATION", "Rows": ROWS, "Columns": COLUMNS, "HighBit": 11,
        "BitsAllocated": 16, "BitsStored": 12, "PixelRepresentation": 0, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
    }  # fmt: skip
    for name, value in {**values, **attributes}.items():
        setattr(header, name, value)
    if "PixelData" not in attributes:
        header.PixelData = np.random.default_rng(number).integers(0, 4096, (ROWS, COLUMNS), np.uint16).tobytes()
    header["PixelData"].VR = "OW"
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, header, enforce_file_format=True)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty current folder with a key, and no tracking server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    make_key(tmp_path / "key")
    return tmp_path


@pytest.fixture
def ward(here) -> Path:
    """Six radiographs, a lateral one, a CT slice, one cut short, one without pixels of its own, and a letter."""
    source = here / "ward"
    for number in range(6):
        write_dicom(source / "deep" / f"{number}.dcm", number)
    write_dicom(source / "lateral.dcm", 6, ViewPosition="LL")
    write_dicom(source / "slice.dcm", 7, Modality="CT", SOPClassUID=uid.CTImageStorage)
    write_dicom(source / "short.dcm", 8)
    (source / "short.dcm").write_bytes((source / "short.dcm").read_bytes()[:-500])
    write_dicom(source / "flat.dcm", 9, PixelData=bytes(2 * ROWS * COLUMNS))
    (source / "letter.txt").write_text("Dear Dr. DOE")
    return source


def fast(*overrides: str) -> tuple[str, ...]:
    return ("ingest.workers=0", "ingest.size=32", *overrides)


def files_csv(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "files.csv", dtype=str, keep_default_na=False)


def content(folder: Path) -> dict[str, bytes]:
    """What a later stage reads."""
    paths = [folder / "manifest.parquet", folder / "files.csv", *(folder / "store").iterdir()]
    return {path.name: path.read_bytes() for path in paths}


def test_folder_is_ingested_without_a_pipeline_file(ward, command):
    outcome = command("ingest", "ward", "--out", "out", "--key", "key", *fast())
    assert outcome.code == 0, outcome.err
    assert "6 images of 2 patients" in outcome.out
    for name in ("audit.html", "files.csv", "manifest.parquet"):
        assert str(Path("out") / name) in outcome.out
        assert (Path("out") / name).is_file()
    files = files_csv(Path("out"))
    assert [*files["codes"]] == [*[""] * 6, "constant", "lateral", "unreadable", "truncated", "modality"]
    manifest = read_manifest(Path("out/manifest.parquet"))
    assert manifest.frame["patient_id"].str.fullmatch(r"hospital:[0-9a-f]{20}").all()
    assert not Path("mlruns").exists()
    assert not Path("mlflow.db").exists()
    texts = [path.read_text() for path in Path("out").glob("*.*") if path.suffix in (".csv", ".json", ".html")]
    told = outcome.out + outcome.err + "".join(texts)
    assert "DOE" not in told
    assert "1.2.4." not in told


def test_second_run_says_that_nothing_has_changed_and_again_looks_again(ward, command):
    arguments = ("ingest", "ward", "--out", "out", "--key", "key", *fast())
    assert command(*arguments).code == 0
    before = content(Path("out"))
    outcome = command(*arguments)
    assert "not run again: inputs, configuration and code are unchanged" in outcome.out
    assert "audit" in outcome.out
    outcome = command(*arguments, "--again")
    assert outcome.code == 0
    assert "not run again" not in outcome.out
    assert content(Path("out")) == before


def test_grown_folder_is_noticed_and_gives_what_a_fresh_run_gives(ward, command):
    arguments = ("ingest", "ward", "--key", "key", *fast())
    assert command(*arguments, "--out", "out").code == 0
    write_dicom(ward / "a.dcm", 40)
    (ward / "deep/2.dcm").unlink()
    outcome = command(*arguments, "--out", "out")
    assert "source.root" in outcome.out
    assert "1 shards are read again, since" in outcome.out
    assert command(*arguments, "--out", "fresh").code == 0
    grown, fresh = (read_manifest(Path(name) / "manifest.parquet").frame for name in ("out", "fresh"))
    grown, fresh = (frame.drop(columns=["shard", "row"]) for frame in (grown, fresh))
    pd.testing.assert_frame_equal(grown, fresh)
    pd.testing.assert_frame_equal(files_csv(Path("out")), files_csv(Path("fresh")))


def forecast(out: str) -> dict[str, int]:
    """Files by code, as the table of a dry run shows them."""
    rows = re.findall(r"^ *(accepted|corrected|flagged|quarantined|skipped|duplicate) +(\d+) +(.*)$", out, re.MULTILINE)
    return {(rest.split("  ")[0] if not rest.startswith("would") else "").strip(): int(count) for _, count, rest in rows}


def test_dry_run_writes_nothing_and_agrees_with_the_run_as_far_as_headers_tell(ward, command):
    before = sorted(path for path in Path().rglob("*"))
    outcome = command("ingest", "ward", "--key", "key", "--dry-run", *fast())
    assert outcome.code == 0, outcome.err
    assert sorted(path for path in Path().rglob("*")) == before
    assert "DOE" not in outcome.out
    expected = forecast(outcome.out)
    assert sum(expected.values()) == 11
    assert "8 of 11 files would be read" in outcome.out
    assert command("ingest", "ward", "--out", "out", "--key", "key", *fast()).code == 0
    real = files_csv(Path("out"))["codes"].value_counts().to_dict()
    of_pixels = {code: real.pop(code) for code in ("constant", "truncated")}
    assert expected == {**real, "": real[""] + sum(of_pixels.values())}


def test_dry_run_of_a_pipeline_writes_nothing(small_pipeline, command):
    before = sorted(path for path in small_pipeline.parent.rglob("*"))
    outcome = command("ingest", small_pipeline, "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "90 of 90 files would be read" in outcome.out
    assert sorted(path for path in small_pipeline.parent.rglob("*")) == before


def test_zip_file_is_ingested_beside_itself(ward, command):
    with zipfile.ZipFile("ward.zip", "w") as archive:
        for path in sorted(ward.rglob("*.*")):
            archive.write(path, path.relative_to(ward))
    (Path("keys")).mkdir()
    shutil.move("key", "keys/key")
    Path("data").mkdir()
    shutil.move("ward.zip", "data/ward.zip")
    assert command("ingest", "data/ward.zip", "--out", "out", "--key", "keys/key", *fast()).code == 0
    assert len(read_manifest(Path("out/manifest.parquet")).frame) == 6


def test_published_images_need_no_key(here, command):
    images = here / "images"
    images.mkdir()
    for number in range(3):
        cv2.imwrite(str(images / f"{number}.png"), np.random.default_rng(number).integers(0, 256, (40, 40), np.uint8))
    rows = ["image,patient_id,view,sex,age,Mass", "0.png,a,PA,F,40,1", "1.png,b,PA,F,40,0", "2.png,c,PA,F,40,"]
    (images / "t.csv").write_text("\n".join(rows))
    (here / "l.yaml").write_text("name: one\nlabels: [{name: Mass}]\n")
    outcome = command(
        "ingest", "images", "--kind", "images", "--table", "t.csv", "--format", "plain", "--labels", "l.yaml", "--name", "pub",
        "--out", "out", *fast(),
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert read_manifest(Path("out/manifest.parquet")).frame["patient_id"].tolist() == ["pub:a", "pub:b", "pub:c"]


def test_run_without_a_pipeline_is_tracked_where_a_server_is_named(ward, command, workspace, monkeypatch):
    uri = f"sqlite:///{workspace / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    client = MlflowClient(uri)
    client.create_experiment("ingest", (workspace / "artifacts").as_uri())
    outcome = command("ingest", "ward", "--out", "out", "--key", "key", *fast())
    assert outcome.code == 0, outcome.err
    (run,) = client.search_runs([client.get_experiment_by_name("ingest").experiment_id])
    assert (run.info.status, run.info.run_name) == ("FINISHED", "out")
    assert [artifact.path for artifact in client.list_artifacts(run.info.run_id)] == ["audit_numbers.html", "files.csv"]


def one_line(outcome, *parts: str) -> None:
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    (line,) = outcome.err.strip().splitlines()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["ward", "--out", "out"], ["key", "--key FILE", "cxr key FILE"]),
        (["ward", "--key", "key"], ["--out FOLDER", "missing"]),
        (["ward", "--key", "none", "--out", "out"], ["source.key_file", "no such file"]),
        (["wart", "--key", "key", "--out", "out"], ["wart", "no such", "did you mean", "ward"]),
        (["ward", "--key", "key", "--out", "ward/out"], ["--out lies in the SOURCE"]),
        (["ward", "--key", "key", "--out", "ward"], ["--out lies in the SOURCE"]),
        (["ward", "--key", "key", "--out", "out/../ward/out"], ["--out lies in the SOURCE"]),
        (["ward", "--key", "key", "--out", "link/out"], ["--out lies in the SOURCE"]),
        (["link", "--key", "key", "--out", "ward/out"], ["--out lies in the SOURCE"]),
        (["ward/DICOMDIR", "--key", "key", "--out", "ward/out"], ["--out lies in the SOURCE"]),
        (["ward", "--key", "ward/key", "--out", "out"], ["lies in source.root", "the key must not be kept with the data"]),
        (["ward", "--key", "key", "--out", "out", "--table", "labels.csv"], ["no such file"]),
        (["ward", "--key", "key", "--out", "out", "--name", "Ward 7!"], ["source.name"]),
        (["ward", "--key", "key", "--out", "out", "ingest.sizes=3"], ["ingest.sizes", "did you mean ingest.size?"]),
        (["ward", "--key", "key", "--out", "out", "ingest.size=3"], ["ingest.size", "32"]),
        (["ward", "--key", "key", "--out", "out", "train.epochs=3"], ["train", "unknown key"]),
        (["ward", "--key", "key", "--out", "key"], ["key"]),
        (["ward", "--key", "key", "--out", "full"], ["full", "which no stage wrote"]),
        (["x.yaml", "--out", "out"], ["--out is for a SOURCE"]),
        (["x.yaml", "--key", "key"], ["--key is for a SOURCE"]),
        (["x.yaml"], ["no such pipeline file"]),
        (["ward", "--kind", "images", "--out", "out"], ["source", "missing, but needed"]),
    ],
)  # fmt: skip
def test_misuse_is_one_line(ward, command, arguments, parts):
    (ward / "key").write_bytes(Path("key").read_bytes())
    (ward / "DICOMDIR").write_bytes(b"")
    Path("full").mkdir()
    Path("full/thesis.txt").write_text("precious")
    Path("link").symlink_to("ward")
    outcome = command("ingest", *arguments)
    if "images" in arguments:  # every missing key at once
        assert outcome.code == 2
        assert all(line.endswith("missing, but needed") for line in outcome.err.strip().splitlines())
    else:
        one_line(outcome, *parts)
    assert Path("full/thesis.txt").read_text() == "precious"
    assert not Path("out").exists()
    assert sorted(path.name for path in Path("full").iterdir()) in (["thesis.txt"], [".lock", "thesis.txt"])


def test_link_that_leads_nowhere_and_one_in_a_circle_do_not_stop_an_ingest(ward, command):
    (ward / "dangling.dcm").symlink_to("nowhere")
    (ward / "circle").symlink_to(ward)
    outcome = command("ingest", "ward", "--out", "out", "--key", "key", *fast())
    assert outcome.code == 0, outcome.err
    assert files_csv(Path("out"))["codes"].tolist().count("unreadable") == 3


def test_unknown_option_is_told(ward, command):
    assert command("ingest", "ward", "--outt", "out").code == 2


def test_scheduler_that_nobody_answers_at_is_one_line_and_soon(ward, command, monkeypatch):
    monkeypatch.setattr(engine, "_PATIENCE", "1s")
    start = time.monotonic()
    outcome = command("ingest", "ward", "--out", "out", "--key", "key", *fast("ingest.scheduler=tcp://127.0.0.1:9"))
    assert time.monotonic() - start < 15
    assert outcome.code == 2
    assert "error: ingest.scheduler: nothing answers at tcp://127.0.0.1:9" in outcome.err.splitlines()


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cxr", "ingest", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for(condition, process: subprocess.Popen[str], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "ended too soon: " + "".join(process.communicate())
        assert time.monotonic() < end, "did not get so far"
        time.sleep(0.002)


@pytest.fixture
def archive(here) -> Path:
    """150 radiographs in 19 shards."""
    for number in range(150):
        write_dicom(here / "archive" / f"{number:03d}.dcm", number)
    return here / "archive"


OPTIONS = ("--key", "key", "ingest.workers=2", "ingest.size=32", "ingest.shard_files=8")


def children(pid: int) -> list[int]:
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def test_command_killed_at_several_moments_ends_as_one_that_was_not(archive, command):
    records, journal = Path("out/records"), Path("out/journal.sqlite")
    moments = [
        journal.exists,
        lambda: (records / "shard-00000.json").exists(),
        lambda: len(list(records.glob("*.json"))) >= 9,
        lambda: len(list(records.glob("*.json"))) == 19,
    ]
    for moment in moments:
        process = start("archive", "--out", "out", *OPTIONS)
        wait_for(moment, process)
        workers = children(process.pid)
        process.kill()
        process.communicate(timeout=30)
        assert not Path("out/stage.json").exists()
        end = time.monotonic() + 20
        while any(alive(pid) for pid in workers):
            assert time.monotonic() < end, "a worker outlived the command that started it"
            time.sleep(0.02)
    outcome = command("ingest", "archive", "--out", "out", *OPTIONS)
    assert outcome.code == 0, outcome.err
    assert "it was begun and not finished; it goes on" in outcome.out
    assert command("ingest", "archive", "--out", "whole", *OPTIONS).code == 0
    assert content(Path("out")) == content(Path("whole"))
    assert len(read_manifest(Path("out/manifest.parquet")).frame) == 150


def alive(pid: int) -> bool:
    """Whether a process still runs; one that has ended and that nobody waits for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_worker_killed_in_the_middle_costs_no_file_and_names_at_most_one(archive, command):
    process = start("archive", "--out", "out", *OPTIONS)
    wait_for(lambda: list(Path("out/records").glob("*.json")), process)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    codes = files_csv(Path("out"))["codes"].tolist()
    assert len(codes) == 150
    assert set(codes) <= {"", "read-again"}
    assert codes.count("read-again") <= 1


def test_ctrl_c_ends_the_workers_and_the_same_command_goes_on(archive, command):
    process = start("archive", "--out", "out", *OPTIONS)
    wait_for(lambda: list(Path("out/records").glob("*.json")), process)
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.strip().endswith("stopped; the same command goes on from here")
    assert not any(alive(pid) for pid in workers)
    outcome = command("ingest", "archive", "--out", "out", *OPTIONS)
    assert outcome.code == 0, outcome.err
    assert len(files_csv(Path("out"))) == 150
