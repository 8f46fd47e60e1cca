"""Patients are dealt whole, no fold stays empty, and every label is as frequent in one fold as in another."""

from __future__ import annotations

import time
import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.model_selection import StratifiedGroupKFold

from cxr.errors import DataError
from cxr.split.stratify import group_counts, stratify

SHARES = [[0.2] * 5, [0.5, 0.5], [0.65, 0.15, 0.2], [0.9, 0.1]]


def held(counts, folds, number):
    """[folds, columns]: what each fold has."""
    table = np.zeros((number, counts.shape[1]))
    np.add.at(table, folds, counts)
    return table


def cost(counts, folds, shares):
    """What `stratify` promises to keep small, from its formula."""
    filled = counts[:, counts.sum(axis=0) > 0]
    total = filled.sum(axis=0)
    lacks = held(filled, folds, len(shares)) - np.outer(shares, total)
    return float((lacks**2 / total**2 / np.array(shares)[:, None]).sum())


def cohort(seed, patients, labels):
    """Counts with labels from one positive in all to every second image; few patients have many images, and many findings."""
    generator = np.random.default_rng(seed)
    images = generator.geometric(0.4, patients)
    frequent = np.geomspace(0.7 / patients, 0.5, labels)
    positives = generator.binomial(images[:, None], np.minimum(1, frequent * generator.gamma(0.5, 2, (patients, 1))))
    return np.column_stack([images, positives])


counts_of_any_kind = st.integers(5, 40).flatmap(
    lambda groups: arrays(np.int64, st.tuples(st.just(groups), st.integers(1, 6)), elements=st.integers(0, 9))
)


@settings(max_examples=60, deadline=None)
@given(counts_of_any_kind, st.sampled_from(SHARES), st.integers(0, 9))
def test_every_group_has_one_fold_and_no_fold_is_empty(counts, shares, seed):
    folds = stratify(counts, np.array(shares), seed)
    assert folds.shape == (len(counts),)
    assert folds.dtype == np.int64
    assert set(folds) == set(range(len(shares)))


@settings(max_examples=30, deadline=None)
@given(counts_of_any_kind, st.sampled_from(SHARES), st.integers(0, 9), st.randoms(use_true_random=False))
def test_the_order_of_the_groups_changes_nothing_in_the_balance_and_a_second_call_nothing_at_all(counts, shares, seed, random):
    folds = stratify(counts, np.array(shares), seed)
    assert (folds == stratify(counts.copy(), np.array(shares), seed)).all()
    order = np.array(random.sample(range(len(counts)), len(counts)))
    shuffled = stratify(counts[order], np.array(shares), seed)
    assert (held(counts[order], shuffled, len(shares)) == held(counts, folds, len(shares))).all()


@settings(max_examples=30, deadline=None)
@given(counts_of_any_kind, st.sampled_from(SHARES), st.integers(0, 9))
def test_no_random_division_of_twenty_is_better(counts, shares, seed):
    generator = np.random.default_rng(seed)
    ours = cost(counts, stratify(counts, np.array(shares), seed), shares)
    random = [generator.choice(len(shares), len(counts), p=shares) for _ in range(20)]
    whole = [cost(counts, folds, shares) for folds in random if len(set(folds)) == len(shares)]
    assert ours <= min(whole, default=np.inf) + 1e-9


@pytest.mark.parametrize("shares", [[1 / 3] * 3, [0.65, 0.15, 0.2]])
def test_of_few_patients_the_division_is_the_best_of_all_there_are(shares):
    everything = np.array([folds for folds in product(range(3), repeat=8) if len(set(folds)) == 3])
    gaps = []
    for seed in range(12):
        counts = cohort(seed, 8, 3)
        filled = counts[:, counts.sum(axis=0) > 0]
        inside = np.stack([(everything == fold) @ filled for fold in range(3)], axis=1)
        lacks = (inside / filled.sum(axis=0) - np.array(shares)[:, None]) ** 2 / np.array(shares)[:, None]
        best = lacks.sum(axis=(1, 2)).min()
        gaps.append(cost(counts, stratify(counts, np.array(shares), seed), shares) / best - 1)
    assert max(gaps) < 1e-6


