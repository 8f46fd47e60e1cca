"""How far scores are from the truth when they are read as probabilities: Brier score and log loss of one label.

Both are means over images, so that on resamples of the patients each is a ratio of two sums.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cxr.evaluate.cells import Cells
from cxr.evaluate.ratio import Ratio, ratio_by_patient
from cxr.evaluate.undefined import Undefined

SMALLEST = float(np.finfo(np.float64).eps)
"""The lowest probability that the log loss gives to what came true: a score of exactly 0 for a positive image, or of 1 for
a negative one, costs 36.04 instead of infinity, as in scikit-learn. Scores that were rounded hold such cells."""


def brier_score(truth: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> float | Undefined:
    """Mean of (score - truth)² over the known cells; 0 is best (Brier 1950).

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out).
        scores: float64 [images] in [0, 1].

    Returns:
        A value in [0, 1], or why there is none.
    """
    return _mean(_squared_errors(truth, scores))


def log_loss(truth: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> float | Undefined:
    """Mean over the known cells of -log of the probability given to what came true, at least `SMALLEST`; 0 is best.

    Args:
        truth: float32 [images], each 0, 1 or NaN (left out).
        scores: float64 [images] in [0, 1].

    Returns:
        A value in [0, 36.05], natural logarithm; or why there is none.
    """
    return _mean(_log_losses(truth, scores))


def brier_figure(cells: Cells, label: int) -> Ratio:
    """The Brier score of the label at this position as a figure on resamples."""
    return _figure(_squared_errors(cells.truth[:, label], cells.scores[:, label]), cells)


def log_loss_figure(cells: Cells, label: int) -> Ratio:
    """The log loss of the label at this position as a figure on resamples."""
    return _figure(_log_losses(cells.truth[:, label], cells.scores[:, label]), cells)


def _squared_errors(truth: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """float64 [images]; NaN where the truth is not known."""
    return (scores - truth) ** 2


def _log_losses(truth: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """float64 [images]; NaN where the truth is not known."""
    losses = -np.log(np.clip(np.where(truth == 1, scores, 1 - scores), SMALLEST, 1 - SMALLEST))
    return np.where(np.isnan(truth), np.nan, losses)


def _mean(losses: npt.NDArray[np.float64]) -> float | Undefined:
    known = ~np.isnan(losses)
    return float(losses[known].mean()) if known.any() else Undefined("no known cell")


def _figure(losses: npt.NDArray[np.float64], cells: Cells) -> Ratio:
    known = ~np.isnan(losses)
    return ratio_by_patient(np.where(known, losses, 0), known.astype(np.float64), cells.patients, cells.patient_count)
