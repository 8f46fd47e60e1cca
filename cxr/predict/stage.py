"""The predict stage: the scores of the validation and test images, beside their truth, in one table."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from cxr.config import PredictStage
from cxr.device import choose_device
from cxr.errors import DataError
from cxr.ingest.store import ImageStore
from cxr.manifest import Manifest, read_manifest
from cxr.predict.batches import Batches
from cxr.predict.predictor import Predictor
from cxr.predict.stacked import Scored, score_stacked
from cxr.predictions import join_predictions
from cxr.profile import log_dataset
from cxr.split.frozen import read_split
from cxr.split.split import split_digest
from cxr.stage import StageContext, StageResult


def run(config: PredictStage, context: StageContext) -> StageResult:
    """Write `predictions.parquet`; of a stacked model `widths.csv` too, and of a cascade `cascade.json`.

    What `widths.csv` and `cascade.json` say comes from the validation images alone: the choice of a width, or of when a study
    goes on to the wide one, must not look at the test images.

    Raises:
        DataError: the images were made in another way than the model's, the model's labels are not the manifest's, or it
            cannot run with the number of heads asked for.
    """
    predictor = Predictor(context.inputs["model"], choose_device(config.device), config.predict.heads)
    store = ImageStore(context.inputs["store"])
    predictor.check_preprocessing(store.preprocessing)
    manifest = _images(context, predictor)
    scored = _score(config, context, predictor, store, manifest)
    digests = {name: _sha256(context, name) for name in ("model", "test")}
    predictions = join_predictions(manifest, scored.scores, _about(predictor, digests, context) | scored.about)
    predictions.write(context.folder / "predictions.parquet")
    test = manifest.where("test")
    log_dataset(context.run, "manifest-test", "evaluation", test)
    context.run.params({"model_sha256": digests["model"], "model_run": predictor.card.run_id})
    context.run.artifact(context.folder / "predictions.parquet")
    counts = {"images": len(manifest), "test_images": len(test)}
    sentence = f"{len(manifest)} images scored, {len(test)} of them test images"
    headline = "; ".join(filter(None, (sentence, scored.network)))
    return StageResult(counts, headline, scored.metrics, warnings=scored.warnings, highlights=scored.files)


def _images(context: StageContext, predictor: Predictor) -> Manifest:
    """Validation and test images, with the label columns in the model's order."""
    parts = [read_manifest(context.inputs["development"]).where("val"), read_manifest(context.inputs["test"])]
    missing = sorted(set(predictor.labels.names) - set(parts[1].label_names))
    if missing:
        raise DataError(f"the model predicts '{missing[0]}', which the images are not labelled for")
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    return Manifest(frame, predictor.labels.names)


def _score(config: PredictStage, context: StageContext, predictor: Predictor, store: ImageStore, manifest: Manifest) -> Scored:
    shards, places = (manifest.frame[name].to_numpy(np.int64) for name in ("shard", "row"))
    batches = Batches(lambda rows: store.gather8(shards[rows], places[rows]), config.batch_size, context.progress)
    if not predictor.heads:
        return Scored(batches.score(predictor, np.arange(len(manifest)), "images scored"))
    return score_stacked(config.predict, predictor, batches, manifest, context)


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
        **{f"branch weight/{name}": f"{weight:.3f}" for name, weight in predictor.branch_weights().items()},
    }
