"""Where findings truly are on canonical images: from boxes, or from the masks of the synthetic cohort.

What cannot be laid on an image with certainty is left out, with a reason; it is never laid somewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from cxr.errors import DataError
from cxr.evaluate.undefined import Undefined
from cxr.labels.values import POSITIVE
from cxr.localise.boxes import Boxes
from cxr.localise.frame import Frame, Mask
from cxr.localise.names import Names
from cxr.localise.side import Side
from cxr.phantom.cohort import read_masks


@dataclass(frozen=True, eq=False)
class Pair:
    """An image and a finding that is known to be there, and where.

    Args:
        row: of the image.
        label: place in the model's labels.
        truth: bool [size, size] on the canonical image; True somewhere.
    """

    row: int
    label: int
    truth: Mask


class Truth(Protocol):
    """Something that tells where findings are."""

    def pairs(self) -> Iterator[Pair | Undefined]:
        """Every pair, those of an image one after the other; or why an image and finding is left out."""


@dataclass(frozen=True)
class BoxTruth:
    """The truth of a table of boxes.

    Args:
        side: the images.
        boxes: of the table.
        names: which image a name means.
    """

    side: Side
    boxes: Sequence[Boxes]
    names: Names

    def pairs(self) -> Iterator[Pair | Undefined]:
        """See `Truth`."""
        found: dict[int, dict[int, Boxes]] = {}
        for each in self.boxes:
            row, label = self.names.row(each.image), self.side.labels.find(each.label)
            if isinstance(row, Undefined):
                yield row
            elif label is None:
                yield Undefined(f"'{each.label}' is no label of the model")
            else:
                place = self.side.labels.names.index(label.name)
                earlier = found.setdefault(row, {}).get(place)  # a table may use a name and its synonym
                found[row][place] = Boxes(each.image, each.label, (*(earlier.boxes if earlier else ()), *each.boxes))
        for row in sorted(found):
            yield from (self._pair(row, label, boxes) for label, boxes in sorted(found[row].items()))

    def _pair(self, row: int, label: int, given: Boxes) -> Pair | Undefined:
        if self.side.codes[row, label] != POSITIVE:
            return Undefined("the label table does not say that the finding is there")
        frame = self.side.geometry(row)
        if isinstance(frame, Undefined):
            return frame
        if not all(box.fits(frame) for box in given.boxes):
            return Undefined("the image that the box was drawn on has another shape than the file")
        if not all(box.lies_on(frame) for box in given.boxes):
            return Undefined("the box reaches over the edge of the image, as if drawn on a copy of another size")
        mask = np.zeros(frame.stored, np.bool_)
        for box in given.boxes:
            box.draw(mask)
        return _laid(row, label, mask, frame)


@dataclass(frozen=True)
class MaskTruth:
    """The truth of the masks of a synthetic cohort.

    Args:
        side: the images.
        files: the mask files by row, see `mask_files`.
    """

    side: Side
    files: dict[int, Path]

    def pairs(self) -> Iterator[Pair | Undefined]:
        """See `Truth`."""
        positive = self.side.positive
        for row in np.flatnonzero(positive.any(axis=1)).tolist():
            labels = np.flatnonzero(positive[row]).tolist()
            if row not in self.files:
                yield from (Undefined("no mask has the name of the image") for _ in labels)
                continue
            frame, masks = self.side.geometry(row), read_masks(self.files[row])
            yield from (_from_mask(row, label, masks.get(self.side.labels.names[label]), frame) for label in labels)


def mask_files(folder: Path, names: Names) -> dict[int, Path]:
    """The mask files in a folder by the row of their image; those of other images are left away.

    Raises:
        DataError: none of them has the name of an image of this side.
    """
    rows = {path: names.row(path.name) for path in sorted(folder.glob("*.png"))}
    files = {row: path for path, row in rows.items() if not isinstance(row, Undefined)}
    if not files:
        raise DataError(
            f"{folder}: none of its {len(rows)} files *.png has the name of an image of this side; give the folder masks "
            "of the cohort that the pipeline has read"
        )
    return files


def _from_mask(row: int, label: int, mask: Mask | None, frame: Frame | Undefined) -> Pair | Undefined:
    if isinstance(frame, Undefined):
        return frame
    if mask is None:
        return Undefined("masks do not show the finding")
    if not frame.has(mask.shape):
        return Undefined("the mask has another size than the file")
    if not mask.any():
        return Undefined("the mask shows no such finding, though the label table says that it is there")
    return _laid(row, label, mask, frame)


def _laid(row: int, label: int, mask: Mask, frame: Frame) -> Pair | Undefined:
    truth = frame.lay(mask)
    return Pair(row, label, truth) if truth.any() else Undefined("too small, or cut away, in the image that the model sees")
