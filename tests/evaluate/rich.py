"""An evaluation with all that a report can show: a firm, a rare and an undefined label, calibration, groups, branch weights."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from cxr.calibrate.fit import fit_calibration
from cxr.config_evaluate import CalibrateConfig, EvaluateConfig
from cxr.evaluate.cells import align
from cxr.evaluate.metrics import Evaluation, evaluate
from cxr.evaluate.units import combine_units
from cxr.labels.label_set import Label, LabelSet
from cxr.labels.values import UNKNOWN
from cxr.manifest import label_column
from cxr.predictions import Predictions

NAMES = ("Firm", "Rare_Finding", "<b>Mass/Nodule</b>", "Never")
LABELS = LabelSet(
    name="four", title="Four findings", reference="labels from reports", labels=tuple(Label(name=name) for name in NAMES)
)
ABOUT = {"model run": "8f2c1d", "split sha256": "a3b4", **{f"branch weight/{name}": f"0.{i}11" for i, name in enumerate(NAMES)}}
PATIENTS = 300


@cache
def rich_table(seed: int = 0, split: str = "test") -> Predictions:
    """600 images of 300 patients; F is ranked better than M, and the view tells of Firm; one in eight ages is not known."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(PATIENTS), 2)
    women, lying = (np.arange(PATIENTS) % 2 == 0)[patients], rng.random(2 * PATIENTS) < 0.4
    frame = {
        "image_id": [f"image{split}{place}" for place in range(2 * PATIENTS)],
        "patient_id": [f"patient{split}{patient:03d}" for patient in patients],
        "study_id": [f"study{split}{place}" for place in range(2 * PATIENTS)],
        "source_name": "north",
        "source": "north",
        "split": split,
        "sex": np.where(women, "F", "M"),
        "view": np.where(lying, "AP", "PA"),
        "age_years": np.where(patients % 8 == 0, np.nan, 20 + patients % 65),
        "manufacturer": np.where(patients % 3 == 0, "Acme", "O'Neill & <Sons>"),
    }
    for name, share in zip(NAMES, (0.3, 0.02, 0.25, 0), strict=True):
        ill = (rng.random(PATIENTS) < share)[patients] | (lying & (name == "Firm") & (rng.random(2 * PATIENTS) < 0.85))
        scores = 0.4 * rng.random(2 * PATIENTS) + 0.24 * ill * np.where(women, 1, 0.3) + 0.32 * lying * (name == "Firm")
        codes = ill.astype(int)
        codes[rng.random(2 * PATIENTS) < 0.05] = UNKNOWN
        frame |= {f"score/{name}": scores, f"truth/{name}": label_column(codes)}
    return Predictions(pd.DataFrame(frame), NAMES, ABOUT)


@cache
def rich_evaluation(calibrate: bool = True, **config: Any) -> Evaluation:
    """The evaluation of `rich_table`, calibrated on other patients."""
    chosen = EvaluateConfig(resamples=100, prevalence={"Firm": 0.01} if calibrate else {}, **config)
    calibration = None
    if calibrate:
        other = rich_table(seed=1, split="val")
        units = combine_units(align(other, LABELS), other.frame, other.frame[[]], chosen.unit, chosen.combine)
        calibration = fit_calibration(units.cells, CalibrateConfig(), chosen.unit, chosen.combine)
    return evaluate(rich_table(), LABELS, chosen, 0, calibration)


def without(table: Predictions, label: str) -> Predictions:
    """The table with nothing known of a label."""
    unknown = label_column(np.full(len(table.frame), UNKNOWN))
    return Predictions(table.frame.assign(**{f"truth/{label}": unknown}), table.label_names, table.about)
