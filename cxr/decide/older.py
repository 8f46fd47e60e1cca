"""The older model on the test images: its scores of the labels that the new model has too, beside the new truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cxr.config import DecideStage
from cxr.config_retrain import RetrainConfig
from cxr.device import choose_device
from cxr.errors import DataError
from cxr.ingest.store import ImageStore
from cxr.manifest import Manifest
from cxr.predict.batches import Batches
from cxr.predict.predictor import Predictor
from cxr.predictions import Predictions, join_predictions
from cxr.stage import StageContext


def score_older(
    config: DecideStage, retrain: RetrainConfig, compared: Mapping[str, str], test: Manifest, context: StageContext
) -> Predictions:
    """Score the test images by the older model; one that is stacked runs at full width.

    Args:
        config: of the stage.
        retrain: names the older model.
        compared: older label by new one, of labels that mean the same; at least one.
        test: the test images with the new labels.
        context: of the stage.

    Returns:
        A table with the new names of these labels and their new truth.

    Raises:
        DataError: the images were made in another way than those that the older model learned from.
    """
    predictor, store = Predictor(retrain.model, choose_device(config.device)), ImageStore(context.inputs["store"])
    try:
        predictor.check_preprocessing(store.preprocessing)
    except DataError as error:
        raise DataError(
            f"retrain.model: the older model cannot score these images: {error}; set `ingest` as it was for the older model, "
            "or leave `retrain` out to go without a comparison"
        ) from error
    shards, places = (test.frame[name].to_numpy(np.int64) for name in ("shard", "row"))
    batches = Batches(lambda rows: store.gather8(shards[rows], places[rows]), config.batch_size, context.progress)
    scores = batches.score(predictor, np.arange(len(test)), "images scored by the older model")
    columns = [predictor.labels.names.index(older) for older in compared.values()]
    about = {"model run": predictor.card.run_id, **_width(predictor)}
    return join_predictions(Manifest(test.frame, tuple(compared)), scores[:, columns], about)


def _width(predictor: Predictor) -> dict[str, str]:
    return {"network": f"full width, {predictor.heads[-1]} attention heads"} if predictor.heads else {}
