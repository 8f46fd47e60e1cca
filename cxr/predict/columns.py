"""The tables of an answer, a row per file and a row per study: numbers for what was scored, a reason for what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr.calibrate.calibration import Calibration
from cxr.calibrate.thresholds import OperatingPoint
from cxr.errors import DataError
from cxr.ingest.deidentify import Pseudonyms
from cxr.ingest.outcome import CODES
from cxr.labels.values import POSITIVE, UNKNOWN
from cxr.predict.inputs import Input
from cxr.predict.rows import FileRow, StudyRow

ABOUT_FILE: dict[str, type] = {
    "number": int, "file": str, "study_uid": str, "instance_uid": str, "outcome": str, "codes": str, "reason": str,
}  # fmt: skip
ABOUT_STUDY: dict[str, type] = {"study_uid": str, "files": int, "scored": int, "reason": str}
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Said:
    """What is said of one label.

    Args:
        value: calibrated probability, in [0, 1]; of a network without calibration its score.
        yes: whether it reaches the first operating point; None where there is none.
    """

    value: float
    yes: bool | None


@dataclass(frozen=True)
class Columns:
    """What the columns are, and how rows are filled.

    Args:
        names: the labels, in the model's order.
        calibration: None for scores without.
        inputs: where files come from.
        pseudonyms: under which names files and studies are told; None for their own.
    """

    names: tuple[str, ...]
    calibration: Calibration | None
    inputs: tuple[Input, ...]
    pseudonyms: Pseudonyms | None

    def __post_init__(self) -> None:
        others = {*ABOUT_FILE, *ABOUT_STUDY, *(f"{word}/{name}" for word in ("yes", "score") for name in self.names)}
        twice = next((name for name in self.names if name in others), None)
        if twice is not None:
            raise DataError(f"label '{twice}' has the name of a column of the answer; rename the label")

    @property
    def own_scores(self) -> bool:
        """Whether a file's row has the scores of its image beside what its study or patient got."""
        return self.calibration is not None and self.calibration.unit != "image"

    @property
    def of_files(self) -> dict[str, type]:
        """Name and type of the columns of the table of files."""
        own = {f"score/{name}": float for name in self.names} if self.own_scores else {}
        return {**ABOUT_FILE, **self._values, **own}

    @property
    def of_studies(self) -> dict[str, type]:
        """The same of the table of studies."""
        return {**ABOUT_STUDY, **self._values}

    @property
    def _values(self) -> dict[str, type]:
        if self.calibration is None:
            return {f"score/{name}": float for name in self.names}
        return {**dict.fromkeys(self.names, float), **{f"yes/{name}": bool for name in self.names}}

    def file_about(self, row: FileRow) -> dict[str, Any]:
        """The first columns of a file."""
        file, study, instance = self.inputs[row.source].shown(row.name), row.study_uid, row.instance_uid
        if self.pseudonyms is not None:
            file, study, instance = self.pseudonyms.file(row.name), self.pseudonyms.uid(study), self.pseudonyms.uid(instance)
        outcome = row.outcome
        values = (outcome.number, file, study, instance, outcome.outcome, " ".join(outcome.codes), outcome.sentence)
        return dict(zip(ABOUT_FILE, values, strict=True))

    def study_about(self, row: StudyRow) -> dict[str, Any]:
        """The first columns of a study."""
        uid = row.uid if self.pseudonyms is None else self.pseudonyms.uid(row.uid)
        left_out = "; ".join(CODES[code][1] for code in row.codes)
        reason = f"not scored: {left_out}" if left_out else "all files scored"
        return dict(zip(ABOUT_STUDY, (uid, row.files, row.scored, reason), strict=True))

    def file_rows(self, rows: Sequence[FileRow]) -> list[dict[str, Any]]:
        """Rows of the table of files; a number is None where there is none."""
        found = []
        for row, values in zip(rows, self.said_of_files(rows), strict=True):
            own = self._own(row) if self.own_scores else {}
            found.append({**self.file_about(row), **self._cells(values), **own})
        return found

    def study_rows(self, rows: Sequence[StudyRow]) -> list[dict[str, Any]]:
        """Rows of the table of studies."""
        said = self.say([row.combined for row in rows])
        return [{**self.study_about(row), **self._cells(values)} for row, values in zip(rows, said, strict=True)]

    def _own(self, row: FileRow) -> dict[str, float | None]:
        values = [None] * len(self.names) if row.own is None else row.own.tolist()
        return dict(zip((f"score/{name}" for name in self.names), values, strict=True))

    def _cells(self, said: Mapping[str, Said] | None) -> dict[str, Any]:
        if said is None:
            return dict.fromkeys(self._values)
        if self.calibration is None:
            return {f"score/{name}": each.value for name, each in said.items()}
        return {**{name: each.value for name, each in said.items()}, **{f"yes/{name}": each.yes for name, each in said.items()}}

    def said_of_files(self, rows: Sequence[FileRow]) -> list[dict[str, Said] | None]:
        """What is said of files, by label: of their own images, or what their study or patient got; None of one not scored."""
        return self.say([row.combined if self.own_scores else row.own for row in rows])

    def say(self, scores: Sequence[_Floats | None]) -> list[dict[str, Said] | None]:
        """What is said of rows of scores, by label; None of a row without."""
        taken = [place for place, row in enumerate(scores) if row is not None]
        values = np.array([scores[place] for place in taken]).reshape(len(taken), len(self.names))
        codes = np.full(values.shape, UNKNOWN)
        if self.calibration is not None:
            values = self.calibration.apply(values, self.names)
            codes = self.calibration.decide(values, self.names, self.calibration.config.points[0].name)
        found: list[dict[str, Said] | None] = [None] * len(scores)
        for place, row, decided in zip(taken, values.tolist(), codes.tolist(), strict=True):
            yes = [None if code == UNKNOWN else code == POSITIVE for code in decided]
            found[place] = {name: Said(*pair) for name, *pair in zip(self.names, row, yes, strict=True)}
        return found

    @property
    def thresholds(self) -> dict[str, float | None]:
        """Of each label the threshold of the first operating point; None where it has none."""
        if self.calibration is None:
            return dict.fromkeys(self.names)
        rule = self.calibration.config.points[0].name
        points = {name: self.calibration.labels[name].points[rule] for name in self.names}
        return {name: point.threshold if isinstance(point, OperatingPoint) else None for name, point in points.items()}
