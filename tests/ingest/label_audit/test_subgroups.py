from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.ingest.label_audit.bits import pack_codes
from cxr.ingest.label_audit.subgroups import AGE_BANDS, count_by_group
from cxr.manifest import SEXES, VIEWS

ROW = st.tuples(
    st.sampled_from(VIEWS),
    st.sampled_from(SEXES),
    st.sampled_from([0.0, 0.4, 9.9, 10.0, 19.0, 45.5, 80.0, 89.0, 89.9, 90.0, math.nan]),
    st.integers(0, 4),
    st.integers(0, 4),
)


def band(age: float) -> str:
    if math.isnan(age):
        return "unknown"
    return "90+" if age >= 90 else f"{int(age // 10) * 10}-{int(age // 10) * 10 + 9}"


@settings(deadline=None)
@given(st.lists(ROW, max_size=40))
def test_groups_are_counted_as_a_loop_counts_them(make_frame, label_set, rows):
    labels = label_set("a", {"name": "b", "blank": "negative"})
    views, sexes, ages = ([row[place] for row in rows] for place in range(3))
    frame = make_frame(len(rows), view=views, sex=sexes, age_years=np.array(ages, np.float64))
    codes = np.array([row[3:] for row in rows], np.int8).reshape(-1, 2)
    found = count_by_group(frame, pack_codes(codes), labels)
    assert [(group.by, group.name) for group in found.groups] == [
        *(("view", name) for name in VIEWS), *(("sex", name) for name in SEXES), *(("age", name) for name in AGE_BANDS)
    ]  # fmt: skip
    for place, group in enumerate(found.groups):
        of = {"view": lambda row: row[0], "sex": lambda row: row[1], "age": lambda row: band(row[2])}[group.by]
        members = [row for row in rows if of(row) == group.name]
        assert group.images == len(members)
        for label, known in enumerate(((0, 1), (0, 1, 4))):
            assert found.positive[label, place] == sum(row[3 + label] == 1 for row in members)
            assert found.known[label, place] == sum(row[3 + label] in known for row in members)
