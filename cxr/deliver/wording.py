"""What a report says in words."""

from __future__ import annotations

from cxr.calibrate.thresholds import OperatingPoint
from cxr.deliver.model import ReportedModel
from cxr.deliver.result import Finding, LeftOut, StudyResult
from cxr.evaluate.wording import count_text, figure_text

STATEMENT = (
    "Made by a computer program for research use, reviewed by nobody. It is no diagnosis: no decision on a patient may rest "
    "on it without a physician's own reading of the images."
)
CAPTION = "Computed, not reviewed, no diagnosis"


def comments(result: StudyResult, model: ReportedModel) -> tuple[str, ...]:
    """The sentences at the top of a report."""
    return (
        STATEMENT,
        f"Model: {model.name}; {model.version}. {'; '.join(model.parameters)}.",
        _scope(result, model),
        *(f"Image {number}: {image.remark}." for number, image in enumerate(result.images, start=1) if image.remark),
    )


def _scope(result: StudyResult, model: ReportedModel) -> str:
    """What the probabilities are of."""
    images = count_text(len(result.images), "image")
    left = f"; {count_text(len(result.left_out), 'image')} not scored, see there" if result.left_out else ""
    unit = model.calibration.unit
    if unit == "image":
        return f"Scored: {images} of this study, each with probabilities of its own{left}."
    own = "study" if unit == "study" else "patient, also of other studies that were given"
    return f"Scored: {images} of this study; a probability is of all images of the {own} ({model.calibration.combine}){left}."


def decision_text(finding: Finding) -> str:
    """Yes, no, or not decided."""
    return "not decided" if finding.yes is None else "yes" if finding.yes else "no"


def point_text(label: str, model: ReportedModel) -> str:
    """Where a probability becomes a yes, and what that did to the validation patients; or why there is no such point.

    Of a label without calibration it says that first.
    """
    return f"{_score_text(label, model)}{_decided_text(label, model)}"


def _score_text(label: str, model: ReportedModel) -> str:
    reason = model.calibration.unscaled.get(label)
    return "" if reason is None else f"The score is left as it is, and is no calibrated probability: {reason}. "


def _decided_text(label: str, model: ReportedModel) -> str:
    point = model.point(label)
    if not isinstance(point, OperatingPoint):
        return f"Not decided: there is no operating point '{model.point_name}' ({point.reason})."
    sides = [figure_text(side) for side in (point.validation.sensitivity, point.validation.specificity)]
    return (
        f"Operating point '{model.point_name}': yes from {point.threshold:.6g} on; "
        f"on the validation patients a sensitivity of {sides[0]} and a specificity of {sides[1]}."
    )


def left_out_text(left: LeftOut) -> str:
    """Why an image was not scored."""
    return f"{'Something is wrong with the file' if left.faulty else 'Out of scope'}: {left.reason}."


def series_text(kind: str, model: ReportedModel) -> str:
    """Description of a series, at most 64 characters as DICOM allows."""
    return f"cxr {kind}, not reviewed: {model.labels.name}"[:64]


def map_text(finding: Finding, model: ReportedModel) -> str:
    """How a picture came about."""
    return (
        f"Attention of the branch of '{finding.label}' of {model.name}, {model.version}, over the image as the model sees it. "
        f"It tells where the branch looked, not why. {STATEMENT}"
    )
