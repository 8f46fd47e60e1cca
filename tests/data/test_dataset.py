from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from cxr.config_training import AugmentConfig
from cxr.data.augment import Augmentation
from cxr.data.dataset import Batch, RadiographDataset, load_batches
from cxr.data.epoch import EpochBatches, Places
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


def test_an_image_is_changed_in_another_way_each_epoch_and_at_each_position(manifest: Manifest, store: ImageStore) -> None:
    dataset, row = _dataset(manifest, store), np.array([5])
    first, again, later, elsewhere = (dataset[Places(*place, row)].images for place in ((0, 3), (0, 3), (1, 3), (0, 4)))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    assert not torch.equal(first, elsewhere)


def test_patients_are_numbered_as_in_the_manifest(manifest: Manifest, store: ImageStore) -> None:
    assert _dataset(manifest, store).patients.tolist() == [index // 2 for index in range(21)]


def test_two_processes_see_the_images_of_one(manifest: Manifest, store: ImageStore) -> None:
    dataset = _dataset(manifest, store)

    def images(size: int, **share: int) -> list[torch.Tensor]:
        return [batch.images for batch in load_batches(dataset, EpochBatches(21, size, 1, 4, **share))]

    alone, first, second = images(8), images(8, rank=0, world=2), images(8, rank=1, world=2)
    assert [len(part) for part in first] == [3, 3, 3]
    for whole, *parts in zip(alone, first, second, strict=True):
        assert torch.equal(whole, torch.cat(parts))
    assert torch.equal(torch.cat(alone), torch.cat(images(3)))


def test_the_order_of_an_epoch_takes_no_number_from_the_stream_of_dropout(manifest: Manifest, store: ImageStore) -> None:
    before = torch.get_rng_state()
    _epoch(_dataset(manifest, store), 0)
    assert torch.equal(torch.get_rng_state(), before)


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


def test_a_used_dataset_is_pickled_without_its_pixels(manifest: Manifest, store: ImageStore) -> None:
    dataset = _dataset(manifest, store)
    first = _epoch(dataset, 0)
    content = pickle.dumps(dataset)
    assert len(content) < 12_000 < sum(batch.images.nbytes for batch in first)
    for one, other in zip(first, _epoch(pickle.loads(content), 0), strict=True):
        assert torch.equal(one.images, other.images)


@pytest.fixture
def _spawned() -> Iterator[None]:
    method = torch.multiprocessing.get_start_method()
    torch.multiprocessing.set_start_method("spawn", force=True)
    yield
    torch.multiprocessing.set_start_method(method, force=True)


@pytest.mark.usefixtures("_spawned")
def test_batches_are_the_same_with_a_worker_that_is_spawned(manifest: Manifest, store: ImageStore) -> None:
    dataset = _dataset(manifest, store)
    alone, helped = _epoch(dataset, 2), _epoch(dataset, 2, workers=1)
    assert all(torch.equal(one.images, other.images) for one, other in zip(alone, helped, strict=True))
