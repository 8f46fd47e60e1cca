from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.external.ids import Ids, join_ids

PARTS = st.text("ab1", min_size=1, max_size=3)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def ids_of(texts, table="t.csv"):
    return Ids(table, "id", pd.Series(list(texts), dtype="str"), np.arange(2, len(texts) + 2))


@settings(max_examples=200, deadline=None)
@given(st.lists(PATHS, min_size=1, max_size=8, unique=True), st.data())
def test_equal_ids_are_joined_to_each_other_in_whatever_order(texts, data):
    theirs = data.draw(st.permutations(texts))
    join = join_ids(ids_of(texts), ids_of(theirs))
    assert join.left.tolist() == list(range(len(texts)))
    assert [theirs[place] for place in join.right] == texts
    assert join.way == ""


@settings(max_examples=200, deadline=None)
@given(st.lists(PATHS, min_size=1, max_size=8, unique=True), st.sampled_from([".png", ".JPG", ".dcm"]), PARTS, st.data())
def test_ids_that_differ_by_folder_and_ending_are_joined_or_refused_but_never_mixed_up(texts, ending, folder, data):
    theirs = data.draw(st.permutations(texts))
    left, right = ids_of([f"{folder}/{text}{ending}" for text in texts]), ids_of(theirs)
    try:
        join = join_ids(left, right)
    except DataError:  # names that do not tell the images apart
        assert len({text.split("/")[-1] for text in texts}) < len(texts)
        return
    if join is None:
        return
    for ours, other in zip(join.left, join.right, strict=True):
        # joined rows agree in as many last parts as are compared, and in no case only in a part of a name
        assert texts[ours].split("/")[-1] == theirs[other].split("/")[-1]


@settings(max_examples=100, deadline=None)
@given(st.lists(PATHS, max_size=8, unique=True, min_size=1), st.lists(PATHS, max_size=8, unique=True, min_size=1))
def test_every_row_is_joined_once_or_left_out_and_counted(ours, theirs):
    try:
        join = join_ids(ids_of(ours), ids_of(theirs))
    except DataError:
        return
    if join is not None:
        assert len(set(join.left)) == len(set(join.right)) == len(join.left) > 0
        assert join.only_left.count == len(ours) - len(join.left)
        assert join.only_right.count == len(theirs) - len(join.right)
        assert len(join.only_left.examples) == min(5, join.only_left.count)


def test_nothing_in_common_is_no_join():
    assert join_ids(ids_of(["a", "b"]), ids_of(["c"])) is None


def test_blank_ids_join_nothing():
    assert join_ids(ids_of(["", "b"]), ids_of(["", "c"])) is None


def test_repeated_ids_are_counted():
    with pytest.raises(DataError, match=r"left: image 'a' stands twice, in rows 2 and 4 \(2 such rows in all\)"):
        join_ids(ids_of(["a", "b", "a", "a"], "left"), ids_of(["a", "b"], "right"))
