"""A second model on the cohort: it guesses A, is as good for B, and far better for C."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxr.predictions import Predictions


@pytest.fixture
def rival(cohort: Predictions) -> Predictions:
    rng = np.random.default_rng(8)
    frame = cohort.frame.copy()
    frame["score/A"] = rng.random(len(frame))
    frame["score/B"] = np.clip(frame["score/B"] + rng.normal(0, 0.01, len(frame)), 0, 1)
    frame["score/C"] = np.clip(frame["score/C"] + 0.3 * (frame["truth/C"] == "1"), 0, 1)
    return replace(cohort, frame=frame)
