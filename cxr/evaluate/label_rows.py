"""The figures of one label: what they rest on, how well scores rank its images, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxr.config_evaluate import EvaluateConfig
from cxr.evaluate.auroc import auroc, average_precision
from cxr.evaluate.bootstrap import BootstrapInterval, auroc_interval, of_one_patient, percentile_interval
from cxr.evaluate.cells import Cells
from cxr.evaluate.delong import delong_interval
from cxr.evaluate.estimate import Estimate
from cxr.evaluate.interval import Interval
from cxr.evaluate.undefined import Undefined

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelCounts:
    """What a label's figures rest on; images are studies or patients where these are the unit.

    Args:
        positives: images with the finding.
        negatives: images known to be without it.
        unknown: images not evaluated: blank cells, and uncertain ones that the label set's policy leaves out.
        uncertain: images whose cell was read as uncertain, whether the policy left them out or not.
        patients: patients with a known cell.
        patients_positive: patients with a positive image.
        patients_negative: patients with a known negative image; one with both kinds counts in both.
    """

    positives: int
    negatives: int
    unknown: int
    uncertain: int
    patients: int
    patients_positive: int
    patients_negative: int

    @property
    def lone(self) -> Undefined | None:
        """Why a figure of this label has no interval by patient, though it exists; see `of_one_patient`."""
        return of_one_patient(self.patients_positive, self.patients_negative)

    @property
    def prevalence(self) -> float | Undefined:
        """Positives among the known cells, in [0, 1]."""
        known = self.positives + self.negatives
        return self.positives / known if known else Undefined("no known cell")


@dataclass(frozen=True)
class Ranked:
    """How well scores rank.

    Args:
        ranking: the AUROC.
        precision: the average precision.
    """

    ranking: Estimate
    precision: Estimate

    @property
    def auroc(self) -> float | Undefined:
        """AUROC, in [0, 1]."""
        return self.ranking.value

    @property
    def interval(self) -> Interval | Undefined:
        """Interval of the AUROC."""
        return self.ranking.interval

    @property
    def average_precision(self) -> float | Undefined:
        """Average precision, in [0, 1]."""
        return self.precision.value


@dataclass(frozen=True)
class LabelRow(Ranked):
    """How well the scores of one label rank its images.

    Args:
        ranking, precision: see `Ranked`.
        label: its name.
        counts: see `LabelCounts`.
        uncertain_used: uncertain cells that the label set's policy counted as positive or negative.
    """

    label: str
    counts: LabelCounts
    uncertain_used: int

    @property
    def note(self) -> str:
        """What the row's reader must know: why a figure is undefined, what was left out; empty where all is plain."""
        if isinstance(self.auroc, Undefined):
            return f"undefined: {self.auroc.reason}"
        parts = []
        if isinstance(self.interval, Undefined):
            parts.append(f"interval undefined: {self.interval.reason}")
        elif self.ranking.bootstrap.failed:
            parts.append(f"{self.ranking.bootstrap.failed} failed resamples left out")
        if self.uncertain_used:
            parts.append(f"{self.uncertain_used} uncertain counted as the label set says")
        return "; ".join(parts)


def label_row(cells: Cells, label: int, aurocs: _Floats, precisions: _Floats, config: EvaluateConfig) -> LabelRow:
    """The row of the label at this position.

    Args:
        cells: what is evaluated.
        label: its position.
        aurocs: float64 [resamples], its AUROC on resamples of the patients; NaN where it has none.
        precisions: float64 [resamples], its average precision on the same.
        config: kind and level of the intervals.
    """
    truth, scores = cells.truth[:, label], cells.scores[:, label]
    counts = _counts(cells, label)
    area, precision = auroc(truth, scores), average_precision(truth, scores)
    ranking = _estimate(area, auroc_interval(area, aurocs, config.confidence), counts)
    if config.intervals == "delong":
        interval = delong_interval(truth, scores, config.confidence)
        ranking = Estimate(ranking.value, BootstrapInterval(interval, 0))
    return LabelRow(
        label=cells.label_names[label],
        counts=counts,
        ranking=ranking,
        precision=_estimate(precision, percentile_interval(precisions, config.confidence), counts),
        uncertain_used=int((cells.uncertain[:, label] & cells.known(label)).sum()),
    )


def _estimate(value: float | Undefined, bootstrap: BootstrapInterval, counts: LabelCounts) -> Estimate:
    """A figure of one label with its interval, or with why it has none."""
    reason = value if isinstance(value, Undefined) else counts.lone
    return Estimate(value, bootstrap if reason is None else BootstrapInterval(reason, bootstrap.failed))


def _counts(cells: Cells, label: int) -> LabelCounts:
    truth = cells.truth[:, label]
    return LabelCounts(
        positives=int((truth == 1).sum()),
        negatives=int((truth == 0).sum()),
        unknown=int(np.isnan(truth).sum()),
        uncertain=int(cells.uncertain[:, label].sum()),
        patients=cells.patients_where(cells.known(label)),
        patients_positive=cells.patients_where(truth == 1),
        patients_negative=cells.patients_where(truth == 0),
    )
