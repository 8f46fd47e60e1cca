"""Where the pixels of a changed image come from: rotation, zoom, shift and mirror image as one affine map, resampled once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cxr.config_training import AugmentConfig
from cxr.data.draws import Draws


def affine_matrices(config: AugmentConfig, draws: Draws, size: int) -> npt.NDArray[np.float64]:
    """Maps from the pixels of an image to those of the changed one.

    Height and width are zoomed alike: the heart's width against the thorax' is what Cardiomegaly means.

    Args:
        config: the strengths.
        draws: of the images.
        size: side of the images, in pixels.

    Returns:
        float64 [images, 3, 3], on (column, row, 1); about the centre: mirror image, zoom, rotation, then shift.
    """
    angle, zoom = np.deg2rad(config.rotate_degrees * draws.rotate), 1 + config.zoom * draws.zoom
    mirrored = np.where(draws.flip < 0, -1.0, 1.0) if config.horizontal_flip else np.ones(len(angle))
    result = np.zeros((len(angle), 3, 3))
    result[:, 0, 0], result[:, 0, 1] = zoom * np.cos(angle) * mirrored, zoom * np.sin(angle)
    result[:, 1, 0], result[:, 1, 1] = -zoom * np.sin(angle) * mirrored, zoom * np.cos(angle)
    centre = (size - 1) / 2
    shift = config.shift * size * np.stack((draws.shift_x, draws.shift_y), axis=1)
    result[:, :2, 2] = centre + shift - centre * result[:, :2, :2].sum(axis=2)
    result[:, 2, 2] = 1
    return result
