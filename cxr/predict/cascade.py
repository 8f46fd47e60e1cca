"""A cascade: a narrow network scores every study, and a wide one those again of which the narrow one is unsure.

What unsure means, a rule of `cxr.predict.uncertainty` and its limit, comes from the validation images alone: the rule and the
limit that send the fewest studies on, while the mean AUROC stays within a tolerance of the wide network's. A study is as
uncertain as its most uncertain image, and goes on as a whole, since all its images are read together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from cxr.errors import DataError
from cxr.evaluate.auroc import mean_auroc
from cxr.evaluate.undefined import Undefined
from cxr.predict.uncertainty import RULES, Reference, Rule, Scores, references, uncertainty

_SHARES = tuple(percent / 100 for percent in range(0, 101, 5))
_HAIR = 1e-6
"""Studies whose uncertainty differs by less, relatively, tie: by so much it changes with the size of a batch."""


class Cascade(BaseModel):
    """When a study goes on to the wide network; as JSON, the whole of it.

    Args:
        heads: numbers of attention heads of the narrow and the wide network.
        rule: by which the narrow network's uncertainty is measured.
        limit: a study goes on that is more uncertain than this; None: every study goes on.
        references: of the labels, in their order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    heads: tuple[int, int]
    rule: Rule
    limit: FiniteFloat | None
    references: tuple[Reference, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        if not 0 < self.heads[0] < self.heads[1]:
            raise ValueError("'heads' must be two whole numbers from 1, the smaller one first")
        if self.rule == "closeness" and all(label.youden is None for label in self.references):
            raise ValueError("'closeness' needs a label with a Youden point")
        return self

    @property
    def identity(self) -> str:
        """What tells it from every other one with these heads: rule, and the start of a digest of all that it holds."""
        return f"rule: {self.rule}, cascade {hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class FittedCascade:
    """A cascade, and what it does to the validation images that it was fitted to.

    Args:
        cascade: the chosen one.
        share: of the validation studies that go on, in [0, 1].
        auroc_narrow, auroc_wide: mean validation AUROC of the two networks, in [0, 1].
        auroc_mixed: and of the cascade, at least that of the wide network less the tolerance.
    """

    cascade: Cascade
    share: float
    auroc_narrow: float
    auroc_wide: float
    auroc_mixed: float


def goes_on(cascade: Cascade, probabilities: Scores, studies: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which images the wide network scores again.

    Args:
        cascade: whose rule and limit count.
        probabilities: float64 [images, labels] in [0, 1], of the narrow network.
        studies: text [images], the study of each image; all images of a study must be there.

    Returns:
        bool [images], the same for all images of a study.

    Raises:
        DataError: a score is no probability, or there is another number of labels.
    """
    values = uncertainty(cascade.rule, probabilities, cascade.references)
    by_study = _ByStudy.of(studies)
    return by_study.above(by_study.largest(values), cascade.limit)[by_study.index]


def mixed(narrow: Scores, wide: Scores, chosen: npt.NDArray[np.bool_]) -> Scores:
    """The scores of a cascade: float64 [images, labels], the wide network's where `chosen`, bool [images], is true."""
    return np.where(chosen[:, None], wide, narrow)


def fit_cascade(
    narrow: Scores,
    wide: Scores,
    truth: npt.NDArray[np.float32],
    studies: npt.ArrayLike,
    heads: tuple[int, int],
    tolerance: float,
) -> FittedCascade:
    """Choose rule and limit on the validation images.

    For every rule the limits are tried that send 0 %, 5 %, ..., 100 % of the studies on (fewer, where studies tie). Of two that
    send as many on, the earlier rule is taken. 100 % is the wide network, so one always stays within the tolerance.

    Args:
        narrow: float64 [images, labels] in [0, 1], probabilities of the network with fewer attention heads.
        wide: the same of the other one.
        truth: float32 [images, labels], each 0, 1 or NaN (left out).
        studies: text [images], the study of each image.
        heads: numbers of attention heads of the two.
        tolerance: accepted loss of mean AUROC beside the wide network, at least 0.

    Raises:
        DataError: no label has both positive and negative images, or a score is no probability.
    """
    auroc_narrow, auroc_wide = (_defined(truth, scores) for scores in (narrow, wide))
    usual, by_study = references(narrow, truth), _ByStudy.of(studies)
    for share, rule, limit in _candidates(narrow, usual, by_study):
        cascade = Cascade(heads=heads, rule=rule, limit=limit, references=usual)
        auroc_mixed = _defined(truth, mixed(narrow, wide, goes_on(cascade, narrow, studies)))
        fitted = FittedCascade(cascade, share, auroc_narrow, auroc_wide, auroc_mixed)
        if auroc_mixed >= auroc_wide - tolerance:
            break
    return fitted


@dataclass(frozen=True)
class _ByStudy:
    """Images by their study: int64 [images], the number of each one's study; and how many studies there are."""

    index: npt.NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, studies: npt.ArrayLike) -> Self:
        names, index = np.unique(np.asarray(studies, str), return_inverse=True)
        return cls(index, len(names))

    def largest(self, values: Scores) -> Scores:
        """float64 [studies], the largest of float64 [images] in each study."""
        result = np.full(self.count, -np.inf)
        np.maximum.at(result, self.index, values)
        return result

    @staticmethod
    def above(values: Scores, limit: float | None) -> npt.NDArray[np.bool_]:
        return np.ones(len(values), bool) if limit is None else values > limit


def _candidates(narrow: Scores, usual: tuple[Reference, ...], by_study: _ByStudy) -> Iterator[tuple[float, Rule, float | None]]:
    """Share of the studies that go on, rule and limit; rising shares, and for the same share the rules in their order."""
    found: dict[tuple[float, Rule], float | None] = {}
    for rule in RULES:
        values = by_study.largest(uncertainty(rule, narrow, usual))
        for limit in _limits(values):
            found.setdefault((float(by_study.above(values, limit).mean()), rule), limit)
    for (share, rule), limit in sorted(found.items(), key=lambda item: item[0][0]):
        yield share, rule, limit


def _limits(values: Scores) -> Iterator[float | None]:
    """Limits that send each of the shares on, half-way between two studies that differ by more than rounding."""
    falling = np.sort(values)[::-1]
    least = _HAIR * (1 + np.abs(falling))
    above = np.concatenate([falling[:1] + 2 * least[:1], falling[:-1]])
    gaps = np.flatnonzero(above - falling > least)  # each by the number of studies above it
    for share in _SHARES[:-1]:
        gap = gaps[np.searchsorted(gaps, round(share * len(falling)), side="right") - 1]
        yield float((above[gap] + falling[gap]) / 2)
    yield None


def _defined(truth: npt.NDArray[np.float32], scores: Scores) -> float:
    value = mean_auroc(truth, scores)
    if isinstance(value, Undefined):
        raise DataError(f"predict.cascade: on the validation images {value.reason}, so no limit can be chosen")
    return value
