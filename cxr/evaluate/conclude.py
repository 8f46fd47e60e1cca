"""What an evaluation leaves: tables, report, model card, tracked figures, and what the terminal shows."""

from __future__ import annotations

import math
from pathlib import Path

from cxr.evaluate import trust, wording
from cxr.evaluate.card import render_card
from cxr.evaluate.label_rows import LabelRow
from cxr.evaluate.metrics import Evaluation
from cxr.evaluate.outputs import WRITTEN, caution, counts, macro_figures, write_tables
from cxr.evaluate.report import render_report
from cxr.evaluate.undefined import Undefined, as_float
from cxr.labels.label_set import LabelSet
from cxr.manifest import SPLITS
from cxr.stage import Question, RunLog, StageContext, StageResult

METRICS = "test"
"""Where the figures of patients stand that were used for nothing else, in MLflow: test/<figure>/<label>."""
PAGES = ("report.html", "model_card.md")


def conclude(evaluation: Evaluation, labels: LabelSet, title: tuple[str, str], side: str, context: StageContext) -> StageResult:
    """Write `WRITTEN` and `PAGES` into the stage's folder, and log the figures; undefined ones are not logged.

    Args:
        evaluation: the figures.
        labels: the label set they were measured with.
        title: name and description.
        side: what was evaluated: a side of the split, or a table.
        context: of the stage.
    """
    write_tables(evaluation, context.folder, side)
    for name, render in zip(PAGES, (render_report, render_card), strict=True):
        (context.folder / name).write_text(render(evaluation, labels, *title, side), encoding="utf-8")
    _log(evaluation, context.run, context.folder)
    return _result(evaluation, side)


def _label_figures(row: LabelRow) -> dict[str, float]:
    return {
        **row.ranking.columns("auroc"),
        "average_precision": as_float(row.average_precision),
        "positives": row.counts.positives,
        "negatives": row.counts.negatives,
        "unknown": row.counts.unknown,
    }


def _log(evaluation: Evaluation, run_log: RunLog, folder: Path) -> None:
    figures = {f"{METRICS}/{name}": value for name, value in macro_figures(evaluation).items()}
    figures[f"{METRICS}/labels_defined"] = len(evaluation.macro.labels_defined)
    for row in evaluation.rows:
        figures |= {f"{METRICS}/{name}/{row.label}": value for name, value in _label_figures(row).items()}
    for found in evaluation.probabilities:
        figures |= {f"{METRICS}/{name}/{found.label}": value for name, value in found.record().items()}
    for each in evaluation.operating:
        if not isinstance(each.figures, Undefined):
            sides = {"sensitivity": each.figures.sensitivity, "specificity": each.figures.specificity}
            point = each.point.replace(" ", "_")
            figures |= {f"{METRICS}/{name}_{point}/{each.label}": as_float(side.value) for name, side in sides.items()}
    run_log.metrics(_defined(figures))
    for name in (*WRITTEN, *PAGES):
        run_log.artifact(folder / name)


def _defined(figures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if not math.isnan(value)}


def _result(evaluation: Evaluation, side: str) -> StageResult:
    figures = {f"{METRICS}/{name}": value for name, value in macro_figures(evaluation).items()}
    figures |= {f"{METRICS}/auroc/{row.label}": as_float(row.auroc) for row in evaluation.rows}
    return StageResult(
        counts=counts(evaluation),
        headline=wording.headline(evaluation, side),
        metrics=_defined(figures),
        table=_terminal_table(evaluation),
        warnings=trust.warnings(evaluation),
        highlights=("report.html", "model_card.md", "metrics.csv"),
        answers=_answers(evaluation, side),
    )


def _answers(evaluation: Evaluation, side: str) -> dict[Question, str]:
    extent = wording.extent_text(evaluation, side if side in SPLITS else "")
    sure = f"{wording.confidence_text(evaluation)} {wording.interval_text(evaluation.macro.interval)}, {extent}"
    if weak := sum(trust.judge(row).grade != "supported" for row in evaluation.rows):
        sure += f"; caution with {wording.count_text(weak, 'label')}"
    good = f"mean AUROC {wording.figure_text(evaluation.macro.auroc)} over {wording.labels_text(evaluation)}"
    return {
        "good": good + _ends(evaluation),
        "sure": sure,
        "next": "read report.html under Artifacts, and what to mind, below",
    }


def _ends(evaluation: Evaluation) -> str:
    """The best and the worst label; empty where there are not two."""
    figures = {row.label: row.auroc for row in evaluation.rows if not isinstance(row.auroc, Undefined)}
    if len(figures) < 2:
        return ""
    best, worst = (choose(figures, key=figures.__getitem__) for choose in (max, min))
    return f"; best {best} {figures[best]:.3f}, worst {worst} {figures[worst]:.3f}"


def _terminal_table(evaluation: Evaluation) -> tuple[tuple[str, ...], ...]:
    interval = wording.confidence_text(evaluation)
    header = ("label", "AUROC", interval, "positives", "negatives", "unknown", "patients", "note")
    rows = (_terminal_row(evaluation, label) for label in range(len(evaluation.rows)))
    return (header, *rows, _mean_row(evaluation))


def _terminal_row(evaluation: Evaluation, label: int) -> tuple[str, ...]:
    row = evaluation.rows[label]
    return (
        row.label,
        wording.figure_text(row.auroc),
        wording.interval_text(row.interval),
        str(row.counts.positives),
        str(row.counts.negatives),
        str(row.counts.unknown),
        str(row.counts.patients),
        "; ".join(filter(None, (caution(evaluation, label), row.note))),
    )


def _mean_row(evaluation: Evaluation) -> tuple[str, ...]:
    macro = evaluation.macro
    figures = (wording.figure_text(macro.auroc), wording.interval_text(macro.interval))
    note = f"over {wording.labels_text(evaluation)}"
    if isinstance(macro.interval, Undefined):
        note += f"; interval undefined: {macro.interval.reason}"
    elif macro.ranking.bootstrap.failed:
        note += f"; {macro.ranking.bootstrap.failed} failed resamples left out"
    return ("mean", *figures, "", "", "", str(evaluation.patients), note)
