"""AUROC by subgroup (sex, age, view, manufacturer, ...), the gap between groups, and AUROC within groups beside the pooled one.

All groups of all columns share one set of resamples of all patients, so that their differences are paired; of a patient whose
images lie in several groups each group counts its own. A group is compared with others where enough of its patients have the
finding and enough have an image known to be without it (`cxr.evaluate.strata.FEWEST_PATIENTS`). Smaller ones are shown, and
so are images whose group is not known or mixed, but none of these takes part in the gap.

The interval of the gap is the gap less and plus the `confidence` quantile, over resamples, of max(d) - min(d), where d is how
far the AUROC of each compared group lies from its observed one. The true gap differs from the observed one by no more than
that range, so the interval holds for any number of groups (as Tukey's range does), and leaves out 0 only where two groups
differ. Percentiles of resampled gaps would not do: no gap is below 0, so they leave out 0 even where all groups are alike.

AUROC within groups counts only pairs of a positive and a negative image of one group: the mean over groups, weighted by their
pairs. Where it is below the pooled AUROC, part of the latter is telling groups apart: the view alone predicts disease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.evaluate.bootstrap import BootstrapInterval, auroc_interval, of_one_patient, patient_counts
from cxr.evaluate.cells import Cells
from cxr.evaluate.interval import Interval, bounds
from cxr.evaluate.strata import Group, Strata, partition_by, stratify
from cxr.evaluate.undefined import Undefined, as_float

GROUP_COLUMNS = (
    *("column", "group", "label", "images", "positives", "negatives"),
    *("patients", "patients_positive", "patients_negative", "auroc", "auroc_low"),
    *("auroc_high", "failed_resamples", "compared", "note"),
)
GAP_COLUMNS = (
    *("column", "label", "groups_compared", "highest", "lowest", "gap"),
    *("gap_low", "gap_high", "failed_resamples", "auroc_pooled", "auroc_within"),
    *("auroc_within_low", "auroc_within_high", "pairs_within", "note"),
)
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GroupRow:
    """One label in one group, with its interval.

    Args:
        group: counts and AUROC.
        bootstrap: interval of the AUROC.
    """

    group: Group
    bootstrap: BootstrapInterval


@dataclass(frozen=True)
class Gap:
    """How far the groups of a column lie apart in the AUROC of one label.

    Args:
        column, label: what the figures are of.
        highest, lowest: the groups with the largest and the smallest AUROC of those compared; empty without a gap.
        gap: the difference of the two, in [0, 1].
        bootstrap: its interval, see the module's text; a resample fails where any of the compared groups fails.
        compared: how many groups are compared.
    """

    column: str
    label: str
    highest: str
    lowest: str
    gap: float | Undefined
    bootstrap: BootstrapInterval
    compared: int


@dataclass(frozen=True)
class Within:
    """The AUROC of a label over pairs of one group, beside that over all pairs.

    Args:
        column, label: what the figures are of.
        pooled: over all images whose group is known, so that both figures are of the same images; in [0, 1].
        within: over pairs of a positive and a negative image of one group, in [0, 1].
        bootstrap: interval of `within`.
        pairs_share: pairs within a group among all pairs, in [0, 1]; NaN where there is none.
    """

    column: str
    label: str
    pooled: float | Undefined
    within: float | Undefined
    bootstrap: BootstrapInterval
    pairs_share: float


@dataclass(frozen=True)
class Subgroups:
    """Figures by subgroup.

    Args:
        rows: by column, group and label.
        gaps, within: by column and label.
    """

    rows: tuple[GroupRow, ...]
    gaps: tuple[Gap, ...]
    within: tuple[Within, ...]

    def table(self) -> pd.DataFrame:
        """One row per column, group and label; undefined figures are NaN, with the reason in `note`."""
        return pd.DataFrame([_group_record(row) for row in self.rows], columns=list(GROUP_COLUMNS))

    def gap_table(self) -> pd.DataFrame:
        """One row per column and label: the gap, and the AUROC pooled and within groups; NaN where undefined."""
        pairs = zip(self.gaps, self.within, strict=True)
        return pd.DataFrame([_gap_record(gap, within) for gap, within in pairs], columns=list(GAP_COLUMNS))


def compare_subgroups(cells: Cells, groups: pd.DataFrame, resamples: int, confidence: float, seed: int) -> Subgroups:
    """AUROC of every label in every group.

    Args:
        cells: what is evaluated.
        groups: texts, a row per row of `cells` in the same order, and columns as `cxr.evaluate.groups` makes them.
        resamples: resamples of the patients.
        confidence: level of the intervals, in (0, 1).
        seed: of the resamples; see `cxr.evaluate.bootstrap.patient_counts`.
    """
    labels = range(len(cells.label_names))
    strata = [
        stratify(cells, partition, label)
        for partition in (partition_by(groups[column]) for column in groups)
        for label in labels
    ]
    blocks: list[list[_Floats]] = [[] for _ in strata]
    for counts in patient_counts(cells.patient_count, resamples, seed):
        for found, stratum in zip(blocks, strata, strict=True):
            found.append(stratum.resample(counts))
    return _summarise(strata, [np.concatenate(found, axis=1) for found in blocks], confidence)


def _summarise(strata: Sequence[Strata], samples: Sequence[_Floats], confidence: float) -> Subgroups:
    rows: list[GroupRow] = []
    gaps, within = [], []
    for stratum, found in zip(strata, samples, strict=True):
        aurocs = found[:-1]
        rows += [_row(group, sample, confidence) for group, sample in zip(stratum.groups, aurocs, strict=True)]
        gaps.append(_gap(stratum.groups, aurocs, confidence))
        within.append(_within(stratum, found[-1], confidence))
    return Subgroups(tuple(rows), tuple(gaps), tuple(within))


def _row(group: Group, samples: _Floats, confidence: float) -> GroupRow:
    interval = auroc_interval(group.auroc, samples, confidence)
    return GroupRow(group, _or_reason(interval, group.auroc, group.patients_positive, group.patients_negative))


def _or_reason(bootstrap: BootstrapInterval, figure: float | Undefined, with_finding: int, without: int) -> BootstrapInterval:
    """The interval of a figure that rests on so many patients, or why it has none."""
    reason = figure if isinstance(figure, Undefined) else of_one_patient(with_finding, without)
    return bootstrap if reason is None else BootstrapInterval(reason, bootstrap.failed)


def _gap(groups: Sequence[Group], samples: _Floats, confidence: float) -> Gap:
    """The gap between groups.

    Args:
        groups: all of a column, for one label.
        samples: float64 [groups, resamples], their AUROC on each resample.
        confidence: level of the interval.
    """
    places = [place for place, group in enumerate(groups) if not group.left_out]
    column, label = groups[0].column, groups[0].label
    if len(places) < 2:
        found = Undefined(f"{len(places)} of {len(groups)} groups have enough patients to be compared")
        return Gap(column, label, "", "", found, BootstrapInterval(found, 0), len(places))
    observed = np.array([as_float(groups[place].auroc) for place in places])
    highest, lowest = (groups[places[int(place)]].name for place in (observed.argmax(), observed.argmin()))
    gap = float(observed.max() - observed.min())
    away = samples[places] - observed[:, np.newaxis]
    ranges = away.max(axis=0) - away.min(axis=0)
    return Gap(column, label, highest, lowest, gap, _around(gap, ranges, confidence), len(places))


def _around(gap: float, ranges: _Floats, confidence: float) -> BootstrapInterval:
    """The gap less and plus the quantile of float64 [resamples] ranges, NaN where a resample failed; see the module's text."""
    usable = ranges[~np.isnan(ranges)]
    failed = len(ranges) - len(usable)
    if 2 * len(usable) < len(ranges):
        return BootstrapInterval(Undefined(f"{failed} of {len(ranges)} resamples failed"), failed)
    reach = float(np.quantile(usable, confidence))
    if reach == 0:
        return BootstrapInterval(Undefined("resamples do not vary"), failed)
    return BootstrapInterval(Interval(max(0.0, gap - reach), min(1.0, gap + reach)), failed)


