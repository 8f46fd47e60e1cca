"""Names in MLflow: every label of any vocabulary has one of its own, that MLflow takes, in one piece between slashes."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_param

from cxr.labels.label_set import read_label_set
from cxr.labels.shipped import SHIPPED
from cxr.tracking.names import label_keys, metric_key, param_keys, renamed_table

VOCABULARIES = {
    "english": ["Lung Opacity (any)", "Nodule/Mass", "Nodule & Mass", "Mass", "Pleural  Effusion.", "..", "a:b"],
    "german": ["Überblähung", "Uberblahung", "Größe", "Herzvergrößerung", "Erguß, links", "Erguß; links"],
    "cyrillic": ["Пневмония", "Пневмоторакс", "Ателектаз", "Узел/масса"],
    "chinese": ["肺炎", "气胸", "肺结节 (CT)", "胸腔积液"],
}


@pytest.mark.parametrize("names", VOCABULARIES.values(), ids=VOCABULARIES)
def test_labels_of_a_vocabulary_stay_apart_each_in_one_piece(names):
    keys = label_keys(names)
    assert list(keys) == names
    assert len({key.casefold() for key in keys.values()}) == len(names)
    assert not any("/" in key for key in keys.values())


def test_a_key_is_as_readable_as_can_be():
    plain = {
        "Mass": "Mass",
        "Lung Opacity (any)": "Lung Opacity any",
        "Nodule/Mass": "Nodule Mass",
        "Überblähung": "Uberblahung",
        "Größe": "Grosse",
        "肺结节 (CT)": "CT",
        "Effusion.": "Effusion",
    }
    assert label_keys(plain) == plain
    assert label_keys(["肺炎"])["肺炎"].startswith("label ")


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/labels.yaml")), ids=lambda path: path.parent.name)
def test_shipped_labels_need_no_hash(path):
    names = read_label_set(path).names
    assert all(len(key) <= len(name) for name, key in label_keys(names).items())


def test_a_label_named_like_the_key_of_another_one_is_told_from_it():
    first = ["a b", "a,b"]
    names = [*first, *label_keys(first).values()]
    keys = label_keys(names)
    assert len({key.casefold() for key in keys.values()}) == len(names)


labels = st.lists(st.text(max_size=90), max_size=12, unique=True)


@settings(deadline=None)
@given(labels, st.randoms(use_true_random=False))
def test_any_labels_get_names_that_mlflow_takes_one_each_whatever_their_order(names, random):
    keys = label_keys(names)
    assert len(set(keys.values())) == len(names)
    for key in keys.values():
        assert "/" not in key
        _validate_metric_name(f"test/sensitivity_youden/{key}")
        assert len(key) <= 130
    random.shuffle(names)
    assert label_keys(names) == keys


@settings(deadline=None)
@given(labels)
def test_any_keys_of_a_mapping_become_parameters_one_each(names):
    keys = param_keys(f"retrain.labels.{name}" for name in names)
    assert len(set(keys.values())) == len(names)
    for key in keys.values():
        _validate_param(key, "1")


def test_the_label_at_the_end_of_a_metric_is_replaced_the_longest_one_first():
    keys = label_keys(["Mass", "Nodule/Mass", "肺炎"])
    assert metric_key("val/auroc/Mass", keys) == "val/auroc/Mass"
    assert metric_key("val/auroc/Nodule/Mass", keys) == "val/auroc/Nodule Mass"
    assert metric_key("val/auroc/肺炎", keys) == f"val/auroc/{keys['肺炎']}"
    assert metric_key("val/auroc_macro", keys) == "val/auroc_macro"
    assert metric_key("Mass", keys) == "Mass"


def test_labels_with_another_name_are_listed_with_both():
    rows = list(csv.reader(io.StringIO(renamed_table(label_keys(["Mass", 'a "b", c'])))))
    assert rows == [["name_in_mlflow", "label"], ["a b c", 'a "b", c']]
    assert renamed_table(label_keys(["Mass"])) == ""
