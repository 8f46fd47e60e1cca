"""The decision as one self-contained HTML page: the answer first, then old against new, then every part of the rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from cxr.compare.line import Line, draw_line
from cxr.compare.strip import draw_scale, scale_limit
from cxr.compare.style import render
from cxr.compare.wording import caution
from cxr.config_evaluate import EvaluateConfig
from cxr.decide.against import Against, Paired
from cxr.decide.decision import Check, Decision, ModelName, Part
from cxr.decide.evaluated import EvaluatedLabel
from cxr.decide.wording import SHORT, answer_text, mean_sentence
from cxr.evaluate.trust import FEWEST_PATIENTS
from cxr.evaluate.wording import count_text

_STATES = {True: "holds", False: "fails", None: "open"}
_PARTS: dict[Part, str] = {
    "kept labels": "Kept labels: not worse than the margin",
    "calibration": "Calibration: error within its bound",
    "subgroups": "Subgroups: gap in AUROC within its bound",
}


@dataclass(frozen=True)
class Basis:
    """Whom the models were judged by.

    Args:
        images, patients: of the test side.
        too_small: combinations of column and label whose groups have too few patients to be compared.
    """

    images: int
    patients: int
    too_small: int


@dataclass(frozen=True)
class _Kept:
    """A row of the table of kept labels: `older` is its name in the older model where that is another one."""

    line: Line
    older: str
    rule: str


@dataclass(frozen=True)
class _Own:
    """A row of the table of labels that are not compared."""

    label: str
    auroc: str
    interval: str
    error: str
    patients: str
    note: str


@dataclass(frozen=True)
class _PartRow:
    """How often a part of the rule holds, fails or is left open."""

    title: str
    counts: Mapping[str, int]


def render_page(
    decision: Decision,
    against: Against | None,
    found: Mapping[str, EvaluatedLabel],
    basis: Basis,
    config: EvaluateConfig,
    remarks: Sequence[str],
) -> str:
    """The page, as HTML; every text in it is escaped.

    Args:
        decision: what was found.
        against: the older model; None where there is none.
        found: figures of the new model by label.
        basis: whom both were judged by.
        config: unit and level of the intervals.
        remarks: what the reader must know, a sentence each.
    """
    paired = None if against is None else against.paired
    values = {
        "decision": decision,
        "answer": answer_text(decision.checks),
        "mean": "" if paired is None else mean_sentence(paired.found),
        "remarks": remarks,
        "kept": _kept_table(decision, paired) if paired is not None else None,
        "resamples": 0 if paired is None else paired.found.resamples,
        **_rule_tables(decision, found),
        "basis": basis,
        "too_small": count_text(basis.too_small, "pair"),
        "config": config,
        "fewest": FEWEST_PATIENTS,
        "level": f"{100 * config.confidence:g} % interval",
        "models": [("New model", _model_text(decision.model)), ("Older model", _older_text(decision.older))],
        "test_digest": decision.test_data_sha256[:SHORT],
    }
    return render("cxr.decide", "page.html.j2", values)


def _rule_tables(decision: Decision, found: Mapping[str, EvaluatedLabel]) -> dict[str, object]:
    """Labels that are not compared, and every part of the rule: counted, then sentence by sentence."""
    return {
        "own": [_own(found[each.label]) for each in decision.labels if each.standing == "new"],
        "parts": [_part_row(part, decision.checks) for part in get_args(Part)],
        "checks": {state: [check.sentence for check in decision.checks if check.holds is state] for state in _STATES},
    }


def _kept_table(decision: Decision, paired: Paired) -> dict[str, object]:
    margin, found = decision.rule.margin, paired.found
    limit = scale_limit([found.macro.auroc, *(row.auroc for row in found.rows)], margin)
    states = {check.label: _STATES[check.holds] for check in decision.checks if check.part == "kept labels"}
    older = {each.label: each.older_label for each in decision.labels}
    patients = {kept.label: kept.with_finding for kept in paired.kept()}
    rows = []
    for row in found.rows:
        line = draw_line(row.label, row.auroc, row.p_holm, row.verdict, limit, margin)
        line = replace(line, caution=caution(row, paired.sides), count=f"{patients[row.label]:,}")
        rows.append(_Kept(line, "" if older[row.label] == row.label else older[row.label], states[row.label]))
    mean = draw_line("mean", found.macro.auroc, found.macro.auroc.p, found.macro.verdict, limit, margin)
    return {"rows": rows, "mean": mean, "scale": draw_scale(limit), "chance": f"{round(1 - found.confidence, 6):g}"}


def _own(found: EvaluatedLabel) -> _Own:
    return _Own(
        label=found.label,
        auroc=_figure(found.auroc),
        interval="–" if found.interval is None else "{:.3f} to {:.3f}".format(*found.interval),
        error=_figure(found.calibration_error),
        patients=f"{found.patients:,}",
        note=found.remark,
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _part_row(part: Part, checks: Sequence[Check]) -> _PartRow:
    states = [_STATES[check.holds] for check in checks if check.part == part]
    return _PartRow(_PARTS[part], {state: states.count(state) for state in _STATES.values()})


def _model_text(model: ModelName) -> str:
    return f"weights {model.weights_sha256[:SHORT]}, trained by run {model.run_id[:SHORT]}, labels {model.labels}"


def _older_text(model: ModelName | None) -> str:
    return "none: nothing was compared" if model is None else _model_text(model)
