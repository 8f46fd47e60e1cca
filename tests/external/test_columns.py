from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.external.columns import SCORE_WORDS, TRUTH_WORDS, find_column, id_columns, label_columns, plain
from cxr.labels.label_set import find_label_set, read_label_set

SETS = [read_label_set(find_label_set(name, Path())) for name in ("nih14", "chexpert", "vindr", "padchest", "rsna")]
HERE = Path("t.csv")
CASES = st.sampled_from([str.upper, str.lower, str.title, str])
SIGNS = st.sampled_from([" ", "_", "-", "/", ". "])


def names_of(labels):
    return [(label, text) for label in labels.labels for text in (label.name, *label.synonyms)]


LABELS = st.sampled_from([(labels, label, text) for labels in SETS for label, text in names_of(labels)])


@given(LABELS, CASES, SIGNS)
def test_a_label_is_found_by_each_of_its_names_in_whatever_spelling(which, case, sign):
    labels, label, text = which
    found = label_columns(HERE, [case(text).replace(" ", sign)], labels)
    assert list(found.bare) == [label.name]
    assert not found.scores
    assert not found.truth


@given(LABELS, st.sampled_from([*SCORE_WORDS, *TRUTH_WORDS]), CASES, SIGNS, st.booleans())
def test_a_word_in_front_or_behind_says_what_a_column_holds(which, word, case, sign, behind):
    labels, label, text = which
    column = case(f"{text}{sign}{word}" if behind else f"{word}{sign}{text}")
    found = label_columns(HERE, [column], labels)
    assert (found.scores if word in SCORE_WORDS else found.truth) == {label.name: column}
    assert not found.bare


@given(LABELS, st.text("abcdefg", min_size=1, max_size=6), SIGNS, st.booleans())
def test_a_label_beside_any_other_word_is_no_column_of_it(which, word, sign, behind):
    labels, _, text = which
    column = f"{text}{sign}{word}" if behind else f"{word}{sign}{text}"
    known = {plain(name) for _, name in names_of(labels)}
    found = label_columns(HERE, [column], labels)
    assert bool(found.all) == (plain(column) in known)


@pytest.mark.parametrize("labels", SETS, ids=lambda labels: labels.name)
def test_no_two_labels_of_a_shipped_set_are_taken_for_each_other(labels):
    header = list(labels.names)
    assert label_columns(HERE, header, labels).bare == dict(zip(labels.names, header, strict=True))
    marked = [f"score/{name}" for name in reversed(labels.names)]
    assert label_columns(HERE, marked, labels).scores == {name: f"score/{name}" for name in labels.names}


def test_ids_are_looked_for_by_name_those_that_say_most_first():
    assert id_columns(["id", "Mass", "Image Index", "Path"]) == ["Image Index", "Path", "id"]
    assert id_columns(["patient_id", "video"]) == []


def test_a_column_is_found_by_the_first_of_its_names():
    assert find_column(["Gender", "SEX"], ("sex", "gender")) == "SEX"
    assert find_column(["Patient-ID", "patient_id"], ("patientid",)) == "Patient-ID"
    assert find_column(["age"], ("sex",)) is None
