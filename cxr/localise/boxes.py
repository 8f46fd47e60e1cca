"""Tables of boxes: the one that the NIH published, and a plain one with a row per box."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.errors import DataError
from cxr.localise.frame import Frame, Mask

_NIH = ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"]
_NIH_SIDE = 1024
"""The published images have this many rows and columns, whatever the copy at hand has."""
_PLAIN = ["image", "label", "x", "y", "width", "height"]
_GRID = ["image_width", "image_height"]
_SAME_SHAPE = 0.01  # copies of an image are rounded to whole pixels
_OVER = 0.05  # share of a side by which a hand that draws may slip over the edge


@dataclass(frozen=True)
class Box:
    """A box round a finding.

    Args:
        left, top, width, height: in pixels of the image that the box was drawn on, as its file is stored.
        grid: columns and rows of that image; None for those of the file itself.
    """

    left: float
    top: float
    width: float
    height: float
    grid: tuple[float, float] | None = None

    def fits(self, frame: Frame) -> bool:
        """Whether the image that the box was drawn on has the shape of the file."""
        if self.grid is None:
            return True
        rows, columns = frame.stored
        return abs(self.grid[0] * rows / (self.grid[1] * columns) - 1) <= _SAME_SHAPE

    def lies_on(self, frame: Frame) -> bool:
        """Whether all of it lies on the image, but for a slip; else it was drawn on a copy of another size."""
        rows, columns = frame.stored
        across, down = self.grid or (columns, rows)
        return (
            -_OVER * across <= self.left
            and self.left + self.width <= (1 + _OVER) * across
            and -_OVER * down <= self.top
            and self.top + self.height <= (1 + _OVER) * down
        )

    def draw(self, mask: Mask) -> None:
        """Fill the box into a mask of the file's pixels, bool [rows, columns]; what lies outside the image is left away."""
        rows, columns = mask.shape
        across, down = (1.0, 1.0) if self.grid is None else (columns / self.grid[0], rows / self.grid[1])
        left, right = _span(self.left * across, self.width * across)
        top, bottom = _span(self.top * down, self.height * down)
        mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True


def _span(start: float, length: float) -> tuple[int, int]:
    """First pixel and the one after the last, at least one."""
    first = round(start)
    return first, max(first + 1, round(start + length))


@dataclass(frozen=True)
class Boxes:
    """All boxes of one finding in one image.

    Args:
        image, label: as the table calls them.
        boxes: at least one.
    """

    image: str
    label: str
    boxes: tuple[Box, ...]


def read_boxes(path: Path) -> tuple[Boxes, ...]:
    """Read a table of boxes.

    Args:
        path: CSV, as the NIH published it (BBox_List_2017.csv), or with the columns image, label, x, y, width, height and, if
            wanted, image_width and image_height: the size of the image that the boxes were drawn on.

    Returns:
        In the order in which images and labels first appear.

    Raises:
        DataError: the file cannot be read, has other columns, or a row has no box; names the row.
    """
    table = _read(path)
    grouped: dict[tuple[str, str], list[Box]] = {}
    for image, label, box in _rows(table, path):
        grouped.setdefault((image, label), []).append(box)
    if not grouped:
        raise DataError(f"{path}: has no row")
    return tuple(Boxes(image, label, tuple(boxes)) for (image, label), boxes in grouped.items())


def _read(path: Path) -> pd.DataFrame:
    try:
        # the published header has three columns more than its rows
        table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a table: {str(error).splitlines()[0]}") from error
    if list(table.columns[: len(_NIH)]) == _NIH:
        side = str(_NIH_SIDE)
        return table.iloc[:, : len(_NIH)].set_axis(_PLAIN, axis=1).assign(image_width=side, image_height=side)
    missing = [name for name in _PLAIN if name not in table]
    if missing:
        raise DataError(
            f"{path}: no column '{missing[0]}'; needed are {', '.join(_PLAIN)}, or the header of BBox_List_2017.csv"
        )
    if (_GRID[0] in table) != (_GRID[1] in table):
        raise DataError(f"{path}: of {' and '.join(_GRID)} give both or neither")
    return table


def _rows(table: pd.DataFrame, path: Path) -> Iterator[tuple[str, str, Box]]:
    sized = _GRID[0] in table
    for number, row in enumerate(table.to_dict("records"), start=2):
        where = f"{path}: row {number}"
        left, top, width, height = (_number(row[name], name, where) for name in _PLAIN[2:])
        if not row["image"].strip() or not row["label"].strip():
            raise DataError(f"{where}: image or label is empty")
        across, down = (_number(row[name], name, where) for name in _GRID) if sized else (1.0, 1.0)
        if min(width, height, across, down) <= 0:
            raise DataError(f"{where}: a width or height is not above 0")
        yield row["image"].strip(), row["label"].strip(), Box(left, top, width, height, (across, down) if sized else None)


def _number(text: str, name: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not np.isfinite(value):
        raise DataError(f"{where}: {name} is '{text}', not a number")
    return value
