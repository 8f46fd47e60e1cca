"""A random stream for every image that an epoch draws: batches, workers and ranks cannot change what it looks like."""

from __future__ import annotations

import numpy as np

_CHANGES = 1  # beside (seed, epoch), from which the order of the epoch is drawn


class EpochStreams:
    """The streams of an epoch: Philox counters under one key, apart by 2^192 numbers from image to image.

    Args:
        seed: at least 0.
        epoch: from 0.
    """

    def __init__(self, seed: int, epoch: int) -> None:
        self._key = np.random.SeedSequence((seed, epoch, _CHANGES)).generate_state(2, np.uint64)

    def of(self, position: int) -> np.random.Generator:
        """The stream of the image that stands at a position of the epoch, from 0; a new one from its start at each call."""
        return np.random.Generator(np.random.Philox(key=self._key, counter=(0, 0, 0, position)))
