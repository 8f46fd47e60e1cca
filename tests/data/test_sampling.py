from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.config_training import SamplingConfig
from cxr.data.sampling import Sampling, expected_positives, label_sampling

NAN = np.nan
TARGETS = np.array([[1, 0], [0, 0], [0, 1], [0, 1], [0.5, NAN], [0.4, 0], [NAN, NAN], [1, 1]], np.float32)
ALONE = np.arange(8)


def _sampling(**config: float | bool) -> Sampling:
    sampling = label_sampling(TARGETS, ALONE, SamplingConfig.model_validate(config))
    assert sampling is not None
    return sampling


@st.composite
def samplings(draw: st.DrawFn) -> Sampling:
    count = draw(st.integers(1, 60))
    weights = draw(st.lists(st.floats(0.01, 100), min_size=count, max_size=count))
    patients = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    return Sampling(np.array(weights), np.array(patients))


def _counts(sampling: Sampling, seed: int = 0) -> npt.NDArray[np.int64]:
    return np.bincount(sampling.draw(np.random.default_rng(seed)), minlength=len(sampling.weights))


def _within_one(counts: npt.NDArray[np.int64], expected: npt.NDArray[np.float64]) -> bool:
    return bool((counts >= np.floor(expected - 1e-9)).all() and (counts <= np.ceil(expected + 1e-9)).all())


def test_off_means_each_image_once() -> None:
    assert label_sampling(TARGETS, ALONE, SamplingConfig()) is None
    assert label_sampling(TARGETS[:0], ALONE[:0], SamplingConfig(rare=1)) is None
    assert expected_positives(TARGETS, None).tolist() == [3, 3]


def test_the_weight_is_that_of_the_rarest_positive_label() -> None:
    """Eight images; three have a target of at least 0.5 for each label, so that either is worth (8 / 3) ** rare."""
    common, targets = 8 / 3, TARGETS.copy()
    weights = _sampling(rare=1).weights
    assert np.allclose(weights, [common, 1, common, common, common, 1, 1, common])
    targets[3, 1] = 0  # the second label has two positives now, and the last image has both
    rarer = label_sampling(targets, ALONE, SamplingConfig(rare=0.5))
    assert rarer is not None
    assert np.allclose(rarer.weights, np.sqrt([8 / 3, 1, 4, 1, 8 / 3, 1, 1, 4]))


def test_at_exponent_one_rare_positives_are_as_many_as_common_ones() -> None:
    targets = np.zeros((1000, 3), np.float32)
    targets[:10, 0], targets[10:110, 1], targets[110:610, 2] = 1, 1, 1
    sampling = label_sampling(targets, np.arange(1000), SamplingConfig(rare=1))
    positives = expected_positives(targets, sampling)
    assert np.allclose(positives, positives[0])
    assert sampling is not None
    drawn = targets[sampling.draw(np.random.default_rng(0))].sum(axis=0)
    assert np.abs(drawn - positives).max() <= 10


def test_by_patient_every_patient_is_expected_equally_often() -> None:
    patients = np.array([0, 0, 0, 0, 0, 1, 2, 2])
    sampling = label_sampling(TARGETS, patients, SamplingConfig(by_patient=True))
    assert sampling is not None
    assert np.allclose(np.bincount(patients, sampling.expected), 8 / 3)
    for seed in range(20):
        assert set(np.bincount(patients[sampling.draw(np.random.default_rng(seed))], minlength=3)) <= {2, 3}


@given(samplings(), st.integers(0, 1000))
def test_an_image_and_a_patient_come_as_often_as_expected_rounded_down_or_up(sampling: Sampling, seed: int) -> None:
    counts, expected = _counts(sampling, seed), sampling.expected
    assert counts.sum() == len(expected)
    assert _within_one(counts, expected)
    patients = sampling.patients
    assert _within_one(np.bincount(patients, counts).astype(np.int64), np.bincount(patients, expected))


def test_counts_have_the_expected_mean() -> None:
    sampling = _sampling(rare=1)
    mean = np.mean([_counts(sampling, seed) for seed in range(4000)], axis=0)
    assert np.allclose(mean, sampling.expected, atol=0.04)


@pytest.mark.parametrize("patients", [np.arange(60), np.zeros(60, np.int64)], ids=["of 60 patients", "of one patient"])
def test_images_that_stand_together_are_not_tied_to_each_other(patients: npt.NDArray[np.int64]) -> None:
    """With weights of one half each, evenly spaced points on the rows in order would take every other row."""
    sampling = Sampling(np.tile([0.5, 1.5], 30), patients)
    neighbours = {tuple(_counts(sampling, seed)[[0, 2, 4, 6]].tolist()) for seed in range(60)}
    assert len(neighbours) > 8


def test_a_draw_repeats_with_its_seed() -> None:
    sampling = _sampling(rare=1)
    first, again, other = (sampling.draw(np.random.default_rng(seed)).tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_an_image_that_comes_often_is_spread_over_the_epoch() -> None:
    sampling = Sampling(np.r_[np.ones(40), 40.0], np.arange(41))
    for seed in range(5):
        places = np.flatnonzero(sampling.draw(np.random.default_rng(seed)) == 40)
        assert len(places) in (20, 21)
        assert np.ptp(places) > 30


@pytest.mark.parametrize("rare", [-0.1, 1.1])
def test_an_exponent_outside_its_range_is_refused(rare: float) -> None:
    with pytest.raises(ValueError, match="rare"):
        SamplingConfig(rare=rare)
