"""The train stage, top to bottom: data, model, epochs with validation, the best model kept."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from cxr import __version__
from cxr.config import TrainStage
from cxr.data.augment import Augmentation, check_sides
from cxr.data.dataset import RadiographDataset, load_batches
from cxr.data.epoch import EpochBatches
from cxr.data.sampling import label_sampling
from cxr.device import choose_device
from cxr.errors import DataError
from cxr.evaluate.auroc import auroc
from cxr.ingest.store import ImageStore
from cxr.labels.label_set import LabelSet, read_label_set
from cxr.manifest import Manifest, read_manifest
from cxr.model.cost import costs
from cxr.model.file import ModelCard, Preprocessing, save_model
from cxr.model.stacked import build_classifier, check_model
from cxr.model.weights import FROM_SCRATCH
from cxr.profile import log_dataset
from cxr.stage import StageContext, StageResult
from cxr.train.checkpoint import load_state, save_state
from cxr.train.losses import build_loss
from cxr.train.task import TrainingTask

_VALIDATION_BATCH = 256


def check(config: TrainStage) -> None:
    """Refuse what can be refused before any stage has run.

    Raises:
        ConfigError: a backbone that cannot be built for the images' size, a missing GPU, or a flip where labels have a side.
    """
    check_model(config.model, config.size)
    choose_device(config.train.device)
    check_sides(config.train.augment, read_label_set(config.labels))


def run(config: TrainStage, context: StageContext) -> StageResult:
    """Write `model.safetensors` (the best epoch), `last.pt` (the state of the last epoch) and `history.csv`.

    Raises:
        DataError: no label can be validated, or the loss is not finite.
    """
    check(config)
    torch.manual_seed(config.seed)
    device = choose_device(config.train.device)
    data = _load_data(config, context)
    task = _build_task(config, data, device)
    _log_start(config, data, task, context, device)
    training = _resume(task, context)
    for epoch in range(len(training.history), config.train.epochs):
        figures = _train_epoch(config, data, task, epoch, training, context)
        figures |= _validate(data, task, config.train.workers) | _head_figures(data.labels, task)
        training.history.append(figures)
        if figures["val/auroc_macro"] > training.best:  # never true of a NaN
            training.best, training.best_epoch = figures["val/auroc_macro"], epoch + 1
            _save_best(config, data, task, context, epoch + 1)
        save_state(context.folder / "last.pt", {"task": task.state(), **asdict(training)})
        context.run.metrics(figures, step=epoch + 1)
    return _finish(data, training, context)


@dataclass(frozen=True)
class _Data:
    labels: LabelSet
    train: RadiographDataset
    validation: RadiographDataset
    truth: npt.NDArray[np.float32]
    manifest: Manifest
    preprocessing: Preprocessing
    digest: str


@dataclass
class _Training:
    """What is known after each epoch; the part of the state that is not the task's."""

    history: list[dict[str, float]]
    best: float = float("-inf")
    best_epoch: int = 0

    @property
    def progress(self) -> str:
        return f", best validation AUROC {self.best:.3f}" if self.best_epoch else ""


