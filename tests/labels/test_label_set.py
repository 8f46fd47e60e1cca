from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import ConfigError
from cxr.labels.label_set import Label, LabelSet, find_label_set, read_label_set
from cxr.labels.shipped import SHIPPED
from cxr.labels.values import BLANK, NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN

SHIPPED_SETS = sorted(path.parent.name for path in SHIPPED.glob("*/labels.yaml"))
CODES = (NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN)
POLICIES = "it must be 'ignore', 'negative' or 'positive', or a number from 0 to 1"


def one(**policy) -> LabelSet:
    return LabelSet(name="one", labels=(Label(name="Edema", **policy),))


def write(path, *labels, **rest):
    path.write_text(yaml.safe_dump({"name": "mine", "labels": list(labels), **rest}))
    return path


@pytest.mark.parametrize(
    ("policy", "target"), [("ignore", np.nan), ("negative", 0), ("positive", 1), (0.3, 0.3), (0, 0), (1, 1)]
)
def test_policy_turns_uncertain_cells_into_targets(policy, target):
    labels = one(uncertain=policy)
    targets = labels.targets(np.array([[code] for code in CODES], np.int8))
    assert targets.dtype == np.float32
    np.testing.assert_array_equal(targets[:, 0], np.array([0, 1, target, np.nan], np.float32))


@pytest.mark.parametrize(
    ("policy", "truth"), [("ignore", np.nan), ("negative", 0), ("positive", 1), (0.3, np.nan), (0.5, np.nan)]
)
def test_soft_value_is_a_target_but_no_truth(policy, truth):
    codes = np.array([[code] for code in CODES], np.int8)
    np.testing.assert_array_equal(one(uncertain=policy).truth(codes)[:, 0], np.array([0, 1, truth, np.nan], np.float32))


def test_each_label_has_its_own_policy():
    labels = LabelSet(name="two", labels=(Label(name="A", uncertain="positive"), Label(name="B", uncertain=0.2)))
    codes = np.full((3, 2), UNCERTAIN, np.int8)
    np.testing.assert_array_equal(labels.targets(codes), np.array([[1, 0.2]] * 3, np.float32))


def test_no_target_leaves_0_to_1_but_as_nan():
    labels = LabelSet(name="two", labels=(Label(name="A", uncertain=0.7), Label(name="B")))
    codes = np.random.default_rng(0).integers(0, 4, (500, 2)).astype(np.int8)
    targets = labels.targets(codes)
    assert np.isnan(targets[codes == UNKNOWN]).all()
    assert ((targets >= 0) & (targets <= 1) | np.isnan(targets)).all()
    assert (targets[codes == POSITIVE] == 1).all()
    assert (targets[codes == NEGATIVE] == 0).all()


@pytest.mark.parametrize("name", SHIPPED_SETS)
def test_shipped_label_set_never_excludes_what_lies_above_or_below(name):
    """Else one positive finding would contradict itself."""
    labels = read_label_set(find_label_set(name, SHIPPED))
    by_name = {label.name: label for label in labels.labels}
    for label in labels.labels:
        for other in label.excludes:
            assert label.name not in labels.lineage(by_name[other])
            assert other not in labels.lineage(label)


@pytest.mark.parametrize("name", SHIPPED_SETS)
def test_shipped_label_set_loads_and_finds_its_own_names(name):
    labels = read_label_set(find_label_set(name, SHIPPED))
    assert labels.name == name
    assert all(labels.find(label.name) == label for label in labels.labels)
    assert all(labels.find(synonym) == label for label in labels.labels for synonym in label.synonyms)


def test_nih_labels_are_in_the_order_of_the_paper_and_blank_is_negative():
    labels = read_label_set(find_label_set("nih14", SHIPPED))
    assert labels.names[:4] == ("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration")
    assert len(labels.names) == 14
    assert {label.blank_code for label in labels.labels} == {NEGATIVE}


