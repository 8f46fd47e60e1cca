"""What the decide stage found: the older model, the verdict on every label, and whether each part of the rule holds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cxr.config_retrain import PromoteConfig
from cxr.errors import DataError

NAME = "decision.json"

Part = Literal["kept labels", "calibration", "subgroups"]
"""Of the rule."""
Standing = Literal["better", "worse", "not shown", "new", "undefined"]
"""Of a label of the new model, beside the older one; new where the older one does not have it."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class ModelName(_Record):
    """Which model is meant.

    Args:
        weights_sha256: see `cxr.model.card.weights_digest`.
        run_id: the tracked run that trained it.
        labels: name of its label set.
    """

    weights_sha256: str
    run_id: str
    labels: str


class LabelVerdict(_Record):
    """One label of the new model.

    Args:
        label: its name.
        older_label: its name in the older model; empty where that does not have it.
        standing: see `Standing`.
        sentence: the verdict with its figures, for people.
        auroc, older_auroc: of the new and the older model on the same test patients, in [0, 1]; None where undefined.
        difference: new less older, in [-1, 1], and its interval; None where undefined.
        p: of the difference, corrected for the number of labels compared (Holm).
    """

    label: str
    older_label: str
    standing: Standing
    sentence: str
    auroc: float | None
    older_auroc: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None


class Check(_Record):
    """One part of the rule, for one label.

    Args:
        part: of the rule.
        label: what it was looked at for.
        holds: False where it does not, None where too few patients leave it open and that is no obstacle.
        sentence: with the figure and the bound, for people.
    """

    part: Part
    label: str
    holds: bool | None
    sentence: str


class Decision(_Record):
    """What the decide stage found, as decision.json has it.

    Args:
        schema_version: of this layout.
        registry: name of the model in the registry.
        model: the new one.
        older: the one it was compared with; None where there was none.
        test_data_sha256: digest of the test manifest that both were judged on.
        rule: by which `checks` were made.
        labels: one per label of the new model.
        dropped: labels of the older model that the new one does not have.
        checks: every part of the rule, for every label that it applies to.
        headline: the outcome in one line.
    """

    schema_version: Literal[1] = 1
    registry: str
    model: ModelName
    older: ModelName | None
    test_data_sha256: str
    rule: PromoteConfig
    labels: tuple[LabelVerdict, ...] = Field(min_length=1)
    dropped: tuple[str, ...]
    checks: tuple[Check, ...]
    headline: str

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that do not hold."""
        return tuple(check for check in self.checks if check.holds is False)

    @property
    def holds(self) -> bool:
        """Whether the rule holds: no check of it fails."""
        return not self.failed

    def write(self, folder: Path) -> None:
        """Write `NAME` into a folder."""
        (folder / NAME).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            DataError: no such file, or one that holds anything else.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(map(str, problem["loc"]))
            raise DataError(f"{path}: not a decision of cxr: {place}: {problem['msg']}") from error
