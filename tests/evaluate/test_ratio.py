from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.evaluate.ratio import Ratio, ratio_by_patient


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(1, 6))
def test_it_is_the_ratio_of_the_sums_over_images_written_out_as_often_as_their_patient_is_drawn(seed, images, patients):
    rng = np.random.default_rng(seed)
    owners = rng.integers(0, patients, images)
    above, below = rng.random(images), rng.integers(0, 2, images).astype(np.float64)
    counts = rng.integers(0, 4, (patients, 5)).astype(np.float64)
    expected = []
    for drawn in counts[owners].T.astype(int):
        numerator, denominator = np.repeat(above, drawn).sum(), np.repeat(below, drawn).sum()
        expected.append(numerator / denominator if denominator else np.nan)
    np.testing.assert_allclose(ratio_by_patient(above, below, owners, patients)(counts), expected, rtol=1e-12)


def test_a_sum_below_of_zero_gives_no_ratio_and_no_warning():
    ratio = Ratio(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    np.testing.assert_array_equal(ratio(np.array([[3.0, 0.0], [0.0, 1.0]])), [np.nan, 0.5])


def test_patients_without_images_count_nothing():
    ratio = ratio_by_patient(np.ones(2), np.ones(2), np.array([0, 0]), 3)
    np.testing.assert_array_equal(ratio.denominator, [2, 0, 0])
