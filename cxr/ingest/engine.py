"""Where shards are read: in supervised processes on this machine, or the same on the workers of a Dask scheduler."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence

from cxr.config import IngestConfig
from cxr.errors import ConfigError, DataError
from cxr.ingest.shard import ShardTask, process_shard, without_killer
from cxr.pool import Limits, run_tasks

_PATIENCE = "10s"
"""Longest wait for the scheduler."""


def read_shards(tasks: Sequence[ShardTask], config: IngestConfig) -> Iterator[int]:
    """Read shards, in any order.

    Yields:
        The number of files of each shard that is done.

    Raises:
        DataError: the source cannot be reached, or workers do not start.
        ConfigError: the scheduler cannot be reached.
    """
    limits = Limits(config.file_seconds, config.file_megabytes + _shard_megabytes(config))
    if config.scheduler is None:
        return run_tasks(process_shard, tasks, min(config.workers, len(tasks)), limits, without_killer)
    return _on_dask(tasks, config.scheduler, limits)


def _shard_megabytes(config: IngestConfig) -> int:
    """What a worker holds of the files before: the images of its shard, and once more while it writes them."""
    return 2 * config.shard_files * config.size**2 * (config.bits // 8) // 2**20


def read_shard(task: ShardTask, limits: Limits) -> int:
    """Read one shard in a supervised process of its own: on a Dask worker, too, a bad file costs one file."""
    return sum(run_tasks(process_shard, [task], 1, limits, without_killer))


def _on_dask(tasks: Sequence[ShardTask], scheduler: str, limits: Limits) -> Iterator[int]:
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise ConfigError("ingest.scheduler: Dask is not installed; install it with: pip install 'cxr[dask]'") from error
    try:
        client = distributed.Client(scheduler, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise ConfigError(f"ingest.scheduler: nothing answers at {scheduler}") from error
    with client:
        # a worker that dies, dies of something else than a file: Dask gives the shard to another one
        futures = client.map(read_shard, tasks, limits=limits, pure=False, retries=2)
        for future in distributed.as_completed(futures):
            failure = future.exception()
            if isinstance(failure, DataError):
                raise failure
            if failure is not None:
                raise DataError(f"a Dask worker failed: {type(failure).__name__}; see its log")
            yield int(future.result())