def _load_data(config: TrainStage, context: StageContext) -> _Data:
    labels = read_label_set(config.labels)
    path = context.inputs["development"]
    manifest = read_manifest(path)
    store = ImageStore(context.inputs["store"])
    train, validation = manifest.where("train"), manifest.where("val")
    validation_set = RadiographDataset(validation, store, labels)
    truth = labels.truth(validation.label_codes(labels.names))
    if not any((column == 0).any() and (column == 1).any() for column in truth.T):
        raise DataError(
            "validation: no label has both positive and negative images, so no epoch can be called the best; "
            "use more images, or a larger split.val_fraction"
        )
    made = store.preprocessing  # a model sees 8 bits, whatever the store keeps
    return _Data(
        labels=labels,
        train=RadiographDataset(train, store, labels, Augmentation(config.train.augment), config.seed),
        validation=validation_set,
        truth=truth,
        manifest=manifest,
        preprocessing=Preprocessing(size=made.size, fit=made.fit, normaliser=made.normaliser, canonical=made.canonical),
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def _build_task(config: TrainStage, data: _Data, device: torch.device) -> TrainingTask:
    classifier = build_classifier(config.model, data.preprocessing.size, len(data.labels.names)).to(device)
    loss = build_loss(config.train.loss, config.model.head.loss_weights, data.train.targets).to(device)
    steps = len(EpochBatches(len(data.train), config.train.batch_size))
    return TrainingTask(classifier, loss, config.train, steps, device, config.seed)


def _log_start(config: TrainStage, data: _Data, task: TrainingTask, context: StageContext, device: torch.device) -> None:
    widest = costs(config.model, config.size, len(data.labels.names))[-1]
    values = config.model.model_dump(exclude={"weights"}) | config.train.model_dump()
    cost = {"parameters": widest.parameters, "gmacs": round(widest.gmacs, 3)}
    context.run.params({**values, **cost, "seed": config.seed, "compute": device.type})
    for side, use in (("train", "training"), ("val", "validation")):
        log_dataset(context.run, f"manifest-{side}", use, data.manifest.where(side))


def _resume(task: TrainingTask, context: StageContext) -> _Training:
    state = load_state(context.folder / "last.pt")
    if state is None:
        return _Training([])
    task.restore(state.pop("task"))
    training = _Training(**state)
    # a kill between state and log leaves an epoch that is saved but not logged
    for epoch in range(context.run.last_step("val/auroc_macro"), len(training.history)):
        context.run.metrics(training.history[epoch], step=epoch + 1)
    return training


def _train_epoch(
    config: TrainStage, data: _Data, task: TrainingTask, epoch: int, training: _Training, context: StageContext
) -> dict[str, float]:
    sampling = label_sampling(data.train.targets.numpy(), data.train.patients, config.train.sampling)
    batches = EpochBatches(len(data.train), config.train.batch_size, epoch, config.seed, sampling=sampling)
    start, images, steps, sums, rate = time.perf_counter(), 0, 0, np.zeros(3), 0.0
    for batch in load_batches(data.train, batches, config.train.workers, pin_memory=task.on_gpu):
        result = task.step(batch)
        images, steps = images + len(batch.targets), steps + 1
        sums += result.loss, result.objective, result.gradient_norm
        rate = result.learning_rate
        speed = images / (time.perf_counter() - start)
        text = f"epoch {epoch + 1}/{config.train.epochs}, loss {sums[0] / steps:.3f}, {speed:.0f} images/s"
        context.progress(epoch * len(data.train) + images, config.train.epochs * len(data.train), text + training.progress)
    loss, objective, norm = (sums / steps).tolist()
    return {
        "train/loss": loss,
        "train/objective": objective,
        "train/gradient_norm": norm,
        "train/learning_rate": rate,
        "train/images_per_second": images / (time.perf_counter() - start),
    }


def _validate(data: _Data, task: TrainingTask, workers: int) -> dict[str, float]:
    """AUROC of the averaged model on the validation images; of a stacked backbone the mean of its ends decides."""
    heads = task.classifier.heads
    if not heads:
        return _validate_at(data, task, workers, None)
    narrow, wide = (_validate_at(data, task, workers, k) for k in (heads[0], heads[-1]))
    by_heads = {f"val/auroc_heads/{k}": end["val/auroc_macro"] for k, end in ((heads[0], narrow), (heads[-1], wide))}
    return {**wide, **by_heads, "val/auroc_macro": (narrow["val/auroc_macro"] + wide["val/auroc_macro"]) / 2}


def _validate_at(data: _Data, task: TrainingTask, workers: int, heads: int | None) -> dict[str, float]:
    """Per label and their mean; a label without positives or negatives has none."""
    batches = load_batches(data.validation, EpochBatches(len(data.validation), _VALIDATION_BATCH), workers)
    scores = np.concatenate([task.predict(batch.images, heads) for batch in batches])
    values = {name: auroc(data.truth[:, j], scores[:, j]) for j, name in enumerate(data.labels.names)}
    defined = {name: value for name, value in values.items() if isinstance(value, float)}
    figures = {f"val/auroc/{name}": value for name, value in defined.items()}
    return {**figures, "val/auroc_macro": float(np.mean(list(defined.values())))}


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


def _save_best(config: TrainStage, data: _Data, task: TrainingTask, context: StageContext, epoch: int) -> None:
    card = ModelCard(
        cxr_version=__version__,
        labels=data.labels,
        model=config.model.model_copy(update=FROM_SCRATCH),  # the weights are in the file now
        preprocessing=data.preprocessing,
        run_id=context.run.run_id,
        data_sha256=data.digest,
        epoch=epoch,
    )
    save_model(context.folder / "model.safetensors", task.average.model.state_dict(), card)


def _finish(data: _Data, training: _Training, context: StageContext) -> StageResult:
    history = pd.DataFrame(training.history)
    history.insert(0, "epoch", np.arange(1, len(history) + 1))
    history.to_csv(context.folder / "history.csv", index=False)
    context.run.metrics({"best/val_auroc_macro": training.best, "best/epoch": training.best_epoch})
    for name in ("history.csv", "model.safetensors"):
        context.run.artifact(context.folder / name)
    counts = {"train_images": len(data.train), "val_images": len(data.validation), "epochs": len(training.history)}
    headline = f"best validation AUROC {training.best:.3f} at epoch {training.best_epoch} of {len(training.history)}"
    return StageResult(counts, headline, {"val/auroc_macro": training.best}, warnings=_warnings(data))


def _warnings(data: _Data) -> tuple[str, ...]:
    positives = torch.nansum(data.train.targets, dim=0).tolist()
    return tuple(
        f"no training image is positive for {name}: its scores mean nothing"
        for name, count in zip(data.labels.names, positives, strict=True)
        if count == 0
    )
