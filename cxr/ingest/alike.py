"""Which images show the same picture: within an ingest, and beside other ones. By their hashes first, then by their pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cxr.duplicates import across, near_duplicates, verify
from cxr.errors import DataError
from cxr.hamming import NearPairs, connected
from cxr.ingest.read.radiograph import Grey
from cxr.ingest.store import ImageStore
from cxr.manifest import Manifest, read_manifest


@dataclass(frozen=True)
class Elsewhere:
    """Images that another ingest has, too.

    Args:
        source: the name of the other source.
        manifest: the other manifest.
        pairs: `first` is a row of ours, `second` one of the other manifest.
    """

    source: str
    manifest: Manifest
    pairs: NearPairs


def alike_within(manifest: Manifest, store: ImageStore) -> NearPairs:
    """Pairs of images of one manifest that show the same picture, though their files may differ."""
    return verify(near_duplicates(manifest.frame["perceptual_hash"]), _image_of(manifest, store))


def alike_elsewhere(manifest: Manifest, store: ImageStore, folder: Path) -> Elsewhere:
    """Pairs of images that another ingest has, too.

    Args:
        manifest, store: ours.
        folder: what the other ingest wrote.

    Raises:
        DataError: the folder holds no ingest, or one whose images were fitted in another way.
    """
    check_elsewhere(folder, store.preprocessing.fit)
    theirs, their_store = read_manifest(folder / "manifest.parquet"), ImageStore(folder / "store")
    near = across(manifest.frame["perceptual_hash"], theirs.frame["perceptual_hash"])
    pairs = verify(near, _image_of(manifest, store), _image_of(theirs, their_store))
    source = str(theirs.frame["source"].iloc[0]) if len(theirs) else folder.name
    return Elsewhere(source, theirs, pairs)


def check_elsewhere(folder: Path, fit: str) -> None:
    """Refuse a folder whose images cannot be compared with images of one's own.

    Args:
        folder: what the other ingest wrote.
        fit: how one's own images are fitted.

    Raises:
        DataError: the folder holds no finished ingest, or one whose images were fitted in another way.
    """
    if not (folder / "manifest.parquet").is_file() or not (folder / "store").is_dir():
        raise DataError(f"{folder}: no finished ingest; ingest.compare_with names folders with manifest.parquet and store")
    other = ImageStore(folder / "store").preprocessing.fit
    if fit != other:
        raise DataError(f"{folder}: its images were fitted by '{other}', these by '{fit}'; such images cannot be compared")


def mark_alike(manifest: Manifest, pairs: NearPairs) -> Manifest:
    """The manifest with its column `alike`: the first image that shows the same picture, empty for an image like no other."""
    group = connected(len(manifest), pairs.first, pairs.second)
    images = manifest.frame["image_id"].to_numpy()
    first = images[np.unique(group, return_index=True)[1]]
    several = np.bincount(group, minlength=1)[group] > 1
    return replace(manifest, frame=manifest.frame.assign(alike=np.where(several, first[group], "")))


def _image_of(manifest: Manifest, store: ImageStore) -> Callable[[int], Grey]:
    shards, rows = (manifest.frame[name].to_numpy(np.int64) for name in ("shard", "row"))

    def image(row: int) -> Grey:
        found: Grey = store.gather(shards[row : row + 1], rows[row : row + 1])[0]
        return found

    return image
