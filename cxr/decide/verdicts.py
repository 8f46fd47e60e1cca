"""One verdict per label: better, worse or not shown beside the older model, or its own figures where it is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cxr.compare.wording import caution, label_sentence
from cxr.decide.against import Against
from cxr.decide.decision import LabelVerdict, Standing
from cxr.decide.evaluated import EvaluatedLabel
from cxr.evaluate.paired import Outcome, PairedRow
from cxr.evaluate.undefined import Undefined

NAMES = ("the new model", "the older one")
"""What the two are called in sentences."""
_STANDINGS: dict[Outcome, Standing] = {"better": "better", "worse": "worse", "no difference shown": "not shown"}


def give_verdicts(labels: Mapping[str, EvaluatedLabel], against: Against | None, level: str) -> tuple[LabelVerdict, ...]:
    """The verdicts.

    Args:
        labels: of the new model, in its order.
        against: the older model; None where there is none.
        level: what an interval is called, like "95 % interval".
    """
    rows = {} if against is None or against.paired is None else {row.label: row for row in against.paired.found.rows}
    return tuple(
        _kept_verdict(rows[name], against, level)
        if against is not None and name in rows
        else _own_verdict(found, against, level)
        for name, found in labels.items()
    )


def _kept_verdict(row: PairedRow, against: Against, level: str) -> LabelVerdict:
    assert against.paired is not None
    older = against.plan.compared[row.label]
    renamed = f" (in the older model {older})" if older != row.label else ""
    gap = row.auroc
    interval = None if isinstance(gap.interval, Undefined) else gap.interval
    note = caution(row, against.paired.sides)
    return LabelVerdict(
        label=row.label,
        older_label=older,
        standing="undefined" if isinstance(row.verdict, Undefined) else _STANDINGS[row.verdict],
        sentence=label_sentence(replace(row, label=f"{row.label}{renamed}"), note, NAMES, level),
        auroc=_or_none(gap.a),
        older_auroc=_or_none(gap.b),
        difference=_or_none(gap.difference),
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        p=_or_none(row.p_holm),
    )


def _own_verdict(found: EvaluatedLabel, against: Against | None, level: str) -> LabelVerdict:
    figures = "no AUROC" if found.auroc is None else f"AUROC {found.auroc:.3f}"
    if found.interval is not None:
        figures += f" ({level} {found.interval[0]:.3f} to {found.interval[1]:.3f})"
    kind = "" if against is None else "new, "
    sentence = "; ".join(filter(None, (f"{found.label}: {kind}{figures}", found.remark)))
    nothing = dict.fromkeys(("older_auroc", "difference", "low", "high", "p"))
    return LabelVerdict(label=found.label, older_label="", standing="new", sentence=sentence, auroc=found.auroc, **nothing)


def _or_none(figure: float | Undefined) -> float | None:
    return None if isinstance(figure, Undefined) else figure
