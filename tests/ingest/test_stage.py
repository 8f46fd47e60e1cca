"""The stage as a whole: every file and row accounted for, nothing of a header leaks, twice is once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import yaml

from cxr.config import DicomSource, ImagesSource, IngestConfig, IngestStage
from cxr.errors import ConfigError, DataError
from cxr.ingest import shard as shard_module
from cxr.ingest.deidentify import make_key, read_key
from cxr.ingest.outcome import CODES
from cxr.ingest.shard import read_records
from cxr.ingest.stage import run
from cxr.ingest.store import ImageStore
from cxr.labels import UNCERTAIN, UNKNOWN
from cxr.manifest import read_manifest
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
    assert len(result.warnings) == 3
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
