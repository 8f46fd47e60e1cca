"""One object that owns model, loss, optimiser, schedule and average, so that their order is decided once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cxr.config_training import TrainConfig
from cxr.data.dataset import Batch
from cxr.errors import DataError
from cxr.model.classifier import Classifier, Part
from cxr.model.head import HeadOutput
from cxr.ranks import ALONE, Ranks
from cxr.train.adamw import PartAdamW
from cxr.train.cells import BCELoss
from cxr.train.clock import StepClock
from cxr.train.ema import AveragedModel
from cxr.train.gradients import average_statistics, merge, sum_over_ranks
from cxr.train.groups import parameter_groups
from cxr.train.losses import MultiBranchLoss, Teacher
from cxr.train.regime import Regime
from cxr.train.schedule import cosine_with_warmup


@dataclass(frozen=True)
class StepResult:
    """What a training step tells.

    Args:
        loss: cross-entropy of the prediction over the known cells, before the step; at least 0.
        objective: what the step lowers: the configured loss of the prediction with the weighted losses of the branches, of all
            networks that the step trained; may be below 0, since learned log-variances are added to it.
        gradient_norm: before clipping.
        learning_rate: of the head; layers below it may have a share of it.
        images: in the batch, in all processes together.
    """

    loss: float
    objective: float
    gradient_norm: float
    learning_rate: float
    images: int


class TrainingTask:
    """Training of a classifier.

    Args:
        classifier: on its device.
        loss: on the same device.
        config: optimisation.
        steps_per_epoch: batches an epoch.
        device: where to compute.
        seed: of what is drawn at random: units dropped, and networks where the backbone is stacked.
        ranks: the processes that train together, each with its share of every batch.
    """

    def __init__(
        self,
        classifier: Classifier,
        loss: MultiBranchLoss,
        config: TrainConfig,
        steps_per_epoch: int,
        device: torch.device,
        seed: int = 0,
        ranks: Ranks = ALONE,
    ) -> None:
        self.classifier, self.loss, self._config, self._device = classifier, loss, config, device
        self._seed, self._ranks = seed, ranks
        ranks.share([*classifier.parameters(), *classifier.buffers()])
        self.regime = Regime(config.stacked, classifier.heads, seed)
        self.clock = StepClock(device)
        self._total = config.epochs * steps_per_epoch
        self._warmup = min(round(config.warmup_epochs * steps_per_epoch), self._total // 2)
        self._frozen_steps = config.frozen_epochs * steps_per_epoch
        # some models have parameters that never learn, such as fixed position embeddings
        self._all_parts: Mapping[str, Part] | None = None
        self._frozen_now = False
        self._freezable = [parameter for parameter in classifier.backbone.parameters() if parameter.requires_grad]
        if config.precision == "bf16" and device.type == "cpu":
            # on a CPU the backward pass of the fused attention is slow in bf16
            for module in classifier.modules():
                if hasattr(module, "fused_attn"):
                    module.fused_attn = False  # type: ignore[assignment]
        self.average = AveragedModel(classifier, config.ema_decay)
        groups = parameter_groups(classifier, loss, config.weight_decay, config.layer_decay)
        self.optimiser = PartAdamW(groups, lr=config.learning_rate)
        self.steps = 0

    @property
    def on_gpu(self) -> bool:
        """Whether batches travel to a GPU."""
        return self._device.type == "cuda"

    @property
    def frozen(self) -> bool:
        """Whether the next step leaves the backbone as it is."""
        return self.steps < self._frozen_steps

    def step(self, batch: Batch) -> StepResult:
        """One step of the optimiser.

        Raises:
            DataError: the loss or its gradient is not finite, or the GPU's memory does not suffice.
        """
        rate = self._set_rates()
        self.clock.start(self.steps)
        self._seed_step()
        passes = self.regime.draw(self.steps)
        known, images = self._count(batch)
        with _explained_memory():
            figures = self._gradients(batch, passes, known)
        with self.clock.measure("optimiser"), _explained_memory():
            parts = self._merged(passes)
            blocks = {part.whole: part.block for part in parts.values()} | {own: own for own in self.loss.parameters()}
            figures = sum_over_ranks(blocks.values(), figures, self._ranks)
            total_norm = nn.utils.clip_grad_norm_(blocks.values(), self._config.clip_norm)
            loss, objective, norm = self._finite(*figures, total_norm)
            self.optimiser.step(blocks=blocks)
            for block in blocks.values():
                block.grad = None
            self.loss.restrain()
            average_statistics(self.classifier, self._ranks)
            # after the step, so that a decay of 0 gives the model itself
            self.average.update()
        self.steps += 1
        return StepResult(loss, objective, norm, rate, images)

    def _merged(self, passes: Sequence[int | None]) -> Mapping[str, Part]:
        """The parts that the passes used, their gradients added up; of a backbone with one width always the same ones."""
        if self.classifier.heads:
            return merge(self.classifier, passes)
        if self._all_parts is None:
            self._all_parts = merge(self.classifier, passes)
        return self._all_parts

    def _seed_step(self) -> None:
        """Draw what this step draws, such as dropped units, from a stream of its own: nothing of it has to be remembered."""
        torch.manual_seed(int(np.random.SeedSequence((self._seed, self.steps, self._ranks.rank)).generate_state(1)[0]))

    def _count(self, batch: Batch) -> tuple[torch.Tensor, int]:
        """Known cells, float32 scalar on the device, at least 1, and images of the whole batch, in all processes."""
        counts = torch.stack([(~torch.isnan(batch.targets)).sum(), torch.tensor(len(batch.targets))])
        known, images = self._ranks.sum(counts).tolist()
        return torch.tensor(max(known, 1), dtype=torch.float32, device=self._device), images

    def _set_rates(self) -> float:
        rate = self._config.learning_rate * cosine_with_warmup(self.steps, self._total, self._warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        return rate

    def _gradients(self, batch: Batch, passes: Sequence[int | None], known: torch.Tensor) -> list[torch.Tensor]:
        """Add up the gradients of a batch, computed in parts; its loss and its objective, both scalars."""
        self._set_mode()
        results = [self._backward(part.to(self._device), passes, known) for part in _split(batch, self._config.micro_batch)]
        return [torch.stack(column).sum() for column in zip(*results, strict=True)]

    def _set_mode(self) -> None:
        """Training mode, and a backbone that learns or does not; nothing is walked through where all is so already."""
        if not self.classifier.training:
            self.classifier.train()
        if self._frozen_now != self.frozen:
            self._frozen_now = self.frozen
            for parameter in self._freezable:
                parameter.requires_grad_(not self.frozen)

    def _backward(self, batch: Batch, passes: Sequence[int | None], known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients of all passes, the widest network first, of a part of a batch with `known` cells in all."""
        widest: torch.Tensor | None = None
        objectives = []
        for heads in passes:
            with self.clock.measure("forward"):
                output = self._run(heads, batch.images)
                teacher = None if widest is None else Teacher(widest, self._config.stacked.distillation)
                objective = self.loss(output, batch.targets, known, teacher)
                widest = output.combined.detach() if widest is None else widest
            with self.clock.measure("backward"):
                objective.backward()
            objectives.append(objective.detach())
        assert widest is not None
        return BCELoss()(widest, batch.targets).sum() / known, torch.stack(objectives).sum()

    def _run(self, heads: int | None, images: torch.Tensor) -> HeadOutput:
        network = self.classifier.at(heads)
        # a frozen backbone sees images as it will when it is served: no dropout, and its statistics stay
        if network.backbone.training == self.frozen:
            network.backbone.train(not self.frozen)
        with self._autocast():
            output: HeadOutput = network(images)
        return output

    def _finite(self, *values: torch.Tensor) -> list[float]:
        """The values of loss, objective and norm, fetched at once, since a GPU has to be waited for."""
        numbers: list[float] = torch.stack([value.detach().float() for value in values]).tolist()
        for what, number in zip(("loss", "loss", "gradient's norm"), numbers, strict=True):
            if not np.isfinite(number):
                problem = f"the {what} is {number} at step {self.steps + 1}"
                hint = ", or set train.precision=float32" if self._config.precision != "float32" else ""
                raise DataError(f"{problem}: lower train.learning_rate{hint}")
        return numbers

    @torch.inference_mode()
    def predict(self, images: torch.Tensor, heads: int | None = None) -> npt.NDArray[np.float64]:
        """Probabilities of the averaged model, float64 [batch, labels], of canonical images uint8 [batch, size, size].

        Args:
            images: the images.
            heads: the number of attention heads; None for all.

        In float32 whatever the precision of training, as the model will be served: the best epoch is the best then too.

        Raises:
            DataError: the GPU's memory does not suffice.
        """
        with _explained_memory():
            logits = self.average.model.at(heads)(images.to(self._device)).combined
            return torch.sigmoid(logits.double()).cpu().numpy()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._config.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)

    def figures(self) -> dict[str, float]:
        """What is worth a curve: the learning rate of each group, and how far the average is from the model, relatively."""
        rates = {f"learning_rate/{group['name']}": group["lr"] for group in self.optimiser.param_groups}
        return {**(rates if self._config.layer_decay < 1 else {}), "train/ema_distance": self.average.distance()}

    def state(self) -> dict[str, Any]:
        """Everything that an exact continuation needs, as tensors and plain numbers."""
        return {
            "classifier": self.classifier.state_dict(),
            "loss": self.loss.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.model.state_dict(),
            "average_steps": self.average.steps,
            "steps": self.steps,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.classifier.load_state_dict(state["classifier"])
        self.loss.load_state_dict(state["loss"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.model.load_state_dict(state["average"])
        self.average.steps = state["average_steps"]
        self.steps = state["steps"]


def _split(batch: Batch, images: int | None) -> Iterator[Batch]:
    """A batch in parts of at most so many images, as even as can be: batch norm wants no part of one."""
    parts = -(-len(batch.targets) // (images or len(batch.targets)))
    for part in zip(batch.images.tensor_split(parts), batch.targets.tensor_split(parts), strict=True):
        yield Batch(*part)


@contextmanager
def _explained_memory() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        hint = "set train.micro_batch to half of train.batch_size, or lower, to compute a batch in parts"
        raise DataError(f"the GPU's memory does not suffice: {hint}") from error
