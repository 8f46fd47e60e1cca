"""Several processes that train one model together, as torchrun starts them; a process alone is the ordinary case.

Rank 0 is the command that the user sees: it locks, tracks and writes. It calls the others when there is something to train,
and they compute beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cxr.errors import ConfigError, DataError

if TYPE_CHECKING:
    import torch

_PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others, while rank 0 writes a checkpoint, say; one that died is noticed at once."""


@dataclass(frozen=True)
class Ranks:
    """Which of the processes this one is.

    Args:
        rank: from 0.
        world: number of processes.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and tracks."""
        return self.rank == 0

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum of a tensor over the processes, in its place; every process has to ask for it."""
        if self.world > 1:
            import torch.distributed as dist

            dist.all_reduce(tensor)
        return tensor

    def share(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give the tensors of rank 0 to every process, in their place."""
        if self.world > 1:
            import torch.distributed as dist

            for tensor in tensors:
                dist.broadcast(tensor.detach(), src=0)


def refuse_other_start(ranks: Ranks, digest: str) -> None:
    """Refuse processes that do not begin with the same data and the same state.

    Args:
        ranks: the processes.
        digest: of what a process begins with, as hexadecimal digits.

    Raises:
        DataError: one differs from rank 0, in every process, so that none waits for another.
    """
    if ranks.world == 1:
        return
    import torch

    own = int(digest[:12], 16)
    first = torch.tensor(own)
    ranks.share([first])
    others = int(ranks.sum(torch.tensor(int(first.item() != own))))
    if others:
        raise DataError(
            f"{others} of {ranks.world} processes see other images or another saved state than the first: do all machines see "
            "the same workspace under the same path?"
        )


ALONE = Ranks()
"""The only process there is."""


class Crew:
    """The processes of one command, before they train.

    Args:
        ranks: this one among them.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self._called = False

    def call(self) -> None:
        """Rank 0 has something to train: the others begin, too."""
        if not self._called:
            self._called = True
            self._tell(go=True)

    def dismiss(self) -> None:
        """Rank 0 has nothing to train; without effect after a call."""
        if not self._called and self.ranks.first:
            self._called = True
            self._tell(go=False)

    def called(self) -> bool:
        """Another rank waits for what rank 0 says: whether there is something to train."""
        return self._tell(go=False)

    def _tell(self, *, go: bool) -> bool:
        if self.ranks.world == 1:
            return go
        import torch

        word = torch.tensor([int(go)])
        self.ranks.share([word])
        return bool(word.item())


def launched() -> bool:
    """Whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def _take_gpu(local: int, processes: int) -> None:
    """Let this process compute on the GPU of its number on this machine."""
    import torch

    gpus = torch.cuda.device_count()
    if processes > gpus:
        raise ConfigError(
            f"{processes} processes, but {gpus} GPUs on this machine, and two cannot share one: start at most {gpus} "
            "(--nproc-per-node), or hide the GPUs with CUDA_VISIBLE_DEVICES= to train on the processors"
        )
    torch.cuda.set_device(local)


@contextmanager
def joined() -> Iterator[Crew]:
    """Join the other processes that torchrun has started; alone where it has not.

    Rank 0 dismisses them at the end, unless they were called.

    Raises:
        ConfigError: there are more processes on this machine than GPUs, where it has any.
    """
    if not launched():
        yield Crew(ALONE)
        return
    import torch
    import torch.distributed as dist

    if torch.cuda.is_available():
        _take_gpu(int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE)
    crew = Crew(Ranks(dist.get_rank(), dist.get_world_size()))
    try:
        yield crew
    finally:
        crew.dismiss()
    # not after an error: the others may be waiting for a sum, and torchrun ends them
    dist.destroy_process_group()
