"""The shared vocabulary is sound: one meaning per word, no concept a kind of itself, and every shipped label set fits it."""

from __future__ import annotations

import pytest
import yaml

from cxr.errors import ConfigError
from cxr.labels.concepts import read_concepts
from cxr.labels.label_set import Label, read_label_set
from cxr.labels.shipped import SHIPPED

SHIPPED_SETS = sorted(path.parent.name for path in SHIPPED.glob("*/labels.yaml"))
SHARED = read_concepts()


@pytest.fixture
def vocabulary(tmp_path):
    """Reads a vocabulary from a file with the concepts given."""

    def read(*concepts, **rest):
        path = tmp_path / "concepts.yaml"
        path.write_text(yaml.safe_dump({"concepts": list(concepts), **rest}))
        return read_concepts(path)

    return read


def kind(name, *general, **rest):
    return {"name": name, "kind_of": list(general), **rest}


@pytest.mark.parametrize(
    "concepts",
    [
        [kind("a", "a")],
        [kind("a", "b"), kind("b", "a")],
        [kind("a", "b"), kind("b", "c"), kind("c", "a")],
        [kind("d"), kind("a", "d", "b"), kind("b", "c"), kind("c", "d", "b")],
    ],
)
def test_a_concept_that_is_a_kind_of_itself_is_refused(vocabulary, concepts):
    with pytest.raises(ConfigError, match=r"concepts\.yaml: .*is a kind of itself"):
        vocabulary(*concepts)


@pytest.mark.parametrize(
    "concepts",
    [
        [kind("a", "zz")],
        [kind("a", "b"), kind("b", "zz")],  # found from a, too
        [kind("a", "b"), kind("b", "c", "zz"), kind("c")],
        [kind("ZZ"), kind("a", "zz")],
    ],
)
def test_a_kind_of_what_is_no_concept_is_refused(vocabulary, concepts):
    with pytest.raises(ConfigError, match="is a kind of 'zz', which is no concept"):
        vocabulary(*concepts)


@pytest.mark.parametrize(
    "concepts",
    [
        [kind("Effusion"), kind("effusion")],
        [kind("a", synonyms=["effusion"]), kind("Effusion")],
        [kind("a", synonyms=["effusion"]), kind("b", synonyms=["EFFUSION"])],
    ],
)
def test_a_text_that_stands_for_two_concepts_is_refused(vocabulary, concepts):
    with pytest.raises(ConfigError, match="'effusion' stands for two concepts"):
        vocabulary(*concepts)


def test_a_text_that_stands_twice_for_one_concept_is_no_trouble(vocabulary):
    found = vocabulary(kind("Edema", synonyms=["edema", "EDEMA"]))
    assert found.concept_of(Label(name="eDEMA")) == "Edema"


def test_all_that_a_concept_is_a_kind_of_is_above_it(vocabulary):
    found = vocabulary(kind("top"), kind("left", "top"), kind("right", "top"), kind("bottom", "left", "right"), kind("apart"))
    assert found.above("bottom") == {"left", "right", "top"}
    assert found.above("left") == {"top"}
    assert found.above("top") == found.above("apart") == frozenset()


@pytest.mark.parametrize(
    ("label", "concept"),
    [
        ({"name": "EFFUSION"}, "pleural effusion"),
        ({"name": "Pleural effusion"}, "pleural effusion"),
        ({"name": "Fluid", "synonyms": ["Wet", "effusion"]}, "pleural effusion"),
        ({"name": "Effusion", "concept": "mass"}, "mass"),
        ({"name": "Fluid", "concept": "Effusion"}, "pleural effusion"),
        ({"name": "Pleural"}, None),
        ({"name": "Effusions"}, None),
        ({"name": "Fluid", "synonyms": ["Wet"]}, None),
    ],
)
def test_a_label_means_the_concept_that_it_names_or_else_is_called_as(vocabulary, label, concept):
    found = vocabulary(kind("pleural effusion", synonyms=["effusion"]), kind("mass"))
    assert found.concept_of(Label(**label)) == concept


def test_a_label_that_names_no_concept_is_refused(vocabulary):
    with pytest.raises(ConfigError, match="Mass: 'masss' is none of the shared concepts"):
        vocabulary(kind("mass")).concept_of(Label(name="Mass", concept="masss"))


@pytest.mark.parametrize("content", ["", "- a\n", "concepts: [\n", "concepts: 3\n", "concepts: [{name: a, kindof: [b]}]\n"])
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path, content):
    path = tmp_path / "concepts.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"concepts\.yaml:"):
        read_concepts(path)


def test_a_missing_vocabulary_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        read_concepts(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", SHIPPED_SETS)
def test_every_shipped_label_set_fits_the_vocabulary_and_says_nothing_twice(name):
    found = [SHARED.concept_of(label) for label in read_label_set(SHIPPED / name / "labels.yaml").labels]
    named = [concept for concept in found if concept is not None]
    assert named
    assert len(named) == len(set(named))


@pytest.mark.parametrize("name", ["nih14", "chexpert", "vindr", "rsna", "openi", "hospital", "phantom"])
def test_every_label_of_these_sets_has_a_concept(name):
    labels = read_label_set(SHIPPED / name / "labels.yaml").labels
    assert [label.name for label in labels if SHARED.concept_of(label) is None] == []


def test_no_shipped_concept_rules_itself_out():
    """What has no finding is above nothing and below nothing: a mapping would make it positive beside a finding."""
    assert SHARED.above("no finding") == frozenset()
    assert not [concept.name for concept in SHARED.concepts if "no finding" in SHARED.above(concept.name)]
