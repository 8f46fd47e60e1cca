"""Several rows of one image made one, against slow references that take image after image and cell after cell."""

from __future__ import annotations

import math
from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.ingest.table.layout import TableFormat
from cxr.ingest.table.rows import agreement, merge_boxes, merge_readers, refuse_repeats
from cxr.labels.label_set import Label, LabelSet
from cxr.labels.values import BLANK, NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN

TABLE = Path("t.csv")
LABELS = LabelSet(name="two", labels=(Label(name="Mass"), Label(name="Edema", blank="negative")))


def layout(rule: str = "majority") -> TableFormat:
    return TableFormat.model_validate({"key": "k", "reader": "r", "agreement": rule, "findings": {"layout": "columns"}})


def keys(*texts: str) -> tuple[pd.Series, np.ndarray]:
    return pd.Series(texts, dtype="str"), np.arange(2, 2 + len(texts))


def test_keys_that_stand_once_are_no_repeats():
    assert refuse_repeats(TABLE, *keys("a", "b", "A"), "image") is None


def test_key_that_stands_twice_names_both_rows_and_not_the_key():
    with pytest.raises(
        DataError, match=r"^t\.csv: row 4: image is the same as in row 2; an image or study stands once$"
    ) as error:
        refuse_repeats(TABLE, *keys("Doe", "b", "Doe"), "image")
    assert "Doe" not in str(error.value)


def test_repeats_are_counted():
    with pytest.raises(DataError, match=r"row 3: .* as in row 2;.*; 3 such rows in all"):
        refuse_repeats(TABLE, *keys("a", "a", "b", "a", "b"), "image")


def test_blank_key_is_refused_with_its_row():
    with pytest.raises(DataError, match=r"^t\.csv: row 3: image names no image$"):
        refuse_repeats(TABLE, *keys("a", "", ""), "image")


def boxes(*rows: tuple[int, tuple[int, ...]]) -> list[list[int]]:
    """Merged codes of rows (image, codes), numbered from 2."""
    groups, codes = np.array([group for group, _ in rows]), np.array([code for _, code in rows], np.int8)
    return merge_boxes(TABLE, groups, np.arange(2, 2 + len(rows)), codes, LABELS.names).tolist()


def test_finding_of_one_box_is_said_of_the_image_and_of_no_other():
    rows = [
        (0, (BLANK, POSITIVE)),
        (1, (BLANK, BLANK)),
        (0, (POSITIVE, BLANK)),
        (1, (UNCERTAIN, UNKNOWN)),
        (0, (POSITIVE, BLANK)),
    ]
    assert boxes(*rows) == [[POSITIVE, POSITIVE], [UNCERTAIN, UNKNOWN]]


@pytest.mark.parametrize(
    ("said", "together"),
    [
        ((BLANK, BLANK), BLANK), ((BLANK, UNKNOWN), UNKNOWN), ((UNKNOWN, NEGATIVE), NEGATIVE), ((BLANK, NEGATIVE), NEGATIVE),
        ((NEGATIVE, UNCERTAIN), UNCERTAIN), ((UNKNOWN, UNCERTAIN, BLANK), UNCERTAIN), ((UNCERTAIN, POSITIVE), POSITIVE),
        ((BLANK, POSITIVE, UNKNOWN), POSITIVE), ((BLANK, UNKNOWN, NEGATIVE, UNCERTAIN), UNCERTAIN),
    ],
)  # fmt: skip
def test_boxes_say_the_same_in_any_order(said, together):
    for order in permutations(said):
        rows = [(0, (code, BLANK)) for code in order]
        assert boxes(*rows, (1, (BLANK, BLANK))) == [[together, BLANK], [BLANK, BLANK]], order


def test_boxes_that_contradict_are_refused_with_their_rows():
    rows = [(0, (POSITIVE, BLANK)), (1, (BLANK, POSITIVE)), (1, (BLANK, BLANK)), (1, (BLANK, NEGATIVE)), (0, (POSITIVE, BLANK))]
    with pytest.raises(DataError, match=r"^t\.csv: rows 3, 5: one says yes and another one no to Edema, of the same image$"):
        boxes(*rows)


@given(st.lists(st.tuples(st.integers(0, 3), st.tuples(*[st.integers(0, 4)] * 2)), min_size=1, max_size=12))
def test_boxes_are_merged_as_a_slow_reference_says(rows):
    order = list(dict.fromkeys(group for group, _ in rows))  # groups are numbered as they appear
    rows = [(order.index(group), codes) for group, codes in rows]
    expected = []
    for group in range(len(order)):
        cells = [{codes[label] for of, codes in rows if of == group} for label in range(2)]
        if any({NEGATIVE, POSITIVE} <= said for said in cells):
            with pytest.raises(DataError, match="one says yes and another one no"):
                boxes(*rows)
            return
        weight = (POSITIVE, UNCERTAIN, NEGATIVE, UNKNOWN, BLANK)
        expected.append([next(value for value in weight if value in said) for said in cells])
    assert boxes(*rows) == expected


