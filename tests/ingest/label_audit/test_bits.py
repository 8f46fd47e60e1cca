from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cxr.errors import DataError
from cxr.ingest.label_audit import bits
from cxr.ingest.label_audit.bits import count_bits, count_common, images_of, pack_codes, pack_flags

TABLES = hnp.arrays(np.int8, st.tuples(st.integers(0, 150), st.integers(1, 5)), elements=st.integers(0, 4))


@given(TABLES)
def test_every_cell_comes_back_as_it_was(codes):
    table = pack_codes(codes)
    back = np.full(codes.shape, -1)
    for code in range(5):
        for label in range(codes.shape[1]):
            back[images_of(table.has(code)[label]), label] = code
    assert (back == codes).all()


@given(TABLES, st.data())
def test_images_in_common_are_counted_as_a_loop_counts_them(codes, data):
    flags = data.draw(hnp.arrays(np.bool_, (3, len(codes))))
    found = count_common(pack_codes(codes).has(1), pack_flags(flags))
    expected = [
        [sum(1 for r in range(len(codes)) if codes[r, j] == 1 and flags[s, r]) for s in range(3)] for j in range(codes.shape[1])
    ]
    assert found.tolist() == expected
    assert count_bits(pack_flags(flags)).tolist() == [int(row.sum()) for row in flags]


def test_blocks_do_not_change_the_result(monkeypatch):
    codes = np.random.default_rng(0).integers(0, 5, (1000, 7)).astype(np.int8)
    whole = pack_codes(codes)
    common = count_common(whole.has(1), whole.has(4))
    monkeypatch.setattr(bits, "_BLOCK_CELLS", 64)
    monkeypatch.setattr(bits, "_BLOCK_WORDS", 3)
    assert (pack_codes(codes).bits == whole.bits).all()
    assert (count_common(whole.has(1), whole.has(4)) == common).all()


@pytest.mark.parametrize("code", [-1, 5])
def test_a_code_that_means_nothing_is_refused_with_its_row(code):
    codes = np.zeros((300, 2), np.int8)
    codes[271, 1] = code
    with pytest.raises(DataError, match="row 271 "):
        pack_codes(codes)
