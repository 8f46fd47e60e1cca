"""Whether a model may take the place of the one in use: the rule of its pipeline, and that it was compared with that one."""

from __future__ import annotations

from cxr.decide.decision import Decision
from cxr.tracking.registry import Version

WEIGHTS = "cxr.weights_sha256"
"""The tag of a version with the digest of its weights."""
SHORT = 12
"""Digits of a digest that people see."""
TRAINED = "cxr.training_run"
"""The tag of a version with the run that trained it; the run of the version is its pipeline's."""


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
    in_use = f"the {alias} is version {champion.number} ({_runs(champion)})"
    if weights is None:
        return (
            f"{in_use}, which `cxr promote` did not make, so that nothing tells its weights: take the alias off it in "
            f"MLflow, or give it the tag {WEIGHTS}",
        )
    if older is not None and older.weights_sha256 == weights:
        return ()
    other = "no model" if older is None else f"another one (trained in run {older.run_id}, {_weights(older.weights_sha256)})"
    same = "; it has the same weights, with another calibration" if decision.model.weights_sha256 == weights else ""
    return (
        f"{in_use}, and this model was compared with {other}{same}: set retrain.model to the model file of version "
        f"{champion.number} and retrain.split to the split.csv that it was made with (`cxr retrain --from "
        f"models:/{decision.registry}@{alias}` finds both), run the pipeline, and promote that run",
    )


def _runs(champion: Version) -> str:
    """The runs that a version comes from, and its weights."""
    trained = f"trained in run {champion.tags[TRAINED]}" if TRAINED in champion.tags else ""
    weights = _weights(champion.tags[WEIGHTS]) if WEIGHTS in champion.tags else ""
    return ", ".join(filter(None, [f"pipeline's run {champion.run_id or 'unknown'}", trained, weights]))


def _weights(digest: str) -> str:
    return f"weights {digest[:SHORT]}"