@pytest.mark.parametrize(
    ("votes", "majority", "unanimous", "any_"),
    [
        ((1, 1, 1), 1, 1, 1), ((1, 1, 0), 1, 2, 1), ((1, 0, 0), 0, 2, 1), ((0, 0, 0), 0, 0, 0), ((1, 0), 2, 2, 1),
        ((1,), 1, 1, 1), ((0,), 0, 0, 0), ((2,), 2, 2, 2), ((1, 2, 2), 2, 2, 1), ((0, 2, 2), 2, 2, 2), ((1, 0, 2), 2, 2, 1),
        ((1, 1, 2), 1, 2, 1), ((0, 0, 2), 0, 2, 2), ((1, 2), 2, 2, 1), ((0, 2), 2, 2, 2), ((1, 1, 2, 2), 2, 2, 1),
        ((1, 1, 3), 1, 2, 1), ((0, 0, 3), 0, 2, 2), ((0, 3), 2, 2, 2), ((1, 1, 0, 3), 2, 2, 1), ((0, 0, 0, 1, 2), 0, 2, 1),
        ((1, 1, 4), 1, 2, 1), ((0, 4), 2, 2, 2), ((1, 4), 2, 2, 1),
        ((3, 3), 3, 3, 3), ((1, 3, 3), 2, 2, 1), ((2, 3), 2, 2, 2), ((4, 4), 4, 4, 4), ((4, 3), 3, 3, 3), ((4, 2), 2, 2, 2),
    ],
)  # fmt: skip
def test_readers_are_counted_as_the_layout_says(votes, majority, unanimous, any_):
    """Codes 0 no, 1 yes, 2 uncertain, 3 unknown, 4 blank; of a label that is unknown where blank."""
    for order in set(permutations(votes)):
        codes = np.array([[code, NEGATIVE] for code in order], np.int8)
        found = [
            merge_readers(np.zeros(len(order), np.int64), codes, LABELS, layout(rule))[0][0, 0]
            for rule in ("majority", "unanimous", "any")
        ]
        assert found == [majority, unanimous, any_], order


def test_reader_who_does_not_mention_a_finding_says_no_where_blank_means_no():
    codes = np.array([[BLANK, BLANK], [BLANK, BLANK], [POSITIVE, POSITIVE]], np.int8)
    merged, _ = merge_readers(np.zeros(3, np.int64), codes, LABELS, layout())
    assert merged.tolist() == [[UNCERTAIN, NEGATIVE]]  # Mass: one of three has said anything; Edema: two of three say no


def test_finding_that_no_reader_mentions_stays_blank_under_both_policies():
    merged, _ = merge_readers(np.zeros(3, np.int64), np.full((3, 2), BLANK, np.int8), LABELS, layout())
    assert merged.tolist() == [[BLANK, BLANK]]


def vote(cells: list[int], rule: str, blank: int) -> int:
    """One label of one image, by the words of the documentation."""
    if set(cells) == {BLANK}:
        return BLANK
    said = Counter(blank if cell == BLANK else cell for cell in cells)
    for value in (POSITIVE, NEGATIVE):
        enough = {"majority": len(cells) // 2 + 1, "unanimous": len(cells), "any": 1 if value == POSITIVE else len(cells)}
        if said[value] >= enough[rule]:
            return value
    return UNKNOWN if set(said) == {UNKNOWN} else UNCERTAIN


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.tuples(*[st.integers(0, 4)] * 2)), min_size=1, max_size=10),
    st.sampled_from(["majority", "unanimous", "any"]),
)
def test_readers_are_merged_as_a_slow_reference_says(rows, rule):
    order = list(dict.fromkeys(group for group, _ in rows))
    groups = np.array([order.index(group) for group, _ in rows])
    merged, agreed = merge_readers(groups, np.array([codes for _, codes in rows], np.int8), LABELS, layout(rule))
    blank = (UNKNOWN, NEGATIVE)
    for place, group in enumerate(order):
        cells = [[codes[label] for of, codes in rows if of == group] for label in range(2)]
        assert merged[place].tolist() == [vote(cells[label], rule, blank[label]) for label in range(2)]
    assert [found.name for found in agreed] == ["Mass", "Edema"]


def test_kappa_of_fleiss_by_hand():
    """Three readers: yes yes yes, and yes no no. They agree on 1 and on 1/3 of the pairs, by chance on 4/9 + 1/9."""
    found = agreement("Mass", np.array([0, 2]), np.array([3, 1]))
    assert (found.name, found.images, found.agreed) == ("Mass", 2, 1)
    assert found.kappa == pytest.approx((2 / 3 - 5 / 9) / (4 / 9))
    assert found.kappa == pytest.approx(0.25)


def test_readers_who_always_agree_have_kappa_1_and_who_always_disagree_a_negative_one():
    assert agreement("a", np.array([3, 0, 3]), np.array([0, 3, 0])).kappa == pytest.approx(1)
    assert agreement("a", np.array([1, 1]), np.array([1, 1])).kappa == pytest.approx(-1)


@pytest.mark.parametrize(("no", "yes"), [([3, 3], [0, 0]), ([0], [2]), ([1, 0], [0, 1]), ([0], [0])])
def test_kappa_is_not_a_number_where_chance_alone_would_agree_or_nobody_can(no, yes):
    assert math.isnan(agreement("a", np.array(no), np.array(yes)).kappa)


def test_image_that_one_reader_has_read_says_nothing_of_agreement():
    found = agreement("a", np.array([0, 2, 1]), np.array([3, 1, 0]))
    assert (found.images, found.agreed) == (2, 1)
    assert found.kappa == pytest.approx(0.25)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9))
def test_agreement_is_that_of_all_pairs_of_readers(counts):
    readers = [[0] * no + [1] * yes for no, yes in counts if no + yes > 1]
    found = agreement("a", np.array([no for no, _ in counts]), np.array([yes for _, yes in counts]))
    assert found.images == len(readers)
    assert found.agreed == sum(len(set(said)) == 1 for said in readers)
    if not readers:
        return
    pairs = [[one == other for one, other in permutations(said, 2)] for said in readers]
    observed = sum(sum(same) / len(same) for same in pairs) / len(pairs)
    every = [said for of in readers for said in of]
    chance = sum((every.count(value) / len(every)) ** 2 for value in (0, 1))
    assert (math.isnan(found.kappa) and chance == 1) or found.kappa == pytest.approx((observed - chance) / (1 - chance))
