"""The train stage, top to bottom: data, model, epochs with validation, the best model kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd
import torch

from cxr import __version__
from cxr.config import TrainStage
from cxr.data.augment import check_sides
from cxr.device import choose_device
from cxr.fingerprint import digest_json
from cxr.labels.label_set import LabelSet, read_label_set
from cxr.model.build import build_classifier, check_model
from cxr.model.card import ModelCard, read_card
from cxr.model.cost import costs
from cxr.model.file import save_model
from cxr.model.weights import FROM_SCRATCH
from cxr.profile import log_dataset
from cxr.ranks import Ranks, refuse_other_start
from cxr.retrain.carry import carry_over, check_older, plan_of
from cxr.split.split import split_digest
from cxr.stage import StageContext, StageResult
from cxr.train.checkpoint import load_state, save_state
from cxr.train.development import Development, load_development
from cxr.train.epoch import Running, progress_of, train_epoch
from cxr.train.losses import build_loss
from cxr.train.task import TrainingTask
from cxr.train.validation import validate

_WAITING_SHARE, _WAITING_SECONDS = 0.2, 60.0
"""Share of the time, and seconds, spent waiting for images from which on the user is told how to shorten it."""


def check(config: TrainStage) -> None:
    """Refuse what can be refused before any stage has run.

    Raises:
        ConfigError: a backbone that cannot be built for the images' size, a missing GPU, a flip where labels have a side, or
            an older model that the new one cannot start from.
        DataError: the older model cannot be read.
    """
    check_older(config)
    check_model(config.model, config.size)
    choose_device(config.train.device)
    labels = read_label_set(config.labels)
    check_sides(config.train.augment, labels)
    if config.retrain is not None:
        plan_of(config.retrain, labels)


def run(config: TrainStage, context: StageContext) -> StageResult:
    """Write `model.safetensors` (the best epoch), `last.pt` (the state to go on from) and `history.csv`.

    Raises:
        DataError: no label can be validated, the loss is not finite, or the GPU's memory does not suffice.
    """
    check(config)
    torch.manual_seed(config.seed)
    device = choose_device(config.train.device)
    data = load_development(config, context)
    task = _build_task(config, data, device, context.ranks)
    _log_start(config, data, context, device)
    training = _resume(task, context)
    refuse_other_start(context.ranks, digest_json([data.digest, task.steps, training.best_epoch, training.history]))
    while not training.done(config):
        epoch = len(training.history)
        tell = _tell(config, data, task, training, context)
        figures = train_epoch(config, data, task, epoch, training.running, tell, context.ranks)
        figures |= validate(data, task, config.train, context.ranks) | _head_figures(data.labels, task)
        if training.close_epoch(figures):
            _save_best(config, data, task, context, epoch + 1)
        _save(task, training, context)
        context.run.metrics(figures, step=epoch + 1)
    return _finish(config, data, training, context)


@dataclass
class _Training:
    """What is known of the training so far; the part of the state that is not the task's."""

    history: list[dict[str, float]] = field(default_factory=list)
    best: float = float("-inf")
    best_epoch: int = 0
    running: Running = field(default_factory=Running)

    @property
    def note(self) -> str:
        return f", best validation AUROC {self.best:.3f}" if self.best_epoch else ""

    def done(self, config: TrainStage) -> bool:
        patience = config.train.patience
        tired = patience is not None and len(self.history) - self.best_epoch >= patience and bool(self.best_epoch)
        return tired or len(self.history) >= config.train.epochs

    def close_epoch(self, figures: dict[str, float]) -> bool:
        """An epoch ends; whether it is the best so far."""
        self.history.append(figures)
        self.running = Running()
        if not figures["val/auroc_macro"] > self.best:  # also of a NaN
            return False
        self.best, self.best_epoch = figures["val/auroc_macro"], len(self.history)
        return True


def _build_task(config: TrainStage, data: Development, device: torch.device, ranks: Ranks) -> TrainingTask:
    classifier = build_classifier(config.model, data.preprocessing.size, len(data.labels.names))
    if config.retrain is not None:
        carry_over(config.retrain, data.labels, data.preprocessing, classifier, config.model.head, config.seed)
    classifier = classifier.to(device)
    loss = build_loss(config.train.loss, config.model.head.loss_weights, data.train.targets).to(device)
    return TrainingTask(classifier, loss, config.train, len(data.batches(config)), device, config.seed, ranks)


