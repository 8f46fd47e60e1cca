"""AUROC and average precision on known cells, of one label and of all, as scikit-learn computes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from cxr.evaluate.undefined import Undefined, mean_defined, undefined_because


def auroc(truth: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> float | Undefined:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half.

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out).
        scores: float64 [images], any finite values.

    Returns:
        A value in [0, 1], or why there is none.
    """
    known = ~np.isnan(truth)
    return undefined_because(truth) or float(roc_auc_score(truth[known] == 1, scores[known]))


def mean_auroc(truth: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> float | Undefined:
    """Unweighted mean of the AUROC of the labels that have one.

    Args:
        truth: float32 [images, labels], each 0, 1 or NaN (left out).
        scores: float64 [images, labels], any finite values.

    Returns:
        A value in [0, 1]; undefined where no label has both positives and negatives.
    """
    return mean_defined(auroc(of_label, scores[:, j]) for j, of_label in enumerate(truth.T))


def micro_auroc(truth: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> float | Undefined:
    """AUROC of the known cells of all labels in one pool: the chance that a positive cell scores above a negative one.

    The two cells may be of different labels, so it falls where scores are not on one scale, and rises where a label is
    frequent and its scores are high throughout; the mean over the labels does neither.

    Args:
        truth: float32 [images, labels], each 0, 1 or NaN (left out).
        scores: float64 [images, labels], any finite values.

    Returns:
        A value in [0, 1], or why there is none.
    """
    return auroc(truth.ravel(), scores.ravel())


def average_precision(truth: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> float | Undefined:
    """Average precision: the sum of precision times the rise in recall (not a trapezoid); chance gives the prevalence.

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out).
        scores: float64 [images], any finite values.

    Returns:
        A value in [0, 1], or why there is none; without negatives it would be 1 whatever the scores are, so undefined.
    """
    known = ~np.isnan(truth)
    return undefined_because(truth) or float(average_precision_score(truth[known] == 1, scores[known]))
