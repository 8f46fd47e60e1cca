from __future__ import annotations

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from cxr.train.pairwise import pairwise_cells


def _drawn(batch: int = 30, labels: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.tensor([0.0, 1.0, 0.3, torch.nan])[torch.randint(0, 4, (batch, labels), generator=generator)]
    return 2 * torch.randn(batch, labels, generator=generator), targets


def test_cells_sum_to_the_mean_over_the_pairs_written_out() -> None:
    logits, targets = _drawn()
    cells = pairwise_cells(logits, targets)
    for j in range(3):
        total, weight = 0.0, 0.0
        for i in range(30):
            for k in range(30):
                share = targets[i, j] * (1 - targets[k, j])
                if i != k and not torch.isnan(share):
                    total += float(share * functional.softplus(logits[k, j] - logits[i, j]))
                    weight += float(share)
        known = (~torch.isnan(targets[:, j])).sum().item()
        assert cells[:, j].sum().item() == pytest.approx(known * total / weight, rel=1e-4)


def test_it_bounds_one_minus_the_auroc_from_above() -> None:
    logits, targets = _drawn(200, 1, seed=2)
    hard = torch.where(targets == 0.3, torch.nan, targets)
    known = ~torch.isnan(hard[:, 0])
    mean = pairwise_cells(logits, hard).sum() / known.sum()
    assert mean / torch.log(torch.tensor(2.0)) >= 1 - roc_auc_score(hard[known, 0], logits[known, 0])


def test_unknown_cells_have_no_loss_no_gradient_and_no_say() -> None:
    logits, targets = _drawn()
    logits.requires_grad_()
    cells = pairwise_cells(logits, targets)
    cells.sum().backward()
    unknown = torch.isnan(targets)
    assert logits.grad is not None
    assert not cells[unknown].any()
    assert not logits.grad[unknown].any()
    changed = torch.where(unknown, logits.detach() + 5, logits.detach())
    assert torch.allclose(pairwise_cells(changed, targets), cells.detach(), atol=1e-6)


@pytest.mark.parametrize("column", [[0.0, 0.0, 0.0], [1.0, 1.0, torch.nan], [torch.nan] * 3, [0.3, torch.nan, torch.nan]])
def test_a_label_without_pairs_has_no_loss_and_no_gradient(column: list[float]) -> None:
    logits = torch.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
    cells = pairwise_cells(logits, torch.tensor(column)[:, None])
    cells.sum().backward()
    assert logits.grad is not None
    assert not cells.any()
    assert not logits.grad.any()


def test_it_depends_on_the_order_of_scores_and_not_on_their_level() -> None:
    logits, targets = _drawn()
    assert torch.allclose(pairwise_cells(logits + 7, targets), pairwise_cells(logits, targets), atol=1e-4)


def test_large_logits_stay_finite() -> None:
    logits = torch.tensor([[90.0], [-90.0]], dtype=torch.bfloat16, requires_grad=True)
    cells = pairwise_cells(logits, torch.tensor([[0.0], [1.0]]))
    cells.sum().backward()
    assert cells.sum().item() == pytest.approx(2 * 180, rel=0.01)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_a_target_outside_the_unit_interval_is_refused() -> None:
    with pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        pairwise_cells(torch.zeros(2, 1), torch.tensor([[0.0], [2.0]]))
