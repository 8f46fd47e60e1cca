"""Which networks of a stacked backbone a step trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cxr.config_training import StackedTraining


@dataclass(frozen=True)
class Regime:
    """The choice of networks, step by step.

    The draw depends on seed and step alone: it is the same on every process of a distributed run, and after a resume.

    Args:
        config: which regime.
        heads: the numbers of attention heads there are, rising; none where the backbone is not stacked.
        seed: of the draws.
    """

    config: StackedTraining
    heads: Sequence[int]
    seed: int

    def draw(self, step: int) -> tuple[int | None, ...]:
        """The numbers of attention heads that a step trains, the widest first; (None,) without a choice.

        Uniform and weighted draw one (Haberer et al., NeurIPS 2024); the sandwich takes the widest, the narrowest, and one
        that is drawn evenly between them (Yu and Huang, ICCV 2019).
        """
        if not self.heads:
            return (None,)
        generator = np.random.default_rng((self.seed, step))
        if self.config.regime == "sandwich":
            between = [int(generator.choice(self.heads[1:-1]))] if len(self.heads) > 2 else []
            return (self.heads[-1], *between, self.heads[0])
        weights = np.asarray(self.config.weights or [1.0] * len(self.heads))
        return (int(generator.choice(self.heads, p=weights / weights.sum())),)
