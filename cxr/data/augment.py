"""Random changes of training images: the one adapter to albumentations, which owns range and seed."""

from __future__ import annotations

import os
import warnings

import cv2
import numpy as np
import numpy.typing as npt

from cxr.config import AugmentConfig
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

    Args:
        config: the strengths; all zero gives every image back as it is.
    """

    def __init__(self, config: AugmentConfig) -> None:
        self._compose = _build(config) if config.active else None

    def __call__(self, images: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.uint8]:
        """Change each image by its own draw.

        Args:
            images: uint8 [images, size, size].
            seed: the draw depends on it alone, not on what was drawn before.

        Returns:
            uint8 [images, size, size].
        """
        if self._compose is None:
            return images
        self._compose.set_random_seed(seed)
        return np.stack([self._compose(image=image)["image"] for image in images])


def _build(config: AugmentConfig) -> albumentations.Compose:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # albumentations only warns about an argument that it ignores
        affine = albumentations.Affine(
            scale=(1 - config.zoom, 1 + config.zoom),
            translate_percent=(-config.shift, config.shift),
            rotate=(-config.rotate_degrees, config.rotate_degrees),
            balanced_scale=True,
            keep_ratio=True,  # the heart's width against the thorax' is what Cardiomegaly means
            interpolation=cv2.INTER_LINEAR,
            border_mode=cv2.BORDER_CONSTANT,
            fill=0,
            p=1,
        )
        limits = (-config.contrast, config.contrast)
        photometric = albumentations.RandomBrightnessContrast(brightness_limit=limits, contrast_limit=limits, p=1)
        flip = albumentations.HorizontalFlip(p=0.5 if config.horizontal_flip else 0)
        return albumentations.Compose([affine, photometric, flip])
