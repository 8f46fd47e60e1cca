"""What is told of each side is what can be counted there."""

from __future__ import annotations

import math

import pytest

from cxr.labels.values import NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN
from cxr.manifest import SPLITS, Manifest
from cxr.split.balance import balance


def divided(manifest, sides):
    return Manifest(manifest.frame.assign(split=sides), manifest.label_names)


def test_images_patients_and_cells_of_each_side_are_counted(manifest_of):
    patients = ["a", "a", "a", "b", "c", "d"]
    codes = [
        [POSITIVE, NEGATIVE],
        [NEGATIVE, UNKNOWN],
        [NEGATIVE, POSITIVE],
        [UNCERTAIN, POSITIVE],
        [POSITIVE, UNCERTAIN],
        [UNKNOWN, NEGATIVE],
    ]
    sides = ["train", "train", "train", "train", "val", "test"]
    counts = balance(divided(manifest_of(patients, codes), sides))
    assert counts.index.tolist() == list(SPLITS)
    assert counts.index.name == "split"
    assert counts["images"].tolist() == [4, 1, 1]
    assert counts["patients"].tolist() == [2, 1, 1]
    assert counts["Mass positive"].tolist() == [1, 1, 0]
    assert counts["Effusion positive"].tolist() == [2, 0, 0]
    assert counts.loc["train", "Mass prevalence"] == pytest.approx(1 / 3, abs=1e-6)  # of those that are known
    assert counts.loc["train", "Effusion prevalence"] == pytest.approx(2 / 3, abs=1e-6)
    assert counts.loc["test", "Effusion prevalence"] == 0


@pytest.mark.parametrize("cell", [UNCERTAIN, UNKNOWN])
def test_prevalence_where_nothing_is_known_is_not_zero(manifest_of, cell):
    counts = balance(divided(manifest_of(list("abc"), [[1, 1], [1, 1], [cell, 1]]), list(SPLITS)))
    assert math.isnan(counts.loc["test", "Mass prevalence"])
    assert counts.loc["test", "Mass positive"] == 0
