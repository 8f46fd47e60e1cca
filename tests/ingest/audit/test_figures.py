from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.ingest.audit.figures import histogram_svg, whole_edges


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=50))
def test_every_value_has_a_bin_and_there_are_few(values):
    edges = whole_edges(np.array(values, np.float64))
    assert 2 <= len(edges) <= 42
    assert np.histogram(values, edges)[0].sum() == len(values)


@pytest.mark.parametrize("values", [[5.0], [0.0, 3.0], [1990.0, 2020.0, 2020.0]])
def test_picture_is_drawn_and_the_same_each_time(values):
    array = np.array(values)
    picture = histogram_svg(array, whole_edges(array), "year", thousands=False)
    ElementTree.fromstring(picture)
    assert picture == histogram_svg(array, whole_edges(array), "year", thousands=False)


def test_years_have_no_thousands_separator():
    years = np.array([1000.0, 2000, 3000])
    assert ">2000</text>" in histogram_svg(years, whole_edges(years), "year", thousands=False)
    assert ">2,000</text>" in histogram_svg(years, whole_edges(years), "pixels")