def _log_start(config: TrainStage, data: Development, context: StageContext, device: torch.device) -> None:
    widest = costs(config.model, config.size, len(data.labels.names))[-1]
    training = config.train.model_dump(exclude={"stacked"})
    if config.model.stacked is not None:
        training["regime"] = config.train.stacked.model_dump()
    cost = {"parameters": widest.parameters, "gmacs": round(widest.gmacs, 3)}
    model = config.model.model_dump(exclude={"weights"})
    compute = {"seed": config.seed, "compute": device.type, "processes": context.ranks.world}
    context.run.params({**model, **training, **cost, **compute})
    context.run.metrics({f"positives_an_epoch/{name}": count for name, count in data.positives().items()})
    for side, use in (("train", "training"), ("val", "validation")):
        log_dataset(context.run, f"manifest-{side}", use, data.manifest.where(side))


def _tell(
    config: TrainStage, data: Development, task: TrainingTask, training: _Training, context: StageContext
) -> Callable[[Running], None]:
    """What is done after every step: show the progress, and now and then save the state."""
    show = progress_of(config, data, len(training.history), context, training.note)
    saved, pause = time.monotonic(), 60 * config.train.checkpoint_minutes

    def tell(running: Running) -> None:
        nonlocal saved
        show(running)
        if time.monotonic() - saved >= pause:
            _save(task, training, context)
            saved = time.monotonic()

    return tell


def _save(task: TrainingTask, training: _Training, context: StageContext) -> None:
    if context.ranks.first:
        save_state(context.folder / "last.pt", {"task": task.state(), **asdict(training)})


def _resume(task: TrainingTask, context: StageContext) -> _Training:
    state = load_state(context.folder / "last.pt")
    if state is None:
        return _Training()
    task.restore(state.pop("task"))
    training = _Training(**{**state, "running": Running(**state["running"])})
    # a kill between state and log leaves an epoch that is saved but not logged
    for epoch in range(context.run.last_step("val/auroc_macro"), len(training.history)):
        context.run.metrics(training.history[epoch], step=epoch + 1)
    return training


def _head_figures(labels: LabelSet, task: TrainingTask) -> dict[str, float]:
    """How much each label leans on its own branch, and what its branch's loss weighs."""
    combination = task.average.model.head.combination_weights()
    if combination is None:
        return {}
    weights = task.loss.branch_weights().detach()
    return {
        **{f"branch_weight/{name}": float(combination[j]) for j, name in enumerate(labels.names)},
        **{f"loss_weight/{name}": float(weights[j]) for j, name in enumerate(labels.names)},
    }


def _save_best(config: TrainStage, data: Development, task: TrainingTask, context: StageContext, epoch: int) -> None:
    if not context.ranks.first:
        return
    card = ModelCard(
        cxr_version=__version__,
        labels=data.labels,
        model=config.model.model_copy(update=FROM_SCRATCH),  # the weights are in the file now
        preprocessing=data.preprocessing,
        run_id=context.run.run_id,
        data_sha256=data.digest,
        epoch=epoch,
        training=config.train.model_dump(mode="json"),
        split_sha256=split_digest(data.manifest.frame),
        older_run_id=read_card(config.retrain.model).run_id if config.retrain is not None else "",
    )
    save_model(context.folder / "model.safetensors", task.average.model.state_dict(), card)


def _finish(config: TrainStage, data: Development, training: _Training, context: StageContext) -> StageResult:
    if context.ranks.first:
        history = pd.DataFrame(training.history)
        history.insert(0, "epoch", np.arange(1, len(history) + 1))
        history.to_csv(context.folder / "history.csv", index=False)
    context.run.metrics({"best/val_auroc_macro": training.best, "best/epoch": training.best_epoch})
    for name in ("history.csv", "model.safetensors"):
        context.run.artifact(context.folder / name)
    epochs = len(training.history)
    counts = {"train_images": len(data.train), "val_images": len(data.validation), "epochs": epochs}
    early = (
        f"; stopped early, {epochs - training.best_epoch} epochs without a better one" if epochs < config.train.epochs else ""
    )
    headline = f"best validation AUROC {training.best:.3f} at epoch {training.best_epoch} of {epochs}{early}"
    warnings = (*data.warnings(), *_slow_input(training))
    return StageResult(counts, headline, {"val/auroc_macro": training.best}, warnings=warnings)


def _slow_input(training: _Training) -> tuple[str, ...]:
    seconds = sum(figures["time/epoch_s"] for figures in training.history)
    waited = sum(figures["time/input_share"] * figures["time/epoch_s"] for figures in training.history)
    share = waited / max(seconds, 1e-9)
    if share < _WAITING_SHARE or waited < _WAITING_SECONDS:
        return ()
    return (
        f"{share:.0%} of the training time went by waiting for images: raise train.workers, or have the store on a faster disk",
    )
