from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from cxr.config import AugmentConfig
from cxr.data.augment import Augmentation
from cxr.data.dataset import Batch, EpochBatches, RadiographDataset, load_batches
from cxr.ingest.store import ImageStore
from cxr.labels.label_set import Label, LabelSet
from cxr.manifest import Manifest

LABELS = LabelSet(name="two", labels=(Label(name="Mass", uncertain="positive"), Label(name="Effusion", uncertain=0.3)))


def _dataset(manifest: Manifest, store: ImageStore, *, augmented: bool = True) -> RadiographDataset:
    return RadiographDataset(manifest, store, LABELS, Augmentation(AugmentConfig()) if augmented else None, seed=4)


def _epoch(dataset: RadiographDataset, epoch: int, workers: int = 0, seed: int | None = 4) -> list[Batch]:
    return list(load_batches(dataset, EpochBatches(len(dataset), 4, epoch, seed), workers))


def _rows(batches: list[Batch]) -> list[int]:
    return torch.cat([batch.images[:, 0, 0] for batch in batches]).tolist()


def test_the_order_of_label_columns_in_the_manifest_does_not_matter(manifest: Manifest, store: ImageStore) -> None:
    expected = _dataset(manifest, store).targets
    turned = Manifest(manifest.frame[manifest.frame.columns[::-1]], manifest.label_names[::-1])
    assert torch.equal(_dataset(turned, store).targets.nan_to_num(-1), expected.nan_to_num(-1))


def test_targets_are_those_of_the_label_policies(manifest: Manifest, store: ImageStore) -> None:
    codes = manifest.label_codes()
    targets = _dataset(manifest, store).targets.numpy()
    for label, uncertain in enumerate((1.0, 0.3)):
        expected = np.array([0.0, 1.0, uncertain, np.nan], np.float32)[codes[:, label]]
        assert np.array_equal(targets[:, label], expected, equal_nan=True)


def test_each_image_comes_once_an_epoch_with_its_own_target(manifest: Manifest, store: ImageStore) -> None:
    dataset = _dataset(manifest, store, augmented=False)
    batches = _epoch(dataset, 0)
    rows = _rows(batches)
    assert sorted(rows) == list(range(21))
    targets = torch.cat([batch.targets for batch in batches])
    assert torch.equal(targets.nan_to_num(-1), dataset.targets[rows].nan_to_num(-1))
    expected = store.gather(manifest.frame["shard"].to_numpy(), manifest.frame["row"].to_numpy())[rows]
    assert np.array_equal(torch.cat([batch.images for batch in batches]).numpy(), expected)


def test_the_order_changes_with_epoch_and_seed_and_repeats_with_both(manifest: Manifest, store: ImageStore) -> None:
    dataset = _dataset(manifest, store, augmented=False)
    orders = [_rows(_epoch(dataset, epoch, seed=seed)) for epoch, seed in ((0, 4), (0, 4), (1, 4), (0, 5))]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != orders[3]
    assert _rows(_epoch(dataset, 0, seed=None)) == list(range(21))


def test_an_image_is_changed_in_another_way_each_epoch(manifest: Manifest, store: ImageStore) -> None:
    dataset = _dataset(manifest, store)
    first, again, second = (dataset[(epoch, 5)].images for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("augmented", [True, False])
def test_batches_are_the_same_with_two_workers(manifest: Manifest, store: ImageStore, augmented: bool) -> None:
    dataset = _dataset(manifest, store, augmented=augmented)
    alone, helped = _epoch(dataset, 2), _epoch(dataset, 2, workers=2)
    assert len(alone) == len(helped) == len(EpochBatches(21, 4))
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.targets.nan_to_num(-1), other.targets.nan_to_num(-1))


def test_the_store_is_unchanged_by_an_epoch(manifest: Manifest, store: ImageStore) -> None:
    def digests() -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in store.folder.iterdir()}

    before = digests()
    for batch in _epoch(_dataset(manifest, store), 0, workers=2):
        batch.images.zero_()
    assert digests() == before
