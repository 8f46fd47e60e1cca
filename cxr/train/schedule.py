"""The learning rate over the steps."""

from __future__ import annotations

import math


def cosine_with_warmup(step: int, total: int, warmup: int) -> float:
    """Factor of the peak learning rate at a step.

    Args:
        step: from 0.
        total: number of steps.
        warmup: steps of linear warm-up from 1 / warmup to 1; then a half cosine to 0 at `total`.

    Returns:
        A factor in [0, 1].
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))
