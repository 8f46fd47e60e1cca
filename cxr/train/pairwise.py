"""A smooth stand-in for the AUROC of a batch: how often, and by how much, a positive image is below a negative one."""

from __future__ import annotations

import torch
from torch.nn import functional

from cxr.train.cells import split_targets


def pairwise_cells(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The logistic pairwise loss of each label, shared out to the cells that take part.

    With pairs of known images i, k of label j, weighted v_ik = y_i (1 - y_k):

        pairs_j = sum_ik v_ik log(1 + exp(z_k - z_i)) / sum_ik v_ik

    which bounds 1 - AUROC from above, up to the factor log 2 (Gao and Zhou, IJCAI 2015). Half of a pair goes to either
    image, so that the cells of a label sum to pairs_j times its number of known cells, as those of the other losses do. Pairs
    are those of the images that are computed together; a batch in micro-batches has fewer of them.

    Args:
        logits: float [batch, labels].
        targets: float [batch, labels] in [0, 1], NaN where unknown.

    Returns:
        float32 [batch, labels], at least 0; 0 where unknown, and for labels without a pair.

    Raises:
        ValueError: a known target is outside [0, 1].
    """
    known, filled = split_targets(targets)
    scores = logits.float().T
    above, below = (filled * known).T, ((1 - filled) * known).T
    pairs = above[:, :, None] * below[:, None, :] * functional.softplus(scores[:, None, :] - scores[:, :, None])
    weight = above.sum(dim=1) * below.sum(dim=1) - (above * below).sum(dim=1)
    pairs = pairs - torch.diag_embed(pairs.diagonal(dim1=1, dim2=2))  # an uncertain image is no pair with itself
    share = known.sum(dim=0) / (2 * weight.clamp(min=torch.finfo(torch.float32).tiny))
    cells = (pairs.sum(dim=2) + pairs.sum(dim=1)) * torch.where(weight > 0, share, 0.0)[:, None]
    return cells.T
