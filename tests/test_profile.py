"""What MLflow shows of a data set: counts of the four label values, and one digest for the same data everywhere."""

from __future__ import annotations

import pandas as pd
import pytest

from cxr.manifest import TEXT_COLUMNS, Manifest, label_column
from cxr.profile import content_digest, log_dataset, profile


@pytest.fixture
def manifest() -> Manifest:
    text = {name: ["a", "b", "c"] for name in TEXT_COLUMNS}
    text |= {name: ["x", "x", "y"] for name in ("patient_id", "pixel_sha256", "manufacturer", "decisions")}
    numbers = {name: [0, 1, 2] for name in ("shard", "row", "height", "width")}
    context = {"view": "PA", "sex": "F", "age_years": 50.0}
    return Manifest(pd.DataFrame(text | numbers | context | {"Mass": label_column([1, 2, 3])}), ("Mass",))


def test_profile_counts_rows_patients_and_the_four_values(manifest):
    counts = {"0": 0, "1": 1, "uncertain": 1, "unknown": 1}
    assert profile(manifest) == {"images": 3, "patients": 2, "labels": {"Mass": counts}}


def test_digest_is_of_images_and_labels_not_of_where_they_lie(manifest):
    moved = Manifest(manifest.frame.assign(shard=[7, 8, 9]), manifest.label_names)
    relabelled = Manifest(manifest.frame.assign(Mass=label_column([1, 2, 2])), manifest.label_names)
    renamed = Manifest(manifest.frame.rename(columns={"Mass": "Nodule"}), ("Nodule",))
    fewer = Manifest(manifest.frame[:2], manifest.label_names)
    digests = [content_digest(each) for each in (manifest, moved, relabelled, renamed, fewer)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_dataset_is_logged_with_its_use(manifest, recording_run):
    log_dataset(recording_run, "manifest-train", "training", manifest)
    assert recording_run.datasets == [("manifest-train", content_digest(manifest), "training")]
