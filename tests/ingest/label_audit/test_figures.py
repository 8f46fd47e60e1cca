from __future__ import annotations

import re

import pytest

from cxr.ingest.label_audit.figures import metrics


def test_names_are_those_that_mlflow_takes_and_tells_apart(audit_of, label_set):
    names = ["Mass", "a+b", "a*b", "a//b", "/etc", "..", "Épanchement pleural"]
    found = metrics(audit_of([[1] * len(names), [0] * len(names)], label_set(*names)))
    prevalences = [name for name in found if name.startswith("labels/prevalence/")]
    assert len(prevalences) == len(names)
    assert "labels/prevalence/Mass" in found
    for name in found:
        assert re.fullmatch(r"[\w\-. :/]+", name, re.ASCII)
        assert all(part.strip(". ") for part in name.split("/"))


def test_the_figures_by_hand(audit_of, label_set):
    labels = label_set("a", {"name": "b", "parent": "a"}, "c")
    audit = audit_of(
        [[0, 1, 4], [1, 1, 4], [4, 2, 4], [3, 3, 3]],
        labels,
        ages=2,
        pixel_sha256=["x", "x", "", ""],
        perceptual_hash=["0" * 64, "0" * 64, "", ""],
    )
    found = metrics(audit)
    assert found.pop("labels/prevalence/a") == pytest.approx(0.5)
    assert found.pop("labels/prevalence/b") == 1
    assert found == {
        "labels/cells/positive": 3,
        "labels/cells/negative": 1,
        "labels/cells/uncertain": 1,
        "labels/cells/blank": 4,
        "labels/images_without_row": 1,
        "labels/contradictions": 1,
        "labels/contradicting_images": 1,
        "labels/ages_implausible": 2,
        "labels/duplicates/same_pixels": 1,
        "labels/duplicates/near": 0,
        "labels/duplicates/other_patient": 1,
        "labels/duplicates/other_source": 0,
    }  # nothing is known of c, which so has no prevalence
