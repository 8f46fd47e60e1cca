"""Where the figures come from: what the prediction table tells, how it was evaluated, and the weights of the branches."""

from __future__ import annotations

from cxr.evaluate.metrics import Evaluation
from cxr.evaluate.wording import count_text, place_text
from cxr.labels.label_set import LabelSet

_WEIGHT = "branch weight/"


def branch_weights(evaluation: Evaluation) -> dict[str, str]:
    """Of each label how much its own branch counts against the common one, from 0 to 1; empty where the model has none."""
    return {key.removeprefix(_WEIGHT): value for key, value in evaluation.about.items() if key.startswith(_WEIGHT)}


def provenance(evaluation: Evaluation, labels: LabelSet, side: str) -> dict[str, str]:
    """Plain texts by key.

    Args:
        evaluation: the figures.
        labels: the label set they were measured with.
        side: what was evaluated: a side of the split, or a table.
    """
    config = evaluation.config
    counted = config.unit if config.unit == "image" else f"{config.unit}, {config.combine} of the scores of its images"
    return {
        **{key: value for key, value in evaluation.about.items() if not key.startswith(_WEIGHT)},
        "evaluated": place_text(side),
        "counted": counted,
        "label set": " - ".join(filter(None, (labels.title or labels.name, labels.reference))),
        "calibration": _calibration(evaluation),
        "intervals": evaluation.interval_method,
        "bootstrap resamples": str(config.resamples),
        "seed": str(evaluation.seed),
    }


def _calibration(evaluation: Evaluation) -> str:
    fitted = evaluation.calibration
    return "none" if fitted is None else f"{fitted.config.method}, fitted on {fitted_on(evaluation)}"


def fitted_on(evaluation: Evaluation) -> str:
    """What calibration and thresholds were fitted on, like "1,204 images of 310 patients"; empty without a calibration."""
    fitted = evaluation.calibration
    if fitted is None:
        return ""
    patients = count_text(fitted.patients, "patient")
    return patients if fitted.unit == "patient" else f"{count_text(fitted.images, fitted.unit)} of {patients}"