def _within(stratum: Strata, samples: _Floats, confidence: float) -> Within:
    groups, proper = stratum.groups, stratum.proper
    aurocs = np.array([as_float(group.auroc) for group in groups])
    positives, negatives = (np.array(side, np.float64) for side in zip(*_sizes(groups), strict=True))
    value = float(stratum.within(aurocs[:, np.newaxis], (positives * negatives)[:, np.newaxis])[0])
    within = Undefined("no group has both positives and negatives") if np.isnan(value) else value
    patients = [int(np.count_nonzero(side[proper].sum(axis=0))) for side in (stratum.positives, stratum.negatives)]
    bootstrap = _or_reason(auroc_interval(within, samples, confidence), within, *patients)
    pairs = float(positives[proper].sum() * negatives[proper].sum())
    share = float((positives * negatives)[proper].sum()) / pairs if pairs else float("nan")
    return Within(groups[0].column, groups[0].label, stratum.pooled, within, bootstrap, share)


def _sizes(groups: Sequence[Group]) -> list[tuple[int, int]]:
    return [(group.positives, group.negatives) for group in groups]


def _group_record(row: GroupRow) -> dict[str, object]:
    group = row.group
    low, high = bounds(row.bootstrap.interval)
    notes = [f"undefined: {group.auroc.reason}" if isinstance(group.auroc, Undefined) else "", group.left_out]
    return {
        "column": group.column,
        "group": group.name,
        "label": group.label,
        "images": group.images,
        "positives": group.positives,
        "negatives": group.negatives,
        "patients": group.patients,
        "patients_positive": group.patients_positive,
        "patients_negative": group.patients_negative,
        "auroc": as_float(group.auroc),
        "auroc_low": low,
        "auroc_high": high,
        "failed_resamples": row.bootstrap.failed,
        "compared": not group.left_out,
        "note": "; ".join(filter(None, notes)),
    }


def _gap_record(gap: Gap, within: Within) -> dict[str, object]:
    low, high = bounds(gap.bootstrap.interval)
    within_low, within_high = bounds(within.bootstrap.interval)
    reasons = [f.reason for f in (gap.gap, within.within) if isinstance(f, Undefined)]
    return {
        "column": gap.column,
        "label": gap.label,
        "groups_compared": gap.compared,
        "highest": gap.highest,
        "lowest": gap.lowest,
        "gap": as_float(gap.gap),
        "gap_low": low,
        "gap_high": high,
        "failed_resamples": gap.bootstrap.failed,
        "auroc_pooled": as_float(within.pooled),
        "auroc_within": as_float(within.within),
        "auroc_within_low": within_low,
        "auroc_within_high": within_high,
        "pairs_within": within.pairs_share,
        "note": "; ".join(reasons),
    }
