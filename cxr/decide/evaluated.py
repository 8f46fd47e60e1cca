"""What the evaluate stage found of the new model, as its tables have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cxr.errors import DataError

_ERROR = "ece_equal_mass_calibrated"


@dataclass(frozen=True)
class EvaluatedLabel:
    """A row of metrics.csv.

    Args:
        label: its name.
        auroc: in [0, 1]; None where undefined.
        interval: of the AUROC; None where undefined.
        calibration_error: expected, over bins of equal size, of calibrated probabilities, in [0, 1]; None where undefined.
        patients: with the finding.
        caution, note: what the reader of the row must know.
    """

    label: str
    auroc: float | None
    interval: tuple[float, float] | None
    calibration_error: float | None
    patients: int
    caution: str
    note: str

    @property
    def remark(self) -> str:
        """Note and caution; where there is no interval both would say why."""
        twice = self.auroc is not None and self.interval is None and self.caution
        return "; ".join(filter(None, ("" if twice else self.note, self.caution)))


@dataclass(frozen=True)
class EvaluatedGap:
    """A row of gaps.csv that has a gap.

    Args:
        column, label: between whose groups, for which finding.
        highest, lowest: the groups with the largest and the smallest AUROC.
        gap: the difference of the two, in [0, 1].
        low: lower bound of the gap; None where it has no interval.
    """

    column: str
    label: str
    highest: str
    lowest: str
    gap: float
    low: float | None


@dataclass(frozen=True)
class EvaluatedGaps:
    """All of gaps.csv.

    Args:
        gaps: where groups could be compared.
        too_small: how often, by column and label, fewer than two groups had enough patients.
    """

    gaps: tuple[EvaluatedGap, ...]
    too_small: int


def read_labels(path: Path) -> dict[str, EvaluatedLabel]:
    """The rows of metrics.csv, by label.

    Raises:
        DataError: no such table.
    """
    return {record["label"]: _label(record) for record in _records(path, ("label", "auroc", _ERROR, "patients_positive"))}


def read_gaps(path: Path) -> EvaluatedGaps:
    """The rows of gaps.csv.

    Raises:
        DataError: no such table.
    """
    records = _records(path, ("column", "label", "highest", "lowest", "gap", "gap_low"))
    found = [(record, _figure(record["gap"])) for record in records]
    gaps = [_gap(record, gap) for record, gap in found if gap is not None]
    return EvaluatedGaps(tuple(gaps), len(found) - len(gaps))


def _records(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)  # a label may be called NA, a group 1
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    missing = next((column for column in columns if column not in table), None)
    if missing is not None:
        raise DataError(f"{path}: not a table of the evaluate stage: column '{missing}' is missing")
    return [dict(zip(table.columns, row, strict=True)) for row in table.to_numpy().tolist()]


def _label(record: Mapping[str, str]) -> EvaluatedLabel:
    low, high = _figure(record["auroc_low"]), _figure(record["auroc_high"])
    return EvaluatedLabel(
        label=record["label"],
        auroc=_figure(record["auroc"]),
        interval=None if low is None or high is None else (low, high),
        calibration_error=_figure(record[_ERROR]),
        patients=int(record["patients_positive"]),
        caution=record["caution"],
        note=record["note"],
    )


def _gap(record: Mapping[str, str], gap: float) -> EvaluatedGap:
    return EvaluatedGap(
        column=record["column"],
        label=record["label"],
        highest=record["highest"],
        lowest=record["lowest"],
        gap=gap,
        low=_figure(record["gap_low"]),
    )


def _figure(text: str) -> float | None:
    return float(text) if text else None
