from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.train.cells import AsymmetricLoss, BCELoss, FocalLoss, class_weights

LOSSES: dict[str, Any] = {
    "bce": BCELoss(),
    "weighted bce": BCELoss(torch.tensor([[3.0, 1.0, 0.5], [0.6, 1.0, 2.0]])),
    "focal": FocalLoss(2.0),
    "focal below 1": FocalLoss(0.5),
    "asymmetric": AsymmetricLoss(1.0, 4.0, 0.05),
    "asymmetric without margin": AsymmetricLoss(0.0, 2.0, 0.0),
}
EVERY = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def _drawn(batch: int = 40, seed: int = 0, scale: float = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(batch, 3, generator=generator)
    targets = torch.tensor([0.0, 1.0, 0.3, torch.nan])[torch.randint(0, 4, (batch, 3), generator=generator)]
    return logits, targets


def _by_hand(name: str, logit: float, target: float) -> float:
    """The formulas of the module, in double precision."""
    p = 1 / (1 + math.exp(-logit))
    cross = -target * math.log(p) - (1 - target) * math.log(1 - p)
    if name == "focal":
        return abs(target - p) ** 2 * cross
    if name == "asymmetric":
        q = max(p - 0.05, 0)
        return -target * (1 - p) * math.log(p) - (1 - target) * q**4 * math.log(1 - q)
    return cross


@pytest.mark.parametrize("name", ["bce", "focal", "asymmetric"])
def test_each_loss_equals_its_written_formula(name: str) -> None:
    logits, targets = _drawn()
    cells = LOSSES[name](logits, targets)
    for cell, logit, target in zip(cells.flatten(), logits.flatten(), targets.flatten(), strict=True):
        expected = 0.0 if math.isnan(target) else _by_hand(name, logit.item(), target.item())
        assert cell.item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_without_focus_and_margin_all_are_the_cross_entropy() -> None:
    logits, targets = _drawn()
    for loss in (FocalLoss(0.0), AsymmetricLoss(0.0, 0.0, 0.0)):
        assert torch.allclose(loss(logits, targets), BCELoss()(logits, targets), atol=1e-6)


@EVERY
def test_an_unknown_cell_has_no_loss_and_no_gradient(loss: Any) -> None:
    logits, targets = _drawn()
    logits.requires_grad_()
    cells = loss(logits, targets)
    cells.sum().backward()
    unknown = torch.isnan(targets)
    assert unknown.any()
    assert not cells[unknown].any()
    assert logits.grad is not None
    assert not logits.grad[unknown].any()
    assert (logits.grad[~unknown] != 0).float().mean() > 0.8  # the asymmetric loss leaves very easy negatives alone


@EVERY
@pytest.mark.parametrize("wrong", [-0.01, 1.01, -1.0, 2.0, math.inf])
def test_a_target_outside_the_unit_interval_is_refused(loss: Any, wrong: float) -> None:
    logits, targets = _drawn()
    targets[0, 0] = wrong
    with pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        loss(logits, targets)


@EVERY
def test_large_logits_in_half_precision_stay_finite_with_their_gradient(loss: Any) -> None:
    logits = torch.tensor([[90.0, -90.0, 0.0], [-90.0, 90.0, 30.0]], dtype=torch.bfloat16).requires_grad_()
    cells = loss(logits, torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]))
    cells.sum().backward()
    assert cells.dtype == torch.float32
    assert torch.isfinite(cells).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@EVERY
@given(st.floats(-20, 20), st.floats(0.01, 5))
@settings(max_examples=30, deadline=None)
def test_a_positive_costs_less_the_higher_its_logit_and_a_negative_more(loss: Any, logit: float, more: float) -> None:
    low, high = torch.full((1, 3), logit), torch.full((1, 3), logit + more)
    assert (loss(high, torch.ones(1, 3)) <= loss(low, torch.ones(1, 3)) + 1e-6).all()
    assert (loss(high, torch.zeros(1, 3)) >= loss(low, torch.zeros(1, 3)) - 1e-6).all()


@EVERY
def test_gradients_equal_finite_differences(loss: Any) -> None:
    logits, targets = _drawn(batch=6, scale=1)
    exact = logits.clone().requires_grad_()
    loss(exact, targets).sum().backward()
    step = 1e-2
    for i, j in ((0, 0), (3, 1), (5, 2)):
        up, down = logits.clone(), logits.clone()
        up[i, j] += step
        down[i, j] -= step
        slope = (loss(up, targets).sum() - loss(down, targets).sum()).item() / (2 * step)
        assert exact.grad is not None
        assert exact.grad[i, j].item() == pytest.approx(slope, abs=2e-3)


def test_class_weights_let_both_classes_count_the_same_and_keep_the_mean() -> None:
    targets = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, torch.nan], [0.0, 0.0], [torch.nan, 0.0]])
    weights = class_weights(targets)
    assert weights[:, 0].tolist() == pytest.approx([4 / 2, 4 / 6])
    assert weights[:, 1].tolist() == [1, 1]  # no positive: nothing to balance
    mass = weights[:, 0] * torch.tensor([1.0, 3.0])
    assert mass[0] == pytest.approx(mass[1])
    assert mass.sum() == pytest.approx(4)


def test_a_soft_target_counts_to_both_classes() -> None:
    weights = class_weights(torch.tensor([[0.5], [0.0]]))
    assert weights[:, 0].tolist() == pytest.approx([2 / (2 * 0.5), 2 / (2 * 1.5)])


def test_class_weights_multiply_the_cells() -> None:
    logits, targets = _drawn()
    cells = LOSSES["bce"](logits, targets)
    weighted = LOSSES["weighted bce"](logits, targets)
    assert torch.allclose(weighted[targets == 1], (cells * torch.tensor([3.0, 1.0, 0.5]))[targets == 1])
    assert torch.allclose(weighted[targets == 0], (cells * torch.tensor([0.6, 1.0, 2.0]))[targets == 0])
