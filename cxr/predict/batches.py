"""Scores of more images than fit into memory: read, scored and forgotten batch by batch, by one network or by a cascade."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxr.predict.cascade import Cascade, goes_on
from cxr.predict.predictor import Predictor
from cxr.stage import Progress

Rows = npt.NDArray[np.int64]
Read = Callable[[Rows], npt.NDArray[np.uint8]]
"""Gives the canonical images of some rows, uint8 [images, size, size]."""


@dataclass(frozen=True)
class Batches:
    """Images, by their rows, as they are read for scoring.

    Args:
        read: gives the images of at most `size` rows.
        size: images of a batch, at least 1.
        progress: told after each batch.
    """

    read: Read
    size: int
    progress: Progress

    def score(self, predictor: Predictor, rows: Rows, text: str) -> npt.NDArray[np.float64]:
        """Probabilities float64 [images, labels] of the images of some rows; `text` says what is scored."""
        scores = np.empty((len(rows), len(predictor.labels.names)))
        for start in range(0, len(rows), self.size):
            chunk = slice(start, start + self.size)
            scores[chunk] = predictor.probabilities(self.read(rows[chunk]))
            self.progress(min(start + self.size, len(rows)), len(rows), text)
        return scores


@dataclass(frozen=True)
class CascadeScores:
    """What a cascade says of images.

    Args:
        scores: float64 [images, labels] in [0, 1].
        chosen: bool [images], those that the wide network scored.
    """

    scores: npt.NDArray[np.float64]
    chosen: npt.NDArray[np.bool_]


def score_by_cascade(
    predictor: Predictor, cascade: Cascade, batches: Batches, rows: Rows, studies: npt.ArrayLike
) -> CascadeScores:
    """Score images by the narrow network, then those of uncertain studies by the wide one.

    The images of a study need not be in one batch: the decision is taken when all have their narrow scores.

    Args:
        predictor: of a stacked model.
        cascade: which networks, and when a study goes on.
        batches: how images are read.
        rows: int64 [images].
        studies: text [images], the study of each of them; all images of a study must be there.

    Raises:
        DataError: the model cannot run with one of the numbers of heads, or has other labels than the cascade.
    """
    narrow, wide = (predictor.at(heads) for heads in cascade.heads)
    scores = batches.score(narrow, rows, f"images scored by {cascade.heads[0]} heads")
    chosen = goes_on(cascade, scores, studies)
    scores[chosen] = batches.score(wide, rows[chosen], f"images scored again by {cascade.heads[1]} heads")
    return CascadeScores(scores, chosen)
