"""The loss over label cells, masked where nothing is known, and its sum over the outputs of the head."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from cxr.model.head import HeadOutput

AGGREGATED_WEIGHT = 0.06
"""Static weight of the aggregated output, as in the upload of Ozturk et al. (g_agg there)."""
_LOG_VARIANCE_LIMIT = 3.0
"""Bound of the learned log-variances: a label that is learned by heart must not take over the sum of the losses."""


def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of each cell, zero where the target is unknown.

    Args:
        logits: float [batch, labels].
        targets: float [batch, labels] in [0, 1], NaN where unknown.

    Returns:
        float32 [batch, labels], at least 0.

    Raises:
        ValueError: a known target is outside [0, 1].
    """
    known = ~torch.isnan(targets)
    filled = torch.where(known, targets, 0.0)
    if bool(((filled < 0) | (filled > 1)).any()):
        raise ValueError("a target is outside [0, 1]; uncertain and unknown cells must be resolved before the loss")
    cells = functional.binary_cross_entropy_with_logits(logits.float(), filled.float(), reduction="none")
    return cells * known


def mean_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, float32 scalar, over the known cells of float [batch, labels]; 0 where none is known."""
    return masked_bce(logits, targets).sum() / (~torch.isnan(targets)).sum().clamp(min=1)


class MultiBranchLoss(nn.Module):
    """The sum of the losses of the combined output, the branches and the aggregated output.

    With cells i of label j, known cells only, K of them in the batch, L = BCE:

        total = (1 / K) sum_ij [ L(z_ij) + weigh_j(L(b_ij)) + weigh_agg(L(a_ij)) ]
        learned: weigh_j(l) = exp(-s_j) l + s_j, s_j a learned log-variance (after Kendall et al., CVPR 2018)
        static:  weigh_j(l) = g_j l, g_j the inverse label frequency over that of the rarest, g_agg = 0.06
        uniform: weigh_j(l) = l

    Counting cells makes a label without known cells in a batch neither pull its branch nor move its s_j.

    Args:
        positives: float [labels], positive images of each label in the training set, for the static weights.
        weighting: "learned", "static" or "uniform".
    """

    frequency_weights: torch.Tensor

    def __init__(self, positives: torch.Tensor, weighting: Literal["learned", "static", "uniform"]) -> None:
        super().__init__()
        present = positives.clamp(min=1)
        self.register_buffer("frequency_weights", present.min() / present, persistent=False)
        self.weighting = weighting
        learned = weighting == "learned"
        self.log_variance = nn.Parameter(torch.zeros(len(positives))) if learned else None
        self.log_variance_aggregated = nn.Parameter(torch.zeros(1)) if learned else None

    def branch_weights(self) -> torch.Tensor:
        """The factor of each label's branch loss, float [labels]."""
        if self.log_variance is not None:
            return torch.exp(-self.log_variance)
        return self.frequency_weights if self.weighting == "static" else torch.ones_like(self.frequency_weights)

    @torch.no_grad()
    def restrain(self) -> None:
        """Bring the log-variances back into their bounds after a step; a clamp in the loss would hold them there for good."""
        for log_variance in (self.log_variance, self.log_variance_aggregated):
            if log_variance is not None:
                log_variance.clamp_(-_LOG_VARIANCE_LIMIT, _LOG_VARIANCE_LIMIT)

    def forward(self, output: HeadOutput, targets: torch.Tensor) -> torch.Tensor:
        """The loss of a batch.

        Args:
            output: of the head.
            targets: float [batch, labels] in [0, 1], NaN where unknown.

        Returns:
            float32 scalar.
        """
        known = ~torch.isnan(targets)
        cells = masked_bce(output.combined, targets)
        if output.branch is not None and output.aggregated is not None:
            cells = cells + self._weigh(masked_bce(output.branch, targets), self.log_variance, self.frequency_weights)
            cells = cells + self._weigh(
                masked_bce(output.aggregated, targets),
                self.log_variance_aggregated,
                cells.new_tensor(AGGREGATED_WEIGHT),
            )
        return (cells * known).sum() / known.sum().clamp(min=1)

    def _weigh(self, cells: torch.Tensor, log_variance: nn.Parameter | None, static: torch.Tensor) -> torch.Tensor:
        if log_variance is not None:
            return torch.exp(-log_variance) * cells + log_variance
        return cells * static if self.weighting == "static" else cells
