from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from cxr.config import ModelConfig, TrainConfig
from cxr.data.dataset import Batch
from cxr.errors import DataError
from cxr.model.classifier import Classifier
from cxr.train.losses import MultiBranchLoss
from cxr.train.schedule import cosine_with_warmup
from cxr.train.task import TrainingTask

CPU = torch.device("cpu")


def _task(model: ModelConfig, train: TrainConfig, steps_per_epoch: int = 5, **changes: Any) -> TrainingTask:
    torch.manual_seed(1)
    loss = MultiBranchLoss(torch.tensor([3.0, 3.0]), model.head.loss_weights)
    return TrainingTask(Classifier(model, 32, 2), loss, train.model_copy(update=changes), steps_per_epoch, CPU)


def _names(task: TrainingTask) -> dict[int, str]:
    return {id(p): name for module in (task.classifier, task.loss) for name, p in module.named_parameters()}


def test_the_learning_rate_of_every_step_follows_the_schedule(
    model_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    task = _task(model_config, train_config, epochs=3, warmup_epochs=0.8)
    seen = []
    for step in range(15):
        result = task.step(batch)
        assert {group["lr"] for group in task.optimiser.param_groups} == {result.learning_rate}
        assert result.learning_rate == pytest.approx(1e-3 * cosine_with_warmup(step, 15, 4))
        seen.append(result.learning_rate)
    assert seen[0] < seen[3] > seen[14] > 0


def test_every_parameter_is_optimised_once(model_config: ModelConfig, train_config: TrainConfig) -> None:
    task = _task(model_config, train_config)
    names = _names(task)
    optimised = [id(p) for group in task.optimiser.param_groups for p in group["params"]]
    assert sorted(optimised) == sorted(names)


def test_only_matrices_decay(model_config: ModelConfig, train_config: TrainConfig) -> None:
    task = _task(model_config, train_config)
    names = _names(task)
    decay, keep = ({names[id(p)] for p in group["params"]} for group in task.optimiser.param_groups)
    assert [group["weight_decay"] for group in task.optimiser.param_groups] == [train_config.weight_decay, 0]
    vectors = ("bias", "norm", "scale", "shift", "theta", "log_variance", "pos_embed", "cls_token")
    assert not [name for name in decay if any(vector in name for vector in vectors)]
    assert {"head.branches.inner", "head.branches.outer", "head.linear.weight", "head.pool.query"} <= decay
    assert {"head.branches.scale", "head.branches.inner_bias", "backbone.model.pos_embed", "head.theta"} <= keep


def test_weight_decay_acts_through_the_rate_of_the_step(
    model_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    blank = Batch(batch.images, torch.full((8, 2), torch.nan))  # no gradient, so that decay alone moves anything
    task = _task(model_config, train_config, weight_decay=0.5)
    before = {name: value.clone() for name, value in task.classifier.named_parameters()}
    rate = task.step(blank).learning_rate
    for name, value in task.classifier.named_parameters():
        decays = value.ndim > 1 and name not in task.classifier.undecayed()
        assert torch.allclose(value, before[name] * (1 - 0.5 * rate if decays else 1), atol=1e-7), name


def test_a_loss_that_is_not_a_number_is_told_in_words(
    model_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    task = _task(model_config, train_config)
    torch.nn.init.constant_(task.classifier.head.linear.weight, torch.nan)
    with pytest.raises(DataError, match=r"the loss is nan at step 1: lower train\.learning_rate"):
        task.step(batch)


def test_a_gradient_that_is_not_a_number_stops_before_the_weights_are_spoilt(
    model_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    task = _task(model_config, train_config)
    task.classifier.head.theta.register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(DataError, match="the gradient's norm is nan at step 1"):
        task.step(batch)
    assert all(torch.isfinite(parameter).all() for parameter in task.classifier.parameters())


def test_the_gradient_is_clipped_to_the_norm_asked_for(
    model_config: ModelConfig, train_config: TrainConfig, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = _task(model_config, train_config, clip_norm=0.01)
    step, clipped = task.optimiser.step, []

    def spy(blocks: dict[torch.Tensor, torch.Tensor]) -> None:
        clipped.append(torch.stack([block.grad.norm() for block in blocks.values() if block.grad is not None]).norm().item())
        step(blocks=blocks)

    monkeypatch.setattr(task.optimiser, "step", spy)
    norm = task.step(batch).gradient_norm
    assert norm > 0.02
    assert clipped == [pytest.approx(0.01, rel=1e-3)]


def test_without_averaging_the_model_itself_is_evaluated(
    model_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    task = _task(model_config, train_config, ema_decay=0.0)
    for _ in range(3):
        task.step(batch)  # the average is of the weights after the step
        with torch.no_grad():
            expected = torch.sigmoid(task.classifier.eval()(batch.images).combined.double()).numpy()
        np.testing.assert_allclose(task.predict(batch.images), expected, rtol=1e-5)


def test_predicting_changes_nothing(model_config: ModelConfig, train_config: TrainConfig, batch: Batch) -> None:
    one, other = _task(model_config, train_config), _task(model_config, train_config)
    torch.manual_seed(0)
    one.step(batch)
    one.predict(batch.images)
    straight = one.step(batch).loss
    torch.manual_seed(0)
    other.step(batch)
    assert other.step(batch).loss == straight


def test_training_learns_a_batch_by_heart(model_config: ModelConfig, train_config: TrainConfig, batch: Batch) -> None:
    task = _task(model_config, train_config, epochs=12, learning_rate=5e-3)
    for _ in range(60):
        task.step(batch)
    known = ~torch.isnan(batch.targets)
    scores = torch.from_numpy(task.predict(batch.images))
    assert ((scores > 0.5).float() == batch.targets)[known].all()


def test_bf16_stays_close_to_float32(model_config: ModelConfig, train_config: TrainConfig, batch: Batch) -> None:
    results = []
    for precision in ("float32", "bf16"):
        task = _task(model_config, train_config, precision=precision)
        torch.manual_seed(0)
        losses = [task.step(batch).loss for _ in range(5)]
        results.append((losses, task.predict(batch.images)))
    (exact, scores), (rounded, rounded_scores) = results
    assert exact != rounded
    assert rounded == pytest.approx(exact, rel=0.02)
    assert rounded_scores == pytest.approx(scores, abs=0.01)


def test_a_restored_task_goes_on_bit_for_bit(model_config: ModelConfig, train_config: TrainConfig, batch: Batch) -> None:
    task, other = _task(model_config, train_config), _task(model_config, train_config)
    for _ in range(3):
        task.step(batch)
    state = copy.deepcopy(task.state())
    other.restore(state)
    torch.set_rng_state(state["random"])
    losses = [task.step(batch).loss for _ in range(3)]
    torch.set_rng_state(state["random"])
    assert [other.step(batch).loss for _ in range(3)] == losses
    for name, value in task.average.model.state_dict().items():
        assert torch.equal(other.average.model.state_dict()[name], value), name
