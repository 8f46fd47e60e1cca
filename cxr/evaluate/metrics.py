"""The figures of a prediction table: per label, over all labels, as probabilities, at operating points, by subgroup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.calibrate.calibration import Calibration
from cxr.config_evaluate import EvaluateConfig
from cxr.evaluate.auroc import micro_auroc
from cxr.evaluate.bootstrap import BootstrapInterval, auroc_interval, percentile_interval, resample
from cxr.evaluate.cells import Cells, align
from cxr.evaluate.estimate import Estimate
from cxr.evaluate.groups import group_images
from cxr.evaluate.label_rows import LabelRow, Ranked, label_row
from cxr.evaluate.operating import OperatingRow, operating_rows
from cxr.evaluate.probability_rows import ProbabilityRow, probability_rows
from cxr.evaluate.ranking import rank_all, rank_label
from cxr.evaluate.subgroups import Subgroups, compare_subgroups
from cxr.evaluate.undefined import Undefined, as_float
from cxr.evaluate.units import combine_units
from cxr.labels.label_set import LabelSet
from cxr.predictions import Predictions

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Macro(Ranked):
    """Means over the labels that have an AUROC.

    Args:
        ranking, precision: the means, unweighted; a resample fails where any of these labels fails.
        labels_defined: the labels averaged.
        labels_undefined: the labels left out.
    """

    labels_defined: tuple[str, ...]
    labels_undefined: tuple[str, ...]

    @property
    def label_count(self) -> int:
        """All labels, defined or not."""
        return len(self.labels_defined) + len(self.labels_undefined)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The evaluation of one prediction table.

    Args:
        rows: one per label, in the label set's order.
        macro: see `Macro`.
        micro: AUROC of all known cells of all labels together.
        probabilities: of each label, of the scores as they are and, where there is a calibration, of calibrated ones.
        operating: of each label and operating point; none without a calibration.
        subgroups: figures by sex, age, view and the like.
        subgroups_absent: columns asked for that the table does not have.
        calibration: fitted on other patients; None where there is none.
        cells: what was measured: images, studies or patients.
        images: how many images these are of.
        config: unit, resamples, kind and level of the intervals.
        seed: of the bootstrap.
        about: where the scores come from, as the prediction table tells it.
        remarks: what was left out or was odd when the tables were read, a sentence each.
    """

    rows: tuple[LabelRow, ...]
    macro: Macro
    micro: Estimate
    probabilities: tuple[ProbabilityRow, ...]
    operating: tuple[OperatingRow, ...]
    subgroups: Subgroups
    subgroups_absent: tuple[str, ...]
    calibration: Calibration | None
    cells: Cells
    images: int
    config: EvaluateConfig
    seed: int
    about: dict[str, str]
    remarks: tuple[str, ...] = ()

    @property
    def patients(self) -> int:
        """Patients that the images are of."""
        return self.cells.patient_count

    @property
    def units(self) -> int:
        """Images, studies or patients measured, by `config.unit`."""
        return self.cells.image_count

    @property
    def calibrated(self) -> _Floats | None:
        """Calibrated probabilities, float64 [units, labels] in [0, 1]; None without a calibration."""
        return None if self.calibration is None else self.calibration.apply(self.cells.scores, self.cells.label_names)

    @property
    def interval_method(self) -> str:
        """How the intervals of the AUROC of single labels were made."""
        level = f"{100 * self.config.confidence:g} %"
        if self.config.intervals == "delong":
            return f"DeLong, each {self.config.unit} taken for independent, {level}"
        return f"bootstrap of patients, {self.config.resamples} resamples, normal on the logit scale, {level}"

    def table(self) -> pd.DataFrame:
        """One row per label; undefined figures are NaN (an empty cell in CSV), with the reason in `note`."""
        rows = {row.label: self._record(row) for row in self.rows}
        for figures in self.probabilities:
            rows[figures.label] |= figures.record()
        return pd.DataFrame(list(rows.values()))

    def _record(self, row: LabelRow) -> dict[str, object]:
        return {
            "label": row.label,
            "unit": self.config.unit,
            **vars(row.counts),
            **row.ranking.columns("auroc"),
            "interval_method": self.interval_method,
            "failed_resamples": row.ranking.bootstrap.failed,
            **row.precision.columns("average_precision"),
            "prevalence": as_float(row.counts.prevalence),
            "note": row.note,
        }


