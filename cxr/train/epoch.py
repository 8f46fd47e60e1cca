"""One pass over the training images, and where its time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cxr.config import TrainStage
from cxr.data.dataset import Batch, load_batches
from cxr.ranks import ALONE, Ranks
from cxr.stage import StageContext
from cxr.train.development import Development
from cxr.train.task import StepResult, TrainingTask


@dataclass
class Running:
    """Sums over the steps of an epoch that is under way.

    Args:
        steps: made so far.
        images: seen so far.
        seconds: taken so far; those of validation are not among them.
        waited: seconds of these in which training waited for images.
        sums: of what each step told.
        rate: learning rate of the last step.
    """

    steps: int = 0
    images: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("loss", "objective", "gradient_norm"), 0.0))
    rate: float = 0.0

    def add(self, result: StepResult, seconds: float, waited: float) -> None:
        """Take in a step."""
        self.steps, self.images = self.steps + 1, self.images + result.images
        self.seconds, self.waited = self.seconds + seconds, self.waited + waited
        self.rate = result.learning_rate
        for name in self.sums:
            self.sums[name] += getattr(result, name)

    @property
    def speed(self) -> float:
        """Images a second."""
        return self.images / max(self.seconds, 1e-9)

    def figures(self) -> dict[str, float]:
        """Means of the epoch, under the names of their curves."""
        means = {f"train/{name}": value / self.steps for name, value in self.sums.items()}
        waited = {
            "time/input_ms": 1000 * self.waited / self.steps,
            "time/input_share": self.waited / max(self.seconds, 1e-9),
            "time/epoch_s": self.seconds,
        }
        return {**means, "train/learning_rate": self.rate, "time/images_per_second": self.speed, **waited}


def train_epoch(
    config: TrainStage,
    data: Development,
    task: TrainingTask,
    epoch: int,
    running: Running,
    tell: Callable[[Running], None],
    ranks: Ranks = ALONE,
) -> dict[str, float]:
    """Train an epoch, or what is left of it.

    Args:
        config: of the stage.
        data: the images.
        task: what is trained.
        epoch: from 0.
        running: the steps of the epoch that are done; changed in place.
        tell: called after every step.
        ranks: the processes that train together.

    Returns:
        Figures of the epoch by the names of their curves.
    """
    batches = data.batches(config, epoch, running.steps, ranks)
    for batch, start, waited in _timed(load_batches(data.train, batches, config.train.workers, pin_memory=task.on_gpu)):
        result = task.step(batch)
        running.add(result, time.perf_counter() - start, waited)
        tell(running)
    return {**running.figures(), **{f"time/{part}_ms": value for part, value in task.clock.take().items()}, **task.figures()}


def _timed(batches: Any) -> Iterator[tuple[Batch, float, float]]:
    """Batches, each with the time at which it was asked for, and the seconds until it came."""
    start = time.perf_counter()
    for batch in batches:
        yield batch, start, time.perf_counter() - start
        start = time.perf_counter()


def progress_of(
    config: TrainStage, data: Development, epoch: int, context: StageContext, note: str
) -> Callable[[Running], None]:
    """What shows the progress of an epoch: its number, the loss, the speed, and how long all epochs will take."""
    images, epochs = len(data.train), config.train.epochs

    def tell(running: Running) -> None:
        loss = running.sums["loss"] / running.steps
        text = f"epoch {epoch + 1}/{epochs}, loss {loss:.3f}, {running.speed:.0f} images/s{note}"
        context.progress(epoch * images + running.images, epochs * images, text)

    return tell
