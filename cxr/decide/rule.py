"""The rule for promotion: kept labels not worse than a margin, calibration and gaps between groups within bounds.

A kept label is judged by non-inferiority: the new model passes where the whole interval of new less older lies above minus
the margin. At a two-sided 95 % interval that is a one-sided test at 2.5 % of the hypothesis that the new model is worse by the
margin or more, so a model that is truly that much worse passes for this label on about one of 40 test sets (Piaggio et al.,
JAMA 308:2594, 2012). Every kept label must pass, and to pass all by luck is no likelier than to pass one: the level needs no
correction for their number (Berger, Technometrics 24:295, 1982). What grows with it is the chance that a good model is refused.
With `undecided: accept` an open label passes too, and nothing of this holds for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cxr.compare.wording import difference_text, interval_text
from cxr.config_retrain import PromoteConfig
from cxr.decide.decision import Check
from cxr.decide.evaluated import EvaluatedGap, EvaluatedLabel
from cxr.evaluate.paired import Difference
from cxr.evaluate.trust import FEWEST_PATIENTS
from cxr.evaluate.undefined import Undefined
from cxr.evaluate.wording import count_text

Outcome = Literal["holds", "fails", "open"]


@dataclass(frozen=True)
class KeptLabel:
    """What the rule looks at of a label that both models have.

    Args:
        label: its name.
        gap: AUROC of the new model less that of the older one.
        level: what the interval is called, like "95 % interval".
        with_finding, without: test patients with the finding, and known to be without it.
    """

    label: str
    gap: Difference
    level: str
    with_finding: int
    without: int


def non_inferior(kept: KeptLabel, margin: float) -> Outcome:
    """Whether the new model is shown to be no worse than the older one by `margin` or more.

    Returns:
        It fails where the difference itself is below minus the margin, holds where the interval's lower end is above it, and
        is open between the two and where either is undefined. Where all resamples give a difference of exactly 0 there is no
        interval; that holds where at least `FEWEST_PATIENTS` have the finding and as many are without it.
    """
    gap = kept.gap
    if isinstance(gap.difference, Undefined):
        return "open"
    if gap.difference < -margin:
        return "fails"
    if isinstance(gap.interval, Undefined):
        enough = min(kept.with_finding, kept.without) >= FEWEST_PATIENTS
        return "holds" if _always_alike(gap) and enough else "open"
    return "holds" if gap.interval.low > -margin else "open"


def check_kept(kept: KeptLabel, rule: PromoteConfig) -> Check:
    """The part of the rule on a label that both models have; what is open is decided by `rule.undecided`."""
    outcome = non_inferior(kept, rule.margin)
    if outcome == "open":
        sentence = f"{kept.label}: {_open_text(kept, rule)}"
        return Check(part="kept labels", label=kept.label, holds=_undecided(rule), sentence=sentence)
    verb = "worse than the older model by more than" if outcome == "fails" else "loses less than"
    sentence = f"{kept.label}: {verb} the accepted {rule.margin:g}: {_gap_text(kept)}{_few_text(kept)}"
    return Check(part="kept labels", label=kept.label, holds=outcome == "holds", sentence=sentence)


def check_disowned(label: str, older: str, rule: PromoteConfig) -> Check:
    """The part of the rule on a label that the older model has by its name, and that the user calls another one: it is open."""
    text = f"{label}: not compared, since retrain.labels says that {older} of the older model is not the same"
    return Check(part="kept labels", label=label, holds=_undecided(rule), sentence=f"{text}, {_end_text(rule)}")


def check_nothing_kept(rule: PromoteConfig) -> Check:
    """The part of the rule where no label is the same in both models: nothing shows that the new one is no worse."""
    text = "no label is the same in both models, so nothing shows that the new one is no worse"
    return Check(part="kept labels", label="none kept", holds=_undecided(rule), sentence=f"{text}, {_end_text(rule)}")


def check_calibration(found: EvaluatedLabel, rule: PromoteConfig) -> Check:
    """The part of the rule on calibrated probabilities; with fewer than `FEWEST_PATIENTS` with the finding it is not judged."""
    error, bound = found.calibration_error, rule.calibration_error
    if error is None:
        holds, text = None, "the calibration is not judged: it has no calibration error"
    elif found.patients < FEWEST_PATIENTS:
        count = count_text(found.patients, "patient")
        holds, text = None, f"the calibration is not judged: only {count} with the finding (error {error:.3f})"
    else:
        holds = error <= bound
        text = f"calibration error {error:.3f}, {'within' if holds else 'above'} {bound:g}"
    return Check(part="calibration", label=found.label, holds=holds, sentence=f"{found.label}: {text}")


def check_gap(found: EvaluatedGap, rule: PromoteConfig) -> Check:
    """The part of the rule on groups of patients.

    It fails where the gap is shown to be above the bound: where its interval is. It is open where the gap alone is above.
    """
    shown = found.low is not None and found.low > rule.gap
    holds = False if shown else True if found.gap <= rule.gap else None
    groups = f"{found.gap:.3f} between {found.highest} (higher) and {found.lowest}" if found.gap else "0"
    reach = "without an interval" if found.low is None else f"at least {found.low:.3f} by its interval"
    word = {False: f"above {rule.gap:g}, {reach}", None: f"above {rule.gap:g}, but not shown to be, {reach}"}
    text = f"gap in AUROC by {found.column} {groups}, {word.get(holds, f'within {rule.gap:g}')}"
    return Check(part="subgroups", label=found.label, holds=holds, sentence=f"{found.label}: {text}")


def _always_alike(gap: Difference) -> bool:
    """Whether no resample of the patients tells the two models apart."""
    return gap.difference == 0 and isinstance(gap.interval, Undefined) and gap.p == 1


def _undecided(rule: PromoteConfig) -> bool | None:
    return False if rule.undecided == "refuse" else None


def _open_text(kept: KeptLabel, rule: PromoteConfig) -> str:
    gap, margin = kept.gap, rule.margin
    patients = f"{count_text(kept.with_finding, 'patient')} with the finding and {kept.without:,} without it"
    if isinstance(gap.difference, Undefined):
        why = f"the models cannot be compared ({gap.difference.reason})"
    elif _always_alike(gap):
        why = f"{_gap_text(kept)}, but these are too few to tell"
    elif isinstance(gap.interval, Undefined):
        why = f"{_gap_text(kept)}, and there is no interval ({gap.interval.reason})"
    else:
        why = f"{_gap_text(kept)}, which reaches to {gap.interval.low:+.3f}, beyond the accepted loss"
    return f"left open by {patients} whether it loses less than the accepted {margin:g}, {_end_text(rule)}: {why}"


def _end_text(rule: PromoteConfig) -> str:
    return f"{'so it is refused' if rule.undecided == 'refuse' else 'which is accepted'} (promote.undecided)"


def _few_text(kept: KeptLabel) -> str:
    sides = (("with", kept.with_finding), ("without", kept.without))
    few = [f"only {count_text(count, 'patient')} {side} the finding" for side, count in sides if count < FEWEST_PATIENTS]
    return f"; caution: {', '.join(few)}" if few else ""


def _gap_text(kept: KeptLabel) -> str:
    if _always_alike(kept.gap):
        return "new less older is 0 whichever patients are drawn"
    interval = "" if isinstance(kept.gap.interval, Undefined) else f" ({kept.level} {interval_text(kept.gap)})"
    return f"new less older is {difference_text(kept.gap)}{interval}"
