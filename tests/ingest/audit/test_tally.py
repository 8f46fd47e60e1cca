from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.ingest.audit.tally import bars, merged, tally, tally_decisions


@given(st.lists(st.sampled_from(["", "a", "b", "c", None]), max_size=30), st.integers(2, 5))
def test_bars_lose_no_image(texts, longest):
    counted = tally(pd.Series(texts, dtype=object))
    shown = bars(counted, longest)
    assert sum(bar.count for bar in shown) == len(texts)
    assert not texts or abs(sum(bar.share for bar in shown) - 1) < 1e-9
    assert all(0 < bar.length <= 1 for bar in shown)


def test_rare_texts_are_counted_together_and_the_missing_apart():
    counted = Counter({f"maker {index:02}": 30 - index for index in range(20)}) + Counter({"": 4})
    shown = bars(counted)
    assert [bar.kind for bar in shown] == ["text"] * 14 + ["others", "none"]
    assert (shown[14].name, shown[14].count) == ("6 others", sum(30 - index for index in range(14, 20)))
    assert (shown[15].name, shown[15].count) == ("(none)", 4)


def test_fifteen_texts_need_no_others():
    assert [bar.kind for bar in bars(dict.fromkeys("abcdefghijklmno", 1))] == ["text"] * 15


def test_equal_counts_stand_in_order_of_their_names():
    assert [bar.name for bar in bars({"b": 2, "a": 2, "c": 3})] == ["c", "a", "b"]


def test_a_text_of_any_length_is_cut():
    (bar,) = bars({"x" * 100_000: 1})
    assert len(bar.name) == 80
    assert bar.name.endswith("…")


def test_missing_values_count_as_empty():
    assert tally(pd.Series(["a", None, np.nan, "", "a"], dtype=object)) == {"a": 2, "": 3}


def test_decisions_are_counted_by_key_and_images_without_one_as_empty():
    texts = [json.dumps({"voi": "VOI LUT 1 of 1", "syntax": "RLE"}), json.dumps({"voi": "as published"})]
    counted = tally_decisions(pd.Series([texts[0], texts[1], texts[0]]), 3)
    assert counted == {"voi": {"VOI LUT 1 of 1": 2, "as published": 1, "": 0}, "syntax": {"RLE": 2, "": 1}}


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
def test_decisions_that_are_no_object_are_refused(text):
    with pytest.raises(DataError, match="decisions"):
        tally_decisions(pd.Series([text]), 1)


def test_merging_keeps_the_sum_and_leaves_out_what_has_no_name():
    assert merged({"aa": 1, "ab": 2, "c": 4}, lambda text: "a" if text[0] == "a" else "") == {"a": 3}
