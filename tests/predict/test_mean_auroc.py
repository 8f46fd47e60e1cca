from __future__ import annotations

import numpy as np

from cxr.evaluate.undefined import Undefined
from cxr.predict.mean_auroc import mean_auroc

UNKNOWN = np.float32("nan")


def test_it_is_the_mean_over_the_labels_that_have_both_positives_and_negatives() -> None:
    truth = np.array([[1, 1, 1], [0, 1, UNKNOWN], [1, 1, 0], [0, 1, UNKNOWN]], np.float32)
    scores = np.array([[0.9, 0.1, 0.2], [0.5, 0.2, 0.9], [0.4, 0.3, 0.7], [0.1, 0.4, 0.9]])
    # 3 of the 4 pairs of the first label are in order, the second has no negative, the one pair of the third is not
    assert mean_auroc(truth, scores) == (0.75 + 0.0) / 2


def test_it_is_undefined_in_words_where_no_label_has_both() -> None:
    value = mean_auroc(np.array([[1.0, 0.0], [UNKNOWN, 0.0]], np.float32), np.full((2, 2), 0.5))
    assert isinstance(value, Undefined)
    assert "both positive and negative" in value.reason
