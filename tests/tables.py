"""Prediction tables and label sets, generated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from cxr.config_evaluate import EvaluateConfig
from cxr.labels.label_set import Label, LabelSet
from cxr.labels.values import NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN
from cxr.manifest import label_column
from cxr.predictions import Predictions

MakeTable = Callable[..., Predictions]
MakeLabels = Callable[..., LabelSet]


@pytest.fixture
def quick() -> EvaluateConfig:
    return EvaluateConfig(resamples=200, confidence=0.95)


@pytest.fixture
def make_labels() -> MakeLabels:
    def make(names: Sequence[str], **policies: Any) -> LabelSet:
        return LabelSet(name="set", labels=tuple(Label(name=name, **policies) for name in names))

    return make


@pytest.fixture
def make_table() -> MakeTable:
    def make(
        columns: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
        patients: npt.ArrayLike | None = None,
        split: str | Sequence[str] = "test",
        about: dict[str, str] | None = None,
    ) -> Predictions:
        """`columns` holds, by label, the codes and the scores of the images."""
        size = len(np.asarray(next(iter(columns.values()))[0]))
        patients = np.arange(size) if patients is None else np.asarray(patients)
        frame = pd.DataFrame(
            {
                "image_id": [f"image{index}" for index in range(size)],
                "patient_id": [f"patient{patient:04d}" for patient in patients],
                "study_id": [f"study{index}" for index in range(size)],
                "source_name": "source",
                "split": split,
                "view": "PA",
                "sex": "F",
                "age_years": 50.0,
            }
        )
        for name, (codes, scores) in columns.items():
            frame[f"score/{name}"] = np.asarray(scores, np.float64)
            frame[f"truth/{name}"] = label_column(codes)
        return Predictions(frame, tuple(columns), about or {})

    return make


@pytest.fixture
def cohort(make_table: MakeTable) -> Predictions:
    """240 images of 120 patients; "B" is rarer and "C" harder; all four values of a cell occur."""
    rng = np.random.default_rng(5)
    patients = np.repeat(np.arange(120), 2)
    columns = {}
    for name, prevalence, shift in (("A", 0.4, 0.3), ("B", 0.1, 0.4), ("C", 0.5, 0.05)):
        positive = (rng.random(120) < prevalence)[patients]
        codes = np.where(positive, POSITIVE, NEGATIVE)
        codes[rng.random(240) < 0.05] = UNCERTAIN
        codes[rng.random(240) < 0.05] = UNKNOWN
        columns[name] = (codes, np.round(0.6 * rng.random(240) + shift * positive, 2))
    return make_table(columns, patients, about={"model_run": "8f2c1d", "split_digest": "sha256:a3"})