@pytest.mark.parametrize("shares", SHARES)
def test_of_many_patients_every_column_is_divided_to_within_one(shares):
    counts = cohort(4, 3000, 14)
    table = held(counts, stratify(counts, np.array(shares), 0), len(shares))
    assert np.abs(table - np.outer(shares, counts.sum(axis=0))).max() < 1


@pytest.mark.parametrize("patients", [60, 400])
def test_the_division_is_better_than_stratified_group_k_fold(patients):
    for seed in range(3):
        counts = cohort(seed, patients, 8)
        patient = np.repeat(np.arange(patients), counts[:, 0])
        rarest = np.argmax(counts[:, 1:] > 0, axis=1)[patient]  # the labels stand in rising order of frequency
        folds = np.empty(patients, np.int64)
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class")
            for fold, (_, rows) in enumerate(splitter.split(patient, rarest, patient)):
                folds[patient[rows]] = fold
        assert cost(counts, stratify(counts, np.full(5, 0.2), seed), [0.2] * 5) < cost(counts, folds, [0.2] * 5)


def test_five_positives_of_five_patients_go_to_five_folds_though_all_else_is_uneven():
    counts = cohort(1, 100, 6)
    rare = np.zeros((100, 1), np.int64)
    rare[[3, 50, 51, 52, 99]] = 1
    folds = stratify(np.hstack([counts, rare]), np.full(5, 0.2), 0)
    assert sorted(folds[rare[:, 0] == 1]) == [0, 1, 2, 3, 4]


def test_twenty_patients_with_labels_of_none_one_two_and_all():
    generator = np.random.default_rng(5)
    images = generator.integers(1, 4, 20)
    labels = np.zeros((20, 3), np.int64)
    labels[4, 1] = 1
    labels[[7, 11], 2] = 1
    folds = stratify(np.column_stack([images, labels, images]), np.full(5, 0.2), 0)
    table = held(np.column_stack([images, labels]), folds, 5)
    assert np.ptp(table[:, 0]) <= 1
    assert sorted(table[:, 2]) == [0, 0, 0, 0, 1]
    assert sorted(table[:, 3]) == [0, 0, 0, 1, 1]


def test_a_patient_with_most_of_the_images_is_alone_in_its_fold_and_the_others_are_even():
    counts = np.array([[200, 30], *[[1, k % 2] for k in range(40)]])
    folds = stratify(counts, np.full(5, 0.2), 0)
    table = held(counts, folds, 5)
    assert sorted(table[:, 0]) == [10, 10, 10, 10, 200]
    assert sorted(table[:, 1]) == [5, 5, 5, 5, 30]


@pytest.mark.parametrize("images", [[1, 1, 1, 1, 1], [1000, 1, 1, 1, 1], [0, 0, 0, 0, 9]])
def test_as_many_patients_as_folds_are_one_to_each(images):
    counts = np.array(images)[:, None]
    assert sorted(stratify(counts, np.array([0.9, 0.04, 0.03, 0.02, 0.01]), 0)) == [0, 1, 2, 3, 4]


def test_fewer_patients_than_folds_are_refused_in_plain_words():
    with pytest.raises(DataError, match=r"3 patients cannot be divided into 5 parts.*ask for fewer parts"):
        stratify(np.ones((3, 2), np.int64), np.full(5, 0.2), 0)


@pytest.mark.parametrize("shares", [[], [0.5, 0.4], [1.2, -0.2], [1.0, 0.0], [0.5, np.nan]])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ValueError, match="shares"):
        stratify(np.ones((9, 2), np.int64), np.array(shares), 0)


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="below 0"):
        stratify(np.array([[1, 1], [1, -1]]), np.array([0.5, 0.5]), 0)


def test_another_seed_gives_another_division_as_good():
    counts = cohort(2, 2500, 10)
    one, other = (stratify(counts, np.full(5, 0.2), seed) for seed in (0, 1))
    together = np.zeros((5, 5), np.int64)
    np.add.at(together, (one, other), 1)
    assert together.min() > 50  # of 100 that chance puts into each cell
    assert together.max() < 150
    assert cost(counts, one, [0.2] * 5) == pytest.approx(cost(counts, other, [0.2] * 5), rel=0.01)


