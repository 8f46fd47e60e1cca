"""How good a model in training is, on the validation patients."""

from __future__ import annotations

import numpy as np

from cxr.config_training import TrainConfig
from cxr.data.dataset import load_batches
from cxr.data.epoch import EpochBatches
from cxr.evaluate.auroc import auroc
from cxr.evaluate.undefined import Undefined, as_float, mean_defined
from cxr.train.development import Development
from cxr.train.task import TrainingTask

_BATCH = 256


def validate(data: Development, task: TrainingTask, config: TrainConfig) -> dict[str, float]:
    """AUROC of the averaged model, per label and in the mean; of a stacked backbone the mean of its ends decides.

    Returns:
        `val/auroc_macro`, and `val/auroc/LABEL` of each label with positive and negative images; of a stacked backbone those
        of the widest network, and `val/auroc_heads/K` of the narrowest and the widest.
    """
    heads = task.classifier.heads
    if not heads:
        return _validate_at(data, task, config, None)
    narrow, wide = (_validate_at(data, task, config, k) for k in (heads[0], heads[-1]))
    by_heads = {f"val/auroc_heads/{k}": end["val/auroc_macro"] for k, end in ((heads[0], narrow), (heads[-1], wide))}
    return {**wide, **by_heads, "val/auroc_macro": (narrow["val/auroc_macro"] + wide["val/auroc_macro"]) / 2}


def _validate_at(data: Development, task: TrainingTask, config: TrainConfig, heads: int | None) -> dict[str, float]:
    size = min(_BATCH, config.micro_batch or _BATCH)
    batches = load_batches(data.validation, EpochBatches(len(data.validation), size), config.workers)
    scores = np.concatenate([task.predict(batch.images, heads) for batch in batches])
    values = {name: auroc(data.truth[:, j], scores[:, j]) for j, name in enumerate(data.labels.names)}
    figures = {f"val/auroc/{name}": value for name, value in values.items() if not isinstance(value, Undefined)}
    return {**figures, "val/auroc_macro": as_float(mean_defined(values.values()))}
