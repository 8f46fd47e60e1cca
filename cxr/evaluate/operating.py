"""Decisions on the test patients: what each operating point finds and what its yes and no are worth, with intervals.

All figures come from the four counts of the 2 x 2 table by patient, so one matrix product takes every table to every resample
of the patients. The draws are those of `cxr.evaluate.bootstrap.resample` with the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxr.calibrate.calibration import Calibration
from cxr.calibrate.thresholds import Confusion, OperatingPoint
from cxr.config_evaluate import EvaluateConfig
from cxr.errors import ConfigError
from cxr.evaluate.bootstrap import BootstrapInterval, patient_counts, percentile_interval
from cxr.evaluate.cells import Cells
from cxr.evaluate.estimate import Estimate
from cxr.evaluate.interval import Interval
from cxr.evaluate.undefined import Undefined, as_float

_Float = npt.NDArray[np.float64]
_CELLS = ("true_positives", "false_positives", "false_negatives", "true_negatives")
_CALLED = ("positive", "negative")


@dataclass(frozen=True)
class AtPrevalence:
    """Predictive values where the finding is as common as stated, from sensitivity and specificity by Bayes' rule.

    Args:
        prevalence: share of images with the finding, in [0, 1].
        ppv: positive predictive value.
        npv: negative predictive value.
    """

    prevalence: float
    ppv: Estimate
    npv: Estimate


@dataclass(frozen=True)
class OperatingFigures:
    """What a threshold does to the test images with a known cell.

    Args:
        threshold: on the probability, in (0, 1]; yes from here on.
        counts: the 2 x 2 table.
        sensitivity: share of the positives that is called so.
        specificity: share of the negatives that is called so.
        ppv: share of the images called positive that is so, at the prevalence of the test images.
        npv: share of the images called negative that is so, at the same.
        at_prevalence: predictive values at the prevalence that the user states; None where none is stated.
    """

    threshold: float
    counts: Confusion
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    at_prevalence: AtPrevalence | None


@dataclass(frozen=True)
class OperatingRow:
    """One operating point of one label.

    Args:
        label: its name.
        point: name of the operating point.
        figures: what it does, or why the label does not have this point.
    """

    label: str
    point: str
    figures: OperatingFigures | Undefined


def operating_rows(cells: Cells, calibration: Calibration, config: EvaluateConfig, seed: int) -> tuple[OperatingRow, ...]:
    """Measure every operating point of every label.

    Args:
        cells: of the test side, with the scores as the model gives them.
        calibration: fitted on other patients; the labels are matched by name.
        config: resamples and level of the intervals, and the prevalences stated.
        seed: of the bootstrap.

    Returns:
        A row for each label and point: the labels in the order of `cells`, the points in that of the calibration.

    Raises:
        ConfigError: a prevalence is stated for a label that there is not.
        DataError: a label was not fitted.
    """
    for label in config.prevalence:
        if label not in cells.label_names:
            raise ConfigError(f"evaluate.prevalence: no label '{label}'; there are: {', '.join(cells.label_names)}")
    probabilities = calibration.apply(cells.scores, cells.label_names)
    places = [(j, name, rule.name) for j, name in enumerate(cells.label_names) for rule in calibration.config.points]
    points = [calibration.labels[name].points[rule] for _, name, rule in places]
    tables = [_by_patient(cells, j, probabilities[:, j], point) for (j, _, _), point in zip(places, points, strict=True)]
    drawn = _resample(tables, config.resamples, seed)
    return tuple(
        OperatingRow(name, rule, _measure(point, table, samples, config.confidence, config.prevalence.get(name)))
        for (_, name, rule), point, table, samples in zip(places, points, tables, drawn, strict=True)
    )


def _by_patient(cells: Cells, label: int, probabilities: _Float, point: OperatingPoint | Undefined) -> _Float:
    """Images of each patient, float64 [4, patients]: true and false positives, false and true negatives; 0 without a point."""
    count = cells.patient_count
    if isinstance(point, Undefined):
        return np.zeros((4, count))
    known = cells.known(label)
    positive, yes = cells.truth[known, label] == 1, probabilities[known] >= point.threshold
    kind = np.where(yes, np.where(positive, 0, 1), np.where(positive, 2, 3))
    return np.bincount(kind * count + cells.patients[known], minlength=4 * count).reshape(4, count).astype(np.float64)


def _resample(tables: Sequence[_Float], resamples: int, seed: int) -> _Float:
    """float64 [tables, 4, resamples] of tables [4, patients]; whole numbers, so that nothing is rounded."""
    rows = np.concatenate(tables)
    sums = np.concatenate([rows @ counts for counts in patient_counts(rows.shape[1], resamples, seed)], axis=1)
    return sums.reshape(len(tables), 4, resamples)


def _measure(
    point: OperatingPoint | Undefined, table: _Float, samples: _Float, confidence: float, prevalence: float | None
) -> OperatingFigures | Undefined:
    if isinstance(point, Undefined):
        return point
    counts = Confusion(**dict(zip(_CELLS, table.sum(axis=1).astype(int).tolist(), strict=True)))
    yes_right, yes_wrong, no_wrong, no_right = samples
    sensitivity, specificity = _share(yes_right, no_wrong), _share(no_right, yes_wrong)
    positives, negatives = table[[0, 2]], table[[1, 3]]
    there = None
    if prevalence is not None:
        lone = _lone(positives, "positives") or _lone(negatives, "negatives")
        there = _at_prevalence(counts, prevalence, sensitivity, specificity, lone, confidence)
    return OperatingFigures(
        threshold=point.threshold,
        counts=counts,
        sensitivity=_share_estimate(counts.sensitivity, sensitivity, positives, "positives", confidence),
        specificity=_share_estimate(counts.specificity, specificity, negatives, "negatives", confidence),
        ppv=_share_estimate(counts.ppv, _share(yes_right, yes_wrong), table[:2], "images called positive", confidence),
        npv=_share_estimate(counts.npv, _share(no_right, no_wrong), table[2:], "images called negative", confidence),
        at_prevalence=there,
    )


def _at_prevalence(
    counts: Confusion, prevalence: float, sensitivity: _Float, specificity: _Float, lone: Undefined | None, confidence: float
) -> AtPrevalence:
    own = (counts.sensitivity, counts.specificity)
    nothing = [figure for figure in own if isinstance(figure, Undefined)]
    values = _bayes(prevalence, *(np.array([as_float(figure)]) for figure in own))
    estimates = []
    for value, samples, called in zip(values, _bayes(prevalence, sensitivity, specificity), _CALLED, strict=True):
        reason = nothing[0] if nothing else Undefined(f"no image is called {called}")
        estimates.append(_estimate(reason if np.isnan(value[0]) else float(value[0]), samples, lone, confidence))
    return AtPrevalence(prevalence, *estimates)


def _bayes(prevalence: float, sensitivity: _Float, specificity: _Float) -> tuple[_Float, _Float]:
    """Positive and negative predictive value."""
    ppv = _share(prevalence * sensitivity, (1 - prevalence) * (1 - specificity))
    return ppv, _share((1 - prevalence) * specificity, prevalence * (1 - sensitivity))


def _estimate(value: float | Undefined, samples: _Float, lone: Undefined | None, confidence: float) -> Estimate:
    bootstrap = percentile_interval(samples, confidence)
    reason = value if isinstance(value, Undefined) else lone
    return Estimate(value, bootstrap if reason is None else BootstrapInterval(reason, bootstrap.failed))


def _share_estimate(value: float | Undefined, samples: _Float, images: _Float, kind: str, confidence: float) -> Estimate:
    """A share of some images, float64 [2, patients], those in the share and the others.

    Where the share is 0 or 1 resamples do not vary, and its interval is the exact one of as many patients (Clopper and Pearson,
    Biometrika 26:404, 1934): 13 of 13 does not say that none is ever missed.
    """
    lone = _lone(images, kind)
    if lone is not None or isinstance(value, Undefined) or 0 < value < 1:
        return _estimate(value, samples, lone, confidence)
    reach = ((1 - confidence) / 2) ** (1 / int((images.sum(axis=0) > 0).sum()))
    failed = int(np.isnan(samples).sum())
    return Estimate(value, BootstrapInterval(Interval(reach, 1.0) if value else Interval(0.0, 1 - reach), failed))


def _lone(images: _Float, kind: str) -> Undefined | None:
    """Why one patient's images, however often they are drawn, show nothing of how patients differ; None if there are more."""
    return Undefined(f"all {kind} are of one patient") if (images.sum(axis=0) > 0).sum() == 1 else None


def _share(part: _Float, rest: _Float) -> _Float:
    """part / (part + rest), in [0, 1]; NaN where both are 0."""
    whole = part + rest
    shares = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
