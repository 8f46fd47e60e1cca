"""The evaluate stage: from a prediction table to figures, a report and tracked metrics, on the test split alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

from cxr.config import EvaluateStage
from cxr.errors import DataError
from cxr.evaluate import trust, wording
from cxr.evaluate.metrics import Evaluation, LabelRow, Macro, evaluate, interval_floats
from cxr.evaluate.report import render_report
from cxr.evaluate.undefined import Undefined, as_float
from cxr.labels.label_set import read_label_set
from cxr.predictions import Predictions, read_predictions
from cxr.stage import RunLog, StageContext, StageResult

SPLIT = "test"
"""The only split that is evaluated here; validation rows of the table served to choose the model."""

_STEPS = 3


def run(config: EvaluateStage, context: StageContext) -> StageResult:
    """Evaluate the test rows of `context.inputs["predictions"]`, a prediction table.

    Writes metrics.csv (one row per label), metrics.json (mean, counts, provenance) and report.html into the stage's
    folder, and logs the figures to the stage's run as `test/<figure>/<label>`; undefined figures are not logged.

    Raises:
        ConfigError: the label set cannot be read.
        DataError: the table has no test rows, breaks its schema, or its labels are not those of the label set.
    """
    context.progress(0, _STEPS, "reading predictions")
    labels = read_label_set(config.labels)
    predictions = _test_rows(context.inputs["predictions"])
    context.progress(1, _STEPS, f"resampling {len(predictions.frame)} images")
    evaluation = evaluate(predictions, labels, config.evaluate, config.seed)
    context.progress(2, _STEPS, "writing the report")
    _write_metrics(evaluation, context.folder)
    page = render_report(evaluation, predictions, labels, config.name, config.description, SPLIT)
    (context.folder / "report.html").write_text(page, encoding="utf-8")
    _log(evaluation, context.run, context.folder)
    context.progress(_STEPS, _STEPS, "done")
    return _result(evaluation)


def _test_rows(path: Path) -> Predictions:
    predictions = read_predictions(path).where(SPLIT)
    if predictions.frame.empty:
        raise DataError(f"{path}: no row has the split '{SPLIT}', so there is nothing to evaluate")
    return predictions


def _write_metrics(evaluation: Evaluation, folder: Path) -> None:
    cautions = [_caution(row) for row in evaluation.rows]
    evaluation.table().assign(caution=cautions).to_csv(folder / "metrics.csv", index=False)
    text = json.dumps(_summary(evaluation), indent=2, allow_nan=False, ensure_ascii=False)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")


def _summary(evaluation: Evaluation) -> dict[str, object]:
    return {
        "split": SPLIT,
        "macro": _macro_summary(evaluation.macro),
        "interval_method": evaluation.interval_method,
        "resamples": evaluation.resamples,
        "confidence": evaluation.confidence,
        "seed": evaluation.seed,
        "counts": _counts(evaluation),
        "about": evaluation.about,
    }


def _macro_summary(macro: Macro) -> dict[str, object]:
    reasons = [figure.reason for figure in (macro.auroc, macro.interval) if isinstance(figure, Undefined)]
    return {
        **{name: None if math.isnan(value) else value for name, value in _macro_figures(macro).items()},
        "failed_resamples": macro.bootstrap.failed,
        "labels_defined": list(macro.labels_defined),
        "labels_undefined": list(macro.labels_undefined),
        "undefined_because": reasons[0] if reasons else None,
    }


def _counts(evaluation: Evaluation) -> dict[str, int]:
    return {
        "images": evaluation.images,
        "patients": evaluation.patients,
        "labels": evaluation.macro.label_count,
        "labels_defined": len(evaluation.macro.labels_defined),
    }


def _macro_figures(macro: Macro) -> dict[str, float]:
    low, high = interval_floats(macro.interval)
    return {"auroc_macro": as_float(macro.auroc), "auroc_macro_low": low, "auroc_macro_high": high}


def _label_figures(row: LabelRow) -> dict[str, float]:
    low, high = interval_floats(row.interval)
    return {
        "auroc": as_float(row.auroc),
        "auroc_low": low,
        "auroc_high": high,
        "average_precision": as_float(row.average_precision),
        "positives": row.counts.positives,
        "negatives": row.counts.negatives,
        "unknown": row.counts.unknown,
    }


def _log(evaluation: Evaluation, run_log: RunLog, folder: Path) -> None:
    figures = {f"{SPLIT}/{name}": value for name, value in _macro_figures(evaluation.macro).items()}
    figures[f"{SPLIT}/labels_defined"] = len(evaluation.macro.labels_defined)
    for row in evaluation.rows:
        figures |= {f"{SPLIT}/{name}/{row.label}": value for name, value in _label_figures(row).items()}
    run_log.metrics(_defined(figures))
    for name in ("metrics.csv", "report.html"):
        run_log.artifact(folder / name)


def _defined(figures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if not math.isnan(value)}


def _result(evaluation: Evaluation) -> StageResult:
    figures = {f"{SPLIT}/{name}": value for name, value in _macro_figures(evaluation.macro).items()}
    figures |= {f"{SPLIT}/auroc/{row.label}": as_float(row.auroc) for row in evaluation.rows}
    return StageResult(
        counts=_counts(evaluation),
        headline=wording.headline(evaluation, SPLIT),
        metrics=_defined(figures),
        table=_terminal_table(evaluation),
        warnings=trust.warnings(evaluation),
        highlights=("report.html", "metrics.csv"),
    )


def _terminal_table(evaluation: Evaluation) -> tuple[tuple[str, ...], ...]:
    interval = wording.confidence_text(evaluation)
    header = ("label", "AUROC", interval, "positives", "negatives", "unknown", "patients", "note")
    return (header, *(_terminal_row(row) for row in evaluation.rows), _mean_row(evaluation))


def _terminal_row(row: LabelRow) -> tuple[str, ...]:
    counts = row.counts
    return (
        row.label,
        wording.figure_text(row.auroc),
        wording.interval_text(row.interval),
        str(counts.positives),
        str(counts.negatives),
        str(counts.unknown),
        str(counts.patients),
        "; ".join(filter(None, (_caution(row), row.note))),
    )


def _caution(row: LabelRow) -> str:
    verdict = trust.judge(row)
    return f"caution: {', '.join(verdict.reasons)}" if verdict.grade == "caution" else ""


def _mean_row(evaluation: Evaluation) -> tuple[str, ...]:
    macro = evaluation.macro
    figures = (wording.figure_text(macro.auroc), wording.interval_text(macro.interval))
    note = f"over {wording.labels_text(evaluation)}"
    if isinstance(macro.interval, Undefined):
        note += f"; interval undefined: {macro.interval.reason}"
    elif macro.bootstrap.failed:
        note += f"; {macro.bootstrap.failed} failed resamples left out"
    return ("mean", *figures, "", "", "", str(evaluation.patients), note)
