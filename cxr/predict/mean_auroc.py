"""The figure by which widths are compared: the mean AUROC over the labels that have one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cxr.evaluate.auroc import auroc
from cxr.evaluate.undefined import Undefined


def mean_auroc(truth: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> float | Undefined:
    """Unweighted mean over the labels of `cxr.evaluate.auroc.auroc`.

    Args:
        truth: float32 [images, labels], each 0, 1 or NaN (left out).
        scores: float64 [images, labels], any finite values.

    Returns:
        A value in [0, 1]; undefined where no label has both positives and negatives.
    """
    values = [auroc(of_label, scores[:, j]) for j, of_label in enumerate(truth.T)]
    defined = [value for value in values if not isinstance(value, Undefined)]
    return float(np.mean(defined)) if defined else Undefined("no label has both positive and negative images")
