"""What an exported file says of itself beside the model card: how it was made, and how it compared with the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cxr.errors import DataError
from cxr.model.card import KEY as CARD_KEY
from cxr.model.card import ModelCard

KEY = "cxr.export"
"""The record's key in the metadata of a file; the model card has the key it has in a model file."""

Precision = Literal["float32", "bf16", "int8"]


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tolerance(_Plain):
    """How far an exported file may be from the model.

    Args:
        probability: largest change of a score, a probability, or a weight in a disease map.
        auroc: largest change of the AUROC of a label.
    """

    probability: float = Field(gt=0, lt=1)
    auroc: float = Field(gt=0, lt=1)


class PointChange(_Plain):
    """Decisions at one operating point.

    Args:
        same: labels of images that get the same yes or no.
        decisions: labels of images that get one.
    """

    same: int
    decisions: int


class Check(_Plain):
    """An exported file against the model that it was made of, on the same images.

    Args:
        images: how many.
        of: what they are, in words.
        batches: images of the batches that were tried.
        score: largest change of a score.
        probability: largest change of a calibrated probability; None without calibration.
        map: largest change of a weight in a disease map; None without maps.
        points: decisions by the name of the operating point.
        auroc: change of the AUROC by label, where the truth is known and has enough of both sides.
    """

    images: int
    of: str
    batches: tuple[int, ...]
    score: float
    probability: float | None
    map: float | None
    points: Mapping[str, PointChange]
    auroc: Mapping[str, float]

    @property
    def furthest(self) -> float:
        """The largest of the changes that `Tolerance.probability` bounds; NaN where one of them is no number."""
        changes = [change for change in (self.score, self.probability, self.map) if change is not None]
        return math.nan if any(map(math.isnan, changes)) else max(changes)

    @property
    def furthest_auroc(self) -> str | None:
        """The label whose AUROC changed most, up or down; None where none is known."""
        return max(self.auroc, key=lambda label: abs(self.auroc[label]), default=None)


class ExportRecord(_Plain):
    """How an exported file was made.

    Args:
        format: version of this layout.
        precision: of the arithmetic.
        heads: the number of attention heads, where the model was stacked.
        weights_sha256: of the weights in the model file; see `cxr.model.card.weights_digest`.
        tolerance: what was accepted.
        check: what was found.
    """

    format: Literal[1] = 1
    precision: Precision
    heads: int | None
    weights_sha256: str
    tolerance: Tolerance
    check: Check


def as_metadata(card: ModelCard, record: ExportRecord) -> dict[str, str]:
    """Card and record as a file keeps them: texts by key."""
    return {CARD_KEY: card.model_dump_json(), KEY: record.model_dump_json()}


def from_metadata(metadata: Mapping[str, str]) -> tuple[ModelCard, ExportRecord]:
    """Read what `as_metadata` gives.

    Raises:
        DataError: a key is missing, or holds anything else.
    """
    missing = [key for key in (CARD_KEY, KEY) if key not in metadata]
    if missing:
        raise DataError(f"it has no '{missing[0]}' in its metadata; make it with `cxr export`")
    try:
        return ModelCard.model_validate_json(metadata[CARD_KEY]), ExportRecord.model_validate_json(metadata[KEY])
    except ValidationError as error:
        problem = error.errors()[0]
        raise DataError(f"its metadata: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error
