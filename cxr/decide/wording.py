"""What a decision says in a line: may the model be promoted, and if not, what fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from cxr.compare.wording import difference_text, interval_text, macro_sentence
from cxr.decide.against import Against, Paired
from cxr.decide.decision import Check, Decision, LabelVerdict, Part
from cxr.decide.verdicts import NAMES
from cxr.evaluate.paired import Comparison
from cxr.evaluate.undefined import Undefined
from cxr.evaluate.wording import count_text, list_text
from cxr.stage import Question

SHORT = 12
"""Digits of a digest, or of the id of a run, that people are shown."""
_MOST_NAMED = 5


def answer_text(checks: Sequence[Check]) -> str:
    """Like "may not be promoted: the rule fails on kept labels (Mass, Edema) and calibration (Hernia)"."""
    failed = [text for part in get_args(Part) if (text := _failed_text(part, checks))]
    return (
        f"may not be promoted: the rule fails on {list_text(failed)}"
        if failed
        else "may be promoted: no part of the rule fails"
    )


def _failed_text(part: Part, checks: Sequence[Check]) -> str:
    labels = list(dict.fromkeys(check.label for check in checks if check.part == part and check.holds is False))
    return f"{part} ({_named(labels)})" if labels else ""


def headline(checks: Sequence[Check], verdicts: Sequence[LabelVerdict], against: Against | None) -> str:
    """The outcome in one line: the answer, then the comparison it rests on."""
    return f"{answer_text(checks)}; {against_text(verdicts, against)}"


def against_text(verdicts: Sequence[LabelVerdict], against: Against | None) -> str:
    """Like "of 5 kept labels better 2, worse 1, not shown to differ 2; mean AUROC +0.012 (+0.004 to +0.020)"."""
    if against is None:
        return "there is no older model to compare with"
    if against.paired is None:
        return "no label of the older model is kept, so nothing was compared"
    return f"{_counts_text(verdicts, against.paired)}; {_mean_text(against.paired.found)}"


def _counts_text(verdicts: Sequence[LabelVerdict], paired: Paired) -> str:
    standings = [verdict.standing for verdict in verdicts]
    counts = {"better": "better", "worse": "worse", "not shown": "not shown to differ", "undefined": "undefined"}
    told = [f"{words} {standings.count(standing)}" for standing, words in counts.items() if standing in standings]
    return f"of {count_text(len(paired.found.rows), 'kept label')} {', '.join(told)}"


def _mean_text(found: Comparison) -> str:
    gap = found.macro.auroc
    return f"mean AUROC {difference_text(gap)}" + ("" if isinstance(gap.interval, Undefined) else f" ({interval_text(gap)})")


def answers(decision: Decision, against: Against | None, patients: int) -> dict[Question, str]:
    """What the page of the pipeline's run says of the older model, and of what comes next.

    Args:
        decision: the outcome.
        against: the older model; None where there is none.
        patients: of the test side.
    """
    said = answer_text(decision.checks)
    step = "cxr promote makes it the champion" if decision.holds else "decision.html says by which figures"
    return {"against": _against_answer(decision, against, patients), "next": f"{said}; {step}"}


def _against_answer(decision: Decision, against: Against | None, patients: int) -> str:
    told = against_text(decision.labels, against)
    if decision.older is None:
        return told
    new = [verdict.label for verdict in decision.labels if verdict.standing == "new"]
    lists = {"new labels": new, "dropped": decision.dropped}
    rest = [f"{name}: {_named(labels)}" for name, labels in lists.items() if labels]
    place = f"the older model of run {decision.older.run_id[:SHORT]} on the same {count_text(patients, 'test patient')}"
    return "; ".join([f"{place}: {told}", *rest])


def _named(labels: Sequence[str]) -> str:
    """The first few labels, and how many more there are."""
    more = f" and {len(labels) - _MOST_NAMED} more" if len(labels) > _MOST_NAMED else ""
    return f"{', '.join(labels[:_MOST_NAMED])}{more}"


def mean_sentence(found: Comparison) -> str:
    """Like "Mean AUROC over 5 kept labels: the new model is better than the older one, by 0.021 (...)."."""
    sentence = macro_sentence(found, NAMES)
    return f"{sentence[0].upper()}{sentence[1:]}."
