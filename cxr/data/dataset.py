"""From manifest and image store to batches of tensors, fetched whole, the same whatever the number of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from cxr.data.augment import Augmentation
from cxr.data.epoch import EpochBatches, Places
from cxr.data.streams import EpochStreams
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


class RadiographDataset(Dataset[Batch]):
    """The images of a manifest, a whole batch at a time: a sixth to a third of the cost of collating single images.

    Args:
        manifest: the images, in the order of their rows.
        store: where they lie.
        labels: turns label cells into targets.
        augmentation: changes applied to images; None for none.
        seed: of the changes, together with an image's epoch and its position there.

    `targets` is float32 [images, labels] in [0, 1], NaN where unknown; `patients` int64 [images], a number for each patient.
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
        self.patients = pd.factorize(manifest.frame["patient_id"])[0].astype(np.int64)
        self._shards = manifest.frame["shard"].to_numpy(np.int64)
        self._rows = manifest.frame["row"].to_numpy(np.int64)
        self._store, self._augmentation, self._seed = store, augmentation, seed

    def __getstate__(self) -> dict[str, Any]:
        # a memory map is pickled as the pixels it shows: a worker that is spawned opens the store itself
        return {**self.__dict__, "_store": ImageStore(self._store.folder)}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, places: Places) -> Batch:
        images = self._store.gather8(self._shards[places.rows], self._rows[places.rows])
        if self._augmentation is not None:
            images = self._augmentation(images, EpochStreams(self._seed, places.epoch), places.first)
        return Batch(torch.from_numpy(images), self.targets[torch.from_numpy(places.rows)])


def load_batches(
    dataset: RadiographDataset, batches: EpochBatches, workers: int = 0, pin_memory: bool = False
) -> DataLoader[Batch]:
    """Batches of a dataset, in the order of `batches`.

    Args:
        dataset: the images.
        batches: which of them, and how they are cut; the batches are the same whatever follows.
        workers: processes that prepare batches, four each ahead; 0: the calling process.
        pin_memory: whether batches lie in page-locked memory, from where a GPU copies them while it computes.
    """
    return DataLoader(
        dataset,
        sampler=batches,
        batch_size=None,  # a place is a whole batch already
        num_workers=workers,
        collate_fn=_whole,
        pin_memory=pin_memory,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_init_worker,
        generator=torch.Generator(),  # else each epoch would take a number from the stream of dropout
    )


def _whole(batch: Any) -> Any:
    """The dataset gives whole batches; there is nothing left to collate."""
    return batch


def _init_worker(worker: int) -> None:
    """Workers share the cores, and OpenCV's threads do not survive a fork."""
    cv2.setNumThreads(0)
