"""The loss of a batch: the loss of label cells, summed over the outputs of the head, divided by the number of known cells."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import nn

from cxr.config_training import LossConfig
from cxr.model.head import HeadOutput
from cxr.train.cells import AsymmetricLoss, BCELoss, CellLoss, FocalLoss, class_weights
from cxr.train.pairwise import pairwise_cells

AGGREGATED_WEIGHT = 0.06
"""Static weight of the aggregated output, as in the upload of Ozturk et al. (g_agg there)."""
_LOG_VARIANCE_LIMIT = 3.0
"""Bound of the learned log-variances: a label that is learned by heart must not take over the sum of the losses."""
Weighting = Literal["learned", "static", "uniform"]


def count_known(targets: torch.Tensor) -> torch.Tensor:
    """The number of known cells, a float32 scalar, at least 1."""
    return (~torch.isnan(targets)).sum().clamp(min=1).float()


class Teacher(NamedTuple):
    """What a narrower network learns from beside the labels.

    Args:
        logits: float [batch, labels], of the prediction of the widest network, without gradient.
        share: of the teacher in the loss, in [0, 1].
    """

    logits: torch.Tensor
    share: float


class MultiBranchLoss(nn.Module):
    """The sum of the losses of the combined output, the branches and the aggregated output.

    With cells i of label j, known cells only, K of them, and L the loss of a cell:

        total = (1 / K) sum_ij [ L(z_ij) + weigh_j(L(b_ij)) + weigh_agg(L(a_ij)) ]
        learned: weigh_j(l) = exp(-s_j) l + s_j, s_j a learned log-variance (after Kendall et al., CVPR 2018)
        static:  weigh_j(l) = g_j l, g_j the inverse label frequency over that of the rarest, g_agg = 0.06
        uniform: weigh_j(l) = l

    With a teacher of share d, L is (1 - d) L + d times the cross-entropy against the teacher's probability: of every loss for
    a probability it is the one that is lowest where the two are equal.

    Counting cells makes a label without known cells in a batch neither pull its branch nor move its s_j.

    Args:
        frequencies: float [labels], share of positives among the known cells of each label in the training set, for the
            static weights; a label without positives has the weight of the rarest.
        weighting: "learned", "static" or "uniform".
        cell_loss: L.
        pairwise: share in [0, 1] of L that is the pairwise loss of `cxr.train.pairwise`.
    """

    frequency_weights: torch.Tensor

    def __init__(
        self, frequencies: torch.Tensor, weighting: Weighting, cell_loss: CellLoss | None = None, pairwise: float = 0.0
    ) -> None:
        super().__init__()
        present = frequencies > 0
        rarest = frequencies[present].min() if present.any() else frequencies.new_tensor(1.0)
        self.register_buffer("frequency_weights", torch.where(present, rarest / frequencies, 1.0), persistent=False)
        self.weighting, self.pairwise = weighting, pairwise
        self.cell_loss = BCELoss() if cell_loss is None else cell_loss
        learned = weighting == "learned"
        self.log_variance = nn.Parameter(torch.zeros(len(frequencies))) if learned else None
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

    def forward(
        self,
        output: HeadOutput,
        targets: torch.Tensor,
        known: torch.Tensor | None = None,
        teacher: Teacher | None = None,
    ) -> torch.Tensor:
        """The loss of a batch, or what a part of a batch adds to it.

        Args:
            output: of the head.
            targets: float [batch, labels] in [0, 1], NaN where unknown.
            known: K, the known cells of the whole batch, where these are a part of it; by default those of `targets`.
            teacher: of a narrower network; it has a say on known cells alone.

        Returns:
            float32 scalar.

        Raises:
            ValueError: a known target is outside [0, 1].
        """
        cells = self.cells(output.combined, targets, teacher)
        if output.branch is not None and output.aggregated is not None:
            cells = cells + self._weigh(self.cells(output.branch, targets, teacher), self.log_variance, self.frequency_weights)
            cells = cells + self._weigh(
                self.cells(output.aggregated, targets, teacher),
                self.log_variance_aggregated,
                cells.new_tensor(AGGREGATED_WEIGHT),
            )
        total = torch.where(torch.isnan(targets), 0.0, cells).sum()
        return total / (count_known(targets) if known is None else known)

    def cells(self, logits: torch.Tensor, targets: torch.Tensor, teacher: Teacher | None = None) -> torch.Tensor:
        """The loss L of each cell, float32 [batch, labels], 0 where unknown."""
        cells = self.cell_loss(logits, targets)
        if self.pairwise:
            cells = torch.lerp(cells, pairwise_cells(logits, targets), self.pairwise)
        if teacher is None:
            return cells
        taught = torch.where(torch.isnan(targets), targets, torch.sigmoid(teacher.logits.float()))
        return torch.lerp(cells, BCELoss()(logits, taught), teacher.share)

    def _weigh(self, cells: torch.Tensor, log_variance: nn.Parameter | None, static: torch.Tensor) -> torch.Tensor:
        if log_variance is not None:
            return torch.exp(-log_variance) * cells + log_variance
        return cells * static if self.weighting == "static" else cells


def build_loss(config: LossConfig, weighting: Weighting, targets: torch.Tensor) -> MultiBranchLoss:
    """The loss of a configuration.

    Args:
        config: of the cells' loss.
        weighting: of the branches, see `MultiBranchLoss`.
        targets: float [images, labels] of the training set, in [0, 1], NaN where unknown.
    """
    weights = class_weights(targets) if config.balanced else None
    cell_loss: CellLoss
    if config.kind == "focal":
        cell_loss = FocalLoss(config.focus, weights)
    elif config.kind == "asymmetric":
        cell_loss = AsymmetricLoss(config.focus_positive, config.focus_negative, config.margin, weights)
    else:
        cell_loss = BCELoss(weights)
    frequencies = torch.nan_to_num(torch.nanmean(targets, dim=0))
    return MultiBranchLoss(frequencies, weighting, cell_loss, config.pairwise)
