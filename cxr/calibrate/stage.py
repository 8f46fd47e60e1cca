"""The calibrate stage: thresholds and calibration from the validation patients, frozen into the model."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from cxr.calibrate.calibration import Calibration
from cxr.calibrate.fit import fit_calibration
from cxr.calibrate.wording import headline, table, unscaled, warnings
from cxr.config import CalibrateStage
from cxr.errors import DataError
from cxr.evaluate.cells import align
from cxr.evaluate.units import combine_units
from cxr.labels.label_set import read_label_set
from cxr.model.file import calibrated_copy
from cxr.predictions import Predictions, read_predictions
from cxr.stage import RunLog, StageContext, StageResult
from cxr.tracking.served import write_served

SPLIT = "val"
"""The side that calibration is fitted on; the test patients are not looked at."""


def run(config: CalibrateStage, context: StageContext) -> StageResult:
    """Write `calibration.json`, and `model.safetensors`: the trained model with its calibration, ready to be served.

    Raises:
        DataError: the predictions have no validation rows, or their labels are not those of the label set.
    """
    context.progress(0, 2, "fitting on the validation patients")
    calibration = _fit(_validation(context.inputs["predictions"]), config)
    (context.folder / "calibration.json").write_text(calibration.to_json() + "\n", encoding="utf-8")
    context.progress(1, 2, "writing the model")
    calibrated_copy(context.inputs["model"], context.folder / "model.safetensors", calibration)
    context.run.params(config.calibrate.model_dump(mode="json"))
    context.run.artifact(context.folder / "calibration.json")
    unserved = _log_model(context.run, context.folder / "model.safetensors")
    context.progress(2, 2, "done")
    return StageResult(
        counts=_counts(calibration),
        headline=headline(calibration),
        table=table(calibration),
        warnings=(*warnings(calibration), *unserved),
        highlights=("calibration.json",),
    )


def _log_model(run: RunLog, model: Path) -> tuple[str, ...]:
    """Log the model as others load it; or, where it cannot score files by itself, its file alone, and why as a warning."""
    if not run.run_id:  # nobody keeps it
        return ()
    with TemporaryDirectory() as folder:
        served = Path(folder) / "model"
        try:
            write_served(served, model)
        except DataError as reason:
            run.artifact(model)
            return (f"MLflow keeps the file of the model, and nothing that can be loaded, served or promoted: {reason}",)
        run.log_model(served, "model")
    return ()


def _validation(path: Path) -> Predictions:
    predictions = read_predictions(path).where(SPLIT).in_order()
    if predictions.frame.empty:
        raise DataError(f"{path}: no row has the split '{SPLIT}', so there is nothing to calibrate on")
    return predictions


def _fit(predictions: Predictions, config: CalibrateStage) -> Calibration:
    cells = align(predictions, read_label_set(config.labels))
    units = combine_units(cells, predictions.frame, predictions.frame[[]], config.unit, config.combine)
    network = predictions.about.get("network", "")
    return fit_calibration(units.cells, config.calibrate, config.unit, config.combine, network)


def _counts(calibration: Calibration) -> dict[str, int]:
    return {
        "images": calibration.images,
        "patients": calibration.patients,
        "labels": len(calibration.labels),
        "labels_calibrated": len(calibration.labels) - len(unscaled(calibration)),
    }
