"""From manifest and image store to batches of tensors, fetched whole, the same whatever the number of workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from cxr.data.augment import Augmentation
from cxr.ingest.store import ImageStore
from cxr.labels.label_set import LabelSet
from cxr.manifest import Manifest


@dataclass(frozen=True)
class Batch:
    """Images and targets.

    Args:
        images: uint8 [images, size, size].
        targets: float32 [images, labels] in [0, 1], NaN where unknown.
    """

    images: torch.Tensor
    targets: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(self.images.to(device, non_blocking=True), self.targets.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory; called by the loader."""
        return Batch(self.images.pin_memory(), self.targets.pin_memory())


Place = tuple[int, int]
"""Epoch and row of an image: the epoch travels with the row, so that a worker needs no state to draw its changes."""


class RadiographDataset(Dataset[Batch]):
    """The images of a manifest.

    Args:
        manifest: the images, in the order of their rows.
        store: where they lie.
        labels: turns label cells into targets.
        augmentation: changes applied to images; None for none.
        seed: of the changes, together with epoch and row.
    """

    def __init__(
        self,
        manifest: Manifest,
        store: ImageStore,
        labels: LabelSet,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self.targets = torch.from_numpy(labels.targets(manifest.label_codes(labels.names)))
        self._shards = manifest.frame["shard"].to_numpy(np.int64)
        self._rows = manifest.frame["row"].to_numpy(np.int64)
        self._store, self._augmentation, self._seed = store, augmentation, seed

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: Place) -> Batch:
        return self.__getitems__([place])

    def __getitems__(self, places: Sequence[Place]) -> Batch:
        """One whole batch: a sixth to a third of the cost of collating single images."""
        epoch, first = places[0]
        index = np.array([row for _, row in places])
        images = self._store.gather8(self._shards[index], self._rows[index])
        if self._augmentation is not None:
            # a row comes once an epoch, so (epoch, first row) names the batch
            seed = int(np.random.SeedSequence((self._seed, epoch, first)).generate_state(1)[0])
            images = self._augmentation(images, seed)
        return Batch(torch.from_numpy(images), self.targets[torch.from_numpy(index)])


class EpochBatches(Sampler[list[Place]]):
    """The rows of one epoch in batches.

    Args:
        rows: number of images.
        batch_size: images a batch; the last batch may be smaller.
        epoch: sets the order of a shuffled epoch, together with the seed.
        seed: None keeps the rows in order.
    """

    def __init__(self, rows: int, batch_size: int, epoch: int = 0, seed: int | None = None) -> None:
        self._rows, self._batch_size, self._epoch, self._seed = rows, batch_size, epoch, seed

    def __len__(self) -> int:
        return -(-self._rows // self._batch_size)

    def __iter__(self) -> Iterator[list[Place]]:
        order = np.arange(self._rows)
        if self._seed is not None:
            order = np.random.default_rng((self._seed, self._epoch)).permutation(self._rows)
        for start in range(0, self._rows, self._batch_size):
            yield [(self._epoch, int(row)) for row in order[start : start + self._batch_size]]


def load_batches(
    dataset: RadiographDataset, batches: EpochBatches, workers: int = 0, pin_memory: bool = False
) -> DataLoader[Batch]:
    """Batches of a dataset, in the order of `batches`, prepared by `workers` processes."""
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_whole,
        pin_memory=pin_memory,
        prefetch_factor=4 if workers else None,
    )


def _whole(batch: Any) -> Any:
    """The dataset gives whole batches; there is nothing left to collate."""
    return batch
