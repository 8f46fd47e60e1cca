"""What the scores of each label are worth as probabilities, before and after they are calibrated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from cxr.calibrate.calibration import Calibration
from cxr.config_evaluate import EvaluateConfig
from cxr.evaluate.bootstrap import percentile_interval, resample
from cxr.evaluate.calibration import CalibrationFigures, Coefficient, measure_calibration
from cxr.evaluate.cells import Cells
from cxr.evaluate.estimate import Estimate
from cxr.evaluate.probability import brier_figure, brier_score, log_loss
from cxr.evaluate.undefined import Undefined, as_float

Kind = Literal["as scored", "calibrated"]
_NAN = float("nan")


@dataclass(frozen=True)
class ProbabilityRow:
    """One label.

    Args:
        label: its name.
        kind: whether of the scores as they are, or of calibrated ones.
        brier: Brier score, 0 is best.
        log_loss: natural logarithm, 0 is best.
        calibration: slope, intercept, bins; or why there are none.
    """

    label: str
    kind: Kind
    brier: Estimate
    log_loss: float | Undefined
    calibration: CalibrationFigures | Undefined

    def record(self) -> dict[str, float]:
        """Columns of the label's row; those of calibrated probabilities end in `_calibrated`."""
        end = "" if self.kind == "as scored" else "_calibrated"
        found = self.calibration
        figures = {
            **self.brier.columns("brier"),
            "log_loss": as_float(self.log_loss),
            "calibration_slope": _NAN if isinstance(found, Undefined) else _value(found.slope),
            "calibration_intercept": _NAN if isinstance(found, Undefined) else found.intercept.value,
            "ece_equal_width": _NAN if isinstance(found, Undefined) else found.ece_equal_width,
            "ece_equal_mass": _NAN if isinstance(found, Undefined) else found.ece_equal_mass,
        }
        return {f"{name}{end}": value for name, value in figures.items()}


def probability_rows(
    cells: Cells, calibration: Calibration | None, config: EvaluateConfig, seed: int
) -> tuple[ProbabilityRow, ...]:
    """The figures of each label, of the scores as they are, then of calibrated ones where there is a calibration.

    Args:
        cells: what is evaluated.
        calibration: fitted on other patients.
        config: resamples and level of the intervals.
        seed: of the bootstrap.
    """
    kinds: dict[Kind, npt.NDArray[np.float64]] = {"as scored": cells.scores}
    if calibration is not None:
        kinds["calibrated"] = calibration.apply(cells.scores, cells.label_names)
    sides = {kind: replace(cells, scores=scores) for kind, scores in kinds.items()}
    places = [(kind, side, label) for kind, side in sides.items() for label in range(len(cells.label_names))]
    samples = resample([brier_figure(side, label) for _, side, label in places], cells.patient_count, config.resamples, seed)
    return tuple(_row(*place, samples[:, index], config.confidence) for index, place in enumerate(places))


def _row(kind: Kind, cells: Cells, label: int, samples: npt.NDArray[np.float64], confidence: float) -> ProbabilityRow:
    truth, scores = cells.truth[:, label], cells.scores[:, label]
    return ProbabilityRow(
        label=cells.label_names[label],
        kind=kind,
        brier=Estimate(brier_score(truth, scores), percentile_interval(samples, confidence)),
        log_loss=log_loss(truth, scores),
        calibration=measure_calibration(truth, scores, cells.patients, confidence),
    )


def _value(coefficient: Coefficient | Undefined) -> float:
    return _NAN if isinstance(coefficient, Undefined) else coefficient.value
