"""What a comparison says, in plain sentences."""

from __future__ import annotations

from pathlib import Path

from cxr.compare.align import Pair
from cxr.evaluate.paired import Comparison, Difference, Outcome, PairedRow
from cxr.evaluate.trust import FEWEST_PATIENTS
from cxr.evaluate.undefined import Undefined
from cxr.evaluate.wording import count_text

OUTCOMES: tuple[Outcome, ...] = ("better", "worse", "no difference shown")
"""What may be said of A, from best to least."""
A_AND_B = ("A", "B")
"""What the two are called where nothing else is known of them."""


def names_of(a: Path, b: Path) -> tuple[str, str]:
    """What two tables are called: of a pipeline its folder, else the file; with the folders above where that is the same."""
    paths = [path.parent.parent if path.parts[-2:] == ("predict", "predictions.parquet") else path for path in (a, b)]
    for parts in range(1, max(len(path.parts) for path in paths)):
        first, second = ("/".join(path.parts[-parts:]) for path in paths)
        if first != second:
            return first, second
    return a.name, b.name


def headline(found: Comparison) -> str:
    """The comparison in one line."""
    verdicts = [row.verdict for row in found.rows]
    counts = ", ".join(f"{word} for {verdicts.count(word)}" for word in OUTCOMES[:2])
    return f"{macro_sentence(found)}; of {count_text(len(verdicts), 'label')} A is {counts}"


def macro_sentence(found: Comparison, names: tuple[str, str] = A_AND_B) -> str:
    """Like "mean AUROC over 14 labels: A is better than B, by 0.021 (95 % interval of A less B +0.008 to +0.034)".

    Args:
        found: the comparison.
        names: what A and B are called in the sentence.
    """
    level = f"{level_text(found)} of {names[0]} less {names[1]} "
    sentence = _sentence(found.macro.auroc, found.macro.verdict, level, names)
    return f"mean AUROC over {count_text(len(found.macro.labels), 'label')}: {sentence}"


def caution(row: PairedRow, sides: Pair) -> str:
    """Like "caution: only 3 patients with the finding"; empty where there are enough of both kinds, or no verdict."""
    label = sides.cells.label_names.index(row.label)
    truth = sides.cells.truth[:, label]
    patients = {kind: sides.cells.patients_where(truth == value) for kind, value in (("with", 1), ("without", 0))}
    few = [
        f"only {count_text(count, 'patient')} {kind} the finding" for kind, count in patients.items() if count < FEWEST_PATIENTS
    ]
    return f"caution: {', '.join(few)}" if few and not isinstance(row.verdict, Undefined) else ""


def label_sentence(row: PairedRow, caution: str = "", names: tuple[str, str] = A_AND_B, level: str = "") -> str:
    """Like "Effusion: no difference is shown, A less B is +0.004 (-0.010 to +0.018)".

    Args:
        row: of the label.
        caution: of the row; see `caution`.
        names: what A and B are called in the sentence.
        level: see `level_text`, where the sentence has to say it by itself.
    """
    sentence = _sentence(row.auroc, row.verdict, f"{level} " if level else "", names)
    if row.verdict == "no difference shown" and _leaves_zero_out(row.auroc):
        sentence += "; its own interval leaves 0 out, but among so many labels that can be chance"
    return f"{row.label}: {'; '.join(filter(None, (sentence, caution)))}"


def level_text(found: Comparison) -> str:
    """Like "95 % interval"."""
    return f"{100 * found.confidence:g} % interval"


def figure_text(figure: float | Undefined, form: str = ".3f") -> str:
    """Three decimals, or "undefined"."""
    return "undefined" if isinstance(figure, Undefined) else format(figure, form)


def difference_text(gap: Difference) -> str:
    """Like "+0.021"; "undefined" where there is none."""
    return figure_text(gap.difference, "+.3f")


def interval_text(gap: Difference) -> str:
    """Like "+0.008 to +0.034", or "undefined"."""
    return "undefined" if isinstance(gap.interval, Undefined) else f"{gap.interval.low:+.3f} to {gap.interval.high:+.3f}"


def verdict_text(verdict: Outcome | Undefined, caution: str = "") -> str:
    """The verdict with its caution, or why there is none."""
    return f"undefined: {verdict.reason}" if isinstance(verdict, Undefined) else "; ".join(filter(None, (verdict, caution)))


def warnings(sides: Pair) -> tuple[str, ...]:
    """What was not compared, a sentence each."""
    found = []
    if sides.only_a or sides.only_b:
        alone = f"{count_text(sides.only_a, 'image')} in A alone and {count_text(sides.only_b, 'image')} in B alone"
        found.append(f"Left out: {alone}; only the {sides.images:,} of both are compared.")
    if sides.left_out:
        found.append(f"Not compared, since not both tables have their scores and truth: {', '.join(sides.left_out)}.")
    if sides.way:
        found.append(f"The ids of A and B differ as they stand; they were compared {sides.way}.")
    return tuple(found)


def _leaves_zero_out(gap: Difference) -> bool:
    return not isinstance(gap.interval, Undefined) and (gap.interval.low > 0 or gap.interval.high < 0)


def _sentence(gap: Difference, verdict: Outcome | Undefined, level: str, names: tuple[str, str]) -> str:
    if isinstance(gap.difference, Undefined):
        return f"cannot be compared, {gap.difference.reason}"
    a, b = names
    interval = "" if isinstance(gap.interval, Undefined) else f" ({level}{interval_text(gap)})"
    if isinstance(verdict, Undefined):
        return f"no verdict, {verdict.reason}; {a} less {b} is {difference_text(gap)}{interval}"
    if verdict == "no difference shown":
        return f"no difference is shown, {a} less {b} is {difference_text(gap)}{interval}"
    return f"{a} is {verdict} than {b}, by {abs(gap.difference):.3f}{interval}"
