"""An exported file, ready to predict like `cxr.predict.predictor.Predictor`; of a file in ONNX without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from cxr.errors import DataError
from cxr.export.engine import open_engine
from cxr.export.record import ExportRecord, from_metadata
from cxr.ingest.store import Preprocessing
from cxr.labels.label_set import LabelSet
from cxr.model.card import ModelCard


class ExportedModel:
    """An exported file.

    Args:
        path: the file, in ONNX or of torch.export.
        threads: for ONNX Runtime; None for as many as there are cores.

    Raises:
        DataError: no file that `cxr export` has made.
        CxrError: what runs it is not installed.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._path, self._engine = path, open_engine(path, threads)
        try:
            self._card, self._record = from_metadata(self._engine.metadata)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    @property
    def card(self) -> ModelCard:
        """What the model file said of the model; without calibration where that does not hold for this network."""
        return self._card

    @property
    def record(self) -> ExportRecord:
        """How the file was made, and how it compared with the model."""
        return self._record

    @property
    def labels(self) -> LabelSet:
        """The label set, in the order of the columns of `probabilities`."""
        return self._card.labels

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Refuse images that were made in another way than those the model learned from.

        Raises:
            DataError: names the difference.
        """
        if difference := self._card.preprocessing.difference(preprocessing):
            raise DataError(f"the model was trained on {difference}")

    def probabilities(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Scores of canonical images.

        Args:
            images: uint8 [images, size, size].

        Returns:
            float64 [images, labels] in [0, 1].
        """
        return self._engine.run(images)[0] if len(images) else np.zeros((0, len(self.labels.names)))

    def maps(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Disease maps: the attention of each label's branch over the backbone's grid of image patches.

        Args:
            images: uint8 [images, size, size], at least one.

        Returns:
            float32 [images, labels, rows, columns], at least 0, each map summing to 1.

        Raises:
            DataError: the head has no attention pooling, or the backbone's tokens form no square grid.
        """
        maps = self._engine.run(images)[1]
        if maps is None:
            raise DataError(f"{self._path}: has no disease maps, like the model that it was made of")
        return maps
