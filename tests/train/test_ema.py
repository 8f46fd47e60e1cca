from __future__ import annotations

import pytest
import torch
from torch import nn

from cxr.train.ema import AveragedModel


def _model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def _move(model: nn.Module) -> None:
    """A training step's effect on parameters and buffers."""
    model(torch.randn(8, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter)


def test_decay_zero_gives_the_model_itself_with_its_buffers() -> None:
    model = _model()
    average = AveragedModel(model, 0.0)
    for _ in range(3):
        _move(model)
        average.update(model)
        for name, value in model.state_dict().items():
            assert torch.equal(average.model.state_dict()[name], value), name


def test_the_average_follows_its_written_formula() -> None:
    model = _model()
    average = AveragedModel(model, 0.5)
    expected = {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(12):
        _move(model)
        average.update(model)
        decay = min(0.5, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value if value.is_floating_point() else value.clone()
    for name, value in expected.items():
        assert torch.allclose(average.model.state_dict()[name], value, atol=1e-5), name


def test_the_average_never_touches_the_model() -> None:
    model = _model()
    average = AveragedModel(model, 0.9)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average.update(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not {p.data_ptr() for p in model.parameters()} & {p.data_ptr() for p in average.model.parameters()}
    assert model.training
    assert not average.model.training


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_average_takes_no_gradient(decay: float) -> None:
    average = AveragedModel(_model(), decay)
    assert not any(parameter.requires_grad for parameter in average.model.parameters())


def test_what_a_step_did_not_train_stays_in_the_average_to_the_bit() -> None:
    model = _model()
    average = AveragedModel(model, 0.5)
    for _ in range(3):
        _move(model)
        before = {name: value.clone() for name, value in average.model.named_parameters()}
        blocks = {"0.weight": model[0].weight[:2, :1], "1.bias": model[1].bias[:3]}
        decay = min(0.5, (1 + average.steps) / (10 + average.steps))
        average.update(model, blocks)
        for name, value in average.model.named_parameters():
            expected = before[name].clone()
            if name in blocks:
                inside = tuple(slice(0, length) for length in blocks[name].shape)
                expected[inside] = decay * expected[inside] + (1 - decay) * blocks[name]
                assert torch.allclose(value, expected, atol=1e-6), name
                outside = torch.ones_like(value, dtype=torch.bool)
                outside[inside] = False
                assert torch.equal(value[outside], before[name][outside]), name
            else:
                assert torch.equal(value, before[name]), name


def test_blocks_that_are_the_whole_are_as_good_as_none() -> None:
    model = _model()
    one, other = AveragedModel(model, 0.5), AveragedModel(model, 0.5)
    for _ in range(3):
        _move(model)
        one.update(model)
        other.update(model, dict(model.named_parameters()))
    for name, value in one.model.state_dict().items():
        assert torch.equal(other.model.state_dict()[name], value), name


def test_buffers_are_taken_in_whatever_was_trained() -> None:
    model = _model()
    average = AveragedModel(model, 0.0)
    _move(model)
    average.update(model, {})
    assert torch.equal(average.model[1].running_mean, model[1].running_mean)
    assert average.model[1].num_batches_tracked == 1
    assert not torch.equal(average.model[0].weight, model[0].weight)
