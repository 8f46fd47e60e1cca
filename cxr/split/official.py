"""A split that honours published lists of image names."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxr.errors import DataError
from cxr.manifest import Manifest
from cxr.split.draw import divide
from cxr.split.people import People
from cxr.split.split import Split, split_of


@dataclass(frozen=True)
class OfficialNames:
    """Published lists.

    Args:
        train, test: image names, see `read_list`.
        val: the same; None where validation is to be drawn from `train`.
    """

    train: Collection[str]
    test: Collection[str]
    val: Collection[str] | None = None

    def sides_of(self, name: str) -> list[str]:
        """The sides whose list names an image."""
        lists = {"train": self.train, "val": self.val or (), "test": self.test}
        return [side for side, names in lists.items() if name in names]


def official_split(
    manifest: Manifest, people: People, lists: OfficialNames, val_fraction: float, seed: int, *, alike: bool = True
) -> Split:
    """A split that honours published lists.

    Args:
        manifest: the images, named in `source_name`.
        people: theirs.
        lists: what is published.
        val_fraction: share of the images of the list for training that validate, where no list says which.
        seed: of the draw.
        alike: see `split_of`.

    Raises:
        DataError: an image is on no list or on two, or a patient is.
    """
    names = manifest.frame["source_name"].str.rpartition(":")[2]
    found = [lists.sides_of(name) for name in names]
    for wrong, problem in (
        (np.array([len(sides) > 1 for sides in found]), "on more than one official list"),
        (np.array([not sides for sides in found]), "on no official list"),
    ):
        if wrong.any():
            raise DataError(f"split: {int(wrong.sum())} images are {problem}, the first is {names[wrong].iloc[0]}")
    sides = np.array([side for (side,) in found], object)
    if lists.val is None:
        development = np.flatnonzero(sides == "train")
        shares = {"train": 1 - val_fraction, "val": val_fraction}
        sides[development] = divide(manifest, people, development, shares, seed)
    return split_of(manifest, sides, alike=alike)


def read_list(path: Path, key_of: Callable[[str], str]) -> frozenset[str]:
    """Image names from a list with one a line.

    Args:
        path: the list.
        key_of: what is compared of a name, see `cxr.ingest.table.layout.TableFormat.key_of`.

    Raises:
        DataError: the list is empty, or no text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the list is no text in UTF-8") from error
    names = frozenset(key_of(line) for line in lines if line.strip())
    if not names:
        raise DataError(f"{path}: the list is empty")
    return names
