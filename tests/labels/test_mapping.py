"""What one label set says of another: only what follows from the words, in three-valued logic, and never a guess."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cxr.errors import ConfigError
from cxr.labels.concepts import Vocabulary, read_concepts
from cxr.labels.label_set import Label, LabelSet, read_label_set
from cxr.labels.mapping import LabelMapping, Rule, derive_mapping, read_mapping
from cxr.labels.shipped import SHIPPED
from cxr.labels.values import NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN

SHARED = read_concepts()
SETS = {path.parent.name: read_label_set(path) for path in sorted(SHIPPED.glob("*/labels.yaml"))}
PAIRS = list(product(SETS, SETS))
CODES = (NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN)
WRITTEN = "01-?"
"""The four codes as they are written in the tables below."""

ANATOMY = Vocabulary.model_validate(
    {
        "concepts": [
            {"name": "abnormal"},
            {"name": "opacity", "kind_of": ["abnormal"]},
            {"name": "consolidation", "kind_of": ["opacity"]},
            {"name": "mass", "synonyms": ["tumour"], "kind_of": ["opacity"]},
            {"name": "nodule", "kind_of": ["opacity"]},
            {"name": "fracture"},
        ]
    }
)


def labels(*names, title="labels", blank="unknown"):
    return LabelSet(name=title, labels=tuple(Label(name=name, blank=blank) for name in names))


def codes(*rows):
    return np.array([[WRITTEN.index(cell) for cell in row] for row in rows], np.int8)


def text(found):
    return ["".join(WRITTEN[code] for code in row) for row in found]


def derived(source, target, blank="unknown"):
    """The derived mapping; `blank` is the policy of the source, which tells whether its 0 was said."""
    return derive_mapping(labels(*source, blank=blank), labels(*target), ANATOMY)


@pytest.mark.parametrize(
    ("rule", "kinds", "table"),
    [
        # of each: A in rows 0 1 - ?, B in columns 0 1 - ?
        ({"same": ("A",)}, {}, ["0000", "1111", "----", "????"]),
        ({"same": ("A", "B")}, {}, ["01-0", "1111", "-1--", "01-?"]),
        ({"covers": ("A",)}, {}, ["????", "1111", "----", "????"]),
        ({"covers": ("A", "B")}, {}, ["?1-?", "1111", "-1--", "?1-?"]),
        ({"covers": ("A", "B"), "complete": True}, {}, ["01-?", "1111", "-1--", "?1-?"]),
        ({"covered_by": ("A",)}, {}, ["0000", "????", "????", "????"]),
        ({"covered_by": ("A", "B")}, {}, ["0??0", "????", "????", "0???"]),
        ({"covered_by": ("A",)}, {"A": ("B",)}, ["0?00", "????", "????", "????"]),
        ({"same": ("A",), "covers": ("B",)}, {}, ["0100", "1111", "-1--", "?1-?"]),
        ({"same": ("A",), "covers": ("B",)}, {"A": ("B",)}, ["0100", "1111", "-1--", "?1-?"]),
        ({"same": ("A",), "covered_by": ("B",)}, {}, ["0000", "1111", "----", "0???"]),
        ({"covers": ("A",), "covered_by": ("B",)}, {}, ["0???", "1111", "----", "0???"]),
        ({"covers": ("A",), "covered_by": ("B",)}, {"B": ("A",)}, ["0???", "1111", "----", "0???"]),
        ({"same": ("A",), "doubted_by": ("B",)}, {}, ["0?00", "1111", "----", "????"]),
        ({"same": ("A",), "doubted_by": ("B",)}, {"B": ("A",)}, ["0?00", "1111", "----", "????"]),
        ({"doubted_by": ("A", "B")}, {}, ["????"] * 4),
        ({"complete": True}, {}, ["????"] * 4),
    ],
)
def test_truth_table(rule, kinds, table):
    source, target = labels("A", "B"), labels("T")
    mapping = LabelMapping(source, target, {"T": Rule(**rule)}, kinds)
    found = mapping.apply(np.array(list(product(CODES, CODES)), np.int8))
    assert found.dtype == np.int8
    assert found.shape == (16, 1)
    assert "".join(text(found.T)) == "".join(table)


def test_synonyms_of_a_concept_are_the_same_finding():
    mapping = derived(["Mass"], ["Tumour"])
    assert mapping.rules == {"Tumour": Rule(same=("Mass",))}
    assert text(mapping.apply(codes("0", "1", "-", "?"))) == ["0", "1", "-", "?"]


def test_a_positive_kind_makes_the_general_label_positive_and_a_negative_one_says_nothing():
    mapping = derived(["Mass", "Nodule"], ["Opacity"])
    assert mapping.rules["Opacity"] == Rule(covers=("Mass", "Nodule"))
    assert text(mapping.apply(codes("10", "01", "00", "-0", "??"))) == ["1", "1", "?", "-", "?"]


def test_a_negative_general_label_makes_its_kinds_negative_and_a_positive_one_says_nothing():
    mapping = derived(["Opacity"], ["Mass", "Nodule"])
    assert text(mapping.apply(codes("0", "1", "-", "?"))) == ["00", "??", "??", "??"]


def test_a_positive_specific_label_outweighs_a_negative_general_one():
    mapping = derived(["Opacity", "Mass"], ["Opacity"])
    assert text(mapping.apply(codes("01", "00", "0?"))) == ["1", "0", "0"]


def test_a_negative_general_label_says_nothing_of_others_where_a_kind_of_it_is_positive():
    mapping = derived(["Opacity", "Mass"], ["Nodule", "Mass"])
    assert text(mapping.apply(codes("01", "00", "0?", "0-"))) == ["?1", "00", "0?", "0-"]


def test_of_several_general_labels_the_nearest_speaks():
    assert derived(["Abnormal", "Opacity"], ["Mass"]).rules["Mass"] == Rule(covered_by=("Opacity",))
    assert derived(["Abnormal"], ["Mass"]).rules["Mass"] == Rule(covered_by=("Abnormal",))


def test_where_a_label_of_the_same_meaning_is_no_general_one_speaks():
    mapping = derived(["Opacity", "Mass"], ["Mass"])
    assert text(mapping.apply(codes("0?", "00", "01"))) == ["?", "0", "1"]


def test_of_two_general_labels_a_negative_one_speaks_only_where_the_other_does_not_object():
    vocabulary = Vocabulary.model_validate(
        {"concepts": [{"name": "bone"}, {"name": "break"}, {"name": "rib", "kind_of": ["bone", "break"]}]}
    )
    mapping = derive_mapping(labels("Bone", "Break"), labels("Rib"), vocabulary)
    assert mapping.rules["Rib"] == Rule(covered_by=("Bone", "Break"))
    assert text(mapping.apply(codes("00", "0?", "01", "0-", "10", "-0"))) == ["0", "0", "?", "?", "?", "?"]


def test_a_general_label_that_was_not_mentioned_says_nothing_of_its_kinds():
    """A reader who writes 'mass' does not write 'opacity', so an opacity that was not written is no absence of a nodule."""
    mapping = derived(["Opacity"], ["Mass", "Nodule"], blank="negative")
    assert mapping.unreached == ("Mass", "Nodule")
    assert text(mapping.apply(codes("0", "1"))) == ["??", "??"]


def test_each_general_label_has_a_policy_of_its_own():
    source = LabelSet(name="theirs", labels=(Label(name="Abnormal"), Label(name="Opacity", blank="negative")))
    mapping = derive_mapping(source, labels("Opacity", "Mass"), ANATOMY)
    assert mapping.rules == {"Opacity": Rule(same=("Opacity",))}  # Abnormal was said, and is not doubted by


def test_a_general_finding_without_a_kind_leaves_open_which_kind_it_is_where_none_was_mentioned():
    mapping = derived(["Opacity", "Mass", "Nodule"], ["Mass"], blank="negative")
    assert mapping.rules["Mass"] == Rule(same=("Mass",), doubted_by=("Opacity",))
    told = codes("100", "101", "110", "000", "?00", "-00", "1-0", "10-", "1?0")
    assert text(mapping.apply(told)) == ["?", "0", "1", "0", "0", "0", "-", "?", "?"]


def test_a_general_finding_leaves_what_was_said_of_its_kinds_alone():
    mapping = derived(["Opacity", "Mass"], ["Mass"])
    assert mapping.rules["Mass"] == Rule(same=("Mass",))
    assert text(mapping.apply(codes("10"))) == ["0"]


def test_what_has_nothing_in_common_is_unknown():
    mapping = derived(["Opacity", "Wire"], ["Fracture", "Tube", "Mass"])
    assert mapping.unreached == ("Fracture", "Tube")
    assert mapping.unused == ("Wire",)
    assert text(mapping.apply(codes("01", "00"))) == ["??0", "??0"]


def test_labels_of_one_name_mean_the_same_without_a_concept():
    mapping = derived(["Opacity", "Wire"], ["wire", "Mass"])
    assert mapping.rules["wire"].same == ("Wire",)
    assert text(mapping.apply(codes("01", "10"))) == ["10", "0?"]


def test_labels_are_found_by_name_in_any_order():
    forth, back = derived(["Mass", "Fracture"], ["Fracture", "Mass"]), derived(["Fracture", "Mass"], ["Mass", "Fracture"])
    told = codes("01", "1?", "-0")
    assert text(forth.apply(told)) == ["10", "?1", "0-"]
    assert text(back.apply(forth.apply(told))) == text(told)


def test_codes_that_are_mapped_stay_as_they_were():
    told = codes("01", "11")
    derived(["Opacity", "Mass"], ["Opacity", "Nodule"]).apply(told)
    assert text(told) == ["01", "11"]


def test_no_image_is_no_trouble():
    assert derived(["Mass"], ["Mass", "Opacity"]).apply(np.zeros((0, 1), np.int8)).shape == (0, 2)


def random_codes(name):
    return arrays(np.int8, st.tuples(st.integers(1, 6), st.just(len(SETS[name].names))), elements=st.integers(0, 3))


def respecting(mapping, told):
    """The codes, each label as sure as the surest of its kinds."""
    names = mapping.source.names
    for name, kinds in mapping.kinds.items():
        below = told[:, [names.index(kind) for kind in kinds]]
        own = told[:, names.index(name)]
        own[((below == UNCERTAIN).any(axis=1)) & (own == UNKNOWN)] = UNCERTAIN
        own[(below == POSITIVE).any(axis=1)] = POSITIVE
    return told


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_set_says_of_itself_what_it_says(data):
    name = data.draw(st.sampled_from(sorted(SETS)))
    told = respecting(MAPPINGS[name, name], data.draw(random_codes(name)))
    np.testing.assert_array_equal(MAPPINGS[name, name].apply(told), told)


MAPPINGS = {pair: derive_mapping(SETS[pair[0]], SETS[pair[1]], SHARED) for pair in PAIRS}


def concepts_of(labels):
    return [SHARED.concept_of(label) or label.name.casefold() for label in labels.labels]


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_nothing_is_said_that_is_not_so(pair):
    """Worlds are drawn in which each finding brings what it is a kind of; of each a set tells a part: the rest has to agree."""
    source, target = (SETS[name] for name in pair)
    generator = np.random.default_rng(0)
    own = [name for side in (source, target) for name in concepts_of(side)]  # a label may be a concept of its own
    places = {name: place for place, name in enumerate(dict.fromkeys([*(c.name for c in SHARED.concepts), *own]))}
    there = generator.random((300, len(places))) < generator.choice([0.01, 0.05, 0.3], (300, 1))
    for concept, place in places.items():
        there[:, [places[general] for general in SHARED.above(concept)]] |= there[:, [place]]
    truth_of_source, truth_of_target = (
        np.stack([there[:, places[concept]] for concept in concepts_of(side)], axis=1) for side in (source, target)
    )
    told = np.where(generator.random(truth_of_source.shape) < 0.4, UNKNOWN, truth_of_source).astype(np.int8)
    unsure = np.where(generator.random(told.shape) < 0.2, UNCERTAIN, told).astype(np.int8)
    for cells in (truth_of_source.astype(np.int8), told, unsure):
        found = MAPPINGS[pair].apply(cells)
        sure = (found == POSITIVE) | (found == NEGATIVE)
        np.testing.assert_array_equal(found[sure], truth_of_target[sure])
        assert not (found == UNCERTAIN).any() or cells is unsure


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_unknown_never_becomes_negative(pair):
    """Nor does anything but a negative: what is negative rests on a negative cell."""
    mapping = MAPPINGS[pair]
    generator = np.random.default_rng(1)
    told = generator.choice(np.array([POSITIVE, UNCERTAIN, UNKNOWN], np.int8), (100, len(mapping.source.names)))
    told[0] = UNKNOWN
    found = mapping.apply(told)
    assert not (found == NEGATIVE).any()
    assert (found[0] == UNKNOWN).all()


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_a_positive_label_never_becomes_a_negative_one_of_its_concept_or_of_a_more_general_one(pair):
    """Image by image one label is positive and the rest negative, as in a list of findings."""
    source, target = (SETS[name] for name in pair)
    found = MAPPINGS[pair].apply(np.eye(len(source.names), dtype=np.int8))
    ours = concepts_of(target)
    for row, concept in zip(found, concepts_of(source), strict=True):
        implied = np.isin(ours, [concept, *SHARED.above(concept)])
        assert (row[implied] == POSITIVE).all()


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair[0] != pair[1]], ids="-".join)
def test_a_positive_label_leaves_open_which_of_its_kinds_it_is_where_none_was_mentioned(pair):
    """Of the kinds right below it: no other label of the source stands between."""
    source, target = (SETS[name] for name in pair)
    theirs = concepts_of(source)
    found = MAPPINGS[pair].apply(np.eye(len(source.names), dtype=np.int8))
    for row, label, concept in zip(found, source.labels, theirs, strict=True):
        for code, kind in zip(row, concepts_of(target), strict=True):
            above = SHARED.above(kind)
            between = any(other in above and concept in SHARED.above(other) for other in theirs)
            if label.blank == "negative" and concept in above and not between:
                assert code != NEGATIVE, (label.name, kind)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_what_was_only_not_mentioned_makes_nothing_negative_but_what_means_the_same(pair):
    source, target = (SETS[name] for name in pair)
    generator = np.random.default_rng(2)
    blank = np.array([label.blank == "negative" for label in source.labels])
    told = generator.choice(np.array([POSITIVE, UNCERTAIN, UNKNOWN], np.int8), (100, len(blank)), p=[0.05, 0.05, 0.9])
    told[blank & (generator.random(told.shape) < 0.8)] = NEGATIVE
    told[0] = np.where(blank, NEGATIVE, UNKNOWN)
    found, theirs = MAPPINGS[pair].apply(told), np.array(concepts_of(source))
    for column, concept in zip(found.T, concepts_of(target), strict=True):
        said = (told[:, theirs == concept] == NEGATIVE).any(axis=1)
        assert said[column == NEGATIVE].all(), concept


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_labels_of_one_concept_are_the_same_between_shipped_sets(pair):
    source, target = (SETS[name] for name in pair)
    theirs = {concept: name for name, concept in zip(source.names, concepts_of(source), strict=True) if concept}
    for name, concept in zip(target.names, concepts_of(target), strict=True):
        same = MAPPINGS[pair].rules[name].same if name in MAPPINGS[pair].rules else ()
        assert same == ((theirs[concept],) if concept in theirs else ())


def test_effusion_is_pleural_effusion_wherever_it_is_called_so():
    effusion = {"nih14": "Effusion", "chexpert": "Pleural Effusion", "vindr": "Pleural effusion", "openi": "Pleural Effusion"}
    for one, other in product(effusion, effusion):
        assert MAPPINGS[one, other].rules[effusion[other]].same == (effusion[one],)


def test_lung_opacity_covers_what_is_an_opacity_of_the_lung():
    rule = MAPPINGS["nih14", "chexpert"].rules["Lung Opacity"]
    assert not rule.same
    assert set(rule.covers) == {"Atelectasis", "Infiltration", "Mass", "Nodule", "Pneumonia", "Consolidation", "Edema"}
    assert not rule.complete


def test_names_that_look_alike_are_not_taken_for_each_other():
    """RSNA's class Lung Opacity means pneumonia: its absence is not the absence of CheXpert's Lung Opacity."""
    assert MAPPINGS["nih14", "vindr"].rules["Pleural thickening"].same == ("Pleural_Thickening",)
    assert "Pleural effusion" not in MAPPINGS["nih14", "vindr"].rules["Pleural thickening"].sources
    assert MAPPINGS["openi", "chexpert"].rules["Pleural Effusion"].covers == ("Hydropneumothorax",)
    assert "Pericardial Effusion" in MAPPINGS["openi", "chexpert"].unused
    assert "Subcutaneous Emphysema" in MAPPINGS["openi", "nih14"].unused
    assert "Lung Opacity" in MAPPINGS["chexpert", "rsna"].rules["Abnormal"].covers
    opacity = SETS["chexpert"].names.index("Lung Opacity")
    other_findings = np.array([[NEGATIVE, POSITIVE]], np.int8)  # Pneumonia, Abnormal
    assert MAPPINGS["rsna", "chexpert"].apply(other_findings)[0, opacity] == UNKNOWN


NIH_TO_CHEXPERT = {
    # by hand from the definitions of both sets; columns: No Finding, Enlarged Cardiomediastinum, Cardiomegaly, Lung Opacity,
    # Lung Lesion, Edema, Consolidation, Pneumonia, Atelectasis, Pneumothorax, Pleural Effusion, Pleural Other, Fracture,
    # Support Devices
    (): "??0??000000???",
    ("Mass",): "??011000000???",
    ("Nodule", "Pneumothorax"): "??011000010???",
    ("Infiltration",): "??01?000000???",
    ("Consolidation", "Pneumonia"): "??01?011000???",
    ("Atelectasis", "Effusion"): "??01?000101???",
    ("Cardiomegaly", "Edema"): "?111?100000???",
    ("Pleural_Thickening",): "??0??0000001??",
    ("Hernia", "Fibrosis", "Emphysema"): "??0??000000???",
}


@pytest.mark.parametrize("found", NIH_TO_CHEXPERT, ids=lambda found: "-".join(found) or "nothing")
def test_nih_image_in_the_words_of_chexpert(found):
    told = np.array([[name in found for name in SETS["nih14"].names]], np.int8)
    assert text(MAPPINGS["nih14", "chexpert"].apply(told)) == [NIH_TO_CHEXPERT[found]]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # by hand; columns: Atelectasis, Cardiomegaly, Effusion, Infiltration, Mass, Nodule, Pneumonia, Pneumothorax,
        # Consolidation, Edema, Emphysema, Fibrosis, Pleural_Thickening, Hernia
        ({}, "??????????????"),
        ({"No Finding": 1}, "??????????????"),
        ({"Lung Opacity": 0}, "???0??????????"),
        ({"Lung Opacity": 0, "Pneumonia": 1}, "??????1???????"),
        ({"Lung Opacity": 0, "Pneumonia": 2}, "???0??-???????"),
        ({"Lung Lesion": 0}, "????00????????"),
        ({"Lung Opacity": 1, "Lung Lesion": 1}, "??????????????"),
        ({"Pleural Effusion": 2, "Pneumothorax": 0}, "??-????0??????"),
        ({"Pleural Other": 0, "Cardiomegaly": 1}, "?1??????????0?"),
    ],
    ids=str,
)
def test_chexpert_study_in_the_words_of_nih(told, expected):
    row = np.array([[told.get(name, UNKNOWN) for name in SETS["chexpert"].names]], np.int8)
    assert text(MAPPINGS["chexpert", "nih14"].apply(row)) == [expected]


@pytest.fixture
def own(tmp_path):
    """Reads a mapping from a file with the rules given."""

    def read(source, target, **rules):
        path = tmp_path / "mapping.yaml"
        path.write_text(yaml.safe_dump(rules))
        return read_mapping(path, labels(*source, title="theirs"), labels(*target, title="ours"), ANATOMY)

    return read


def test_a_rule_of_the_file_replaces_the_derived_one_and_the_others_stay(own):
    mapping = own(["Mass", "Nodule"], ["Opacity", "Mass"], Opacity={"covers": ["Mass", "Nodule"], "complete": True})
    assert mapping.rules == {"Opacity": Rule(covers=("Mass", "Nodule"), complete=True), "Mass": Rule(same=("Mass",))}
    assert text(mapping.apply(codes("00", "01", "0?"))) == ["00", "10", "?0"]


def test_an_empty_rule_of_the_file_says_nothing(own):
    mapping = own(["Mass"], ["Opacity", "Mass"], Mass={})
    assert mapping.unreached == ("Mass",)
    assert text(mapping.apply(codes("1", "0"))) == ["1?", "??"]


def test_a_rule_of_the_file_may_say_what_no_concept_does(own):
    mapping = own(["Wire"], ["Device"], Device={"same": ["Wire"]})
    assert text(mapping.apply(codes("1", "0", "-", "?"))) == ["1", "0", "-", "?"]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"Opacty": {"same": ["Mass"]}}, "'Opacty' is no label of ours"),
        ({"Opacty": {}}, "'Opacty' is no label of ours"),
        ({"Opacity": {"covers": ["Mas"]}}, "'Mas', named for Opacity, is no label of theirs"),
        ({"Opacity": {"same": ["Opacity"]}}, "'Opacity', named for Opacity, is no label of theirs"),
        ({"Opacity": {"cover": ["Mass"]}}, r"mapping\.yaml: Opacity\.cover: "),
        ({"Opacity": {"same": "Mass"}}, r"mapping\.yaml: Opacity\.same: "),
        ({"Opacity": None}, r"mapping\.yaml: Opacity: "),
    ],
)
def test_a_wrong_name_in_the_file_is_refused(own, rules, message):
    with pytest.raises(ConfigError, match=message):
        own(["Mass"], ["Opacity"], **rules)


@pytest.mark.parametrize("content", ["", "- a\n", "Mass: [\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, content):
    path = tmp_path / "mapping.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"mapping\.yaml:"):
        read_mapping(path, labels("Mass"), labels("Mass"), ANATOMY)
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        read_mapping(tmp_path / "none.yaml", labels("Mass"), labels("Mass"), ANATOMY)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"X": Rule(same=("Mass",))}, "'X' is no label of ours"),
        ({"Opacity": Rule(covered_by=("X",))}, "'X', named for Opacity, is no label of theirs"),
    ],
)
def test_a_mapping_that_names_what_is_not_there_cannot_be_made(rules, message):
    with pytest.raises(ConfigError, match=message):
        LabelMapping(labels("Mass", title="theirs"), labels("Opacity", title="ours"), rules, {})
