"""The predict stage: the scores of the validation and test images, beside their truth, in one table."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.config import PredictStage
from cxr.device import choose_device
from cxr.errors import DataError
from cxr.ingest.store import ImageStore
from cxr.manifest import Manifest, read_manifest
from cxr.predict.predictor import Predictor
from cxr.predictions import join_predictions
from cxr.profile import log_dataset
from cxr.split.frozen import read_split
from cxr.split.split import split_digest
from cxr.stage import StageContext, StageResult


def run(config: PredictStage, context: StageContext) -> StageResult:
    """Write `predictions.parquet`.

    Raises:
        DataError: the images were made in another way than the model's, or the model's labels are not the manifest's.
    """
    predictor = Predictor(context.inputs["model"], choose_device(config.device))
    store = ImageStore(context.inputs["store"])
    predictor.check_preprocessing(store.preprocessing)
    manifest = _images(context, predictor)
    scores = _score(predictor, store, manifest, config.batch_size, context)
    digests = {name: _sha256(context, name) for name in ("model", "test")}
    predictions = join_predictions(manifest, scores, _about(predictor, digests, context))
    predictions.write(context.folder / "predictions.parquet")
    test = manifest.where("test")
    log_dataset(context.run, "manifest-test", "evaluation", test)
    context.run.params({"model_sha256": digests["model"], "model_run": predictor.card.run_id})
    context.run.artifact(context.folder / "predictions.parquet")
    counts = {"images": len(manifest), "test_images": len(test)}
    return StageResult(counts, f"{len(manifest)} images scored, {len(test)} of them test images")


def _images(context: StageContext, predictor: Predictor) -> Manifest:
    """Validation and test images, with the label columns in the model's order."""
    parts = [read_manifest(context.inputs["development"]).where("val"), read_manifest(context.inputs["test"])]
    missing = sorted(set(predictor.labels.names) - set(parts[1].label_names))
    if missing:
        raise DataError(f"the model predicts '{missing[0]}', which the images are not labelled for")
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    return Manifest(frame, predictor.labels.names)


def _score(
    predictor: Predictor, store: ImageStore, manifest: Manifest, batch_size: int, context: StageContext
) -> npt.NDArray[np.float64]:
    shards, rows = (manifest.frame[name].to_numpy(np.int64) for name in ("shard", "row"))
    scores = np.empty((len(manifest), len(predictor.labels.names)))
    for start in range(0, len(manifest), batch_size):
        chunk = slice(start, start + batch_size)
        scores[chunk] = predictor.probabilities(store.gather8(shards[chunk], rows[chunk]))
        context.progress(min(start + batch_size, len(manifest)), len(manifest), "images scored")
    return scores


def _sha256(context: StageContext, name: str) -> str:
    with context.inputs[name].open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _about(predictor: Predictor, digests: dict[str, str], context: StageContext) -> dict[str, str]:
    card = predictor.card
    return {
        "model run": card.run_id,
        "model sha256": digests["model"],
        "backbone": card.model.backbone,
        "head": f"{card.model.head.kind}, {card.model.head.pooling} pooling",
        "best epoch": str(card.epoch),
        "image": f"{card.preprocessing.size} x {card.preprocessing.size} pixels, {card.preprocessing.fit}",
        "training data sha256": card.data_sha256,
        "test data sha256": digests["test"],
        "split sha256": split_digest(read_split(context.inputs["split"])),
    }
