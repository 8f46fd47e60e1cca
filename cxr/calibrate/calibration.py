"""What is frozen into a model: of each label how its scores become probabilities, and where these become a yes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from cxr.calibrate.scaling import Scaling, Unchanged
from cxr.calibrate.thresholds import OperatingPoint
from cxr.config_evaluate import CalibrateConfig, Combine, Unit
from cxr.errors import DataError
from cxr.evaluate.undefined import Undefined
from cxr.labels.values import NEGATIVE, POSITIVE, UNKNOWN, Codes

SCHEMA_VERSION = 1

_Float = npt.NDArray[np.float64]
_Size = Annotated[int, Field(strict=True, ge=1)]


def _kind(value: object) -> str:
    """Which of the two a point is, in memory or in JSON."""
    return "undefined" if isinstance(value, Undefined) or (isinstance(value, Mapping) and "reason" in value) else "point"


PointOrReason = Annotated[
    Annotated[OperatingPoint, Tag("point")] | Annotated[Undefined, Tag("undefined")],
    Discriminator(_kind),
]


class LabelCalibration(BaseModel):
    """One label.

    Args:
        scaling: from scores to probabilities.
        points: by name, the operating point on these probabilities, or why there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scaling: Annotated[Scaling, Field(discriminator="method")]
    points: Mapping[str, PointOrReason]


class Calibration(BaseModel):
    """All labels, and how they were fitted.

    Args:
        schema_version: of this layout.
        config: method, and the rules of the operating points; the first one says yes or no.
        unit: what the scores were of when it was fitted, and have to be of; one of images, studies and patients.
        combine: how the scores of the images of a unit became one.
        network: which of the networks of a stacked model gave the scores, as predictions tell it; empty where there is one.
        images: validation images, or other units, that it was fitted on.
        patients: patients they are of.
        labels: by name, what was fitted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1]
    config: CalibrateConfig
    unit: Unit
    combine: Combine
    network: str = ""
    images: _Size
    patients: _Size
    labels: Mapping[str, LabelCalibration] = Field(min_length=1)

    @model_validator(mode="after")
    def _as_configured(self) -> Self:
        names = {rule.name for rule in self.config.points}
        for label, fitted in self.labels.items():
            if set(fitted.points) != names:
                raise ValueError(f"label '{label}' has the operating points {sorted(fitted.points)}, not {sorted(names)}")
            if fitted.scaling.method not in (self.config.method, "none"):
                raise ValueError(f"label '{label}' was scaled by {fitted.scaling.method}, not {self.config.method}")
        return self

    @property
    def unscaled(self) -> dict[str, str]:
        """The labels whose scores are left as they are, and why: what is said of these is no calibrated probability."""
        scalings = {name: each.scaling for name, each in self.labels.items()}
        return {name: each.reason for name, each in scalings.items() if isinstance(each, Unchanged)}

    def apply(self, scores: _Float, label_names: Sequence[str]) -> _Float:
        """Probabilities of scores.

        Args:
            scores: float64 [images, labels] in [0, 1], as the model gives them.
            label_names: the labels of the columns, in any order.

        Returns:
            float64 [images, labels] in [0, 1].

        Raises:
            DataError: a label was not fitted, a column has no name, or a score is not in [0, 1].
        """
        columns = self._columns(scores, label_names)
        return np.stack([fitted.scaling(scores[:, j]) for j, fitted in enumerate(columns)], axis=1)

    def decide(self, probabilities: _Float, label_names: Sequence[str], point: str) -> Codes:
        """Yes or no of every image.

        Args:
            probabilities: float64 [images, labels], from `apply`.
            label_names: the labels of the columns, in any order.
            point: name of the operating point.

        Returns:
            int8 [images, labels] codes as in `cxr.labels.values`: positive, negative, and unknown throughout for a label that
            does not have this operating point.

        Raises:
            DataError: no such operating point, a label was not fitted, a column has no name, or a value is not in [0, 1].
        """
        if point not in {rule.name for rule in self.config.points}:
            names = ", ".join(rule.name for rule in self.config.points)
            raise DataError(f"calibration: no operating point '{point}'; there are: {names}")
        codes = np.full(probabilities.shape, UNKNOWN, np.int8)
        for j, fitted in enumerate(self._columns(probabilities, label_names)):
            chosen = fitted.points[point]
            if isinstance(chosen, OperatingPoint):
                codes[:, j] = np.where(probabilities[:, j] >= chosen.threshold, POSITIVE, NEGATIVE)
        return codes

    def to_json(self) -> str:
        """The whole of it, with numbers in full precision."""
        return self.model_dump_json(indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            DataError: anything else, with the label and the key.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            problem = error.errors()[0]
            place = "".join(f"{part}: " for part in ("calibration", *problem["loc"]))
            raise DataError(f"{place}{problem['msg'].removeprefix('Value error, ')}") from error

    def _columns(self, values: _Float, label_names: Sequence[str]) -> tuple[LabelCalibration, ...]:
        """What was fitted for each column of checked values."""
        missing = [name for name in label_names if name not in self.labels]
        if missing:
            raise DataError(f"calibration: label '{missing[0]}' was not fitted; there are: {', '.join(self.labels)}")
        if values.ndim != 2 or values.shape[1] != len(label_names):
            raise DataError(f"calibration: scores of shape {values.shape} for {len(label_names)} labels")
        bad = np.argwhere(~((values >= 0) & (values <= 1)))  # also a NaN
        if len(bad):
            row, column = bad[0]
            raise DataError(
                f"calibration: label '{label_names[column]}': score {values[row, column]} in row {row} is not in 0 to 1"
            )
        return tuple(self.labels[name] for name in label_names)


def read_calibration(path: Path) -> Calibration:
    """Read a file that holds `Calibration.to_json`.

    Raises:
        DataError: no such file, or one that holds anything else, with the label and the key.
    """
    try:
        return Calibration.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
