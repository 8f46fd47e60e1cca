"""One object that owns model, loss, optimiser, schedule and average, so that their order is decided once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cxr.config import TrainConfig
from cxr.data.dataset import Batch
from cxr.errors import DataError
from cxr.model.classifier import Classifier
from cxr.model.stacked import merge
from cxr.train.adamw import PartAdamW
from cxr.train.ema import AveragedModel
from cxr.train.losses import MultiBranchLoss, mean_bce
from cxr.train.regime import Regime, distilled
from cxr.train.schedule import cosine_with_warmup


@dataclass(frozen=True)
class StepResult:
    """What a training step tells.

    Args:
        loss: cross-entropy of the prediction over the known cells, before the step; at least 0.
        objective: what the step lowers: that loss with the weighted losses of the branches; may be below 0, since learned
            log-variances are added to it.
        gradient_norm: before clipping.
        learning_rate: of the step.
    """

    loss: float
    objective: float
    gradient_norm: float
    learning_rate: float


class TrainingTask:
    """Training of a classifier.

    Args:
        classifier: on its device.
        loss: on the same device.
        config: optimisation.
        steps_per_epoch: batches an epoch.
        device: where to compute.
        seed: of the draw of networks, where the backbone is stacked.
    """

    def __init__(
        self,
        classifier: Classifier,
        loss: MultiBranchLoss,
        config: TrainConfig,
        steps_per_epoch: int,
        device: torch.device,
        seed: int = 0,
    ) -> None:
        self.classifier, self.loss, self._config, self._device = classifier, loss, config, device
        self.regime = Regime(config.stacked, classifier.heads, seed)
        self._total = config.epochs * steps_per_epoch
        self._warmup = min(round(config.warmup_epochs * steps_per_epoch), self._total // 2)
        if config.precision == "bf16" and device.type == "cpu":
            # on a CPU the backward pass of the fused attention is slow in bf16
            for module in classifier.modules():
                if hasattr(module, "fused_attn"):
                    module.fused_attn = False  # type: ignore[assignment]
        self.average = AveragedModel(classifier, config.ema_decay)
        self.optimiser = PartAdamW(self._groups(), lr=config.learning_rate)
        self.steps = 0

    def _groups(self) -> list[dict[str, Any]]:
        """Vectors and scalars (biases, norms, embeddings, combination and loss weights) do not decay."""
        undecayed = self.classifier.undecayed()
        named = [*self.classifier.named_parameters(), *self.loss.named_parameters()]
        decayed = [p for name, p in named if p.ndim > 1 and name not in undecayed]
        kept = [p for name, p in named if p.ndim <= 1 or name in undecayed]
        return [{"params": decayed, "weight_decay": self._config.weight_decay}, {"params": kept, "weight_decay": 0.0}]

    @property
    def on_gpu(self) -> bool:
        """Whether batches travel to a GPU."""
        return self._device.type == "cuda"

    def step(self, batch: Batch) -> StepResult:
        """One step of the optimiser.

        Raises:
            DataError: the loss or its gradient is not finite.
        """
        self.classifier.train()
        rate = self._config.learning_rate * cosine_with_warmup(self.steps, self._total, self._warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        passes = self.regime.draw(self.steps)
        loss, objective = self._backward(batch.to(self._device), passes)
        parts = merge(self.classifier, passes)
        blocks = {part.whole: part.block for part in parts.values()} | {own: own for own in self.loss.parameters()}
        norm = self._finite("gradient's norm", nn.utils.clip_grad_norm_(blocks.values(), self._config.clip_norm))
        self.optimiser.step(blocks=blocks)
        for block in blocks.values():
            block.grad = None
        self.loss.restrain()
        # after the step, so that a decay of 0 gives the model itself
        self.average.update(self.classifier, {name: part.block for name, part in parts.items()})
        self.steps += 1
        return StepResult(loss, objective, norm, rate)

    def _backward(self, batch: Batch, passes: Sequence[int | None]) -> tuple[float, float]:
        """Gradients of all passes, the widest network first; the loss of its prediction, and the sum of the objectives."""
        widest: torch.Tensor | None = None
        total = 0.0
        for heads in passes:
            with self._autocast():
                output = self.classifier.at(heads)(batch.images)
            if widest is None:
                widest, targets = output.combined.detach(), batch.targets
            else:
                targets = distilled(batch.targets, widest, self._config.stacked.distillation)
            objective = self.loss(output, targets)
            total += self._finite("loss", objective)
            objective.backward()
        assert widest is not None
        return mean_bce(widest, batch.targets).item(), total

    def _finite(self, what: str, value: torch.Tensor) -> float:
        number = value.item()
        if not np.isfinite(number):
            problem = f"the {what} is {number} at step {self.steps + 1}"
            raise DataError(f"{problem}: lower train.learning_rate, or set train.precision=float32")
        return number

    @torch.inference_mode()
    def predict(self, images: torch.Tensor, heads: int | None = None) -> npt.NDArray[np.float64]:
        """Probabilities of the averaged model, float64 [batch, labels], of canonical images uint8 [batch, size, size].

        Args:
            images: the images.
            heads: the number of attention heads; None for all.

        In float32 whatever the precision of training, as the model will be served: the best epoch is the best then too.
        """
        logits = self.average.model.at(heads)(images.to(self._device)).combined
        return torch.sigmoid(logits.double()).cpu().numpy()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._config.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)

    def state(self) -> dict[str, Any]:
        """Everything that an exact continuation needs, as tensors and plain numbers."""
        return {
            "classifier": self.classifier.state_dict(),
            "loss": self.loss.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.model.state_dict(),
            "average_steps": self.average.steps,
            "steps": self.steps,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.classifier.load_state_dict(state["classifier"])
        self.loss.load_state_dict(state["loss"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.model.load_state_dict(state["average"])
        self.average.steps = state["average_steps"]
        self.steps = state["steps"]
        torch.set_rng_state(state["random"])
        if state["random_cuda"] is not None and self._device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"], self._device)
