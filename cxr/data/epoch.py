"""The order of an epoch and its cut into batches: the same steps whatever the number of processes that share them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from cxr.data.sampling import Sampling
from cxr.errors import ConfigError


@dataclass(frozen=True)
class Places:
    """Where the images of a batch stand: all that a worker needs to make it.

    Args:
        epoch: from 0.
        first: position of the first image in the epoch; the others follow it.
        rows: int64 [images], their rows in the manifest.
    """

    epoch: int
    first: int
    rows: npt.NDArray[np.int64]


class EpochBatches(Sampler[Places]):
    """The images of one epoch in batches, or one process' share of each.

    There are `ceil(rows / batch_size)` batches of sizes that differ by at most one image, so that no small one is left at
    the end, whatever the number of processes; a process has the like of each: the shares of a batch are consecutive, in
    the order of the ranks, and their sizes differ by at most one. All images come once, or as `sampling` says.

    Args:
        rows: number of images.
        batch_size: most images in a batch, of all processes together.
        epoch: sets the order of a shuffled epoch, together with the seed.
        seed: None keeps the rows in order.
        sampling: how the images are drawn; None for each once.
        rank: which process this is, from 0.
        world: number of processes.
        start: number of batches that are left out, because they are done.

    Raises:
        ConfigError: a batch has fewer images than there are processes.
    """

    def __init__(
        self,
        rows: int,
        batch_size: int,
        epoch: int = 0,
        seed: int | None = None,
        *,
        sampling: Sampling | None = None,
        rank: int = 0,
        world: int = 1,
        start: int = 0,
    ) -> None:
        if sampling is not None and (seed is None or len(sampling.weights) != rows):
            raise ValueError("sampling needs a seed, and a weight for each row")
        self._rows, self._epoch, self._seed, self._sampling = rows, epoch, seed, sampling
        self._rank, self._world, self._start = rank, world, start
        self._batches = -(-rows // batch_size)
        smallest = rows // max(self._batches, 1)
        if rows and smallest < world:
            raise ConfigError(
                f"{rows} images in batches of up to {batch_size} make batches of {smallest}, fewer than the {world} processes: "
                f"raise train.batch_size to at least {2 * world}, or start fewer processes"
            )

    def __len__(self) -> int:
        return max(self._batches - self._start, 0)

    def __iter__(self) -> Iterator[Places]:
        order = self._order()
        for batch in range(self._start, self._batches):
            begin, end = (number * self._rows // self._batches for number in (batch, batch + 1))
            first, last = (begin + rank * (end - begin) // self._world for rank in (self._rank, self._rank + 1))
            yield Places(self._epoch, first, order[first:last])

    def _order(self) -> npt.NDArray[np.int64]:
        if self._seed is None:
            return np.arange(self._rows)
        generator = np.random.default_rng((self._seed, self._epoch))
        return generator.permutation(self._rows) if self._sampling is None else self._sampling.draw(generator)
