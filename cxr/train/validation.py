"""How good a model in training is, on the validation patients."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from cxr.config_training import TrainConfig
from cxr.data.dataset import load_batches
from cxr.data.epoch import EpochBatches
from cxr.evaluate.auroc import auroc
from cxr.evaluate.undefined import Undefined, as_float, mean_defined
from cxr.ranks import ALONE, Ranks
from cxr.train.development import Development
from cxr.train.task import TrainingTask

_BATCH = 256


def validate(data: Development, task: TrainingTask, config: TrainConfig, ranks: Ranks = ALONE) -> dict[str, float]:
    """AUROC of the averaged model, per label and in the mean; of a stacked backbone the mean of its ends decides.

    Args:
        data: the images.
        task: what is trained.
        config: of the training.
        ranks: the processes that train together; each scores its share, and all get the figures of all images.

    Returns:
        `val/auroc_macro`, and `val/auroc/LABEL` of each label with positive and negative images; of a stacked backbone those
        of the widest network, and `val/auroc_heads/K` of the narrowest and the widest.
    """
    heads = task.classifier.heads
    if not heads:
        return _figures(data, _scores(data, task, config, ranks, None))
    narrow, wide = (_figures(data, _scores(data, task, config, ranks, k)) for k in (heads[0], heads[-1]))
    by_heads = {f"val/auroc_heads/{k}": end["val/auroc_macro"] for k, end in ((heads[0], narrow), (heads[-1], wide))}
    return {**wide, **by_heads, "val/auroc_macro": (narrow["val/auroc_macro"] + wide["val/auroc_macro"]) / 2}


def _scores(
    data: Development, task: TrainingTask, config: TrainConfig, ranks: Ranks, heads: int | None
) -> npt.NDArray[np.float64]:
    """Scores of all validation images, float64 [images, labels]."""
    # at least two a process: batches are of even sizes, and one of them must not be without an image
    size = max(2, min(_BATCH, config.micro_batch or _BATCH)) * ranks.world
    places = EpochBatches(len(data.validation), size, rank=ranks.rank, world=ranks.world)
    scores = torch.zeros(len(data.validation), len(data.labels.names), dtype=torch.float64)
    for batch, place in zip(load_batches(data.validation, places, config.workers), places, strict=True):
        scores[place.rows] = torch.from_numpy(task.predict(batch.images, heads))
    return ranks.sum(scores).numpy()  # to the scores of one process the others add zeros


def _figures(data: Development, scores: npt.NDArray[np.float64]) -> dict[str, float]:
    values = {name: auroc(data.truth[:, j], scores[:, j]) for j, name in enumerate(data.labels.names)}
    figures = {f"val/auroc/{name}": value for name, value in values.items() if not isinstance(value, Undefined)}
    return {**figures, "val/auroc_macro": as_float(mean_defined(values.values()))}
