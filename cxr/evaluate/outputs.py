"""The files that an evaluation leaves: tables for machines, a report and a model card for people."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd

from cxr.evaluate import trust
from cxr.evaluate.calibration import CalibrationFigures, ReliabilityBin
from cxr.evaluate.estimate import Estimate
from cxr.evaluate.metrics import Evaluation, Macro
from cxr.evaluate.operating import OperatingRow
from cxr.evaluate.undefined import Undefined

WRITTEN = ("metrics.csv", "operating.csv", "reliability.csv", "subgroups.csv", "gaps.csv", "metrics.json")

_COUNTS = ("true_positives", "false_positives", "false_negatives", "true_negatives", "images", "positives")
_BOUNDS = ("", "_low", "_high")
_SHARES = ("sensitivity", "specificity", "ppv", "npv", "ppv_at_prevalence", "npv_at_prevalence")
OPERATING = (
    *("label", "point", "threshold", *_COUNTS[:4], "prevalence_stated"),
    *(f"{name}{bound}" for name in _SHARES for bound in _BOUNDS),
    "note",
)
RELIABILITY = (
    *("label", "scores", "bins", "mean_probability", "observed", "observed_low", "observed_high"),
    *("images", "positives"),
)


def write_tables(evaluation: Evaluation, folder: Path, side: str) -> None:
    """Write `WRITTEN`: a row per label; per operating point; per reliability bin; per group; per column; and the whole.

    Args:
        evaluation: the figures.
        folder: where to.
        side: what was evaluated: a side of the split, or a table.
    """
    cautions = [caution(evaluation, label) for label in range(len(evaluation.rows))]
    tables = {
        "metrics.csv": evaluation.table().assign(caution=cautions),
        "operating.csv": _table([_operating_record(row) for row in evaluation.operating], OPERATING),
        "reliability.csv": _table(_reliability_records(evaluation), RELIABILITY),
        "subgroups.csv": evaluation.subgroups.table(),
        "gaps.csv": evaluation.subgroups.gap_table(),
    }
    for name, table in tables.items():
        table.to_csv(folder / name, index=False)
    text = json.dumps(_summary(evaluation, side), indent=2, allow_nan=False, ensure_ascii=False)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")


def _table(records: list[dict[str, object]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Records under all columns, whether there is one or not; counts stay whole numbers beside blank cells."""
    table = pd.DataFrame(records, columns=list(columns))
    return table.astype({name: "Int64" for name in _COUNTS if name in columns})


def caution(evaluation: Evaluation, label: int) -> str:
    """Like "caution: only 3 patients with the finding"; empty where nothing speaks against a figure, or there is none."""
    verdict = trust.judge(evaluation.rows[label])
    return f"caution: {', '.join(verdict.reasons)}" if verdict.grade == "caution" else ""


def counts(evaluation: Evaluation) -> dict[str, int]:
    """What the figures rest on."""
    return {
        "images": evaluation.images,
        "patients": evaluation.patients,
        "labels": evaluation.macro.label_count,
        "labels_defined": len(evaluation.macro.labels_defined),
    }


def macro_figures(evaluation: Evaluation) -> dict[str, float]:
    """The figures over all labels by name; NaN where undefined."""
    macro = evaluation.macro
    return {
        **macro.ranking.columns("auroc_macro"),
        **macro.precision.columns("average_precision_macro"),
        **evaluation.micro.columns("auroc_micro"),
    }


def _summary(evaluation: Evaluation, side: str) -> dict[str, object]:
    return {
        "split": side,
        "unit": evaluation.config.unit,
        "macro": _macro_summary(evaluation),
        "interval_method": evaluation.interval_method,
        "resamples": evaluation.config.resamples,
        "confidence": evaluation.config.confidence,
        "seed": evaluation.seed,
        "counts": counts(evaluation),
        "about": evaluation.about,
        "remarks": list(evaluation.remarks),
    }


def _macro_summary(evaluation: Evaluation) -> dict[str, object]:
    macro: Macro = evaluation.macro
    reasons = [figure.reason for figure in (macro.auroc, macro.interval) if isinstance(figure, Undefined)]
    figures = macro_figures(evaluation)
    return {
        **{name: None if math.isnan(value) else value for name, value in figures.items()},
        "interval_method": f"bootstrap of patients, {evaluation.config.resamples} resamples, normal on the logit scale",
        "failed_resamples": macro.ranking.bootstrap.failed,
        "labels_defined": list(macro.labels_defined),
        "labels_undefined": list(macro.labels_undefined),
        "undefined_because": reasons[0] if reasons else None,
    }


def _operating_record(row: OperatingRow) -> dict[str, object]:
    found = row.figures
    if isinstance(found, Undefined):
        return {"label": row.label, "point": row.point, "note": f"undefined: {found.reason}"}
    estimates = {name: getattr(found, name) for name in ("sensitivity", "specificity", "ppv", "npv")}
    if found.at_prevalence is not None:
        at = found.at_prevalence
        estimates |= {"ppv_at_prevalence": at.ppv, "npv_at_prevalence": at.npv}
    record: dict[str, object] = {"label": row.label, "point": row.point, "threshold": found.threshold}
    record |= found.counts.model_dump()
    record["prevalence_stated"] = None if found.at_prevalence is None else found.at_prevalence.prevalence
    for name, estimate in estimates.items():
        record |= estimate.columns(name)
    return {**record, "note": "; ".join(_reasons(estimates))}


def _reasons(estimates: dict[str, Estimate]) -> list[str]:
    return [f"{name} undefined: {each.value.reason}" for name, each in estimates.items() if isinstance(each.value, Undefined)]


def _reliability_records(evaluation: Evaluation) -> list[dict[str, object]]:
    records: list[dict[str, object]] = []
    for row in evaluation.probabilities:
        if isinstance(row.calibration, CalibrationFigures):
            for kind in ("equal_width", "equal_mass"):
                bins = getattr(row.calibration, kind)
                records += [{"label": row.label, "scores": row.kind, "bins": kind, **_bin_record(each)} for each in bins]
    return records


def _bin_record(found: ReliabilityBin) -> dict[str, float]:
    return {
        "mean_probability": found.mean_probability,
        "observed": found.observed,
        "observed_low": found.interval.low,
        "observed_high": found.interval.high,
        "images": found.images,
        "positives": found.positives,
    }
