"""Whether a model may take the place of the one in use: the rule of its pipeline, and that it was compared with that one."""

from __future__ import annotations

from cxr.decide.decision import Decision
from cxr.tracking.registry import Version

WEIGHTS = "cxr.weights_sha256"
"""The tag of a version with the digest of its weights."""
SHORT = 12
"""Digits of a digest that people see."""


def objections(decision: Decision, champion: Version | None, alias: str) -> tuple[str, ...]:
    """What stands against a promotion, a sentence each; none where the rule holds.

    Args:
        decision: about the new model.
        champion: the version in use; None where there is none.
        alias: of the version in use.
    """
    comparison = () if champion is None else _comparison(decision, champion, alias)
    return (*comparison, *(check.sentence for check in decision.failed))


def _comparison(decision: Decision, champion: Version, alias: str) -> tuple[str, ...]:
    """What stands against it where the new model was not compared with the one in use."""
    weights, older = champion.tags.get(WEIGHTS), decision.older
    in_use = f"the {alias} is version {champion.number} (run {champion.run_id or 'unknown'})"
    if weights is None:
        return (
            f"{in_use}, which `cxr promote` did not make, so that nothing tells its weights: take the alias off it in "
            f"MLflow, or give it the tag {WEIGHTS}",
        )
    if older is not None and older.weights_sha256 == weights:
        return ()
    other = "no model" if older is None else f"another one (run {older.run_id}, weights {older.weights_sha256[:SHORT]})"
    same = "; it has the same weights, with another calibration" if decision.model.weights_sha256 == weights else ""
    return (
        f"{in_use}, and this model was compared with {other}{same}: set retrain.model to the model file of that version "
        f"(`cxr retrain --from models:/{decision.registry}@{alias}` fetches it), run the pipeline, and promote that run",
    )