def test_name_is_found_whole_and_without_regard_to_case():
    labels = LabelSet(name="x", labels=(Label(name="Effusion", synonyms=("Pleural Effusion",)), Label(name="Mass")))
    for text in ("effusion", " EFFUSION ", "Pleural effusion"):
        assert labels.find(text).name == "Effusion"
    for text in ("Effusio", "Effusions", "Pleural", "Massive", "Mas", "", "Mass Effusion"):
        assert labels.find(text) is None


@given(st.text(max_size=12))
def test_any_text_is_found_only_as_a_whole_name(text):
    labels = LabelSet(name="x", labels=(Label(name="Mass"), Label(name="Massive Mass", synonyms=("Big",))))
    found = labels.find(text)
    names = {"mass": "Mass", "massive mass": "Massive Mass", "big": "Massive Mass"}
    assert (found.name if found else None) == names.get(text.strip().casefold())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([{"name": "A"}, {"name": "a"}], "stands for both A and a"),
        ([{"name": "A", "synonyms": ["X"]}, {"name": "B", "synonyms": ["x"]}], "'x' stands for both A and B"),
        ([{"name": "A", "synonyms": ["b"]}, {"name": "B"}], "'b' stands for both A and B"),
        ([{"name": "A", "parent": "B"}], "parent 'B' of A is not a label"),
        ([{"name": "A", "parent": "A"}], "A is its own ancestor"),
        ([{"name": "A", "parent": "B"}, {"name": "B", "parent": "A"}], "its own ancestor"),
        ([{"name": "A", "parent": "B"}, {"name": "B", "parent": "C"}, {"name": "C", "parent": "B"}], "B is its own ancestor"),
        ([{"name": "A", "uncertain": "maybe"}], f"uncertain of A is 'maybe'; {POLICIES}"),
        ([{"name": "A", "uncertain": 1.5}], f"uncertain of A is 1.5; {POLICIES}"),
        ([{"name": "A", "uncertain": "0.5"}], f"uncertain of A is '0.5'; {POLICIES}"),
        ([{"name": "A", "uncertain": False}], f"uncertain of A is False; {POLICIES}"),
        ([{"name": "A", "uncertain": True}], f"uncertain of A is True; {POLICIES}"),
        ([{"name": "A", "blank": "positive"}], "blank of A is 'positive'; it must be 'unknown' or 'negative'"),
        ([{"name": "A", "synonym": ["X"]}], "unknown key; did you mean synonyms?"),
        ([{"name": ""}], "name of "),
        ([], "labels"),
        ([{"name": "A", "excludes": ["B"]}], "A excludes 'B', which is no other label of this set"),
        ([{"name": "A", "excludes": ["A"]}], "A excludes 'A', which is no other label of this set"),
        ([{"name": "A", "excludes": ["b"]}, {"name": "B"}], "A excludes 'b', which is no other label"),
        ([{"name": "A", "excludes": "B"}, {"name": "B"}], "excludes of A must be a list"),
        ([{"name": "A", "concept": ["x"]}], "must be a text"),
    ],
)
def test_wrong_label_set_is_refused_with_its_file_and_reason(tmp_path, labels, message):
    path = write(tmp_path / "mine.yaml", *labels)
    with pytest.raises(ConfigError, match=r"mine\.yaml") as error:
        read_label_set(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("word", ["no", "yes", "off", "true"])
def test_a_policy_that_yaml_reads_as_a_truth_value_is_refused_and_not_taken_for_0_or_1(tmp_path, word):
    (tmp_path / "mine.yaml").write_text(f"name: mine\nlabels:\n  - {{name: A, uncertain: {word}}}\n")
    with pytest.raises(ConfigError, match=rf"mine\.yaml: uncertain of A is (True|False); {POLICIES}"):
        read_label_set(tmp_path / "mine.yaml")


def test_name_and_synonym_that_are_one_text_are_no_ambiguity(tmp_path):
    labels = read_label_set(write(tmp_path / "mine.yaml", {"name": "Edema", "synonyms": ["edema", "EDEMA"]}))
    assert labels.find("eDEMA").name == "Edema"


def test_excludes_and_concept_are_optional_and_read(tmp_path):
    labels = [
        {"name": "None", "excludes": ["A", "B"], "concept": "no finding"},
        {"name": "A"},
        {"name": "B", "excludes": ["A"]},
    ]
    none, one, other = read_label_set(write(tmp_path / "mine.yaml", *labels)).labels
    assert (none.excludes, none.concept) == (("A", "B"), "no finding")
    assert (one.excludes, one.concept, other.excludes) == ((), None, ("A",))


def test_lineage_goes_up_from_parent_to_parent_and_names_nothing_else():
    parents = {"Opacity": None, "Consolidation": "Opacity", "Pneumonia": "Consolidation", "Edema": "Opacity", "Mass": None}
    labels = LabelSet(name="x", labels=tuple(Label(name=name, parent=parent) for name, parent in parents.items()))
    above = {label.name: labels.lineage(label) for label in labels.labels}
    assert above["Pneumonia"] == ("Consolidation", "Opacity")
    assert above == {**above, "Opacity": (), "Consolidation": ("Opacity",), "Edema": ("Opacity",), "Mass": ()}


def test_p4_settle_makes_blank_what_each_label_says_and_touches_nothing_else():
    """P4: blank becomes negative for the labels that say so, and for no other; uncertain stays uncertain."""
    labels = LabelSet(name="two", labels=(Label(name="A"), Label(name="B", blank="negative")))
    codes = np.array([[code] * 2 for code in (*CODES, BLANK)], np.int8)
    settled = labels.settle(codes)
    assert settled.dtype == np.int8
    assert settled.tolist() == [[code] * 2 for code in CODES] + [[UNKNOWN, NEGATIVE]]
    assert codes[-1].tolist() == [BLANK, BLANK]  # the codes as read are kept


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), max_size=8), st.lists(st.booleans(), min_size=3, max_size=3)
)
def test_settled_codes_are_those_of_a_manifest_and_settled_once(rows, negative):
    labels = LabelSet(
        name="x",
        labels=tuple(Label(name=n, blank="negative" if b else "unknown") for n, b in zip("abc", negative, strict=True)),
    )
    codes = np.array(rows, np.int8).reshape(-1, 3)
    settled = labels.settle(codes)
    expected = [
        [(NEGATIVE if b else UNKNOWN) if code == BLANK else code for code, b in zip(row, negative, strict=True)] for row in rows
    ]
    assert settled.tolist() == expected
    assert labels.settle(settled).tolist() == expected


