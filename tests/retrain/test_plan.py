"""What becomes of each label: worked out from names, synonyms and concepts, or as the user says; never guessed in silence."""

from __future__ import annotations

import random
from itertools import product

import pytest

from cxr.errors import ConfigError
from cxr.labels.label_set import Label, LabelSet, read_label_set
from cxr.labels.shipped import SHIPPED
from cxr.retrain.plan import Origin, plan_labels

SETS = {path.parent.name: read_label_set(path) for path in sorted(SHIPPED.glob("*/labels.yaml"))}


def labels(*given_labels, name="set"):
    return LabelSet(name=name, labels=tuple(each if isinstance(each, Label) else Label(name=each) for each in given_labels))


def origins(older, newer, own=None):
    plan = plan_labels(older, newer, own or {})
    return {each.label: (each.change, each.older) for each in plan.origins}, plan.dropped


def test_nih14_to_a_set_with_three_kept_one_renamed_two_new_one_of_them_split():
    newer = labels("Mass", "Hernia", "Fibrosis", "Pleural Effusion", "Viral pneumonia", "Catheter")
    found, dropped = origins(SETS["nih14"], newer)
    assert found == {
        "Mass": ("kept", "Mass"),
        "Hernia": ("kept", "Hernia"),
        "Fibrosis": ("kept", "Fibrosis"),
        "Pleural Effusion": ("renamed", "Effusion"),
        "Viral pneumonia": ("split", "Pneumonia"),
        "Catheter": ("added", ""),
    }
    assert "Pneumonia" not in dropped
    assert len(dropped) == 14 - 5


def test_a_synonym_of_either_side_renames():
    assert origins(labels(Label(name="A", synonyms=("b",))), labels("B"))[0] == {"B": ("renamed", "A")}
    assert origins(labels("A"), labels(Label(name="B", synonyms=("a",))))[0] == {"B": ("renamed", "A")}


def test_a_concept_renames_where_no_word_is_shared():
    older, newer = labels(Label(name="X", concept="pleural effusion")), labels(Label(name="Y", concept="pleural effusion"))
    assert origins(older, newer)[0] == {"Y": ("renamed", "X")}


def test_of_two_new_labels_that_mean_one_older_the_one_of_its_name_is_kept_and_the_other_starts_from_it():
    newer = labels(Label(name="Fluid", concept="pleural effusion"), Label(name="Effusion", concept="pleural effusion"))
    found, _ = origins(labels(Label(name="Effusion", concept="pleural effusion")), newer)
    assert found == {"Fluid": ("split", "Effusion"), "Effusion": ("kept", "Effusion")}


def test_a_child_of_the_new_sets_own_hierarchy_starts_from_its_parent():
    newer = labels("Oddity", Label(name="Small oddity", parent="Oddity"))
    assert origins(labels("Oddity"), newer)[0]["Small oddity"] == ("split", "Oddity")


def test_the_nearest_of_several_more_general_labels_is_taken():
    older = labels("Lung opacity", "Pneumonia")
    assert origins(older, labels("Viral pneumonia"))[0] == {"Viral pneumonia": ("split", "Pneumonia")}


def test_several_older_labels_of_one_meaning_are_refused_with_what_to_write():
    older = labels(
        Label(name="P", synonyms=("both",)), Label(name="Q", concept="pneumonia"), Label(name="R", concept="pneumonia")
    )
    with pytest.raises(ConfigError, match=r"means the same as Q and as R.*labels: \{Pneumonia: Q\}"):
        plan_labels(older, labels("Pneumonia"), {})


def test_the_users_word_comes_first():
    older = labels("Pneumonia", "Other")
    newer = labels("Pneumonia", "Viral pneumonia", "New")
    own = {"Pneumonia": "Other", "Viral pneumonia": None, "New": "Pneumonia"}
    found, dropped = origins(older, newer, own)
    assert found == {"Pneumonia": ("renamed", "Other"), "Viral pneumonia": ("added", ""), "New": ("renamed", "Pneumonia")}
    assert not dropped


def test_the_users_word_for_what_means_the_same_is_no_split():
    older = labels(Label(name="P", concept="pneumonia"), Label(name="Q", concept="pneumonia"))
    assert origins(older, labels("Pneumonia"), {"Pneumonia": "Q"})[0] == {"Pneumonia": ("renamed", "Q")}


def test_two_labels_that_the_user_starts_from_one_are_no_longer_the_same_as_it():
    found, _ = origins(labels("Opaque"), labels("Left", "Right"), {"Left": "Opaque", "Right": "Opaque"})
    assert found == {"Left": ("split", "Opaque"), "Right": ("split", "Opaque")}


def test_a_label_that_the_user_calls_another_one_is_told():
    plan = plan_labels(labels("A", "B"), labels("A", "C"), {"A": None, "C": None})
    assert plan.disowned == {"A": "A"}
    assert not plan.compared


@pytest.mark.parametrize("start", ["Oddity", "Other"])
def test_a_child_of_a_label_that_the_user_names_starts_from_its_start(start):
    newer = labels("Oddity", Label(name="Small oddity", parent="Oddity"))
    assert origins(labels("Oddity", "Other"), newer, {"Oddity": start})[0]["Small oddity"] == ("split", start)


@pytest.mark.parametrize(
    ("own", "problem"), [({"No": "A"}, "'No' is no label of set"), ({"B": "Aa"}, "'Aa' is no label of the older model")]
)
def test_a_name_that_there_is_not_is_refused(own, problem):
    with pytest.raises(ConfigError, match=problem):
        plan_labels(labels("A"), labels("B"), own)


@pytest.mark.parametrize("name", sorted(SETS))
def test_a_set_becomes_itself(name):
    plan = plan_labels(SETS[name], SETS[name], {})
    assert {each.change for each in plan.origins} == {"kept"}
    assert not plan.dropped


@pytest.mark.parametrize("pair", product(sorted(SETS), repeat=2), ids="-".join)
def test_the_order_of_the_labels_changes_nothing(pair):
    older, newer = (SETS[name] for name in pair)
    try:
        plan = plan_labels(older, newer, {})
    except ConfigError:
        return  # two labels of one meaning: refused in any order
    shuffled = newer.model_copy(update={"labels": tuple(random.Random(1).sample(newer.labels, len(newer.labels)))})
    again = plan_labels(older, shuffled, {})
    assert {each.label: each for each in again.origins} == {each.label: each for each in plan.origins}
    assert set(plan.compared.values()) | set(plan.starts.values()) | set(plan.dropped) == set(older.names)
    assert len(set(plan.compared.values())) == len(plan.compared), "no older label is compared twice"


def test_a_label_without_an_origin_is_added_and_no_other():
    with pytest.raises(ValueError, match="added from 'A'"):
        Origin("B", "added", "A")
    with pytest.raises(ValueError, match="kept from ''"):
        Origin("B", "kept")
