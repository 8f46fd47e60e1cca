"""Where the time of a training step goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_EVERY = 16
"""On a GPU one step in so many is timed: to know when a part ends it has to be waited for."""


class StepClock:
    """Seconds of the parts of steps.

    Args:
        device: where the steps are computed.
    """

    def __init__(self, device: torch.device) -> None:
        self._on_gpu, self._timed, self._steps = device.type == "cuda", False, 0
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def start(self, step: int) -> None:
        """A step begins."""
        self._timed = not self._on_gpu or step % _EVERY == 0
        self._steps += self._timed

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Add the time of a block to a part."""
        if not self._timed:
            yield
            return
        start = self._now()
        yield
        self._seconds[part] += self._now() - start

    def take(self) -> dict[str, float]:
        """Mean milliseconds of each part in the steps since the last call; empty without a timed step."""
        result = {part: 1000 * seconds / self._steps for part, seconds in self._seconds.items()} if self._steps else {}
        self._seconds.clear()
        self._steps = 0
        return result

    def _now(self) -> float:
        if self._on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter()
