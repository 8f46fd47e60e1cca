"""What a calibration says, in words for those who will use the model."""

from __future__ import annotations

from collections.abc import Mapping

from cxr.calibrate.calibration import Calibration
from cxr.calibrate.scaling import Scaling, Unchanged
from cxr.calibrate.thresholds import OperatingPoint
from cxr.config_evaluate import OperatingRule
from cxr.evaluate.undefined import Undefined
from cxr.evaluate.wording import count_text, figure_text

_MOST_REASONS = 3
_MOST_LABELS = 12


def headline(calibration: Calibration) -> str:
    """The calibration in one line."""
    patients = count_text(calibration.patients, "validation patient")
    labels = count_text(len(calibration.labels), "label")
    scaled = f"{len(calibration.labels) - len(unscaled(calibration))} of {labels} calibrated on {patients}"
    if calibration.config.method == "none":
        scaled = f"thresholds of {labels} chosen on {patients}, scores left as they are"
    return f"{scaled}; a yes is said at the {_rule_text(calibration.config.points[0])}"


def unscaled(calibration: Calibration) -> dict[str, str]:
    """The labels whose scores are left as they are, and why."""
    return calibration.unscaled


def table(calibration: Calibration) -> tuple[tuple[str, ...], ...]:
    """A row per label: what becomes of its scores, and each threshold with what it did to the validation patients."""
    names = [rule.name for rule in calibration.config.points]
    header = ("label", "logits become", *(f"{name}: threshold (sensitivity, specificity)" for name in names))
    rows = (
        (label, _scaling_text(each.scaling), *(_point_text(each.points[name]) for name in names))
        for label, each in calibration.labels.items()
    )
    return (header, *rows)


def warnings(calibration: Calibration) -> tuple[str, ...]:
    """What the user of the model must know, a sentence each; labels with one reason together."""
    sentences = [] if calibration.config.method == "none" else _grouped("Scores are left as they are", unscaled(calibration))
    for number, rule in enumerate(calibration.config.points):
        points = {name: each.points[rule.name] for name, each in calibration.labels.items()}
        reasons = {name: point.reason for name, point in points.items() if isinstance(point, Undefined)}
        consequence = ", and so no yes or no" if number == 0 else ""
        sentences += _grouped(f"There is no {_rule_text(rule)}{consequence}", reasons)
    return tuple(sentences)


def _grouped(what: str, reasons: Mapping[str, str]) -> list[str]:
    """A sentence for each reason; one for all where there are many, since calibration.json has them label by label."""
    by_reason: dict[str, list[str]] = {}
    for label, reason in reasons.items():
        by_reason.setdefault(reason, []).append(label)
    if len(by_reason) > _MOST_REASONS:
        labels = count_text(len(reasons), "label")
        return [f"{what}, of {labels} for the reasons in calibration.json: {_listed(list(reasons))}."]
    return [f"{what}, {reason}: {_listed(labels)}." for reason, labels in by_reason.items()]


def _listed(labels: list[str]) -> str:
    more = len(labels) - _MOST_LABELS
    return ", ".join(labels[:_MOST_LABELS]) + (f" and {more} more" if more > 0 else "")


def _rule_text(rule: OperatingRule) -> str:
    """Like "threshold with a sensitivity of 0.9"; it follows "the"."""
    if rule.target is None:
        return "threshold with the highest sum of sensitivity and specificity"
    kind = "positive predictive value" if rule.rule == "ppv" else rule.rule
    return f"threshold with a {kind} of {rule.target:g}"


def _scaling_text(scaling: Scaling) -> str:
    if isinstance(scaling, Unchanged):
        return "as they are"
    intercept = getattr(scaling, "intercept", 0.0)
    return f"{scaling.slope:.2f} x logit" + (f" {'-' if intercept < 0 else '+'} {abs(intercept):.2f}" if intercept else "")


def _point_text(point: OperatingPoint | Undefined) -> str:
    if isinstance(point, Undefined):
        return "none"
    sides = (point.validation.sensitivity, point.validation.specificity)
    return f"{point.threshold:.3f} ({', '.join(figure_text(side) for side in sides)})"
