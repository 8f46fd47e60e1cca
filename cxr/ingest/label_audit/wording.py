"""What the audit found, in sentences for the one who has to sign it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cxr.ingest.audit.page import count_text, percent_text
from cxr.ingest.label_audit.audit import LabelAudit
from cxr.ingest.label_audit.contradictions import Contradictions
from cxr.ingest.label_audit.copies import Duplicates
from cxr.ingest.label_audit.policies import Blank, LabelAccount, Reading, Uncertain

BLANK_WORDS: dict[Blank, str] = {"unknown": "left unknown", "negative": "read as 0"}
UNCERTAIN_WORDS: dict[Uncertain, str] = {"ignore": "ignored", "negative": "as 0", "positive": "as 1"}


@dataclass(frozen=True)
class Finding:
    """What one check came to.

    Args:
        state: whether all is well, or something wants care, or nothing could be checked.
        text: a sentence.
    """

    state: Literal["good", "care", "open"]
    text: str


def findings(audit: LabelAudit) -> list[Finding]:
    """What each check came to, what weighs most first."""
    pairs, ages = audit.duplicates, audit.implausible_ages
    age = f"{count_text(ages, 'image')} {_has(ages)} an age below 0 or above 120 years: it is treated as unknown."
    return [
        *_contradicting(audit.contradictions),
        *_twice(pairs),
        Finding("care" if ages else "good", age if ages else "No age is out of range."),
    ]


def _contradicting(found: Contradictions) -> list[Finding]:
    if not found.hierarchy and not found.exclusions:
        return [Finding("open", "The label set names no label that is above another one or excludes it: none can contradict.")]
    under, beside = found.images("parent-negative"), found.images("excluded")
    made = found.images("parent-blank-as-negative")
    texts = []
    if under:
        texts.append(f"In {count_text(under, 'image')} a finding is present, but a more general one is absent.")
    if beside:
        texts.append(f"In {count_text(beside, 'image')} two labels are positive that exclude each other.")
    if made:
        texts.append(f"In {count_text(made, 'image')} a finding is present, but a more general one blank, read as absent.")
    return [Finding("care", text) for text in texts] or [Finding("good", "No image contradicts itself.")]


def _twice(pairs: Duplicates) -> list[Finding]:
    if not pairs.compared:
        return [Finding("open", "No image was compared with another one: none is here, only rows of a table.")]
    mixed, elsewhere = pairs.count(within=True, other_patient=True), pairs.count(within=False)
    texts = []
    if mixed:
        texts.append(
            f"{count_text(mixed, 'pair')} of images look{'s' if mixed == 1 else ''} the same but {_belong(mixed)} to different "
            "patients: one may be under the wrong name, or the patient has two ids."
        )
    if elsewhere:
        look = "looks" if elsewhere == 1 else "look"
        texts.append(f"{count_text(elsewhere, 'pair')} of images {look} the same: one of this source, one of another.")
    return [Finding("care", text) for text in texts] or [Finding("good", "No image stands under two patients.")]


def agreement_text(kappa: float) -> str:
    """Kappa with two decimals, or a dash where it is not defined."""
    return "–" if kappa != kappa else f"{kappa:.2f}".replace("-", "−")


def widest_choice(accounts: Sequence[LabelAccount]) -> str:
    """The label for which the choice of policies matters most, with both ends; empty where it changes nothing that is seen."""
    account = max(accounts, key=lambda one: one.factor)
    readings = sorted((one for one in account.readings() if one[2].positive), key=lambda one: one[2].prevalence)
    if len({percent_text(end[2].prevalence) for end in readings}) < 2:
        return ""
    ends = (f"{share_text(end[2])} with {_choice(account, end[0], end[1])}" for end in (readings[-1], readings[0]))
    return f"The choice matters most for {account.label.name}: {'; '.join(ends)}."


def share_text(reading: Reading) -> str:
    """Like "12.3 % of 2,010 images"."""
    return f"{percent_text(reading.prevalence)} of {count_text(reading.known, 'image')}"


def uncertain_words(account: LabelAccount) -> str:
    """What becomes of the label's uncertain cells in training."""
    policy = account.label.uncertain
    return UNCERTAIN_WORDS[policy] if isinstance(policy, str) else f"as {policy:g}"


def _choice(account: LabelAccount, blank: Blank, uncertain: Uncertain) -> str:
    words = [f"blank cells {BLANK_WORDS[blank]}"] if account.cells.blank else []
    words += [f"uncertain ones {UNCERTAIN_WORDS[uncertain]}"] if account.cells.uncertain else []
    return " and ".join(words)


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _belong(count: int) -> str:
    return "belongs" if count == 1 else "belong"
