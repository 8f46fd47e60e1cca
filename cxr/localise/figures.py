"""The figures of a label over its pairs, with intervals by patient; none where there are too few patients to say anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.evaluate.bootstrap import percentile_bounds, resample
from cxr.evaluate.interval import Interval, Span
from cxr.evaluate.ratio import Ratio, ratio_by_patient
from cxr.evaluate.trust import FEWEST_PATIENTS
from cxr.evaluate.undefined import Undefined
from cxr.evaluate.wording import count_text
from cxr.localise.judge import FIGURES, REFERENCES

FEWEST = 10
"""With fewer patients there is no figure: one more patient could turn it round, and resamples of so few are all alike."""
LEAST_GAIN = 0.2
"""Share of the other map's figure; a smaller gain may be certain, and yet nothing that an eye sees."""
CONFIDENCE = 0.95
RESAMPLES = 2000
ALL = "all"


@dataclass(frozen=True)
class Difference:
    """What a map gains over one that knows less.

    Args:
        reference: mean figure of the other map, in [0, 1].
        value: mean of the map's figure less the reference's, over the pairs that have both.
        span: its interval.
    """

    reference: float
    value: float
    span: Span | Undefined

    @property
    def gained(self) -> bool:
        """Whether the gain is at least `LEAST_GAIN` of the reference, and its whole interval lies above 0."""
        return not isinstance(self.span, Undefined) and self.span.low > 0 and self.value >= LEAST_GAIN * self.reference


@dataclass(frozen=True)
class Figure:
    """A figure over pairs.

    Args:
        value: its mean, in [0, 1].
        interval: by patient.
        over: by `REFERENCES`, what is gained; undefined where no pair has such a reference, or those of too few patients.
    """

    value: float
    interval: Interval | Undefined
    over: Mapping[str, Difference | Undefined]


@dataclass(frozen=True)
class LabelFigures:
    """The figures of one label.

    Args:
        label: its name; "all" for all pairs together.
        pairs, images, patients: that the figures rest on.
        figures: by `FIGURES`; or why there is none.
    """

    label: str
    pairs: int
    images: int
    patients: int
    figures: Mapping[str, Figure] | Undefined

    @property
    def note(self) -> str:
        """Why there is no figure, or to what to mind; empty where nothing is."""
        if isinstance(self.figures, Undefined):
            return self.figures.reason
        few = self.patients < FEWEST_PATIENTS
        return f"caution: only {count_text(self.patients, 'patient')} with the finding" if few else ""


def label_figures(table: pd.DataFrame, names: Sequence[str], seed: int = 0) -> tuple[LabelFigures, ...]:
    """The figures of each label that has a pair, in the order of `names`, and of all together as the last.

    Args:
        table: as `cxr.localise.judge.Judged` has it; at least a row.
        names: of the labels.
        seed: of the resamples.
    """
    parts = [(names[label], table[table["label"] == label]) for label in sorted(set(table["label"].tolist()))]
    return tuple(_figures(name, part, seed) for name, part in [*parts, (ALL, table)])


def _figures(label: str, table: pd.DataFrame, seed: int) -> LabelFigures:
    counts = len(table), table["row"].nunique(), table["patient"].nunique()
    if counts[2] < FEWEST:
        few = f"too few: {count_text(counts[1], 'image')} of {count_text(counts[2], 'patient')}, fewer than {FEWEST}"
        return LabelFigures(label, *counts, Undefined(few))
    return LabelFigures(label, *counts, {name: _figure(table, name, seed) for name in FIGURES})


def _figure(table: pd.DataFrame, name: str, seed: int) -> Figure:
    value, bounds = mean_by_patient(table[name].to_numpy(np.float64), table["patient"], seed)
    interval = bounds if isinstance(bounds, Undefined) else Interval(*bounds)
    return Figure(value, interval, {other: _difference(table, name, other, seed) for other in REFERENCES})


def _difference(table: pd.DataFrame, name: str, reference: str, seed: int) -> Difference | Undefined:
    other = table[f"{name}_{reference}"].to_numpy(np.float64)
    if np.isnan(other).all():
        return Undefined("no image has such a map")
    patients = table["patient"][~np.isnan(other)].nunique()
    if patients < FEWEST:  # the label has enough of them, and yet few with such a map
        return Undefined(f"only {count_text(patients, 'patient')} with such a map, fewer than {FEWEST}")
    own = table[name].to_numpy(np.float64)
    value, bounds = mean_by_patient(own - other, table["patient"], seed)
    return Difference(float(np.nanmean(other)), value, bounds if isinstance(bounds, Undefined) else Span(*bounds))


def mean_by_patient(
    values: npt.NDArray[np.float64], patients: pd.Series[str], seed: int = 0
) -> tuple[float, tuple[float, float] | Undefined]:
    """The mean of values of pairs, and its interval from resamples of the patients.

    Args:
        values: float64 [pairs], NaN where a pair has none; not all.
        patients: the patient of each pair.
        seed: of the resamples.
    """
    has = ~np.isnan(values)
    codes, distinct = pd.factorize(patients[has])
    mean: Ratio = ratio_by_patient(values[has], np.ones(int(has.sum())), np.asarray(codes, np.int64), len(distinct))
    samples = resample([mean], len(distinct), RESAMPLES, seed)[:, 0]
    return float(values[has].mean()), percentile_bounds(samples, CONFIDENCE)
