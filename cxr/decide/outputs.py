"""What a decision leaves for machines and for the terminal: a row per label."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxr.compare.terminal import Row, terminal_rows
from cxr.compare.wording import figure_text, level_text
from cxr.decide.against import Against
from cxr.decide.decision import Decision
from cxr.evaluate.undefined import Undefined, as_float

TABLE = "decision.csv"


def write_table(decision: Decision, folder: Path) -> None:
    """Write `TABLE`: a row per label, the fields of `LabelVerdict`, and which parts of the rule fail for it."""
    rows = []
    for verdict in decision.labels:
        fails = dict.fromkeys(check.part for check in decision.failed if check.label == verdict.label)
        rows.append({**verdict.model_dump(exclude={"sentence"}), "fails": "; ".join(fails), "sentence": verdict.sentence})
    pd.DataFrame(rows).to_csv(folder / TABLE, index=False)


def figures(decision: Decision, against: Against | None) -> dict[str, float]:
    """The tracked figures: what the rule says, 1 or 0, and the differences that are defined."""
    found = {f"decide/difference/{verdict.label}": verdict.difference for verdict in decision.labels}
    if against is not None and against.paired is not None:
        mean = against.paired.found.macro.auroc.difference
        found["decide/difference_macro"] = None if isinstance(mean, Undefined) else as_float(mean)
    told = {name: value for name, value in found.items() if value is not None}
    return {"decide/holds": float(decision.holds), **told}


def terminal_table(decision: Decision, against: Against | None) -> tuple[Row, ...]:
    """Old against new for the terminal: kept labels, their mean, new labels; empty where there is no older model."""
    if against is None:
        return ()
    paired = against.paired
    level = "interval" if paired is None else level_text(paired.found)
    header = ("label", "AUROC of the new", "of the older", "difference", level, "p (Holm)", "the new model is")
    kept = () if paired is None else terminal_rows(paired.found, paired.sides)
    new = [(each.label, _text(each.auroc), "", "", "", "", "new") for each in decision.labels if each.standing == "new"]
    return (header, *kept, *new)


def _text(figure: float | None) -> str:
    return figure_text(Undefined("not told") if figure is None else figure)
