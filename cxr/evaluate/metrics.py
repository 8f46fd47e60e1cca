"""The figures of a prediction table, per label and over all labels, with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.config_evaluate import EvaluateConfig
from cxr.evaluate.auroc import auroc, average_precision
from cxr.evaluate.bootstrap import BootstrapInterval, percentile_interval, resampled_aurocs
from cxr.evaluate.cells import Cells, align
from cxr.evaluate.interval import Interval
from cxr.evaluate.undefined import Undefined, as_float
from cxr.labels.label_set import LabelSet
from cxr.predictions import Predictions


@dataclass(frozen=True)
class LabelCounts:
    """What a label's figures rest on.

    Args:
        positives: images with the finding.
        negatives: images known to be without it.
        unknown: images not evaluated: blank cells, and uncertain ones that the label set's policy leaves out.
        uncertain: images whose cell was read as uncertain, whether the policy left them out or not.
        patients: patients with a known cell.
        patients_positive: patients with a positive image.
        patients_negative: patients with a known negative image; one with both kinds counts in both.
    """

    positives: int
    negatives: int
    unknown: int
    uncertain: int
    patients: int
    patients_positive: int
    patients_negative: int

    @property
    def prevalence(self) -> float | Undefined:
        """Positives among the known cells, in [0, 1]."""
        known = self.positives + self.negatives
        return self.positives / known if known else Undefined("no known cell")


@dataclass(frozen=True)
class LabelRow:
    """The figures of one label.

    Args:
        label: its name.
        counts: see `LabelCounts`.
        auroc: in [0, 1].
        bootstrap: interval of the AUROC.
        average_precision: in [0, 1].
        uncertain_used: uncertain cells that the label set's policy counted as positive or negative.
    """

    label: str
    counts: LabelCounts
    auroc: float | Undefined
    bootstrap: BootstrapInterval
    average_precision: float | Undefined
    uncertain_used: int

    @property
    def interval(self) -> Interval | Undefined:
        """Interval of the AUROC."""
        return self.bootstrap.interval

    @property
    def note(self) -> str:
        """What the row's reader must know: why a figure is undefined, what was left out; empty where all is plain."""
        if isinstance(self.auroc, Undefined):
            return f"undefined: {self.auroc.reason}"
        parts = []
        if isinstance(self.interval, Undefined):
            parts.append(f"interval undefined: {self.interval.reason}")
        elif self.bootstrap.failed:
            parts.append(f"{self.bootstrap.failed} failed resamples left out")
        if self.uncertain_used:
            parts.append(f"{self.uncertain_used} uncertain counted as the label set says")
        return "; ".join(parts)


