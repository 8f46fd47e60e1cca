"""Losses of label cells: one number per image and label, zero where nothing is known.

With y the target in [0, 1] (soft for uncertain findings), p the probability and L = -y log p - (1 - y) log(1 - p):

    bce         w L, with w = 1, or with weights of the classes y w+ + (1 - y) w-
    focal       w |y - p|^g L (Lin et al., ICCV 2017; for soft targets as Li et al., NeurIPS 2020)
    asymmetric  -w [ y (1 - p)^g+ log p + (1 - y) q^g- log(1 - q) ], q = max(p - m, 0) (Ridnik et al., ICCV 2021)

Weights of the classes of a label with P positive and N negative cells among its K known ones in the training set are
w+ = K / 2P and w- = K / 2N: both classes count the same, and the mean weight is one. No weight is above 100, so that no
single cell is the whole of a step.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn
from torch.nn import functional

_HEAVIEST = 100.0


class CellLoss(Protocol):
    """A loss of label cells."""

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of each cell.

        Args:
            logits: float [batch, labels].
            targets: float [batch, labels] in [0, 1], NaN where unknown.

        Returns:
            float32 [batch, labels], at least 0; 0, and without gradient, where the target is unknown.

        Raises:
            ValueError: a known target is outside [0, 1].
        """


def split_targets(targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which cells are known, bool, and their targets, float32, 0 where unknown.

    Args:
        targets: float [batch, labels] in [0, 1], NaN where unknown.

    Raises:
        ValueError: a known target is outside [0, 1].
    """
    known = ~torch.isnan(targets)
    filled = torch.where(known, targets, 0.0).float()
    if bool(((filled < 0) | (filled > 1)).any()):
        raise ValueError("a target is outside [0, 1]; uncertain and unknown cells must be resolved before the loss")
    return known, filled


def class_weights(targets: torch.Tensor) -> torch.Tensor:
    """Weights of the two classes of each label, from the targets of the training set.

    Args:
        targets: float [images, labels] in [0, 1], NaN where unknown; a soft target counts to both classes.

    Returns:
        float32 [2, labels], of positives and of negatives; 1 where a class of the label does not occur.
    """
    known, filled = split_targets(targets)
    positives = filled.sum(dim=0)
    counts = torch.stack([positives, known.sum(dim=0) - positives])
    weights = (known.sum(dim=0) / (2 * counts)).clamp(max=_HEAVIEST)
    return torch.where((counts > 0).all(dim=0), weights, 1.0)


class _Weighted(nn.Module):
    """What the losses share: weights of the two classes.

    Args:
        weights: float [2, labels], see `class_weights`; None for none.
    """

    weights: torch.Tensor | None

    def __init__(self, weights: torch.Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)

    def _weigh(self, cells: torch.Tensor, targets: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        if self.weights is not None:
            cells = cells * torch.lerp(self.weights[1], self.weights[0], targets)
        return torch.where(known, cells, 0.0)


class BCELoss(_Weighted):
    """Binary cross-entropy; see the module for the formula."""

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """See `CellLoss`."""
        known, filled = split_targets(targets)
        cells = functional.binary_cross_entropy_with_logits(logits.float(), filled, reduction="none")
        return self._weigh(cells, filled, known)


class FocalLoss(_Weighted):
    """Cross-entropy in which cells that are right already count little; see the module for the formula.

    Args:
        focus: the exponent g, at least 0; 0 gives the cross-entropy.
        weights: float [2, labels] of the classes, or None.
    """

    def __init__(self, focus: float, weights: torch.Tensor | None = None) -> None:
        super().__init__(weights)
        self.focus = focus

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """See `CellLoss`."""
        known, filled = split_targets(targets)
        logits = logits.float()
        cells = functional.binary_cross_entropy_with_logits(logits, filled, reduction="none")
        return self._weigh(_power((filled - torch.sigmoid(logits)).abs(), self.focus) * cells, filled, known)


class AsymmetricLoss(_Weighted):
    """Cross-entropy in which easy negatives count little and very easy ones nothing; see the module for the formula.

    Args:
        focus_positive: the exponent g+, at least 0.
        focus_negative: the exponent g-, at least 0.
        margin: the probability m in [0, 1) that is taken off negatives.
        weights: float [2, labels] of the classes, or None.
    """

    def __init__(
        self, focus_positive: float, focus_negative: float, margin: float, weights: torch.Tensor | None = None
    ) -> None:
        super().__init__(weights)
        self.focus_positive, self.focus_negative, self.margin = focus_positive, focus_negative, margin

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """See `CellLoss`."""
        known, filled = split_targets(targets)
        logits = logits.float()
        shifted = (torch.sigmoid(logits) - self.margin).clamp(min=0)
        positive = _power(torch.sigmoid(-logits), self.focus_positive) * functional.softplus(-logits)
        # without the margin log(1 - q) is exact as -softplus, which does not saturate for large logits
        surprise = -torch.log1p(-shifted) if self.margin else functional.softplus(logits)
        negative = _power(shifted, self.focus_negative) * surprise
        return self._weigh(filled * positive + (1 - filled) * negative, filled, known)


def _power(base: torch.Tensor, exponent: float) -> torch.Tensor:
    """A power whose gradient is finite at 0, where that of an exponent below 1 is not."""
    return base.clamp(min=1e-8) ** exponent if exponent else torch.ones_like(base)
