"""The plan says what becomes of every label, and what a careful reader should look at."""

from __future__ import annotations

import pytest

from cxr.config_retrain import PromoteConfig, RetrainConfig
from cxr.config_training import TrainConfig
from cxr.labels.label_set import Label, LabelSet
from cxr.model.card import read_card
from cxr.retrain.explain import explain_plan
from cxr.retrain.plan import plan_labels
from tests.retrain.conftest import PLAIN

OLDER = LabelSet(name="older", labels=(Label(name="Pneumonia", blank="negative"), Label(name="Mass"), Label(name="Hernia")))
NEWER = LabelSet(
    name="newer", labels=(Label(name="Pneumonia"), Label(name="Viral pneumonia"), Label(name="Lump"), Label(name="Stent"))
)


@pytest.fixture
def explained(older_model):
    def make(newer=NEWER, train=None, **keys):
        path = older_model(PLAIN, OLDER)
        config = RetrainConfig(**({"model": path, "other_patients": True} | keys))
        plan = plan_labels(OLDER, newer, {"Lump": "Mass"} if newer is NEWER else {})
        return explain_plan(plan, read_card(path), config, TrainConfig(**(train or {})), PromoteConfig())

    return make


def test_every_label_has_its_row(explained):
    assert explained().rows == (
        ("label", "becomes", "starts from", "is judged"),
        ("Pneumonia", "kept", "its own branch, carried over", "against Pneumonia"),
        ("Viral pneumonia", "split (Pneumonia)", "a copy of the branch of Pneumonia, of which it is a kind", "by itself"),
        ("Lump", "renamed (Mass)", "the branch of Mass, carried over", "against Mass"),
        ("Stent", "added", "a new branch", "by itself"),
        ("Hernia", "dropped", "", ""),
    )
    assert explained().sentences[0] == "Labels: 1 kept, 1 renamed, 1 split, 1 added, 1 dropped."


def test_from_scratch_nothing_is_said_to_be_carried(explained):
    found = explained(weights="random")
    assert {row[2] for row in found.rows[1:-1]} == {"random weights"}
    assert any("Nothing is carried over" in sentence for sentence in found.sentences)


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ({"epochs": 4, "freeze_epochs": 4}, "stays as it is (frozen)"),
        ({"epochs": 4, "freeze_epochs": 1}, "stays as it is for 1 epoch of 4"),
        ({}, "learns from the first step"),
    ],
)
def test_the_backbone_is_told(explained, train, words):
    assert any(words in sentence for sentence in explained(train=train).sentences)


def test_a_changed_meaning_of_a_kept_label_is_remarked(explained):
    assert any(remark.startswith("Pneumonia: a blank cell was 'negative' and is 'unknown'") for remark in explained().remarks)


def test_without_a_label_in_common_nothing_can_be_shown(explained):
    found = explained(newer=LabelSet(name="n", labels=(Label(name="Stent"),)))
    assert any("no label means the same in both" in remark for remark in found.remarks)
