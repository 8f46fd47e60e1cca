"""One side of a pipeline's split, as the maps are judged on it: its images, their labels, and the model that was calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import DataError
from cxr.evaluate.undefined import Undefined
from cxr.ingest.store import ImageStore
from cxr.labels.label_set import LabelSet
from cxr.labels.values import NEGATIVE, POSITIVE, UNKNOWN, Codes
from cxr.localise.frame import Frame, frame_of
from cxr.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    import torch

    from cxr.predict.predictor import Predictor

Name = Literal["test", "validation"]
_TABLES = {"test": ("test.parquet", "test"), "validation": ("development.parquet", "val")}


@dataclass(frozen=True, eq=False)
class Side:
    """The images of a side; a row is an image's place among them, from 0.

    Args:
        frame: their rows of the manifest.
        codes: int8 [images, labels] of the label table's cells, 0 to 3 as in `cxr.labels.values.VALUES`.
        labels: the model's, in the order of the columns of `codes`.
        store: where the images lie.
    """

    frame: pd.DataFrame
    codes: Codes
    labels: LabelSet
    store: ImageStore

    @property
    def positive(self) -> npt.NDArray[np.bool_]:
        """bool [images, labels], where a finding is there."""
        return np.asarray(self.codes == POSITIVE)

    def absent(self, row: int) -> npt.NDArray[np.bool_]:
        """bool [labels], the findings that an image is known not to have."""
        return np.asarray(self.codes[row] == NEGATIVE)

    def image(self, row: int) -> npt.NDArray[np.uint8]:
        """The canonical image, uint8 [size, size]."""
        place = self.frame.iloc[[row]]
        images = self.store.gather8(place["shard"].to_numpy(np.int64), place["row"].to_numpy(np.int64))
        return np.asarray(images[0])

    def geometry(self, row: int) -> Frame | Undefined:
        """What ingest did with the pixels of the image."""
        told = self.frame.iloc[row]
        return frame_of(int(told["height"]), int(told["width"]), str(told["decisions"]), self.store.preprocessing)


def open_side(folder: Path, name: Name, labels: LabelSet) -> Side:
    """Read one side of the split of a pipeline.

    Args:
        folder: of the pipeline.
        name: of the side.
        labels: the model's.

    Raises:
        DataError: it is no such folder, or none of the side's images is in the image store.
    """
    file, split = _TABLES[name]
    path = folder / "split" / file
    if not path.is_file():
        raise DataError(f"{folder}: split/{file} is missing; give the folder of a pipeline that has run")
    manifest = read_manifest(path).where(split)
    frame = _stored(manifest.frame)
    if frame.empty:
        raise DataError(f"{folder}: no {name} image is in the image store")
    codes = np.full((len(frame), len(labels.names)), UNKNOWN, np.int8)
    for column, label in enumerate(labels.names):
        if label in manifest.label_names:
            codes[:, column] = Manifest(frame, manifest.label_names).label_codes([label])[:, 0]
    return Side(frame, codes, labels, ImageStore(folder / "ingest" / "store"))


def other_images(folder: Path, side: Side) -> pd.DataFrame:
    """Rows of the manifest of the images of a pipeline that are not of a side: a file's name may be that of one of them, too.

    Raises:
        DataError: the pipeline has no manifest.
    """
    frame = _stored(read_manifest(folder / "ingest" / "manifest.parquet").frame)
    return frame[~frame["image_id"].isin(side.frame["image_id"])]


def _stored(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of images; the others only a table lists."""
    return frame[frame["shard"] >= 0].reset_index(drop=True)


def open_model(folder: Path, device: torch.device) -> Predictor:
    """The calibrated model of a pipeline; of a stacked one the network that was calibrated.

    Raises:
        DataError: there is none, its images were made in another way than those of the pipeline, or it is a cascade.
    """
    from cxr.predict.files import calibration_of, network_of
    from cxr.predict.predictor import Predictor

    path = model_path(folder)
    if not path.is_file():
        raise DataError(f"{folder}: calibrate/model.safetensors is missing; give the folder of a pipeline that has run")
    predictor = Predictor(path, device)
    network = predictor.at(network_of(calibration_of(predictor.card, path)))
    network.check_preprocessing(ImageStore(folder / "ingest" / "store").preprocessing)
    return network


def model_path(folder: Path) -> Path:
    """The calibrated model file of a pipeline."""
    return folder / "calibrate" / "model.safetensors"
