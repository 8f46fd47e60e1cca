from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.config_training import LossConfig, StackedTraining, TrainConfig
from cxr.data.dataset import Batch
from cxr.errors import DataError
from cxr.model.backbone import Features
from cxr.model.build import build_classifier
from cxr.model.classifier import Classifier
from cxr.model.head import MultiBranchHead
from cxr.model.leading import leading
from cxr.model.stacked import StackedClassifier
from cxr.train.adamw import PartAdamW
from cxr.train.gradients import merge
from cxr.train.groups import parameter_groups
from cxr.train.losses import MultiBranchLoss, build_loss
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
        rates = [group["lr"] / group["scale"] for group in task.optimiser.param_groups]
        assert rates == pytest.approx([result.learning_rate] * len(rates))
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
    decay, keep, queries = ({names[id(p)] for p in group["params"]} for group in task.optimiser.param_groups)
    assert [group["weight_decay"] for group in task.optimiser.param_groups] == [train_config.weight_decay, 0, 0]
    assert queries == {"head.pool.query"}
    vectors = ("bias", "norm", "scale", "shift", "theta", "log_variance", "pos_embed", "cls_token")
    assert not [name for name in decay if any(vector in name for vector in vectors)]
    assert {"head.branches.inner", "head.branches.outer", "head.linear.weight"} <= decay
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
    losses = [task.step(batch).loss for _ in range(3)]
    assert [other.step(batch).loss for _ in range(3)] == losses
    for name, value in task.average.model.state_dict().items():
        assert torch.equal(other.average.model.state_dict()[name], value), name


HEADS = (2, 3, 6)
UNIFORM, SANDWICH = StackedTraining(regime="uniform"), StackedTraining(distillation=0.7)


@pytest.fixture
def stacked_config(model_config: ModelConfig) -> ModelConfig:
    """Three numbers of heads of 8, without dropout, so that passes can be compared."""
    options = {**model_config.options, "embed_dim": 48, "num_heads": 6}
    head = model_config.head.model_copy(update={"dropout": 0.0})
    return model_config.model_copy(update={"options": options, "head": head, "stacked": StackedConfig(heads=HEADS)})


def _stacked_task(model: ModelConfig, train: TrainConfig, regime: StackedTraining, **changes: Any) -> TrainingTask:
    torch.manual_seed(1)
    loss = MultiBranchLoss(torch.tensor([3.0, 3.0]), model.head.loss_weights)
    return TrainingTask(
        build_classifier(model, 32, 2), loss, train.model_copy(update={"stacked": regime, **changes}), 50, CPU, 4
    )


def _snapshot(task: TrainingTask) -> dict[str, torch.Tensor]:
    """Copies of all weights, averages and moments, by name; moments that are not there yet are zero."""
    kept = {}
    average = dict(task.average.model.named_parameters())
    for name, parameter in task.classifier.named_parameters():
        moments = task.optimiser.state[parameter] or dict.fromkeys(("exp_avg", "exp_avg_sq"), torch.zeros_like(parameter))
        tensors = {
            "weight": parameter.detach(),
            "average": average[name],
            "mean": moments["exp_avg"],
            "square": moments["exp_avg_sq"],
        }
        kept.update({f"{what} {name}": tensor.clone() for what, tensor in tensors.items()})
    return kept


