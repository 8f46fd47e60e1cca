"""What training learns from and is judged by while it runs: the development images; it has no handle on the test images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from cxr.config import TrainStage
from cxr.data.augment import Augmentation
from cxr.data.dataset import RadiographDataset
from cxr.data.epoch import EpochBatches
from cxr.data.sampling import Sampling, expected_positives, label_sampling
from cxr.errors import DataError
from cxr.ingest.store import ImageStore
from cxr.labels.label_set import LabelSet, read_label_set
from cxr.manifest import Manifest, read_manifest
from cxr.model.card import Preprocessing
from cxr.ranks import ALONE, Ranks
from cxr.stage import StageContext


@dataclass(frozen=True)
class Development:
    """The images of the training and the validation side.

    Args:
        labels: the label set.
        train: the training images, with their random changes.
        validation: the validation images, as they are.
        truth: float32 [validation images, labels], each 0, 1 or NaN.
        sampling: how the images of an epoch are drawn; None for each once.
        manifest: of both sides.
        preprocessing: how the images were made.
        digest: SHA-256 of the manifest's file.
    """

    labels: LabelSet
    train: RadiographDataset
    validation: RadiographDataset
    truth: npt.NDArray[np.float32]
    sampling: Sampling | None
    manifest: Manifest
    preprocessing: Preprocessing
    digest: str

    def batches(self, config: TrainStage, epoch: int = 0, start: int = 0, ranks: Ranks = ALONE) -> EpochBatches:
        """The batches of an epoch, from 0, without the first `start` of them; of each the share of this process."""
        rows, size = len(self.train), config.train.batch_size
        places = {"start": start, "rank": ranks.rank, "world": ranks.world}
        return EpochBatches(rows, size, epoch, config.seed, sampling=self.sampling, **places)

    def positives(self) -> dict[str, float]:
        """How many positive training images of each label an epoch has in the mean."""
        counts = expected_positives(self.train.targets.numpy(), self.sampling)
        return dict(zip(self.labels.names, counts.tolist(), strict=True))

    def warnings(self) -> tuple[str, ...]:
        """What the user should know before using a model of these images."""
        targets = self.train.targets
        kinds = {"known": ~torch.isnan(targets), "positive": targets > 0, "known to be negative": targets < 1}
        counts = {kind: cells.sum(dim=0).tolist() for kind, cells in kinds.items()}
        empty = {name: [kind for kind in kinds if not counts[kind][j]] for j, name in enumerate(self.labels.names)}
        return tuple(
            f"no training image is {missing[0]} for {name}: its scores mean nothing; find images, or leave it out"
            for name, missing in empty.items()
            if missing
        )


def load_development(config: TrainStage, context: StageContext) -> Development:
    """The development images of the stage's inputs.

    Raises:
        DataError: no label can be validated.
    """
    labels, path = read_label_set(config.labels), context.inputs["development"]
    manifest, store = read_manifest(path), ImageStore(context.inputs["store"])
    validation = manifest.where("val")
    truth = labels.truth(validation.label_codes(labels.names))
    if not any((column == 0).any() and (column == 1).any() for column in truth.T):
        raise DataError(
            "validation: no label has both positive and negative images, so no epoch can be called the best; "
            "use more images, or a larger split.val_fraction"
        )
    train = RadiographDataset(manifest.where("train"), store, labels, Augmentation(config.train.augment), config.seed)
    made = store.preprocessing  # a model sees 8 bits, whatever the store keeps
    return Development(
        labels=labels,
        train=train,
        validation=RadiographDataset(validation, store, labels),
        truth=truth,
        sampling=label_sampling(train.targets.numpy(), train.patients, config.train.sampling),
        manifest=manifest,
        preprocessing=Preprocessing(size=made.size, fit=made.fit, normaliser=made.normaliser, canonical=made.canonical),
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
