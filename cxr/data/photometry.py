"""Grey values changed as another exposure would: one curve and, where asked for, noise; never upside down, padding black."""

from __future__ import annotations

from statistics import NormalDist

import cv2
import numpy as np
import numpy.typing as npt

from cxr.config_training import AugmentConfig
from cxr.data.draws import Draws


def curves(config: AugmentConfig, draws: Draws) -> npt.NDArray[np.uint8]:
    """What each grey value becomes: contrast * value ** gamma + brightness, in shares of the range, rounded once.

    Args:
        config: the strengths.
        draws: of the images.

    Returns:
        uint8 [images, 256], none of them falling anywhere.
    """
    values = np.linspace(0, 1, 256) ** (1 + config.gamma * draws.gamma[:, None])
    values = values * (1 + config.contrast * draws.contrast[:, None]) + config.contrast * draws.brightness[:, None]
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def noise_levels(deviation: float) -> npt.NDArray[np.int16]:
    """Normal noise at its 256 equally likely levels, in whole grey values: int16 [256], rising, of mean 0.

    A random byte looked up here costs a sixth of a normal number, and an image of whole grey values shows no difference.

    Args:
        deviation: standard deviation as a share of the range of grey values.
    """
    levels = [NormalDist().inv_cdf((index + 0.5) / 256) for index in range(256)]
    return np.rint(255 * deviation * np.array(levels)).astype(np.int16)


def change(
    image: npt.NDArray[np.uint8], curve: npt.NDArray[np.uint8], noise: npt.NDArray[np.int16] | None
) -> npt.NDArray[np.uint8]:
    """An image with its grey values changed.

    Args:
        image: uint8 [size, size].
        curve: uint8 [256].
        noise: int16 [size, size] in grey values, added after the curve and clipped; None for none.

    Returns:
        uint8 [size, size]; rows and columns at the edge that are all black, such as padding, stay black.
    """
    changed = np.asarray(cv2.LUT(image, curve), np.uint8)
    if noise is not None:
        changed = np.asarray(cv2.add(changed, noise, dtype=cv2.CV_8U), np.uint8)
    if noise is not None or curve[0] > 0:
        _blacken(changed, image)
    return changed


def _blacken(changed: npt.NDArray[np.uint8], image: npt.NDArray[np.uint8]) -> None:
    """The black edges of `image`, but not dark spots in it, black in `changed`, too."""
    left, top, width, height = cv2.boundingRect(image)  # of the pixels that are not black; all zero where there are none
    changed[:top] = changed[top + height :] = 0
    changed[:, :left] = changed[:, left + width :] = 0
