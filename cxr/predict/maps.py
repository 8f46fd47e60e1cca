"""Disease maps as pictures: where the branch of a label looks, laid over the radiograph that it was shown.

A map is the attention of one label's branch over the grid of the backbone's tokens. What the aggregated branch makes of the
image is not in it: how much a prediction leans on its own branch is told by the branch's weight.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

FULL = 4.0
"""Times the average attention that has the last colour: a fixed scale, so that pictures of all images and labels compare."""
_HIDES = 0.6
"""How much of the radiograph the last colour hides."""


def on_image(maps: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Maps at the size of the image, bilinear, in multiples of the average: 1 is what each place has if all have the same.

    Args:
        maps: float32 [..., rows, columns], each summing to 1, as `cxr.predict.predictor.Predictor.maps` gives them.
        size: side of the canonical image, in pixels.

    Returns:
        float32 [..., size, size], at least 0; the mean of each is 1 where `size` is a multiple of rows and columns.
    """
    rows, columns = maps.shape[-2:]
    relative = np.ascontiguousarray(maps.reshape(-1, rows, columns) * np.float32(rows * columns))
    resized = [cv2.resize(each, (size, size), interpolation=cv2.INTER_LINEAR) for each in relative]
    return np.asarray(resized, np.float32).reshape(*maps.shape[:-2], size, size)


def overlay(image: npt.NDArray[np.uint8], attention: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """A radiograph with one map in colour over it.

    Where the attention is at most average the radiograph is left as it is; from there colour and cover grow with the logarithm
    of the attention up to `FULL` times the average, and the radiograph shows through everywhere.

    Args:
        image: uint8 [size, size], canonical.
        attention: float32 [size, size] in multiples of the average, from `on_image`.

    Returns:
        uint8 [size, size, 3], red, green, blue.
    """
    strength = np.clip(np.log2(np.maximum(attention, 1)) / np.log2(FULL), 0, 1).astype(np.float32)
    colours = cv2.applyColorMap(np.rint(255 * strength).astype(np.uint8), cv2.COLORMAP_PLASMA)[..., ::-1]  # it gives BGR
    cover = _HIDES * strength[..., np.newaxis]
    return np.asarray(np.rint((1 - cover) * image[..., np.newaxis] + cover * colours), np.uint8)
