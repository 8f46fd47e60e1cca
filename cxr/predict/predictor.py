"""The one predictor: canonical images in, a probability per label out, and where each label's branch looked."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from cxr.errors import DataError
from cxr.ingest.store import Preprocessing
from cxr.labels.label_set import LabelSet
from cxr.model.card import ModelCard
from cxr.model.classifier import Classifier
from cxr.model.file import load_model


class Predictor:
    """A model file, ready to predict.

    Args:
        path: the model file.
        device: where to compute.
        heads: the number of attention heads to run with, where the backbone is stacked; None for all.

    Raises:
        DataError: no model file of this project, or it cannot run with that number of heads.
    """

    def __init__(self, path: Path, device: torch.device, heads: int | None = None) -> None:
        self._device = device
        self._path, self._saved = path, load_model(path, device)
        self._network = self._network_of(heads)

    def at(self, heads: int | None) -> Predictor:
        """A predictor with another number of attention heads, on the same weights.

        Raises:
            DataError: it cannot run with that number.
        """
        other = copy.copy(self)
        other._network = self._network_of(heads)
        return other

    def _network_of(self, heads: int | None) -> Classifier:
        try:
            return self._saved.classifier.at(heads)
        except ValueError as error:
            raise DataError(f"{self._path}: {error}") from error

    @property
    def card(self) -> ModelCard:
        """What the model file says about itself."""
        return self._saved.card

    def branch_weights(self) -> dict[str, float]:
        """How much each label leans on its own branch, in [0, 1]; empty where the head has not both."""
        weights = self._network.head.combination_weights()
        return {} if weights is None else dict(zip(self.labels.names, weights.tolist(), strict=True))

    @property
    def labels(self) -> LabelSet:
        """The label set, in the order of the columns of `probabilities`."""
        return self.card.labels

    @property
    def heads(self) -> tuple[int, ...]:
        """The numbers of attention heads that `at` takes, rising; none where there is no choice."""
        return self._saved.classifier.heads

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Refuse images that were made in another way than those the model learned from.

        Raises:
            DataError: names the difference.
        """
        if difference := self.card.preprocessing.difference(preprocessing):
            raise DataError(f"the model was trained on {difference}")

    @torch.inference_mode()
    def probabilities(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Scores of canonical images.

        Args:
            images: uint8 [images, size, size].

        Returns:
            float64 [images, labels] in [0, 1].
        """
        logits = self._network(torch.from_numpy(images).to(self._device)).combined
        return torch.sigmoid(logits.double()).cpu().numpy()

    @torch.inference_mode()
    def maps(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Disease maps: the attention of each label's branch over the backbone's grid of image patches.

        Tokens that stand for no place, such as a class token, are no part of it. The images are square, and so is the grid.

        Args:
            images: uint8 [images, size, size].

        Returns:
            float32 [images, labels, rows, columns], at least 0, each map summing to 1.

        Raises:
            DataError: the head has no attention pooling, or the backbone's tokens form no square grid.
        """
        found = self._network(torch.from_numpy(images).to(self._device)).maps
        if found is None:
            head = self.card.model.head
            raise DataError(
                f"{self._path}: no disease maps: the head is {head.kind} with {head.pooling} pooling; "
                "maps come from branches with attention pooling"
            )
        side = math.isqrt(found.shape[-1])
        if side * side != found.shape[-1]:
            raise DataError(
                f"{self._path}: no disease maps: the {found.shape[-1]} tokens of {self.card.model.backbone} form no square grid"
            )
        maps: npt.NDArray[np.float32] = found.unflatten(-1, (side, side)).float().cpu().numpy()
        return maps
