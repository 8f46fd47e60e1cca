"""The maps that show a finding best and worst, as pictures over the radiograph with the finding's outline.

They show radiographs, and belong where the radiographs themselves may lie.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import CxrError
from cxr.localise.frame import Mask
from cxr.localise.judge import Mapper, kept
from cxr.localise.side import Side
from cxr.localise.truth import Pair, Truth
from cxr.predict.maps import on_image, overlay

_OUTLINE = (0, 255, 255)
"""Cyan, which the colours of the maps do not have."""
_LEAST_SIDE = 512
"""Smaller images are enlarged: an outline of one pixel would hide a small finding."""


def draw(image: npt.NDArray[np.uint8], attention: npt.NDArray[np.float32], truth: Mask) -> npt.NDArray[np.uint8]:
    """A map over its radiograph, with the outline of the finding.

    Args:
        image: uint8 [size, size], canonical.
        attention: float32 [rows, columns], summing to 1.
        truth: bool [size, size].

    Returns:
        uint8 [side, side, 3], red, green, blue; side is at least 512.
    """
    size = image.shape[0] * max(1, -(-_LEAST_SIDE // image.shape[0]))
    large = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    outline = cv2.resize(truth.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    picture = np.ascontiguousarray(overlay(large, on_image(attention, size)))
    contours, _ = cv2.findContours(outline, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(picture, contours, -1, _OUTLINE, 2), np.uint8)


def write_pictures(folder: Path, count: int, table: pd.DataFrame, side: Side, truth: Truth, mapper: Mapper) -> tuple[str, ...]:
    """Write the pairs whose map gains most and least over an even one, by the energy inside.

    Args:
        folder: where to.
        count: of the best, and of the worst; a pair is drawn once.
        table: as `cxr.localise.judge.Judged` has it.
        side, truth, mapper: as for `cxr.localise.judge.judge`.

    Returns:
        The names of the files.

    Raises:
        CxrError: a file cannot be written.
    """
    gain = (table["energy"] - table["energy_even"]).sort_values(ascending=False, kind="stable")
    best = gain.index[:count]
    worst = gain.index[::-1][: min(count, len(gain) - len(best))]
    names = {}
    for word, places in (("best", best), ("worst", worst)):
        for number, place in enumerate(places, start=1):
            names[int(table["row"][place]), int(table["label"][place])] = f"{word}-{number:02d}"
    written = []
    for pair in kept(truth, Counter()):
        if (pair.row, pair.label) in names:
            written.append(_write(folder, names[pair.row, pair.label], side, pair, mapper))
    return tuple(sorted(written))


def _write(folder: Path, start: str, side: Side, pair: Pair, mapper: Mapper) -> str:
    label = re.sub(r"\W+", "-", side.labels.names[pair.label]).strip("-")
    name = f"{start}-{label}-{side.frame['image_id'].iloc[pair.row]}.png"
    image = side.image(pair.row)
    picture = draw(image, mapper.maps(image[np.newaxis])[0, pair.label], pair.truth)
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    try:
        (folder / name).write_bytes(encoded.tobytes())
    except OSError as error:
        raise CxrError(f"{folder / name}: {error.strerror}") from error
    return name
