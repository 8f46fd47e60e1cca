"""Whoever signs a label set reads what each policy does to a cell, and what a careful reader would ask about."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import product

import pytest

from cxr.errors import ConfigError
from cxr.labels.concepts import Vocabulary, read_concepts
from cxr.labels.explain import explain_label_set, explain_mapping
from cxr.labels.label_set import Label, LabelSet, read_label_set
from cxr.labels.mapping import LabelMapping, Rule, derive_mapping
from cxr.labels.shipped import SHIPPED

SHARED = read_concepts()
SETS = {path.parent.name: read_label_set(path) for path in sorted(SHIPPED.glob("*/labels.yaml"))}
WORDS = Vocabulary.model_validate({"concepts": [{"name": name, "synonyms": [f"{name} x"]} for name in ("a", "b", "c", "d")]})


def explain(*labels, **rest):
    return explain_label_set(LabelSet(name="mine", labels=tuple(Label(**label) for label in labels), **rest), WORDS)


def sentences(*labels):
    return "\n".join(explain(*labels).sentences)


def test_the_title_says_what_it_is_and_where_it_is_from():
    found = explain({"name": "A"}, {"name": "B"}, title="Ward 7", reference="Us, 2024")
    assert found.title == "mine: 2 findings, Ward 7. Us, 2024"
    assert explain({"name": "A"}).title == "mine: 1 finding"


def test_each_label_is_a_row_with_its_other_names_its_parent_and_its_concept():
    header, *rows = explain({"name": "A", "synonyms": ["A x", "alpha"]}, {"name": "E", "parent": "A"}).rows
    assert header == ("label", "also called", "a kind of", "means the same in all sets as")
    assert rows == [("A", "A x, alpha", "", "a"), ("E", "", "A", "(its name only)")]


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("ignore", "is left out of training and of evaluation"),
        ("negative", "counts as negative, in training and in evaluation"),
        ("positive", "counts as positive, in training and in evaluation"),
        (0.3, "is taught as 0.3, between no (0) and yes (1), and left out of evaluation"),
        (0, "counts as negative, in training and in evaluation"),
        (1, "counts as positive, in training and in evaluation"),
    ],
)
def test_each_policy_for_uncertain_cells_is_told_by_what_it_does(policy, told):
    assert f"An uncertain cell of A {told}." in sentences({"name": "A", "uncertain": policy})


@pytest.mark.parametrize("policy", ["ignore", "negative", "positive", 0.3, 0, 1])
def test_what_is_told_of_an_uncertain_cell_is_what_becomes_of_it(policy):
    labels = LabelSet(name="mine", labels=(Label(name="A", uncertain=policy),))
    told = "\n".join(explain_label_set(labels, WORDS).sentences)
    truth = float(labels.truth([[2]])[0, 0])
    assert ("left out of" in told) == math.isnan(truth)
    assert ("counts as positive" in told) == (truth == 1)
    assert ("counts as negative" in told) == (truth == 0)


@pytest.mark.parametrize(
    ("policy", "told"), [("unknown", "is unknown: it teaches nothing"), ("negative", "counts as negative; ")]
)
def test_each_policy_for_blank_cells_is_told_by_what_it_does(policy, told):
    assert f"A blank cell of A {told}" in sentences({"name": "A", "blank": policy})


def test_labels_of_one_policy_are_told_together_and_all_of_them_as_every_label():
    mixed = sentences({"name": "A", "uncertain": "positive"}, {"name": "B"}, {"name": "C", "uncertain": "positive"})
    assert "An uncertain cell of A and C counts as positive" in mixed
    assert "An uncertain cell of B is left out" in mixed
    assert "A blank cell of every label is unknown" in mixed


def test_names_are_said_to_be_compared_whole():
    assert "compared whole" in sentences({"name": "A"})


def test_labels_with_a_side_are_told_with_what_follows():
    told = sentences({"name": "A", "sided": True}, {"name": "B"})
    assert "Left and right matter for A: training refuses to mirror images." in told
    assert "Left and right" not in sentences({"name": "A"}, {"name": "B"})


def test_what_excludes_others_is_told_with_them_or_with_their_number():
    few = [{"name": "No finding", "excludes": ["A", "B"]}, {"name": "A"}, {"name": "B"}]
    assert "No finding cannot be positive beside A and B; " in sentences(*few)
    many = [{"name": str(number)} for number in range(9)]
    told = sentences({"name": "No finding", "excludes": [label["name"] for label in many]}, *many)
    assert "No finding cannot be positive beside 9 other labels; " in told


def test_a_hierarchy_is_told_with_what_it_does_and_what_it_does_not():
    told = sentences({"name": "A"}, {"name": "B", "parent": "A"})
    assert "the audit lists the image; nothing is changed" in told
    assert "nothing is changed" not in sentences({"name": "A"}, {"name": "B"})


@pytest.mark.parametrize(
    ("first", "second"),
    [("Pleural_Thickening", "Pleural Thickening"), ("Nodule/Mass", "nodule mass"), ("Enlarged-PA", "EnlargedPa")],
)
def test_names_that_look_alike_are_remarked(first, second):
    (remark, *_) = explain({"name": first}, {"name": second}).remarks
    assert f"'{first}' and '{second}' look alike" in remark


def test_a_synonym_that_looks_like_another_label_is_remarked_and_one_like_its_own_is_not():
    assert any(
        "'A_1' and 'A 1' look alike" in remark
        for remark in explain({"name": "A_1"}, {"name": "B", "synonyms": ["A 1"]}).remarks
    )
    assert explain({"name": "A", "synonyms": ["A_", "a x"]}).remarks == ()


def test_labels_without_a_concept_are_remarked_with_what_follows():
    (remark,) = explain({"name": "A"}, {"name": "E"}, {"name": "F"}).remarks
    assert remark.startswith("E, F: no shared concept, so only a label of the same name")
    assert explain({"name": "A"}, {"name": "B"}).remarks == ()


def test_two_labels_of_one_concept_are_remarked():
    (remark,) = explain({"name": "A"}, {"name": "Alpha", "concept": "a"}, {"name": "B"}).remarks
    assert remark.startswith("A and Alpha stand for the same concept, a;")


def test_a_label_that_names_no_concept_is_refused():
    with pytest.raises(ConfigError, match="'zz' is none of the shared concepts"):
        explain({"name": "A", "concept": "zz"})


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"same": ("A",)}, "the same as A"),
        ({"same": ("A", "B")}, "the same as A or B"),
        ({"covers": ("A", "B", "C")}, "positive where A, B or C is"),
        ({"covers": ("A",), "complete": True}, "positive where A is, and negative where all of these are"),
        ({"covered_by": ("C",)}, "negative where C is, and no kind of it is positive"),
        ({"same": ("A",), "covers": ("B",)}, "the same as A; positive where B is"),
        (
            {"same": ("A",), "doubted_by": ("B", "C")},
            "the same as A; unknown instead of negative where B or C is positive, and no kind of it is",
        ),
    ],
)
def test_each_rule_of_a_mapping_is_told_in_words(rule, told):
    source = LabelSet(name="theirs", labels=tuple(Label(name=name) for name in "ABC"))
    target = LabelSet(name="ours", labels=(Label(name="T"), Label(name="U")))
    found = explain_mapping(LabelMapping(source, target, {"T": Rule(**rule)}, {}))
    assert found.title == "theirs to ours: 1 of 2 labels are reached"
    assert found.rows == (("ours", "from theirs"), ("T", told), ("U", "unknown"))


def test_a_mapping_is_told_with_what_stays_unknown_and_what_says_nothing():
    found = explain_mapping(derive_mapping(SETS["nih14"], SETS["chexpert"], SHARED))
    assert "stays unknown; it is never taken for negative" in found.sentences[0]
    assert found.sentences[1] == "Of nih14 these say nothing here: Emphysema, Fibrosis, Hernia."
    assert dict(found.rows)["Pleural Effusion"] == "the same as Effusion"


@pytest.mark.parametrize("name", SETS)
def test_every_shipped_label_set_is_explained_without_a_doubt(name):
    found = explain_label_set(SETS[name], SHARED)
    assert len(found.rows) == 1 + len(SETS[name].names)
    assert all(len(row) == len(found.rows[0]) for row in found.rows)
    assert not [remark for remark in found.remarks if "no shared concept" not in remark]
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in found.sentences)


def test_every_mapping_between_shipped_sets_is_explained():
    for one, other in product(SETS, SETS):
        found = explain_mapping(derive_mapping(SETS[one], SETS[other], SHARED))
        assert [row[0] for row in found.rows[1:]] == list(SETS[other].names)
        assert all(text for _, text in found.rows)


@pytest.mark.parametrize("module", ["cxr.labels.explain", "cxr.ingest.table.explain"])
def test_explaining_needs_no_terminal_and_no_table(module):
    heavy = ("rich", "click", "torch", "mlflow", "cv2", "matplotlib")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
