from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.evaluate.bootstrap import percentile_bounds, resampled_aurocs
from cxr.evaluate.cells import Cells
from cxr.evaluate.interval import Span
from cxr.evaluate.paired import bootstrap_p, compare, holm
from cxr.evaluate.undefined import Undefined

NAN = np.nan


def cells_of(truth, scores, patients):
    truth = np.asarray(truth, np.float32)
    names = tuple(f"label{index}" for index in range(truth.shape[1]))
    return Cells(names, truth, np.asarray(scores, np.float64), np.zeros(truth.shape, bool), np.asarray(patients))


def made(seed=0, images=240, shifts=(0.0, 0.0, 0.0), levels=20):
    """Cells with the scores of A and those of B; A sees label j better by `shifts[j]`."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((images, len(shifts))) < 0.3).astype(np.float32)
    truth[rng.random(truth.shape) < 0.05] = NAN
    shared = rng.normal(size=truth.shape) + np.nan_to_num(truth)
    a = shared + np.nan_to_num(truth) * shifts + 0.3 * rng.normal(size=truth.shape)
    b = shared + 0.3 * rng.normal(size=truth.shape)
    scores = [np.round(levels / (1 + np.exp(-side))) / levels for side in (a, b)]
    return cells_of(truth, scores[0], np.arange(images) // 2), scores[1]


def numbers(gap):
    return (gap.difference, gap.interval.low, gap.interval.high, gap.p)


def test_a_clear_advantage_is_better_and_the_rest_shows_no_difference():
    cells, other = made(shifts=(2.0, 0.0, -2.0))
    result = compare(cells, other, 1000, 0.95, 1)
    assert [row.verdict for row in result.rows] == ["better", "no difference shown", "worse"]
    assert result.rows[0].auroc.difference > 0 > result.rows[2].auroc.difference
    assert result.rows[0].delong_p < 0.001 < 0.05 < result.rows[1].delong_p
    assert result.rows[0].p_holm == pytest.approx(3 * 2 / 1001)


def test_the_mean_over_the_labels_has_its_own_difference_interval_and_verdict():
    cells, other = made(shifts=(0.6, 0.6, 0.6))
    macro = compare(cells, other, 300, 0.95, 1).macro
    samples = resampled_aurocs(cells, 300, 1).mean(axis=1) - resampled_aurocs(replace(cells, scores=other), 300, 1).mean(axis=1)
    np.testing.assert_allclose(numbers(macro.auroc)[1:3], percentile_bounds(samples, 0.95), rtol=0, atol=1e-12)
    assert macro.auroc.a - macro.auroc.b == macro.auroc.difference
    assert (macro.labels, macro.verdict) == (cells.label_names, "better")
    assert compare(replace(cells, scores=other), cells.scores, 300, 0.95, 1).macro.verdict == "worse"


def test_a_difference_of_means_within_chance_is_not_called_one():
    macro = compare(*made(shifts=(0.0, 0.0, 0.0)), 300, 0.95, 1).macro
    assert macro.auroc.difference != 0
    assert macro.auroc.p > 0.05
    assert macro.verdict == "no difference shown"


def test_the_difference_is_resampled_in_pairs():
    cells, other = made(shifts=(0.3,))
    samples = resampled_aurocs(cells, 300, 2) - resampled_aurocs(replace(cells, scores=other), 300, 2)
    gap = compare(cells, other, 300, 0.9, 2).rows[0].auroc
    assert (gap.interval.low, gap.interval.high) == percentile_bounds(samples[:, 0], 0.9)
    apart = resampled_aurocs(replace(cells, scores=other), 300, 3)[:, 0]
    unpaired = percentile_bounds(resampled_aurocs(cells, 300, 2)[:, 0] - apart, 0.9)
    assert gap.interval.high - gap.interval.low < 0.8 * (unpaired[1] - unpaired[0])


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from([2, 5, 50]), st.sampled_from([6, 20, 80]))
def test_a_against_itself_is_neither_better_nor_worse(seed, levels, images):
    cells, _ = made(seed, images, levels=levels)
    result = compare(cells, cells.scores, 200, 0.95, seed)
    for gap, verdict in [(row.auroc, row.verdict) for row in result.rows] + [(result.macro.auroc, result.macro.verdict)]:
        assert verdict == "no difference shown" or isinstance(verdict, Undefined)
        assert gap.difference == 0 or isinstance(gap.difference, Undefined)
        assert gap.p == 1 or isinstance(gap.p, Undefined)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from([2, 5, 50]))
def test_swapping_a_and_b_turns_every_sign(seed, levels):
    turned = {"better": "worse", "worse": "better", "no difference shown": "no difference shown"}
    cells, other = made(seed, 60, (1.0, 0.2, 0.0), levels)
    there = compare(cells, other, 200, 0.95, seed)
    back = compare(replace(cells, scores=other), cells.scores, 200, 0.95, seed)
    pairs = [*zip(there.rows, back.rows, strict=True), (there.macro, back.macro)]
    for one, two in pairs:
        difference, low, high, p = numbers(one.auroc)
        np.testing.assert_allclose(numbers(two.auroc), (-difference, -high, -low, p), rtol=0, atol=1e-12)
        assert (one.auroc.a, one.auroc.b) == (two.auroc.b, two.auroc.a)
        assert turned[one.verdict] == two.verdict
    assert [row.delong_p for row in there.rows] == [row.delong_p for row in back.rows]


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.permutations(range(3)))
def test_the_order_of_labels_and_rows_changes_nothing(seed, labels):
    cells, other = made(seed, 60, (1.0, 0.2, 0.0), 5)
    rows = np.random.default_rng(seed).permutation(cells.image_count)
    shuffled = Cells(
        tuple(cells.label_names[label] for label in labels),
        *(matrix[rows][:, labels] for matrix in (cells.truth, cells.scores, cells.uncertain)),
        cells.patients[rows],
    )
    first = compare(cells, other, 200, 0.95, 7)
    second = compare(shuffled, other[rows][:, labels], 200, 0.95, 7)
    found, expected = ({row.label: row for row in side.rows} for side in (second, first))
    for label, row in expected.items():
        # DeLong's sums over images depend on their order by rounding
        assert found[label].delong_p == pytest.approx(row.delong_p, rel=1e-9)
        assert replace(found[label], delong_p=row.delong_p) == row
    np.testing.assert_allclose(numbers(second.macro.auroc), numbers(first.macro.auroc), rtol=0, atol=1e-12)
    assert second.macro.verdict == first.macro.verdict


def test_a_label_that_cannot_be_compared_says_why_and_is_left_out_of_the_mean_and_of_holm():
    cells, other = made(shifts=(2.0, 0.0, 0.0, 0.0))
    truth = cells.truth.copy()
    truth[:, 1] = 0
    truth[:, 2] = NAN
    truth[:, 3] = 0
    truth[:2, 3] = 1  # both images of the first patient
    result = compare(replace(cells, truth=truth), other, 400, 0.95, 0)
    for row, reason in zip(result.rows[1:], ("no positives", "no known cell", "all positives are of one patient"), strict=True):
        assert row.auroc.interval == row.auroc.p == row.p_holm == row.verdict == Undefined(reason)
    assert result.rows[1].auroc.difference == result.rows[1].delong_p == Undefined("no positives")
    assert isinstance(result.rows[3].auroc.difference, float)
    assert result.rows[0].p_holm == result.rows[0].auroc.p
    assert result.macro.labels == ("label0", "label3")
    # one patient would decide the verdict on the mean
    assert result.macro.verdict == Undefined("label3: all positives are of one patient")


def test_nothing_to_compare_at_all_is_undefined_throughout():
    cells, other = made(shifts=(1.0,))
    result = compare(replace(cells, truth=np.zeros_like(cells.truth)), other, 100, 0.95, 0)
    assert result.macro.labels == ()
    assert isinstance(result.macro.verdict, Undefined)
    assert isinstance(result.macro.auroc.p, Undefined)


def test_one_side_that_never_errs_and_one_that_guesses_has_no_p_value_from_equal_resamples():
    truth = np.array([1, 1, 0, 0, 0, 0])[:, np.newaxis]
    row = compare(cells_of(truth, truth, np.arange(6)), np.full((6, 1), 0.5), 200, 0.95, 0).rows[0]
    assert row.auroc.difference == 0.5
    assert row.auroc.p == row.verdict == Undefined("resamples do not vary: all give 0.500")


def test_too_few_resamples_for_a_verdict_name_the_number_that_does():
    cells, other = made(shifts=(2.0,) * 14)
    few = compare(cells, other, 558, 0.95, 0)
    assert {row.verdict for row in few.rows} == {Undefined("558 resamples cannot show a difference of 14 labels, 559 can")}
    assert {row.verdict for row in compare(cells, other, 559, 0.95, 0).rows} == {"better"}


def test_holm_is_as_worked_by_hand():
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1; the last may not fall below the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_p_value_and_bonferroni_and_keeps_the_order(p_values):
    corrected = np.array(holm(p_values))
    assert (corrected >= np.array(p_values)).all()
    assert (corrected <= np.minimum(1, len(p_values) * np.array(p_values))).all()
    assert (np.diff(corrected[np.argsort(p_values, kind="stable")]) >= 0).all()


def test_p_value_counts_the_resamples_beyond_zero():
    assert bootstrap_p(np.array([0.1, 0.2, -0.1, NAN, *[0.3] * 16]), 0.95) == 2 * (1 + 1) / 20
    assert bootstrap_p(np.linspace(0.1, 0.2, 999), 0.95) == 2 / 1000
    assert bootstrap_p(np.zeros(10), 0.95) == 1
    assert bootstrap_p(np.array([NAN, NAN, 0.1]), 0.95) == Undefined("2 of 3 resamples failed")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.floats(-3, 3))
def test_p_value_and_interval_tell_the_same_story(seed, shift):
    samples = np.random.default_rng(seed).normal(shift, 1, 999)
    low, high = percentile_bounds(samples, 0.95)
    p = bootstrap_p(samples, 0.95)
    if p < 0.045:
        assert not low <= 0 <= high
    if p > 0.055:
        assert low <= 0 <= high


@pytest.mark.parametrize("bounds", [(0.1, 0.0), (-1.1, 0.0), (0.0, 1.1), (NAN, 0.0)])
def test_no_span_with_its_bounds_in_disorder_or_beyond_one(bounds):
    with pytest.raises(ValueError, match="within"):
        Span(*bounds)