def evaluate(
    predictions: Predictions, labels: LabelSet, config: EvaluateConfig, seed: int, calibration: Calibration | None = None
) -> Evaluation:
    """Measure a prediction table: every row of it, so pass the rows of one split.

    Args:
        predictions: the table; its labels are matched to `labels` by name.
        labels: says what an uncertain cell means, and the order of the rows.
        config: unit, subgroups, resamples and level of the intervals.
        seed: of the bootstrap.
        calibration: fitted on other patients.

    Raises:
        ConfigError: a subgroup is none of the table, or a prevalence is stated for a label that there is not.
        DataError: the table is empty, a label is missing on either side, or a patient or a truth cell is blank.
    """
    table = predictions.in_order()
    groups = group_images(table.frame, config.subgroups)
    units = combine_units(align(table, labels), table.frame, groups.frame, config.unit, config.combine)
    cells, count = units.cells, len(labels.names)
    rankings = [rank_label(cells, label) for label in range(count)]
    figures = [*(each.aurocs for each in rankings), *(each.average_precisions for each in rankings), rank_all(cells).aurocs]
    samples = resample(figures, cells.patient_count, config.resamples, seed)
    aurocs, precisions, micro = samples[:, :count], samples[:, count:-1], samples[:, -1]
    rows = tuple(label_row(cells, label, aurocs[:, label], precisions[:, label], config) for label in range(count))
    return Evaluation(
        rows=rows,
        macro=_macro(rows, aurocs, precisions, config.confidence),
        micro=_micro(cells, micro, config.confidence),
        probabilities=probability_rows(cells, calibration, config, seed),
        operating=() if calibration is None else operating_rows(cells, calibration, config, seed),
        subgroups=compare_subgroups(cells, units.groups, config.resamples, config.confidence, seed),
        subgroups_absent=groups.absent,
        calibration=calibration,
        cells=cells,
        images=len(predictions.frame),
        config=config,
        seed=seed,
        about=dict(predictions.about),
    )


def _macro(rows: Sequence[LabelRow], aurocs: _Floats, precisions: _Floats, confidence: float) -> Macro:
    defined = [index for index, row in enumerate(rows) if not isinstance(row.auroc, Undefined)]
    # resamples without that patient fail, and the others all agree on her: the mean would look too sure
    reasons = {rows[index].label: rows[index].counts.lone for index in defined}
    lone = next((Undefined(f"{label}: {found.reason}") for label, found in reasons.items() if found), None)
    # a mean over a row with NaN is NaN: such a resample counts as failed
    nothing = np.full(len(aurocs), np.nan)
    areas, shares = (samples[:, defined].mean(axis=1) if defined else nothing for samples in (aurocs, precisions))
    area, share = _mean([rows[index].auroc for index in defined]), _mean([rows[index].average_precision for index in defined])
    return Macro(
        ranking=_estimate(area, auroc_interval(area, areas, confidence), lone),
        precision=_estimate(share, percentile_interval(shares, confidence), lone),
        labels_defined=tuple(rows[index].label for index in defined),
        labels_undefined=tuple(row.label for row in rows if isinstance(row.auroc, Undefined)),
    )


def _mean(figures: Sequence[float | Undefined]) -> float | Undefined:
    return float(np.mean([as_float(figure) for figure in figures])) if figures else Undefined("no label has an AUROC")


def _estimate(value: float | Undefined, bootstrap: BootstrapInterval, lone: Undefined | None) -> Estimate:
    reason = value if isinstance(value, Undefined) else lone
    return Estimate(value, bootstrap if reason is None else BootstrapInterval(reason, bootstrap.failed))


def _micro(cells: Cells, samples: _Floats, confidence: float) -> Estimate:
    value = micro_auroc(cells.truth, cells.scores)
    return Estimate(value, auroc_interval(value, samples, confidence))
