from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cxr.ingest.label_audit.bits import pack_codes, pack_flags
from cxr.ingest.label_audit.cells import Cells, count_cells, count_cells_among

TABLES = hnp.arrays(np.int8, st.tuples(st.integers(0, 90), st.integers(1, 4)), elements=st.integers(0, 4))


def by_loop(cells) -> Cells:
    """Counted with plain Python, by the codes of `cxr.labels.values`."""
    found = Counter(int(code) for code in cells)
    return Cells(positive=found[1], negative=found[0], uncertain=found[2], blank=found[4], unlabelled=found[3])


@given(TABLES)
def test_cells_are_counted_as_a_loop_counts_them(codes):
    found = count_cells(pack_codes(codes))
    assert found == tuple(by_loop(codes[:, label]) for label in range(codes.shape[1]))
    assert all(one.total == len(codes) for one in found)


@given(TABLES, st.data())
def test_cells_among_some_images_only(codes, data):
    flags = data.draw(hnp.arrays(np.bool_, (1, len(codes))))
    assert count_cells_among(pack_codes(codes), 0, pack_flags(flags)[0]) == by_loop(codes[flags[0], 0])
