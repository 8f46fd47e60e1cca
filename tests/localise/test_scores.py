"""The two figures of one map, against arithmetic by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.localise.scores import TOLERANCE, energy, pointing, target

SIZE = 48


def box(top, bottom, left, right):
    truth = np.zeros((SIZE, SIZE), bool)
    truth[top:bottom, left:right] = True
    return truth


def peak(row, column, cells=4):
    found = np.full((cells, cells), 0.01, np.float32)
    found[row, column] = 0.5
    return found


def test_the_highest_cell_hits_where_its_centre_lies_inside():
    wanted = target(box(12, 24, 24, 36), 4, 4)  # exactly the cell of row 1 and column 2
    assert pointing(peak(1, 2), wanted) == 1
    assert pointing(peak(2, 1), wanted) == 0  # rows are not columns
    assert wanted.hits.sum() == 1


def test_a_place_a_little_outside_is_a_hit_and_one_further_off_is_not():
    reach = TOLERANCE * SIZE  # 1.44 pixels; the centre of the first cell is pixel 6
    assert pointing(peak(0, 0), target(box(0, 48, 7, 48), 4, 4)) == 1
    assert 1 <= reach < 2
    assert pointing(peak(0, 0), target(box(0, 48, 8, 48), 4, 4)) == 0


def test_the_tolerance_does_not_grow_with_the_cells():
    truth = box(0, 8, 0, 8)
    assert pointing(peak(0, 0, cells=2), target(truth, 2, 2)) == 0  # its centre is pixel 12
    assert pointing(peak(0, 0, cells=8), target(truth, 8, 8)) == 1


def test_of_cells_that_are_equally_high_the_share_that_hits_counts():
    wanted = target(box(0, 24, 0, 48), 4, 4)
    assert pointing(np.ones((4, 4), np.float32), wanted) == 0.5
    found = peak(0, 0)
    found[3, 3] = found[0, 0]
    assert pointing(found, wanted) == 0.5


def test_the_energy_inside_is_the_share_of_the_sum():
    found = np.array([[4, 1], [3, 2]], np.float32)
    assert energy(found, target(box(0, 24, 0, 24), 2, 2)) == pytest.approx(0.4)
    assert energy(found, target(box(0, 24, 24, 48), 2, 2)) == pytest.approx(0.1)
    assert energy(found, target(box(0, 12, 0, 48), 2, 2)) == pytest.approx(0.25)  # half of both upper cells
    assert energy(found, target(box(0, 48, 0, 48), 2, 2)) == 1


def test_a_map_of_zeros_has_no_energy():
    assert math.isnan(energy(np.zeros((2, 2), np.float32), target(box(0, 24, 0, 24), 2, 2)))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 8), st.sampled_from([1, 2, 3, 5, 7, 16, 48]))
def test_an_even_map_has_the_share_of_the_image_that_the_finding_takes(top, left, length, cells):
    truth = box(top, top + length, left, left + length)
    even = np.full((cells, cells), 1 / cells**2, np.float32)
    assert energy(even, target(truth, cells, cells)) == pytest.approx(truth.mean(), abs=1e-6)