def test_with_unknown_values_positives_among_the_known_are_alike():
    counts = cohort(6, 2000, 4)
    groups = np.repeat(np.arange(2000), counts[:, 0])
    generator = np.random.default_rng(0)
    codes = (generator.random((len(groups), 2)) < 0.2).astype(np.int8)
    codes[(groups % 3 == 0) & (generator.random(len(groups)) < 0.8), 0] = 3  # unknown of some patients, mostly
    table = held(group_counts(groups, codes), stratify(group_counts(groups, codes), np.full(5, 0.2), 0), 5)
    assert table.shape == (5, 4)
    prevalence = table[:, 1] / table[:, 3]
    assert np.ptp(prevalence) / prevalence.mean() < 0.01


def test_the_same_seed_draws_these_folds_on_every_machine():
    counts = np.array([[k % 4 + 1, k % 3 == 0, k in (2, 9)] for k in range(12)], np.int64)
    # drawn once with this code: with other folds here, splits that were frozen cannot be drawn again
    assert stratify(counts, np.array([0.5, 0.25, 0.25]), 7).tolist() == [1, 0, 1, 2, 0, 0, 0, 1, 0, 0, 2, 0]


def test_a_hundred_folds_are_filled_alike():
    counts = cohort(3, 3000, 10)
    table = held(counts, stratify(counts, np.full(100, 0.01), 0), 100)
    assert np.ptp(table[:, 0]) <= 2


def test_counts_of_a_group_are_images_positives_and_where_they_differ_known_images():
    groups = np.array([0, 0, 2, 2, 2])
    codes = np.array([[1, 1], [0, 2], [1, 3], [1, 0], [0, 1]], np.int8)
    # images, positives of both labels, and images where the second is known; no image is of group 1
    assert group_counts(groups, codes).tolist() == [[2, 1, 1, 1], [0, 0, 0, 0], [3, 2, 1, 2]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_counts_are_those_of_pandas(images, seed):
    generator = np.random.default_rng(seed)
    groups = generator.integers(0, 7, images)
    codes = generator.integers(0, 4, (images, 3)).astype(np.int8)
    counts = group_counts(groups, codes)
    decided = pd.DataFrame(codes <= 1).loc[:, ~(codes <= 1).all(axis=0)]
    frame = pd.concat([pd.Series(1, index=range(images)), pd.DataFrame(codes == 1), decided], axis=1).astype(np.int64)
    expected = frame.groupby(groups).sum().reindex(range(len(counts)), fill_value=0).to_numpy()
    assert counts.dtype == np.int64
    assert (counts == expected).all()


@pytest.fixture(scope="module")
def nih_counts(nih_folder):
    table = pd.read_csv(nih_folder / "Data_Entry_2017_v2020.csv.gz", usecols=["Finding Labels", "Patient ID"])
    labels = table["Finding Labels"].str.get_dummies("|").drop(columns="No Finding")
    counts = group_counts(pd.factorize(table["Patient ID"])[0], labels.to_numpy(np.int8))
    return pd.DataFrame(counts, columns=["images", *labels.columns])


def test_the_official_rows_are_divided_into_five_as_evenly_as_whole_images_can_be(nih_counts):
    counts = nih_counts.to_numpy()
    start = time.perf_counter()
    folds = stratify(counts, np.full(5, 0.2), 0)
    assert time.perf_counter() - start < 10  # it takes 0.1 s
    table = pd.DataFrame(held(counts, folds, 5), columns=nih_counts.columns)
    assert table["images"].tolist() == [22424] * 5  # 112,120 / 5
    assert sorted(table["Hernia"]) == [45, 45, 45, 46, 46]  # 227 / 5
    assert np.abs(table - nih_counts.sum() / 5).to_numpy().max() < 1
    prevalence = table.div(table["images"], axis=0).drop(columns="images")
    differences = (prevalence.max() - prevalence.min()) / prevalence.mean()
    assert differences["Hernia"] < 0.1
    assert differences.drop("Hernia").max() < 0.01


def test_the_official_rows_are_divided_by_unequal_shares_to_within_one(nih_counts):
    shares = np.array([0.65, 0.15, 0.2])
    table = held(nih_counts.to_numpy(), stratify(nih_counts.to_numpy(), shares, 0), 3)
    assert np.abs(table - np.outer(shares, nih_counts.sum())).max() < 1