@dataclass(frozen=True)
class Macro:
    """The mean AUROC over the labels that have one.

    Args:
        auroc: unweighted mean, in [0, 1].
        bootstrap: its interval; a resample fails where any of these labels fails.
        labels_defined: the labels averaged.
        labels_undefined: the labels left out.
    """

    auroc: float | Undefined
    bootstrap: BootstrapInterval
    labels_defined: tuple[str, ...]
    labels_undefined: tuple[str, ...]

    @property
    def interval(self) -> Interval | Undefined:
        """Interval of the mean AUROC."""
        return self.bootstrap.interval

    @property
    def label_count(self) -> int:
        """All labels, defined or not."""
        return len(self.labels_defined) + len(self.labels_undefined)


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of one prediction table.

    Args:
        rows: one per label, in the label set's order.
        macro: see `Macro`.
        images: images evaluated.
        patients: patients they are of.
        resamples: bootstrap resamples drawn.
        confidence: level of the intervals.
        seed: seed of the bootstrap.
        about: where the scores come from, as the prediction table tells it.
    """

    rows: tuple[LabelRow, ...]
    macro: Macro
    images: int
    patients: int
    resamples: int
    confidence: float
    seed: int
    about: dict[str, str]

    @property
    def interval_method(self) -> str:
        """How the intervals were made."""
        return f"percentile bootstrap of patients, {self.resamples} resamples, {100 * self.confidence:g} %"

    def table(self) -> pd.DataFrame:
        """One row per label; undefined figures are NaN (an empty cell in CSV), with the reason in `note`."""
        return pd.DataFrame([self._record(row) for row in self.rows])

    def _record(self, row: LabelRow) -> dict[str, object]:
        low, high = interval_floats(row.interval)
        return {
            "label": row.label,
            "positives": row.counts.positives,
            "negatives": row.counts.negatives,
            "unknown": row.counts.unknown,
            "uncertain": row.counts.uncertain,
            "patients": row.counts.patients,
            "patients_positive": row.counts.patients_positive,
            "patients_negative": row.counts.patients_negative,
            "auroc": as_float(row.auroc),
            "auroc_low": low,
            "auroc_high": high,
            "interval_method": self.interval_method,
            "failed_resamples": row.bootstrap.failed,
            "average_precision": as_float(row.average_precision),
            "prevalence": as_float(row.counts.prevalence),
            "note": row.note,
        }


def interval_floats(interval: Interval | Undefined) -> tuple[float, float]:
    """Both bounds as floats; NaN where the interval is undefined."""
    return (float("nan"), float("nan")) if isinstance(interval, Undefined) else (interval.low, interval.high)


def evaluate(predictions: Predictions, labels: LabelSet, config: EvaluateConfig, seed: int) -> Evaluation:
    """Measure a prediction table: every row of it, so pass the rows of one split.

    Args:
        predictions: the table; its labels are matched to `labels` by name.
        labels: says what an uncertain cell means, and the order of the rows.
        config: resamples and level of the intervals.
        seed: of the bootstrap.

    Raises:
        DataError: the table is empty, a label is missing on either side, or a patient or a truth cell is blank.
    """
    cells = align(predictions, labels)
    samples = resampled_aurocs(cells, config.resamples, seed)
    rows = tuple(_label_row(cells, label, samples[:, label], config) for label in range(len(cells.label_names)))
    return Evaluation(
        rows=rows,
        macro=_macro(rows, samples, config.confidence),
        images=cells.image_count,
        patients=cells.patient_count,
        resamples=config.resamples,
        confidence=config.confidence,
        seed=seed,
        about=dict(predictions.about),
    )


def _label_row(cells: Cells, label: int, samples: npt.NDArray[np.float64], config: EvaluateConfig) -> LabelRow:
    truth, scores = cells.truth[:, label], cells.scores[:, label]
    counts = _counts(cells, label)
    value = auroc(truth, scores)
    return LabelRow(
        label=cells.label_names[label],
        counts=counts,
        auroc=value,
        bootstrap=_label_interval(value, counts, samples, config.confidence),
        average_precision=average_precision(truth, scores),
        uncertain_used=int((cells.uncertain[:, label] & cells.known(label)).sum()),
    )


def _counts(cells: Cells, label: int) -> LabelCounts:
    truth = cells.truth[:, label]
    return LabelCounts(
        positives=int((truth == 1).sum()),
        negatives=int((truth == 0).sum()),
        unknown=int(np.isnan(truth).sum()),
        uncertain=int(cells.uncertain[:, label].sum()),
        patients=cells.patients_where(cells.known(label)),
        patients_positive=cells.patients_where(truth == 1),
        patients_negative=cells.patients_where(truth == 0),
    )


def _label_interval(
    value: float | Undefined, counts: LabelCounts, samples: npt.NDArray[np.float64], confidence: float
) -> BootstrapInterval:
    bootstrap = percentile_interval(samples, confidence)
    if isinstance(value, Undefined):
        return BootstrapInterval(value, bootstrap.failed)
    # drawing one patient again and again shows nothing of how patients differ: the interval would be far too narrow
    for kind, patients in (("positives", counts.patients_positive), ("negatives", counts.patients_negative)):
        if patients == 1:
            return BootstrapInterval(Undefined(f"all {kind} are of one patient"), bootstrap.failed)
    return bootstrap


def _macro(rows: tuple[LabelRow, ...], samples: npt.NDArray[np.float64], confidence: float) -> Macro:
    defined = [index for index, row in enumerate(rows) if not isinstance(row.auroc, Undefined)]
    names = tuple(rows[index].label for index in defined)
    others = tuple(row.label for row in rows if row.label not in names)
    if not defined:
        nothing = Undefined("no label has an AUROC")
        return Macro(nothing, BootstrapInterval(nothing, len(samples)), names, others)
    # a mean over rows with NaN is NaN: such a resample counts as failed
    bootstrap = percentile_interval(samples[:, defined].mean(axis=1), confidence)
    value = float(np.mean([as_float(rows[index].auroc) for index in defined]))
    return Macro(value, bootstrap, names, others)
