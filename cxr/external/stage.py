"""The evaluation of tables of any origin, with no image and no model: the same figures and report as of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cxr.calibrate.calibration import Calibration
from cxr.calibrate.fit import fit_calibration
from cxr.calibrate.wording import warnings as calibration_warnings
from cxr.config import TablesStage
from cxr.config_evaluate import EvaluateConfig
from cxr.errors import ConfigError
from cxr.evaluate.cells import Cells, align
from cxr.evaluate.conclude import PAGES, conclude
from cxr.evaluate.groups import group_images
from cxr.evaluate.metrics import evaluate
from cxr.evaluate.outputs import WRITTEN
from cxr.evaluate.units import combine_units
from cxr.external.read import read_tables
from cxr.external.sides import Sides, divide
from cxr.labels.label_set import LabelSet
from cxr.predictions import Predictions
from cxr.stage import StageContext, StageResult

WRITES = (*WRITTEN, *PAGES, "calibration.json")
"""What a run leaves behind; anything else in its folder is not its own."""


def run(config: TablesStage, context: StageContext) -> StageResult:
    """Evaluate the rows of the side `test` of a table, or all rows where it names no sides.

    Where it has a side `val`, of other patients, calibration and thresholds are fitted on that.

    Raises:
        ConfigError: the label set or the layout cannot be read, or a subgroup or prevalence fits nothing.
        DataError: a table cannot be read or joined; names the row, the label or the column.
    """
    context.progress(0, 3, "reading the tables")
    read = _read(config)
    calibration = _fit(read, config)
    if calibration is not None:
        (context.folder / "calibration.json").write_text(calibration.to_json() + "\n", encoding="utf-8")
    context.progress(1, 3, f"resampling {len(read.sides.test.frame)} images")
    evaluation = evaluate(read.sides.test, read.labels, config.evaluate, config.seed, calibration)
    evaluation = replace(evaluation, remarks=read.warnings)
    context.progress(2, 3, "writing the report")
    title = config.title or config.predictions.stem
    result = conclude(evaluation, read.labels, (title, ""), read.sides.name, context)
    context.progress(3, 3, "done")
    fitted = () if calibration is None else calibration_warnings(calibration)
    return replace(result, warnings=(*read.warnings, *fitted, *result.warnings))


def check(config: TablesStage) -> None:
    """Refuse what cannot be evaluated, before the result of the last run is cleared.

    Raises:
        ConfigError, DataError: as `run` raises them.
    """
    read = _read(config)
    group_images(read.sides.test.frame, config.evaluate.subgroups)
    for side in (read.sides.test, read.sides.validation):
        if side is not None:
            _units(side, read.labels, config.evaluate)
    stranger = next((name for name in config.evaluate.prevalence if name not in read.labels.names), None)
    if stranger is not None:
        raise ConfigError(f"evaluate.prevalence: no label '{stranger}'; there are: {', '.join(read.labels.names)}")
    if config.evaluate.prevalence and read.sides.validation is None:
        raise ConfigError(
            "evaluate.prevalence: predictive values need thresholds, and no row has the split 'val' to choose them on"
        )


@dataclass(frozen=True, eq=False)
class _Read:
    """What a configuration names, as it was read."""

    sides: Sides
    labels: LabelSet
    warnings: tuple[str, ...]


def _read(config: TablesStage) -> _Read:
    found = read_tables(config.predictions, config)
    sides = divide(found.predictions)
    return _Read(sides, found.labels, (*found.warnings, *sides.remarks))


def _fit(read: _Read, config: TablesStage) -> Calibration | None:
    if read.sides.validation is None:
        return None
    cells = _units(read.sides.validation, read.labels, config.evaluate)
    return fit_calibration(cells, config.calibrate, config.evaluate.unit, config.evaluate.combine)


def _units(side: Predictions, labels: LabelSet, config: EvaluateConfig) -> Cells:
    table = side.in_order()
    return combine_units(align(table, labels), table.frame, table.frame[[]], config.unit, config.combine).cells
