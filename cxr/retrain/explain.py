"""The plan of a retraining in plain words, for whoever has to sign it before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cxr.config_retrain import PromoteConfig, RetrainConfig
from cxr.config_training import TrainConfig
from cxr.evaluate.wording import count_text
from cxr.labels.explain import Explanation
from cxr.labels.label_set import Label
from cxr.model.card import ModelCard
from cxr.retrain.plan import LabelPlan, Origin

_STARTS = {
    "kept": "its own branch, carried over",
    "renamed": "the branch of {older}, carried over",
    "split": "a copy of the branch of {older}, of which it is a kind",
    "added": "a new branch",
}
_JUDGED = {"kept": "against {older}", "renamed": "against {older}", "split": "by itself", "added": "by itself"}


def explain_plan(
    plan: LabelPlan, card: ModelCard, config: RetrainConfig, train: TrainConfig, promote: PromoteConfig
) -> Explanation:
    """What a retraining will do.

    Args:
        plan: of the labels.
        card: of the older model.
        config: of the retraining.
        train: how long the backbone stays as it is.
        promote: the rule by which the new model may take the older one's place.
    """
    carried = config.weights == "carried"
    header = ("label", "becomes", "starts from", "is judged")
    rows = [_row(origin, carried=carried) for origin in plan.origins]
    rows += [(name, "dropped", "", "") for name in plan.dropped]
    title = (
        f"retraining {plan.older.name}, {len(plan.older.names)} labels, to {plan.newer.name}, {len(plan.newer.names)} labels"
    )
    sentences = (*_sentences(plan, card, config, train), _rule(promote))
    return Explanation(title, (header, *rows), sentences, tuple(_remarks(plan, card)))


def _row(origin: Origin, *, carried: bool) -> tuple[str, ...]:
    start = _STARTS[origin.change] if carried else "random weights"
    change = f"{origin.change} ({origin.older})" if origin.change in ("renamed", "split") else origin.change
    return origin.label, change, start.format(older=origin.older), _JUDGED[origin.change].format(older=origin.older)


def _sentences(plan: LabelPlan, card: ModelCard, config: RetrainConfig, train: TrainConfig) -> Iterator[str]:
    counts = {change: sum(each.change == change for each in plan.origins) for change in ("kept", "renamed", "split", "added")}
    parts = [f"{count} {change}" for change, count in counts.items() if count]
    dropped = [f"{len(plan.dropped)} dropped"] if plan.dropped else []
    yield f"Labels: {', '.join([*parts, *dropped])}."
    if config.weights == "carried":
        yield "Branches, aggregated rows and combination weights of kept and renamed labels are carried over as they are."
        yield _backbone(train)
    else:
        yield "Nothing is carried over: the new model starts from random weights, and is compared with the older one."
    if config.split is not None:
        yield (
            f"Patients: those of {config.split.name} stay on their sides, so the older model's test patients never train; "
            "new patients are drawn."
        )
    else:
        yield "Patients: the older model is said to have seen none of these; they are divided anew."
    yield f"The older model is of run {card.run_id or 'unknown'}, epoch {card.epoch}."


def _rule(promote: PromoteConfig) -> str:
    open_labels = "refused" if promote.undecided == "refuse" else "accepted"
    return (
        f"It may take the older model's place if no kept label loses more than {promote.margin:g} of AUROC (left open: "
        f"{open_labels}), calibration errors are at most {promote.calibration_error:g} and gaps between groups {promote.gap:g}."
    )


def _backbone(train: TrainConfig) -> str:
    if train.frozen_epochs == train.epochs:
        return "The backbone is carried over and stays as it is (frozen)."
    if train.frozen_epochs:
        kept = count_text(train.frozen_epochs, "epoch")
        return f"The backbone is carried over, stays as it is for {kept} of {train.epochs}, and then learns with the head."
    return "The backbone is carried over and learns from the first step."


def _remarks(plan: LabelPlan, card: ModelCard) -> Iterator[str]:
    if not plan.compared:
        yield "no label means the same in both models, so the new one cannot be shown to be better or worse than the older"
    for new, old in plan.compared.items():
        changes = _meaning(_label(plan.newer.labels, new), _label(plan.older.labels, old))
        if changes:
            yield f"{new}: {' and '.join(changes)}; its figures are of another truth than before"
    for new, old in plan.disowned.items():
        yield f"{new}: the older model has {old}, but retrain.labels says that it is not the same; the rule leaves {new} open"
    if card.calibration is None:
        yield "the older model was never calibrated; only how it ranks images is compared"


def _label(labels: Sequence[Label], name: str) -> Label:
    return next(label for label in labels if label.name == name)


def _meaning(new: Label, old: Label) -> list[str]:
    """How what a cell of a label means has changed."""
    pairs = (("an uncertain cell was", new.uncertain, old.uncertain), ("a blank cell was", new.blank, old.blank))
    return [f"{what} '{before}' and is '{now}'" for what, now, before in pairs if now != before]
