"""The images that an exported file is checked on: the test images of a pipeline, or phantoms where there are none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.config_sources import PhantomSource
from cxr.errors import DataError
from cxr.ingest.read.canonical import canonical
from cxr.ingest.store import ImageStore
from cxr.labels.values import UNKNOWN
from cxr.manifest import Manifest, read_manifest
from cxr.model.card import ModelCard
from cxr.phantom.plan import PlannedImage, plan_cohort
from cxr.phantom.render import render
from cxr.predict.predictor import Predictor

MOST = 512
"""Test images that are looked at, at most; of more they are taken evenly."""
_PHANTOMS = PhantomSource(kind="phantom", patients=16, images_per_patient=1, matrix=256)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images to check an exported file on.

    Args:
        images: uint8 [images, size, size], canonical.
        of: what they are, in words.
        truth: float32 [images, labels] of 0, 1 and NaN for unknown, all NaN for phantoms.
    """

    images: npt.NDArray[np.uint8]
    of: str
    truth: npt.NDArray[np.float32]


def phantoms(card: ModelCard) -> Pictures:
    """Drawn chests, always the same; they show none of what a model's labels mean."""
    made = card.preprocessing
    images = [canonical(_draw(planned), made.size, made.fit) for planned in plan_cohort(_PHANTOMS, seed=0).good]
    truth = np.full((len(images), len(card.labels.names)), np.nan, np.float32)
    return Pictures(np.asarray(images, np.uint8), "phantom images", truth)


def test_images(folder: Path, reference: Predictor) -> Pictures:
    """The test images in the folder of a pipeline, at most `MOST`.

    Raises:
        DataError: it is no such folder, its images were made in another way than the model's, or none is a test image.
    """
    table, store = folder / "split" / "test.parquet", ImageStore(folder / "ingest" / "store")
    if not table.is_file():
        raise DataError(f"{folder}: no test images there: split/test.parquet is missing; give the folder of a pipeline")
    reference.check_preprocessing(store.preprocessing)
    manifest = read_manifest(table)
    frame = manifest.frame[manifest.frame["shard"] >= 0]  # the others only a table lists
    if frame.empty:
        raise DataError(f"{folder}: none of its test images is in the image store")
    chosen = frame.iloc[np.unique(np.linspace(0, len(frame) - 1, min(len(frame), MOST)).astype(int))]
    images = store.gather8(chosen["shard"].to_numpy(np.int64), chosen["row"].to_numpy(np.int64))
    return Pictures(images, "test images", _truth(manifest, chosen, reference))


def _truth(manifest: Manifest, chosen: pd.DataFrame, reference: Predictor) -> npt.NDArray[np.float32]:
    names = reference.labels.names
    codes = np.full((len(chosen), len(names)), UNKNOWN, np.int8)
    for column, name in enumerate(names):
        if name in manifest.label_names:
            codes[:, column] = Manifest(chosen, manifest.label_names).label_codes([name])[:, 0]
    return reference.labels.truth(codes)


def _draw(planned: PlannedImage) -> npt.NDArray[np.uint8]:
    drawn = render(planned.anatomy, planned.pose, planned.severities, planned.shape, planned.seed)
    return np.asarray(np.rint(255 * drawn.picture), np.uint8)
