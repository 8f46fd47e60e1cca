"""The stage as a whole: every file and row accounted for, nothing of a header leaks, twice is once."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import os
import shutil
import stat
import time
import zipfile
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import yaml

from cxr.config import IngestConfig, IngestStage
from cxr.config_sources import DicomSource, ImagesSource
from cxr.errors import ConfigError, DataError
from cxr.ingest import shard as shard_module
from cxr.ingest import stage as stage_module
from cxr.ingest.deidentify import make_key, read_key
from cxr.ingest.outcome import CODES
from cxr.ingest.read import normalise
from cxr.ingest.shard import Reading, ShardTask, read_records
from cxr.ingest.stage import run
from cxr.ingest.store import ImageStore
from cxr.labels.values import UNCERTAIN, UNKNOWN
from cxr.manifest import Manifest, read_manifest
from cxr.stage import StageContext

LABELS = {"name": "two", "labels": [{"name": "Mass"}, {"name": "Effusion", "synonyms": ["Erguss"]}]}
SECRETS = (
    "DOE^JANE",
    "MRN-778899",
    "19530412",
    "ACC-5512",
    "General Hospital",
    "Dr. Gregory",
    "1.2.77.1",
    "1.2.99.1",
    "Walnut",
)
PLANTED = {
    "PatientName": "DOE^JANE", "PatientID": "MRN-778899", "PatientBirthDate": "19530412", "StudyDate": "19530412",
    "AccessionNumber": "ACC-5512", "InstitutionName": "General Hospital", "ReferringPhysicianName": "Dr. Gregory",
    "PatientAddress": "Walnut", "StudyInstanceUID": "1.2.77.1", "SOPInstanceUID": "1.2.99.1", "ImageComments": "DOE^JANE",
    "ProtocolName": "DOE^JANE", "SeriesDescription": "MRN-778899", "PresentationLUTShape": "DOE^JANE",
    "VOILUTFunction": "DOE^JANE", "WindowCenter": 100, "WindowWidth": 200,
}  # fmt: skip


def words(seed: int, height: int = 20, width: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


POOLWORK = Path(__file__).parents[1]


@dataclasses.dataclass
class Run:
    folder: Path
    config: IngestStage
    context: StageContext

    def __call__(self):
        result = run(self.config, self.context)
        self.manifest = read_manifest(self.folder / "manifest.parquet")
        self.files = pd.read_csv(self.folder / "files.csv", dtype=str, keep_default_na=False)
        return result

    def codes(self) -> list[str]:
        return self.files["codes"].tolist()

    def images(self) -> np.ndarray:
        frame = self.manifest.frame
        return ImageStore(self.folder / "store").gather(frame["shard"].to_numpy(), frame["row"].to_numpy())


@pytest.fixture
def stage(tmp_path, recording_run):
    """Prepares the stage on a source; call what it gives to run it."""

    def prepare(source, workers=0, shard_files=3, folder="out", **ingest) -> Run:
        labels = tmp_path / "labels.yaml"
        labels.write_text(yaml.safe_dump(LABELS))
        options = IngestConfig(size=32, workers=workers, shard_files=shard_files, **ingest)
        config = IngestStage(name="test", labels=labels, source=source, ingest=options)
        out = tmp_path / folder
        out.mkdir(exist_ok=True)
        return Run(out, config, StageContext(out, {}, recording_run, lambda done, total, text="": None))

    return prepare


@pytest.fixture
def hospital(tmp_path, build, write):
    """A source of eight DICOM files and one letter, with a table of studies."""
    root = tmp_path / "hospital"
    for index in range(5):
        names = {"PatientID": f"p{index // 2}", "StudyInstanceUID": f"1.2.{index}", "SOPInstanceUID": f"1.3.{index}"}
        write(build(words(index), **names), root / "deep" / f"{index}.dcm")
    write(build(words(0), PatientID="p0", StudyInstanceUID="1.2.0", SOPInstanceUID="1.3.77"), root / "x5.dcm")
    write(build(words(1), PatientID="p9", StudyInstanceUID="1.2.9", SOPInstanceUID="1.3.9"), root / "x6.dcm")
    write(build(words(8), PatientID="p8", StudyInstanceUID="1.2.8", SOPInstanceUID="1.3.8"), root / "x7.dcm")
    write(b"a letter", root / "x8.txt")
    table = "StudyInstanceUID,Mass,Erguss\n1.2.0,1,-1\n1.2.1,0,\n1.2.2,1,0\n1.2.3,0,1\n1.2.4,1,1\n1.2.9,1,1\n1.2.404,1,1\n"
    (root / "labels.csv").write_text(table)
    key = tmp_path / "key"
    make_key(key)
    return DicomSource.model_validate(
        {"kind": "dicom", "name": "ward", "root": str(root), "table": "labels.csv", "format": "study", "key_file": str(key)}
    )


@pytest.fixture
def published(tmp_path):
    """A public data set of six PNG files, with its table."""
    root = tmp_path / "published"
    (root / "more").mkdir(parents=True)
    for index in range(4):
        (root / f"{index}.png").write_bytes(imagecodecs.png_encode(words(index)))
    shutil.copy(root / "0.png", root / "4.png")  # the same patient's pixels under two names
    shutil.copy(root / "1.png", root / "more" / "1.png")  # one name in two folders
    shutil.copy(root / "2.png", root / "5.png")  # another patient's
    rows = ["0.png,p0,PA,F,45,1,0", "1.png,p1,AP,M,130,0,", "2.png,p2,,,,1,1", "4.png,p0,PA,F,45,1,0", "5.png,p5,,,,1,1"]
    text = "image,patient_id,view,sex,age,Mass,Effusion\n" + "\n".join([*rows, "9.png,p9,LL,,,1,1"]) + "\n"
    (root / "table.csv").write_text(text)
    source = {"kind": "images", "name": "pub", "root": str(root), "table": "table.csv", "format": "plain"}
    return ImagesSource.model_validate(source)


def digest_tree(folder: Path) -> dict[str, tuple[str, int]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files}


def test_every_file_and_row_has_its_outcome(stage, hospital):
    ward = stage(hospital)
    result = ward()
    assert ward.codes() == [
        "", "", "", "", "", "duplicate", "duplicate-other-patient", "not-labelled", "unreadable", "row-without-file",
    ]  # fmt: skip
    assert ward.files["number"].tolist() == [*map(str, range(1, 10)), "0"]
    assert result.counts == {
        "files": 9, "accepted": 5, "duplicate": 2, "flagged": 1, "quarantined": 1, "rows_without_file": 1, "images": 6,
    }  # fmt: skip
    assert result.headline.startswith("6 images of 4 patients")
    assert len(result.warnings) == 4
    assert set(" ".join(ward.codes()).split()) <= set(CODES)
    assert ward.files.loc[ward.files["image_id"] != "", "image_id"].tolist() == ward.manifest.frame["image_id"].tolist()


def test_labels_reach_their_images_with_their_four_values(stage, hospital):
    ward = stage(hospital)
    ward()
    expected = [[1, UNCERTAIN], [0, UNKNOWN], [1, 0], [0, 1], [1, 1], [UNKNOWN, UNKNOWN]]
    assert ward.manifest.label_codes().tolist() == expected
    assert ward.manifest.frame["patient_id"].nunique() == 4
    assert ward.manifest.frame["patient_id"].str.startswith("ward:").all()


def test_store_holds_each_image_where_the_manifest_says(stage, hospital):
    ward = stage(hospital)
    ward()
    frame = ward.manifest.frame
    images = ImageStore(ward.folder / "store").gather(frame["shard"].to_numpy(), frame["row"].to_numpy())
    for image, seed in zip(images, [0, 1, 2, 3, 4, 8], strict=True):
        assert abs(image[:, 3:29].mean() - words(seed).mean()) <= 3
        assert (image[:, :3] == 0).all()
    assert json.loads((ward.folder / "store" / "store.json").read_text())["size"] == 32


def test_same_result_with_one_and_two_workers_byte_for_byte(stage, hospital):
    one, two = stage(hospital, workers=1, folder="one"), stage(hospital, workers=2, folder="two")
    one()
    two()
    contents = [
        {path.relative_to(each.folder): path.read_bytes() for path in each.folder.rglob("*") if path.is_file()}
        for each in (one, two)
    ]
    assert contents[0] == contents[1]
    assert {"manifest.parquet", "files.csv"} < {str(path) for path in contents[0]}


def test_whole_shard_is_not_processed_again(stage, hospital, monkeypatch):
    ward = stage(hospital)
    ward()
    before = digest_tree(ward.folder / "records") | digest_tree(ward.folder / "store")
    read = []
    monkeypatch.setattr(shard_module, "_process_file", lambda *arguments: read.append(arguments))
    ward()
    assert not read
    after = digest_tree(ward.folder / "records") | digest_tree(ward.folder / "store")
    assert {path: after[path] for path in after if "shard-" in path} == {
        path: before[path] for path in before if "shard-" in path
    }


def test_shard_without_records_is_processed_again_to_the_same_bytes(stage, hospital):
    ward = stage(hospital)
    ward()
    before = {path: digest for path, (digest, _) in digest_tree(ward.folder).items()}
    (ward.folder / "records" / "shard-00001.json").unlink()
    (ward.folder / "store" / "shard-00001.npy").write_bytes(b"half")
    ward()
    assert {path: digest for path, (digest, _) in digest_tree(ward.folder).items()} == before


def test_source_is_not_changed_by_a_run(stage, hospital):
    before = digest_tree(hospital.root)
    stage(hospital)()
    assert digest_tree(hospital.root) == before


def test_no_planted_identifier_leaves_ingest(stage, hospital, build, write, recording_run, capsys):
    root = hospital.root
    header = build(words(50), **PLANTED)
    header.add_new(0x00091001, "LO", "DOE^JANE")
    header.add_new(0x60004000, "LT", "MRN-778899")
    header.file_meta.SourceApplicationEntityTitle = "DOE^JANE"
    header.preamble = b"DOE^JANE".ljust(128, b"\0")
    write(header, root / "MRN-778899" / "DOE^JANE.dcm")
    for index, broken in enumerate(({"Rows": 19}, {"Modality": "CT"}, {"PixelRepresentation": 2, "BitsStored": 9})):
        write(build(words(60 + index), **{**PLANTED, **broken}), root / f"DOE^JANE-{index}.dcm")
    write(b"DOE^JANE", root / "DOE^JANE.txt")
    with (root / "labels.csv").open("a") as table:
        table.write("1.2.77.1,1,0\nMRN-778899,1,0\n")
    ward = stage(hospital)
    result = ward()
    assert (ward.manifest.label_codes() == [1, 0]).all(axis=1).sum() == 2  # it was taken, and labelled
    key = read_key(hospital.key_file)
    for path in sorted(path for path in ward.folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for secret in (*SECRETS, key.hex()):
            assert secret.encode().lower() not in content.lower(), (path.name, secret)
        assert key not in content
    told = repr((result, recording_run, capsys.readouterr(), ward.manifest.frame.to_csv()))
    assert not [secret for secret in SECRETS if secret.lower() in told.lower()]


def test_another_key_gives_other_names_for_the_same_patients(stage, hospital, tmp_path):
    first = stage(hospital, folder="one")
    first()
    make_key(tmp_path / "other")
    second = stage(hospital.model_copy(update={"key_file": tmp_path / "other"}), folder="two")
    second()
    for column in ("patient_id", "study_id", "source_name", "image_id"):
        assert not set(first.manifest.frame[column]) & set(second.manifest.frame[column])
    assert (first.manifest.frame["pixel_sha256"] == second.manifest.frame["pixel_sha256"]).all()


def test_published_set_is_ruled_by_its_table(stage, published):
    public = stage(published)
    public()
    outcomes = dict(zip(public.files["file"], public.codes(), strict=True))
    assert outcomes == {
        "0.png": "",
        "1.png": "age-implausible",
        "2.png": "",
        "3.png": "not-in-table",
        "4.png": "repeated",
        "5.png": "duplicate-other-patient",
        "more/1.png": "age-implausible duplicate",
        "pub:9": "row-without-file",
    }
    frame = public.manifest.frame.set_index("source_name")
    assert frame["patient_id"].to_dict() == {"0": "pub:p0", "1": "pub:p1", "2": "pub:p2", "4": "pub:p0"}
    assert frame["view"].tolist() == ["PA", "AP", "unknown", "PA"]
    assert frame["sex"].tolist() == ["F", "M", "unknown", "F"]
    assert frame["age_years"].isna().tolist() == [False, True, True, False]


def test_published_table_without_patients_is_refused(stage, published, tmp_path):
    layout = tmp_path / "layout.yaml"
    layout.write_text("key: image\nfindings: {layout: columns}\n")
    with pytest.raises(DataError, match="'patient' must name a column"):
        stage(published.model_copy(update={"format": layout}))()


def test_lateral_by_the_table_is_skipped(stage, published):
    table = published.table_file
    table.write_text(table.read_text().replace("0.png,p0,PA", "0.png,p0,LL"))
    public = stage(published)
    public()
    assert public.codes()[0] == "lateral"


def test_wrong_cell_stops_the_stage_before_any_image_is_read(stage, published):
    published.table_file.write_text(published.table_file.read_text().replace("1,1\n", "1,7\n", 1))
    public = stage(published)
    with pytest.raises(DataError, match=r"row 4: Effusion '7'"):
        public()
    assert not list(public.folder.iterdir())


def test_no_image_left_says_the_commonest_reason(stage, published):
    for path in published.root.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="no image can be taken: 7 of 7 files: the file is empty"):
        stage(published)()


def test_source_without_files_is_refused(stage, published):
    for path in published.root.rglob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match="source: no PNG or JPEG files in it"):
        stage(published)()


def test_wrong_key_stops_the_stage(stage, hospital):
    hospital.key_file.write_text("abc")
    with pytest.raises(ConfigError, match="key"):
        stage(hospital)()


def test_records_keep_pseudonyms_only(stage, hospital):
    ward = stage(hospital)
    ward()
    records = [record for path in sorted((ward.folder / "records").iterdir()) for record in read_records(path)]
    assert [record.file for record in records] == ward.files["file"][:9].tolist()
    for record in records:
        assert record.file.startswith("ward:")
        assert "dcm" not in json.dumps(dataclasses.asdict(record))


def test_file_name_that_is_not_utf_8_does_not_stop_the_stage(stage, hospital):
    odd = b"M\xfcller.dcm".decode("utf-8", "surrogateescape")
    shutil.copy(hospital.root / "x7.dcm", hospital.root / odd)
    ward = stage(hospital)
    ward()
    assert (ward.codes()[0], ward.codes()[8]) == ("not-labelled", "not-labelled duplicate")  # it is sorted first


@pytest.fixture
def unlabelled(hospital):
    """The same source without a label table."""
    (hospital.root / "labels.csv").unlink()
    return hospital.model_copy(update={"table": None, "format": None})


@pytest.fixture
def fetched(monkeypatch):
    """The names of the files that were read, in this process."""
    names: list[str] = []
    real = shard_module._process_file

    def note(task, index, images, at):
        names.append(task.names[index])
        return real(task, index, images, at)

    monkeypatch.setattr(shard_module, "_process_file", note)
    return names


def but_for_place(manifest: Manifest) -> pd.DataFrame:
    return manifest.frame.drop(columns=["shard", "row"])


def assert_same(one: Run, other: Run) -> None:
    """Two runs gave the same but for the place of the images in the store."""
    pd.testing.assert_frame_equal(but_for_place(one.manifest), but_for_place(other.manifest))
    assert np.array_equal(one.images(), other.images())
    pd.testing.assert_frame_equal(one.files, other.files)


def test_second_run_over_a_grown_source_reads_only_the_new_files(stage, hospital, fetched, build, write):
    ward = stage(hospital)
    ward()
    assert len(fetched) == 9
    fetched.clear()
    # sorted before the file whose pixels it repeats, which becomes the duplicate: not only the new files' rows change
    for name, seed in (("a0.dcm", 3), ("x9.dcm", 91)):
        header = build(words(seed), PatientID="p1", StudyInstanceUID=f"1.2.{seed}", SOPInstanceUID=f"1.4.{seed}")
        write(header, hospital.root / name)
    result = ward()
    assert sorted(fetched) == ["a0.dcm", "x9.dcm"]
    assert not [warning for warning in result.warnings if "again" in warning]
    fresh = stage(hospital, folder="fresh")
    fresh()
    assert_same(ward, fresh)


def test_second_run_of_an_unchanged_source_reads_nothing_and_changes_nothing(stage, hospital, fetched):
    ward = stage(hospital)
    ward()
    before = {path: digest for path, (digest, _) in digest_tree(ward.folder).items() if "audit" not in path}
    fetched.clear()
    ward()
    assert not fetched
    assert {path: digest for path, (digest, _) in digest_tree(ward.folder).items() if "audit" not in path} == before


def test_nothing_of_a_removed_file_stays(stage, hospital, fetched):
    ward = stage(hospital, keep_quarantined=True)
    ward()
    gone, image = ward.files.loc[3, ["file", "image_id"]]
    letter = ward.files.loc[8, "file"]
    (hospital.root / "deep/3.dcm").unlink()
    (hospital.root / "x8.txt").unlink()
    fetched.clear()
    result = ward()
    assert any("shards are read again, since files of theirs are gone" in text for text in result.warnings)
    assert len(fetched) < 7, "a shard without a removed file was read again"
    told = [str(path) for path in ward.folder.rglob("*")]
    for path in (path for path in ward.folder.rglob("*") if path.is_file() and path.suffix != ".sqlite"):
        assert gone.encode() not in path.read_bytes(), path
        assert image.encode() not in path.read_bytes(), path
    assert not [path for path in told if letter.rpartition(":")[2] in path]
    stored = sum(len(np.load(path)) for path in (ward.folder / "store").glob("*.npy"))
    records = [record for path in (ward.folder / "records").iterdir() for record in read_records(path)]
    assert stored == sum(bool(record.image) for record in records) == 7
    fresh = stage(hospital, folder="fresh")
    fresh()
    assert_same(ward, fresh)


def test_changed_file_is_read_again(stage, hospital, fetched, build, write):
    ward = stage(hospital)
    ward()
    fetched.clear()
    write(build(words(70), PatientID="p1", StudyInstanceUID="1.2.3", SOPInstanceUID="1.3.3"), hospital.root / "deep/3.dcm")
    ward()
    assert "deep/3.dcm" in fetched
    fresh = stage(hospital, folder="fresh")
    fresh()
    assert_same(ward, fresh)


@pytest.mark.parametrize("change", [{"size": 48}, {"fit": "crop"}, {"bits": 16}, {"keep_quarantined": True}])
def test_change_of_how_files_are_read_reads_all_again_and_says_so(stage, hospital, fetched, change):
    stage(hospital)()
    fetched.clear()
    ward = stage(hospital)
    ward.config = ward.config.model_copy(update={"ingest": ward.config.ingest.model_copy(update=change)})
    result = ward()
    assert len(fetched) == 9
    (name,) = change
    assert any(text.startswith("all 9 files are read again: ") and f"ingest.{name} changed" in text for text in result.warnings)
    assert len(list((ward.folder / "store").glob("shard-*"))) == 3
    fresh = stage(hospital, folder="fresh")
    fresh.config = ward.config
    fresh()
    assert_same(ward, fresh)


def test_new_version_of_the_normaliser_reads_all_again_and_says_so(stage, hospital, fetched, monkeypatch):
    ward = stage(hospital)
    ward()
    fetched.clear()
    monkeypatch.setattr(normalise, "VERSION", normalise.VERSION + 1)
    result = ward()
    assert len(fetched) == 9
    assert any("the normaliser changed from version" in text for text in result.warnings)


@pytest.mark.parametrize("change", [{"shard_files": 2}, {"workers": 1}, {"file_seconds": 5.0}])
def test_change_that_does_not_touch_the_result_reads_nothing_again(stage, hospital, fetched, change):
    stage(hospital)()
    fetched.clear()
    ward = stage(hospital)
    ward.config = ward.config.model_copy(update={"ingest": ward.config.ingest.model_copy(update=change)})
    ward()
    assert not fetched


def test_store_without_a_journal_is_not_believed(stage, hospital):
    fresh = stage(hospital, folder="fresh")
    fresh()
    ward = stage(hospital)
    old = stage(hospital.model_copy(update={"name": "other"}))
    old()
    (ward.folder / "journal.sqlite").unlink()  # as of a version that kept none
    ward()
    assert_same(ward, fresh)


def test_source_without_a_label_table_gives_images_without_labels(stage, unlabelled):
    ward = stage(unlabelled)
    result = ward()
    assert ward.codes() == ["", "", "", "", "", "duplicate", "duplicate-other-patient", "", "unreadable"]
    assert result.counts["images"] == 6
    assert (ward.manifest.label_codes() == UNKNOWN).all()


def test_no_label_set_at_all_will_do(stage, unlabelled):
    ward = stage(unlabelled)
    ward.config = ward.config.model_copy(update={"labels": None})
    ward()
    assert ward.manifest.label_names == ()


def test_label_table_needs_a_label_set(stage, hospital):
    ward = stage(hospital)
    ward.config = ward.config.model_copy(update={"labels": None})
    with pytest.raises(DataError, match="labels: missing"):
        ward()


def test_16_bits_are_kept_where_asked_for(stage, unlabelled, build, write):
    rising = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    write(build(rising, BitsStored=12, PatientID="p7", SOPInstanceUID="1.3.99"), unlabelled.root / "deep/16.dcm")
    ward = stage(unlabelled, bits=16)
    ward.config = ward.config.model_copy(update={"ingest": ward.config.ingest.model_copy(update={"size": 64})})
    ward()
    image = ward.images()[2]  # deep/16.dcm
    assert image.dtype == np.uint16
    assert np.array_equal(image, np.round(rising * (65535 / 4095)))
    assert json.loads((ward.folder / "store/store.json").read_text())["bits"] == 16


def test_audit_pages_are_there_and_the_one_for_the_server_shows_no_image(stage, hospital, recording_run):
    ward = stage(hospital)
    ward()
    page, numbers = ((ward.folder / name).read_text() for name in ("audit.html", "audit_numbers.html"))
    assert "data:image/jpeg" in page
    assert "data:image/jpeg" not in numbers
    assert "data:image/png" not in numbers
    assert "audit_numbers.html" in recording_run.artifacts
    assert "audit.html" not in recording_run.artifacts


def test_quarantined_files_are_kept_only_where_asked_for_and_for_their_owner_alone(stage, hospital, write):
    write(b"", hospital.root / "x9.dcm")
    ward = stage(hospital)
    ward()
    assert not (ward.folder / "quarantine").exists()
    keeper = stage(hospital, keep_quarantined=True)
    keeper()
    folder = keeper.folder / "quarantine"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.read_bytes() for path in folder.iterdir()] == [b"a letter"]
    assert all(path.name.startswith(keeper.files.loc[8, "file"].replace(":", "-")) for path in folder.iterdir())


def test_copies_of_quarantined_files_are_deleted_when_they_are_no_longer_asked_for(stage, hospital):
    stage(hospital, keep_quarantined=True)()
    ward = stage(hospital)
    ward()
    assert not list((ward.folder / "quarantine").iterdir())


def test_copy_of_a_file_that_is_whole_by_now_is_deleted(stage, hospital, build, write):
    stage(hospital, keep_quarantined=True)()
    write(build(words(77), PatientID="p4", StudyInstanceUID="1.2.77", SOPInstanceUID="1.3.78"), hospital.root / "x8.txt")
    ward = stage(hospital, keep_quarantined=True)
    ward()
    assert not list((ward.folder / "quarantine").iterdir())


def test_archive_in_the_source_and_a_file_that_a_dicomdir_misses(stage, hospital, build, write, tmp_path):
    packed = write(build(words(40), PatientID="p7", StudyInstanceUID="1.2.40", SOPInstanceUID="1.3.40"), tmp_path / "z.dcm")
    with zipfile.ZipFile(hospital.root / "y.zip", "w") as archive:
        archive.write(packed, "inner/z.dcm")
        archive.writestr("../evil.dcm", b"x")
    ward = stage(hospital)
    ward()
    assert ward.files["number"].tolist()[:11] == [*map(str, range(1, 12))]
    assert sorted(ward.codes()[9:11]) == ["archive-unsafe", "not-labelled"]
    assert len(ward.manifest.frame) == 7
    assert "evil" not in (ward.folder / "files.csv").read_text()


@pytest.fixture
def odd_files(stage, unlabelled, monkeypatch, tmp_path, build, write):
    """A source in which some files misbehave by their names; see tests/poolwork.py. Gives the prepared run."""
    monkeypatch.syspath_prepend(POOLWORK)
    poolwork = importlib.import_module("poolwork")
    real = stage_module.resolve

    def resolve(source, phantom):
        found = real(source, phantom)
        return dataclasses.replace(found, files=poolwork.OddFiles(found.files, tmp_path))

    monkeypatch.setattr(stage_module, "resolve", resolve)

    def prepare(*names, workers=1, **ingest) -> Run:
        for index, name in enumerate(names):
            header = build(words(100 + index), PatientID="p7", StudyInstanceUID="1.2.40", SOPInstanceUID=f"1.3.10{index}")
            write(header, unlabelled.root / "deep" / name)
        return stage(unlabelled, workers=workers, **ingest)

    return prepare


def code_of(ward: Run, name: str) -> str:
    files = sorted(path.relative_to(ward.config.source.root).as_posix() for path in ward.config.source.root.rglob("*.*"))
    return ward.codes()[files.index(f"deep/{name}")]


def test_file_that_kills_the_reader_costs_one_file_which_is_named(odd_files):
    ward = odd_files("2-crash.dcm", keep_quarantined=True)
    result = ward()
    assert code_of(ward, "2-crash.dcm") == "reader-died"
    assert result.counts["images"] == 6
    assert any("a worker process ended twice while it read file 3; the file is left out" in text for text in result.warnings)
    killer = ward.files.loc[2, "file"].replace(":", "-")
    (copy,) = (ward.folder / "quarantine").glob(f"{killer}*")
    assert copy.read_bytes() == (ward.config.source.root / "deep/2-crash.dcm").read_bytes()


def test_file_that_kills_while_it_is_fetched_costs_one_file(odd_files):
    ward = odd_files("2-crash-in-fetch.dcm")
    ward()
    assert code_of(ward, "2-crash-in-fetch.dcm") == "reader-died"
    assert len(ward.manifest.frame) == 6


def test_file_that_kills_the_reader_once_is_read_again_and_taken_with_a_flag(odd_files):
    ward = odd_files("2-crash-once.dcm", keep_quarantined=True)
    result = ward()
    assert code_of(ward, "2-crash-once.dcm") == "read-again"
    assert result.counts["images"] == 7
    assert any("read again by itself, the file was whole" in text for text in result.warnings)
    assert len(list((ward.folder / "quarantine").iterdir())) == 1  # the letter


def test_file_that_hangs_the_reader_costs_one_file(odd_files):
    ward = odd_files("2-hang.dcm", file_seconds=1)
    start = time.monotonic()
    result = ward()
    assert time.monotonic() - start < 30
    assert code_of(ward, "2-hang.dcm") == "too-slow"
    assert result.counts["images"] == 6
    assert any("took longer than ingest.file_seconds" in text for text in result.warnings)


@pytest.mark.parametrize("workers", [0, 1])
def test_file_too_large_for_the_memory_costs_one_file(odd_files, workers):
    ward = odd_files("2-out-of-memory.dcm", workers=workers)
    ward()
    assert code_of(ward, "2-out-of-memory.dcm") == "too-much-memory"
    assert len(ward.manifest.frame) == 6


def test_two_bad_files_in_one_shard_are_told_apart_and_the_result_is_that_without_them(odd_files, stage, unlabelled):
    ward = odd_files("0-crash.dcm", "0-out-of-memory.dcm", workers=2)
    ward()
    for name in ("0-crash.dcm", "0-out-of-memory.dcm"):
        (unlabelled.root / "deep" / name).unlink()
    clean = stage(unlabelled, folder="clean")
    clean()
    assert np.array_equal(ward.images(), clean.images())
    pd.testing.assert_frame_equal(but_for_place(ward.manifest), but_for_place(clean.manifest))


def test_memory_limit_of_a_file_does_not_count_the_images_of_its_shard(stage, unlabelled, build, write):
    for index in range(12):
        names = {"PatientID": "p7", "StudyInstanceUID": "1.2.40", "SOPInstanceUID": f"1.5.{index}"}
        write(build(words(300 + index), **names), unlabelled.root / f"{index}.dcm")
    ward = stage(unlabelled, workers=1, shard_files=24, file_megabytes=64, bits=16)
    ward.config = ward.config.model_copy(update={"ingest": ward.config.ingest.model_copy(update={"size": 2048})})
    ward()
    assert not [codes for codes in ward.codes() if "memory" in codes]
    assert len(ward.manifest.frame) == 18


@pytest.mark.parametrize("workers", [0, 1])
def test_store_that_cannot_be_written_is_an_error_of_one_line(stage, unlabelled, workers, monkeypatch):
    ward = stage(unlabelled, workers=workers)
    real = stage_module.describe_store

    def full(folder, preprocessing):
        real(folder, preprocessing)
        shutil.rmtree(folder)

    monkeypatch.setattr(stage_module, "describe_store", full)
    with pytest.raises(DataError, match="store: cannot be written: No such file or directory"):
        ward()


def test_task_does_not_show_what_it_holds(hospital, tmp_path):
    source = stage_module.resolve(hospital, None)
    nowhere = tmp_path / "nowhere"
    reading = Reading(source.files, "dicom", source.pseudonyms, None, None, None, nowhere, nowhere)
    assert "DOE" not in repr(ShardTask(0, ("DOE^JANE.dcm",), reading))
    assert str(tmp_path) not in repr(ShardTask(0, ("DOE^JANE.dcm",), reading))


def test_two_files_of_one_public_name_are_both_kept_in_quarantine(stage, published):
    (published.root / "more/3.png").write_bytes(b"one")
    (published.root / "more_3.png").write_bytes(b"other")
    (published.root / ("long" * 60 + ".png")).write_bytes(b"third")
    public = stage(published, keep_quarantined=True)
    public()
    assert sorted(path.read_bytes() for path in (public.folder / "quarantine").iterdir()) == [b"one", b"other", b"third"]


def test_journal_of_a_killed_run_is_gone_on_with(stage, hospital, fetched, monkeypatch):
    whole = stage(hospital, folder="whole")
    whole()
    ward = stage(hospital)
    fetched.clear()
    real = shard_module.write_shard

    def killed(folder, number, *rest):
        if number == 1:
            raise KeyboardInterrupt
        real(folder, number, *rest)

    monkeypatch.setattr(shard_module, "write_shard", killed)
    with pytest.raises(KeyboardInterrupt):
        ward()
    (ward.folder / "store" / f".shard-00001.npy.{os.getpid()}.partial").write_bytes(b"half")
    monkeypatch.setattr(shard_module, "write_shard", real)
    fetched.clear()
    ward()
    assert len(fetched) == 6  # the first shard was whole
    ours, theirs = (
        {path.name: path.read_bytes() for name in ("store", "records") for path in (each.folder / name).iterdir()}
        for each in (ward, whole)
    )
    assert ours == theirs
    assert (ward.folder / "manifest.parquet").read_bytes() == (whole.folder / "manifest.parquet").read_bytes()


def test_images_that_share_a_row_of_the_table_are_flagged(stage, published):
    (published.root / "more" / "2.png").write_bytes(imagecodecs.png_encode(words(77)))
    public = stage(published)
    public()
    codes = dict(zip(public.files["file"], public.codes(), strict=True))
    assert codes["2.png"] == codes["more/2.png"] == "row-shared"
    assert "row-shared" not in codes["0.png"] + codes["1.png"]  # 1.png's other file has the same pixels, and is not taken
