"""The image store: canonical images as uint8 (by choice uint16) arrays in numpy shards, read by memory map.

A shard is written under another name and renamed when it is whole, so that a crash leaves nothing that could be taken
for whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Literal

import numpy as np
import numpy.typing as npt

from cxr.errors import DataError

_DESCRIPTION = "store.json"


@dataclass(frozen=True)
class Preprocessing:
    """How canonical images were made: the part of a model's contract that prediction must repeat.

    Args:
        size: side of the square images, in pixels.
        fit: "pad" or "crop".
        normaliser: version of `cxr.ingest.normalise`.
        canonical: version of `cxr.ingest.canonical`.
        bits: of a grey value.
    """

    size: int
    fit: Literal["pad", "crop"]
    normaliser: int
    canonical: int
    bits: Literal[8, 16] = 8

    @property
    def dtype(self) -> np.dtype[np.uint8 | np.uint16]:
        """Of the images."""
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)


def shard_path(folder: Path, shard: int) -> Path:
    """The file of a shard."""
    return folder / f"shard-{shard:05d}.npy"


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all."""
    with _appearing(path) as file:
        file.write(content)


@contextmanager
def _appearing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that appears under its name when it is whole and on the disk: a power cut leaves no half of it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_shard(
    folder: Path, shard: int, images: Sequence[npt.NDArray[np.uint8 | np.uint16]], preprocessing: Preprocessing
) -> None:
    """Write one shard.

    Args:
        folder: the store.
        shard: its number, from 0.
        images: uint8 or uint16 [size, size] each; none is allowed.
        preprocessing: size and type of the images.
    """
    none = np.zeros((0, preprocessing.size, preprocessing.size), preprocessing.dtype)
    with _appearing(shard_path(folder, shard)) as file:
        np.save(file, np.stack(images) if images else none)


def describe_store(folder: Path, preprocessing: Preprocessing) -> None:
    """Say in the store how its images were made."""
    write_atomic(folder / _DESCRIPTION, json.dumps(asdict(preprocessing), indent=1).encode())


@dataclass(frozen=True)
class ImageStore:
    """Read access to a store.

    Args:
        folder: where the shards lie.
    """

    folder: Path

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """How the images were made.

        Raises:
            DataError: the folder holds no store.
        """
        try:
            return Preprocessing(**json.loads((self.folder / _DESCRIPTION).read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{self.folder}: no image store: {error}") from error

    @cached_property
    def _shards(self) -> dict[int, npt.NDArray[np.uint8 | np.uint16]]:
        return {}

    def _shard(self, shard: int) -> npt.NDArray[np.uint8 | np.uint16]:
        if shard < 0:
            raise DataError("the manifest has images that only a table lists; they were not read, and are in no store")
        if shard not in self._shards:
            path, size, dtype = shard_path(self.folder, shard), self.preprocessing.size, self.preprocessing.dtype
            try:
                images = np.load(path, mmap_mode="r")
            except (OSError, ValueError, EOFError) as error:
                raise DataError(f"{path}: cannot be read: {error}") from error
            if images.dtype != dtype or images.shape[1:] != (size, size):
                raise DataError(f"{path}: holds {images.dtype} {images.shape}, not {dtype} images of {size} x {size}")
            self._shards[shard] = images
        return self._shards[shard]

    def gather(self, shards: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8 | np.uint16]:
        """The images at the given places.

        Args:
            shards: int64 [images].
            rows: int64 [images].

        Returns:
            uint8 or, as stored, uint16 [images, size, size].

        Raises:
            DataError: a shard is missing or damaged, or has no such row.
        """
        size = self.preprocessing.size
        result = np.empty((len(shards), size, size), self.preprocessing.dtype)
        for index, (shard, row) in enumerate(zip(shards.tolist(), rows.tolist(), strict=True)):
            images = self._shard(shard)
            if not 0 <= row < len(images):
                raise DataError(f"{shard_path(self.folder, shard)}: has {len(images)} images, none in row {row}")
            result[index] = images[row]
        return result

    def gather8(self, shards: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The images at the given places in 8 bits, whatever the store keeps: what models are given. Else as `gather`."""
        images = self.gather(shards, rows)
        return np.asarray((images + np.uint32(128)) // 257 if images.dtype == np.uint16 else images, np.uint8)
