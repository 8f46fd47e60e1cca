"""The multi-branch head: a branch per disease and an aggregated branch over all, combined by learned weights.

With pooled feature h and tokens Z of the backbone, for the labels j = 1..N:

    branch j           b_j = f_j(h_j), f_j = normalise, linear, GELU, dropout, linear; all branches in one batched operation
    attention pooling  h_j = sum_t softmax_t(q_j . norm(z_t) / sqrt(D)) norm(z_t), q_j learned: a map per disease
    aggregated         a = A h + c, all labels together
    combination        z_j = w_j b_j + (1 - w_j) a_j, w_j = sigmoid(theta_j) learned, 1/2 at the start

The queries share the tokens as keys and values: a linear key projection is absorbed by the queries, a linear value
projection by the first layer of the branches. The tokens may be of an earlier, finer stage than h, and D then is their width.
Ozturk et al. (arXiv 2310.06143) give the branches and the aggregated output; how the two are combined is our definition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from cxr.model.backbone import Features

SHARED = "pool.norm."
"""How the names of the tensors begin that all labels of a head share; every other one has a row per label, in their order."""


@dataclass(frozen=True)
class HeadOutput:
    """Logits of a batch.

    Args:
        combined: float [batch, labels]; their sigmoid is the prediction.
        branch: float [batch, labels], or None for the aggregated head.
        aggregated: float [batch, labels], or None for a head of branches only.
        weights: float [labels] in (0, 1), the share of the branch in the combined logit, or None where only one of the two is.
        maps: float [batch, labels, tokens], each summing to 1 over the tokens, or None without attention pooling.
    """

    combined: torch.Tensor
    branch: torch.Tensor | None
    aggregated: torch.Tensor | None
    weights: torch.Tensor | None = None
    maps: torch.Tensor | None = None


class AttentionPooling(nn.Module):
    """Tokens weighted by each label's own query.

    A step of Adam moves every number of a query by about the learning rate, and so a score, D products over sqrt(D), by at
    most sqrt(D) times as much: too little for maps to leave the even one. Queries therefore start, and learn, `rate` times
    as large, as if nothing were divided.

    Args:
        width: of the tokens.
        labels: number of queries.
    """

    def __init__(self, width: int, labels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.rate = math.sqrt(width)
        self.query = nn.Parameter(nn.init.trunc_normal_(torch.empty(labels, width), std=0.02 * self.rate))

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pool tokens [batch, tokens, width] to [batch, labels, width]; the weights are [batch, labels, tokens]."""
        keys = self.norm(tokens)
        maps = torch.softmax(self.query @ keys.transpose(1, 2) / math.sqrt(keys.shape[-1]), dim=-1)
        return maps @ keys, maps


class Branches(nn.Module):
    """One small network per label, computed together.

    Args:
        width: of the features.
        labels: number of branches.
        hidden: width of the hidden layer.
        dropout: on the hidden layer.
    """

    VECTORS = ("scale", "shift", "inner_bias")
    """Parameters that are a vector per label, not a matrix: like every norm and bias, they do not decay."""

    def __init__(self, width: int, labels: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(labels, width))
        self.shift = nn.Parameter(torch.zeros(labels, width))
        # [labels, in, out]: half the time of [labels, out, in]
        self.inner = nn.Parameter(nn.init.trunc_normal_(torch.empty(labels, width, hidden), std=width**-0.5))
        self.inner_bias = nn.Parameter(torch.zeros(labels, hidden))
        self.outer = nn.Parameter(nn.init.trunc_normal_(torch.empty(labels, hidden), std=hidden**-0.5))
        self.outer_bias = nn.Parameter(torch.zeros(labels))
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits [batch, labels] of features [batch, labels, width], or [batch, 1, width] shared by the labels."""
        normalised = functional.layer_norm(features, features.shape[-1:]) * self.scale + self.shift
        hidden = torch.einsum("bnd,ndh->bnh", normalised, self.inner) + self.inner_bias
        hidden = self.dropout(functional.gelu(hidden))
        return torch.sum(hidden * self.outer, dim=-1) + self.outer_bias


class MultiBranchHead(nn.Module):
    """The head as defined above.

    Args:
        width: of the backbone's features.
        labels: number of labels.
        kind: "multi_branch"; "aggregated", the plain linear head; or "branches", without the aggregated one.
        pooling: what a branch sees: "attention" or the pooled "token".
        hidden: width of a branch's hidden layer.
        dropout: in a branch.
        token_width: of the backbone's tokens; None for that of the features.
    """

    def __init__(
        self,
        width: int,
        labels: int,
        kind: Literal["multi_branch", "aggregated", "branches"] = "multi_branch",
        pooling: Literal["attention", "token"] = "attention",
        hidden: int = 64,
        dropout: float = 0.1,
        token_width: int | None = None,
    ) -> None:
        super().__init__()
        self.width, self.token_width = width, token_width or width
        has_branches, attends = kind != "aggregated", pooling == "attention"
        self.pool = AttentionPooling(self.token_width, labels) if has_branches and attends else None
        self.branches = Branches(self.token_width if attends else width, labels, hidden, dropout) if has_branches else None
        self.linear = nn.Linear(width, labels) if kind != "branches" else None
        self.theta = nn.Parameter(torch.zeros(labels)) if kind == "multi_branch" else None

    def combination_weights(self) -> torch.Tensor | None:
        """Weight of each label's branch in (0, 1), float [labels]; None where there is nothing to combine."""
        return None if self.theta is None else torch.sigmoid(self.theta)

    def forward(self, features: Features) -> HeadOutput:
        """Logits and maps of a batch."""
        aggregated = self.linear(features.pooled) if self.linear is not None else None
        branch, maps = self._branch_logits(features)
        weights = self.combination_weights()
        return HeadOutput(_combine(branch, aggregated, weights), branch, aggregated, weights, maps)

    def _branch_logits(self, features: Features) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        if self.branches is None:
            return None, None
        if self.pool is None:
            return self.branches(features.pooled[:, None]), None
        pooled, maps = self.pool(features.tokens)
        return self.branches(pooled), maps


def _combine(branch: torch.Tensor | None, aggregated: torch.Tensor | None, weights: torch.Tensor | None) -> torch.Tensor:
    if branch is not None and aggregated is not None and weights is not None:
        return weights * branch + (1 - weights) * aggregated
    only = branch if branch is not None else aggregated
    assert only is not None  # a head has at least one of the two
    return only