def test_diamond_of_parents_is_no_cycle(tmp_path):
    labels = [{"name": "A"}, {"name": "B", "parent": "A"}, {"name": "C", "parent": "A"}, {"name": "D", "parent": "C"}]
    assert read_label_set(write(tmp_path / "mine.yaml", *labels)).names == ("A", "B", "C", "D")


@pytest.mark.parametrize("content", ["", "- a\n", "name: [\n", "labels: {a: 1}\nname: x\n"])
def test_file_that_describes_no_label_set_is_refused(tmp_path, content):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"mine\.yaml: "):
        read_label_set(path)


def test_missing_label_set_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        read_label_set(tmp_path / "none.yaml")


def test_label_set_is_found_by_shipped_name_or_by_path(tmp_path):
    path = write(tmp_path / "mine.yaml", {"name": "A"})
    assert find_label_set("mine.yaml", tmp_path) == path.resolve()
    assert find_label_set("nih14", tmp_path) == (SHIPPED / "nih14" / "labels.yaml").resolve()
    with pytest.raises(ConfigError, match=r"no label set 'nih41'.*nih14"):
        find_label_set("nih41", tmp_path)


def test_a_part_of_a_set_keeps_the_nearest_parent_that_is_left():
    chain = (Label(name="a"), Label(name="b", parent="a"), Label(name="c", parent="b", excludes=("d",)), Label(name="d"))
    part = LabelSet(name="s", title="t", labels=chain).only({"a", "c"})
    assert [(label.name, label.parent, label.excludes) for label in part.labels] == [("a", None, ()), ("c", "a", ())]
    assert (part.name, part.title) == ("s", "t")
