"""The maps of an image as pictures: of the network that was calibrated, over the radiograph as the model sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from cxr.model.card import read_card
from cxr.predict.files import calibration_of, network_of
from cxr.predict.maps import on_image, overlay
from cxr.predict.predictor import Predictor
from cxr.predict.read import File, preprocessing_of, read_picture


class MapPictures:
    """A calibrated model file, ready to draw where its branches look.

    Args:
        path: the model file.
        device: where to compute.

    Raises:
        DataError: no model file, or none with a calibration.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        card = read_card(path)
        self._preprocessing = preprocessing_of(card)
        self._predictor = Predictor(path, device, network_of(calibration_of(card, path)))

    def of(self, file: File, labels: Sequence[int]) -> list[npt.NDArray[np.uint8]]:
        """The pictures of some labels of one image.

        Args:
            file: that is taken, see `cxr.predict.read.File`.
            labels: places in the label set.

        Returns:
            uint8 [size, size, 3] for each label.

        Raises:
            DataError: the head has no maps.
            Refused: the file is not taken.
        """
        image = read_picture(file, self._preprocessing).image
        maps = self._predictor.maps(image[np.newaxis])[0]
        return [overlay(image, on_image(maps[label], self._preprocessing.size)) for label in labels]
