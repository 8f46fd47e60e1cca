from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from cxr.errors import DataError
from cxr.phantom.broken import DEFECTS
from cxr.phantom.cohort import read_masks, write_cohort, write_masks
from cxr.phantom.findings import FINDINGS


def _digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_two_workers_write_the_same_bytes_as_one(cohort, source, tmp_path):
    write_cohort(tmp_path, source.model_copy(update={"workers": 2}), seed=5)
    assert _digests(tmp_path) == _digests(cohort[0])


def test_every_good_file_reads_and_is_what_the_plan_says(cohort, display):
    folder, plan = cohort
    for image in plan.good:
        dataset = pydicom.dcmread(folder / "dicom" / image.file)
        assert dataset.SOPInstanceUID == image.examination.instance_uid
        assert display(dataset).shape == image.shape


def test_label_table_has_a_row_for_every_file(cohort):
    folder, plan = cohort
    rows = _rows(folder / "dicom" / "labels.csv")
    assert list(rows[0]) == ["SOPInstanceUID", *FINDINGS]
    assert [row["SOPInstanceUID"] for row in rows] == [image.examination.instance_uid for image in plan.images]
    assert {value for row in rows for name, value in row.items() if name in FINDINGS} == {"0", "1", "-1", ""}


def test_a_mask_is_not_empty_exactly_where_the_truth_has_the_finding(cohort):
    folder, _ = cohort
    for row in _rows(folder / "truth.csv"):
        masks = read_masks(folder / "masks" / f"{row['SOPInstanceUID']}.png")
        for name in FINDINGS:
            assert masks[name].any() == (row[name] == "1") == (float(row[f"{name}_severity"]) > 0)


def test_truth_and_masks_are_those_of_the_good_files_alone(cohort):
    folder, plan = cohort
    uids = {image.examination.instance_uid for image in plan.good}
    assert {row["SOPInstanceUID"] for row in _rows(folder / "truth.csv")} == uids
    assert {path.stem for path in (folder / "masks").iterdir()} == uids


def test_broken_files_are_of_every_kind_and_listed(cohort):
    folder, _ = cohort
    rows = _rows(folder / "broken.csv")
    assert {row["defect"] for row in rows} == set(DEFECTS)
    assert all((folder / "dicom" / row["file"]).is_file() for row in rows)


def test_progress_counts_every_file_to_the_end(source, tmp_path):
    seen = []
    plan = write_cohort(tmp_path, source, 1, lambda done, total, text="": seen.append((done, total)))
    assert seen == [(done, len(plan.images)) for done in range(1, len(plan.images) + 1)]


def test_masks_survive_the_file_where_they_overlap(tmp_path):
    left, low = np.zeros((8, 9), np.bool_), np.zeros((8, 9), np.bool_)
    left[:, :5], low[4:] = True, True
    write_masks(tmp_path / "m.png", {"Hernia": left, "Edema": low}, (8, 9))
    masks = read_masks(tmp_path / "m.png")
    assert np.array_equal(masks["Hernia"], left)
    assert np.array_equal(masks["Edema"], low)
    assert not masks["Nodule"].any()


def test_a_colour_picture_is_refused_as_a_mask_file(tmp_path):
    cv2.imwrite(str(tmp_path / "colour.png"), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"colour\.png"):
        read_masks(tmp_path / "colour.png")
