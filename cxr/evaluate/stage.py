"""The evaluate stage: from a prediction table to figures, a report and tracked metrics, on the test split alone."""

from __future__ import annotations

from pathlib import Path

from cxr.calibrate.calibration import read_calibration
from cxr.config import EvaluateStage
from cxr.errors import ConfigError, DataError
from cxr.evaluate.conclude import conclude
from cxr.evaluate.metrics import evaluate
from cxr.labels.label_set import read_label_set
from cxr.predictions import Predictions, read_predictions
from cxr.stage import StageContext, StageResult

SPLIT = "test"
"""The only split that is evaluated here; validation rows of the table served to choose the model, and to calibrate it."""

_STEPS = 3


def run(config: EvaluateStage, context: StageContext) -> StageResult:
    """Evaluate the test rows of `context.inputs["predictions"]` with the calibration in `context.inputs["calibration"]`.

    Writes what `cxr.evaluate.conclude` says into the stage's folder, and logs the figures to the stage's run.

    Raises:
        ConfigError: the label set cannot be read, or a subgroup or prevalence fits nothing.
        DataError: the table has no test rows, breaks its schema, or its labels are not those of the label set.
    """
    context.progress(0, _STEPS, "reading predictions")
    labels = read_label_set(config.labels)
    predictions = _test_rows(context.inputs["predictions"])
    calibration = read_calibration(context.inputs["calibration"])
    context.progress(1, _STEPS, f"resampling {len(predictions.frame)} images")
    evaluation = evaluate(predictions, labels, config.evaluate, config.seed, calibration)
    context.progress(2, _STEPS, "writing the report")
    result = conclude(evaluation, labels, (config.name, config.description), SPLIT, context)
    context.progress(_STEPS, _STEPS, "done")
    return result


def check(config: EvaluateStage) -> None:
    """Refuse before any stage has run what the label set shows to be wrong.

    Raises:
        ConfigError: a prevalence is stated for a label that there is not.
    """
    names = read_label_set(config.labels).names
    stranger = next((name for name in config.evaluate.prevalence if name not in names), None)
    if stranger is not None:
        raise ConfigError(f"evaluate.prevalence: no label '{stranger}'; there are: {', '.join(names)}")


def _test_rows(path: Path) -> Predictions:
    predictions = read_predictions(path).where(SPLIT)
    if predictions.frame.empty:
        raise DataError(f"{path}: no row has the split '{SPLIT}', so there is nothing to evaluate")
    return predictions
