from __future__ import annotations

import numpy as np
import pytest

from cxr.evaluate.auroc import auroc, average_precision, mean_auroc, micro_auroc
from cxr.evaluate.undefined import Undefined, as_float

NAN = np.nan


def truth_of(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        (truth_of(0, 0, NAN), "no positives"),
        (truth_of(1, NAN, 1), "no negatives"),
        (truth_of(NAN, NAN, NAN), "no known cell"),
    ],
)
@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_undefined_figure_has_its_reason(metric, truth, reason):
    assert metric(truth, np.array([0.1, 0.2, 0.3])) == Undefined(reason)


def test_unknown_cells_do_not_enter():
    truth, scores = truth_of(0, 1, 0, 1), np.array([0.1, 0.4, 0.35, 0.3])
    with_unknown = np.append(truth, [NAN, NAN]).astype(np.float32), np.append(scores, [0.0, 1.0])
    assert auroc(*with_unknown) == auroc(truth, scores) == 0.75
    assert average_precision(*with_unknown) == average_precision(truth, scores)


def test_constant_scores_are_guessing():
    truth, scores = truth_of(0, 1, 0, 0), np.full(4, 0.3)
    assert auroc(truth, scores) == 0.5
    assert average_precision(truth, scores) == 0.25


def test_average_precision_is_the_step_sum_with_ties_and_not_a_trapezoid():
    # thresholds 0.9, 0.5, 0.1: precision 1, 2/3, 2/4 at recall 1/2, 1, 1
    truth, scores = truth_of(1, 1, 0, 0), np.array([0.9, 0.5, 0.5, 0.1])
    assert average_precision(truth, scores) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_no_undefined_without_a_reason():
    with pytest.raises(ValueError, match="reason"):
        Undefined("")
    assert np.isnan(as_float(Undefined("no positives")))
    assert as_float(0.25) == 0.25


def test_it_is_the_mean_over_the_labels_that_have_both_positives_and_negatives() -> None:
    truth = np.array([[1, 1, 1], [0, 1, NAN], [1, 1, 0], [0, 1, NAN]], np.float32)
    scores = np.array([[0.9, 0.1, 0.2], [0.5, 0.2, 0.9], [0.4, 0.3, 0.7], [0.1, 0.4, 0.9]])
    # 3 of the 4 pairs of the first label are in order, the second has no negative, the one pair of the third is not
    assert mean_auroc(truth, scores) == (0.75 + 0.0) / 2


def test_it_is_undefined_in_words_where_no_label_has_both() -> None:
    value = mean_auroc(np.array([[1.0, 0.0], [NAN, 0.0]], np.float32), np.full((2, 2), 0.5))
    assert isinstance(value, Undefined)
    assert "both positive and negative" in value.reason


def test_micro_auroc_pools_the_cells_of_all_labels_so_that_their_scales_matter() -> None:
    truth = np.array([[1, 0], [0, NAN], [NAN, 1]], np.float32)
    scores = np.array([[0.3, 0.4], [0.1, 0.9], [0.9, 0.8]])
    # positives 0.3 and 0.8 against negatives 0.1 and 0.4: three of four pairs, though each label by itself has all
    assert micro_auroc(truth, scores) == 0.75
    assert mean_auroc(truth, scores) == 1.0


def test_micro_auroc_without_known_cells_says_why() -> None:
    assert micro_auroc(np.full((3, 2), NAN, np.float32), np.full((3, 2), 0.5)) == Undefined("no known cell")
