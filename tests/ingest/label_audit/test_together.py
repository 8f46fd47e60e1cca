from __future__ import annotations

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cxr.ingest.label_audit.bits import pack_codes
from cxr.ingest.label_audit.together import Pair, count_together, strongest_pairs


@given(hnp.arrays(np.int8, st.tuples(st.integers(0, 80), st.integers(1, 5)), elements=st.integers(0, 4)))
def test_pairs_are_counted_as_a_loop_counts_them(codes):
    labels = range(codes.shape[1])
    expected = [[sum(1 for row in codes if row[i] == 1 and row[j] == 1) for j in labels] for i in labels]
    assert count_together(pack_codes(codes)).tolist() == expected


def test_the_strongest_pairs_leave_out_lineage_and_what_is_rare(label_set):
    labels = label_set("a", {"name": "b", "parent": "a"}, {"name": "c", "parent": "b"}, "d", "e")
    counted = np.array([[50, 40, 30, 25, 9], [40, 40, 30, 12, 9], [30, 30, 30, 10, 9], [25, 12, 10, 25, 9], [9, 9, 9, 9, 9]])
    assert strongest_pairs(counted, labels, 2) == [Pair("a", "d", 25, 50, 25), Pair("b", "d", 12, 40, 25)]
    assert [pair.second for pair in strongest_pairs(counted, labels, 9)] == ["d"] * 3


def test_two_hundred_labels_of_a_hundred_thousand_images_take_a_second():
    codes = (np.random.default_rng(0).random((100_000, 190), np.float32) < 0.3).astype(np.int8)
    table = pack_codes(codes)
    start = time.perf_counter()
    counted = count_together(table)
    assert time.perf_counter() - start < 1
    assert counted[3, 150] == int((codes[:, 3] & codes[:, 150]).sum())
