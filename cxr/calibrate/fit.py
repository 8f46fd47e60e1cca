"""From the scores of the validation patients to a calibration, label by label."""

from __future__ import annotations

from cxr.calibrate.calibration import SCHEMA_VERSION, Calibration, LabelCalibration
from cxr.calibrate.scaling import fit_scaling
from cxr.calibrate.thresholds import choose_point
from cxr.config_evaluate import CalibrateConfig, Combine, Unit
from cxr.evaluate.cells import Cells


def fit_calibration(
    cells: Cells, config: CalibrateConfig, unit: Unit = "image", combine: Combine = "mean", network: str = ""
) -> Calibration:
    """Fit the scaling of each label, and choose its operating points on the probabilities that it gives.

    Args:
        cells: of the validation side alone; the figures of any image that was fitted to are too good.
        config: the method, and the rules of the operating points.
        unit: what the rows of `cells` are.
        combine: how the scores of the images of a unit became one.
        network: which of several networks gave the scores; empty where there is one.
    """
    return Calibration(
        schema_version=SCHEMA_VERSION,
        config=config,
        unit=unit,
        combine=combine,
        network=network,
        images=cells.image_count,
        patients=cells.patient_count,
        labels={name: _fit_label(cells, j, config) for j, name in enumerate(cells.label_names)},
    )


def _fit_label(cells: Cells, label: int, config: CalibrateConfig) -> LabelCalibration:
    truth, scores = cells.truth[:, label], cells.scores[:, label]
    scaling = fit_scaling(config.method, truth, scores, cells.patients)
    probabilities = scaling(scores)
    return LabelCalibration(
        scaling=scaling, points={rule.name: choose_point(truth, probabilities, rule) for rule in config.points}
    )
