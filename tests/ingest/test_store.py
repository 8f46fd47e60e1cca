from __future__ import annotations

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.ingest import store
from cxr.ingest.store import ImageStore, Preprocessing, describe_store, shard_path, write_atomic, write_shard

SIZE = 8
PREPROCESSING = Preprocessing(SIZE, "pad", 1, 1)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (9, SIZE, SIZE), np.uint8)


@pytest.fixture
def folder(tmp_path, images):
    """Shards of 4, 0 and 5 images."""
    describe_store(tmp_path, PREPROCESSING)
    for shard, part in enumerate((images[:4], images[:0], images[4:])):
        write_shard(tmp_path, shard, list(part), PREPROCESSING)
    return tmp_path


def test_gather_gives_the_right_rows_over_several_shards(folder, images):
    order = np.random.default_rng(1).permutation(np.r_[0:9, 2, 8])
    shards, rows = np.where(order < 4, 0, 2), np.where(order < 4, order, order - 4)
    gathered = ImageStore(folder).gather(shards, rows)
    assert gathered.dtype == np.uint8
    assert np.array_equal(gathered, images[order])


def test_gather_of_nothing_is_an_empty_array(folder):
    assert ImageStore(folder).gather(np.zeros(0, np.int64), np.zeros(0, np.int64)).shape == (0, SIZE, SIZE)


def test_gathered_images_may_be_changed_without_changing_the_store(folder, images):
    one = np.zeros(1, np.int64)
    ImageStore(folder).gather(one, one)[:] = 0
    assert np.array_equal(ImageStore(folder).gather(one, one)[0], images[0])


def test_preprocessing_comes_back(folder):
    assert ImageStore(folder).preprocessing == PREPROCESSING


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"size": 8}'])
def test_folder_without_store_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "store.json").write_bytes(content)
    with pytest.raises(DataError, match=str(tmp_path)):
        _ = ImageStore(tmp_path).preprocessing


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "text", "other size", "other type"])
def test_damaged_shard_is_named(folder, damage):
    path = shard_path(folder, 2)
    data = path.read_bytes()
    contents = {"empty": b"", "cut": data[:-1], "text": b"no array"}
    if damage == "missing":
        path.unlink()
    elif damage in contents:
        path.write_bytes(contents[damage])
    else:
        np.save(path, np.zeros((5, 9, 9), np.uint8) if damage == "other size" else np.zeros((5, SIZE, SIZE)))
    with pytest.raises(DataError, match=path.name):
        ImageStore(folder).gather(np.array([0, 2]), np.array([0, 0]))


@pytest.mark.parametrize(("shard", "row"), [(0, 4), (0, -1), (2, 5)])
def test_row_that_the_shard_does_not_have_is_refused(folder, shard, row):
    with pytest.raises(DataError, match=rf"{shard_path(folder, shard).name}.*row {row}"):
        ImageStore(folder).gather(np.array([shard]), np.array([row]))


def test_shard_that_fails_half_way_is_not_there_under_its_name(tmp_path, images, monkeypatch):
    def crash(file, array):
        file.write(array.tobytes()[:50])
        raise KeyboardInterrupt

    monkeypatch.setattr(store.np, "save", crash)
    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path, 0, list(images), PREPROCESSING)
    assert not list(tmp_path.glob("*.npy"))


def test_file_that_fails_half_way_keeps_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomic(path, b"old")

    def crash(source, target):
        raise OSError("no space")

    monkeypatch.setattr(store.os, "replace", crash)
    with pytest.raises(OSError, match="no space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.glob("*.json")] == ["a.json"]
