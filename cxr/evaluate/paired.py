"""Two score sets, A and B, compared on the same images: how far their AUROCs lie apart, and whether chance explains it.

Both are measured on the same resamples of the patients, so that what is easy or hard for both cancels out. Every difference
is A less B: "better" says that A is. The p values of the labels are corrected together (Holm 1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from cxr.evaluate.auroc import auroc
from cxr.evaluate.bootstrap import of_one_patient, percentile_bounds, resample
from cxr.evaluate.cells import Cells
from cxr.evaluate.delong import delong_test
from cxr.evaluate.interval import Span
from cxr.evaluate.ranking import rank_label
from cxr.evaluate.undefined import Undefined, as_float, mean_defined

_Array = npt.NDArray[np.float64]
Outcome = Literal["better", "worse", "no difference shown"]


@dataclass(frozen=True)
class Difference:
    """How far a figure of A lies from that of B.

    Args:
        a: the figure of A, in [0, 1].
        b: the figure of B, in [0, 1].
        difference: a - b.
        interval: percentile interval of the difference over resamples of the patients.
        failed: resamples in which the difference is undefined.
        p: two-sided; see `bootstrap_p`.
    """

    a: float | Undefined
    b: float | Undefined
    difference: float | Undefined
    interval: Span | Undefined
    failed: int
    p: float | Undefined


@dataclass(frozen=True)
class PairedRow:
    """A and B compared for one label.

    Args:
        label: its name.
        auroc: the AUROCs and their difference.
        p_holm: p value of the difference, corrected for the number of labels compared.
        delong_p: p value of DeLong's test, which takes the images for independent; not corrected.
        verdict: on A, from `p_holm`.
    """

    label: str
    auroc: Difference
    p_holm: float | Undefined
    delong_p: float | Undefined
    verdict: Outcome | Undefined


@dataclass(frozen=True)
class PairedMacro:
    """A and B compared by their mean AUROC.

    Args:
        auroc: means over the labels that have an AUROC, and their difference; a resample fails where any of them fails.
        labels: the labels averaged.
        verdict: on A, from the p value of this one difference.
    """

    auroc: Difference
    labels: tuple[str, ...]
    verdict: Outcome | Undefined


@dataclass(frozen=True)
class Comparison:
    """The comparison of two score sets.

    Args:
        rows: one per label, in the order of the labels.
        macro: over the labels.
        resamples: bootstrap resamples drawn.
        confidence: level of the intervals; a verdict needs a p value of at most 1 less this.
        seed: of the bootstrap.
    """

    rows: tuple[PairedRow, ...]
    macro: PairedMacro
    resamples: int
    confidence: float
    seed: int


def compare(cells: Cells, other: _Array, resamples: int, confidence: float, seed: int) -> Comparison:
    """Compare two score sets on the same images and the same truth.

    Args:
        cells: the images, with the scores of A.
        other: float64 [images, labels], the scores of B, rows and labels in the order of `cells`.
        resamples: bootstrap resamples of the patients.
        confidence: level of the intervals, in (0, 1).
        seed: of the bootstrap.
    """
    both = (cells, replace(cells, scores=other))
    labels = range(len(cells.label_names))
    aurocs = [[auroc(side.truth[:, label], side.scores[:, label]) for label in labels] for side in both]
    figures = [rank_label(side, label).aurocs for side in both for label in labels]
    samples = resample(figures, cells.patient_count, resamples, seed)
    differences = samples[:, : len(labels)] - samples[:, len(labels) :]
    gaps = [
        _gap(a, b, differences[:, label], confidence, _one_patient(cells, label))
        for label, a, b in zip(labels, *aurocs, strict=True)
    ]
    rows = _rows(cells, other, gaps, resamples, 1 - confidence)
    return Comparison(rows, _macro(cells, aurocs, differences, confidence), resamples, confidence, seed)


def bootstrap_p(differences: _Array, confidence: float) -> float | Undefined:
    """Two-sided p value of a difference, from the resamples that lie on the far side of 0.

    Args:
        differences: float64 [resamples]; NaN where the resample failed.
        confidence: level of the percentile interval.

    Returns:
        2 (1 + k) / (1 + n), at most 1: of the n usable resamples, k are at most 0, or at least 0 if these are fewer. So it
        is small where the percentile interval leaves 0 out, and never below 2 / (1 + n). It is 1 where all are 0, as with
        two equal rankings, and otherwise undefined where `percentile_bounds` is.
    """
    usable = differences[~np.isnan(differences)]
    bounds = percentile_bounds(differences, confidence)
    if isinstance(bounds, Undefined) and (usable.any() or not len(usable)):
        return bounds
    fewer = min((usable <= 0).sum(), (usable >= 0).sum())
    return min(1.0, float(2 * (1 + fewer) / (1 + len(usable))))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number by Holm's method, in their order: the chance of any false finding is held.

    The smallest is multiplied by their number n, the next by n - 1 and so on; none falls below the one before, or exceeds 1.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return [float(value) for value in corrected]


def fewest_resamples(labels: int, confidence: float) -> int:
    """Resamples whose smallest p value is two thirds of what a verdict on one of so many labels needs (Holm's first step)."""
    return math.ceil(round(3 * labels / (1 - confidence), 6))


def _rows(cells: Cells, other: _Array, gaps: list[Difference], resamples: int, level: float) -> tuple[PairedRow, ...]:
    tested = [label for label, gap in enumerate(gaps) if not isinstance(gap.p, Undefined)]
    corrected = dict(zip(tested, holm([as_float(gaps[label].p) for label in tested]), strict=True))
    rows = []
    for label, (name, gap) in enumerate(zip(cells.label_names, gaps, strict=True)):
        delong = delong_test(cells.truth[:, label], cells.scores[:, label], other[:, label])
        p = corrected.get(label, gap.p)
        verdict = _verdict(gap.difference, p, level, len(tested), resamples)
        rows.append(PairedRow(name, gap, p, delong if isinstance(delong, Undefined) else delong.p, verdict))
    return tuple(rows)


def _macro(cells: Cells, aurocs: list[list[float | Undefined]], differences: _Array, confidence: float) -> PairedMacro:
    defined = [label for label, value in enumerate(aurocs[0]) if not isinstance(value, Undefined)]
    # a sum that does not depend on the order of the labels: exact zeros must stay so
    means = np.array([math.fsum(row) for row in differences[:, defined]]) / max(1, len(defined))
    if not defined:
        means[:] = np.nan
    reasons = {cells.label_names[label]: _one_patient(cells, label) for label in defined}
    # resamples without that patient fail, and the others all agree on her: the mean would look too sure
    why_not = next((Undefined(f"{name}: {found.reason}") for name, found in reasons.items() if found), None)
    gap = _gap(mean_defined(aurocs[0]), mean_defined(aurocs[1]), means, confidence, why_not)
    verdict = _verdict(gap.difference, gap.p, 1 - confidence, 1, len(differences))
    return PairedMacro(gap, tuple(cells.label_names[label] for label in defined), verdict)


def _gap(
    a: float | Undefined, b: float | Undefined, samples: _Array, confidence: float, why_not: Undefined | None
) -> Difference:
    failed = int(np.isnan(samples).sum())
    if isinstance(a, Undefined):
        return Difference(a, b, a, a, failed, a)
    if isinstance(b, Undefined):
        return Difference(a, b, b, b, failed, b)
    if why_not:
        return Difference(a, b, a - b, why_not, failed, why_not)
    bounds = percentile_bounds(samples, confidence)
    interval = bounds if isinstance(bounds, Undefined) else Span(*bounds)
    return Difference(a, b, a - b, interval, failed, bootstrap_p(samples, confidence))


def _one_patient(cells: Cells, label: int) -> Undefined | None:
    return of_one_patient(*(cells.patients_where(cells.truth[:, label] == value) for value in (1, 0)))


def _verdict(
    difference: float | Undefined, p: float | Undefined, level: float, tests: int, resamples: int
) -> Outcome | Undefined:
    if isinstance(difference, Undefined):
        return difference
    if isinstance(p, Undefined):
        return p
    needed = math.ceil(2 * tests / level) - 1
    if resamples < needed:
        return Undefined(f"{resamples} resamples cannot show a difference of {tests} labels, {needed} can")
    if p > level or difference == 0:
        return "no difference shown"
    return "better" if difference > 0 else "worse"
