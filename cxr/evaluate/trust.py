"""Which figures may be relied on: a plain rule, so that its reader can check it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cxr.evaluate.label_rows import LabelRow
from cxr.evaluate.metrics import Evaluation
from cxr.evaluate.undefined import Undefined
from cxr.evaluate.wording import count_text

FEWEST_PATIENTS = 20
"""With fewer patients with the finding, or without it, a figure rests on too few of them."""
WIDEST_INTERVAL = 0.2
"""An interval wider than this leaves a poor and a good classifier both possible."""
SMALL_TEST_SET = 100
"""Patients; below it the whole test set is called small."""

RULE = (
    f"A figure is called supported when at least {FEWEST_PATIENTS} patients have the finding and {FEWEST_PATIENTS} are "
    f"known to be without it, its interval is no wider than {WIDEST_INTERVAL:g}, and the interval's lower bound is "
    "above 0.5, the AUROC of guessing. Otherwise it is to be read with caution, for the reasons given."
)

Grade = Literal["supported", "caution", "undefined"]
GRADES: tuple[Grade, ...] = ("supported", "caution", "undefined")
"""From the figure that may be relied on to the one that does not exist."""


@dataclass(frozen=True)
class Verdict:
    """How far a label's AUROC may be relied on.

    Args:
        grade: supported: nothing speaks against it; caution: read the reasons; undefined: there is no figure.
        reasons: short phrases; none where the figure is supported.

    Raises:
        ValueError: a supported figure has reasons, or another has none.
    """

    grade: Grade
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        if (self.grade == "supported") == bool(self.reasons):
            raise ValueError(f"a verdict of '{self.grade}' with the reasons {self.reasons}")


def judge(row: LabelRow) -> Verdict:
    """Apply `RULE` to one label."""
    if isinstance(row.auroc, Undefined):
        return Verdict("undefined", (row.auroc.reason,))
    reasons = (*_few_patients(row), *_weak_interval(row))
    return Verdict("caution", reasons) if reasons else Verdict("supported", ())


def _few_patients(row: LabelRow) -> tuple[str, ...]:
    sides = (("with", row.counts.patients_positive), ("without", row.counts.patients_negative))
    return tuple(f"only {count_text(count, 'patient')} {side} the finding" for side, count in sides if count < FEWEST_PATIENTS)


def _weak_interval(row: LabelRow) -> tuple[str, ...]:
    interval = row.interval
    if isinstance(interval, Undefined):
        return (f"no interval ({interval.reason})",)
    reasons = []
    if interval.width > WIDEST_INTERVAL:
        reasons.append(f"wide interval ({interval.width:.2f})")
    if interval.low <= 0.5:
        reasons.append("no better than guessing cannot be ruled out")
    return tuple(reasons)


def warnings(evaluation: Evaluation) -> tuple[str, ...]:
    """What a user should know before using the figures, a sentence each."""
    sentences = []
    if evaluation.patients < SMALL_TEST_SET:
        sentences.append(
            f"The test set is small, {count_text(evaluation.patients, 'patient')} (fewer than {SMALL_TEST_SET}): "
            "expect other figures on other patients."
        )
    if evaluation.macro.labels_undefined:
        sentences.append(
            f"The mean AUROC covers {len(evaluation.macro.labels_defined)} of {evaluation.macro.label_count} labels, "
            f"without {', '.join(evaluation.macro.labels_undefined)}."
        )
    verdicts = {row.label: judge(row) for row in evaluation.rows}
    for label, verdict in verdicts.items():
        if verdict.grade == "undefined":
            sentences.append(f"{label}: the AUROC is undefined, {verdict.reasons[0]}.")
    caution = [label for label, verdict in verdicts.items() if verdict.grade == "caution"]
    if caution:
        sentences.append(f"To be read with caution, for the reasons beside each figure: {', '.join(caution)}.")
    return tuple(sentences)
