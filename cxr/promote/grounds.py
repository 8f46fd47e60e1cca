"""By what a decision was taken: the rule in short words, the kept labels that it let pass open, and earlier refusals."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from cxr.config_retrain import PromoteConfig
from cxr.decide.decision import Check, Decision

_OPEN = {"accept": "open labels accepted", "refuse": "open labels refused"}
_LONGEST_OPEN = 600  # characters of names of labels that a decision keeps


class Grounds(BaseModel):
    """By what a decision was taken; empty for a rollback, and for decisions that were kept without it.

    Args:
        rule: its bounds, as "margin 0.05, open labels refused".
        weights: digest of the weights that were decided about.
        accepted: kept labels that were left open, and accepted so.
        refused: earlier refusals of the same weights by other rules, as "decision 1 (margin 0.05)".
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    rule: str = ""
    weights: str = ""
    accepted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What people have to know beside the rule, a part of a sentence each."""
        accepted = (f"left open and accepted: {', '.join(self.accepted)}",) if self.accepted else ()
        refused = (f"the same weights were refused before by another rule: {', '.join(self.refused)}",) if self.refused else ()
        return (*accepted, *refused)

    @property
    def words(self) -> str:
        """All of it in one line; empty where nothing is known."""
        return "; ".join(([self.rule] if self.rule else []) + list(self.remarks))


def grounds_of(decision: Decision, refused: tuple[str, ...] = ()) -> Grounds:
    """By what a model is decided about, with earlier refusals of it."""
    return Grounds(
        rule=rule_in_words(decision.rule),
        weights=decision.model.weights_sha256,
        accepted=_few([check.label or "no label is the same in both models" for check in decision.checks if _is_open(check)]),
        refused=refused,
    )


def rule_in_words(rule: PromoteConfig) -> str:
    """Every bound of a rule, and so of rules to come."""
    bounds = rule.model_dump(exclude={"model"})
    return ", ".join(
        _OPEN[value] if key == "undecided" else f"{key.replace('_', ' ')} {value}" for key, value in bounds.items()
    )


def differing(rule: str, other: str) -> str:
    """The bounds of a rule, in words, that another one does not have."""
    others = other.split(", ")
    return ", ".join(bound for bound in rule.split(", ") if bound not in others) or rule


def _is_open(check: Check) -> bool:
    return check.part == "kept labels" and check.holds is None


def _few(labels: list[str]) -> tuple[str, ...]:
    """As many labels as a decision has room for, and how many more."""
    kept = list(labels)
    while len("".join(kept)) > _LONGEST_OPEN:
        kept.pop()
    left = len(labels) - len(kept)
    return (*kept, *((f"and {left} more, which decision.json of the run has",) if left else ()))
