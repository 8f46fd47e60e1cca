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
        average.update()
        for name, value in model.state_dict().items():
            assert torch.equal(average.model.state_dict()[name], value), name


def test_the_average_follows_its_written_formula() -> None:
    model = _model()
    average = AveragedModel(model, 0.5)
    expected = {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(12):
        _move(model)
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value if value.is_floating_point() else value.clone()
    for name, value in expected.items():
        assert torch.allclose(average.model.state_dict()[name], value, atol=1e-5), name


def test_the_average_never_touches_the_model() -> None:
    model = _model()
    average = AveragedModel(model, 0.9)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average.update()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not {p.data_ptr() for p in model.parameters()} & {p.data_ptr() for p in average.model.parameters()}
    assert model.training
    assert not average.model.training


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_average_takes_no_gradient(decay: float) -> None:
    average = AveragedModel(_model(), decay)
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
