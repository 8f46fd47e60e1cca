"""One object that owns model, loss, optimiser, schedule and average, so that their order is decided once."""

from __future__ import annotations

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
from cxr.train.ema import AveragedModel
from cxr.train.losses import MultiBranchLoss, mean_bce
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
    """

    def __init__(
        self,
        classifier: Classifier,
        loss: MultiBranchLoss,
        config: TrainConfig,
        steps_per_epoch: int,
        device: torch.device,
    ) -> None:
        self.classifier, self.loss, self._config, self._device = classifier, loss, config, device
        self._total = config.epochs * steps_per_epoch
        self._warmup = min(round(config.warmup_epochs * steps_per_epoch), self._total // 2)
        if config.precision == "bf16" and device.type == "cpu":
            # on a CPU the backward pass of the fused attention is slow in bf16
            for module in classifier.modules():
                if hasattr(module, "fused_attn"):
                    module.fused_attn = False  # type: ignore[assignment]
        self.average = AveragedModel(classifier, config.ema_decay)
        self.optimiser = torch.optim.AdamW(self._groups(), lr=config.learning_rate, fused=True)
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
        batch = batch.to(self._device)
        with self._autocast():
            output = self.classifier(batch.images)
        objective = self.loss(output, batch.targets)
        value = self._finite("loss", objective)
        self.optimiser.zero_grad(set_to_none=True)
        objective.backward()
        parameters = [*self.classifier.parameters(), *self.loss.parameters()]
        norm = self._finite("gradient's norm", nn.utils.clip_grad_norm_(parameters, self._config.clip_norm))
        self.optimiser.step()
        self.loss.restrain()
        # after the step, so that a decay of 0 gives the model itself
        self.average.update(self.classifier)
        self.steps += 1
        return StepResult(mean_bce(output.combined.detach(), batch.targets).item(), value, norm, rate)

    def _finite(self, what: str, value: torch.Tensor) -> float:
        number = value.item()
        if not np.isfinite(number):
            problem = f"the {what} is {number} at step {self.steps + 1}"
            raise DataError(f"{problem}: lower train.learning_rate, or set train.precision=float32")
        return number

    @torch.inference_mode()
    def predict(self, images: torch.Tensor) -> npt.NDArray[np.float64]:
        """Probabilities of the averaged model, float64 [batch, labels], of canonical images uint8 [batch, size, size].

        In float32 whatever the precision of training, as the model will be served: the best epoch is the best then too.
        """
        logits = self.average.model(images.to(self._device)).combined
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
