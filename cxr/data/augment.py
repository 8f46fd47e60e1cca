"""Random changes of training images: the one adapter to albumentations, which owns range and seed."""

from __future__ import annotations

import os
import warnings

import cv2
import numpy as np
import numpy.typing as npt

from cxr.config_training import AugmentConfig
from cxr.data.draws import draw
from cxr.data.geometry import affine_matrices
from cxr.data.photometry import change, curves, noise_levels
from cxr.data.streams import EpochStreams
from cxr.errors import ConfigError
from cxr.labels.label_set import LabelSet

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would look for a newer release on the network at import
import albumentations


def check_sides(config: AugmentConfig, labels: LabelSet) -> None:
    """Refuse a flip where it would change what a label means.

    Raises:
        ConfigError: the flip is on and a label has a side.
    """
    sided = [label.name for label in labels.labels if label.sided]
    if config.horizontal_flip and sided:
        raise ConfigError(f"train.augment.horizontal_flip: left and right matter for {', '.join(sided)}; turn it off")


class Augmentation:
    """Random affine and photometric changes of canonical images.

    Grey values first, so that the black which a shift or a rotation brings in stays black.

    Args:
        config: the strengths; all zero gives every image back as it is.
    """

    def __init__(self, config: AugmentConfig) -> None:
        self._config, self._affine, self._levels = config, _affine(), noise_levels(config.noise)

    def __call__(self, images: npt.NDArray[np.uint8], streams: EpochStreams, first: int) -> npt.NDArray[np.uint8]:
        """Change each image by its own draw.

        Args:
            images: uint8 [images, size, size].
            streams: of the epoch; the changes depend on them and on an image's position alone.
            first: position of the first image in the epoch; the others follow it.

        Returns:
            uint8 [images, size, size].
        """
        if not self._config.active:
            return images
        generators = [streams.of(first + index) for index in range(len(images))]
        draws = draw(generators)
        matrices, greys = affine_matrices(self._config, draws, images.shape[-1]), curves(self._config, draws)
        result = np.empty_like(images)
        for index, image in enumerate(images):
            changed = change(image, greys[index], self._noise(generators[index], image.shape))
            result[index] = self._affine.apply(changed, matrix=matrices[index], output_shape=image.shape)
        return result

    def _noise(self, generator: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.int16] | None:
        if not self._config.noise:
            return None
        drawn = np.frombuffer(generator.bytes(shape[0] * shape[1]), np.uint8).reshape(shape)
        return np.asarray(cv2.LUT(drawn, self._levels), np.int16)


def _affine() -> albumentations.Affine:
    """Applies matrices of ours; the ranges it would draw from itself are never used."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # albumentations only warns about an argument that it ignores
        return albumentations.Affine(interpolation=cv2.INTER_LINEAR, border_mode=cv2.BORDER_CONSTANT, fill=0, p=1)
