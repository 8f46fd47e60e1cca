"""What each width of a stacked model costs and how well it ranks the validation images: the table that one is chosen from.

It says nothing of the test images: whoever chooses by their AUROC has no test set left.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from cxr.predict.predictor import Predictor

_WARM_UP, _RUNS = 3, 7


@dataclass(frozen=True)
class Width:
    """A row of the table.

    Args:
        heads: number of attention heads.
        parameters: number of weights.
        gmacs: multiply-accumulates of one image, in 10^9.
        milliseconds: time of one image alone, where this was measured.
        auroc_val_macro: mean validation AUROC; NaN where no label has one.
    """

    heads: int
    parameters: int
    gmacs: float
    milliseconds: float
    auroc_val_macro: float

    def metrics(self) -> dict[str, float]:
        """As they are tracked, with the number of heads as the step."""
        return {"widths/auroc_val": self.auroc_val_macro, "widths/gmacs": self.gmacs, "widths/ms": self.milliseconds}


def table(widths: Sequence[Width]) -> pd.DataFrame:
    """A row per width, its columns as in `Width`."""
    return pd.DataFrame([asdict(width) for width in widths])


def milliseconds(predictor: Predictor) -> float:
    """Median time of one image alone, from memory to probabilities, after a warm-up."""
    size = predictor.card.preprocessing.size
    image = np.random.default_rng(0).integers(0, 256, (1, size, size), dtype=np.uint8)
    times = []
    for _ in range(_WARM_UP + _RUNS):
        start = time.perf_counter()
        predictor.probabilities(image)  # they are on the host then, so a GPU has ended too
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[_WARM_UP:])