def test_a_uniform_step_leaves_all_outside_its_block_to_the_bit(
    stacked_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    task = _stacked_task(stacked_config, train_config, UNIFORM, weight_decay=0.5)
    trained = set()
    for step in range(12):
        (heads,) = task.regime.draw(step)
        before, parts = _snapshot(task), task.classifier.parts(heads)
        task.step(batch)
        trained.add(heads)
        for name, tensor in _snapshot(task).items():
            what, _, own = name.partition(" ")
            if what == "average":  # it follows the whole model
                continue
            inside = torch.zeros_like(tensor, dtype=torch.bool)
            leading(inside, parts[own].block.shape).fill_(value=True)
            assert torch.equal(tensor[~inside], before[name][~inside]), (heads, name)
            assert (tensor[inside] != before[name][inside]).any() or own == "head.theta", (heads, name)
    assert trained == set(HEADS)


def test_a_uniform_step_trains_as_the_extracted_network_would(
    stacked_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    task = _stacked_task(stacked_config, train_config, UNIFORM)
    (heads,) = task.regime.draw(0)
    assert heads is not None
    assert isinstance(task.classifier, StackedClassifier)
    plain = TrainingTask(task.classifier.extract(heads), copy.deepcopy(task.loss), train_config, 50, CPU)
    result, expected = task.step(batch), plain.step(batch)
    assert (result.loss, result.objective) == pytest.approx((expected.loss, expected.objective), rel=1e-5)
    assert result.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-4)
    moments = {name: plain.optimiser.state[p]["exp_avg"] for name, p in plain.classifier.named_parameters()}
    of_vectors = [name for name in moments if moments[name].ndim == 1 and ".qkv." not in name]
    for name in of_vectors:  # a vector lies in memory as timm has it
        part = task.classifier.parts(heads)[name]
        own = leading(task.optimiser.state[part.whole]["exp_avg"], part.block.shape)
        assert torch.allclose(own, moments[name], rtol=1e-3, atol=1e-6), name


def test_a_sandwich_step_trains_everything_and_tells_the_widests_loss(
    stacked_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    task, before = _stacked_task(stacked_config, train_config, SANDWICH), {}
    for _ in range(2):
        before = _snapshot(task)
        with torch.no_grad():
            logits = task.classifier.train()(batch.images).combined
        known = ~torch.isnan(batch.targets)
        expected = nn.functional.binary_cross_entropy_with_logits(logits[known], batch.targets[known])
        assert task.step(batch).loss == pytest.approx(expected.item(), rel=1e-5)
    for name, tensor in _snapshot(task).items():
        if not name.endswith("qkv.bias"):  # a bias of keys adds the same to all scores, and has no gradient
            assert (tensor != before[name]).float().mean() > 0.99, name


def test_a_sandwich_step_is_one_step_on_the_sum_of_its_objectives(
    stacked_config: ModelConfig, train_config: TrainConfig, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, twin = (_stacked_task(stacked_config, train_config, SANDWICH, clip_norm=1e6) for _ in range(2))
    seen: dict[str, torch.Tensor] = {}

    def spy(classifier: Classifier, passes: Iterable[int | None]) -> Any:
        parts = merge(classifier, passes)
        seen.update({name: part.block.grad.clone() for name, part in parts.items() if part.block.grad is not None})
        return parts

    monkeypatch.setattr("cxr.train.task.merge", spy)
    result = task.step(batch)
    outputs = [twin.classifier.at(heads)(batch.images) for heads in twin.regime.draw(0)]
    teacher = torch.sigmoid(outputs[0].combined.detach())
    softer = 0.3 * batch.targets + 0.7 * teacher
    total = twin.loss(outputs[0], batch.targets) + sum(twin.loss(output, softer) for output in outputs[1:])
    total.backward()
    assert len(outputs) == 3
    assert result.objective == pytest.approx(total.item(), rel=1e-5)
    for name, part in merge(twin.classifier, twin.regime.draw(0)).items():
        assert part.block.grad is not None
        assert torch.allclose(seen[name], part.block.grad, rtol=1e-4, atol=1e-6), name


@pytest.mark.parametrize(
    "regime", [UNIFORM, StackedTraining(regime="weighted", weights=(1, 2, 1)), SANDWICH], ids=lambda r: r.regime
)
@pytest.mark.parametrize("share_head", [True, False])
def test_a_restored_stacked_task_goes_on_bit_for_bit(
    stacked_config: ModelConfig, train_config: TrainConfig, batch: Batch, regime: StackedTraining, share_head: bool
) -> None:
    model = stacked_config.model_copy(update={"stacked": StackedConfig(heads=HEADS, share_head=share_head)})
    task, other = (_stacked_task(model, train_config, regime) for _ in range(2))
    other.step(batch)  # it must not matter where the other one stood
    for _ in range(4):
        task.step(batch)
    state = copy.deepcopy(task.state())
    other.restore(copy.deepcopy(state))
    results = [task.step(batch) for _ in range(6)]
    assert [other.step(batch) for _ in range(6)] == results
    expected = _snapshot(task)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in _snapshot(other).items())
    for heads in HEADS:
        assert (other.predict(batch.images, heads) == task.predict(batch.images, heads)).all()


@pytest.mark.parametrize("regime", [UNIFORM, SANDWICH], ids=lambda r: r.regime)
@pytest.mark.parametrize("share_head", [True, False])
def test_an_unknown_label_moves_nothing_of_its_own_in_any_pass(
    stacked_config: ModelConfig,
    train_config: TrainConfig,
    batch: Batch,
    monkeypatch: pytest.MonkeyPatch,
    regime: StackedTraining,
    share_head: bool,
) -> None:
    targets = batch.targets.clone()
    targets[:, 1] = torch.nan
    model = stacked_config.model_copy(update={"stacked": StackedConfig(heads=HEADS, share_head=share_head)})
    task, seen = _stacked_task(model, train_config, regime), set()
    own = ("pool.query", "branches.scale", "branches.shift", "branches.inner", "branches.inner_bias", "branches.outer")
    own += ("branches.outer_bias", "linear.weight", "linear.bias", "theta")

    def spy(classifier: Classifier, passes: Iterable[int | None]) -> Any:
        for heads in passes:
            gradients = {
                n: part.block.grad for n, part in classifier.parts(heads).items() if n.endswith(own) and "backbone" not in n
            }
            assert len(gradients) == len(own)
            for name, gradient in gradients.items():
                assert gradient is not None, (heads, name)
                assert not gradient[1].any(), (heads, name)
                assert gradient[0].any(), (heads, name)
            seen.add(heads)
        return merge(classifier, passes)

    monkeypatch.setattr("cxr.train.task.merge", spy)
    for _ in range(6):
        task.step(Batch(batch.images, targets))
    assert seen == set(HEADS)
    assert task.loss.log_variance is not None
    assert task.loss.log_variance[1] == 0 != task.loss.log_variance[0]


def test_every_number_of_heads_predicts_from_the_average(
    stacked_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    task = _stacked_task(stacked_config, train_config, SANDWICH)
    for _ in range(3):
        task.step(batch)
    scores = {heads: task.predict(batch.images, heads) for heads in HEADS}
    for heads in HEADS:
        with torch.no_grad():
            expected = torch.sigmoid(task.average.model.at(heads)(batch.images).combined.double())
        np.testing.assert_allclose(scores[heads], expected, rtol=1e-6)
    assert (task.predict(batch.images) == scores[6]).all()
    assert abs(scores[2] - scores[6]).max() > 1e-6


def test_every_width_learns_a_batch_by_heart_in_a_sandwich(
    stacked_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    task = _stacked_task(stacked_config, train_config, SANDWICH, epochs=2, learning_rate=5e-3)
    for _ in range(60):
        task.step(batch)
    known = ~torch.isnan(batch.targets)
    for heads in HEADS:
        scores = torch.from_numpy(task.predict(batch.images, heads))
        assert ((scores > 0.5).float() == batch.targets)[known].all(), heads


class _HeadAlone(Classifier):
    """A classifier whose images are features already: the pooled one, then the tokens."""

    def __init__(self, width: int, labels: int) -> None:
        nn.Module.__init__(self)
        self.backbone, self.head = nn.Identity(), MultiBranchHead(width, labels, hidden=8)

    def forward(self, images: torch.Tensor) -> Any:
        return self.head(Features(images[:, 0], images[:, 1:]))

    def undecayed(self) -> set[str]:
        return {"head.branches.scale", "head.branches.shift", "head.branches.inner_bias"}


def test_learned_weights_neither_vanish_nor_run_away_in_two_thousand_steps() -> None:
    """One label is learned by heart, one is noise, one is rare and one never known."""
    torch.manual_seed(0)
    images, known = torch.randn(64, 5, 12), torch.ones(64)
    noise, rare = torch.randint(0, 2, (64,)), torch.arange(64) % 16 == 0
    targets = torch.stack([(images[:, 0, 0] > 0).float(), noise.float(), rare.float(), known * torch.nan], dim=1)
    classifier, loss = _HeadAlone(12, 4), MultiBranchLoss(torch.tensor([32.0, 32, 4, 0]), "learned")
    config = TrainConfig(epochs=500, warmup_epochs=10, learning_rate=1e-2, weight_decay=0.05)
    task = TrainingTask(classifier, loss, config, 4, CPU)
    for step in range(2000):
        if step % 4 == 0:
            targets[:, 1] = torch.randint(0, 2, (64,))  # nothing to learn, not even by heart
        rows = torch.arange(16) + 16 * (step % 4)
        task.step(Batch(images[rows], targets[rows]))
        if step % 100 == 99:
            shares, factors = classifier.head.combination_weights(), loss.branch_weights()
            assert shares is not None
            assert ((shares > 0.02) & (shares < 0.98)).all(), shares
            assert ((factors > 0.04) & (factors < 25)).all(), factors
    assert all(torch.isfinite(parameter).all() for parameter in [*classifier.parameters(), *loss.parameters()])
    assert shares[3] == 0.5
    assert factors[3] == 1
    assert (shares[:3] != 0.5).all()
    assert factors[0] > 2 * factors[1]  # what is certain counts for more than what is noise
    accuracy = ((task.predict(images)[:, 0] > 0.5) == (targets[:, 0] > 0.5).numpy()).mean()
    assert accuracy > 0.95


def test_bf16_on_a_cpu_unfuses_the_attention_of_networks_that_were_there_before(
    stacked_config: ModelConfig, train_config: TrainConfig
) -> None:
    classifier = build_classifier(stacked_config, 32, 2)
    classifier.at(2)
    config = train_config.model_copy(update={"precision": "bf16"})
    TrainingTask(classifier, MultiBranchLoss(torch.ones(2), "learned"), config, 5, CPU)
    assert not classifier.at(2).backbone.model.blocks[0].attn.fused_attn


@pytest.mark.parametrize("kind", ["bce", "focal", "asymmetric"])
def test_a_batch_in_parts_gives_the_step_of_the_whole_batch(
    model_config: ModelConfig, train_config: TrainConfig, batch: Batch, kind: str
) -> None:
    """Known cells are counted over the whole batch, though one part has more unknown ones than the other."""
    model = model_config.model_copy(update={"head": model_config.head.model_copy(update={"dropout": 0.0})})
    targets = batch.targets.clone()
    targets[:3, 0] = torch.nan
    weights = []
    for micro in (None, 8, 4, 3, 1):
        task = _task(model, train_config, micro_batch=micro, loss=LossConfig(kind=kind), weight_decay=0.0)
        task.loss = build_loss(LossConfig(kind=kind, balanced=True), "learned", targets)
        task.optimiser = PartAdamW(parameter_groups(task.classifier, task.loss, 0.0, 1.0), lr=1e-3, eps=1e-3)
        results = [task.step(Batch(batch.images, targets)) for _ in range(2)]
        weights.append((task.classifier.state_dict(), results))
    (whole, expected), *parts = weights
    for state, results in parts:
        assert [r.loss for r in results] == pytest.approx([r.loss for r in expected], rel=1e-5)
        assert [r.objective for r in results] == pytest.approx([r.objective for r in expected], rel=1e-5)
        assert max((state[name] - whole[name]).abs().max().item() for name in whole) < 1e-5


def test_a_frozen_backbone_neither_moves_nor_decays_and_then_learns(
    model_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    task = _task(model_config, train_config, steps_per_epoch=2, freeze_epochs=1, weight_decay=0.5, warmup_epochs=0)
    before = {name: value.clone() for name, value in task.classifier.state_dict().items()}
    for _ in range(2):
        task.step(batch)
    after = task.classifier.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items() if name.startswith("backbone."))
    assert not torch.equal(after["head.linear.weight"], before["head.linear.weight"])
    task.step(batch)
    moved = [name for name, value in before.items() if not torch.equal(task.classifier.state_dict()[name], value)]
    assert len(moved) == len(before)


def test_a_frozen_backbone_keeps_the_statistics_of_its_norms(train_config: TrainConfig, batch: Batch) -> None:
    task = _task(ModelConfig(backbone="resnet10t", head=HeadConfig(hidden=8)), train_config, freeze_epochs=1)
    before = {name: value.clone() for name, value in task.classifier.named_buffers()}
    task.step(batch)
    assert all(torch.equal(value, before[name]) for name, value in task.classifier.named_buffers())


def test_a_task_that_is_restored_while_frozen_goes_on_bit_for_bit(
    model_config: ModelConfig, train_config: TrainConfig, batch: Batch
) -> None:
    changes: dict[str, Any] = {"steps_per_epoch": 2, "freeze_epochs": 1, "layer_decay": 0.5}
    task, other = _task(model_config, train_config, **changes), _task(model_config, train_config, **changes)
    task.step(batch)
    state = copy.deepcopy(task.state())
    straight = [task.step(batch).loss for _ in range(3)]
    other.restore(state)
    assert [other.step(batch).loss for _ in range(3)] == straight


def test_each_layer_steps_at_its_rate(model_config: ModelConfig, train_config: TrainConfig, batch: Batch) -> None:
    task = _task(model_config, train_config, layer_decay=0.5)
    rate = task.step(batch).learning_rate
    rates = {group["lr"] / rate for group in task.optimiser.param_groups}
    assert sorted(rates) == pytest.approx([0.125, 0.25, 0.5, 1.0, 32**0.5])  # the last of the queries, whose width is 32
